//! `/analytics`: what the last days at the doors were like, what was unusual, and the model that says so.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::access::AccessEvent;
use portico_model::access::anomaly::{AnomalyModel, ModelState, ModelStatus};
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::detail::MarkForm;
use super::figures::{Charts, MostActive, Numbers};
use super::row::who;
use super::{Analytics, MarkFalseAlarm, ReadAnalytics, TrainModel};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::time::{Ago, Moment};
use crate::ui::list::asked;
use crate::ui::{Badge, ErrorSummary, Glyph, Icon, SubmitButton, Tone};
use crate::viewer::use_viewer;

#[derive(Clone, Copy)]
struct Forms {
    mark: FormState,
    train: FormState,
}

/// The page.
#[component]
pub fn AnalyticsPage() -> impl IntoView {
    let days = asked("days");
    let forms = Forms { mark: FormState::of::<MarkFalseAlarm>(), train: FormState::of::<TrainModel>() };
    let found = load(move || Some(ReadAnalytics { days: days.get() }));
    let live = use_live();
    let changes = RwSignal::new(0_u32);
    follow(
        || Some("access".to_owned()),
        move |update| {
            // Figures are counted anew only for what matters at once; the rest comes with the next visit.
            let matters = match update {
                LiveUpdate::Event(Event::AccessModelChanged { .. }) => true,
                LiveUpdate::Event(Event::AccessLogged { event }) => event.is_anomaly,
                _ => false,
            };
            if matters {
                changes.update(|changes| *changes += 1);
            }
        },
    );
    reload_when(found, move || {
        let done = forms.mark.successes.get().wrapping_add(forms.train.successes.get());
        live.returns.get().wrapping_add(changes.get()).wrapping_add(done)
    });
    let is_month = Memo::new(move |_| days.with(|days| days == "30"));
    view! {
        <Title text="Analytics" />
        <div class="page-head">
            <h1>"Analytics"</h1>
            <div class="page-actions">
                <a class="button" href="/access_logs">
                    <Icon glyph=Glyph::Audit />
                    <span>"Access log"</span>
                </a>
            </div>
        </div>
        <nav class="tabs" aria-label="Period">
            <a href="/analytics" aria-current=move || (!is_month.get()).then_some("page")>
                "7 days"
            </a>
            <a href="/analytics?days=30" aria-current=move || is_month.get().then_some("page")>
                "30 days"
            </a>
        </nav>
        <Transition fallback=|| view! { <p class="loading" role="status">"Counting"</p> }>
            {in_place(
                found,
                |found: &Analytics| found.insights.by_day.len() > 10,
                move |found| view! { <Found found forms /> }.into_any(),
            )}
        </Transition>
    }
}

#[component]
fn Found(found: Memo<Analytics>, forms: Forms) -> impl IntoView {
    let insights = Memo::new(move |_| found.with(|found| found.insights.clone()));
    let unusual = Memo::new(move |_| found.with(|found| found.unusual.clone()));
    let model = Memo::new(move |_| found.with(|found| found.model.clone()));
    view! {
        {move || view! { <Numbers insights=insights.get() /> }}
        <div class="columns">
            <section class="card" aria-labelledby="unusual-title">
                <h2 id="unusual-title">"Unusual, last 30 days"</h2>
                <ErrorSummary form=forms.mark shown=&[] />
                {move || view! { <Unusual events=unusual.get() form=forms.mark /> }}
            </section>
            <Model model form=forms.train />
        </div>
        <div class="columns">
            {move || {
                let insights = insights.get();
                view! {
                    <Charts insights=insights.clone() />
                    <MostActive people=insights.people />
                }
            }}
        </div>
    }
}

#[component]
fn Unusual(events: Vec<AccessEvent>, form: FormState) -> impl IntoView {
    if events.is_empty() {
        return view! { <p class="quiet">"Nothing was unusual."</p> }.into_any();
    }
    let may = use_viewer().is_some_and(|viewer| viewer.may(Permission::AcknowledgeAllAlarms));
    view! {
        <ul class="unusual">
            {events.into_iter().map(|event| view! { <UnusualEvent event may form /> }).collect_view()}
        </ul>
    }
    .into_any()
}

#[component]
fn UnusualEvent(event: AccessEvent, may: bool, form: FormState) -> impl IntoView {
    let place = if event.door_name.is_empty() { String::new() } else { format!(" at {}", event.door_name) };
    let how = if event.granted == Some(true) { "let in" } else { "refused" };
    view! {
        <li class:is-over=event.is_false_alarm>
            <p class="unusual-head">
                <a href=format!("/access_logs/{}", event.id)>{who(&event)} {place}</a>
                <span class="quiet">", " {how} ", " <Ago at=Signal::stored(Some(event.at)) /></span>
            </p>
            <p>{event.score_reasons.join("; ")}</p>
            <div class="unusual-foot">
                {event.score.map(|score| view! { <span class="quiet number">{format!("Score {score:.2}")}</span> })}
                {event
                    .is_false_alarm
                    .then(|| view! { <Badge tone=Tone::Neutral glyph=Glyph::Check word="False alarm" /> })}
                {may
                    .then(|| {
                        view! { <MarkForm id=event.id form is_false_alarm=event.is_false_alarm page="analytics" /> }
                    })}
            </div>
        </li>
    }
}

#[component]
fn Model(model: Memo<ModelStatus>, form: FormState) -> impl IntoView {
    let may = use_viewer().is_some_and(|viewer| viewer.may(Permission::ManageAccess));
    let enough = Memo::new(move |_| model.with(|model| model.events >= model.events_needed));
    view! {
        <section class="card" aria-labelledby="model-title">
            <h2 id="model-title">"What is usual"</h2>
            <p class="quiet">
                "Learned from this building's own log, anew every night: who comes when, where and how. What differs gets a score and reasons; a false alarm counts in the next training."
            </p>
            <ErrorSummary form shown=&[] />
            {move || view! { <Learned model=model.get() /> }}
            {move || {
                (may && enough.get())
                    .then(|| {
                        view! {
                            <PostForm form id="train-model" class="inline">
                                <SubmitButton label="Train now" glyph=Glyph::Statistics pending=form.pending() />
                            </PostForm>
                        }
                    })
            }}
        </section>
    }
}

#[component]
fn Learned(model: ModelStatus) -> impl IntoView {
    let ModelStatus { current, latest, events, events_needed } = model;
    let too_few = current.is_none() && events < events_needed;
    view! {
        {too_few
            .then(|| {
                view! {
                    <p>
                        <Badge tone=Tone::Unknown glyph=Glyph::Unknown word="Too few events" />
                        {format!(" {events} of {events_needed} that are needed to say what is usual.")}
                    </p>
                }
            })}
        {(current.is_none() && !too_few && latest.is_none())
            .then(|| view! { <p>"Nothing has been learned yet; the first training begins by itself."</p> })}
        {current.map(|model| view! { <CurrentModel model /> })}
        {latest
            .map(|model| match model.state {
                ModelState::Failed => {
                    view! { <p role="status">{format!("Training {} failed: {}", model.version, model.error)}</p> }
                        .into_any()
                }
                _ => {
                    view! { <p role="status">{format!("Version {} is being trained.", model.version)}</p> }.into_any()
                }
            })}
    }
}

#[component]
fn CurrentModel(model: AnomalyModel) -> impl IntoView {
    let number = |number: Option<f64>| number.map_or_else(|| "none".to_owned(), |number| format!("{number:.2}"));
    view! {
        <dl class="facts">
            <dt>"Version"</dt>
            <dd>{model.version}</dd>
            {model
                .trained_at
                .map(|at| {
                    view! {
                        <dt>"Trained"</dt>
                        <dd>
                            <Moment at=Signal::stored(at) />
                        </dd>
                    }
                })}
            <dt>"From"</dt>
            <dd>{format!("{} events, {} called false alarms", model.trained_on, model.false_alarms)}</dd>
            <dt>"Unusual from"</dt>
            <dd>{number(model.threshold)}</dd>
            <dt>"Alarm from"</dt>
            <dd>{number(model.alarm_threshold)}</dd>
        </dl>
    }
}
