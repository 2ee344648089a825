//! Parking without an account, by the code of a spot: how long, what it costs, and then one parks. The secret link of the
//! stay leads to its [`pass`].

pub mod page;
pub mod pass;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::parking::walk_up::{WalkUpSpot, WalkUpStatus};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};
use crate::ui::{Glyph, Tone};
use portico_model::parking::receipt::Receipt;

/// Lengths that are offered, minutes.
#[cfg(feature = "ssr")]
const LENGTHS: [i64; 4] = [30, 60, 120, 240];

/// With which the field for another end begins, minutes.
#[cfg(feature = "ssr")]
const USUAL: i64 = 60;

/// How a spot is for who stands at it: colour, mark and word.
#[must_use]
pub const fn walk_up_look(status: WalkUpStatus) -> (Tone, Glyph, &'static str) {
    match status {
        WalkUpStatus::Free => (Tone::Ok, Glyph::Check, "Free"),
        WalkUpStatus::Taken => (Tone::Neutral, Glyph::Car, "Taken"),
        WalkUpStatus::Reserved => (Tone::Attention, Glyph::Clock, "Reserved"),
        WalkUpStatus::OutOfUse => (Tone::Neutral, Glyph::Cross, "Out of use"),
    }
}

/// The page of a spot.
#[must_use]
pub fn path_of(key: &str) -> String {
    format!("/park/{key}")
}

/// A length to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthChoice {
    pub minutes: i64,
    /// `1 h 30 min`.
    pub word: String,
}

/// A stay with its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StayOffer {
    /// By the clock of the lot.
    pub when: String,
    pub is_free: bool,
    pub receipt: Receipt,
    /// What it costs, to notice when that changes before somebody agrees.
    pub price_minor: i64,
    pub currency: String,
    /// How it is paid, in words.
    pub paying: String,
    pub pay_online: bool,
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WalkUpView {
    pub spot: WalkUpSpot,
    /// Level, zone and lot.
    pub place: String,
    /// Until when it is free or reserved, in words; may be empty.
    pub until: String,
    pub choices: Vec<LengthChoice>,
    /// As in a `datetime-local` field: the earliest and the latest end, and the one with which the field begins.
    pub ends: (String, String, String),
    /// What was asked for.
    pub minutes: String,
    pub asked_until: String,
    /// What is offered for it, or why nothing is; absent while nothing was asked for.
    pub offer: Option<Result<StayOffer, String>>,
}

#[cfg(feature = "ssr")]
fn no_such_spot() -> Failure {
    let none = portico_platform::Error::not_found("spot_not_found", "Nobody can park here by this code.");
    crate::server::failed(none)
}

#[cfg(feature = "ssr")]
fn key_of(text: &str) -> Result<portico_model::SpotId, Failure> {
    text.parse().map_err(|_| no_such_spot())
}

/// How many minutes are asked for: until a time by the clock of the lot, or as they are.
#[cfg(feature = "ssr")]
async fn asked_minutes(key: portico_model::SpotId, minutes: &str, until: &str) -> Result<i64, Failure> {
    use super::typed::whole;
    use crate::server::{failed, parking};

    if !until.is_empty() {
        return parking()?.walk_up_minutes(key, until).await.map_err(failed);
    }
    whole("minutes", minutes)?.ok_or_else(|| Failure::field("minutes", "Say how long."))
}

/// What somebody sees who stands at a spot, and what a stay would cost.
#[server(name = LookAtSpot, prefix = "/sfn", endpoint = "parking/walk_up", input = GetUrl)]
pub async fn look_at_spot(
    key: String,
    #[server(default)] minutes: String,
    #[server(default)] until: String,
) -> Result<WalkUpView, Failure> {
    use portico_model::parking::tariff::words::length;
    use portico_model::parking::walk_up::begin_of_stay;

    use crate::server::{failed, now, parking, set_status};
    use portico_parking::Wall;

    const MINUTE_MS: i64 = 60_000;

    let key = key_of(&key)?;
    let spot = parking()?.walk_up_spot(key).await.map_err(|error| match error.status().as_u16() {
        404 => no_such_spot(),
        _ => failed(error),
    })?;
    let wall = Wall::of(&spot.time_zone);
    let start = begin_of_stay(now());
    let end_after = |minutes: i64| wall.input(start.plus_millis(minutes * MINUTE_MS));
    let mut lengths: Vec<i64> = Vec::new();
    if spot.status == WalkUpStatus::Free {
        lengths.extend(LENGTHS.iter().filter(|one| (spot.shortest_minutes..=spot.longest_minutes).contains(*one)));
        // There is always something to choose.
        if lengths.is_empty() {
            lengths.push(spot.longest_minutes);
        }
    }
    let is_asked = !minutes.is_empty() || !until.is_empty();
    let offer = if is_asked && spot.status == WalkUpStatus::Free {
        Some(offer_of(&spot, &minutes, &until, &wall).await.map_err(|failure| words_of(&failure)))
    } else {
        None
    };
    // The page itself is there, whatever became of what it asks for.
    set_status(200);
    let zone = if spot.zone.is_empty() { String::new() } else { format!(", zone {}", spot.zone) };
    let until_words = match (spot.status, spot.until) {
        (WalkUpStatus::Free, Some(at)) => format!("Somebody has reserved it from {} on.", wall.text(at)),
        (WalkUpStatus::Reserved, Some(at)) => format!("Somebody has reserved it until {}.", wall.text(at)),
        _ => String::new(),
    };
    Ok(WalkUpView {
        place: format!("{}{zone}, {}", spot.level, spot.lot_name),
        until: until_words,
        choices: lengths.into_iter().map(|minutes| LengthChoice { minutes, word: length(minutes) }).collect(),
        ends: (
            end_after(spot.shortest_minutes),
            end_after(spot.longest_minutes),
            if until.is_empty() {
                end_after(USUAL.max(spot.shortest_minutes).min(spot.longest_minutes))
            } else {
                until.clone()
            },
        ),
        minutes,
        asked_until: until,
        offer,
        spot,
    })
}

#[cfg(feature = "ssr")]
fn words_of(failure: &Failure) -> String {
    let fields = failure.fields.iter().map(|error| match error.field.as_str() {
        "until" => format!("The end: {}.", error.message.trim_end_matches('.')),
        _ => format!("The time: {}.", error.message.trim_end_matches('.')),
    });
    let fields: Vec<_> = fields.collect();
    if fields.is_empty() { failure.message.clone() } else { fields.join(" ") }
}

#[cfg(feature = "ssr")]
async fn offer_of(
    spot: &WalkUpSpot,
    minutes: &str,
    until: &str,
    wall: &portico_parking::Wall,
) -> Result<StayOffer, Failure> {
    use crate::server::{failed, parking};
    use portico_parking::receipt;

    let minutes = asked_minutes(spot.key, minutes, until).await?;
    let quote = parking()?.walk_up_quote(spot.key, minutes).await.map_err(failed)?;
    Ok(StayOffer {
        when: wall.span(quote.start_time, quote.end_time),
        is_free: quote.is_free,
        receipt: receipt(&quote.price, quote.start_time, wall),
        paying: match (quote.price.total_minor, quote.pay_online) {
            (0, _) => String::new(),
            (_, false) => "You pay at the machine.".to_owned(),
            (_, true) => format!("You pay next; the spot is held {} minutes for that.", quote.hold_minutes),
        },
        price_minor: quote.price.total_minor,
        currency: quote.price.currency,
        pay_online: quote.pay_online,
    })
}

impl Ask for LookAtSpot {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("key", &self.key), ("minutes", &self.minutes), ("until", &self.until)])
    }
}

/// Begins the stay that is offered, and goes to its pass.
#[server(name = BeginStay, prefix = "/sfn", endpoint = "parking/begin_stay")]
pub async fn begin_stay(
    key: String,
    #[server(default)] minutes: String,
    #[server(default)] until: String,
    price_minor: i64,
    #[server(default)] plate: String,
    #[server(default)] email: String,
) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::parking::walk_up::NewStay;

    use super::typed::given;
    use crate::server::{failed, form_failed, parking, request_context};
    use portico_model::parking::receipt::price_text;

    let page = crate::ui::address(&path_of(&key), [("minutes", minutes.as_str()), ("until", &until)]);
    let page = format!("{page}#price");
    let values = [("plate", plate.as_str()), ("email", &email)];
    let refused = |mut failure: Failure| {
        if failure.code == "spot_not_available" {
            "Somebody else was faster, or has reserved it: choose a shorter time or another spot."
                .clone_into(&mut failure.message);
        }
        form_failed(BeginStay::PATH, &page, &values, failure)
    };
    let (parking, ctx) = (parking()?, request_context()?);
    let spot = key_of(&key).map_err(refused)?;
    let duration_minutes = asked_minutes(spot, &minutes, &until).await.map_err(refused)?;
    // Nobody is charged more than the price he has seen.
    let price = parking.walk_up_quote(spot, duration_minutes).await.map_err(|error| refused(failed(error)))?.price;
    if price.total_minor > price_minor {
        let text = format!(
            "The price has changed meanwhile: it is {} now. Look at it, and park if you agree.",
            price_text(price.total_minor, &price.currency)
        );
        return Err(refused(Failure::new(409, "price_changed", &text)));
    }
    let new = NewStay { duration_minutes, plate: given(&plate), email: given(&email) };
    let begun = parking.begin_stay(spot, &new, &ctx).await.map_err(|error| refused(failed(error)))?;
    leptos_axum::redirect(&pass::path_of(begun.secret()));
    Ok(())
}
