//! Cards, PINs and fingers.

use portico_model::access::Method;
use portico_model::access::people::{Credential, CredentialKind, CredentialValidity, MadeCredential, NewCredential};
use portico_model::identity::Permission;
use portico_model::{CredentialId, DeviceId, OrganizationId, PersonId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use rand::Rng as _;
use serde_json::json;

use super::{credential_store as store, input, lookup};
use crate::{Access, version};

/// Most credentials of a person.
pub(super) const MAX_CREDENTIALS: i64 = 50;

/// How often a PIN that is taken is made up anew.
const PIN_TRIES: u32 = 20;

pub(super) const fn method(kind: CredentialKind) -> Method {
    match kind {
        CredentialKind::Rfid => Method::Rfid,
        CredentialKind::Pin => Method::Pin,
        CredentialKind::Fingerprint => Method::Fingerprint,
    }
}

fn not_found() -> Error {
    Error::not_found("credential_not_found", "There is no such card, PIN or finger.")
}

fn wrong_value(kind: CredentialKind) -> Error {
    let message = match kind {
        CredentialKind::Rfid => "1 to 50 letters and digits, with or without separators",
        CredentialKind::Pin => "4 to 8 digits",
        CredentialKind::Fingerprint => "a slot from 1 to 1000",
    };
    Error::field("value", message)
}

/// The end of a card's number, the slot of a finger; nothing of a PIN.
fn hint(kind: CredentialKind, lookup: &str) -> String {
    match kind {
        CredentialKind::Rfid if lookup.len() > 4 => format!("…{}", &lookup[lookup.len() - 4..]),
        // Nearly all of a short one would be shown.
        CredentialKind::Rfid => "…".to_owned(),
        CredentialKind::Pin => "••••".to_owned(),
        CredentialKind::Fingerprint => format!("slot {lookup}"),
    }
}

/// What is wanted of a new credential, in the caller's transaction.
pub(super) struct Wanted<'a> {
    pub person: PersonId,
    pub new: &'a NewCredential,
    pub value: &'a str,
}

impl Access {
    /// Gives a person a card, a PIN or a finger. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found; Invalid; Conflict when it is somebody's already.
    pub async fn add_credential(&self, actor: &Actor, person: PersonId, new: NewCredential) -> Result<MadeCredential> {
        actor.require(Permission::ManageAccess)?;
        input::period(new.valid_from, new.valid_until)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let holder = super::store::find(&mut tx, actor.organization, person).await?.ok_or_else(super::not_found)?;
        if holder.credential_count >= MAX_CREDENTIALS {
            let message = format!("A person may have at most {MAX_CREDENTIALS} cards, PINs and fingers.");
            return Err(Error::conflict("too_many_credentials", message));
        }
        if let Some(reader) = new.reader_id {
            if new.kind != CredentialKind::Fingerprint {
                return Err(Error::field("reader_id", "only a finger belongs to a reader"));
            }
            if !self.is_device(&mut tx, actor.organization, reader).await? {
                return Err(Error::field("reader_id", "There is no such device."));
            }
        }
        let given = new.value.as_deref().map(str::trim).filter(|value| !value.is_empty());
        let value = match (given, new.kind) {
            (Some(value), _) => value.to_owned(),
            (None, CredentialKind::Pin) => self.free_pin(&mut tx, actor.organization).await?,
            (None, kind) => return Err(wrong_value(kind)),
        };
        let wanted = Wanted { person, new: &new, value: &value };
        let credential = self.insert_credential(&mut tx, actor.organization, &wanted).await?;
        let details = json!({"credential": credential.id, "kind": credential.kind});
        let entry = Entry::success("credential.added").target("person", person).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_person(actor.organization, person, record);
        let pin = (new.kind == CredentialKind::Pin).then_some(value);
        Ok(MadeCredential { credential, pin })
    }

    /// Writes a credential that nobody has yet.
    pub(super) async fn insert_credential(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        wanted: &Wanted<'_>,
    ) -> Result<Credential> {
        let Wanted { person, new, value } = wanted;
        let platform = &self.0.platform;
        let lookup =
            lookup::lookup_of(platform, organization, method(new.kind), value).ok_or_else(|| wrong_value(new.kind))?;
        if let Some((_, holder)) = store::holder_of(tx, organization, new.kind, &lookup, new.reader_id).await? {
            let message = match new.kind {
                _ if holder == *person => "This person has it already.",
                CredentialKind::Rfid => "RFID already registered to another user",
                CredentialKind::Fingerprint => "Fingerprint already registered to another user",
                CredentialKind::Pin => "Choose another PIN.",
            };
            return Err(Error::conflict("credential_taken", message));
        }
        let credential = Credential {
            id: CredentialId::generate(),
            person_id: *person,
            kind: new.kind,
            hint: hint(new.kind, &lookup),
            reader_id: new.reader_id,
            reader_name: None,
            is_active: true,
            valid_from: new.valid_from,
            valid_until: new.valid_until,
            last_used_at: None,
            created_at: platform.clock.now(),
        };
        store::insert(tx, organization, &credential, &lookup).await?;
        store::find(tx, organization, credential.id).await?.ok_or_else(not_found)
    }

    async fn free_pin(&self, tx: &mut Tx, organization: OrganizationId) -> Result<String> {
        for _ in 0..PIN_TRIES {
            let pin = format!("{:06}", rand::rng().random_range(0..1_000_000_u32));
            let lookup = lookup::lookup_of(&self.0.platform, organization, Method::Pin, &pin).unwrap_or_default();
            if store::holder_of(tx, organization, CredentialKind::Pin, &lookup, None).await?.is_none() {
                return Ok(pin);
            }
        }
        Err(Error::unavailable("no_free_pin", "No free PIN was found. Try again, or choose one."))
    }

    pub(super) async fn is_device(&self, tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<bool> {
        super::store::device_exists(tx, organization, id).await
    }

    /// Blocks a credential, lets it count again, or changes how long it counts. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found; Invalid.
    pub async fn set_credential(
        &self,
        actor: &Actor,
        id: CredentialId,
        validity: CredentialValidity,
    ) -> Result<Credential> {
        actor.require(Permission::ManageAccess)?;
        input::period(validity.valid_from, validity.valid_until)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let before = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        store::set_validity(&mut tx, actor.organization, id, validity, platform.clock.now()).await?;
        let action = match (before.is_active, validity.is_active) {
            (true, false) => "credential.blocked",
            (false, true) => "credential.unblocked",
            _ => "credential.changed",
        };
        let details = json!({"credential": id, "kind": before.kind});
        let entry = Entry::success(action).target("person", before.person_id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let credential = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.announce_person(actor.organization, credential.person_id, record);
        Ok(credential)
    }

    /// Takes a credential away. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn delete_credential(&self, actor: &Actor, id: CredentialId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let before = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        store::delete(&mut tx, actor.organization, id).await?;
        let details = json!({"credential": id, "kind": before.kind});
        let entry = Entry::success("credential.removed").target("person", before.person_id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_person(actor.organization, before.person_id, record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_give_nothing_away_that_opens_a_door() {
        assert_eq!(hint(CredentialKind::Rfid, "A1B2C3D4"), "…C3D4");
        assert_eq!(hint(CredentialKind::Rfid, "C3D4"), "…");
        assert_eq!(hint(CredentialKind::Fingerprint, "3"), "slot 3");
        assert!(!hint(CredentialKind::Pin, "0a1b").contains('a'));
    }
}
