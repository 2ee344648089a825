//! Firmware images: whose signature is good, taking images in, handing them out to devices.

mod files;

use std::sync::Arc;

use axum::body::Bytes;
use futures::Stream;
use portico_model::audit::AuditRecord;
use portico_model::firmware::{Firmware, NewPublisherKey, PublisherKey, is_version, parse_hex};
use portico_model::identity::Permission;
use portico_model::{FieldError, FirmwareId, Page, PublisherKeyId};
use portico_platform::audit::Entry;
use portico_platform::secrets::hex;
use portico_platform::{Actor, Error, Principal, Result, Tx};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::json;

use crate::store::{firmware as store, rollout};
use crate::{Devices, Known};

pub(crate) use files::Files;

/// Keys an organisation may trust at a time: an image is tried with each.
const MAX_KEYS: usize = 20;

/// Most images on a page.
const MAX_PAGE: i64 = 200;

/// What is known of an image before its bytes come.
#[derive(Debug, Clone, Default)]
pub struct NewFirmware {
    pub device_type: String,
    pub version: String,
    pub notes: String,
    /// Ed25519, 128 hexadecimal digits.
    pub signature: String,
}

fn not_found() -> Error {
    Error::not_found("firmware_not_found", "Firmware not found")
}

/// One line of printable text.
fn is_line(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.chars().count() <= longest && !text.chars().any(char::is_control)
}

/// A person's or a service's name, for "uploaded by".
pub(crate) fn name_of(actor: &Actor) -> String {
    match &actor.principal {
        Principal::User { name, .. } => name.clone(),
        _ => actor.label(),
    }
}

impl Devices {
    /// The publishers' keys, the newest first. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn publisher_keys(&self, actor: &Actor) -> Result<Vec<PublisherKey>> {
        actor.require(Permission::ManageFirmware)?;
        let mut tx = self.0.platform.db.read().await?;
        store::keys(&mut tx, actor.organization).await
    }

    /// Trusts a publisher's key. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden, invalid, or trusted already.
    pub async fn add_publisher_key(&self, actor: &Actor, new: NewPublisherKey) -> Result<PublisherKey> {
        actor.require(Permission::ManageFirmware)?;
        let name = new.name.trim().to_owned();
        let mut problems = Vec::new();
        if !is_line(&name, 100) {
            problems.push(FieldError::new("name", "1 to 100 characters"));
        }
        let public_key = parse_hex::<32>(new.public_key.trim());
        if public_key.is_none() {
            problems.push(FieldError::new("public_key", "64 hexadecimal digits: a raw Ed25519 public key"));
        }
        let Some(public_key) = public_key.filter(|_| problems.is_empty()) else { return Err(Error::fields(problems)) };
        let platform = &self.0.platform;
        let key = PublisherKey {
            id: PublisherKeyId::generate(),
            name,
            public_key: hex(&public_key),
            created_by: name_of(actor),
            created_at: self.now(),
            revoked_at: None,
        };
        let mut tx = platform.db.begin().await?;
        if store::good_keys(&mut tx, actor.organization).await?.len() >= MAX_KEYS {
            return Err(Error::conflict("too_many_keys", format!("At most {MAX_KEYS} keys may be trusted at a time.")));
        }
        if !store::insert_key(&mut tx, actor.organization, &key, &public_key).await? {
            return Err(Error::conflict("key_trusted", "This key is trusted already."));
        }
        let entry = Entry::success("firmware.key_added").target("publisher_key", key.id);
        let details = json!({"name": key.name, "public_key": key.public_key});
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce_audit(actor.organization, record);
        Ok(key)
    }

    /// Trusts a key no more: it makes no new image good. Images that are there stay. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden or not found.
    pub async fn revoke_publisher_key(&self, actor: &Actor, id: PublisherKeyId) -> Result<()> {
        actor.require(Permission::ManageFirmware)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let name = store::revoke_key(&mut tx, actor.organization, id, self.now())
            .await?
            .ok_or_else(|| Error::not_found("key_not_found", "There is no such key, or it was revoked before."))?;
        let entry = Entry::success("firmware.key_revoked").target("publisher_key", id).details(json!({"name": name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_audit(actor.organization, record);
        Ok(())
    }

    /// Images, the newest first. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden, or a cursor that is none of ours.
    pub async fn firmware_list(
        &self,
        actor: &Actor,
        device_type: Option<&str>,
        cursor: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Page<Firmware>> {
        actor.require(Permission::ManageFirmware)?;
        let limit = limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let before = read_cursor(cursor)?;
        let mut tx = self.0.platform.db.read().await?;
        let items = store::list(&mut tx, actor.organization, device_type, before, limit + 1).await?;
        Ok(Page::cut(items, limit, |firmware| firmware.id.to_string()))
    }

    /// An image. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden or not found.
    pub async fn firmware(&self, actor: &Actor, id: FirmwareId) -> Result<Firmware> {
        actor.require(Permission::ManageFirmware)?;
        let mut tx = self.0.platform.db.read().await?;
        self.find_firmware(&mut tx, actor, id).await
    }

    pub(crate) async fn find_firmware(&self, tx: &mut Tx, actor: &Actor, id: FirmwareId) -> Result<Firmware> {
        store::find(tx, actor.organization, id).await?.ok_or_else(not_found)
    }

    /// The types of devices there are, with how many; the most numerous first. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn device_types(&self, actor: &Actor) -> Result<Vec<(String, i64)>> {
        actor.require(Permission::ManageFirmware)?;
        let mut tx = self.0.platform.db.read().await?;
        store::device_types(&mut tx, actor.organization).await
    }

    /// Takes in an image whose bytes come in pieces. It is kept when its signature is that of a trusted publisher and
    /// covers what came. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden, invalid fields, too large, not signed by a trusted key, or there is one of this version already.
    pub async fn upload_firmware<S, E>(&self, actor: &Actor, new: NewFirmware, bytes: S) -> Result<Firmware>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin + Send,
        E: std::fmt::Display,
    {
        actor.require(Permission::ManageFirmware)?;
        let (new, signature) = checked(new)?;
        let platform = &self.0.platform;
        let id = FirmwareId::generate();
        let most = platform.config.devices.firmware_limit_bytes;
        let received = self.0.files.receive(id, bytes, most).await?;
        let mut firmware = Firmware {
            id,
            device_type: new.device_type,
            version: new.version,
            notes: new.notes,
            size_bytes: received.size_bytes(),
            sha256: hex(received.sha256()),
            signature: hex(&signature),
            key_id: PublisherKeyId::from_uuid(id.uuid()),
            key_name: String::new(),
            created_by: name_of(actor),
            created_at: self.now(),
        };
        let mut tx = platform.db.begin().await?;
        let text = firmware.signed_text();
        let good = store::good_keys(&mut tx, actor.organization).await?.into_iter().find(|(_, public_key)| {
            UnparsedPublicKey::new(&ED25519, public_key).verify(text.as_bytes(), &signature).is_ok()
        });
        let Some((key_id, _)) = good else {
            drop(tx);
            self.audit_refused_image(actor, &firmware).await?;
            let message = "The signature is not that of a trusted publisher over this image, type and version.";
            return Err(Error::field("signature", message).with_message("bad_signature", message));
        };
        firmware.key_id = key_id;
        if !store::insert(&mut tx, actor.organization, &firmware, received.sha256(), &signature).await? {
            let message = format!("There is a version {} for this type already.", firmware.version);
            return Err(Error::conflict("firmware_exists", message));
        }
        let entry = Entry::success("firmware.uploaded").target("firmware", id);
        let details = json!({
            "device_type": firmware.device_type, "version": firmware.version, "sha256": firmware.sha256,
            "size_bytes": firmware.size_bytes,
        });
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        // The file takes its place before the row does: an image that is known is there.
        let kept = received.keep().await?;
        tx.commit().await?;
        kept.done();
        self.announce_audit(actor.organization, record);
        self.firmware(actor, id).await
    }

    async fn audit_refused_image(&self, actor: &Actor, firmware: &Firmware) -> Result<()> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let entry = Entry::denied("firmware.bad_signature");
        let details = json!({
            "device_type": firmware.device_type, "version": firmware.version, "sha256": firmware.sha256,
        });
        let record: AuditRecord = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce_audit(actor.organization, record);
        Ok(())
    }

    /// Removes an image. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict while a roll-out of it is under way.
    pub async fn delete_firmware(&self, actor: &Actor, id: FirmwareId) -> Result<()> {
        actor.require(Permission::ManageFirmware)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let firmware = self.find_firmware(&mut tx, actor, id).await?;
        if rollout::is_under_way(&mut tx, actor.organization, id).await? {
            return Err(Error::conflict("rollout_under_way", "A roll-out of this image is under way: end it first."));
        }
        store::mark_deleted(&mut tx, actor.organization, id, self.now()).await?;
        let entry = Entry::success("firmware.deleted").target("firmware", id);
        let details = json!({"device_type": firmware.device_type, "version": firmware.version});
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        // What is left over here goes with the next look through the files.
        self.0.files.remove(id).await;
        self.announce_audit(actor.organization, record);
        Ok(())
    }

    /// The image that a device asks for: of its organisation and its type.
    ///
    /// # Errors
    /// Not found.
    pub(crate) async fn firmware_for_device(&self, device: &Arc<Known>, id: FirmwareId) -> Result<Firmware> {
        let mut tx = self.0.platform.db.read().await?;
        let firmware = store::find(&mut tx, device.organization, id).await?.ok_or_else(not_found)?;
        let own = crate::store::device::find(&mut tx, device.organization, device.id).await?.ok_or_else(not_found)?;
        if own.device_type == firmware.device_type { Ok(firmware) } else { Err(not_found()) }
    }

    pub(crate) fn files(&self) -> &Files {
        &self.0.files
    }

    /// Removes files without an image: left by an upload that was cut off, or by an image deleted since.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep_firmware_files(&self) -> Result<()> {
        for id in self.0.files.old_ones().await {
            let mut tx = self.0.platform.db.read().await?;
            let kept = store::is_kept(&mut tx, id).await?;
            drop(tx);
            if !kept {
                self.0.files.remove(id).await;
            }
        }
        Ok(())
    }
}

fn read_cursor(cursor: Option<&str>) -> Result<Option<FirmwareId>> {
    cursor
        .map(|cursor| cursor.parse().map_err(|_| Error::invalid("bad_cursor", "The cursor is none of this list.")))
        .transpose()
}

fn checked(new: NewFirmware) -> Result<(NewFirmware, [u8; 64])> {
    let mut problems = Vec::new();
    let device_type = new.device_type.trim().to_owned();
    let version = new.version.trim().to_owned();
    if !is_line(&device_type, 50) {
        problems.push(FieldError::new("device_type", "1 to 50 characters on one line"));
    }
    if !is_version(&version) {
        problems.push(FieldError::new("version", "a semantic version of at most 20 characters, such as 1.4.0"));
    }
    let notes = new.notes.trim().to_owned();
    let bad = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    if notes.chars().count() > 2_000 || notes.chars().any(bad) {
        problems.push(FieldError::new("notes", "at most 2000 characters, no control characters"));
    }
    let signature = parse_hex::<64>(new.signature.trim());
    if signature.is_none() {
        problems.push(FieldError::new("signature", "128 hexadecimal digits: an Ed25519 signature"));
    }
    match signature.filter(|_| problems.is_empty()) {
        Some(signature) => Ok((NewFirmware { device_type, version, notes, signature: String::new() }, signature)),
        None => Err(Error::fields(problems)),
    }
}
