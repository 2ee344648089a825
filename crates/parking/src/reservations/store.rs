//! SQL of reservations.

use portico_model::parking::reservation::{PaymentStatus, Reservation, ReservationState};
use portico_model::parking::tariff::Price;
use portico_model::{DoorId, LotId, OrganizationId, ReservationId, SpotId, TariffId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

use crate::search::like;

fn unknown(column: &str, value: &str) -> Error {
    Error::internal(format!("parking_reservation.{column} holds {value:?}"))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ReservationId,
    spot_id: SpotId,
    code: Option<String>,
    zone: Option<String>,
    level: Option<String>,
    lot_id: LotId,
    lot_name: Option<String>,
    time_zone: Option<String>,
    building_zone: Option<String>,
    booking: Option<String>,
    has_gate: bool,
    is_walk_up: bool,
    user_id: Option<UserId>,
    name: String,
    email: String,
    phone: String,
    plate: String,
    notes: String,
    start_at: Timestamp,
    end_at: Timestamp,
    state: String,
    hold_until: Option<Timestamp>,
    checked_in_at: Option<Timestamp>,
    checked_out_at: Option<Timestamp>,
    tariff_id: Option<TariffId>,
    tariff_version: Option<i64>,
    price: String,
    amount_minor: i64,
    currency: String,
    payment_status: String,
    paid_minor: i64,
    refunded_minor: i64,
    adjustment_minor: i64,
    paid_on_site_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// An amount in units of the currency.
#[allow(clippy::cast_precision_loss)] // far below 2^53
pub fn in_units(amount_minor: i64, currency: &str) -> f64 {
    amount_minor as f64 / f64::from(10_u32.pow(portico_model::parking::tariff::minor_digits(currency)))
}

impl TryFrom<Row> for Reservation {
    type Error = Error;

    #[allow(clippy::cast_precision_loss)] // weeks in milliseconds
    fn try_from(row: Row) -> Result<Self> {
        let state = ReservationState::parse(&row.state).ok_or_else(|| unknown("state", &row.state))?;
        let payment_status =
            PaymentStatus::parse(&row.payment_status).ok_or_else(|| unknown("payment_status", &row.payment_status))?;
        let booking = row.booking.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        let booking: portico_model::parking::lot::BookingRules = booking.unwrap_or_default();
        let price: Price = serde_json::from_str(&row.price).map_err(Error::internal)?;
        let building = row.building_zone.filter(|zone| !zone.is_empty());
        Ok(Self {
            id: row.id,
            spot_id: row.code.unwrap_or_default(),
            spot_key: row.spot_id,
            lot_id: row.lot_id,
            lot_name: row.lot_name.unwrap_or_default(),
            level: row.level.unwrap_or_default(),
            zone: row.zone.unwrap_or_default(),
            time_zone: row.time_zone.or(building).unwrap_or_else(|| "UTC".to_owned()),
            user_id: row.user_id,
            user_name: row.name,
            user_email: row.email,
            user_phone: Some(row.phone).filter(|phone| !phone.is_empty()),
            plate: row.plate,
            notes: row.notes,
            start_time: row.start_at,
            end_time: row.end_at,
            duration_hours: row.end_at.millis_since(row.start_at) as f64 / 3_600_000.0,
            status: state.former().to_owned(),
            state,
            hold_until: row.hold_until,
            check_in_time: row.checked_in_at,
            check_out_time: row.checked_out_at,
            tariff_id: row.tariff_id,
            tariff_version: row.tariff_version,
            price,
            total_amount: in_units(row.amount_minor, &row.currency),
            amount_minor: row.amount_minor,
            currency: row.currency,
            payment_status,
            paid_minor: row.paid_minor,
            refunded_minor: row.refunded_minor,
            adjustment_minor: row.adjustment_minor,
            paid_on_site_at: row.paid_on_site_at,
            early_minutes: booking.early_minutes,
            has_gate: row.has_gate,
            is_walk_up: row.is_walk_up,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select {
    ($($rest:literal),*) => {
        concat!(
            "select r.id, r.spot_id, s.code, s.zone, v.name as level, r.lot_id, l.name as lot_name, l.time_zone,
                 (select o.time_zone from organization_settings o where o.organization_id = r.organization_id)
                     as building_zone,
                 l.booking, coalesce(l.gate_door_id is not null, false) as has_gate,
                 (r.guest_hash is not null) as is_walk_up, r.user_id, r.name, r.email, r.phone, r.plate, r.notes, r.start_at,
                 r.end_at, r.state, r.hold_until, r.checked_in_at, r.checked_out_at, r.tariff_id, r.tariff_version,
                 r.price, r.amount_minor, r.currency, r.payment_status, r.paid_minor, r.refunded_minor,
                 r.adjustment_minor, r.paid_on_site_at, r.created_at, r.updated_at
             from parking_reservation r
             left join parking_spot s on s.id = r.spot_id
             left join parking_level v on v.id = s.level_id
             left join parking_lot l on l.id = r.lot_id ",
            $($rest),*
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: ReservationId) -> Result<Option<Reservation>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select!("where r.organization_id = $1 and r.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Reservation::try_from).transpose()
}

/// Which to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub user: Option<UserId>,
    pub lot: Option<LotId>,
    pub spot: Option<SpotId>,
    pub state: Option<ReservationState>,
    /// Those that have their spot, or those that no longer do.
    pub has_spot: Option<bool>,
    /// Those that end after this.
    pub from: Option<Timestamp>,
    /// Those that begin before this.
    pub until: Option<Timestamp>,
    pub search: Option<String>,
    /// Begin and id of the last one of the page before.
    pub after: Option<(Timestamp, ReservationId)>,
    /// The latest first.
    pub descending: bool,
    pub limit: i64,
}

macro_rules! listed {
    ($compare:literal, $order:literal) => {
        select!(
            "where r.organization_id = $1 and ($2 is null or r.user_id = $2) and ($3 is null or r.lot_id = $3)
                 and ($4 is null or r.spot_id = $4) and ($5 is null or r.state = $5)
                 and ($6 is null or (r.state in ('held', 'confirmed', 'checked_in')) = $6)
                 and ($7 is null or r.end_at > $7) and ($8 is null or r.start_at < $8)
                 and ($9 is null or lower(r.name) like lower($9) escape '\\' or lower(r.email) like lower($9) escape '\\'
                     or lower(r.plate) like lower($9) escape '\\' or lower(coalesce(s.code, '')) like lower($9) escape '\\')
                 and ($10 is null or (r.start_at, r.id) ",
            $compare,
            " ($10, $11)) order by r.start_at ",
            $order,
            ", r.id ",
            $order,
            " limit $12"
        )
    };
}

pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<Vec<Reservation>> {
    let sql = if filter.descending { listed!("<", "desc") } else { listed!(">", "asc") };
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(sql)
        .bind(organization).bind(filter.user).bind(filter.lot).bind(filter.spot)
        .bind(filter.state.map(ReservationState::as_str)).bind(filter.has_spot).bind(filter.from).bind(filter.until)
        .bind(filter.search.as_deref().map(like)).bind(filter.after.map(|after| after.0))
        .bind(filter.after.map(|after| after.1)).bind(filter.limit).fetch_all(conn).await)?;
    rows.into_iter().map(Reservation::try_from).collect()
}

/// Makes it, or changes it; who has not come by `no_show_at` loses it. False: another reservation of the spot overlaps; the transaction is of no use then.
pub async fn save(
    tx: &mut Tx,
    organization: OrganizationId,
    one: &Reservation,
    no_show_at: Option<Timestamp>,
    by: &str,
) -> Result<bool> {
    let price = serde_json::to_string(&one.price).map_err(Error::internal)?;
    let done = on_db!(tx, conn => sqlx::query(
        "insert into parking_reservation (id, organization_id, lot_id, spot_id, user_id, name, email, phone, plate, notes,
             start_at, end_at, state, hold_until, checked_in_at, checked_out_at, tariff_id, tariff_version, price,
             amount_minor, currency, payment_status, paid_minor, refunded_minor, created_by, created_at, updated_at,
             no_show_at, adjustment_minor)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
             $24, $25, $26, $27, $28, $29)
         on conflict (id) do update set lot_id = excluded.lot_id, spot_id = excluded.spot_id, phone = excluded.phone,
             plate = excluded.plate, notes = excluded.notes, start_at = excluded.start_at, end_at = excluded.end_at,
             state = excluded.state, hold_until = excluded.hold_until, checked_in_at = excluded.checked_in_at,
             checked_out_at = excluded.checked_out_at, price = excluded.price, amount_minor = excluded.amount_minor,
             payment_status = excluded.payment_status, paid_minor = excluded.paid_minor,
             refunded_minor = excluded.refunded_minor, updated_at = excluded.updated_at,
             no_show_at = excluded.no_show_at, adjustment_minor = excluded.adjustment_minor",
    )
    .bind(one.id).bind(organization).bind(one.lot_id).bind(one.spot_key).bind(one.user_id).bind(&one.user_name)
    .bind(&one.user_email).bind(one.user_phone.as_deref().unwrap_or_default()).bind(&one.plate).bind(&one.notes)
    .bind(one.start_time).bind(one.end_time).bind(one.state.as_str()).bind(one.hold_until).bind(one.check_in_time)
    .bind(one.check_out_time).bind(one.tariff_id).bind(one.tariff_version).bind(price).bind(one.amount_minor)
    .bind(&one.currency).bind(one.payment_status.as_str()).bind(one.paid_minor).bind(one.refunded_minor).bind(by)
    .bind(one.created_at).bind(one.updated_at).bind(no_show_at).bind(one.adjustment_minor).execute(conn).await.map(drop));
    match done {
        Ok(()) => Ok(true),
        Err(error) if is_overlap(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How far it has come, and what was paid.
pub async fn set_step(tx: &mut Tx, organization: OrganizationId, one: &Reservation) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update parking_reservation set state = $3, hold_until = $4, checked_in_at = $5, checked_out_at = $6,
             payment_status = $7, paid_minor = $8, refunded_minor = $9, updated_at = $10,
             paid_on_site_at = $11, adjustment_minor = $12
         where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(one.id).bind(one.state.as_str()).bind(one.hold_until).bind(one.check_in_time)
    .bind(one.check_out_time).bind(one.payment_status.as_str()).bind(one.paid_minor).bind(one.refunded_minor)
    .bind(one.updated_at).bind(one.paid_on_site_at).bind(one.adjustment_minor).execute(conn).await.map(drop))?;
    Ok(())
}

/// Spots whose noted reservation is over.
pub async fn spots_to_refresh(tx: &mut Tx, now: Timestamp) -> Result<Vec<(OrganizationId, SpotId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, id from parking_spot where reserved_until is not null and reserved_until <= $1 limit 1000",
    ).bind(now).fetch_all(conn).await)?)
}

/// PostgreSQL: exclusion violation; SQLite: what the trigger says.
fn is_overlap(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        error.code().as_deref() == Some("23P01") || error.message().contains("parking_reservation_overlap")
    })
}

/// The spots of a lot, or this one, that somebody has in a time.
pub async fn taken(tx: &mut Tx, lot: LotId, from: Timestamp, until: Timestamp) -> Result<Vec<(SpotId, ReservationId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select spot_id, id from parking_reservation
         where lot_id = $1 and state in ('held', 'confirmed', 'checked_in') and start_at < $3 and end_at > $2",
    ).bind(lot).bind(from).bind(until).fetch_all(conn).await)?)
}

/// Notes at the spot which reservation is its present or next one.
pub async fn refresh_spot(tx: &mut Tx, spot: SpotId, now: Timestamp, version: i64) -> Result<()> {
    let next: Option<(Timestamp, Timestamp, ReservationId)> = on_db!(&mut *tx, conn => sqlx::query_as(
        "select start_at, end_at, id from parking_reservation
         where spot_id = $1 and state in ('held', 'confirmed', 'checked_in') and end_at > $2 order by start_at limit 1",
    ).bind(spot).bind(now).fetch_optional(conn).await)?;
    let (from, until, id) = next.map_or((None, None, None), |(from, until, id)| (Some(from), Some(until), Some(id)));
    on_db!(tx, conn => sqlx::query(
        "update parking_spot set reserved_from = $2, reserved_until = $3, reservation_id = $4, version = $5 where id = $1",
    ).bind(spot).bind(from).bind(until).bind(id).bind(version).execute(conn).await.map(drop))?;
    Ok(())
}

/// What the clock has ended: holds that nobody paid, times that are over, those who did not come.
pub async fn due(tx: &mut Tx, now: Timestamp) -> Result<Vec<(OrganizationId, ReservationId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, id from parking_reservation where state = 'held' and hold_until <= $1
         union all
         select organization_id, id from parking_reservation where state = 'checked_in' and end_at <= $1
         union all
         select r.organization_id, r.id from parking_reservation r
         where r.state = 'confirmed' and r.start_at <= $1 and (r.end_at <= $1 or r.no_show_at <= $1)
         limit 1000",
    ).bind(now).fetch_all(conn).await)?)
}

/// The confirmed reservation whose time at a spot a moment is in.
pub async fn expected(
    tx: &mut Tx,
    organization: OrganizationId,
    spot: SpotId,
    at: Timestamp,
    early_ms: i64,
) -> Result<Option<Reservation>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select!(
        "where r.organization_id = $1 and r.spot_id = $2 and r.state = 'confirmed' and r.start_at <= $3 + $4
             and r.end_at > $3 order by r.start_at limit 1"))
        .bind(organization).bind(spot).bind(at).bind(early_ms).fetch_optional(conn).await)?;
    row.map(Reservation::try_from).transpose()
}

/// The reservations of an account that have their spot, in lots that this door leads into and whose time is not over; the
/// next first.
pub async fn behind_gate(
    tx: &mut Tx,
    organization: OrganizationId,
    door: DoorId,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<Reservation>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select!(
        "where r.organization_id = $1 and r.user_id = $2 and l.gate_door_id = $3 and r.end_at > $4
             and r.state in ('confirmed', 'checked_in') order by r.start_at limit 10"))
        .bind(organization).bind(user).bind(door).bind(now).fetch_all(conn).await)?;
    rows.into_iter().map(Reservation::try_from).collect()
}

/// How many of a lot, a level or a spot still have their spot.
pub async fn count_active(tx: &mut Tx, organization: OrganizationId, spots: Active) -> Result<i64> {
    let (lot, level, spot) = match spots {
        Active::Lot(lot) => (Some(lot), None, None),
        Active::Level(level) => (None, Some(level), None),
        Active::Spot(spot) => (None, None, Some(spot)),
    };
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from parking_reservation r left join parking_spot s on s.id = r.spot_id
         where r.organization_id = $1 and r.state in ('held', 'confirmed', 'checked_in')
             and ($2 is null or r.lot_id = $2) and ($3 is null or s.level_id = $3) and ($4 is null or r.spot_id = $4)",
    ).bind(organization).bind(lot).bind(level).bind(spot).fetch_one(conn).await)?)
}

/// Where reservations are looked for.
#[derive(Debug, Clone, Copy)]
pub enum Active {
    Lot(LotId),
    Level(portico_model::ParkingLevelId),
    Spot(SpotId),
}

/// What is kept of a person who is gone: that somebody had the spot, not who. `label`: as `created_by`.
pub async fn forget_person(tx: &mut Tx, organization: OrganizationId, label: &str, pseudonym: &str) -> Result<()> {
    for sql in [
        "update parking_reservation set user_id = null, name = $3, email = '', phone = '', plate = '', notes = ''
         where organization_id = $1 and created_by = $2 and user_id is not null",
        "update parking_reservation set created_by = $3 where organization_id = $1 and created_by = $2",
    ] {
        on_db!(&mut *tx, conn => sqlx::query(sql).bind(organization).bind(label).bind(pseudonym).execute(conn).await
            .map(drop))?;
    }
    Ok(())
}
