//! People say that there was nothing to it.

use portico_model::AccessEventId;
use portico_model::access::AccessEvent;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_platform::audit::Entry;
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Error, Result};

use super::judge::cause_of;
use super::store;
use crate::Access;

/// An alarm about somebody ends when the last unusual event of so long was a false alarm.
const RECENT_MS: i64 = 24 * 3_600_000;

impl Access {
    /// Calls an unusual event a false alarm, or no longer; the next training counts it. Permissions:
    /// [`Permission::ReadAccessLog`] and [`Permission::AcknowledgeAllAlarms`].
    ///
    /// # Errors
    /// Forbidden; not found; Conflict, when the event is not unusual.
    pub async fn mark_false_alarm(&self, actor: &Actor, id: AccessEventId, is: bool) -> Result<AccessEvent> {
        actor.require(Permission::ReadAccessLog)?;
        actor.require(Permission::AcknowledgeAllAlarms)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let event = crate::log::store::find(&mut tx, actor.organization, id)
            .await?
            .ok_or_else(|| Error::not_found("event_not_found", "There is no such event, or you may not see it."))?;
        if !event.is_anomaly {
            return Err(Error::conflict("not_unusual", "This event was not found unusual."));
        }
        if !store::set_false_alarm(&mut tx, actor.organization, id, is).await? {
            return Ok(event);
        }
        let action = if is { "access_event.false_alarm" } else { "access_event.false_alarm_taken_back" };
        let entry = Entry::success(action).target("access_event", id);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let since = platform.clock.now().plus_millis(-RECENT_MS);
        let mut over = None;
        if is && store::count_unusual(&mut tx, actor.organization, &event, since).await? == 0 {
            let note = format!("A false alarm, says {}.", actor.label());
            over = self.0.alarms.clear(&mut tx, actor.organization, &cause_of(&event), &note).await?;
        }
        tx.commit().await?;
        self.0.alarms.announce(over);
        platform.hub.publish(Publication {
            channels: vec![Channel::all(actor.organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
        let event = AccessEvent { is_false_alarm: is, ..event };
        self.publish_event(actor.organization, event.clone());
        Ok(event)
    }
}
