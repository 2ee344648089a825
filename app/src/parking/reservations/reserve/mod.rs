//! Finding a spot: where and when, its price, and then it is reserved.

pub mod page;
#[cfg(feature = "ssr")]
mod search;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::ReservationId;
use portico_model::parking::receipt::Receipt;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// Path of the page.
pub const PAGE: &str = "/parking/reserve";

/// A lot to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotChoice {
    pub id: String,
    pub name: String,
    /// IANA; times are by its clock.
    pub zone: String,
    pub available: i64,
    /// What it costs, in words.
    pub tariff: String,
}

/// Something else that can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    pub text: String,
    /// Of this page.
    pub href: String,
}

/// A spot with its price, or that it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub spot_id: String,
    /// Level, zone and lot.
    pub place: String,
    /// By the clock of the lot.
    pub when: String,
    pub zone: String,
    pub is_free: bool,
    pub receipt: Receipt,
    /// ISO 8601 with offset, so that no change of the hour makes them others.
    pub start: String,
    pub end: String,
    /// What it costs, to notice when that changes before somebody reserves.
    pub price_minor: i64,
    pub currency: String,
    /// How it is paid, in words.
    pub paying: String,
    /// When it is taken.
    pub others: Vec<Other>,
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveView {
    pub lots: Vec<LotChoice>,
    pub asked: Asked,
    /// What is offered for it, or why nothing is; absent while no time was asked for.
    pub offer: Option<Result<Offer, String>>,
}

/// What was asked for, as it stands in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub lot: String,
    /// What is written on its sign; empty: any of the lot.
    pub spot: String,
    /// As in a `datetime-local` field, by the clock of the lot.
    pub from: String,
    pub until: String,
    /// Not empty: with a charger.
    pub ev: String,
    pub accessible: String,
    /// Of the vehicle, metres.
    pub height: String,
}

impl Asked {
    /// The page that asks for it.
    #[must_use]
    pub fn address(&self) -> String {
        let parts = [
            ("lot", self.lot.as_str()),
            ("spot", &self.spot),
            ("from", &self.from),
            ("until", &self.until),
            ("ev", &self.ev),
            ("accessible", &self.accessible),
            ("height", &self.height),
        ];
        crate::ui::address(PAGE, parts)
    }

    /// The page that asks for any spot of the lot.
    #[must_use]
    pub fn any_spot(&self) -> String {
        Self { spot: String::new(), ..self.clone() }.address()
    }
}

/// What the page shows for what is asked.
#[server(name = FindSpot, prefix = "/sfn", endpoint = "parking/find_spot", input = GetUrl)]
pub async fn find_spot(
    #[server(default)] lot: String,
    #[server(default)] spot: String,
    #[server(default)] from: String,
    #[server(default)] until: String,
    #[server(default)] ev: String,
    #[server(default)] accessible: String,
    #[server(default)] height: String,
) -> Result<ReserveView, Failure> {
    search::view(Asked { lot, spot, from, until, ev, accessible, height }).await
}

impl Ask for FindSpot {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("lot", &self.lot),
            ("spot", &self.spot),
            ("from", &self.from),
            ("until", &self.until),
            ("ev", &self.ev),
            ("accessible", &self.accessible),
            ("height", &self.height),
        ])
    }
}

/// Checks what is asked, and goes to the page that shows its price.
#[server(name = ShowPrice, prefix = "/sfn", endpoint = "parking/show_price")]
pub async fn show_price(#[server(flatten)] asked: Asked) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::parking::typed::refuse;

    // The form comes back as it was asked before; what is typed now stands in it.
    let page = Asked { from: String::new(), until: String::new(), ..asked.clone() }.address();
    let refused = |failure| refuse(ShowPrice::PATH, &page, &asked, failure);
    search::quote(&asked).await.map_err(refused)?;
    leptos_axum::redirect(&format!("{}#offer", asked.address()));
    Ok(())
}

/// Reserves what is offered, and goes to its pass, or to where it is paid by card. `page` is where the offer stands.
#[server(name = Reserve, prefix = "/sfn", endpoint = "parking/reserve")]
#[allow(clippy::too_many_arguments)] // the fields of the form
pub async fn reserve(
    spot: String,
    start: String,
    end: String,
    price_minor: i64,
    currency: String,
    #[server(default)] page: String,
    #[server(default)] plate: String,
    #[server(default)] notes: String,
    #[server(default)] user_name: String,
    #[server(default)] user_email: String,
    #[server(default)] user_phone: String,
) -> Result<ReservationId, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::parking::receipt::price_text;
    use portico_model::parking::reservation::{ReservationState, Wish};
    use portico_model::parking::tariff::Price;

    use super::pay;
    use crate::parking::typed::given;
    use crate::server::{actor, failed, form_failed, local_path, parking};

    let page = format!("{}#offer", local_path(&page));
    let values = [
        ("plate", plate.as_str()),
        ("notes", &notes),
        ("user_name", &user_name),
        ("user_email", &user_email),
        ("user_phone", &user_phone),
    ];
    let refused = |mut failure: Failure| {
        if failure.code == "spot_not_available" {
            failure.message = format!("Somebody else was faster: {spot} is taken now.");
        }
        form_failed(Reserve::PATH, &page, &values, failure)
    };
    let wish = Wish {
        spot_id: Some(spot.clone()),
        start_time: start,
        end_time: Some(end),
        user_name: given(&user_name),
        user_email: given(&user_email),
        user_phone: given(&user_phone),
        plate: given(&plate),
        notes: notes.clone(),
        ..Wish::default()
    };
    let (parking, actor) = (parking()?, actor()?);
    // Nobody is charged another price than the one he has seen.
    let Price { total_minor, currency: now_in, .. } =
        parking.quote(&actor, &wish).await.map_err(|error| refused(failed(error)))?.price;
    if total_minor != price_minor || (total_minor != 0 && now_in != currency) {
        let text = format!(
            "The price has changed meanwhile: it is {} now. Look at it, and reserve if you agree.",
            price_text(total_minor, &now_in)
        );
        return Err(refused(Failure::new(409, "price_changed", &text)));
    }
    let made = parking.reserve(&actor, &wish).await.map_err(|error| refused(failed(error)))?;
    let is_own = made.user_id.is_some() && made.user_id == actor.user_id();
    let next = match made.state {
        ReservationState::Held if is_own && parking.card_script().is_some() => pay::address(made.id),
        _ => format!("/reservations/{}", made.id),
    };
    leptos_axum::redirect(&next);
    Ok(made.id)
}
