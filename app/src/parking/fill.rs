//! How full something is: a bar whose parts differ in pattern as well as in colour, and the same in words.

use leptos::prelude::*;
use portico_model::parking::SpotCounts;

use super::fold::Parts;
use crate::ui::{Glyph, Icon};

/// Patterns that bars and plans draw with, by the name after `#`. Once a page: the rest of it refers to them.
#[component]
pub fn Patterns() -> impl IntoView {
    view! {
        <svg class="park-patterns" aria-hidden="true" focusable="false">
            <defs>
                <pattern id="park-hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                    <path class="park-hatch" d="M0 0v7" />
                </pattern>
                <pattern id="park-dots" width="5" height="5" patternUnits="userSpaceOnUse">
                    <circle class="park-dots" cx="2.5" cy="2.5" r="1" />
                </pattern>
                <pattern
                    id="park-hatch-plan"
                    width="62"
                    height="62"
                    patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)"
                >
                    <path class="park-hatch-plan" d="M0 0v62" />
                </pattern>
            </defs>
        </svg>
    }
}

#[allow(clippy::cast_precision_loss)] // spots are counted in thousands
fn percent(part: i64, total: i64) -> f64 {
    if total <= 0 { 0.0 } else { part as f64 * 100.0 / total as f64 }
}

/// Class, pattern, where it begins and how wide it is, percent.
fn segments(parts: Parts) -> Vec<(&'static str, Option<&'static str>, f64, f64)> {
    let listed = [
        ("park-part park-part-occupied", None, parts.occupied),
        ("park-part park-part-reserved", Some("url(#park-hatch)"), parts.reserved),
        ("park-part park-part-unknown", Some("url(#park-dots)"), parts.unknown),
        ("park-part park-part-disabled", None, parts.disabled),
    ];
    let total = listed.iter().map(|(_, _, part)| part).sum::<i64>() + parts.available;
    let mut from = 0.0;
    let mut segments = Vec::new();
    for (class, pattern, part) in listed {
        let width = percent(part, total);
        if part > 0 {
            segments.push((class, pattern, from, width));
        }
        from += width;
    }
    segments
}

/// What the bar says.
fn words(parts: &Parts) -> String {
    let listed = [
        (parts.available, "free"),
        (parts.occupied, "occupied"),
        (parts.reserved, "reserved"),
        (parts.unknown, "unknown"),
        (parts.disabled, "out of use"),
    ];
    let words: Vec<_> =
        listed.into_iter().filter(|(part, _)| *part > 0).map(|(part, word)| format!("{part} {word}")).collect();
    if words.is_empty() { "no spots".to_owned() } else { words.join(", ") }
}

/// The bar.
#[component]
pub fn FillBar(#[prop(into)] counts: Signal<SpotCounts>) -> impl IntoView {
    let parts = Memo::new(move |_| Parts::of(&counts.get()));
    view! {
        <svg class="park-bar" role="img" aria-label=move || words(&parts.get())>
            <rect class="park-part-free" x="0" y="0" width="100%" height="100%" />
            {move || {
                segments(parts.get())
                    .into_iter()
                    .map(|(class, pattern, from, width)| {
                        let (from, width) = (format!("{from:.2}%"), format!("{width:.2}%"));
                        view! {
                            <g>
                                <rect class=class x=from.clone() y="0" width=width.clone() height="100%" />
                                {pattern
                                    .map(|fill| {
                                        view! { <rect x=from y="0" width=width height="100%" fill=fill /> }
                                    })}
                            </g>
                        }
                    })
                    .collect_view()
            }}
        </svg>
    }
}

/// How many are how, with the mark that they have on the plan.
#[component]
pub fn Legend(#[prop(into)] counts: Signal<SpotCounts>) -> impl IntoView {
    let parts = Memo::new(move |_| Parts::of(&counts.get()));
    let entry = move |class: &'static str, glyph, word: &'static str, read: fn(&Parts) -> i64, is_always: bool| {
        view! {
            <li class=class hidden=move || !is_always && parts.with(read) == 0>
                <span class="park-mark">
                    <Icon glyph />
                </span>
                <strong class="number">{move || parts.with(read)}</strong>
                <span class="quiet">{word}</span>
            </li>
        }
    };
    view! {
        <ul class="park-legend">
            {entry("park-is-available", Glyph::Check, "free", |parts| parts.available, true)}
            {entry("park-is-occupied", Glyph::Car, "occupied", |parts| parts.occupied, true)}
            {entry("park-is-reserved", Glyph::Clock, "reserved", |parts| parts.reserved, false)}
            {entry("park-is-unknown", Glyph::Unknown, "unknown", |parts| parts.unknown, false)}
            {entry("park-is-disabled", Glyph::Cross, "out of use", |parts| parts.disabled, false)}
        </ul>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_each_other_and_leave_the_free_part_open() {
        let parts = Parts { occupied: 5, reserved: 0, unknown: 2, disabled: 1, available: 2 };
        let places: Vec<_> = segments(parts).into_iter().map(|(_, _, from, width)| (from, width)).collect();
        assert_eq!(places, [(0.0, 50.0), (50.0, 20.0), (70.0, 10.0)]);
        assert!(segments(Parts::default()).is_empty());
    }

    #[test]
    fn bar_says_in_words_what_it_shows() {
        let parts = Parts { occupied: 5, available: 2, ..Parts::default() };
        assert_eq!(words(&parts), "2 free, 5 occupied");
        assert_eq!(words(&Parts::default()), "no spots");
    }
}
