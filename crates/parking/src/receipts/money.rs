//! Which money went to and fro for a reservation.

use portico_model::Timestamp;
use portico_model::parking::reservation::Reservation;
use portico_platform::{Result, Tx};

use crate::payments::store::{self, Payment, Refund};

/// Money that was taken, or given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub label: &'static str,
    /// Absent: not known.
    pub at: Option<Timestamp>,
    /// Negative: given back.
    pub amount_minor: i64,
}

/// They sum to what is paid for the reservation now.
pub async fn moves(tx: &mut Tx, one: &Reservation) -> Result<Vec<Move>> {
    let mut payments = store::of_reservation(tx, one.id).await?;
    payments.retain(|payment| payment.state == store::PAID);
    let mut refunds = Vec::new();
    for payment in &payments {
        refunds.extend(store::refunds_of(tx, payment.id).await?);
    }
    Ok(in_order(one, &payments, &refunds))
}

fn in_order(one: &Reservation, payments: &[Payment], refunds: &[Refund]) -> Vec<Move> {
    let mut moves: Vec<Move> = Vec::new();
    for payment in payments {
        let at = payment.paid_at.or(Some(payment.updated_at));
        moves.push(Move { label: "Paid online with Stripe", at, amount_minor: payment.amount_minor });
    }
    let online: i64 = payments.iter().map(|payment| payment.amount_minor).sum();
    if one.paid_minor > online {
        let amount_minor = one.paid_minor - online;
        moves.push(Move { label: "Paid at the place", at: one.paid_on_site_at, amount_minor });
    }
    // What Stripe has, counts: it is on its way at least.
    let is_made = |refund: &&Refund| matches!(refund.state.as_str(), store::PENDING | store::DONE);
    for refund in refunds.iter().filter(is_made) {
        moves.push(Move { label: "Given back", at: Some(refund.updated_at), amount_minor: -refund.amount_minor });
    }
    let known: i64 = refunds.iter().filter(is_made).map(|refund| refund.amount_minor).sum();
    if one.refunded_minor > known {
        // In the dashboard of Stripe: it tells us only how much in all.
        moves.push(Move { label: "Given back", at: None, amount_minor: known - one.refunded_minor });
    }
    // By time; those of an unknown one last.
    moves.sort_by_key(|one| one.at.map_or(i64::MAX, Timestamp::millis));
    moves
}
