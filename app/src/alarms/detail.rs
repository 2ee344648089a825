//! `/alarms/:id`: one alarm, its course, and what can be done.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::AlarmId;
use portico_model::alarms::{Alarm, AlarmCourse, AlarmState, AlarmStep, AlarmStepKind};

use super::bar::use_alarms;
use super::{AcknowledgeAlarm, ClearAlarm, GetAlarm, NoteAlarm, SeverityBadge, state_word, who};
use crate::form::{FormState, PostForm};
use crate::live::use_live;
use crate::load::{in_place, load};
use crate::time::{Ago, Moment};
use crate::ui::{Badge, Dialog, ErrorSummary, Glyph, Icon, SubmitButton, TextAreaField, Tone};

#[derive(Clone, Copy)]
struct Forms {
    acknowledge: FormState,
    clear: FormState,
    note: FormState,
}

/// The page.
#[component]
pub fn AlarmPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<AlarmId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let forms = Forms {
        acknowledge: FormState::of::<AcknowledgeAlarm>(),
        clear: FormState::of::<ClearAlarm>(),
        note: FormState::of::<NoteAlarm>(),
    };
    let course = load(move || id.get().map(|id| GetAlarm { id }));
    let live = use_live();
    let alarms = use_alarms();
    Effect::new(move |before: Option<(u32, u32, Option<Alarm>)>| {
        let changed = alarms.changed.get().filter(|alarm| Some(alarm.id) == id.get_untracked());
        let done = [forms.acknowledge, forms.clear, forms.note].map(|form| form.successes.get()).iter().sum();
        let now = (live.returns.get(), done, changed);
        if before.is_some_and(|before| before != now) {
            course.refetch();
        }
        now
    });
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/alarms">"Alarms"</a>
        </nav>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading alarm"</p> }>
            {in_place(
                course,
                |course: &AlarmCourse| course.alarm.id,
                move |course| view! { <AlarmView course forms /> }.into_any(),
            )}
        </Transition>
    }
}

#[component]
fn AlarmView(course: Memo<AlarmCourse>, forms: Forms) -> impl IntoView {
    let alarm = Memo::new(move |_| course.with(|course| course.alarm.clone()));
    let state = Memo::new(move |_| alarm.with(|alarm| alarm.state));
    let may_handle = Memo::new(move |_| course.with(|course| course.may_handle));
    let id = alarm.with_untracked(|alarm| alarm.id);
    view! {
        <Title text=move || alarm.try_with(|alarm| alarm.title.clone()).unwrap_or_default() />
        <div class="page-head">
            <div class="title-line">
                <h1>{move || alarm.with(|alarm| alarm.title.clone())}</h1>
                {move || view! { <SeverityBadge severity=alarm.with(|alarm| alarm.severity) /> }}
                {move || {
                    let (tone, glyph) = match state.get() {
                        AlarmState::Raised => (Tone::Attention, Glyph::Alert),
                        AlarmState::Acknowledged => (Tone::Neutral, Glyph::Account),
                        AlarmState::Cleared => (Tone::Ok, Glyph::Check),
                    };
                    view! { <Badge tone glyph word=state_word(state.get()) /> }
                }}
            </div>
            {move || {
                let state = state.get();
                (may_handle.get() && state.is_open()).then(|| view! { <Actions id state forms /> })
            }}
        </div>
        <p class="lead">{move || alarm.with(|alarm| alarm.text.clone())}</p>
        <div class="columns">
            {move || view! { <Facts alarm=alarm.get() /> }}
            <Course id course may_handle form=forms.note />
        </div>
    }
}

#[component]
fn Actions(id: AlarmId, state: AlarmState, forms: Forms) -> impl IntoView {
    let Forms { acknowledge, clear, .. } = forms;
    view! {
        <div class="page-actions">
            {(state == AlarmState::Raised)
                .then(|| {
                    view! {
                        <Dialog
                            label="Acknowledge"
                            glyph=Glyph::Check
                            class="button button-primary"
                            open=acknowledge.came_back()
                        >
                            <PostForm form=acknowledge id="acknowledge-alarm">
                                <ErrorSummary form=acknowledge shown=&["note"] />
                                <input type="hidden" name="id" value=id.to_string() />
                                <p>"You take it on: nobody is reminded any more, and it does not escalate."</p>
                                <NoteField form=acknowledge id="acknowledge-note" />
                                <SubmitButton
                                    label="Acknowledge alarm"
                                    glyph=Glyph::Check
                                    pending=acknowledge.pending()
                                />
                            </PostForm>
                        </Dialog>
                    }
                })}
            <Dialog label="Clear" glyph=Glyph::Cross open=clear.came_back()>
                <PostForm form=clear id="clear-alarm">
                    <ErrorSummary form=clear shown=&["note"] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <p>
                        "Ends the alarm by hand. If what it tells of goes on, it comes back only after that has ended and begins anew."
                    </p>
                    <NoteField form=clear id="clear-note" />
                    <SubmitButton label="Clear alarm" glyph=Glyph::Cross pending=clear.pending() />
                </PostForm>
            </Dialog>
        </div>
    }
}

/// Why it is done; the same name stands in two forms of the page.
#[component]
fn NoteField(form: FormState, id: &'static str) -> impl IntoView {
    view! { <crate::ui::TextField form name="note" label="Note" maxlength=1000 id=id /> }
}

#[component]
fn Facts(alarm: Alarm) -> impl IntoView {
    let about = match alarm.subject_kind.as_str() {
        "device" => {
            view! { <a href=format!("/devices/{}", alarm.subject_id)>{alarm.subject_name.clone()}</a> }.into_any()
        }
        _ => alarm.subject_name.clone().into_any(),
    };
    let at = |word: &'static str, at: Option<portico_model::Timestamp>, by: Option<&str>| {
        let by = by.map(who);
        at.map(|at| {
            view! {
                <dt>{word}</dt>
                <dd>
                    <Moment at=Signal::stored(at) />
                    {by.map(|by| format!(" by {by}"))}
                </dd>
            }
        })
    };
    view! {
        <section class="card" aria-labelledby="alarm-facts-title">
            <h2 id="alarm-facts-title">"About this alarm"</h2>
            <dl class="facts">
                <dt>"About"</dt>
                <dd>{about}</dd>
                {at("Since", Some(alarm.began_at), None)}
                {at("Raised", Some(alarm.raised_at), None)}
                {(alarm.times > 1)
                    .then(|| {
                        view! {
                            <dt>"Came back"</dt>
                            <dd>
                                {format!("{} times, last ", alarm.times - 1)}
                                <Ago at=Signal::stored(Some(alarm.last_raised_at)) />
                            </dd>
                        }
                    })}
                {at("Escalated", alarm.escalated_at, None)}
                {at("Acknowledged", alarm.acknowledged_at, alarm.acknowledged_by.as_deref())}
                {at("Over", alarm.cleared_at, alarm.cleared_by.as_deref())}
                {alarm
                    .rule_id
                    .map(|rule| {
                        view! {
                            <dt>"Raised by"</dt>
                            <dd>
                                <a href=format!("/alarms/rules/{rule}")>"its rule"</a>
                            </dd>
                        }
                    })}
                <dt>"Before"</dt>
                <dd>
                    <a href=format!("/alarms?state=all&subject={}", alarm.subject_id)>"All alarms about this"</a>
                </dd>
            </dl>
        </section>
    }
}

const fn step_word(kind: AlarmStepKind) -> &'static str {
    match kind {
        AlarmStepKind::Raised => "Raised",
        AlarmStepKind::RaisedAgain => "Came back",
        AlarmStepKind::Escalated => "Escalated",
        AlarmStepKind::Reminded => "People were reminded",
        AlarmStepKind::Acknowledged => "Acknowledged",
        AlarmStepKind::Noted => "Note",
        AlarmStepKind::Cleared => "Cleared",
    }
}

const fn step_glyph(kind: AlarmStepKind) -> Glyph {
    match kind {
        AlarmStepKind::Raised | AlarmStepKind::RaisedAgain | AlarmStepKind::Escalated => Glyph::Alert,
        AlarmStepKind::Reminded => Glyph::Clock,
        AlarmStepKind::Acknowledged => Glyph::Account,
        AlarmStepKind::Noted => Glyph::Edit,
        AlarmStepKind::Cleared => Glyph::Check,
    }
}

#[component]
fn Course(id: AlarmId, course: Memo<AlarmCourse>, may_handle: Memo<bool>, form: FormState) -> impl IntoView {
    let steps = Memo::new(move |_| course.with(|course| course.steps.clone()));
    view! {
        <section class="card" aria-labelledby="course-title">
            <h2 id="course-title">"Course"</h2>
            <ol class="course">
                {move || steps
                    .get()
                    .into_iter()
                    .map(|step: AlarmStep| {
                        view! {
                            <li class=format!("course-step course-{}", step.kind.as_str())>
                                <Icon glyph=step_glyph(step.kind) />
                                <div>
                                    <p>
                                        <strong>{step_word(step.kind)}</strong>
                                        " by "
                                        {who(&step.actor)}
                                        <span class="sub">
                                            <Moment at=Signal::stored(step.at) />
                                        </span>
                                    </p>
                                    {(!step.note.is_empty()).then(|| view! { <p class="course-note">{step.note}</p> })}
                                </div>
                            </li>
                        }
                    })
                    .collect_view()}
            </ol>
            {move || {
                // What was noted is emptied; what somebody is writing stays.
                form.successes.track();
                may_handle.get().then(|| {
                    view! {
                        <PostForm form id="note-alarm">
                            <ErrorSummary form shown=&["note"] />
                            <input type="hidden" name="id" value=id.to_string() />
                            <TextAreaField form name="note" label="Add a note" rows=2 />
                            <SubmitButton label="Add note" class="button" pending=form.pending() />
                        </PostForm>
                    }
                })
            }}
        </section>
    }
}
