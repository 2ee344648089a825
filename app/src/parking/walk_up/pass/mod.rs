//! The pass of a stay without an account, by its secret link.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::Timestamp;
use portico_model::parking::walk_up::GuestStay;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::Ask;
use portico_model::parking::receipt::Receipt;

/// By how much a stay can be made longer, minutes.
#[cfg(feature = "ssr")]
const LONGER: [i64; 3] = [30, 60, 120];

/// The page of a stay.
#[must_use]
pub fn path_of(token: &str) -> String {
    format!("/park/pass/{token}")
}

/// A longer stay to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Longer {
    pub minutes: i64,
    /// `1 h more, until 18:30`.
    pub word: String,
    /// What it costs more, in words.
    pub price: String,
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StayView {
    pub stay: GuestStay,
    /// Level, zone and lot.
    pub place: String,
    /// By the clock of the lot.
    pub when: String,
    /// When this was so.
    pub now: Timestamp,
    pub receipt: Receipt,
    /// While it waits for the payment: until when, by the clock of the lot; else empty.
    pub held_until: String,
    /// How long that is from now, by the server's clock.
    pub hold_left_ms: Option<i64>,
    /// What is to be paid yet, in words; empty: nothing.
    pub due: String,
    /// Where Stripe.js is; empty: no card is taken in the page.
    pub script: String,
    pub longer: Vec<Longer>,
    /// Of this page, to keep.
    pub address: String,
}

/// A stay by its secret.
#[server(name = GetStay, prefix = "/sfn", endpoint = "parking/stay", input = GetUrl)]
pub async fn get_stay(token: String) -> Result<StayView, Failure> {
    use portico_model::parking::tariff::format_minor;
    use portico_model::parking::tariff::words::length;

    use crate::server::{endpoints, failed, now, parking};
    use portico_model::parking::receipt::price_text;
    use portico_parking::Wall;
    use portico_parking::receipt;

    let parking = parking()?;
    let stay = parking.stay(&token).await.map_err(failed)?;
    let wall = Wall::of(&stay.time_zone);
    let mut lengths = LONGER.to_vec();
    // What is left before the next who has reserved, where none of these fits.
    if (1..LONGER[0]).contains(&stay.longest_extension_minutes) {
        lengths = vec![stay.longest_extension_minutes];
    }
    let longer = parking.stay_extensions(&token, &lengths).await.map_err(failed)?;
    let longer = longer.into_iter().map(|one| Longer {
        minutes: one.minutes,
        word: format!("{} more, until {}", length(one.minutes), wall.text_on(stay.end_time, one.end_time)),
        price: price_text(one.more_minor, &one.currency),
    });
    let zone = if stay.zone.is_empty() { String::new() } else { format!(", zone {}", stay.zone) };
    Ok(StayView {
        place: format!("{}{zone}, {}", stay.level, stay.lot_name),
        when: wall.span(stay.start_time, stay.end_time),
        now: now(),
        receipt: receipt(&stay.price, stay.start_time, &wall),
        hold_left_ms: stay.hold_until.map(|until| until.millis_since(now()).max(0)),
        script: parking.card_script().filter(|_| stay.pay_online && stay.due_minor > 0).unwrap_or_default().to_owned(),
        held_until: stay.hold_until.map(|until| wall.text(until)).unwrap_or_default(),
        due: if stay.due_minor > 0 { format_minor(stay.due_minor, &stay.price.currency) } else { String::new() },
        longer: longer.collect(),
        address: format!("{}{}", endpoints().http.trim_end_matches('/'), path_of(&token)),
        stay,
    })
}

impl Ask for GetStay {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("token", self.token.clone())]
    }
}

/// Makes a stay longer. `end`: when it ended as the page showed it (milliseconds), so that a second press adds nothing.
#[server(name = ExtendStay, prefix = "/sfn", endpoint = "parking/extend_stay")]
pub async fn extend_stay(token: String, minutes: i64, end: i64) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{failed, form_done, form_failed, parking, request_context};

    let page = path_of(&token);
    let refused = |mut failure: Failure| {
        if failure.code == "spot_not_available" {
            "Somebody has reserved the spot after you: it cannot be so long.".clone_into(&mut failure.message);
        }
        form_failed(ExtendStay::PATH, &page, &[], failure)
    };
    let parking = parking()?;
    let known = parking.stay(&token).await.map_err(|error| refused(failed(error)))?;
    if known.end_time.millis() == end {
        let done = parking.extend_stay(&token, minutes, &request_context()?).await;
        done.map_err(|error| refused(failed(error)))?;
    }
    form_done(ExtendStay::PATH, &page, &[]);
    Ok(())
}

/// Ends a stay now.
#[server(name = EndStay, prefix = "/sfn", endpoint = "parking/end_stay")]
pub async fn end_stay(token: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{failed, form_done, form_failed, parking, request_context};

    let page = path_of(&token);
    let refused = |error| form_failed(EndStay::PATH, &page, &[], failed(error));
    parking()?.end_stay(&token, &request_context()?).await.map_err(refused)?;
    form_done(EndStay::PATH, &page, &[]);
    Ok(())
}
