//! Paying for a reservation by card, where an account at Stripe is configured.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::ReservationId;
use portico_model::parking::reservation::{Reservation, ReservationState};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::Ask;
use portico_model::parking::receipt::Receipt;

/// Path of the page. It is loaded anew, never reached inside the app: see [`crate::policy`].
#[must_use]
pub fn address(id: ReservationId) -> String {
    format!("/reservations/{id}/pay")
}

/// How it stands with the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// So much is to be paid, minor units.
    Due(i64),
    Paid,
    /// Nobody paid in time.
    Expired,
    /// It is over, and nothing is paid for it any more.
    Over,
}

impl Stage {
    #[must_use]
    pub const fn of(one: &Reservation) -> Self {
        let due = one.due_minor();
        match one.state {
            ReservationState::Expired => Self::Expired,
            state if !state.is_payable() => Self::Over,
            _ if due > 0 => Self::Due(due),
            _ => Self::Paid,
        }
    }
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PayView {
    pub reservation: Reservation,
    pub stage: Stage,
    /// By the clock of the lot.
    pub when: String,
    pub receipt: Receipt,
    /// While it waits for the payment: until when, by the clock of the lot; else empty.
    pub held_until: String,
    /// How long that is from now, by the server's clock.
    pub hold_left_ms: Option<i64>,
    /// Where Stripe.js is.
    pub script: String,
    /// Where the same can be reserved again.
    pub again: String,
}

/// What is to be paid by card: by its holder, or with `OperateParking` for anybody.
#[server(name = GetPayPage, prefix = "/sfn", endpoint = "parking/pay_page", input = GetUrl)]
pub async fn get_pay_page(id: String) -> Result<PayView, Failure> {
    use portico_platform::Error;

    use super::reserve::Asked;
    use crate::server::{actor, failed, now, parking};
    use portico_parking::Wall;
    use portico_parking::receipt;

    let (parking, actor) = (parking()?, actor()?);
    let none =
        || failed(Error::not_found("reservation_not_found", "There is no such reservation, or you may not see it."));
    let id: ReservationId = id.parse().map_err(|_| none())?;
    let reservation = parking.to_pay_by_card(&actor, id).await.map_err(failed)?;
    let wall = Wall::of(&reservation.time_zone);
    let hold_until = reservation.hold_until.filter(|_| reservation.state == ReservationState::Held);
    let again = Asked {
        lot: reservation.lot_id.to_string(),
        spot: reservation.spot_id.clone(),
        from: wall.input(reservation.start_time),
        until: wall.input(reservation.end_time),
        ..Asked::default()
    };
    Ok(PayView {
        stage: Stage::of(&reservation),
        when: wall.span(reservation.start_time, reservation.end_time),
        receipt: receipt(&reservation.price, reservation.start_time, &wall),
        held_until: hold_until.map(|until| wall.text(until)).unwrap_or_default(),
        hold_left_ms: hold_until.map(|until| until.millis_since(now()).max(0)),
        script: parking.card_script().unwrap_or_default().to_owned(),
        again: again.address(),
        reservation,
    })
}

impl Ask for GetPayPage {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.clone())]
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::super::pass::offers::tests::reservation;
    use super::*;

    #[test]
    fn only_what_is_due_is_paid() {
        let held = reservation(ReservationState::Held);
        assert_eq!(Stage::of(&held), Stage::Due(600));
        let longer = Reservation { paid_minor: 400, ..reservation(ReservationState::CheckedIn) };
        assert_eq!(Stage::of(&longer), Stage::Due(200));
        let paid = Reservation { paid_minor: 600, ..reservation(ReservationState::Confirmed) };
        assert_eq!(Stage::of(&paid), Stage::Paid);
        assert_eq!(Stage::of(&reservation(ReservationState::Expired)), Stage::Expired);
        assert_eq!(Stage::of(&reservation(ReservationState::Cancelled)), Stage::Over);
    }

    #[test]
    fn page_is_one_that_is_loaded_anew() {
        assert!(crate::policy::is_loaded_anew(&address(reservation(ReservationState::Held).id)));
    }
}
