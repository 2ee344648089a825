//! Parking: lots and how full they are, the live plan of a level, one spot, its sensors, vehicles that come and leave, what
//! managers do to them, and the pages of who parks without an account.

pub mod analytics;
pub mod card;
pub mod codes;
pub mod edit;
pub mod fill;
pub mod fold;
pub mod lot;
pub mod overview;
pub mod permits;
pub mod plan;
#[cfg(feature = "ssr")]
mod qr;
pub mod reservations;
pub mod sensors;
pub mod spot;
pub mod stays;
pub mod tabs;
pub mod tariffs;
#[cfg(feature = "ssr")]
mod typed;
pub mod walk_up;
pub mod zoom;

use std::time::Duration;

use leptos::prelude::*;
use portico_model::live::Event;
use portico_model::parking::spot::{SensorType, Spot, SpotSize, SpotStatus};

use crate::live::{LiveUpdate, follow};
use crate::load::Loaded;
use crate::ui::{Badge, Glyph, Tone};

/// How a spot's status looks: colour, mark and word.
#[must_use]
pub const fn status_look(status: SpotStatus) -> (Tone, Glyph, &'static str) {
    match status {
        SpotStatus::Available => (Tone::Ok, Glyph::Check, "Free"),
        SpotStatus::Occupied => (Tone::Neutral, Glyph::Car, "Occupied"),
        SpotStatus::Reserved => (Tone::Attention, Glyph::Clock, "Reserved"),
        SpotStatus::Unknown => (Tone::Unknown, Glyph::Unknown, "Unknown"),
        SpotStatus::Disabled => (Tone::Neutral, Glyph::Cross, "Out of use"),
    }
}

/// How a spot is.
#[component]
pub fn StatusBadge(#[prop(into)] status: Signal<SpotStatus>) -> impl IntoView {
    move || {
        let (tone, glyph, word) = status_look(status.get());
        view! { <Badge tone glyph word /> }
    }
}

/// What is special about a spot, in words.
#[must_use]
pub fn attributes(spot: &Spot) -> Vec<(Option<Glyph>, &'static str)> {
    let size = match spot.size {
        SpotSize::Standard => None,
        other => Some((None, size_word(other))),
    };
    let accessible = spot.is_accessible.then_some((Some(Glyph::Accessible), "Accessible"));
    let ev = spot.is_ev.then_some((Some(Glyph::Bolt), "Charger"));
    [accessible, ev, size].into_iter().flatten().collect()
}

/// As people call it.
#[must_use]
pub const fn size_word(size: SpotSize) -> &'static str {
    match size {
        SpotSize::Motorcycle => "Motorcycle",
        SpotSize::Compact => "Compact",
        SpotSize::Standard => "Standard",
        SpotSize::Large => "Large",
    }
}

/// As people call it.
#[must_use]
pub const fn sensor_word(sensor: SensorType) -> &'static str {
    match sensor {
        SensorType::Ultrasonic => "Ultrasonic",
        SensorType::Magnetic => "Magnetic",
        SensorType::Camera => "Camera",
        SensorType::Infrared => "Infrared",
    }
}

/// Loads again, gently, whenever the topic brings such an event.
pub(crate) fn refetch_upon(
    page: Resource<Loaded>,
    topic: impl Fn() -> Option<String> + 'static,
    is_news: impl Fn(&Event) -> bool + 'static,
) {
    let gently = refetch_gently(page);
    follow(topic, move |update| {
        if let LiveUpdate::Event(event) = update
            && is_news(&event)
        {
            gently();
        }
    });
}

/// Loads again soon, once for all that happens until then: where much happens, a page does not ask each time.
pub(crate) fn refetch_gently(page: Resource<Loaded>) -> impl Fn() + Copy + 'static {
    const PAUSE: Duration = Duration::from_millis(700);
    let is_waiting = StoredValue::new(false);
    move || {
        if is_waiting.try_get_value() != Some(false) {
            return;
        }
        is_waiting.set_value(true);
        set_timeout(
            move || {
                // The page may be gone meanwhile.
                if is_waiting.try_set_value(false).is_none() {
                    page.refetch();
                }
            },
            PAUSE,
        );
    }
}
