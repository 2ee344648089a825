//! What readers know without network, and what they decided by themselves.
//!
//! A reader fetches a table ([`table`]) of who may come through its door: all of it, or what has changed since the one it has.
//! Either way the signature is over the whole table, so a reader notices when what it put together is not what was meant.
//! What it decides without network it numbers, and tells later ([`events`]).

pub mod events;
mod jobs;
pub mod rest;
mod store;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use portico_devices::Known;
use portico_lock_core::offline::{ENTRY_BYTES, LOOKUP_BYTES, Table};
use portico_model::access::sync::{ReaderSync, sync_state};
use portico_model::commands::{Command, CommandState, NewCommand};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::telemetry::PayloadProblem;
use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::secrets::keyed_hash;
use portico_platform::{Actor, Error, Platform, Result, Tx};
use serde_json::{Value, json};

use crate::{Access, version};

pub(crate) use jobs::spawn;

/// For how long a reader decides by a table, seconds.
pub const TABLE_S: i64 = 86_400;

/// A reader that is behind is told so once in this time, seconds.
const TELL_EVERY_S: i64 = 60;

/// What stands before the table in what is signed.
const SIGNED_AS: &[u8] = b"portico-sync-1";

/// The key with which one device hashes what it is shown. It is the device's own, so that what one reader holds finds
/// nothing at another; the device is told it over its own authenticated connection.
pub fn lookup_key(platform: &Platform, device: DeviceId) -> [u8; 32] {
    keyed_hash(&platform.secrets.derive("access reader lookup"), &[device.uuid().as_bytes()])
}

/// What a device looks for when it is shown this: the first 16 bytes of HMAC-SHA-256 under its key, over the method and what
/// was shown, each after its length as 8 bytes, the highest first.
pub fn lookup(key: &[u8; 32], method: &str, shown: &[u8]) -> [u8; LOOKUP_BYTES] {
    let mut short = [0; LOOKUP_BYTES];
    short.copy_from_slice(&keyed_hash(key, &[method.as_bytes(), shown])[..LOOKUP_BYTES]);
    short
}

/// HMAC-SHA-256 of a table under the device's signing key; the parts are written as in [`lookup`].
pub fn signature(key: &[u8; 32], table: &[u8]) -> [u8; 32] {
    keyed_hash(key, &[SIGNED_AS, table])
}

/// What a reader is told.
pub struct Told {
    pub version: i64,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub content: Content,
    pub signature: [u8; 32],
    pub key_id: String,
    pub lookup_key: [u8; 32],
    /// The number that the reader's next event has, should it have forgotten.
    pub next_seq: i64,
}

/// All, or what has changed.
pub enum Content {
    Full(Vec<u8>),
    /// As `portico_lock_core::offline::merge` takes them.
    Changes {
        since: i64,
        head: Vec<u8>,
        changes: Vec<u8>,
    },
}

/// The channel of what readers know.
pub(crate) fn channel(organization: OrganizationId) -> Channel {
    Channel::all(organization, "access_readers")
}

type EntriesByLookup<'a> = BTreeMap<&'a [u8], &'a [u8]>;

/// What stands before the entries of a table, and they by their lookups.
fn entries(table: &[u8]) -> Option<(&[u8], EntriesByLookup<'_>)> {
    let count = usize::try_from(Table::read(table).ok()?.entry_count()).ok()?;
    let (head, entries) = table.split_at_checked(table.len().checked_sub(count * ENTRY_BYTES)?)?;
    Some((head, entries.chunks_exact(ENTRY_BYTES).map(|one| (&one[..LOOKUP_BYTES], one)).collect()))
}

/// What makes the new table of the old one; `None` when all of it is shorter.
fn changes(old: &[u8], new: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let ((_, old), (head, after)) = (entries(old)?, entries(new)?);
    let mut changed: BTreeMap<&[u8], (u8, &[u8])> = old
        .iter()
        .filter(|(lookup, _)| !after.contains_key(*lookup))
        .map(|(lookup, one)| (*lookup, (0, *one)))
        .collect();
    changed.extend(
        after.iter().filter(|(lookup, one)| old.get(*lookup) != Some(one)).map(|(lookup, one)| (*lookup, (1, *one))),
    );
    let bytes: Vec<u8> =
        changed.values().flat_map(|(put, one)| std::iter::once(*put).chain(one.iter().copied())).collect();
    (head.len() + bytes.len() < new.len()).then(|| (head.to_vec(), bytes))
}

impl Access {
    /// What a reader is to know now; `since` is the version it has (0: nothing). The reader is the device that asks.
    ///
    /// # Errors
    /// Not found when it is the reader of no door.
    pub async fn sync_reader(&self, device: &Known, since: i64) -> Result<Told> {
        let platform = &self.0.platform;
        let (organization, now) = (device.organization, platform.clock.now());
        let mut tx = platform.db.begin().await?;
        let place = store::place_of(&mut tx, organization, device.id)
            .await?
            .ok_or_else(|| Error::not_found("no_door", "This reader belongs to no door."))?;
        let signing = self.0.devices.signing_key(&mut tx, organization, device.id).await?;
        let signing = signing.ok_or_else(|| Error::conflict("no_key", "This device has no API key."))?;
        let before = store::lock_reader(&mut tx, organization, device.id).await?;
        let version = version::current(&mut tx, organization).await?;
        let lookup_key = lookup_key(platform, device.id);
        let expires_at = now.plus_secs(TABLE_S);
        let span = table::Span { version, issued_at: now, expires_at };
        let made = table::build(&mut tx, platform, organization, &place, &lookup_key, span).await?;
        let knows = since > 0 && since == before.sent_version;
        let shorter = before.content.as_deref().filter(|_| knows).and_then(|old| changes(old, &made));
        let signature = signature(&signing.key, &made);
        if knows {
            store::set_synced(&mut tx, organization, device.id, since, now).await?;
        }
        store::set_sent(&mut tx, organization, device.id, version, now, &made).await?;
        tx.commit().await?;
        self.announce_readers(organization);
        let content = match shorter {
            Some((head, changes)) => Content::Changes { since, head, changes },
            None => Content::Full(made),
        };
        Ok(Told {
            version,
            issued_at: now,
            expires_at,
            content,
            signature,
            key_id: signing.id,
            lookup_key,
            next_seq: before.last_seq + 1,
        })
    }

    /// The device's own key for lookups.
    #[must_use]
    pub fn lookup_key_of(&self, device: &Known) -> [u8; 32] {
        lookup_key(&self.0.platform, device.id)
    }

    /// Which readers could decide by themselves, by their doors' names. Needs `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn readers(&self, actor: &Actor) -> Result<Vec<ReaderSync>> {
        actor.require(Permission::ReadAccess)?;
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let version = version::current(&mut tx, actor.organization).await?;
        let rows = store::readers(&mut tx, actor.organization).await?;
        rows.into_iter()
            .map(|row| {
                let synced = row.synced_at.and(row.expires_at).map(|expires_at| (row.synced_version, expires_at));
                Ok(ReaderSync {
                    state: sync_state(synced, version, now),
                    connection: row.connection()?,
                    reader_id: row.reader_id,
                    reader_name: row.reader_name,
                    door_id: row.door_id,
                    door_name: row.door_name,
                    leaving: row.leaving,
                    version,
                    synced_version: row.synced_version,
                    synced_at: row.synced_at,
                    expires_at: row.expires_at,
                    last_seq: row.last_seq,
                    lost: row.lost,
                })
            })
            .collect()
    }

    /// A reader says over MQTT which version it has: `{"type": "sync_request", "version"}`. It is told to fetch another.
    pub(crate) async fn take_sync_request(&self, device: &Known, body: &Value) -> Result<Result<bool, PayloadProblem>> {
        let Some(known) = body.get("version").and_then(Value::as_i64).filter(|version| *version >= 0) else {
            return Ok(Err(PayloadProblem::new("bad_event", "`version` must be a number from 0")));
        };
        let (organization, now) = (device.organization, self.0.platform.clock.now());
        let mut tx = self.0.platform.db.begin().await?;
        if store::place_of(&mut tx, organization, device.id).await?.is_none() {
            return Ok(Err(PayloadProblem::new("bad_event", "this reader belongs to no door")));
        }
        let before = store::lock_reader(&mut tx, organization, device.id).await?;
        let has_newest = known > 0 && known == before.sent_version;
        if has_newest {
            store::set_synced(&mut tx, organization, device.id, known, now).await?;
        }
        let version = version::current(&mut tx, organization).await?;
        // A table that runs out soon is the job's to see.
        let step = if known == version && has_newest {
            None
        } else {
            Some(self.tell_to_sync(&mut tx, organization, device.id, version, now).await?)
        };
        tx.commit().await?;
        if let Some(step) = step {
            self.0.devices.announce_command(organization, step);
        }
        self.announce_readers(organization);
        Ok(Ok(true))
    }

    async fn tell_to_sync(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        reader: DeviceId,
        version: i64,
        now: Timestamp,
    ) -> Result<portico_devices::CommandStep> {
        let command = NewCommand {
            name: "sync".to_owned(),
            args: Some(json!({ "version": version })),
            expires_in_s: Some(TELL_EVERY_S),
        };
        let step = self.0.devices.issue_in(tx, &Actor::system(organization), reader, command).await?;
        store::set_told(tx, organization, reader, now).await?;
        Ok(step)
    }

    /// A reader has answered `sync`: with `version` when it now has that one.
    pub(crate) async fn sync_command_finished(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        command: &Command,
    ) -> Result<bool> {
        if command.name != "sync" || command.state != CommandState::Acknowledged {
            return Ok(false);
        }
        let Some(version) = command.response.get("version").and_then(Value::as_i64) else { return Ok(false) };
        let reader = command.device_id;
        if store::lock_reader(tx, organization, reader).await?.sent_version != version {
            return Ok(false);
        }
        store::set_synced(tx, organization, reader, version, self.0.platform.clock.now()).await?;
        Ok(true)
    }

    /// Pages that show readers look again.
    pub(crate) fn announce_readers(&self, organization: OrganizationId) {
        self.0.platform.hub.publish(Publication {
            channels: vec![channel(organization)],
            event: Event::AccessReadersChanged,
            delivery: Delivery::Latest,
        });
    }
}
