//! SQL of lots and levels.

use portico_model::parking::SpotCounts;
use portico_model::parking::lot::{BookingRules, Level, Lot};
use portico_model::{DoorId, LotId, OrganizationId, ParkingLevelId, TariffId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct LotRow {
    id: LotId,
    name: String,
    address: String,
    latitude: Option<f64>,
    longitude: Option<f64>,
    time_zone: Option<String>,
    building_zone: Option<String>,
    tariff_id: Option<TariffId>,
    gate_door_id: Option<DoorId>,
    is_public: bool,
    debounce_s: i64,
    stale_after_minutes: i64,
    low_battery_percent: i64,
    booking: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<LotRow> for Lot {
    type Error = Error;

    fn try_from(row: LotRow) -> Result<Self> {
        let booking: BookingRules = serde_json::from_str(&row.booking).map_err(Error::internal)?;
        let building = row.building_zone.filter(|zone| !zone.is_empty());
        Ok(Self {
            id: row.id,
            name: row.name,
            address: row.address,
            latitude: row.latitude,
            longitude: row.longitude,
            time_zone_in_force: row.time_zone.clone().or(building).unwrap_or_else(|| "UTC".to_owned()),
            time_zone: row.time_zone,
            tariff_id: row.tariff_id,
            gate_door_id: row.gate_door_id,
            is_public: row.is_public,
            debounce_s: row.debounce_s,
            stale_after_minutes: row.stale_after_minutes,
            low_battery_percent: row.low_battery_percent,
            booking,
            counts: SpotCounts::default(),
            distance_m: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// By name, without counts.
pub async fn list(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Lot>> {
    let rows: Vec<LotRow> = on_db!(tx, conn => sqlx::query_as(
        "select l.id, l.name, l.address, l.latitude, l.longitude, l.time_zone, l.tariff_id, l.gate_door_id, l.is_public,
             l.debounce_s, l.stale_after_minutes, l.low_battery_percent, l.booking, l.created_at, l.updated_at,
             (select s.time_zone from organization_settings s where s.organization_id = l.organization_id) as building_zone
         from parking_lot l where l.organization_id = $1 order by l.name, l.id",
    ).bind(organization).fetch_all(conn).await)?;
    rows.into_iter().map(Lot::try_from).collect()
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: LotId) -> Result<Option<Lot>> {
    Ok(list(tx, organization).await?.into_iter().find(|lot| lot.id == id))
}

/// Makes it, or changes the one of that id.
pub async fn save(tx: &mut Tx, organization: OrganizationId, lot: &Lot) -> Result<()> {
    let booking = serde_json::to_string(&lot.booking).map_err(Error::internal)?;
    on_db!(tx, conn => sqlx::query(
        "insert into parking_lot (id, organization_id, name, address, latitude, longitude, time_zone, tariff_id,
             gate_door_id, is_public, debounce_s, stale_after_minutes, low_battery_percent, booking, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict (id) do update set name = excluded.name, address = excluded.address, latitude = excluded.latitude,
             longitude = excluded.longitude, time_zone = excluded.time_zone, tariff_id = excluded.tariff_id,
             gate_door_id = excluded.gate_door_id, is_public = excluded.is_public, debounce_s = excluded.debounce_s,
             stale_after_minutes = excluded.stale_after_minutes, low_battery_percent = excluded.low_battery_percent,
             booking = excluded.booking, updated_at = excluded.updated_at",
    )
    .bind(lot.id).bind(organization).bind(&lot.name).bind(&lot.address).bind(lot.latitude).bind(lot.longitude)
    .bind(&lot.time_zone).bind(lot.tariff_id).bind(lot.gate_door_id).bind(lot.is_public).bind(lot.debounce_s)
    .bind(lot.stale_after_minutes).bind(lot.low_battery_percent).bind(booking).bind(lot.created_at)
    .bind(lot.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// With its levels and spots. False when there is none.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: LotId) -> Result<bool> {
    let gone = on_db!(tx, conn => sqlx::query("delete from parking_lot where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(gone > 0)
}

#[derive(sqlx::FromRow)]
struct LevelRow {
    id: ParkingLevelId,
    lot_id: LotId,
    name: String,
    position: i64,
    width_cm: i64,
    height_cm: i64,
    clearance_cm: Option<i64>,
}

/// By lot and position, without counts.
pub async fn levels(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Level>> {
    let rows: Vec<LevelRow> = on_db!(tx, conn => sqlx::query_as(
        "select id, lot_id, name, position, width_cm, height_cm, clearance_cm from parking_level
         where organization_id = $1 order by position, name, id",
    ).bind(organization).fetch_all(conn).await)?;
    let level = |row: LevelRow| Level {
        id: row.id,
        lot_id: row.lot_id,
        name: row.name,
        position: row.position,
        width_cm: row.width_cm,
        height_cm: row.height_cm,
        clearance_cm: row.clearance_cm,
        counts: SpotCounts::default(),
    };
    Ok(rows.into_iter().map(level).collect())
}

/// Makes it, or changes the one of that id.
pub async fn save_level(tx: &mut Tx, organization: OrganizationId, level: &Level) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into parking_level (id, organization_id, lot_id, name, position, width_cm, height_cm, clearance_cm)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (id) do update set name = excluded.name, position = excluded.position,
             width_cm = excluded.width_cm, height_cm = excluded.height_cm, clearance_cm = excluded.clearance_cm",
    )
    .bind(level.id).bind(organization).bind(level.lot_id).bind(&level.name).bind(level.position).bind(level.width_cm)
    .bind(level.height_cm).bind(level.clearance_cm).execute(conn).await.map(drop))?;
    Ok(())
}

/// With its spots. False when there is none.
pub async fn delete_level(tx: &mut Tx, organization: OrganizationId, id: ParkingLevelId) -> Result<bool> {
    let gone = on_db!(tx, conn => sqlx::query("delete from parking_level where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(gone > 0)
}
