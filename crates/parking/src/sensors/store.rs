//! SQL of sensors and what they measured.

use std::sync::LazyLock;

use portico_model::parking::sensor::{Belief, Doubt, Reading, Sensor};
use portico_model::parking::spot::SpotState;
use portico_model::{DeviceId, OrganizationId, ParkingSensorId, SpotId, Timestamp};
use portico_platform::db::Statements;
use portico_platform::{Result, Tx, on_db};

use crate::search::like;

/// Rows a statement; 21 parameters each.
const CHUNKS: &[usize] = &[256, 64, 16, 4, 1];

/// A sensor as its messages are weighed.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub id: ParkingSensorId,
    pub sensor_id: String,
    pub device_id: Option<DeviceId>,
    pub spot_id: Option<SpotId>,
    pub is_silent: bool,
    pub is_bridged: bool,
    pub has_low_battery: bool,
    pub belief: Belief,
    pub heard_at: Timestamp,
    pub distance_cm: Option<f64>,
    pub battery_percent: Option<f64>,
    pub rssi_dbm: Option<f64>,
    pub firmware_version: String,
    pub location: String,
    pub messages: i64,
    pub first_seen_at: Timestamp,
}

impl Known {
    /// What follows for its spot.
    pub const fn state(&self) -> SpotState {
        if self.is_silent { SpotState::Unknown } else { self.belief.state() }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ParkingSensorId,
    sensor_id: String,
    device_id: Option<DeviceId>,
    spot_id: Option<SpotId>,
    is_silent: bool,
    is_bridged: bool,
    has_low_battery: bool,
    occupied: Option<bool>,
    since: Option<Timestamp>,
    newest: Option<Timestamp>,
    doubt_since: Option<Timestamp>,
    doubt_times: Option<i64>,
    heard_at: Timestamp,
    distance_cm: Option<f64>,
    battery_percent: Option<f64>,
    rssi_dbm: Option<f64>,
    firmware_version: String,
    location: String,
    messages: i64,
    first_seen_at: Timestamp,
}

impl From<Row> for Known {
    fn from(row: Row) -> Self {
        let doubt = row.doubt_since.zip(row.doubt_times).map(|(since, times)| Doubt { since, times });
        Self {
            id: row.id,
            sensor_id: row.sensor_id,
            device_id: row.device_id,
            spot_id: row.spot_id,
            is_silent: row.is_silent,
            is_bridged: row.is_bridged,
            has_low_battery: row.has_low_battery,
            belief: Belief { occupied: row.occupied, since: row.since, newest: row.newest, doubt },
            heard_at: row.heard_at,
            distance_cm: row.distance_cm,
            battery_percent: row.battery_percent,
            rssi_dbm: row.rssi_dbm,
            firmware_version: row.firmware_version,
            location: row.location,
            messages: row.messages,
            first_seen_at: row.first_seen_at,
        }
    }
}

macro_rules! select {
    ($($rest:literal),*) => {
        concat!(
            "select id, sensor_id, device_id, spot_id, is_silent, is_bridged, has_low_battery, occupied, since, newest, doubt_since,
                 doubt_times, heard_at, distance_cm, battery_percent, rssi_dbm, firmware_version, location, messages,
                 first_seen_at from parking_sensor ",
            $($rest),*
        )
    };
}

/// Those of these names.
pub async fn find(tx: &mut Tx, organization: OrganizationId, names: &[&str]) -> Result<Vec<Known>> {
    let rows: Vec<Row> = match tx {
        // SQLite takes no arrays.
        Tx::Sqlite(transaction) => {
            let names = serde_json::to_string(names).unwrap_or_default();
            sqlx::query_as(select!("where organization_id = $1 and sensor_id in (select value from json_each($2))"))
                .bind(organization)
                .bind(names)
                .fetch_all(&mut **transaction)
                .await?
        }
        Tx::Postgres(transaction) => {
            sqlx::query_as(select!("where organization_id = $1 and sensor_id = any($2)"))
                .bind(organization)
                .bind(names)
                .fetch_all(&mut **transaction)
                .await?
        }
    };
    Ok(rows.into_iter().map(Known::from).collect())
}

pub async fn get(tx: &mut Tx, organization: OrganizationId, id: ParkingSensorId) -> Result<Option<Known>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select!("where organization_id = $1 and id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    Ok(row.map(Known::from))
}

/// Of a spot.
pub async fn of_spot(tx: &mut Tx, spot: SpotId) -> Result<Option<Known>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select!("where spot_id = $1"))
        .bind(spot).fetch_optional(conn).await)?;
    Ok(row.map(Known::from))
}

/// Organisations with sensors that have said otherwise since before this moment.
pub async fn organizations_in_doubt(tx: &mut Tx, before: Timestamp) -> Result<Vec<OrganizationId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select distinct organization_id from parking_sensor where doubt_since is not null and doubt_since <= $1",
    ).bind(before).fetch_all(conn).await)?)
}

pub async fn in_doubt(tx: &mut Tx, organization: OrganizationId, before: Timestamp) -> Result<Vec<Known>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        select!("where organization_id = $1 and doubt_since is not null and doubt_since <= $2"))
        .bind(organization).bind(before).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(Known::from).collect())
}

/// Those with a spot that were not heard of for longer than their lot allows.
pub async fn fallen_silent(tx: &mut Tx, now: Timestamp) -> Result<Vec<(OrganizationId, ParkingSensorId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select n.organization_id, n.id from parking_sensor n
         join parking_spot s on s.id = n.spot_id
         join parking_lot l on l.id = s.lot_id
         where n.spot_id is not null and not n.is_silent and n.heard_at < $1 - l.stale_after_minutes * 60000
         order by n.organization_id, n.id limit 1000",
    ).bind(now).fetch_all(conn).await)?)
}

static SAVE: LazyLock<Statements> = LazyLock::new(|| {
    let before = "insert into parking_sensor (id, organization_id, sensor_id, device_id, is_ignored, is_silent,
        has_low_battery, occupied, since, newest, doubt_since, doubt_times, heard_at, distance_cm, battery_percent, rssi_dbm,
        firmware_version, location, messages, first_seen_at, is_bridged)";
    let after = " on conflict (id) do update set is_silent = excluded.is_silent,
        has_low_battery = excluded.has_low_battery, occupied = excluded.occupied, since = excluded.since,
        newest = excluded.newest, doubt_since = excluded.doubt_since, doubt_times = excluded.doubt_times,
        heard_at = excluded.heard_at, distance_cm = excluded.distance_cm, battery_percent = excluded.battery_percent,
        rssi_dbm = excluded.rssi_dbm, firmware_version = excluded.firmware_version, location = excluded.location,
        messages = excluded.messages, is_bridged = excluded.is_bridged";
    Statements::new(before, 21, after, CHUNKS)
});

/// Makes them, or keeps what they said.
pub async fn save(tx: &mut Tx, organization: OrganizationId, sensors: &[&Known]) -> Result<()> {
    for (sql, piece) in SAVE.pieces(tx.is_postgres(), sensors) {
        on_db!(&mut *tx, conn => piece.iter().fold(sqlx::query(sql), |query, one| {
            query.bind(one.id).bind(organization).bind(&one.sensor_id).bind(one.device_id).bind(false)
                .bind(one.is_silent).bind(one.has_low_battery).bind(one.belief.occupied).bind(one.belief.since)
                .bind(one.belief.newest).bind(one.belief.doubt.map(|doubt| doubt.since))
                .bind(one.belief.doubt.map(|doubt| doubt.times)).bind(one.heard_at).bind(one.distance_cm)
                .bind(one.battery_percent).bind(one.rssi_dbm).bind(&one.firmware_version).bind(&one.location)
                .bind(one.messages).bind(one.first_seen_at).bind(one.is_bridged)
        }).execute(conn).await.map(drop))?;
    }
    Ok(())
}

static READINGS: LazyLock<Statements> = LazyLock::new(|| {
    let before = "insert into parking_reading (sensor_id, at, occupied, distance_cm, battery_percent, rssi_dbm)";
    Statements::new(before, 6, " on conflict do nothing", CHUNKS)
});

/// Keeps measurements; one that is there already changes nothing.
pub async fn add_readings(tx: &mut Tx, readings: &[(ParkingSensorId, Reading)]) -> Result<()> {
    for (sql, piece) in READINGS.pieces(tx.is_postgres(), readings) {
        on_db!(&mut *tx, conn => piece.iter().fold(sqlx::query(sql), |query, (sensor, one)| {
            query.bind(*sensor).bind(one.at).bind(one.occupied).bind(one.distance_cm).bind(one.battery_percent)
                .bind(one.rssi_dbm)
        }).execute(conn).await.map(drop))?;
    }
    Ok(())
}

/// How many wait for a spot.
pub async fn count_new(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from parking_sensor where organization_id = $1 and spot_id is null",
    ).bind(organization).fetch_one(conn).await)?)
}

/// Which to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With a spot, or without.
    pub has_spot: Option<bool>,
    pub is_ignored: Option<bool>,
    /// Silent, or with a battery below what their lot allows.
    pub needs_attention: bool,
    pub search: Option<String>,
    pub after: Option<String>,
    pub only: Option<ParkingSensorId>,
    pub limit: i64,
}

#[derive(sqlx::FromRow)]
struct SensorRow {
    id: ParkingSensorId,
    sensor_id: String,
    device_id: Option<DeviceId>,
    spot_id: Option<String>,
    spot_key: Option<SpotId>,
    is_ignored: bool,
    is_silent: bool,
    is_bridged: bool,
    occupied: Option<bool>,
    newest: Option<Timestamp>,
    heard_at: Timestamp,
    distance_cm: Option<f64>,
    battery_percent: Option<f64>,
    rssi_dbm: Option<f64>,
    firmware_version: String,
    location: String,
    messages: i64,
    first_seen_at: Timestamp,
}

/// By name.
pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<Vec<Sensor>> {
    let rows: Vec<SensorRow> = on_db!(tx, conn => sqlx::query_as(
        "select n.id, n.sensor_id, n.device_id, s.code as spot_id, n.spot_id as spot_key, n.is_ignored, n.is_silent, n.is_bridged,
             n.occupied, n.newest, n.heard_at, n.distance_cm, n.battery_percent, n.rssi_dbm, n.firmware_version, n.location,
             n.messages, n.first_seen_at
         from parking_sensor n left join parking_spot s on s.id = n.spot_id
         where n.organization_id = $1 and ($2 is null or (n.spot_id is not null) = $2) and ($3 is null or n.is_ignored = $3)
             and (not $4 or n.is_silent or n.has_low_battery)
             and ($5 is null or lower(n.sensor_id) like lower($5) escape '\\' or lower(coalesce(s.code, '')) like lower($5) escape '\\')
             and ($6 is null or n.sensor_id > $6) and ($7 is null or n.id = $7)
         order by n.sensor_id limit $8",
    )
    .bind(organization).bind(filter.has_spot).bind(filter.is_ignored).bind(filter.needs_attention)
    .bind(filter.search.as_deref().map(like)).bind(&filter.after).bind(filter.only)
    .bind(filter.limit).fetch_all(conn).await)?;
    let sensor = |row: SensorRow| Sensor {
        id: row.id,
        sensor_id: row.sensor_id,
        device_id: row.device_id,
        spot_id: row.spot_id,
        spot_key: row.spot_key,
        is_ignored: row.is_ignored,
        is_silent: row.is_silent,
        is_bridged: row.is_bridged,
        occupied: row.occupied,
        reported_at: row.newest,
        heard_at: row.heard_at,
        distance_cm: row.distance_cm,
        battery_percent: row.battery_percent,
        rssi_dbm: row.rssi_dbm,
        firmware_version: row.firmware_version,
        location: row.location,
        messages: row.messages,
        first_seen_at: row.first_seen_at,
    };
    Ok(rows.into_iter().map(sensor).collect())
}

pub async fn show(tx: &mut Tx, organization: OrganizationId, id: ParkingSensorId) -> Result<Option<Sensor>> {
    let filter = Filter { only: Some(id), limit: 1, ..Filter::default() };
    Ok(list(tx, organization, &filter).await?.pop())
}

/// Gives it a spot, or takes it away.
pub async fn set_spot(tx: &mut Tx, id: ParkingSensorId, spot: Option<SpotId>) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update parking_sensor set spot_id = $2, is_ignored = false where id = $1")
        .bind(id).bind(spot).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_ignored(tx: &mut Tx, id: ParkingSensorId, is_ignored: bool) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update parking_sensor set is_ignored = $2 where id = $1")
        .bind(id).bind(is_ignored).execute(conn).await.map(drop))?;
    Ok(())
}

/// With what it measured.
pub async fn delete(tx: &mut Tx, id: ParkingSensorId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from parking_sensor where id = $1").bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// A device is gone: its sensors that have no spot go with it, the others are nobody's.
pub async fn forget_device(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<()> {
    for sql in [
        "delete from parking_sensor where organization_id = $1 and device_id = $2 and spot_id is null",
        "update parking_sensor set device_id = null where organization_id = $1 and device_id = $2",
    ] {
        on_db!(&mut *tx, conn => sqlx::query(sql).bind(organization).bind(device).execute(conn).await.map(drop))?;
    }
    Ok(())
}

/// Forgets measurements that are older; how many.
pub async fn forget_readings(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from parking_reading where sensor_id in (select id from parking_sensor) and at < $1",
    ).bind(before).execute(conn).await.map(|done| done.rows_affected()))?)
}
