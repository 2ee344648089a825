//! The policies that name a person and a door, as the decision takes them.

use portico_lock_core::decide::Rule;
use portico_lock_core::schedule::Window;
use portico_model::access::schedule::{Hours, windows};
use portico_model::{DoorId, OrganizationId, PersonId, PolicyId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

/// A policy with its hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRule {
    pub policy: PolicyId,
    pub name: String,
    /// Absent: at any time.
    pub hours: Option<Vec<Window>>,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub levels: u8,
    pub in_lockdown: bool,
}

impl OwnedRule {
    /// As [`portico_lock_core::decide::decide`] takes it.
    pub fn rule(&self) -> Rule<'_> {
        Rule {
            hours: self.hours.as_deref(),
            valid_from_ms: self.valid_from.map(Timestamp::millis),
            valid_until_ms: self.valid_until.map(Timestamp::millis),
            levels: self.levels,
            in_lockdown: self.in_lockdown,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: PolicyId,
    name: String,
    windows: Option<String>,
    levels: i64,
    valid_from: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    in_lockdown: bool,
}

/// A schedule's hours as they are stored.
pub fn stored_windows(text: &str) -> Result<Vec<Window>> {
    let hours: Vec<Hours> = serde_json::from_str(text).map_err(Error::internal)?;
    windows(&hours).map_err(|bad| Error::internal(bad.sentence()))
}

/// The active policies that name this person and this door, themselves or by a group, the oldest first: the order in which
/// they are asked.
pub async fn rules_for(
    tx: &mut Tx,
    organization: OrganizationId,
    person: PersonId,
    door: DoorId,
) -> Result<Vec<OwnedRule>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select p.id, p.name, s.windows, p.levels, p.valid_from, p.valid_until, p.in_lockdown
         from access_policy p left join access_schedule s on s.id = p.schedule_id
         where p.organization_id = $1 and p.is_active
           and (p.person_id is null or p.person_id = $2)
           and (p.person_group_id is null or exists (
               select 1 from access_person_group_member m where m.group_id = p.person_group_id and m.person_id = $2))
           and (p.door_id is null or p.door_id = $3)
           and (p.door_group_id is null or exists (
               select 1 from access_door_group_member m where m.group_id = p.door_group_id and m.door_id = $3))
         order by p.id",
    ).bind(organization).bind(person).bind(door).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|row| {
            Ok(OwnedRule {
                policy: row.id,
                name: row.name,
                hours: row.windows.as_deref().map(stored_windows).transpose()?,
                valid_from: row.valid_from,
                valid_until: row.valid_until,
                levels: u8::try_from(row.levels).unwrap_or_default(),
                in_lockdown: row.in_lockdown,
            })
        })
        .collect()
}
