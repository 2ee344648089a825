//! Removing what is too old or belongs to deleted devices, a little at a time: a long deletion would hold up the
//! devices. Works across organisations; only the jobs call it.

use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::{Result, Tx, on_db};

/// Rows a transaction removes.
pub const BATCH: i64 = 5_000;

/// A table of points or rollups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Points,
    Texts,
    Minutes,
    Hours,
}

impl Table {
    pub const ALL: [Self; 4] = [Self::Points, Self::Texts, Self::Minutes, Self::Hours];
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SeriesRow {
    pub id: i64,
    pub organization_id: OrganizationId,
    pub device_id: DeviceId,
    pub key: String,
}

/// Series of all organisations, by id.
pub async fn series_after(tx: &mut Tx, id: i64, limit: i64) -> Result<Vec<SeriesRow>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, device_id, key from series where id > $1 order by id limit $2",
    ).bind(id).bind(limit).fetch_all(conn).await)?)
}

/// The time of the oldest row of a series.
pub async fn oldest(tx: &mut Tx, table: Table, series: i64) -> Result<Option<i64>> {
    let sql = match table {
        Table::Points => "select min(ts) from point where series_id = $1",
        Table::Texts => "select min(ts) from point_text where series_id = $1",
        Table::Minutes => "select min(bucket) from rollup_1m where series_id = $1",
        Table::Hours => "select min(bucket) from rollup_1h where series_id = $1",
    };
    Ok(on_db!(tx, conn => sqlx::query_scalar(sql).bind(series).fetch_one(conn).await)?)
}

/// Removes up to [`BATCH`] of the oldest rows before the time; how many.
pub async fn delete_before(tx: &mut Tx, table: Table, series: i64, before: Timestamp) -> Result<u64> {
    macro_rules! delete {
        ($table:literal, $time:literal) => {
            concat!(
                "delete from ",
                $table,
                " where series_id = $1 and ",
                $time,
                " in (select ",
                $time,
                " from ",
                $table,
                " where series_id = $1 and ",
                $time,
                " < $2 order by ",
                $time,
                " limit $3)"
            )
        };
    }
    let sql = match table {
        Table::Points => delete!("point", "ts"),
        Table::Texts => delete!("point_text", "ts"),
        Table::Minutes => delete!("rollup_1m", "bucket"),
        Table::Hours => delete!("rollup_1h", "bucket"),
    };
    Ok(on_db!(tx, conn => sqlx::query(sql).bind(series).bind(before).bind(BATCH)
        .execute(conn).await.map(|done| done.rows_affected()))?)
}

/// The same for what was told beside a device's values.
pub async fn delete_metadata_before(tx: &mut Tx, device: DeviceId, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from sample_metadata where device_id = $1 and ts in (
             select ts from sample_metadata where device_id = $1 and ts < $2 order by ts limit $3)",
    ).bind(device).bind(before).bind(BATCH).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// Devices that have told something beside their values before the time.
pub async fn devices_with_metadata_before(tx: &mut Tx, before: Timestamp) -> Result<Vec<(OrganizationId, DeviceId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select d.organization_id, d.id from device d where exists (
             select 1 from sample_metadata m where m.device_id = d.id and m.ts < $1) limit 1000",
    ).bind(before).fetch_all(conn).await)?)
}

/// Devices deleted before the time, whose measurements are still there.
pub async fn deleted_before(tx: &mut Tx, before: Timestamp) -> Result<Vec<DeviceId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from device where deleted_at is not null and deleted_at < $1 order by deleted_at limit 100",
    ).bind(before).fetch_all(conn).await)?)
}

pub async fn series_of_deleted(tx: &mut Tx, device: DeviceId) -> Result<Vec<i64>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select s.id from series s join device d on d.id = s.device_id
         where d.id = $1 and d.deleted_at is not null order by s.id",
    ).bind(device).fetch_all(conn).await)?)
}

/// The last of a device: everything else of it is gone.
pub async fn delete_device(tx: &mut Tx, device: DeviceId) -> Result<()> {
    on_db!(&mut *tx, conn => sqlx::query(
        "delete from series where device_id in (select id from device where id = $1 and deleted_at is not null)",
    ).bind(device).execute(conn).await.map(drop))?;
    on_db!(&mut *tx, conn => sqlx::query("delete from retention where device_id = $1")
        .bind(device).execute(conn).await.map(drop))?;
    on_db!(tx, conn => sqlx::query("delete from device where id = $1 and deleted_at is not null")
        .bind(device).execute(conn).await.map(drop))?;
    Ok(())
}

/// The time of the last of the first [`BATCH`] points in `from..=to`: the end of a piece to delete.
pub async fn end_of_piece(
    tx: &mut Tx,
    table: Table,
    series: i64,
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<Timestamp>> {
    let sql = match table {
        Table::Texts => {
            "select max(ts) from (select ts from point_text where series_id = $1 and ts >= $2 and ts <= $3 order by ts limit $4) p"
        }
        _ => {
            "select max(ts) from (select ts from point where series_id = $1 and ts >= $2 and ts <= $3 order by ts limit $4) p"
        }
    };
    Ok(on_db!(tx, conn => sqlx::query_scalar(sql).bind(series).bind(from).bind(to).bind(BATCH).fetch_one(conn).await)?)
}

pub async fn delete_range(tx: &mut Tx, table: Table, series: i64, from: Timestamp, to: Timestamp) -> Result<u64> {
    let sql = match table {
        Table::Texts => "delete from point_text where series_id = $1 and ts >= $2 and ts <= $3",
        _ => "delete from point where series_id = $1 and ts >= $2 and ts <= $3",
    };
    Ok(on_db!(tx, conn => sqlx::query(sql).bind(series).bind(from).bind(to)
        .execute(conn).await.map(|done| done.rows_affected()))?)
}

pub async fn delete_metadata_range(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    from: Timestamp,
    to: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "delete from sample_metadata where organization_id = $1 and device_id = $2 and ts >= $3 and ts <= $4",
    ).bind(organization).bind(device).bind(from).bind(to).execute(conn).await.map(drop))?;
    Ok(())
}
