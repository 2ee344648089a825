//! One reservation: its pass, what can be done with it, what it costs.

pub mod offers;
pub mod page;
mod payment;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::parking::receipt::Receipt;
use portico_model::parking::reservation::Reservation;
use portico_model::{ReservationId, Timestamp};
use serde::{Deserialize, Serialize};

use self::offers::Offers;
use crate::failure::Failure;
use crate::load::Ask;

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassView {
    pub reservation: Reservation,
    /// Of the lot.
    pub address: String,
    /// By the clock of the lot.
    pub when: String,
    /// When this was so.
    pub now: Timestamp,
    pub receipt: Receipt,
    /// While it waits for the payment: until when, by the clock of the lot; else empty.
    pub held_until: String,
    /// Of the address of this page; empty when it is over.
    pub qr_svg: String,
    pub offers: Offers,
    /// As the fields of a change want them.
    pub from: String,
    pub until: String,
    /// To move to: those of the lot that are in use.
    pub spots: Vec<String>,
}

/// A reservation of one's own, or with `ReadParking` anybody's.
#[server(name = GetReservation, prefix = "/sfn", endpoint = "parking/reservation", input = GetUrl)]
pub async fn get_reservation(id: String) -> Result<PassView, Failure> {
    use portico_model::identity::Permission;
    use portico_parking::{SpotQuery, Wall, receipt};
    use portico_platform::Error;

    use crate::server::{actor, failed, now, parking};

    let (parking, actor) = (parking()?, actor()?);
    let none =
        || failed(Error::not_found("reservation_not_found", "There is no such reservation, or you may not see it."));
    let id: ReservationId = id.parse().map_err(|_| none())?;
    let reservation = parking.reservation(&actor, id).await.map_err(failed)?;
    let now = now();
    let wall = Wall::of(&reservation.time_zone);
    // A lot may be gone; what was reserved there stays.
    let lot = parking.lot(&actor, reservation.lot_id).await.ok();
    let is_own = reservation.user_id.is_some() && reservation.user_id == actor.user_id();
    let operates = actor.may(Permission::OperateParking);
    let mut offers = Offers::of(&reservation, now, is_own, operates);
    offers.pay &= parking.card_script().is_some() && parking.takes(offers.due_minor, &reservation.currency);
    if let Some(lot) = &lot {
        offers.write(&reservation, &lot.booking, now, &wall);
    }
    let mut spots = Vec::new();
    if offers.change_all {
        let query = SpotQuery { lot: Some(reservation.lot_id), ..SpotQuery::default() };
        let (found, ..) = parking.spots(&actor, &query).await.map_err(failed)?;
        spots = found.into_iter().filter(|spot| !spot.is_disabled).map(|spot| spot.id).collect();
    }
    Ok(PassView {
        address: lot.map(|lot| lot.address).unwrap_or_default(),
        when: wall.span(reservation.start_time, reservation.end_time),
        receipt: receipt(&reservation.price, reservation.start_time, &wall),
        held_until: reservation.hold_until.map(|until| wall.text(until)).unwrap_or_default(),
        qr_svg: if reservation.state.has_spot() { qr(id)? } else { String::new() },
        from: wall.input(reservation.start_time),
        until: wall.input(reservation.end_time),
        now,
        offers,
        spots,
        reservation,
    })
}

/// The code that leads to the page of the reservation.
#[cfg(feature = "ssr")]
fn qr(id: ReservationId) -> Result<String, Failure> {
    crate::parking::qr::svg(&format!("{}/reservations/{id}", crate::server::endpoints().http.trim_end_matches('/')))
}

impl Ask for GetReservation {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.clone())]
    }
}

#[cfg(feature = "ssr")]
fn page_of(id: ReservationId) -> String {
    format!("/reservations/{id}")
}

/// Opens the gate for the holder.
#[server(name = OpenGate, prefix = "/sfn", endpoint = "parking/open_gate")]
pub async fn open_gate(id: ReservationId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let refused = |error| form_failed(OpenGate::PATH, &page_of(id), &[], failed(error));
    parking()?.open_gate(&actor()?, id).await.map_err(refused)?;
    form_done(OpenGate::PATH, &page_of(id), &[("opened", "yes")]);
    Ok(())
}

/// The vehicle has come.
#[server(name = CheckIn, prefix = "/sfn", endpoint = "parking/check_in")]
pub async fn check_in(id: ReservationId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let refused = |error| form_failed(CheckIn::PATH, &page_of(id), &[], failed(error));
    parking()?.check_in(&actor()?, id).await.map_err(refused)?;
    form_done(CheckIn::PATH, &page_of(id), &[]);
    Ok(())
}

/// The vehicle has left.
#[server(name = CheckOut, prefix = "/sfn", endpoint = "parking/check_out")]
pub async fn check_out(id: ReservationId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let refused = |error| form_failed(CheckOut::PATH, &page_of(id), &[], failed(error));
    parking()?.check_out(&actor()?, id).await.map_err(refused)?;
    form_done(CheckOut::PATH, &page_of(id), &[]);
    Ok(())
}

/// Gives the spot back.
#[server(name = CancelReservation, prefix = "/sfn", endpoint = "parking/cancel_reservation")]
pub async fn cancel_reservation(id: ReservationId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let refused = |error| form_failed(CancelReservation::PATH, &page_of(id), &[], failed(error));
    parking()?.cancel_reservation(&actor()?, id).await.map_err(refused)?;
    form_done(CancelReservation::PATH, &page_of(id), &[]);
    Ok(())
}

/// Notes that it was paid at the place.
#[server(name = NotePaid, prefix = "/sfn", endpoint = "parking/note_paid")]
pub async fn note_paid(id: ReservationId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let refused = |error| form_failed(NotePaid::PATH, &page_of(id), &[], failed(error));
    parking()?.note_paid(&actor()?, id).await.map_err(refused)?;
    form_done(NotePaid::PATH, &page_of(id), &[]);
    Ok(())
}

/// Gives it other times, another spot or another number plate. What stands there as before is left as it is.
#[server(name = ChangeReservation, prefix = "/sfn", endpoint = "parking/change_reservation")]
pub async fn change_reservation(
    id: ReservationId,
    #[server(default)] from: String,
    #[server(default)] until: String,
    #[server(default)] spot: String,
    #[server(default)] plate: String,
) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_parking::{ReservationChange, Wall};

    use crate::parking::typed::{beside, moved};
    use crate::server::{actor, failed, form_done, form_failed, parking};

    let page = page_of(id);
    let values = [("from", from.as_str()), ("until", &until), ("spot", &spot), ("plate", &plate)];
    let refused = |error| {
        let mut failure = moved(moved(failed(error), "start_time", "from", None), "end_time", "until", None);
        if failure.code == "spot_not_available" {
            "Somebody else has that spot then: choose another spot or time.".clone_into(&mut failure.message);
        }
        form_failed(ChangeReservation::PATH, &page, &values, beside(failure, "spot_not_available", "until"))
    };
    let (parking, actor) = (parking()?, actor()?);
    let known = parking.reservation(&actor, id).await.map_err(refused)?;
    let wall = Wall::of(&known.time_zone);
    // A field shows whole minutes, and an hour that comes twice but once: what was not touched is not sent back.
    let changed = |text: &String, before: String| Some(text.clone()).filter(|text| !text.is_empty() && *text != before);
    let change = ReservationChange {
        start_time: changed(&from, wall.input(known.start_time)),
        end_time: changed(&until, wall.input(known.end_time)),
        spot_id: changed(&spot, known.spot_id.clone()),
        plate: (plate.trim() != known.plate).then(|| plate.clone()),
        ..ReservationChange::default()
    };
    parking.change_reservation(&actor, id, &change).await.map_err(refused)?;
    form_done(ChangeReservation::PATH, &page, &[]);
    Ok(())
}
