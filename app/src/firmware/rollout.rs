//! `/firmware/rollouts/:id`: a roll-out as it goes.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use portico_model::firmware::{DeviceUpdate, Rollout, RolloutCounts, RolloutState, Selection, UpdateState};
use portico_model::live::Event;
use portico_model::{Page, RolloutId};

use super::{GetRollout, RolloutView, SteerRollout};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{load, read};
use crate::time::{Ago, Moment};
use crate::ui::{Badge, Dialog, ErrorSummary, Glyph, Icon, ProblemView, SubmitButton, Tone};

/// The page.
#[component]
pub fn RolloutPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<RolloutId>().ok())));
    let part = move |name: &str| query.with(|query| query.get(name).unwrap_or_default());
    let (state, cursor) = (Memo::new(move |_| part("state")), Memo::new(move |_| part("cursor")));
    let steer = FormState::of::<SteerRollout>();
    let rollout = load(move || id.get().map(|id| GetRollout { id, state: state.get(), cursor: cursor.get() }));
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/firmware">"Firmware"</a>
        </nav>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading roll-out"</p> }>
            {move || {
                rollout
                    .get()
                    .map(|answer| match read::<RolloutView>(answer) {
                        Ok(RolloutView { rollout, devices }) => {
                            view! { <RolloutDetail rollout devices state=state.get_untracked() steer /> }.into_any()
                        }
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

/// How a roll-out stands.
#[component]
pub fn RolloutBadge(state: RolloutState) -> impl IntoView {
    let (tone, glyph, word) = match state {
        RolloutState::Running => (Tone::Neutral, Glyph::Next, "Running"),
        RolloutState::Paused => (Tone::Attention, Glyph::Pause, "Paused"),
        RolloutState::Stopped => (Tone::Danger, Glyph::Alert, "Stopped"),
        RolloutState::Aborted => (Tone::Unknown, Glyph::Cross, "Ended"),
        RolloutState::Finished => (Tone::Ok, Glyph::Check, "Finished"),
    };
    view! { <Badge tone glyph word /> }
}

/// Installed, at work and failed as parts of a bar; the text beside it says the same.
#[component]
pub fn RolloutBar(counts: RolloutCounts) -> impl IntoView {
    #[allow(clippy::cast_precision_loss)] // thousands at most
    let share = move |part: i64| 100.0 * part as f64 / counts.total().max(1) as f64;
    let (ok, bad, busy) = (share(counts.installed), share(counts.failed + counts.rolled_back), share(counts.active()));
    view! {
        <svg class="rollout-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">
            <rect class="bar-rest" x="0" y="0" width="100" height="6" />
            <rect class="bar-ok" x="0" y="0" width=ok height="6" />
            <rect class="bar-busy" x=ok y="0" width=busy height="6" />
            <rect class="bar-bad" x={ok + busy} y="0" width=bad height="6" />
        </svg>
    }
}

/// The counts in words.
#[must_use]
pub fn counts_text(counts: &RolloutCounts) -> String {
    let mut parts = vec![format!("{} of {} installed", counts.installed, counts.total())];
    for (count, word) in [
        (counts.active(), "at work"),
        (counts.failed, "failed"),
        (counts.rolled_back, "taken back"),
        (counts.pending, "waiting"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.join(" · ")
}

#[component]
fn UpdateBadge(state: UpdateState, progress: i64) -> impl IntoView {
    let (tone, glyph, word) = match state {
        UpdateState::Pending => (Tone::Unknown, Glyph::Clock, "Waiting".to_owned()),
        UpdateState::Notified => (Tone::Neutral, Glyph::Next, "Told".to_owned()),
        UpdateState::Downloading => (Tone::Neutral, Glyph::Download, format!("Downloading {progress} %")),
        UpdateState::Verifying => (Tone::Neutral, Glyph::Wrench, "Installing".to_owned()),
        UpdateState::Installed => (Tone::Ok, Glyph::Check, "Installed".to_owned()),
        UpdateState::Failed => (Tone::Danger, Glyph::Alert, "Failed".to_owned()),
        UpdateState::RolledBack => (Tone::Danger, Glyph::Alert, "Taken back".to_owned()),
    };
    view! { <Badge tone glyph word /> }
}

/// Puts a device's step in its place; one that is not on this page is left.
pub fn fold_updates(updates: &mut [DeviceUpdate], changed: DeviceUpdate) {
    if let Some(update) = updates.iter_mut().find(|update| update.device_id == changed.device_id) {
        *update = changed;
    }
}

#[component]
fn RolloutDetail(rollout: Rollout, devices: Page<DeviceUpdate>, state: String, steer: FormState) -> impl IntoView {
    let id = rollout.id;
    let title = format!("{} {}", rollout.device_type, rollout.version);
    let next = devices
        .next
        .as_deref()
        .map(|cursor| format!("/firmware/rollouts/{id}?state={state}&cursor={}", crate::browser::encode(cursor)));
    let updates = RwSignal::new(devices.items);
    let rollout = RwSignal::new(rollout);
    follow(
        move || Some(format!("rollout:{id}")),
        move |update| match update {
            LiveUpdate::Snapshot(mut data) => {
                let mut part = |name: &str| data.get_mut(name).map(serde_json::Value::take);
                if let Some(now) = part("rollout").and_then(|now| serde_json::from_value(now).ok()) {
                    rollout.set(now);
                }
                let now = part("devices").and_then(|now| serde_json::from_value::<Vec<DeviceUpdate>>(now).ok());
                updates.update(|updates| {
                    now.into_iter().flatten().for_each(|changed| fold_updates(updates, changed));
                });
            }
            LiveUpdate::Event(Event::RolloutChanged { rollout: now }) => rollout.set(now),
            LiveUpdate::Event(Event::DeviceUpdateChanged { update, .. }) => {
                updates.update(|updates| fold_updates(updates, update));
            }
            LiveUpdate::Event(_) => {}
        },
    );
    Effect::new(move |_| {
        if let Some(changed) = steer.answer::<Rollout>() {
            rollout.set(changed);
        }
    });
    let state_now = Memo::new(move |_| rollout.with(|rollout| rollout.state));
    let counts = Memo::new(move |_| rollout.with(|rollout| rollout.counts));
    let reason = Memo::new(move |_| rollout.with(|rollout| rollout.reason.clone()));
    view! {
        <Title text=format!("Roll-out of {title}") />
        <div class="page-head">
            <div class="title-line">
                <h1>{format!("Roll-out of {title}")}</h1>
                {move || view! { <RolloutBadge state=state_now.get() /> }}
            </div>
            <Steering id state=state_now form=steer />
        </div>
        <ErrorSummary form=steer shown=&[] />
        <p class="note note-danger" role="alert" hidden=move || reason.with(String::is_empty)>
            <Icon glyph=Glyph::Alert />
            <span>{move || reason.get()} " Nobody else is told until you go on."</span>
        </p>
        <div class="stack">
        <section class="card" aria-label="Progress">
            {move || view! { <RolloutBar counts=counts.get() /> }}
            <p role="status">{move || counts_text(&counts.get())}</p>
            <Plan rollout />
        </section>
        <section class="card" aria-labelledby="updates-title">
            <div class="card-head">
                <h2 id="updates-title">"Devices"</h2>
                <Filter id state />
            </div>
            <p class="quiet" hidden=move || updates.with(|updates| !updates.is_empty())>"None in this state."</p>
            <ul class="updates">
                <For
                    each=move || updates.get()
                    key=|update| (update.device_id, update.state, update.progress, update.updated_at)
                    let:update
                >
                    <li class="update" data-state=update.state.as_str()>
                        <UpdateBadge state=update.state progress=update.progress />
                        <div>
                            <a href=format!("/devices/{}", update.device_id)>{update.device_name}</a>
                            {(!update.error.is_empty()).then(|| view! { <p class="command-error">{update.error}</p> })}
                        </div>
                        <span class="quiet">
                            {if update.from_version.is_empty() {
                                "from an unknown version, ".to_owned()
                            } else {
                                format!("from {}, ", update.from_version)
                            }} <Ago at=Signal::stored(Some(update.updated_at)) />
                        </span>
                    </li>
                </For>
            </ul>
            {next
                .map(|href| {
                    view! {
                        <nav class="pages" aria-label="Pages">
                            <a class="button" href=href rel="next">
                                "Next page"
                                <Icon glyph=Glyph::Next />
                            </a>
                        </nav>
                    }
                })}
        </section>
        </div>
    }
}

#[component]
fn Steering(id: RolloutId, state: Memo<RolloutState>, form: FormState) -> impl IntoView {
    let button = move |label: &'static str, action: &'static str, shown: fn(RolloutState) -> bool| {
        view! {
            <div hidden=move || !shown(state.get())>
                <PostForm form class="inline">
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="action" value=action />
                    <SubmitButton label class="button" pending=form.pending() />
                </PostForm>
            </div>
        }
    };
    view! {
        <div class="page-actions">
            {button("Pause", "pause", |state| state == RolloutState::Running)}
            {button("Go on", "resume", |state| matches!(state, RolloutState::Paused | RolloutState::Stopped))}
            <div hidden=move || state.get().is_final()>
                <Dialog
                    label="End"
                    glyph=Glyph::Cross
                    class="button button-danger"
                    done=Signal::derive(move || form.successes.get() > 0)
                >
                    <PostForm form>
                        <input type="hidden" name="id" value=id.to_string() />
                        <input type="hidden" name="action" value="abort" />
                        <p>"No further device is told. Those that have begun may still finish. This cannot be undone."</p>
                        <SubmitButton label="End roll-out" class="button button-danger" pending=form.pending() />
                    </PostForm>
                </Dialog>
            </div>
        </div>
    }
}

#[component]
fn Plan(rollout: RwSignal<Rollout>) -> impl IntoView {
    let stage = Memo::new(move |_| {
        rollout.with(|rollout| {
            let percent = usize::try_from(rollout.stage).ok().and_then(|stage| rollout.stages.get(stage));
            format!("{} of {}: up to {} %", rollout.stage + 1, rollout.stages.len(), percent.unwrap_or(&100))
        })
    });
    let now = rollout.get_untracked();
    let to = match now.selection {
        Selection::Type => "every device of the type".to_owned(),
        Selection::Group { .. } => "the devices of a group".to_owned(),
        Selection::Devices { device_ids } => format!("{} chosen devices", device_ids.len()),
    };
    let image = format!("/firmware/{}", now.firmware_id);
    view! {
        <dl class="facts">
            <dt>"To"</dt>
            <dd>{to}</dd>
            <dt>"Stage"</dt>
            <dd>{move || stage.get()}</dd>
            <dt>"Pace"</dt>
            <dd>{format!("{} at a time, {} a minute", now.at_once, now.per_minute)}</dd>
            <dt>"Stops when more have failed than"</dt>
            <dd>{format!("{} %", now.max_failed_percent)}</dd>
            <dt>"Downgrade"</dt>
            <dd>{if now.force { "forced" } else { "refused" }}</dd>
            <dt>"Begun"</dt>
            <dd>
                <Moment at=Signal::stored(now.created_at) />
                {format!(" by {}", now.created_by)}
            </dd>
            <dt>"Image"</dt>
            <dd>
                <a href=image>{now.version}</a>
            </dd>
        </dl>
    }
}

#[component]
fn Filter(id: RolloutId, state: String) -> impl IntoView {
    let choice = move |value: &'static str, word: &'static str| {
        let href = if value.is_empty() {
            format!("/firmware/rollouts/{id}")
        } else {
            format!("/firmware/rollouts/{id}?state={value}")
        };
        view! {
            <a class="range-choice" href=href aria-current=(value == state).then_some("true")>
                {word}
            </a>
        }
    };
    view! {
        <nav class="range" aria-label="Which devices">
            {[("", "All"), ("failed", "Failed"), ("rolled_back", "Taken back"), ("pending", "Waiting")]
                .map(|(value, word)| choice(value, word))
                .collect_view()}
        </nav>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_words_without_the_empty_ones() {
        let counts = RolloutCounts { installed: 3, failed: 1, downloading: 1, notified: 1, ..RolloutCounts::default() };
        assert_eq!(counts_text(&counts), "3 of 6 installed · 2 at work · 1 failed");
    }
}
