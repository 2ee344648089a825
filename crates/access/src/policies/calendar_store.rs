//! SQL of schedules and holidays.

use portico_model::access::policies::{Holiday, Schedule, ScheduleInput};
use portico_model::{HolidayId, OrganizationId, ScheduleId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

type Row = (ScheduleId, String, String, i64, Timestamp, Timestamp);

/// By name. `only`: the one of this id.
pub async fn schedules(tx: &mut Tx, organization: OrganizationId, only: Option<ScheduleId>) -> Result<Vec<Schedule>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select s.id, s.name, s.windows, (select count(*) from access_policy p where p.schedule_id = s.id), s.created_at,
                s.updated_at
         from access_schedule s where s.organization_id = $1 and ($2 is null or s.id = $2) order by s.name, s.id",
    ).bind(organization).bind(only).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(id, name, windows, policy_count, created_at, updated_at)| {
            let windows = serde_json::from_str(&windows).map_err(Error::internal)?;
            Ok(Schedule { id, name, windows, policy_count, created_at, updated_at })
        })
        .collect()
}

pub async fn find_schedule(tx: &mut Tx, organization: OrganizationId, id: ScheduleId) -> Result<Option<Schedule>> {
    Ok(schedules(tx, organization, Some(id)).await?.pop())
}

pub async fn name_is_taken(tx: &mut Tx, organization: OrganizationId, except: ScheduleId, name: &str) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_schedule where organization_id = $1 and name = $2 and id <> $3",
    ).bind(organization).bind(name).bind(except).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Makes it, or changes the one of this id.
pub async fn save_schedule(
    tx: &mut Tx,
    organization: OrganizationId,
    id: ScheduleId,
    schedule: &ScheduleInput,
    now: Timestamp,
) -> Result<()> {
    let windows = serde_json::to_string(&schedule.windows).map_err(Error::internal)?;
    on_db!(tx, conn => sqlx::query(
        "insert into access_schedule (id, organization_id, name, windows, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $5)
         on conflict (id) do update set name = excluded.name, windows = excluded.windows, updated_at = excluded.updated_at",
    ).bind(id).bind(organization).bind(&schedule.name).bind(windows).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_schedule(tx: &mut Tx, organization: OrganizationId, id: ScheduleId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_schedule where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// Whether codes for keypads use it.
pub async fn has_codes(tx: &mut Tx, organization: OrganizationId, id: ScheduleId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_code where organization_id = $1 and schedule_id = $2",
    ).bind(organization).bind(id).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// By date.
pub async fn holidays(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Holiday>> {
    let rows: Vec<(HolidayId, String, String)> = on_db!(tx, conn => sqlx::query_as(
        "select id, date, name from access_holiday where organization_id = $1 order by date limit 2000",
    ).bind(organization).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(id, date, name)| Holiday { id, date, name }).collect())
}

/// False when the day is a holiday already.
pub async fn insert_holiday(tx: &mut Tx, organization: OrganizationId, holiday: &Holiday) -> Result<bool> {
    let added = on_db!(tx, conn => sqlx::query(
        "insert into access_holiday (id, organization_id, date, name) values ($1, $2, $3, $4)
         on conflict (organization_id, date) do nothing",
    )
    .bind(holiday.id).bind(organization).bind(&holiday.date).bind(&holiday.name).execute(conn).await
    .map(|done| done.rows_affected()))?;
    Ok(added > 0)
}

/// False when there was none.
pub async fn delete_holiday(tx: &mut Tx, organization: OrganizationId, id: HolidayId) -> Result<bool> {
    let removed = on_db!(tx, conn => sqlx::query("delete from access_holiday where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(removed > 0)
}
