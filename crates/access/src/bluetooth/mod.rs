//! Permission to open a lock over Bluetooth, without network: signed for one lock, one person and one browser's own key,
//! and short-lived (`lock_core::grant`). Taken back when the lock is no longer shared with the person.

mod rest;
mod store;

use std::time::Duration;

use portico_devices::{Known, Taken};
use portico_lock_core::grant::Grant;
use portico_model::access::lock::LockRole;
use portico_model::commands::NewCommand;
use portico_model::telemetry::PayloadProblem;
use portico_model::{DeviceId, ErrorKind, OfflineGrantId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::Access;

pub(crate) use rest::router;

/// How long a grant is good, seconds: a working day. A browser fetches another whenever it has network.
const GRANT_S: i64 = 12 * 3_600;

/// Browsers in which one person has grants for one lock at a time: a phone, a tablet, and some that were cleared.
const MAX_BROWSERS: i64 = 10;

/// How often revocations are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Revocations in one round.
const ROUND: i64 = 100;

/// A grant as the browser keeps it.
pub struct Issued {
    pub id: OfflineGrantId,
    pub lock: DeviceId,
    pub bytes: Vec<u8>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Begins to tell locks which grants were taken back.
pub(crate) fn spawn(access: &Access) {
    let owner = access.clone();
    access.0.platform.tasks.spawn("offline grants", move |cancel| look(owner.clone(), cancel));
}

async fn look(access: Access, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = access.tell_revocations().await {
            tracing::warn!(%error, "locks are not told which offline grants were taken back; trying again");
        }
    }
}

impl Access {
    /// Lets the actor's browser, which has the secret of `public_key` (hexadecimal), open the lock over Bluetooth. Needs
    /// to be an operator of the lock.
    ///
    /// # Errors
    /// Not found; forbidden for a viewer and for who is no person; invalid key; conflict for a lock that proves nothing,
    /// or with too many grants open; `step_up_required` where the lock asks for it.
    pub async fn issue_offline_grant(&self, actor: &Actor, lock: DeviceId, public_key: &str) -> Result<Issued> {
        let platform = &self.0.platform;
        let organization = actor.organization;
        let now = platform.clock.now();
        let mut tx = platform.db.begin().await?;
        let (found, role) = self.visible_lock(&mut tx, actor, lock).await?;
        let user = actor.user_id().filter(|_| role >= LockRole::Operator);
        let user = user.ok_or_else(|| Error::forbidden("not_permitted", "Only who may operate the lock opens it."))?;
        let holder = portico_lock_core::hex::parse(public_key.as_bytes())
            .ok_or_else(|| Error::field("public_key", "64 lowercase hexadecimal characters"))?;
        if found.lock.is_bridged {
            return Err(Error::conflict("lock_is_bridged", "This lock cannot check who opens it over Bluetooth."));
        }
        if found.lock.require_step_up {
            self.0.identity.require_fresh_authentication(actor).await?;
        }
        if store::count_others(&mut tx, organization, lock, user, &holder, now).await? >= MAX_BROWSERS {
            return Err(Error::conflict("too_many_grants", "You have opened this lock to too many browsers."));
        }
        let grant = Grant {
            id: *OfflineGrantId::generate().uuid().as_bytes(),
            lock: *lock.uuid().as_bytes(),
            user: *user.uuid().as_bytes(),
            holder,
            issued_at_ms: now.millis().unsigned_abs(),
            expires_at_ms: now.plus_secs(GRANT_S).millis().unsigned_abs(),
        };
        let signature: [u8; 64] = self
            .0
            .devices
            .grant_key(organization)?
            .sign(&grant.to_signed())
            .as_ref()
            .try_into()
            .map_err(|_| Error::internal("a signature of another length"))?;
        let issued = Issued {
            id: OfflineGrantId::from_uuid(uuid::Uuid::from_bytes(grant.id)),
            lock,
            bytes: grant.with_signature(&signature).to_vec(),
            issued_at: now,
            expires_at: now.plus_secs(GRANT_S),
        };
        store::insert(&mut tx, organization, user, &holder, &issued).await?;
        let entry = Entry::success("lock.offline_grant_issued").target("lock", lock);
        platform.audit.append(&mut tx, actor, entry.details(json!({"grant": issued.id}))).await?;
        tx.commit().await?;
        Ok(issued)
    }

    /// Takes back what the actor's browsers have for that lock; with `everyone` (who manages the lock) what all have.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn revoke_offline_grants(&self, actor: &Actor, lock: DeviceId, everyone: bool) -> Result<()> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let user = if everyone {
            self.manageable_lock(&mut tx, actor, lock).await?;
            None
        } else {
            self.visible_lock(&mut tx, actor, lock).await?;
            Some(actor.user_id().ok_or_else(|| Error::forbidden("not_permitted", "A key has no browsers."))?)
        };
        store::revoke(&mut tx, actor.organization, lock, user, platform.clock.now()).await?;
        let entry = Entry::success("lock.offline_grants_revoked").target("lock", lock);
        platform.audit.append(&mut tx, actor, entry.details(json!({"everyone": everyone}))).await?;
        tx.commit().await
    }

    /// Tells locks which grants no longer count, as long as they would. Called by a task; tests call it themselves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tell_revocations(&self) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let due = store::to_tell(&mut tx, now, ROUND).await?;
        drop(tx);
        for store::Revoked { id, organization_id, device_id, expires_at } in due {
            let mut tx = self.0.platform.db.begin().await?;
            // The server that takes it tells it.
            if !store::mark_told(&mut tx, id, now).await? {
                continue;
            }
            let left_s = (expires_at.millis_since(now) / 1_000).max(1);
            let args = json!({"grant": id, "expires_at": expires_at.millis()});
            let new = NewCommand { name: "revoke_grant".to_owned(), args: Some(args), expires_in_s: Some(left_s) };
            match self.0.devices.issue_in(&mut tx, &Actor::system(organization_id), device_id, new).await {
                Ok(step) => {
                    tx.commit().await?;
                    self.0.devices.announce_command(organization_id, step);
                }
                // It is not in use, or has too much to do: looked at again in the next round.
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// `{"type": "bluetooth_used", "grant", "wish", "ts", "result"}`: what was done without network, told later. What the
    /// bolt does now stands in the heartbeat.
    pub(crate) async fn take_bluetooth_used(&self, device: &Known, event: &Value, at: Timestamp) -> Result<Taken> {
        let id: Option<OfflineGrantId> = event["grant"].as_str().and_then(|id| id.parse().ok());
        let wish = ["lock", "unlock"].into_iter().find(|wish| event["wish"] == *wish);
        let (Some(id), Some(wish)) = (id, wish) else {
            return Ok(Err(PayloadProblem::new("bad_bluetooth_used", "`grant` and `wish` are needed")));
        };
        let organization = device.organization;
        let mut tx = self.0.platform.db.begin().await?;
        let Some(user) = store::user_of(&mut tx, organization, device.id, id).await? else {
            return Ok(Err(PayloadProblem::new("unknown_grant", "no grant of this lock has that id")));
        };
        // No later than now, no earlier than a grant lives; the same event may come twice.
        let ts = event["ts"].as_i64().map_or(at, Timestamp::from_millis);
        let ts = ts.min(at).max(at.plus_secs(-2 * GRANT_S));
        let note = format!("{id} {}", ts.millis());
        if store::is_noted(&mut tx, organization, device.id, &note).await? {
            return Ok(Ok(true));
        }
        let line = store::Line {
            at: ts,
            kind: wish,
            actor: format!("user:{user}"),
            result: if event["result"] == "ok" { "done" } else { "failed" },
            note,
        };
        store::insert_line(&mut tx, organization, device.id, &line).await?;
        tx.commit().await?;
        Ok(Ok(true))
    }
}
