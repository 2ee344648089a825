//! Bad payloads, counted and sampled.

use portico_model::devices::DeviceProblem;
use portico_model::{DeviceId, OrganizationId, ProblemId, Timestamp};
use portico_platform::{Result, Tx, on_db};

/// The mistakes of one kind of one device in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub organization: OrganizationId,
    pub device: DeviceId,
    pub code: &'static str,
    pub at: Timestamp,
    pub message: String,
    pub sample: String,
    pub count: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ProblemId,
    at: Timestamp,
    code: String,
    message: String,
    sample: String,
    count: i64,
}

/// Adds to the row of that minute. A device deleted meanwhile is passed over.
pub async fn add(tx: &mut Tx, tally: &Tally) -> Result<()> {
    let minute = tally.at.millis().div_euclid(60_000) * 60_000;
    on_db!(tx, conn => sqlx::query(
        "insert into device_problem (id, organization_id, device_id, code, minute, at, message, sample, count)
         select $1, d.organization_id, d.id, $4, $5, $6, $7, $8, $9 from device d
         where d.id = $2 and d.organization_id = $3 and d.deleted_at is null
         on conflict (device_id, code, minute) do update set count = device_problem.count + excluded.count",
    )
    .bind(ProblemId::generate()).bind(tally.device).bind(tally.organization).bind(tally.code).bind(minute)
    .bind(tally.at).bind(&tally.message).bind(&tally.sample).bind(tally.count).execute(conn).await.map(drop))?;
    Ok(())
}

/// Newest first.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    limit: i64,
) -> Result<Vec<DeviceProblem>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, at, code, message, sample, count from device_problem
         where organization_id = $1 and device_id = $2 order by at desc, code limit $3",
    ).bind(organization).bind(device).bind(limit).fetch_all(conn).await)?;
    Ok(rows
        .into_iter()
        .map(|row| DeviceProblem {
            id: row.id,
            at: row.at,
            code: row.code,
            message: row.message,
            sample: row.sample,
            count: row.count,
        })
        .collect())
}

/// Removes some of those older than the time; how many.
pub async fn delete_older(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from device_problem where id in (select id from device_problem where at < $1 order by at limit $2)",
    ).bind(before).bind(limit).execute(conn).await.map(|done| done.rows_affected()))?)
}
