//! SQL of stays without an account.

use portico_model::parking::reservation::ReservationState;
use portico_model::parking::walk_up::NextReservation;
use portico_model::{OrganizationId, ReservationId, SpotId, Timestamp};
use portico_platform::{Result, Tx, on_db};

pub async fn organization_of_spot(tx: &mut Tx, key: SpotId) -> Result<Option<OrganizationId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar("select organization_id from parking_spot where id = $1")
        .bind(key).fetch_optional(conn).await)?)
}

/// The reservation of a spot that is under way or comes next, but for this one.
pub async fn next_of_spot(
    tx: &mut Tx,
    spot: SpotId,
    now: Timestamp,
    but: Option<ReservationId>,
) -> Result<Option<NextReservation>> {
    let next: Option<(String, Timestamp, Timestamp)> = on_db!(tx, conn => sqlx::query_as(
        "select state, start_at, end_at from parking_reservation
         where spot_id = $1 and state in ('held', 'confirmed', 'checked_in') and end_at > $2 and ($3 is null or id <> $3)
         order by start_at limit 1",
    ).bind(spot).bind(now).bind(but).fetch_optional(conn).await)?;
    Ok(next
        .and_then(|(state, start, end)| Some(NextReservation { state: ReservationState::parse(&state)?, start, end })))
}

pub async fn set_hash(tx: &mut Tx, organization: OrganizationId, id: ReservationId, hash: &[u8; 32]) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update parking_reservation set guest_hash = $3 where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).bind(hash.as_slice()).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn find_by_hash(tx: &mut Tx, hash: &[u8; 32]) -> Result<Option<(OrganizationId, ReservationId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as("select organization_id, id from parking_reservation where guest_hash = $1")
        .bind(hash.as_slice()).fetch_optional(conn).await)?)
}

/// Blanks who parked, in stays that ended before; how many.
pub async fn forget_guests(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update parking_reservation set name = '', email = '', phone = '', plate = '', notes = ''
         where guest_hash is not null and end_at < $1 and state not in ('held', 'confirmed', 'checked_in')
             and (name <> '' or email <> '' or phone <> '' or plate <> '' or notes <> '')",
    ).bind(before).execute(conn).await.map(|done| done.rows_affected()))?)
}
