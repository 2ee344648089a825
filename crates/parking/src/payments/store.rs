//! SQL of payments, refunds, and what Stripe told us.

use portico_model::{OrganizationId, PaymentId, RefundId, ReservationId, Timestamp};
use portico_platform::{Result, Tx, on_db};

/// What is to be paid, or was.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Payment {
    pub id: PaymentId,
    pub organization_id: OrganizationId,
    pub reservation_id: ReservationId,
    pub intent_id: Option<String>,
    pub state: String,
    pub amount_minor: i64,
    pub currency: String,
    pub refunded_minor: i64,
    pub problem: String,
    pub attempts: i64,
    pub next_at: Timestamp,
    /// When Stripe told us that it is paid.
    pub paid_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

pub const WANTED: &str = "wanted";
pub const OPEN: &str = "open";
pub const PAID: &str = "paid";
pub const CANCELLED: &str = "cancelled";
pub const MISMATCH: &str = "mismatch";

/// Of refunds: Stripe has it, and it is on its way, has arrived, or came back.
pub const PENDING: &str = "pending";
pub const DONE: &str = "done";
pub const FAILED: &str = "failed";

impl Payment {
    /// Whether somebody may still pay it.
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), WANTED | OPEN)
    }
}

macro_rules! payment {
    ($rest:literal) => {
        concat!(
            "select id, organization_id, reservation_id, intent_id, state, amount_minor, currency, refunded_minor, problem,
                 attempts, next_at, paid_at, created_at, updated_at from parking_payment ",
            $rest
        )
    };
}

pub async fn payment(tx: &mut Tx, id: PaymentId) -> Result<Option<Payment>> {
    Ok(on_db!(tx, conn => sqlx::query_as(payment!("where id = $1")).bind(id).fetch_optional(conn).await)?)
}

pub async fn of_intent(tx: &mut Tx, intent: &str) -> Result<Option<Payment>> {
    Ok(on_db!(tx, conn => sqlx::query_as(payment!("where intent_id = $1")).bind(intent).fetch_optional(conn).await)?)
}

/// The newest last.
pub async fn of_reservation(tx: &mut Tx, reservation: ReservationId) -> Result<Vec<Payment>> {
    Ok(on_db!(tx, conn => sqlx::query_as(payment!("where reservation_id = $1 order by id"))
        .bind(reservation).fetch_all(conn).await)?)
}

/// Makes it, or notes how it stands.
pub async fn save(tx: &mut Tx, one: &Payment) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into parking_payment (id, organization_id, reservation_id, intent_id, state, amount_minor, currency,
             refunded_minor, problem, attempts, next_at, created_at, updated_at, paid_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         on conflict (id) do update set intent_id = excluded.intent_id, state = excluded.state,
             refunded_minor = excluded.refunded_minor, problem = excluded.problem, attempts = excluded.attempts,
             next_at = excluded.next_at, updated_at = excluded.updated_at, paid_at = excluded.paid_at",
    )
    .bind(one.id).bind(one.organization_id).bind(one.reservation_id).bind(&one.intent_id).bind(&one.state)
    .bind(one.amount_minor).bind(&one.currency).bind(one.refunded_minor).bind(&one.problem).bind(one.attempts)
    .bind(one.next_at).bind(one.created_at).bind(one.updated_at).bind(one.paid_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// Stripe is asked about it now, and again then. Whatever has become of it meanwhile stays.
pub async fn note_asked(tx: &mut Tx, id: PaymentId, attempts: i64, next_at: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update parking_payment set attempts = $2, next_at = $3 where id = $1 and state in ('wanted', 'open')",
    ).bind(id).bind(attempts).bind(next_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// Nobody needs it, and Stripe has not answered with a name for it.
pub async fn drop_wanted(tx: &mut Tx, id: PaymentId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update parking_payment set state = 'cancelled', updated_at = $2
         where id = $1 and state in ('wanted', 'open') and intent_id is null",
    ).bind(id).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Those about which Stripe is to be asked now.
pub async fn to_ask(tx: &mut Tx, now: Timestamp) -> Result<Vec<PaymentId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from parking_payment where state in ('wanted', 'open') and next_at <= $1 order by next_at limit 100",
    ).bind(now).fetch_all(conn).await)?)
}

/// The reservation is over: what nobody has paid is to be called off.
pub async fn hurry(tx: &mut Tx, reservation: ReservationId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update parking_payment set next_at = $2 where reservation_id = $1 and state in ('wanted', 'open')",
    ).bind(reservation).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// What is to be given back, or was.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Refund {
    pub id: RefundId,
    pub organization_id: OrganizationId,
    pub payment_id: PaymentId,
    pub reservation_id: ReservationId,
    pub refund_id: Option<String>,
    pub state: String,
    pub amount_minor: i64,
    pub reason: String,
    pub problem: String,
    pub attempts: i64,
    pub next_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

macro_rules! refund {
    ($rest:literal) => {
        concat!(
            "select id, organization_id, payment_id, reservation_id, refund_id, state, amount_minor, reason, problem, attempts,
                 next_at, created_at, updated_at from parking_refund ",
            $rest
        )
    };
}

pub async fn refund(tx: &mut Tx, id: RefundId) -> Result<Option<Refund>> {
    Ok(on_db!(tx, conn => sqlx::query_as(refund!("where id = $1")).bind(id).fetch_optional(conn).await)?)
}

pub async fn refund_of_stripe(tx: &mut Tx, id: &str) -> Result<Option<Refund>> {
    Ok(on_db!(tx, conn => sqlx::query_as(refund!("where refund_id = $1")).bind(id).fetch_optional(conn).await)?)
}

pub async fn refunds_of(tx: &mut Tx, payment: PaymentId) -> Result<Vec<Refund>> {
    Ok(on_db!(tx, conn => sqlx::query_as(refund!("where payment_id = $1 order by id"))
        .bind(payment).fetch_all(conn).await)?)
}

/// So much of what was paid for a reservation Stripe is yet to be asked to give back, minor units.
pub async fn wanted_refunds(tx: &mut Tx, reservation: ReservationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select cast(coalesce(sum(amount_minor), 0) as bigint) from parking_refund
         where reservation_id = $1 and state = 'wanted'",
    ).bind(reservation).fetch_one(conn).await)?)
}

pub async fn save_refund(tx: &mut Tx, one: &Refund) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into parking_refund (id, organization_id, payment_id, reservation_id, refund_id, state, amount_minor, reason,
             problem, attempts, next_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (id) do update set refund_id = excluded.refund_id, state = excluded.state,
             problem = excluded.problem, attempts = excluded.attempts, next_at = excluded.next_at,
             updated_at = excluded.updated_at",
    )
    .bind(one.id).bind(one.organization_id).bind(one.payment_id).bind(one.reservation_id).bind(&one.refund_id)
    .bind(&one.state).bind(one.amount_minor).bind(&one.reason).bind(&one.problem).bind(one.attempts).bind(one.next_at)
    .bind(one.created_at).bind(one.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn refunds_to_do(tx: &mut Tx, now: Timestamp) -> Result<Vec<RefundId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from parking_refund where state = 'wanted' and next_at <= $1 order by next_at limit 100",
    ).bind(now).fetch_all(conn).await)?)
}

/// Keeps what Stripe told us. False: it was told before.
pub async fn add_event(tx: &mut Tx, id: &str, body: &str, now: Timestamp) -> Result<bool> {
    let added = on_db!(tx, conn => sqlx::query(
        "insert into parking_stripe_event (event_id, body, received_at, attempts, next_at, problem)
         values ($1, $2, $3, 0, $3, '') on conflict do nothing",
    ).bind(id).bind(body).bind(now).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(added > 0)
}

/// What is to be worked off: id, text, how often it was tried.
pub async fn events_to_do(tx: &mut Tx, now: Timestamp) -> Result<Vec<(String, String, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select event_id, body, attempts from parking_stripe_event where handled_at is null and next_at <= $1
         order by received_at limit 100",
    ).bind(now).fetch_all(conn).await)?)
}

/// It is worked off, and its text is not needed any more; or it is to be tried again.
pub async fn note_event(
    tx: &mut Tx,
    id: &str,
    handled_at: Option<Timestamp>,
    next_at: Timestamp,
    problem: &str,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update parking_stripe_event set handled_at = $2, next_at = $3, problem = $4, attempts = attempts + 1,
             body = case when $5 then '' else body end
         where event_id = $1",
    ).bind(id).bind(handled_at).bind(next_at).bind(problem).bind(handled_at.is_some()).execute(conn).await.map(drop))?;
    Ok(())
}

/// Forgets those that were worked off before.
pub async fn forget_events(tx: &mut Tx, before: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from parking_stripe_event where handled_at < $1")
        .bind(before).execute(conn).await.map(drop))?;
    Ok(())
}
