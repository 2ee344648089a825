//! `/access_logs`: what happened at doors, as it happens.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use portico_model::access::AccessEvent;
use portico_model::access::log::{EventCursor, EventSearch, place};
use portico_model::live::Event;
use portico_model::{AccessEventId, DoorId, Page};

use super::row::EventRow;
use super::{ListAccessEvents, LogDoors, search_of};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{load, read, reload_when};
use crate::ui::list::{address, asked, is_restricted, submit_form_of};
use crate::ui::{EmptyState, Filters, Glyph, Icon, Listed, Pages, SelectFilter, TextFilter};

/// So many events stay on a page that new ones join; older ones are on the next.
const MOST_SHOWN: usize = 300;

const PARTS: [&str; 10] = ["who", "person", "door", "result", "reason", "method", "kind", "unusual", "from", "to"];

const RESTRICTIONS: &[&str] = &PARTS;

const RESULTS: &[(&str, &str)] = &[("", "Any"), ("granted", "Let in"), ("refused", "Refused")];

const METHODS: &[(&str, &str)] = &[
    ("", "Any"),
    ("rfid", "Card"),
    ("pin", "PIN"),
    ("fingerprint", "Finger"),
    ("code", "Code"),
    ("remote", "Remote"),
    ("bluetooth", "Bluetooth"),
    ("system", "System"),
    ("other", "Other"),
];

const KINDS: &[(&str, &str)] = &[
    ("", "Everything"),
    ("request", "Access"),
    ("door_opened", "Door opened"),
    ("door_closed", "Door closed"),
    ("forced_open", "Forced open"),
    ("held_open", "Held open"),
    ("mode_changed", "Mode changed"),
    ("enrolled", "Enrolled"),
];

const REASONS: &[(&str, &str)] = &[
    ("", "Any"),
    ("unknown_credential", "Unknown card, code or finger"),
    ("inactive_person", "Person deactivated"),
    ("out_of_hours", "Out of hours"),
    ("no_policy", "No policy"),
    ("policy_not_valid", "Policy not valid"),
    ("level_too_low", "Level too low"),
    ("credential_expired", "Credential expired"),
    ("credential_not_yet_valid", "Credential not valid yet"),
    ("used_up", "Code used up"),
    ("anti_passback", "Anti-passback"),
    ("granted_despite_passback", "Let in despite passback"),
    ("lockdown", "Lockdown"),
    ("evacuation", "Evacuation"),
    ("too_many_tries", "Too many tries"),
    ("no_door", "Reader without a door"),
    ("unavailable", "Could not be decided"),
];

const UNUSUAL: &[(&str, &str)] = &[("", "All"), ("yes", "Unusual only")];

/// The page.
#[component]
pub fn AccessLogPage() -> impl IntoView {
    let parts = PARTS.map(asked);
    let cursor = asked("cursor");
    let restricted = is_restricted(RESTRICTIONS);
    let page = load(move || {
        let [who, person, door, result, reason, method, kind, unusual, from, to] = parts.map(|part| part.get());
        let cursor = cursor.get();
        Some(ListAccessEvents { who, person, door, result, reason, method, kind, unusual, from, to, cursor })
    });
    let doors = load(|| Some(LogDoors {}));
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let map = use_query_map();
    let export = move || {
        map.with(|map| {
            let get = |name: &str| map.get(name).unwrap_or_default();
            // The form's times have no zone; the API's do.
            let [from, to] = [("from", ":00Z"), ("to", ":59.999Z")].map(|(name, rest)| match get(name).get(..16) {
                Some(minute) => format!("{minute}{rest}"),
                None => String::new(),
            });
            let anomaly = if get("unusual") == "yes" { "true" } else { "" };
            let [who, person, door, result, reason, method, kind] =
                ["who", "person", "door", "result", "reason", "method", "kind"].map(get);
            address(
                "/api/v1/access/events.csv",
                [
                    ("who", who.as_str()),
                    ("person_id", &person),
                    ("door_id", &door),
                    ("result", &result),
                    ("reason", &reason),
                    ("method", &method),
                    ("kind", &kind),
                    ("anomaly", anomaly),
                    ("from", &from),
                    ("to", &to),
                ],
            )
        })
    };
    let paused = RwSignal::new(false);
    let list = move |found: Page<AccessEvent>| {
        let texts = parts.map(|part| part.get_untracked());
        let search = search_of(texts.each_ref());
        let is_first = cursor.with_untracked(String::is_empty);
        let missed = move || page.refetch();
        view! { <Events found search is_first paused restricted=restricted.get_untracked() missed /> }.into_any()
    };
    let empty = move || list(Page { items: Vec::new(), next: None });
    view! {
        <Title text="Access log" />
        <div class="page-head">
            <h1>"Access log"</h1>
            <div class="page-actions">
                <a class="button" href="/analytics">
                    <Icon glyph=Glyph::Statistics />
                    <span>"Analytics"</span>
                </a>
                <a class="button" href=export rel="external" download="portico-access-log.csv">
                    <Icon glyph=Glyph::Download />
                    <span>"CSV"</span>
                </a>
            </div>
        </div>
        <Filters action="/access_logs">
            <TextFilter name="who" label="Person" kind="search" placeholder="Part of a name" wide=true />
            <input type="hidden" name="person" value=move || parts[1].get() />
            <Transition fallback=|| ()>
                {move || {
                    doors
                        .get()
                        .map(|answer| view! { <DoorFilter doors=read(answer).unwrap_or_default() /> })
                }}
            </Transition>
            <SelectFilter name="result" label="Result" choices=RESULTS />
            <SelectFilter name="reason" label="Reason" choices=REASONS />
            <SelectFilter name="method" label="Method" choices=METHODS />
            <SelectFilter name="kind" label="Kind" choices=KINDS />
            <SelectFilter name="unusual" label="Show" choices=UNUSUAL />
            <TextFilter name="from" label="From (UTC)" kind="datetime-local" />
            <TextFilter name="to" label="To (UTC)" kind="datetime-local" />
        </Filters>
        <Listed page what="the log" list empty />
    }
}

#[component]
fn DoorFilter(doors: Vec<(DoorId, String)>) -> impl IntoView {
    let value = asked("door");
    view! {
        <div class="filter">
            <label for="filter-door">"Door"</label>
            <select id="filter-door" name="door" on:change=submit_form_of>
                <option value="">"Any"</option>
                {doors
                    .into_iter()
                    .map(|(id, name)| {
                        let id = id.to_string();
                        let chosen = id.clone();
                        view! {
                            <option value=id selected=move || value.with(|value| *value == chosen)>
                                {name}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </div>
    }
}

#[component]
fn NoEvents(restricted: bool) -> impl IntoView {
    if restricted {
        view! {
            <EmptyState glyph=Glyph::Audit title="No event matches" text="Take a filter away to see more.">
                <a class="button" href="/access_logs">
                    "Show everything"
                </a>
            </EmptyState>
        }
        .into_any()
    } else {
        view! {
            <EmptyState
                glyph=Glyph::Audit
                title="Nothing happened yet"
                text="Who comes through a door, who is refused and why, and doors that are forced or held open show here within a second."
            />
        }
        .into_any()
    }
}

/// What the rows are, and what waits while the list stands still.
#[derive(Clone, Default)]
struct Shown {
    events: Vec<AccessEvent>,
    waiting: Vec<AccessEvent>,
    /// Came while the page was open: they glow once.
    new: Vec<AccessEventId>,
    has_more: bool,
}

impl Shown {
    fn take(&mut self, event: AccessEvent, paused: bool) {
        if paused {
            self.waiting.push(event);
            return;
        }
        let id = event.id;
        let is_known = self.events.iter().any(|known| known.id == id);
        if place(&mut self.events, event, self.has_more) && !is_known {
            self.new.push(id);
            self.new.drain(..self.new.len().saturating_sub(MOST_SHOWN));
        }
        if self.events.len() > MOST_SHOWN {
            self.events.truncate(MOST_SHOWN);
            // The next page begins where this one ends now.
            self.has_more = true;
        }
    }

    fn go_on(&mut self) {
        for event in std::mem::take(&mut self.waiting) {
            self.take(event, false);
        }
    }

    /// Different events that wait.
    fn count_waiting(&self) -> usize {
        let mut ids: Vec<_> = self.waiting.iter().map(|event| event.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().filter(|id| self.events.iter().all(|known| known.id != **id)).count()
    }
}

#[component]
fn Events(
    found: Page<AccessEvent>,
    search: EventSearch,
    /// New events join the first page alone.
    is_first: bool,
    paused: RwSignal<bool>,
    restricted: bool,
    /// Called when events may have been missed.
    missed: impl Fn() + 'static,
) -> impl IntoView {
    let next = found.next.clone();
    let shown = RwSignal::new(Shown { events: found.items, has_more: found.next.is_some(), ..Shown::default() });
    let snapshots = StoredValue::new(0_u32);
    follow(
        move || is_first.then(|| "access".to_owned()),
        move |update| {
            let events = match update {
                LiveUpdate::Snapshot(mut data) => {
                    snapshots.update_value(|count| *count += 1);
                    // The first: what happened while the page was on its way. Later ones: after a gap of any length.
                    if snapshots.get_value() > 1 && !paused.get_untracked() {
                        missed();
                    }
                    data.get_mut("events")
                        .and_then(|events| serde_json::from_value::<Vec<AccessEvent>>(events.take()).ok())
                        .unwrap_or_default()
                }
                LiveUpdate::Event(Event::AccessLogged { event }) => vec![event],
                LiveUpdate::Event(_) => Vec::new(),
            };
            let paused = paused.get_untracked();
            let events: Vec<_> = events.into_iter().filter(|event| search.finds(event)).collect();
            if !events.is_empty() {
                shown.update(|shown| events.into_iter().rev().for_each(|event| shown.take(event, paused)));
            }
        },
    );
    let is_empty = Memo::new(move |_| shown.with(|shown| shown.events.is_empty()));
    let waiting = Memo::new(move |_| shown.with(Shown::count_waiting));
    let rows = move || {
        shown.with(|shown| {
            shown.events.iter().map(|event| (event.clone(), shown.new.contains(&event.id))).collect::<Vec<_>>()
        })
    };
    let following = Memo::new(move |_| {
        shown.with(|shown| match shown.events.last() {
            Some(last) if shown.has_more => Some(EventCursor { at: last.at, id: last.id }.to_text()),
            _ => next.clone(),
        })
    });
    view! {
        {is_first
            .then(|| {
                view! {
                    <p class="tail" data-paused=move || paused.get().to_string()>
                        <button
                            type="button"
                            class="button button-small"
                            on:click=move |_| {
                                paused.update(|paused| *paused = !*paused);
                                if !paused.get_untracked() {
                                    shown.update(Shown::go_on);
                                }
                            }
                        >
                            {move || if paused.get() { "Go on" } else { "Pause" }}
                        </button>
                        <span class="quiet" role="status">
                            {move || match (paused.get(), waiting.get()) {
                                (false, _) => "New events appear by themselves.".to_owned(),
                                (true, 0) => "Paused; nothing new yet.".to_owned(),
                                (true, 1) => "Paused; 1 new event waits.".to_owned(),
                                (true, count) => format!("Paused; {count} new events wait."),
                            }}
                        </span>
                    </p>
                }
            })}
        {move || is_empty.get().then(|| view! { <NoEvents restricted /> })}
        <div class="table-wrap" hidden=move || is_empty.get()>
            <table class="table table-access">
                <caption class="hidden">"Events, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Result"</th>
                        <th scope="col">"Who"</th>
                        <th scope="col">"Door"</th>
                        <th scope="col">"Why"</th>
                        <th scope="col">"When"</th>
                    </tr>
                </thead>
                <tbody>
                    <For
                        each=rows
                        key=|(event, _)| (event.id, event.score.is_some(), event.is_false_alarm)
                        let((event, is_new))
                    >
                        <EventRow event is_new />
                    </For>
                </tbody>
            </table>
        </div>
        {move || view! { <Pages next=following.get() first_word="Newest" next_word="Older" /> }}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u128) -> AccessEvent {
        serde_json::from_value(serde_json::json!({
            "id": format!("{number:032x}"), "at": portico_model::Timestamp::from_millis(i64::try_from(number).unwrap()).to_iso(),
            "received_at": "2026-11-21T02:00:00Z", "kind": "request", "door_id": null, "door_name": "", "reader_id": null,
            "person_id": null, "person_name": "", "credential_id": null, "credential_hint": "", "method": "rfid",
            "granted": true, "reason": "granted", "policy_id": null, "policy_name": "", "leaving": false,
            "is_offline": false, "is_untrusted": false, "note": "", "score": null, "score_reasons": [],
            "is_anomaly": false, "is_false_alarm": false,
        }))
        .unwrap()
    }

    #[test]
    fn nothing_is_lost_while_the_list_stands_still() {
        let mut shown = Shown { events: vec![event(1)], ..Shown::default() };
        shown.take(event(2), true);
        shown.take(event(3), true);
        shown.take(event(3), true);
        assert_eq!((shown.events.len(), shown.count_waiting()), (1, 2));
        shown.go_on();
        assert_eq!((shown.events.len(), shown.count_waiting(), shown.new.len()), (3, 0, 2));
        assert_eq!(shown.events[0].id, event(3).id);
    }

    #[test]
    fn full_list_ends_where_the_next_page_begins() {
        let mut shown = Shown::default();
        for number in 0..=MOST_SHOWN {
            shown.take(event(u128::try_from(number).unwrap()), false);
        }
        assert_eq!((shown.events.len(), shown.has_more), (MOST_SHOWN, true));
        assert_eq!(shown.events.last().unwrap().id, event(1).id);
    }
}
