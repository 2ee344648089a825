//! What people do with alarms. Who may not know of one gets "not found".

use portico_model::alarms::{Alarm, AlarmCounts, AlarmCourse, AlarmState, AlarmStepKind, Severity};
use portico_model::audit::AuditRecord;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{AlarmId, AlarmRuleId, OrganizationId, Page, Timestamp, UserId};
use portico_platform::audit::Entry;
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Error, Result, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::store::{self, Filter, Row};
use crate::{Alarms, Change};

/// Most alarms on a page.
pub const MAX_PAGE: i64 = 200;

/// Longest note, characters.
const MAX_NOTE_CHARS: usize = 1_000;

/// Longest search text, characters.
const MAX_SEARCH_CHARS: usize = 200;

/// Which alarms to list by how far they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateFilter {
    /// Raised or acknowledged.
    #[default]
    Open,
    Raised,
    Acknowledged,
    Cleared,
    All,
}

impl StateFilter {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "open" => Self::Open,
            "raised" => Self::Raised,
            "acknowledged" => Self::Acknowledged,
            "cleared" => Self::Cleared,
            "all" => Self::All,
            _ => return None,
        })
    }
}

/// Which alarms to list.
#[derive(Debug, Clone, Default)]
pub struct AlarmQuery {
    pub state: StateFilter,
    pub severity: Option<Severity>,
    /// What they are about, such as a device's id.
    pub subject_id: Option<String>,
    pub rule: Option<AlarmRuleId>,
    /// Part of the title, the subject's name or the text.
    pub search: Option<String>,
    /// Raised at or after.
    pub from: Option<Timestamp>,
    /// Raised at or before.
    pub to: Option<Timestamp>,
    pub cursor: Option<String>,
    pub limit: Option<i64>,
}

fn not_found() -> Error {
    Error::not_found("alarm_not_found", "There is no such alarm, or you may not see it.")
}

impl Alarms {
    /// The alarms the actor may see, newest first: all with `ReadAllAlarms`, else those of what is his.
    ///
    /// # Errors
    /// A cursor that is none of ours.
    pub async fn list(&self, actor: &Actor, query: AlarmQuery) -> Result<Page<Alarm>> {
        let limit = query.limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let before = query.cursor.as_deref().map(str::parse).transpose();
        let before = before.map_err(|_| Error::invalid("bad_cursor", "The cursor is none of this list."))?;
        let search = query.search.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty());
        let (open, state) = match query.state {
            StateFilter::Open => (Some(true), None),
            StateFilter::All => (None, None),
            StateFilter::Raised => (None, Some(AlarmState::Raised)),
            StateFilter::Acknowledged => (None, Some(AlarmState::Acknowledged)),
            StateFilter::Cleared => (None, Some(AlarmState::Cleared)),
        };
        let filter = Filter {
            owner: visible_owner(actor)?,
            open,
            state,
            severity: query.severity,
            subject_id: query.subject_id,
            rule: query.rule,
            search: search.map(|text| text.chars().filter(|c| *c != '\0').take(MAX_SEARCH_CHARS).collect()),
            from: query.from,
            to: query.to,
            before,
            limit: limit + 1,
        };
        let mut tx = self.0.platform.db.read().await?;
        let rows = store::list(&mut tx, actor.organization, &filter).await?;
        Ok(Page::cut(rows, limit, |row| row.alarm.id.to_string()).map(|row| row.alarm))
    }

    /// How many open alarms the actor sees.
    ///
    /// # Errors
    /// Forbidden for a device.
    pub async fn counts(&self, actor: &Actor) -> Result<AlarmCounts> {
        let owner = visible_owner(actor)?;
        let mut tx = self.0.platform.db.read().await?;
        let mut counts = AlarmCounts::default();
        for (severity, state, count) in store::counts(&mut tx, actor.organization, owner).await? {
            match Severity::parse(&severity) {
                Some(Severity::Critical) => counts.critical += count,
                Some(Severity::Warning) => counts.warning += count,
                Some(Severity::Info) | None => counts.info += count,
            }
            if state == AlarmState::Raised.as_str() {
                counts.unacknowledged += count;
            }
        }
        Ok(counts)
    }

    /// An alarm with its course.
    ///
    /// # Errors
    /// Not found, also when the actor may not know of it.
    pub async fn get(&self, actor: &Actor, id: AlarmId) -> Result<AlarmCourse> {
        let mut tx = self.0.platform.db.read().await?;
        let row = store::find(&mut tx, actor.organization, id).await?.filter(|row| may_see(actor, row));
        let row = row.ok_or_else(not_found)?;
        let steps = store::steps(&mut tx, actor.organization, id).await?;
        Ok(AlarmCourse { may_handle: may_handle(actor, &row), alarm: row.alarm, steps })
    }

    /// Takes an alarm on: nobody is reminded any more. What is acknowledged already stays so. Needs
    /// `AcknowledgeAllAlarms`, or to own what it is about.
    ///
    /// # Errors
    /// Not found, forbidden; Conflict `alarm_cleared`.
    pub async fn acknowledge(&self, actor: &Actor, id: AlarmId, note: &str) -> Result<Alarm> {
        let note = checked_note(note)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let mut row = self.lock_for(&mut tx, actor, id).await?;
        match row.alarm.state {
            AlarmState::Acknowledged => return Ok(row.alarm),
            AlarmState::Cleared => {
                return Err(Error::conflict("alarm_cleared", "The alarm is over: there is nothing to acknowledge."));
            }
            AlarmState::Raised => {}
        }
        let now = platform.clock.now();
        row.alarm.state = AlarmState::Acknowledged;
        row.alarm.acknowledged_at = Some(now);
        row.alarm.acknowledged_by = Some(actor.label());
        (row.notify_at, row.escalate_at) = (None, None);
        store::update(&mut tx, &row).await?;
        store::add_step(&mut tx, &row, AlarmStepKind::Acknowledged, &actor.label(), &note, now).await?;
        let entry = Entry::success("alarm.acknowledged").target("alarm", id);
        let details = json!({"title": row.alarm.title, "subject": row.alarm.subject_name});
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce_by(actor, row.into_change(), record)
    }

    /// Ends an alarm by hand. If what it tells of goes on, it comes back only after it has ended and begins anew. One
    /// that is over stays so. Needs `AcknowledgeAllAlarms`, or to own what it is about.
    ///
    /// # Errors
    /// Not found, forbidden.
    pub async fn clear_by_hand(&self, actor: &Actor, id: AlarmId, note: &str) -> Result<Alarm> {
        let note = checked_note(note)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let row = self.lock_for(&mut tx, actor, id).await?;
        if row.alarm.state == AlarmState::Cleared {
            return Ok(row.alarm);
        }
        let change = self.end(&mut tx, row, &actor.label(), &note).await?;
        let entry = Entry::success("alarm.cleared").target("alarm", id);
        let details = json!({"title": change.alarm.title, "subject": change.alarm.subject_name});
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce_by(actor, change, record)
    }

    /// Adds a note to an alarm's course, also to one that is over. Needs `AcknowledgeAllAlarms`, or to own what it is
    /// about.
    ///
    /// # Errors
    /// Not found, forbidden, an empty note.
    pub async fn add_note(&self, actor: &Actor, id: AlarmId, note: &str) -> Result<AlarmCourse> {
        let note = checked_note(note)?;
        if note.is_empty() {
            return Err(Error::field("note", "Write what there is to note."));
        }
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let row = self.lock_for(&mut tx, actor, id).await?;
        let now = platform.clock.now();
        store::add_step(&mut tx, &row, AlarmStepKind::Noted, &actor.label(), &note, now).await?;
        let record = platform.audit.append(&mut tx, actor, Entry::success("alarm.noted").target("alarm", id)).await?;
        let steps = store::steps(&mut tx, actor.organization, id).await?;
        tx.commit().await?;
        let alarm = self.announce_by(actor, row.into_change(), record)?;
        Ok(AlarmCourse { alarm, steps, may_handle: true })
    }

    async fn lock_for(&self, tx: &mut Tx, actor: &Actor, id: AlarmId) -> Result<Row> {
        let row = store::lock(tx, actor.organization, id).await?.filter(|row| may_see(actor, row));
        let row = row.ok_or_else(not_found)?;
        if may_handle(actor, &row) {
            Ok(row)
        } else {
            Err(Error::forbidden("not_permitted", "You may see this alarm but not handle it."))
        }
    }

    #[allow(clippy::unnecessary_wraps)] // the last expression of those who act
    fn announce_by(&self, actor: &Actor, change: Change, record: AuditRecord) -> Result<Alarm> {
        let alarm = change.alarm.clone();
        self.announce([change]);
        self.announce_audit(actor.organization, record);
        Ok(alarm)
    }

    fn announce_audit(&self, organization: OrganizationId, record: AuditRecord) {
        self.0.platform.hub.publish(Publication {
            channels: vec![Channel::all(organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
    }
}

/// Whose alarms a list shows: `None` for all of the organisation.
fn visible_owner(actor: &Actor) -> Result<Option<UserId>> {
    if actor.may(Permission::ReadAllAlarms) {
        return Ok(None);
    }
    actor.user_id().map(Some).ok_or_else(|| Error::forbidden("not_permitted", "Alarms are for people."))
}

fn owns(actor: &Actor, row: &Row) -> bool {
    row.owner_id.is_some() && row.owner_id == actor.user_id()
}

fn may_see(actor: &Actor, row: &Row) -> bool {
    actor.may(Permission::ReadAllAlarms) || owns(actor, row)
}

fn may_handle(actor: &Actor, row: &Row) -> bool {
    actor.may(Permission::AcknowledgeAllAlarms) || owns(actor, row)
}

fn checked_note(note: &str) -> Result<String> {
    let note = note.trim().replace("\r\n", "\n");
    if note.chars().count() > MAX_NOTE_CHARS || note.contains(|c: char| c.is_control() && c != '\n') {
        return Err(Error::field("note", format!("plain text of at most {MAX_NOTE_CHARS} characters")));
    }
    Ok(note)
}
