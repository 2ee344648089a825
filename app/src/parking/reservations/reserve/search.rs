//! What is offered to somebody who looks for a spot, and what else when it is taken.

use portico_model::Timestamp;
use portico_model::identity::Permission;
use portico_model::parking::lot::Lot;
use portico_model::parking::receipt::price_text;
use portico_model::parking::reservation::{Quote, Wish};
use portico_parking::{LotQuery, Parking, Wall, receipt};
use portico_platform::Actor;

use super::{Asked, LotChoice, Offer, Other, ReserveView};
use crate::failure::Failure;
use crate::parking::typed::{given, metres, moved};
use crate::server::{actor, failed, now, parking};
use portico_model::parking::tariff::words::summary;

/// Later beginnings that are tried when something is taken, minutes.
const LATER: [i64; 9] = [30, 60, 90, 120, 180, 240, 360, 720, 1_440];

/// Most other lots that are offered.
const OTHER_LOTS: usize = 2;

const MINUTE_MS: i64 = 60_000;
const HALF_HOUR_MS: i64 = 30 * MINUTE_MS;

/// The lot that is asked for: by its spot, by its id, or the first.
async fn lot_of<'l>(parking: &Parking, actor: &Actor, lots: &'l [Lot], asked: &mut Asked) -> Option<&'l Lot> {
    if let Some(id) = given(&asked.spot) {
        match parking.spot(actor, &id).await {
            Ok((spot, _)) => {
                asked.spot.clone_from(&spot.id);
                return lots.iter().find(|lot| lot.id == spot.lot_id);
            }
            Err(_) => asked.spot.clear(),
        }
    }
    lots.iter().find(|lot| lot.id.to_string() == asked.lot).or_else(|| lots.first())
}

/// The page for what is asked.
pub async fn view(mut asked: Asked) -> Result<ReserveView, Failure> {
    let (parking, actor) = (parking()?, actor()?);
    let operates = actor.may(Permission::OperateParking);
    let mut lots = parking.lots(&actor, LotQuery::default()).await.map_err(failed)?;
    lots.retain(|lot| lot.booking.is_bookable || operates);
    let tariffs = parking.tariffs(&actor).await.map_err(failed)?;
    let costs = |lot: &Lot| {
        let tariff = lot.tariff_id.and_then(|id| tariffs.iter().find(|tariff| tariff.id == id));
        tariff.map_or_else(|| "Costs nothing".to_owned(), |tariff| summary(&tariff.rules))
    };
    let choices = lots.iter().map(|lot| LotChoice {
        id: lot.id.to_string(),
        name: lot.name.clone(),
        zone: lot.time_zone_in_force.clone(),
        available: lot.counts.available,
        tariff: costs(lot),
    });
    let choices: Vec<_> = choices.collect();
    let lot = lot_of(&parking, &actor, &lots, &mut asked).await;
    asked.lot = lot.map(|lot| lot.id.to_string()).unwrap_or_default();
    let is_asked = !asked.from.is_empty() && !asked.until.is_empty();
    let offer = match lot {
        Some(_) if is_asked => Some(match quote(&asked).await {
            Ok(quote) => Ok(offer(&parking, &actor, &lots, &asked, quote).await),
            // The page itself is there, whatever became of what it asks for.
            Err(failure) => Err(words_of(&failure)),
        }),
        _ => None,
    };
    if let (false, Some(lot)) = (is_asked, lot) {
        let wall = Wall::of(&lot.time_zone_in_force);
        let start = next_half_hour(now());
        asked.from = wall.input(start);
        asked.until = wall.input(start.plus_millis(2 * 60 * MINUTE_MS));
    }
    crate::server::set_status(200);
    Ok(ReserveView { lots: choices, asked, offer })
}

fn next_half_hour(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.millis() + MINUTE_MS).div_euclid(HALF_HOUR_MS) * HALF_HOUR_MS + HALF_HOUR_MS)
}

fn words_of(failure: &Failure) -> String {
    let fields = failure.fields.iter().map(|error| {
        let name = match error.field.as_str() {
            "from" => "The beginning",
            "until" => "The end",
            "height" => "The height",
            other => other,
        };
        format!("{name}: {}.", error.message.trim_end_matches('.'))
    });
    let fields: Vec<_> = fields.collect();
    if fields.is_empty() { failure.message.clone() } else { fields.join(" ") }
}

/// What a spot for it costs, with errors beside the fields of the form.
pub async fn quote(asked: &Asked) -> Result<Quote, Failure> {
    let (parking, actor) = (parking()?, actor()?);
    let spot_id = given(&asked.spot);
    let (from, until) = (given(&asked.from), given(&asked.until));
    for (field, text) in [("from", &from), ("until", &until)] {
        if text.is_none() {
            return Err(Failure::field(field, "A day and a time."));
        }
    }
    let height_cm = metres("height", &asked.height)?;
    if height_cm.is_some_and(|height| !(50..=1_000).contains(&height)) {
        return Err(Failure::field("height", "Metres, such as 1.95."));
    }
    let wish = Wish {
        lot_id: asked.lot.parse().ok(),
        is_ev: (!asked.ev.is_empty()).then_some(true),
        is_accessible: (!asked.accessible.is_empty()).then_some(true),
        height_cm,
        start_time: from.unwrap_or_default(),
        end_time: until,
        spot_id,
        ..Wish::default()
    };
    if wish.spot_id.is_none() && wish.lot_id.is_none() {
        return Err(Failure::field("lot", "Choose a lot."));
    }
    parking.quote(&actor, &wish).await.map_err(|error| {
        let mut failure = moved(moved(failed(error), "start_time", "from", None), "end_time", "until", None);
        if failure.code == "spot_not_available" {
            "This lot has no spot that fits what you need.".clone_into(&mut failure.message);
        }
        failure
    })
}

async fn offer(parking: &Parking, actor: &Actor, lots: &[Lot], asked: &Asked, quote: Quote) -> Offer {
    let wall = Wall::of(&quote.time_zone);
    let others = if quote.is_free { Vec::new() } else { others(parking, actor, lots, asked, &quote).await };
    let zone = if quote.zone.is_empty() { String::new() } else { format!(", zone {}", quote.zone) };
    Offer {
        place: format!("{}{zone}, {}", quote.level, quote.lot_name),
        when: wall.span(quote.start_time, quote.end_time),
        is_free: quote.is_free,
        receipt: receipt(&quote.price, quote.start_time, &wall),
        paying: match (quote.price.total_minor, quote.pay_online) {
            (0, _) => String::new(),
            (_, false) => "You pay at the place.".to_owned(),
            (_, true) => format!("You pay next; the spot is held {} minutes for that.", quote.hold_minutes),
        },
        start: quote.start_time.to_iso(),
        end: quote.end_time.to_iso(),
        price_minor: quote.price.total_minor,
        currency: quote.price.currency,
        zone: quote.time_zone,
        spot_id: quote.spot_id,
        others,
    }
}

/// What else can be had: another spot here, the same spot later, another lot.
async fn others(parking: &Parking, actor: &Actor, lots: &[Lot], asked: &Asked, taken: &Quote) -> Vec<Other> {
    let wall = Wall::of(&taken.time_zone);
    let free = |asked: Asked| async move {
        let wish = Wish {
            spot_id: given(&asked.spot),
            lot_id: asked.lot.parse().ok(),
            is_ev: (!asked.ev.is_empty()).then_some(true),
            is_accessible: (!asked.accessible.is_empty()).then_some(true),
            height_cm: metres("height", &asked.height).unwrap_or_default(),
            start_time: asked.from.clone(),
            end_time: Some(asked.until.clone()),
            ..Wish::default()
        };
        parking.quote(actor, &wish).await.ok().filter(|quote| quote.is_free).map(|quote| (asked, quote))
    };
    let price = |quote: &Quote| price_text(quote.price.total_minor, &quote.price.currency);
    let mut found = Vec::new();
    if !asked.spot.is_empty()
        && let Some((asked, quote)) = free(Asked { spot: String::new(), ..asked.clone() }).await
    {
        let text = format!("{} at the same time, {}", quote.spot_id, price(&quote));
        found.push(Other { text, href: asked.address() });
    }
    for minutes in LATER {
        let at = |moment: Timestamp| wall.input(moment.plus_millis(minutes * MINUTE_MS));
        let later = Asked { from: at(taken.start_time), until: at(taken.end_time), ..asked.clone() };
        if let Some((asked, quote)) = free(later).await {
            let when = wall.span(quote.start_time, quote.end_time);
            found
                .push(Other { text: format!("{} on {when}, {}", quote.spot_id, price(&quote)), href: asked.address() });
            break;
        }
    }
    for lot in lots.iter().filter(|lot| lot.id != taken.lot_id).take(10) {
        if found.len() >= 2 + OTHER_LOTS {
            break;
        }
        let there = Wall::of(&lot.time_zone_in_force);
        let (from, until) = (there.input(taken.start_time), there.input(taken.end_time));
        let elsewhere = Asked { lot: lot.id.to_string(), spot: String::new(), from, until, ..asked.clone() };
        if let Some((asked, quote)) = free(elsewhere).await {
            let text = format!("{} in {} at the same time, {}", quote.spot_id, lot.name, price(&quote));
            found.push(Other { text, href: asked.address() });
        }
    }
    found.into_iter().map(|other| Other { href: format!("{}#offer", other.href), ..other }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_begins_at_the_next_half_hour() {
        let at = |text: &str| Timestamp::parse_iso(text).unwrap();
        for (now, next) in [
            ("2026-11-23T08:01:10Z", "2026-11-23T08:30:00Z"),
            ("2026-11-23T08:29:30Z", "2026-11-23T09:00:00Z"),
            ("2026-11-23T08:30:00Z", "2026-11-23T09:00:00Z"),
        ] {
            assert_eq!(next_half_hour(at(now)), at(next), "{now}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let failure = Failure::field("until", "at least 15 minutes");
        assert_eq!(words_of(&failure), "The end: at least 15 minutes.");
        assert_eq!(words_of(&Failure::new(409, "x", "No.")), "No.");
    }
}
