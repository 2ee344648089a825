//! SQL of policies.

use portico_model::access::policies::{Choice, Policy, PolicyInput};
use portico_model::access::{DoorMode, Level};
use portico_model::{DoorGroupId, DoorId, OrganizationId, PersonGroupId, PersonId, PolicyId, ScheduleId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

use super::tester::TestedDoor;

#[derive(sqlx::FromRow)]
struct Row {
    id: PolicyId,
    name: String,
    person_id: Option<PersonId>,
    person_group_id: Option<PersonGroupId>,
    door_id: Option<DoorId>,
    door_group_id: Option<DoorGroupId>,
    schedule_id: Option<ScheduleId>,
    levels: i64,
    valid_from: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    in_lockdown: bool,
    is_active: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    who: Option<String>,
    doors: Option<String>,
    at_times: Option<String>,
}

fn bits(levels: &[Level]) -> i64 {
    levels.iter().fold(0, |bits, level| bits | i64::from(level.bit()))
}

impl From<Row> for Policy {
    fn from(row: Row) -> Self {
        let levels = Level::ALL.iter().copied().filter(|level| row.levels & i64::from(level.bit()) != 0).collect();
        Self {
            id: row.id,
            terms: PolicyInput {
                name: row.name,
                person_id: row.person_id,
                person_group_id: row.person_group_id,
                door_id: row.door_id,
                door_group_id: row.door_group_id,
                schedule_id: row.schedule_id,
                levels,
                valid_from: row.valid_from,
                valid_until: row.valid_until,
                in_lockdown: row.in_lockdown,
                is_active: row.is_active,
            },
            who: row.who.unwrap_or_else(|| "Everyone".to_owned()),
            doors: row.doors.unwrap_or_else(|| "All doors".to_owned()),
            when: row.at_times.unwrap_or_else(|| "At any time".to_owned()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// In the order they are asked. `only`: the one of this id.
pub async fn list(tx: &mut Tx, organization: OrganizationId, only: Option<PolicyId>) -> Result<Vec<Policy>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select p.id, p.name, p.person_id, p.person_group_id, p.door_id, p.door_group_id, p.schedule_id, p.levels,
                p.valid_from, p.valid_until, p.in_lockdown, p.is_active, p.created_at, p.updated_at,
                coalesce(h.name, hg.name) as who, coalesce(d.name, dg.name) as doors, s.name as at_times
         from access_policy p
         left join access_person h on h.id = p.person_id
         left join access_person_group hg on hg.id = p.person_group_id
         left join access_door d on d.id = p.door_id
         left join access_door_group dg on dg.id = p.door_group_id
         left join access_schedule s on s.id = p.schedule_id
         where p.organization_id = $1 and ($2 is null or p.id = $2) order by p.id",
    ).bind(organization).bind(only).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(Policy::from).collect())
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: PolicyId) -> Result<Option<Policy>> {
    Ok(list(tx, organization, Some(id)).await?.pop())
}

/// Makes it, or changes the one of this id.
pub async fn save(
    tx: &mut Tx,
    organization: OrganizationId,
    id: PolicyId,
    terms: &PolicyInput,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_policy (id, organization_id, name, person_id, person_group_id, door_id, door_group_id,
             schedule_id, levels, valid_from, valid_until, in_lockdown, is_active, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
         on conflict (id) do update set name = excluded.name, person_id = excluded.person_id,
             person_group_id = excluded.person_group_id, door_id = excluded.door_id,
             door_group_id = excluded.door_group_id, schedule_id = excluded.schedule_id, levels = excluded.levels,
             valid_from = excluded.valid_from, valid_until = excluded.valid_until,
             in_lockdown = excluded.in_lockdown, is_active = excluded.is_active, updated_at = excluded.updated_at",
    )
    .bind(id).bind(organization).bind(&terms.name).bind(terms.person_id).bind(terms.person_group_id).bind(terms.door_id)
    .bind(terms.door_group_id).bind(terms.schedule_id).bind(bits(&terms.levels)).bind(terms.valid_from)
    .bind(terms.valid_until).bind(terms.in_lockdown).bind(terms.is_active).bind(now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: PolicyId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_policy where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// Which of the things that the policy names the organisation has.
pub async fn scope_exists(
    tx: &mut Tx,
    organization: OrganizationId,
    terms: &PolicyInput,
) -> Result<[(&'static str, bool); 5]> {
    let found: (i64, i64, i64, i64, i64) = on_db!(tx, conn => sqlx::query_as(
        "select (select count(*) from access_person where organization_id = $1 and id = $2),
                (select count(*) from access_person_group where organization_id = $1 and id = $3),
                (select count(*) from access_door where organization_id = $1 and id = $4),
                (select count(*) from access_door_group where organization_id = $1 and id = $5),
                (select count(*) from access_schedule where organization_id = $1 and id = $6)",
    )
    .bind(organization).bind(terms.person_id).bind(terms.person_group_id).bind(terms.door_id)
    .bind(terms.door_group_id).bind(terms.schedule_id).fetch_one(conn).await)?;
    Ok([
        ("person_id", found.0 == 1 || terms.person_id.is_none()),
        ("person_group_id", found.1 == 1 || terms.person_group_id.is_none()),
        ("door_id", found.2 == 1 || terms.door_id.is_none()),
        ("door_group_id", found.3 == 1 || terms.door_group_id.is_none()),
        ("schedule_id", found.4 == 1 || terms.schedule_id.is_none()),
    ])
}

/// The policies, active or not, that name this person, alone or in a group.
pub async fn naming_person(tx: &mut Tx, organization: OrganizationId, person: PersonId) -> Result<Vec<PolicyId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select p.id from access_policy p
         where p.organization_id = $1 and (p.person_id is null or p.person_id = $2)
           and (p.person_group_id is null or exists (
               select 1 from access_person_group_member m where m.group_id = p.person_group_id and m.person_id = $2))",
    ).bind(organization).bind(person).fetch_all(conn).await)?)
}

/// A door's name and how it works.
pub async fn find_door(tx: &mut Tx, organization: OrganizationId, id: DoorId) -> Result<Option<TestedDoor>> {
    let row: Option<(String, String, Option<Timestamp>)> = on_db!(tx, conn => sqlx::query_as(
        "select name, mode, mode_until from access_door where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(|(name, mode, mode_until)| {
        let mode = DoorMode::parse(&mode).ok_or_else(|| Error::internal("a door's mode in the database is unknown"))?;
        Ok(TestedDoor { name, mode, mode_until })
    })
    .transpose()
}

/// Doors and their groups, by name: what a policy may name.
pub async fn door_choices(tx: &mut Tx, organization: OrganizationId) -> Result<(Vec<Choice>, Vec<Choice>)> {
    let doors: Vec<(DoorId, String)> = on_db!(&mut *tx, conn => sqlx::query_as(
        "select id, name from access_door where organization_id = $1 order by name, id limit 1000",
    ).bind(organization).fetch_all(conn).await)?;
    let groups: Vec<(DoorGroupId, String)> = on_db!(&mut *tx, conn => sqlx::query_as(
        "select id, name from access_door_group where organization_id = $1 order by name, id limit 1000",
    ).bind(organization).fetch_all(conn).await)?;
    let doors = doors.into_iter().map(|(id, name)| Choice { id: id.to_string(), name }).collect();
    Ok((doors, groups.into_iter().map(|(id, name)| Choice { id: id.to_string(), name }).collect()))
}
