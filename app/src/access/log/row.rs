//! One event of the log, in a row.

use leptos::prelude::*;
use portico_model::access::{AccessEvent, AccessKind};

use super::{kind_word, method_word, reason_sentence};
use crate::time::Moment;
use crate::ui::{Badge, Glyph, Tone};

/// How it ended, or what it was.
#[component]
pub(super) fn Outcome(event: AccessEvent) -> impl IntoView {
    let (tone, glyph, word) = match (event.kind, event.granted) {
        (AccessKind::Request, Some(true)) if event.leaving => (Tone::Ok, Glyph::Check, "Left"),
        (AccessKind::Request, Some(true)) => (Tone::Ok, Glyph::Check, "Let in"),
        (AccessKind::Request, _) => (Tone::Danger, Glyph::Cross, "Refused"),
        (AccessKind::ForcedOpen, _) => (Tone::Danger, Glyph::Alert, kind_word(event.kind)),
        (AccessKind::HeldOpen, _) => (Tone::Attention, Glyph::Clock, kind_word(event.kind)),
        (kind, _) => (Tone::Neutral, Glyph::Audit, kind_word(kind)),
    };
    view! { <Badge tone glyph word /> }
}

/// Marks beside it: unusual, a false alarm, decided offline, of nobody proven.
#[component]
pub(super) fn Marks(event: AccessEvent) -> impl IntoView {
    view! {
        {(event.is_anomaly && !event.is_false_alarm)
            .then(|| view! { <Badge tone=Tone::Attention glyph=Glyph::Alert word="Unusual" /> })}
        {event.is_false_alarm.then(|| view! { <Badge tone=Tone::Neutral glyph=Glyph::Check word="False alarm" /> })}
        {event.is_offline.then(|| view! { <Badge tone=Tone::Neutral glyph=Glyph::Offline word="Decided offline" /> })}
        {event
            .is_untrusted
            .then(|| view! { <Badge tone=Tone::Unknown glyph=Glyph::Unknown word="Unauthenticated" /> })}
    }
}

/// Name of the person, or what is known instead.
pub(super) fn who(event: &AccessEvent) -> String {
    if !event.person_name.is_empty() {
        event.person_name.clone()
    } else if event.kind == AccessKind::Request {
        "Unknown".to_owned()
    } else {
        "—".to_owned()
    }
}

/// A row of the log.
#[component]
pub(super) fn EventRow(event: AccessEvent, is_new: bool) -> impl IntoView {
    let person = who(&event);
    let credential = match event.credential_hint.as_str() {
        "" => method_word(event.method).to_owned(),
        hint => format!("{} {hint}", method_word(event.method)),
    };
    let why = reason_sentence(&event);
    let note = event.note.clone();
    let door = if event.door_name.is_empty() { "—".to_owned() } else { event.door_name.clone() };
    let at = event.at;
    view! {
        <tr class="row" class:glow-odd=is_new>
            <td class="cell-state">
                <Outcome event=event.clone() />
            </td>
            <th scope="row" class="cell-name">
                <a class="row-link" href=format!("/access_logs/{}", event.id)>
                    {person}
                </a>
                <span class="sub">{credential}</span>
            </th>
            <td class="cell-door">{door}</td>
            <td class="cell-why">
                {why} {(!note.is_empty()).then(|| view! { <span class="sub">{note}</span> })}
                <span class="marks">
                    <Marks event />
                </span>
            </td>
            <td class="cell-seen">
                <Moment at />
            </td>
        </tr>
    }
}
