//! `/access_logs/:id`: one event, with the whole reason.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::access::AccessEvent;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{AccessEventId, Timestamp};

use super::row::{Marks, Outcome, who};
use super::{GetAccessEvent, MarkFalseAlarm, kind_word, method_word, reason_sentence};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load};
use crate::time::Moment;
use crate::ui::{ErrorSummary, Glyph, SubmitButton};
use crate::viewer::use_viewer;

/// The page.
#[component]
pub fn AccessEventPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<AccessEventId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let form = FormState::of::<MarkFalseAlarm>();
    let event = load(move || id.get().map(|id| GetAccessEvent { id }));
    let live = use_live();
    let changes = RwSignal::new(0_u32);
    follow(
        move || id.get().map(|_| "access".to_owned()),
        move |update| {
            if let LiveUpdate::Event(Event::AccessLogged { event }) = update
                && Some(event.id) == id.get_untracked()
            {
                changes.update(|changes| *changes += 1);
            }
        },
    );
    crate::load::reload_when(event, move || {
        live.returns.get().wrapping_add(form.successes.get()).wrapping_add(changes.get())
    });
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/access_logs">"Access log"</a>
        </nav>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading event"</p> }>
            {in_place(
                event,
                |event: &AccessEvent| event.id,
                move |event| view! { <EventView event form /> }.into_any(),
            )}
        </Transition>
    }
}

#[component]
fn EventView(event: Memo<AccessEvent>, form: FormState) -> impl IntoView {
    let may = use_viewer().is_some_and(|viewer| viewer.may(Permission::AcknowledgeAllAlarms));
    let first = event.get_untracked();
    let title = match first.door_name.as_str() {
        "" => format!("{}: {}", kind_word(first.kind), who(&first)),
        door => format!("{} at {door}", who(&first)),
    };
    let id = first.id;
    let is_anomaly = Memo::new(move |_| event.with(|event| event.is_anomaly));
    let is_false_alarm = Memo::new(move |_| event.with(|event| event.is_false_alarm));
    view! {
        <Title text=title.clone() />
        <div class="page-head">
            <div class="title-line">
                <h1>{title}</h1>
                <Outcome event=first.clone() />
                {move || view! { <Marks event=event.get() /> }}
            </div>
            {move || {
                (may && is_anomaly.get())
                    .then(|| {
                        view! {
                            <div class="page-actions">
                                <MarkForm id form is_false_alarm=is_false_alarm.get() page="" />
                            </div>
                        }
                    })
            }}
        </div>
        <ErrorSummary form shown=&[] />
        <p class="lead">{reason_sentence(&first)}</p>
        <div class="columns">
            <Facts event=first />
            {move || view! { <Opinion event=event.get() /> }}
        </div>
    }
}

/// Calls an event a false alarm, or takes that back.
#[component]
pub(super) fn MarkForm(id: AccessEventId, form: FormState, is_false_alarm: bool, page: &'static str) -> impl IntoView {
    view! {
        <PostForm form class="inline">
            <input type="hidden" name="id" value=id.to_string() />
            <input type="hidden" name="is" value=if is_false_alarm { "no" } else { "yes" } />
            <input type="hidden" name="page" value=page />
            <SubmitButton
                label=if is_false_alarm { "Unusual after all" } else { "False alarm" }
                class="button button-small"
                glyph=if is_false_alarm { Glyph::Alert } else { Glyph::Check }
                pending=form.pending()
            />
        </PostForm>
    }
}

#[component]
fn Facts(event: AccessEvent) -> impl IntoView {
    let person = match event.person_id {
        Some(id) => view! {
            <a href=format!("/cardholders/{id}")>{who(&event)}</a>
            " · "
            <a href=format!("/access_logs?person={id}")>"all events"</a>
        }
        .into_any(),
        None => who(&event).into_any(),
    };
    let door = match event.door_id {
        Some(id) => view! {
            <a href=format!("/doors/{id}")>{event.door_name.clone()}</a>
            " · "
            <a href=format!("/access_logs?door={id}")>"all events"</a>
        }
        .into_any(),
        None if event.door_name.is_empty() => "—".into_any(),
        None => event.door_name.clone().into_any(),
    };
    let fact = |word: &'static str, value: String| {
        (!value.is_empty()).then(|| {
            view! {
                <dt>{word}</dt>
                <dd>{value}</dd>
            }
        })
    };
    let late = event.received_at.millis_since(event.at) > 5_000;
    let time = |word: &'static str, at: Timestamp| {
        view! {
            <dt>{word}</dt>
            <dd>
                <Moment at=Signal::stored(at) />
            </dd>
        }
    };
    view! {
        <section class="card" aria-labelledby="event-facts">
            <h2 id="event-facts">"What happened"</h2>
            <dl class="facts">
                {fact("Kind", kind_word(event.kind).to_owned())} <dt>"Person"</dt> <dd>{person}</dd> <dt>"Door"</dt>
                <dd>{door}</dd> {fact("By", format!("{} {}", method_word(event.method), event.credential_hint))}
                {event.granted.map(|_| fact("Direction", if event.leaving { "Out" } else { "In" }.to_owned()))}
                {fact("Policy", event.policy_name.clone())} {time("When", event.at)}
                {late.then(|| time("Heard of", event.received_at))}
                {event.is_offline.then(|| fact("Decided", "by the reader, without network".to_owned()))}
                {event
                    .is_untrusted
                    .then(|| fact("Path", "older firmware; nothing proves who sent it".to_owned()))}
                {fact("Note", event.note.clone())}
            </dl>
        </section>
    }
}

/// What the model thinks of it.
#[component]
fn Opinion(event: AccessEvent) -> impl IntoView {
    let body = match event.score {
        None => view! {
            <p class="quiet">"Nothing has been said of it: no model had been trained, or only access is judged."</p>
        }
        .into_any(),
        Some(score) => {
            let reasons = event.score_reasons.clone();
            view! {
                <p>
                    "Score " <strong class="number">{format!("{score:.2}")}</strong>
                    <span class="quiet">" of 1; the higher, the less usual"</span>
                </p>
                {if reasons.is_empty() {
                    view! { <p class="quiet">"Nothing stands out."</p> }.into_any()
                } else {
                    view! {
                        <ul class="reasons">
                            {reasons.into_iter().map(|reason| view! { <li>{reason}</li> }).collect_view()}
                        </ul>
                    }
                        .into_any()
                }}
            }
            .into_any()
        }
    };
    view! {
        <section class="card" aria-labelledby="event-opinion">
            <h2 id="event-opinion">"How unusual"</h2>
            {body}
        </section>
    }
}
