//! Giving money back.

use portico_alarms::{Reach, Report, Subject};
use portico_model::alarms::Severity;
use portico_model::identity::Permission;
use portico_model::parking::reservation::{PaymentStatus, Reservation};
use portico_model::{RefundId, ReservationId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::intents::{entry, intent_id, key};
use super::store::{self, Payment, Refund};
use super::stripe::{self, NewRefund, RefundStatus};
use crate::Parking;
use crate::reservations::store as reservations;

/// Stripe forgets our keys after a day at the earliest: before that it is for people to look whether it was done.
const GIVE_UP_MS: i64 = 20 * 3_600_000;

/// Between two attempts, seconds: longer with each, an hour at most.
pub(super) const fn pause_s(attempts: i64) -> i64 {
    let doubled = 15_i64 << if attempts > 8 { 8 } else { attempts };
    if doubled > 3_600 { 3_600 } else { doubled }
}

/// To be given back, once Stripe can be reached. In the transaction that makes it so.
pub(super) async fn want(
    tx: &mut Tx,
    payment: &Payment,
    amount_minor: i64,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    let refund = Refund {
        id: RefundId::generate(),
        organization_id: payment.organization_id,
        payment_id: payment.id,
        reservation_id: payment.reservation_id,
        refund_id: None,
        state: store::WANTED.to_owned(),
        amount_minor,
        reason: reason.to_owned(),
        problem: String::new(),
        attempts: 0,
        next_at: now,
        created_at: now,
        updated_at: now,
    };
    store::save_refund(tx, &refund).await
}

/// What of a payment is not given back, and not about to be.
async fn left(tx: &mut Tx, payment: &Payment) -> Result<i64> {
    let refunds = store::refunds_of(tx, payment.id).await?;
    let ours: i64 = refunds.iter().filter(|one| one.state != store::FAILED).map(|one| one.amount_minor).sum();
    Ok(payment.amount_minor - ours.max(payment.refunded_minor))
}

impl Parking {
    /// So much of what was paid online is to be given back; what is, for it may be less. In the caller's transaction.
    pub(crate) async fn give_back(
        &self,
        tx: &mut Tx,
        one: &Reservation,
        amount_minor: i64,
        reason: &str,
    ) -> Result<i64> {
        let mut rest = amount_minor;
        for payment in store::of_reservation(tx, one.id).await?.iter().filter(|payment| payment.state == store::PAID) {
            let part = left(tx, payment).await?.min(rest);
            if part > 0 {
                want(tx, payment, part, reason, self.0.platform.clock.now()).await?;
                rest -= part;
            }
        }
        Ok(amount_minor - rest)
    }

    /// Gives back what was paid online, all that is left or a part. Permission: `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when so much is not left.
    pub async fn refund(&self, actor: &Actor, id: ReservationId, amount_minor: Option<i64>) -> Result<Reservation> {
        actor.require(Permission::OperateParking)?;
        let (mut tx, _, _) = self.begin_spots(actor.organization).await?;
        let one = self.visible(&mut tx, actor, id, Permission::OperateParking).await?;
        if amount_minor.is_some_and(|amount| amount <= 0) {
            return Err(Error::field("amount_minor", "above 0"));
        }
        let wanted = amount_minor.unwrap_or(i64::MAX);
        let given = self.give_back(&mut tx, &one, wanted, "Given back by the operator.").await?;
        if given == 0 || amount_minor.is_some_and(|amount| amount > given) {
            return Err(Error::conflict("too_much", "So much of what was paid online is not left."));
        }
        let entry = entry("parking_refund.wanted", &one).details(json!({"amount_minor": given}));
        self.commit(tx, actor, entry).await?;
        // At once, if Stripe can be reached; else soon.
        self.clone().work_refunds().await?;
        self.shown_reservation(actor.organization, id).await
    }

    /// Asks Stripe for the refunds that are due.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn work_refunds(self) -> Result<()> {
        let Some(payments) = &self.0.payments else { return Ok(()) };
        let mut tx = self.0.platform.db.read().await?;
        let due = store::refunds_to_do(&mut tx, self.0.platform.clock.now()).await?;
        drop(tx);
        for id in due {
            let mut tx = self.0.platform.db.read().await?;
            let refund = store::refund(&mut tx, id).await?.filter(|refund| refund.state == store::WANTED);
            let Some(refund) = refund else { continue };
            let Some(payment) = store::payment(&mut tx, refund.payment_id).await? else { continue };
            drop(tx);
            let Some(intent) = &payment.intent_id else { continue };
            let mut new = NewRefund::new(intent_id(intent)?);
            new.amount_minor = Some(refund.amount_minor);
            new.metadata.insert("refund_id".to_owned(), refund.id.to_string());
            let done = payments.client.create_refund(&key(&refund.id.to_string())?, &new).await;
            self.note_refund(refund.id, done).await?;
        }
        Ok(())
    }

    /// What came of asking.
    async fn note_refund(&self, id: RefundId, done: Result<stripe::Refund, stripe::Error>) -> Result<()> {
        match done {
            Ok(refund) => self.apply_refund(id, &refund).await,
            Err(error) => {
                let now = self.0.platform.clock.now();
                let mut tx = self.0.platform.db.begin().await?;
                let Some(mut refund) = store::refund(&mut tx, id).await? else { return Ok(()) };
                refund.attempts += 1;
                refund.problem = error.to_string();
                refund.updated_at = now;
                refund.next_at = now.plus_secs(pause_s(refund.attempts));
                let gives_up = !error.is_retriable() || now.millis_since(refund.created_at) > GIVE_UP_MS;
                let mut alarm = None;
                if gives_up {
                    store::FAILED.clone_into(&mut refund.state);
                    alarm = self.0.alarms.raise(&mut tx, refund.organization_id, &failed(&refund, now)).await?;
                }
                store::save_refund(&mut tx, &refund).await?;
                tx.commit().await?;
                self.0.alarms.announce(alarm);
                tracing::warn!(%error, refund = %id, gives_up, "a refund was not made");
                Ok(())
            }
        }
    }

    /// What Stripe says of a refund of ours is so from now on.
    pub(super) async fn apply_refund(&self, id: RefundId, said: &stripe::Refund) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let Some(refund) = store::refund(&mut tx, id).await? else { return Ok(()) };
        drop(tx);
        let organization = refund.organization_id;
        let (mut tx, ..) = self.begin_spots(organization).await?;
        let Some(mut refund) = store::refund(&mut tx, id).await? else { return Ok(()) };
        let state = match said.status {
            RefundStatus::Succeeded => store::DONE,
            RefundStatus::Failed | RefundStatus::Canceled => store::FAILED,
            RefundStatus::Pending | RefundStatus::RequiresAction | RefundStatus::Unknown(_) => store::PENDING,
        };
        // Words of the past: what has failed stays so, and what has arrived is no longer on its way.
        let is_news = match refund.state.as_str() {
            store::FAILED => false,
            store::DONE => state == store::FAILED,
            known => known != state,
        };
        if !is_news {
            return Ok(());
        }
        let was_given = matches!(refund.state.as_str(), store::PENDING | store::DONE);
        state.clone_into(&mut refund.state);
        refund.refund_id = Some(said.id.as_str().to_owned());
        refund.problem = said.failure_reason.clone().unwrap_or_default();
        refund.updated_at = now;
        store::save_refund(&mut tx, &refund).await?;
        let Some(payment) = store::payment(&mut tx, refund.payment_id).await? else { return Ok(()) };
        let refunds = store::refunds_of(&mut tx, payment.id).await?;
        let given = |one: &&Refund| matches!(one.state.as_str(), store::PENDING | store::DONE);
        let ours: i64 = refunds.iter().filter(given).map(|one| one.amount_minor).sum();
        // More went back in the dashboard of Stripe, perhaps.
        let refunded_minor = match (was_given, state) {
            (true, store::FAILED) => payment.refunded_minor - refund.amount_minor,
            _ => ours.max(payment.refunded_minor),
        };
        let one = self.note_refunded(&mut tx, payment, refunded_minor, now).await?;
        let alarm = match state == store::FAILED {
            true => self.0.alarms.raise(&mut tx, organization, &failed(&refund, now)).await?,
            false => None,
        };
        let entry = Entry::success("parking_refund.changed").target("parking_reservation", refund.reservation_id);
        let entry = entry.details(json!({"state": state, "amount_minor": refund.amount_minor}));
        self.commit(tx, &Actor::system(organization), entry).await?;
        self.0.alarms.announce(alarm);
        match one {
            Some(one) => self.announce_reservation(organization, one, &[]).await.map(drop),
            None => Ok(()),
        }
    }

    /// So much of a payment has gone back by now; the reservation.
    async fn note_refunded(
        &self,
        tx: &mut Tx,
        mut payment: Payment,
        refunded_minor: i64,
        now: Timestamp,
    ) -> Result<Option<ReservationId>> {
        let more = refunded_minor - payment.refunded_minor;
        payment.refunded_minor = refunded_minor;
        payment.updated_at = now;
        store::save(tx, &payment).await?;
        // Of another amount than was asked for: it never counted as paid.
        let counts = more != 0 && payment.state == store::PAID;
        let found = reservations::find(tx, payment.organization_id, payment.reservation_id).await?;
        let Some(mut one) = found.filter(|_| counts) else { return Ok(None) };
        let owed = one.due_minor().max(0);
        one.refunded_minor += more;
        if one.state.is_payable() {
            // Who is given something back does not owe it again.
            one.adjustment_minor -= one.due_minor().max(0) - owed;
            if more < 0 && one.adjustment_minor < 0 {
                one.adjustment_minor = (one.adjustment_minor - more).min(0);
            }
        }
        one.payment_status = if one.refunded_minor > 0 { PaymentStatus::Refunded } else { PaymentStatus::Paid };
        one.updated_at = now;
        reservations::set_step(tx, payment.organization_id, &one).await?;
        Ok(Some(one.id))
    }

    /// Stripe says how much of a payment has gone back in all, also what was given back in its dashboard.
    pub(super) async fn apply_charge(&self, charge: &stripe::Charge) -> Result<()> {
        let Some(intent) = &charge.payment_intent else { return Ok(()) };
        let mut tx = self.0.platform.db.read().await?;
        let Some(payment) = store::of_intent(&mut tx, intent.as_str()).await? else { return Ok(()) };
        drop(tx);
        let organization = payment.organization_id;
        let (mut tx, ..) = self.begin_spots(organization).await?;
        let Some(payment) = store::payment(&mut tx, payment.id).await? else { return Ok(()) };
        // Never less: an older word may come later.
        if charge.amount_refunded_minor <= payment.refunded_minor {
            return Ok(());
        }
        let now = self.0.platform.clock.now();
        let one = self.note_refunded(&mut tx, payment, charge.amount_refunded_minor, now).await?;
        tx.commit().await?;
        match one {
            Some(one) => self.announce_reservation(organization, one, &[]).await.map(drop),
            None => Ok(()),
        }
    }
}

fn failed(refund: &Refund, now: Timestamp) -> Report {
    Report {
        cause: format!("parking_refund:{}", refund.id),
        kind: "parking_refund_failed",
        severity: Severity::Critical,
        title: "A refund could not be made".to_owned(),
        text: format!("{} in minor units were to be given back: {}", refund.amount_minor, refund.problem),
        subject: Subject {
            kind: "parking_reservation",
            id: refund.reservation_id.to_string(),
            name: refund.reservation_id.to_string(),
        },
        began_at: now,
        reach: Reach::default(),
    }
}
