//! Reading telemetry. A series has been found through its organisation before its points are read.

use portico_model::telemetry::Value;
use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::{Result, Tx, on_db};

use super::rollup::Rollup;
use super::series::{Kind, Series};

/// A value of a series, as shown.
pub type Reading = (Timestamp, Value);

fn shown(kind: Kind, value: f64) -> Value {
    if kind == Kind::Boolean { Value::Boolean(value != 0.0) } else { Value::Number(value) }
}

/// Key, kind, time, and the value as a number or as a text.
type LatestRow = (String, String, Timestamp, Option<f64>, Option<String>);

/// The newest value of each series of the device: (key, time, value), by key and kind.
pub async fn latest(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
) -> Result<Vec<(String, Timestamp, Value)>> {
    let rows: Vec<LatestRow> = on_db!(tx, conn => sqlx::query_as(
        "select s.key, s.kind, p.ts, p.value as number, cast(null as text) as text from series s
         join point p on p.series_id = s.id and p.ts = (select max(n.ts) from point n where n.series_id = s.id)
         where s.organization_id = $1 and s.device_id = $2 and s.kind <> 'text'
         union all
         select s.key, s.kind, p.ts, cast(null as double precision) as number, p.value as text from series s
         join point_text p on p.series_id = s.id and p.ts = (select max(n.ts) from point_text n where n.series_id = s.id)
         where s.organization_id = $1 and s.device_id = $2 and s.kind = 'text'
         order by key, kind",
    )
    .bind(organization)
    .bind(device)
    .fetch_all(conn)
    .await)?;
    Ok(rows
        .into_iter()
        .filter_map(|(key, kind, ts, number, text)| {
            let value = match (Kind::parse(&kind)?, number, text) {
                (Kind::Text, _, text) => Value::Text(text?),
                (kind, number, _) => shown(kind, number?),
            };
            Some((key, ts, value))
        })
        .collect())
}

/// The newest values in `from..=to`, newest first.
pub async fn newest(tx: &mut Tx, series: &Series, from: Timestamp, to: Timestamp, limit: i64) -> Result<Vec<Reading>> {
    if series.kind == Kind::Text {
        let rows: Vec<(Timestamp, String)> = on_db!(tx, conn => sqlx::query_as(
            "select ts, value from point_text where series_id = $1 and ts >= $2 and ts <= $3 order by ts desc limit $4",
        ).bind(series.id).bind(from).bind(to).bind(limit).fetch_all(conn).await)?;
        return Ok(rows.into_iter().map(|(ts, text)| (ts, Value::Text(text))).collect());
    }
    let rows: Vec<(Timestamp, f64)> = on_db!(tx, conn => sqlx::query_as(
        "select ts, value from point where series_id = $1 and ts >= $2 and ts <= $3 order by ts desc limit $4",
    ).bind(series.id).bind(from).bind(to).bind(limit).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(ts, value)| (ts, shown(series.kind, value))).collect())
}

/// The oldest values in `from..=to`, oldest first.
pub async fn oldest(tx: &mut Tx, series: &Series, from: Timestamp, to: Timestamp, limit: i64) -> Result<Vec<Reading>> {
    if series.kind == Kind::Text {
        let rows: Vec<(Timestamp, String)> = on_db!(tx, conn => sqlx::query_as(
            "select ts, value from point_text where series_id = $1 and ts >= $2 and ts <= $3 order by ts limit $4",
        ).bind(series.id).bind(from).bind(to).bind(limit).fetch_all(conn).await)?;
        return Ok(rows.into_iter().map(|(ts, text)| (ts, Value::Text(text))).collect());
    }
    let rows: Vec<(Timestamp, f64)> = on_db!(tx, conn => sqlx::query_as(
        "select ts, value from point where series_id = $1 and ts >= $2 and ts <= $3 order by ts limit $4",
    ).bind(series.id).bind(from).bind(to).bind(limit).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(ts, value)| (ts, shown(series.kind, value))).collect())
}

/// What was told beside the values: (time, JSON).
pub async fn metadata(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    from: Timestamp,
    to: Timestamp,
    limit: i64,
) -> Result<Vec<(Timestamp, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select ts, metadata from sample_metadata
         where organization_id = $1 and device_id = $2 and ts >= $3 and ts <= $4 order by ts desc limit $5",
    ).bind(organization).bind(device).bind(from).bind(to).bind(limit).fetch_all(conn).await)?)
}

/// What windows are put together from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Points,
    Minutes,
    Hours,
}

/// The database adds up; the first and the last value are then found by their time, which is part of a primary key.
macro_rules! windows_of_rollups {
    ($table:literal, $width:literal) => {
        concat!(
            "select $1 as series_id, g.bucket, g.count, g.sum, g.min, g.max, f.first, g.first_ts, l.last, g.last_ts from (
                 select bucket / $4 * $4 as bucket, cast(sum(count) as bigint) as count, sum(sum) as sum, min(min) as min,
                        max(max) as max, min(first_ts) as first_ts, max(last_ts) as last_ts
                 from ", $table, " where series_id = $1 and bucket >= $2 and bucket <= $3
                 group by bucket / $4 * $4) g
             join ", $table, " f on f.series_id = $1 and f.bucket = g.first_ts / ", $width, " * ", $width, "
             join ", $table, " l on l.series_id = $1 and l.bucket = g.last_ts / ", $width, " * ", $width, "
             order by g.bucket"
        )
    };
}

const WINDOWS_OF_POINTS: &str =
    "select $1 as series_id, g.bucket, g.count, g.sum, g.min, g.max, f.value as first, g.first_ts, l.value as last, g.last_ts
     from (
         select ts / $4 * $4 as bucket, count(*) as count, sum(value) as sum, min(value) as min, max(value) as max,
                min(ts) as first_ts, max(ts) as last_ts
         from point where series_id = $1 and ts >= $2 and ts <= $3 group by ts / $4 * $4) g
     join point f on f.series_id = $1 and f.ts = g.first_ts
     join point l on l.series_id = $1 and l.ts = g.last_ts
     order by g.bucket";

/// Points or rollups that begin in `from..=to`, in windows aligned to multiples of the width, oldest first. From
/// rollups the width must be a multiple of theirs.
pub async fn windows(
    tx: &mut Tx,
    source: Source,
    series: i64,
    from: Timestamp,
    to: Timestamp,
    width_ms: i64,
) -> Result<Vec<Rollup>> {
    let sql = match source {
        Source::Points => WINDOWS_OF_POINTS,
        Source::Minutes => windows_of_rollups!("rollup_1m", "60000"),
        Source::Hours => windows_of_rollups!("rollup_1h", "3600000"),
    };
    Ok(on_db!(tx, conn => sqlx::query_as(sql).bind(series).bind(from).bind(to).bind(width_ms).fetch_all(conn).await)?)
}

/// How many points there are, by the one-minute rollups: quick, and exact but for the first and the last minute.
pub async fn count_by_minutes(tx: &mut Tx, series: i64, from: Timestamp, to: Timestamp) -> Result<i64> {
    let count: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select cast(sum(count) as bigint) from rollup_1m where series_id = $1 and bucket >= $2 and bucket <= $3",
    ).bind(series).bind(from).bind(to).fetch_one(conn).await)?;
    Ok(count.unwrap_or(0))
}

/// Numbers in `from..=to`, oldest first.
pub async fn values(
    tx: &mut Tx,
    series: i64,
    from: Timestamp,
    to: Timestamp,
    limit: i64,
) -> Result<Vec<(Timestamp, f64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select ts, value from point where series_id = $1 and ts >= $2 and ts <= $3 order by ts limit $4",
    ).bind(series).bind(from).bind(to).bind(limit).fetch_all(conn).await)?)
}

/// Numbers and booleans of a device, by the hour rollups.
pub async fn count_of_device(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<i64> {
    let count: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select cast(sum(r.count) as bigint) from series s join rollup_1h r on r.series_id = s.id
         where s.organization_id = $1 and s.device_id = $2",
    ).bind(organization).bind(device).fetch_one(conn).await)?;
    Ok(count.unwrap_or(0))
}

/// Series of all devices that are not deleted.
pub async fn count_series(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from series s join device d on d.id = s.device_id
         where s.organization_id = $1 and d.organization_id = $1 and d.deleted_at is null",
    ).bind(organization).fetch_one(conn).await)?)
}

/// Numbers and booleans measured in these whole minutes, epoch milliseconds, the last one left out.
pub async fn count_minutes(tx: &mut Tx, organization: OrganizationId, from: i64, to: i64) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select cast(coalesce(sum(r.count), 0) as bigint) from series s join rollup_1m r on r.series_id = s.id
         where s.organization_id = $1 and r.bucket >= $2 and r.bucket < $3",
    ).bind(organization).bind(from).bind(to).fetch_one(conn).await)?)
}

/// As [`count_minutes`], by whole hours.
pub async fn count_hours(tx: &mut Tx, organization: OrganizationId, from: i64, to: i64) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select cast(coalesce(sum(r.count), 0) as bigint) from series s join rollup_1h r on r.series_id = s.id
         where s.organization_id = $1 and r.bucket >= $2 and r.bucket < $3",
    ).bind(organization).bind(from).bind(to).fetch_one(conn).await)?)
}
