//! SQL of spots.

use portico_model::parking::sensor::Reading;
use portico_model::parking::spot::{Outline, SensorType, Spot, SpotSize, SpotState, SpotStatus};
use portico_model::{LotId, OrganizationId, ParkingLevelId, ReservationId, SpotId, TariffId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

use crate::analytics::store::note_change;

fn unknown(column: &str, value: &str) -> Error {
    Error::internal(format!("parking_spot.{column} holds {value:?}"))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: SpotId,
    lot_id: LotId,
    level_id: ParkingLevelId,
    level: String,
    code: String,
    location: String,
    zone: String,
    sensor_type: Option<String>,
    sensor_id: Option<String>,
    is_accessible: bool,
    is_ev: bool,
    size: String,
    clearance_cm: Option<i64>,
    is_disabled: bool,
    tariff_id: Option<TariffId>,
    x: f64,
    y: f64,
    width: f64,
    length: f64,
    angle: f64,
    state: String,
    state_at: Option<Timestamp>,
    reserved_from: Option<Timestamp>,
    reserved_until: Option<Timestamp>,
    reservation_id: Option<ReservationId>,
}

impl TryFrom<Row> for Spot {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let sensor_type = match row.sensor_type {
            Some(text) => Some(SensorType::parse(&text).ok_or_else(|| unknown("sensor_type", &text))?),
            None => None,
        };
        Ok(Self {
            id: row.code,
            key: row.id,
            lot_id: row.lot_id,
            level_id: row.level_id,
            location: row.location,
            level: row.level,
            zone: row.zone,
            is_occupied: false,
            is_reserved: false,
            status: SpotStatus::Unknown,
            state: SpotState::parse(&row.state).ok_or_else(|| unknown("state", &row.state))?,
            last_updated: row.state_at,
            reserved_from: row.reserved_from,
            reserved_until: row.reserved_until,
            reservation_id: row.reservation_id,
            sensor_type,
            sensor_id: row.sensor_id,
            is_accessible: row.is_accessible,
            is_ev: row.is_ev,
            size: SpotSize::parse(&row.size).ok_or_else(|| unknown("size", &row.size))?,
            clearance_cm: row.clearance_cm,
            is_disabled: row.is_disabled,
            tariff_id: row.tariff_id,
            outline: Outline { x: row.x, y: row.y, width: row.width, length: row.length, angle: row.angle },
        })
    }
}

/// Those whose last change has a greater number than this; 0: all.
pub async fn changed_since(tx: &mut Tx, organization: OrganizationId, version: i64) -> Result<Vec<Spot>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select s.id, s.lot_id, s.level_id, l.name as level, s.code, s.location, s.zone, s.sensor_type, n.sensor_id,
             s.is_accessible, s.is_ev, s.size, s.clearance_cm, s.is_disabled, s.tariff_id, s.x, s.y, s.width, s.length,
             s.angle, s.state, s.state_at, s.reserved_from, s.reserved_until, s.reservation_id
         from parking_spot s
         join parking_level l on l.id = s.level_id
         left join parking_sensor n on n.spot_id = s.id
         where s.organization_id = $1 and s.version > $2",
    ).bind(organization).bind(version).fetch_all(conn).await)?;
    rows.into_iter().map(Spot::try_from).collect()
}

/// Makes it, or changes the settings of the one of that id; how it is stays.
pub async fn save(tx: &mut Tx, organization: OrganizationId, spot: &Spot, version: i64, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into parking_spot (id, organization_id, lot_id, level_id, code, location, zone, sensor_type,
             is_accessible, is_ev, size, clearance_cm, is_disabled, tariff_id, x, y, width, length, angle, state, version,
             created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $22)
         on conflict (id) do update set lot_id = excluded.lot_id, level_id = excluded.level_id, code = excluded.code,
             location = excluded.location, zone = excluded.zone, sensor_type = excluded.sensor_type,
             is_accessible = excluded.is_accessible, is_ev = excluded.is_ev, size = excluded.size,
             clearance_cm = excluded.clearance_cm, is_disabled = excluded.is_disabled, tariff_id = excluded.tariff_id,
             x = excluded.x, y = excluded.y, width = excluded.width, length = excluded.length, angle = excluded.angle,
             version = excluded.version, updated_at = excluded.updated_at",
    )
    .bind(spot.key).bind(organization).bind(spot.lot_id).bind(spot.level_id).bind(&spot.id).bind(&spot.location)
    .bind(&spot.zone).bind(spot.sensor_type.map(SensorType::as_str)).bind(spot.is_accessible).bind(spot.is_ev)
    .bind(spot.size.as_str()).bind(spot.clearance_cm).bind(spot.is_disabled).bind(spot.tariff_id).bind(spot.outline.x)
    .bind(spot.outline.y).bind(spot.outline.width).bind(spot.outline.length).bind(spot.outline.angle)
    .bind(spot.state.as_str()).bind(version).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// False when there is none.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: SpotId) -> Result<bool> {
    let gone = on_db!(tx, conn => sqlx::query("delete from parking_spot where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(gone > 0)
}

/// The spot is so since then: its state, and the history of it. A moment before the present period began changes the
/// state alone.
pub async fn set_state(tx: &mut Tx, spot: SpotId, state: SpotState, since: Timestamp, version: i64) -> Result<()> {
    on_db!(&mut *tx, conn => sqlx::query(
        "update parking_spot set state = $2, state_at = $3, version = $4 where id = $1",
    ).bind(spot).bind(state.as_str()).bind(since).bind(version).execute(conn).await.map(drop))?;
    // Clocks of sensors may go back: a period never ends before it began.
    let before: Option<(Timestamp, String)> = on_db!(&mut *tx, conn => sqlx::query_as(
        "select from_at, state from parking_stay where spot_id = $1 and until_at is null order by from_at desc limit 1",
    ).bind(spot).fetch_optional(conn).await)?;
    let since = before.as_ref().map_or(since, |(began, _)| since.max(began.plus_millis(1)));
    on_db!(&mut *tx, conn => sqlx::query("update parking_stay set until_at = $2 where spot_id = $1 and until_at is null")
        .bind(spot).bind(since).execute(conn).await.map(drop))?;
    let of: Option<(OrganizationId, LotId)> = on_db!(&mut *tx, conn => sqlx::query_as(
        "insert into parking_stay (spot_id, from_at, lot_id, state)
         select id, $2, lot_id, $3 from parking_spot where id = $1 on conflict do nothing
         returning (select organization_id from parking_spot where id = $1), lot_id",
    ).bind(spot).bind(since).bind(state.as_str()).fetch_optional(conn).await)?;
    let Some((organization, lot)) = of else { return Ok(()) };
    let before = before.and_then(|(began, state)| Some((SpotState::parse(&state)?, began)));
    note_change(tx, organization, lot, before, (state, since)).await
}

#[derive(sqlx::FromRow)]
struct ReadingRow {
    at: Timestamp,
    occupied: bool,
    distance_cm: Option<f64>,
    battery_percent: Option<f64>,
    rssi_dbm: Option<f64>,
}

/// The newest measurements at a spot.
pub async fn readings(tx: &mut Tx, spot: SpotId, limit: i64) -> Result<Vec<Reading>> {
    let rows: Vec<ReadingRow> = on_db!(tx, conn => sqlx::query_as(
        "select r.at, r.occupied, r.distance_cm, r.battery_percent, r.rssi_dbm from parking_reading r
         join parking_sensor n on n.id = r.sensor_id where n.spot_id = $1 order by r.at desc limit $2",
    ).bind(spot).bind(limit).fetch_all(conn).await)?;
    let reading = |row: ReadingRow| Reading {
        at: row.at,
        occupied: row.occupied,
        distance_cm: row.distance_cm,
        battery_percent: row.battery_percent,
        rssi_dbm: row.rssi_dbm,
    };
    Ok(rows.into_iter().map(reading).collect())
}

/// How it was, the newest first: since when, until when.
pub async fn stays(
    tx: &mut Tx,
    spot: SpotId,
    before: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<(Timestamp, Option<Timestamp>, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select from_at, until_at, state from parking_stay where spot_id = $1 and ($2 is null or from_at < $2)
         order by from_at desc limit $3",
    ).bind(spot).bind(before).bind(limit).fetch_all(conn).await)?)
}
