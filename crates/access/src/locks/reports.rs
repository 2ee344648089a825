//! What locks say: answers to commands, heartbeats, a key that was turned, that they came and went.

use portico_devices::{AfterCommit, Known};
use portico_model::access::Position;
use portico_model::access::lock::{
    Bolt, Ended, Happening, How, Lock, LockEvent, LockEventKind, LockNotice, LockResult, LockState, Said,
};
use portico_model::commands::{Command, CommandState};
use portico_model::devices::Connection;
use portico_model::telemetry::PayloadProblem;
use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::{Result, Tx};
use serde_json::Value;

use super::steps::{LockStep, line};
use super::{store, store_event};
use crate::Access;

/// A lock that could not be locked again in time is tried again after so long at least, milliseconds.
const RELOCK_PAUSE_MS: i64 = 30_000;

/// What a lock says of its bolt in a message; `None` when it says nothing of it.
fn said_in(message: &Value) -> Option<Said> {
    message.get("state").and_then(Value::as_str).and_then(|text| Said::parse(&text.to_lowercase()))
}

/// When a lock is to lock itself, after its bolt came from `before` to where it is.
fn relock_at(lock: &Lock, before: &LockState, after: &LockState, now: Timestamp) -> Option<Timestamp> {
    let after_ms = lock.relock_after_s?.saturating_mul(1_000);
    match (before.position, after.position) {
        (Position::Unlocked, Position::Unlocked) => lock.relock_at,
        // It was told to lock itself, and did not.
        (Position::Locking, Position::Unlocked | Position::Unknown) => {
            Some(now.plus_millis(after_ms.max(RELOCK_PAUSE_MS)))
        }
        (_, Position::Unlocked) => Some(now.plus_millis(after_ms)),
        // Lost while it was unlocked: still to be locked when it is back.
        (_, Position::Unknown) => lock.relock_at,
        _ => None,
    }
}

fn ended(command: &Command) -> Ended {
    match command.state {
        CommandState::Acknowledged => Ended::Done,
        CommandState::Failed => Ended::Failed,
        CommandState::Expired if command.sent_at.is_some() => Ended::Unanswered,
        _ => Ended::Unsent,
    }
}

impl Access {
    /// A command to a lock has come to its end, in the transaction that says so.
    pub(crate) async fn lock_command_finished(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        command: &Command,
    ) -> Result<Option<AfterCommit>> {
        let Some(want) = Bolt::of_command(&command.name) else { return Ok(None) };
        let Some(mut found) = store::find_held(tx, organization, command.device_id).await? else { return Ok(None) };
        let now = self.0.platform.clock.now();
        let said = said_in(&command.response);
        let how = ended(command);
        let before = found.state;
        found.state = before.after(Happening::Ended { want, command: command.id, how, said }, now);
        found.lock.relock_at = relock_at(&found.lock, &before, &found.state, now);
        let mut lines = Vec::new();
        if let Some(mut event) = store_event::find_of_command(tx, organization, command.device_id, command.id).await? {
            event.result = match (command.state, said) {
                (CommandState::Acknowledged | CommandState::Failed, Some(Said::Jammed)) => LockResult::Jammed,
                (CommandState::Acknowledged, _) => LockResult::Done,
                (CommandState::Failed, _) => LockResult::Failed,
                (CommandState::Cancelled, _) => LockResult::Withdrawn,
                _ => LockResult::Expired,
            };
            event.delay_ms =
                Some(now.millis_since(command.issued_at)).filter(|_| how == Ended::Done || how == Ended::Failed);
            event.note = match (event.note.as_str(), command.error.as_str()) {
                (note, "") => note.to_owned(),
                ("", error) => error.to_owned(),
                (note, error) => format!("{note}: {error}"),
            };
            if how == Ended::Done {
                found.lock.changed_by.clone_from(&event.actor);
                found.lock.changed_how = event.how;
            }
            lines.push(event);
        }
        let by = found.lock.changed_by.clone();
        self.notice_move(tx, organization, &found.lock, &before, &found.state, &by).await?;
        if matches!(how, Ended::Failed | Ended::Unanswered) && found.state.position != Position::Jammed {
            self.notice(tx, organization, &found.lock, LockNotice::Failed, &command.issued_by).await?;
        }
        let step = self.write_lock(tx, organization, &found, Vec::new(), lines).await?;
        Ok(Some(self.later(step)))
    }

    /// A heartbeat that says where the bolt is.
    pub(crate) async fn lock_heartbeat(&self, device: &Known, payload: &[u8], at: Timestamp) -> Result<()> {
        // Most devices are no locks, and their heartbeats say nothing of a bolt: that costs no query.
        if !payload.windows(7).any(|part| part == b"\"state\"") {
            return Ok(());
        }
        let Ok(message) = serde_json::from_slice::<Value>(payload) else { return Ok(()) };
        // A last will was written long ago.
        if message.get("status").and_then(Value::as_str) == Some("offline") {
            return Ok(());
        }
        let Some(said) = said_in(&message) else { return Ok(()) };
        self.hear_lock(device, said, at, "").await.map(drop)
    }

    /// `{"type": "lock_state", "state", "method"?}`: the bolt moved without Portico. False when the device is no lock.
    pub(crate) async fn lock_event(
        &self,
        device: &Known,
        message: &Value,
        at: Timestamp,
    ) -> Result<Result<bool, PayloadProblem>> {
        let Some(said) = said_in(message) else {
            let text = "`state` must be locked, unlocked, jammed or unknown";
            return Ok(Err(PayloadProblem::new("bad_lock_state", text)));
        };
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let method: String = method.chars().filter(|letter| !letter.is_control()).take(50).collect();
        self.hear_lock(device, said, at, &method).await.map(Ok)
    }

    async fn hear_lock(&self, device: &Known, said: Said, at: Timestamp, note: &str) -> Result<bool> {
        let organization = device.organization;
        let mut tx = self.0.platform.db.read().await?;
        let Some(found) = store::find(&mut tx, organization, device.id).await? else { return Ok(false) };
        drop(tx);
        // What it said before: a heartbeat every few seconds costs no write.
        let next = found.state.after(Happening::Said(said), at);
        let bolt = |state: &LockState| state.known.map(|(bolt, _)| bolt);
        if next.position == found.state.position
            && next.is_sure == found.state.is_sure
            && bolt(&next) == bolt(&found.state)
        {
            return Ok(true);
        }
        let mut tx = self.0.platform.db.begin().await?;
        let Some(mut found) = store::find_held(&mut tx, organization, device.id).await? else { return Ok(false) };
        let before = found.state;
        found.state = before.after(Happening::Said(said), at);
        found.lock.relock_at = relock_at(&found.lock, &before, &found.state, at);
        let by = format!("device:{}", device.id);
        let mut lines = Vec::new();
        if let Some(mut event) = self.moved(&before, &found.state, device.id, at, &by) {
            if !note.is_empty() {
                event.note = format!("{} ({note})", event.note);
            }
            found.lock.changed_by.clone_from(&by);
            found.lock.changed_how = How::Lock;
            lines.push(event);
        }
        self.notice_move(&mut tx, organization, &found.lock, &before, &found.state, &by).await?;
        let step = self.write_lock(&mut tx, organization, &found, lines, Vec::new()).await?;
        tx.commit().await?;
        self.announce_lock(step);
        Ok(true)
    }

    /// A line for the history when the bolt is elsewhere than it was left, without having been told.
    fn moved(
        &self,
        before: &LockState,
        after: &LockState,
        lock: DeviceId,
        at: Timestamp,
        by: &str,
    ) -> Option<LockEvent> {
        if after.position == Position::Jammed && before.position != Position::Jammed {
            return Some(LockEvent {
                result: LockResult::Jammed,
                ..line(lock, at, LockEventKind::Jammed, by.to_owned(), How::Lock)
            });
        }
        let (was, is) = (before.known.map(|(bolt, _)| bolt), after.known.map(|(bolt, _)| bolt));
        let is_known = matches!(after.position, Position::Locked | Position::Unlocked);
        if is_known && was.is_some() && was != is {
            let note = is.map(|bolt| bolt.as_str().to_owned()).unwrap_or_default();
            return Some(LockEvent { note, ..line(lock, at, LockEventKind::Moved, by.to_owned(), How::Lock) });
        }
        None
    }

    /// A lock came or went; written in the background, because who tells it must not wait.
    pub(crate) fn lock_connection_changed(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        connection: Connection,
    ) {
        let access = self.clone();
        self.0.platform.tasks.spawn_once(async move {
            if let Err(error) = access.note_connection(organization, device, connection).await {
                tracing::warn!(%error, device = %device, "a lock's coming or going is not in its history");
            }
        });
    }

    async fn note_connection(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        connection: Connection,
    ) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        if !store::is_lock(&mut tx, organization, device).await? {
            return Ok(());
        }
        drop(tx);
        let kind = match connection {
            Connection::Online => LockEventKind::Online,
            Connection::Offline | Connection::Never => LockEventKind::Offline,
        };
        let mut tx = self.0.platform.db.begin().await?;
        let Some(found) = store::find_held(&mut tx, organization, device).await? else { return Ok(()) };
        let by = format!("device:{device}");
        if connection == Connection::Offline {
            self.notice(&mut tx, organization, &found.lock, LockNotice::Offline, &by).await?;
        }
        let event = line(device, self.0.platform.clock.now(), kind, by, How::Lock);
        let step = self.write_lock(&mut tx, organization, &found, vec![event], Vec::new()).await?;
        tx.commit().await?;
        self.announce_lock(step);
        Ok(())
    }

    /// What is shown of the lock has changed elsewhere: its battery, its name.
    pub(crate) fn lock_shown_changed(&self, organization: OrganizationId, device: DeviceId) {
        let access = self.clone();
        self.0.platform.tasks.spawn_once(async move {
            let told: Result<()> = async {
                let mut tx = access.0.platform.db.read().await?;
                if !store::is_lock(&mut tx, organization, device).await? {
                    return Ok(());
                }
                drop(tx);
                // Told while the row is held, so that nothing newer is told before.
                let mut tx = access.0.platform.db.begin().await?;
                if store::find_held(&mut tx, organization, device).await?.is_some() {
                    let step = access.lock_step(&mut tx, organization, device).await?;
                    access.announce_lock(step);
                }
                tx.rollback().await
            }
            .await;
            if let Err(error) = told {
                tracing::warn!(%error, device = %device, "a lock's change was not told");
            }
        });
    }

    /// Not heard of for too long: nobody knows where its bolt is.
    pub(super) async fn lose_lock(&self, organization: OrganizationId, id: DeviceId, before: Timestamp) -> Result<()> {
        let mut tx = self.0.platform.db.begin().await?;
        let Some(mut found) = store::find_held(&mut tx, organization, id).await? else { return Ok(()) };
        let is_back =
            found.lock.connection == Connection::Online || found.lock.last_seen_at.is_some_and(|seen| seen > before);
        if is_back {
            return Ok(());
        }
        let now = self.0.platform.clock.now();
        found.state = found.state.after(Happening::Lost { last_heard: found.lock.last_seen_at }, now);
        let event = line(id, now, LockEventKind::Lost, "system".to_owned(), How::System);
        let step = self.write_lock(&mut tx, organization, &found, vec![event], Vec::new()).await?;
        tx.commit().await?;
        self.announce_lock(step);
        Ok(())
    }

    fn later(&self, step: LockStep) -> AfterCommit {
        let access = self.clone();
        Box::new(move || drop(access.announce_lock(step)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_lock_says_is_read_in_either_case() {
        assert_eq!(said_in(&json!({"state": "Locked"})), Some(Said::Locked));
        assert_eq!(said_in(&json!({"state": "jammed"})), Some(Said::Jammed));
        for nothing in [json!({}), json!({"state": "open"}), json!({"state": 1}), json!({"state": ""})] {
            assert_eq!(said_in(&nothing), None, "{nothing}");
        }
    }
}
