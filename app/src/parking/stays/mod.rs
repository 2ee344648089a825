//! Vehicles that come and leave: who is there, who stays too long, what is owed.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::parking::session::SessionSource;
#[cfg(feature = "ssr")]
use portico_model::parking::session::{ParkingSession, VehicleArrival, VehicleDeparture};
use portico_model::{Page, ParkingSessionId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};
use crate::ui::{Glyph, Tone};

#[cfg(feature = "ssr")]
const PAGE: &str = "/parking/sessions";

/// A vehicle in a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StayRow {
    pub id: ParkingSessionId,
    /// Empty: not read, or no longer kept.
    pub plate: String,
    /// Spot, where it is known, and lot.
    pub place: String,
    /// By the clock of the lot.
    pub came: String,
    /// As `came`; absent: it is still there.
    pub left: Option<String>,
    /// What covers it, or how long it may stay, in words; empty: nothing.
    pub right: String,
    /// Address of its reservation.
    pub href: Option<String>,
    pub is_overstaying: bool,
    pub source: SessionSource,
    /// What it costs, as long as it is there so far.
    pub price: String,
    /// What is still to be paid of that.
    pub due: Option<String>,
}

impl StayRow {
    /// Its plate, or that there is none.
    #[must_use]
    pub fn name(&self) -> String {
        if self.plate.is_empty() { "No plate".to_owned() } else { self.plate.clone() }
    }

    /// Where it is: colour, mark and word.
    #[must_use]
    pub const fn look(&self) -> (Tone, Glyph, &'static str) {
        if self.is_overstaying {
            (Tone::Attention, Glyph::Alert, "Too long")
        } else if self.left.is_none() {
            (Tone::Ok, Glyph::Car, "There")
        } else {
            (Tone::Neutral, Glyph::Check, "Left")
        }
    }
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaysView {
    /// Those that stay too long.
    pub over: Vec<StayRow>,
    /// Those that the filters ask for.
    pub found: Page<StayRow>,
    /// Id and name; to choose from.
    pub lots: Vec<(String, String)>,
}

#[cfg(feature = "ssr")]
fn row(one: ParkingSession) -> StayRow {
    use portico_model::parking::receipt::price_text;
    use portico_parking::Wall;

    let wall = Wall::of(&one.time_zone);
    let kind = if one.reservation_id.is_some() { "Reservation" } else { "Permit" };
    let right = match one.covered_until {
        _ if !one.is_covered() => match one.may_stay_until {
            Some(until) => format!("May stay until {}", wall.text(until)),
            None => String::new(),
        },
        Some(until) => format!("{kind} until {}", wall.text(until)),
        None => kind.to_owned(),
    };
    let places = [one.spot_id.as_deref().unwrap_or_default(), one.lot_name.as_str()];
    StayRow {
        id: one.id,
        place: places.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", "),
        came: wall.text(one.entered_at),
        left: one.left_at.map(|at| wall.text(at)),
        right,
        href: one.reservation_id.map(|id| format!("/reservations/{id}")),
        is_overstaying: one.is_overstaying,
        source: one.source,
        price: price_text(one.amount_minor, &one.currency),
        due: (one.due_minor > 0).then(|| price_text(one.due_minor, &one.currency)),
        plate: one.plate,
    }
}

/// Vehicles. `show`: empty (there now, those that stay too long first), `over` (only these), `left` or `all`.
#[server(name = ListStays, prefix = "/sfn", endpoint = "parking/sessions", input = GetUrl)]
pub async fn list_stays(
    #[server(default)] show: String,
    #[server(default)] plate: String,
    #[server(default)] lot: String,
    #[server(default)] cursor: String,
) -> Result<StaysView, Failure> {
    use portico_parking::{LotQuery, SessionQuery};

    use super::typed::given;
    use crate::server::{actor, failed, parking};

    const PAGE_SIZE: i64 = 50;
    /// More than anybody goes after at a time.
    const MOST_OVER: i64 = 200;
    let (parking, actor) = (parking()?, actor()?);
    let any = SessionQuery { lot: lot.parse().ok(), plate: given(&plate), ..SessionQuery::default() };
    let cursor = given(&cursor);
    let is_first = cursor.is_none() && matches!(show.as_str(), "" | "over");
    let mut over = Vec::new();
    if is_first {
        let query = SessionQuery { overstaying: Some(true), limit: Some(MOST_OVER), ..any.clone() };
        over = parking.parking_sessions(&actor, &query).await.map_err(failed)?.items;
    }
    let found = if show == "over" {
        Page { items: Vec::new(), next: None }
    } else {
        let (open, overstaying) = match show.as_str() {
            "left" => (Some(false), None),
            "all" => (None, None),
            _ => (Some(true), Some(false)),
        };
        let query = SessionQuery { open, overstaying, cursor, limit: Some(PAGE_SIZE), ..any };
        parking.parking_sessions(&actor, &query).await.map_err(failed)?.map(row)
    };
    let lots = parking.lots(&actor, LotQuery::default()).await.map_err(failed)?;
    let lots = lots.into_iter().map(|lot| (lot.id.to_string(), lot.name)).collect();
    Ok(StaysView { over: over.into_iter().map(row).collect(), found, lots })
}

impl Ask for ListStays {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("show", &self.show), ("plate", &self.plate), ("lot", &self.lot), ("cursor", &self.cursor)])
    }
}

/// A vehicle has come.
#[server(name = VehicleCame, prefix = "/sfn", endpoint = "parking/vehicle_came")]
pub async fn vehicle_came(
    #[server(default)] lot: String,
    #[server(default)] plate: String,
    #[server(default)] spot_id: String,
) -> Result<StayRow, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::{beside, given};
    use crate::server::{actor, failed, form_done, form_failed, parking};

    let values = [("lot", lot.as_str()), ("plate", &plate), ("spot_id", &spot_id)];
    let refused = |failure| {
        let failure = beside(beside(failure, "spot_not_found", "spot_id"), "spot_taken", "spot_id");
        form_failed(VehicleCame::PATH, PAGE, &values, failure)
    };
    let lot_id = lot.parse().map_err(|_| refused(Failure::field("lot", "Choose a lot.")))?;
    let arrival = VehicleArrival {
        lot_id,
        plate: given(&plate),
        spot_id: given(&spot_id),
        at: None,
        permit_id: None,
        source: None,
    };
    let (session, _) = parking()?.vehicle_came(&actor()?, &arrival).await.map_err(|error| refused(failed(error)))?;
    form_done(VehicleCame::PATH, PAGE, &[]);
    Ok(row(session))
}

/// A vehicle has left.
#[server(name = VehicleLeft, prefix = "/sfn", endpoint = "parking/vehicle_left")]
pub async fn vehicle_left(
    #[server(default)] lot: String,
    #[server(default)] plate: String,
) -> Result<StayRow, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::{beside, given};
    use crate::server::{actor, failed, form_done, form_failed, parking};

    let values = [("lot", lot.as_str()), ("plate", &plate)];
    let refused = |mut failure: Failure| {
        if failure.code == "parking_session_not_found" {
            "No vehicle with this plate is there.".clone_into(&mut failure.message);
        }
        let failure = beside(failure, "parking_session_not_found", "plate");
        form_failed(VehicleLeft::PATH, PAGE, &values, failure)
    };
    let lot_id = lot.parse().map_err(|_| refused(Failure::field("lot", "Choose a lot.")))?;
    let departure = VehicleDeparture { lot_id, plate: given(&plate), spot_id: None, at: None };
    let session = parking()?.vehicle_left(&actor()?, &departure).await.map_err(|error| refused(failed(error)))?;
    form_done(VehicleLeft::PATH, PAGE, &[]);
    Ok(row(session))
}

/// Ends the session of a vehicle that nobody saw leaving.
#[server(name = EndStay, prefix = "/sfn", endpoint = "parking/end_session")]
pub async fn end_stay(id: ParkingSessionId) -> Result<StayRow, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let refused = |error| form_failed(EndStay::PATH, PAGE, &[], failed(error));
    let session = parking()?.end_parking_session(&actor()?, id).await.map_err(refused)?;
    form_done(EndStay::PATH, PAGE, &[]);
    Ok(row(session))
}

/// Notes that what is owed was paid at the place.
#[server(name = NoteStayPaid, prefix = "/sfn", endpoint = "parking/note_session_paid")]
pub async fn note_stay_paid(id: ParkingSessionId) -> Result<StayRow, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let refused = |error| form_failed(NoteStayPaid::PATH, PAGE, &[], failed(error));
    let session = parking()?.note_session_paid(&actor()?, id).await.map_err(refused)?;
    form_done(NoteStayPaid::PATH, PAGE, &[]);
    Ok(row(session))
}

/// Who or what saw it come.
#[must_use]
pub const fn source_word(source: SessionSource) -> &'static str {
    match source {
        SessionSource::Camera => "seen by a camera",
        SessionSource::Person => "entered by hand",
        SessionSource::Api => "told by a program",
        SessionSource::Sensor => "seen by a sensor",
    }
}
