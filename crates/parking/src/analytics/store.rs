//! SQL of what is known of the past, and of forecasts.

use portico_model::parking::spot::SpotState;
use portico_model::{LotId, OrganizationId, Timestamp};
use portico_platform::{Result, Tx, on_db};

/// A quarter of an hour.
pub const SLOT_MS: i64 = 15 * 60_000;

/// The quarter of an hour in which a moment lies.
pub const fn slot_of(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis() - at.millis().rem_euclid(SLOT_MS))
}

/// What is added to a quarter of an hour of a lot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Slot {
    pub at: Timestamp,
    /// Sums over the samples.
    pub occupied: i64,
    pub capacity: i64,
    pub samples: i64,
    pub arrivals: i64,
    pub departures: i64,
    pub stayed_ms: i64,
}

pub async fn add(tx: &mut Tx, organization: OrganizationId, lot: LotId, slot: &Slot) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into parking_slot (lot_id, at, organization_id, occupied, capacity, samples, arrivals, departures, stayed_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (lot_id, at) do update set occupied = parking_slot.occupied + excluded.occupied,
             capacity = parking_slot.capacity + excluded.capacity, samples = parking_slot.samples + excluded.samples,
             arrivals = parking_slot.arrivals + excluded.arrivals,
             departures = parking_slot.departures + excluded.departures,
             stayed_ms = parking_slot.stayed_ms + excluded.stayed_ms",
    )
    .bind(lot).bind(slot.at).bind(organization).bind(slot.occupied).bind(slot.capacity).bind(slot.samples)
    .bind(slot.arrivals).bind(slot.departures).bind(slot.stayed_ms).execute(conn).await.map(drop))?;
    Ok(())
}

/// One of another system: takes the place of what was there.
pub async fn put(tx: &mut Tx, organization: OrganizationId, lot: LotId, slot: &Slot) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into parking_slot (lot_id, at, organization_id, occupied, capacity, samples, arrivals, departures, stayed_ms)
         values ($1, $2, $3, $4, $5, $6, 0, 0, 0)
         on conflict (lot_id, at) do update set occupied = excluded.occupied, capacity = excluded.capacity,
             samples = excluded.samples",
    )
    .bind(lot).bind(slot.at).bind(organization).bind(slot.occupied).bind(slot.capacity).bind(slot.samples)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// From, until before; by time.
pub async fn slots(
    tx: &mut Tx,
    organization: OrganizationId,
    lot: LotId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Slot>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select at, occupied, capacity, samples, arrivals, departures, stayed_ms from parking_slot
         where organization_id = $1 and lot_id = $2 and at >= $3 and at < $4 order by at",
    ).bind(organization).bind(lot).bind(from).bind(until).fetch_all(conn).await)?)
}

/// A spot is no longer as it was: somebody came, or left after so long.
pub async fn note_change(
    tx: &mut Tx,
    organization: OrganizationId,
    lot: LotId,
    before: Option<(SpotState, Timestamp)>,
    now: (SpotState, Timestamp),
) -> Result<()> {
    let came = now.0 == SpotState::Occupied && before.is_none_or(|(state, _)| state != SpotState::Occupied);
    let left = before.filter(|(state, _)| *state == SpotState::Occupied && now.0 == SpotState::Free);
    if !came && left.is_none() {
        return Ok(());
    }
    let slot = Slot {
        at: slot_of(now.1),
        arrivals: i64::from(came),
        departures: i64::from(left.is_some()),
        stayed_ms: left.map_or(0, |(_, since)| now.1.millis_since(since).max(0)),
        ..Slot::default()
    };
    add(tx, organization, lot, &slot).await
}

/// What reservations that began in a time have brought: begin, currency, paid less given back.
pub async fn revenue(
    tx: &mut Tx,
    organization: OrganizationId,
    lot: LotId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(Timestamp, String, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select start_at, currency, paid_minor - refunded_minor from parking_reservation
         where organization_id = $1 and lot_id = $2 and start_at >= $3 and start_at < $4 and paid_minor > refunded_minor",
    ).bind(organization).bind(lot).bind(from).bind(until).fetch_all(conn).await)?)
}

/// All lots, to be looked at.
pub async fn lots(tx: &mut Tx) -> Result<Vec<(OrganizationId, LotId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as("select organization_id, id from parking_lot order by organization_id, id")
        .fetch_all(conn).await)?)
}

/// Lots whose forecast is older than this, or that have none.
pub async fn without_forecast_since(tx: &mut Tx, since: Timestamp) -> Result<Vec<(OrganizationId, LotId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select l.organization_id, l.id from parking_lot l left join parking_forecast f on f.lot_id = l.id
         where f.made_at is null or f.made_at < $1 order by l.id limit 100",
    ).bind(since).fetch_all(conn).await)?)
}

pub async fn save_forecast(
    tx: &mut Tx,
    organization: OrganizationId,
    lot: LotId,
    made_at: Timestamp,
    body: &str,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into parking_forecast (lot_id, organization_id, made_at, body) values ($1, $2, $3, $4)
         on conflict (lot_id) do update set made_at = excluded.made_at, body = excluded.body",
    ).bind(lot).bind(organization).bind(made_at).bind(body).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn forecast(tx: &mut Tx, organization: OrganizationId, lot: LotId) -> Result<Option<String>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select body from parking_forecast where organization_id = $1 and lot_id = $2",
    ).bind(organization).bind(lot).fetch_optional(conn).await)?)
}
