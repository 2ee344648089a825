//! SQL of sessions.

use portico_model::parking::session::{ParkingSession, SessionSource, plate_key};
use portico_model::parking::tariff::Price;
use portico_model::{
    LotId, OrganizationId, ParkingSessionId, PermitId, ReservationId, SpotId, TariffId, Timestamp, UserId,
};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: ParkingSessionId,
    lot_id: LotId,
    lot_name: Option<String>,
    time_zone: Option<String>,
    building_zone: Option<String>,
    code: Option<String>,
    spot_id: Option<SpotId>,
    plate: String,
    source: String,
    entered_at: Timestamp,
    left_at: Option<Timestamp>,
    reservation_id: Option<ReservationId>,
    permit_id: Option<PermitId>,
    covered_until: Option<Timestamp>,
    grace_minutes: i64,
    may_stay_until: Option<Timestamp>,
    tariff_id: Option<TariffId>,
    tariff_version: Option<i64>,
    price: String,
    amount_minor: i64,
    currency: String,
    paid_minor: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for ParkingSession {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let source = SessionSource::parse(&row.source)
            .ok_or_else(|| Error::internal(format!("parking_session.source holds {:?}", row.source)))?;
        let price: Price = serde_json::from_str(&row.price).map_err(Error::internal)?;
        let building = row.building_zone.filter(|zone| !zone.is_empty());
        Ok(Self {
            id: row.id,
            lot_id: row.lot_id,
            lot_name: row.lot_name.unwrap_or_default(),
            time_zone: row.time_zone.or(building).unwrap_or_else(|| "UTC".to_owned()),
            spot_id: row.code,
            spot_key: row.spot_id,
            plate: row.plate,
            source,
            entered_at: row.entered_at,
            left_at: row.left_at,
            reservation_id: row.reservation_id,
            permit_id: row.permit_id,
            covered_until: row.covered_until,
            grace_minutes: row.grace_minutes,
            may_stay_until: row.may_stay_until,
            is_overstaying: false,
            tariff_id: row.tariff_id,
            tariff_version: row.tariff_version,
            price,
            amount_minor: row.amount_minor,
            currency: row.currency,
            paid_minor: row.paid_minor,
            due_minor: (row.amount_minor - row.paid_minor).max(0),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Which to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub id: Option<ParkingSessionId>,
    pub lot: Option<LotId>,
    /// Those that are there, or those that have left.
    pub is_open: Option<bool>,
    /// Those that are there for longer than they may at this moment, or those that are not.
    pub overstaying_at: Option<(bool, Timestamp)>,
    /// A part of it, in any way of writing.
    pub plate: Option<String>,
    /// Those that a reservation or permit of this person covers.
    pub user: Option<UserId>,
    /// When the last one of the page before came, and its id.
    pub after: Option<(Timestamp, ParkingSessionId)>,
    pub limit: i64,
}

/// The latest first. A permit covers until its end, or until it was revoked before that.
const LISTED: &str = "
    select x.id, x.lot_id, x.lot_name, x.time_zone, x.building_zone, x.code, x.spot_id, x.plate, x.source, x.entered_at,
        x.left_at, x.reservation_id, x.permit_id, x.covered_until, x.grace_minutes, x.may_stay_until, x.tariff_id,
        x.tariff_version, x.price, x.amount_minor, x.currency, x.paid_minor, x.created_at, x.updated_at
    from (
        select s.id, s.lot_id, l.name as lot_name, l.time_zone,
            (select o.time_zone from organization_settings o where o.organization_id = s.organization_id) as building_zone,
            p.code, s.spot_id, s.plate, s.plate_key, s.source, s.entered_at, s.left_at, s.reservation_id, s.permit_id,
            case when s.reservation_id is not null then r.end_at
                when m.revoked_at < m.valid_until then m.revoked_at
                else coalesce(m.valid_until, m.revoked_at) end as covered_until,
            s.grace_minutes, s.may_stay_until, s.tariff_id, s.tariff_version, s.price, s.amount_minor, s.currency,
            s.paid_minor, s.created_at, s.updated_at, r.user_id as driver_id, m.user_id as holder_id
        from parking_session s
        left join parking_lot l on l.id = s.lot_id
        left join parking_spot p on p.id = s.spot_id
        left join parking_reservation r on r.id = s.reservation_id
        left join parking_permit m on m.id = s.permit_id
        where s.organization_id = $1
    ) x
    where ($2 is null or x.id = $2) and ($3 is null or x.lot_id = $3) and ($4 is null or (x.left_at is null) = $4)
        and ($5 is null or $6 = coalesce(
            x.left_at is null and coalesce(x.covered_until + x.grace_minutes * 60000, x.may_stay_until) < $5, false))
        and ($7 is null or x.plate_key like $7) and ($8 is null or x.driver_id = $8 or x.holder_id = $8)
        and ($9 is null or (x.entered_at, x.id) < ($9, $10))
    order by x.entered_at desc, x.id desc limit $11";

/// As stored: what one that is still there costs so far is not known here.
pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<Vec<ParkingSession>> {
    // Letters and digits alone: no wild card is among them.
    let plate = filter.plate.as_deref().map(|plate| format!("%{}%", plate_key(plate)));
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(LISTED)
        .bind(organization).bind(filter.id).bind(filter.lot).bind(filter.is_open)
        .bind(filter.overstaying_at.map(|(_, at)| at)).bind(filter.overstaying_at.map(|(is, _)| is)).bind(plate).bind(filter.user).bind(filter.after.map(|after| after.0)).bind(filter.after.map(|after| after.1))
        .bind(filter.limit).fetch_all(conn).await)?;
    rows.into_iter().map(ParkingSession::try_from).collect()
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: ParkingSessionId) -> Result<Option<ParkingSession>> {
    let filter = Filter { id: Some(id), limit: 1, ..Filter::default() };
    Ok(list(tx, organization, &filter).await?.pop())
}

/// One that is there now.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Open {
    pub id: ParkingSessionId,
    pub plate_key: String,
    pub spot_id: Option<SpotId>,
}

/// Those in a lot with this plate (none when it is empty) or at this spot: two at most.
pub async fn open(
    tx: &mut Tx,
    organization: OrganizationId,
    lot: LotId,
    plate: &str,
    spot: Option<SpotId>,
) -> Result<Vec<Open>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, plate_key, spot_id from parking_session
         where organization_id = $1 and lot_id = $2 and left_at is null
             and ((plate_key = $3 and plate_key <> '') or spot_id = $4)",
    ).bind(organization).bind(lot).bind(plate).bind(spot).fetch_all(conn).await)?)
}

/// The last one with this plate, or at this spot, that left a lot then or later and had come by `entered_by`.
pub async fn last_left(
    tx: &mut Tx,
    organization: OrganizationId,
    lot: LotId,
    (plate, spot): (&str, Option<SpotId>),
    left_from: Timestamp,
    entered_by: Timestamp,
) -> Result<Option<ParkingSessionId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from parking_session
         where organization_id = $1 and lot_id = $2 and left_at >= $5 and entered_at <= $6
             and ((plate_key = $3 and plate_key <> '') or spot_id = $4)
         order by left_at desc, id desc limit 1",
    ).bind(organization).bind(lot).bind(plate).bind(spot).bind(left_from).bind(entered_by).fetch_optional(conn).await)?)
}

/// A new one. The database refuses a second one of a plate in a lot, or of a spot.
pub async fn insert(tx: &mut Tx, organization: OrganizationId, one: &ParkingSession) -> Result<()> {
    let price = serde_json::to_string(&one.price).map_err(Error::internal)?;
    on_db!(tx, conn => sqlx::query(
        "insert into parking_session (id, organization_id, lot_id, spot_id, plate, plate_key, source, entered_at, left_at,
             reservation_id, permit_id, grace_minutes, may_stay_until, tariff_id, tariff_version, price, amount_minor, currency,
             paid_minor, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
    )
    .bind(one.id).bind(organization).bind(one.lot_id).bind(one.spot_key).bind(&one.plate).bind(plate_key(&one.plate))
    .bind(one.source.as_str()).bind(one.entered_at).bind(one.left_at).bind(one.reservation_id).bind(one.permit_id)
    .bind(one.grace_minutes).bind(one.may_stay_until).bind(one.tariff_id).bind(one.tariff_version).bind(price)
    .bind(one.amount_minor).bind(&one.currency).bind(one.paid_minor).bind(one.created_at).bind(one.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// Where it stands, when it left, what it costs and what was paid.
pub async fn update(tx: &mut Tx, organization: OrganizationId, one: &ParkingSession) -> Result<()> {
    let price = serde_json::to_string(&one.price).map_err(Error::internal)?;
    on_db!(tx, conn => sqlx::query(
        "update parking_session set spot_id = $3, left_at = $4, price = $5, amount_minor = $6, paid_minor = $7,
             updated_at = $8
         where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(one.id).bind(one.spot_key).bind(one.left_at).bind(price).bind(one.amount_minor)
    .bind(one.paid_minor).bind(one.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// Reservations of a lot whose time a moment is in: id, plate, spot, the first to begin first.
pub async fn reservations_at(
    tx: &mut Tx,
    organization: OrganizationId,
    lot: LotId,
    at: Timestamp,
    early_ms: i64,
) -> Result<Vec<(ReservationId, String, SpotId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, plate, spot_id from parking_reservation
         where organization_id = $1 and lot_id = $2 and state in ('confirmed', 'checked_in') and start_at <= $3
             and end_at > $4 order by start_at, id",
    ).bind(organization).bind(lot).bind(at.plus_millis(early_ms)).bind(at).fetch_all(conn).await)?)
}

/// Forgets the plates of vehicles that left before this. How many.
pub async fn forget_plates(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update parking_session set plate = '', plate_key = '' where plate_key <> '' and left_at < $1",
    ).bind(before).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// Forgets the plates with which somebody came on a reservation or permit of his, as far as he has left.
pub async fn forget_plates_of(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update parking_session set plate = '', plate_key = ''
         where organization_id = $1 and left_at is not null
             and (reservation_id in (select id from parking_reservation where organization_id = $1 and user_id = $2)
                 or permit_id in (select id from parking_permit where organization_id = $1 and user_id = $2))",
    ).bind(organization).bind(user).execute(conn).await.map(drop))?;
    Ok(())
}
