//! Telling people of a lock's changes, those that its owner has chosen.

use portico_model::OrganizationId;
use portico_model::access::Position;
use portico_model::access::lock::{Lock, LockNotice, LockState};
use portico_model::alarms::Severity;
use portico_model::notifications::{Audience, Notification};
use portico_platform::{Result, Tx};

use crate::Access;

impl Access {
    /// Of a bolt that moved or jammed.
    pub(super) async fn notice_move(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        lock: &Lock,
        before: &LockState,
        after: &LockState,
        by: &str,
    ) -> Result<()> {
        let notice = match after.position {
            Position::Locked => LockNotice::Locked,
            Position::Unlocked => LockNotice::Unlocked,
            Position::Jammed => LockNotice::Jammed,
            _ => return Ok(()),
        };
        // It was there before, and only not heard of meanwhile.
        let was = before.known.map(|(bolt, _)| bolt.position());
        if before.position == after.position || (before.position == Position::Unknown && was == Some(after.position)) {
            return Ok(());
        }
        self.notice(tx, organization, lock, notice, by).await
    }

    /// If the lock's owner has chosen it: to him and those it is shared with.
    pub(super) async fn notice(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        lock: &Lock,
        notice: LockNotice,
        by: &str,
    ) -> Result<()> {
        if !lock.notify_on.contains(&notice) {
            return Ok(());
        }
        let name = &lock.name;
        let by = match by.split_once(':') {
            Some(("user" | "service" | "person", name)) => format!(" by {name}"),
            _ => String::new(),
        };
        let (severity, title, body) = match notice {
            LockNotice::Unlocked => (Severity::Info, format!("{name} is unlocked"), format!("Unlocked{by}.")),
            LockNotice::Locked => (Severity::Info, format!("{name} is locked"), format!("Locked{by}.")),
            LockNotice::Jammed => (
                Severity::Warning,
                format!("{name} is jammed"),
                "The bolt could not move: it may be neither locked nor unlocked.".to_owned(),
            ),
            LockNotice::Failed => (
                Severity::Warning,
                format!("{name} did not do it"),
                format!("What it was told{by} was not done, or the lock did not say so in time."),
            ),
            LockNotice::Offline => (
                Severity::Warning,
                format!("{name} is not available"),
                "The lock is not heard any more: no power, or no network.".to_owned(),
            ),
        };
        let notification = Notification {
            kind: "lock.changed".to_owned(),
            severity,
            title,
            body,
            link: format!("/locks/{}", lock.id),
            tag: format!("lock-{}", lock.id),
        };
        let people = self.people_of(tx, organization, lock).await?;
        self.0.notifications.notify(tx, organization, &notification, &Audience::Users(people)).await
    }
}
