//! `/locks/:id`: one lock, live.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::DeviceId;
use portico_model::access::lock::{Lock, LockEvent, LockEventKind, LockRole};
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::history::{History, fold_event};
use super::manage::{LockActions, LockForms, Sharing};
use super::state::{LockButton, LockConnection, OperateForms};
use super::{GetLock, LockView};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{Loaded, in_place, load, reload_when};
use crate::time::Ago;
use crate::ui::{ErrorSummary, Glyph, Icon};
use crate::viewer::viewer_may;

/// The page.
#[component]
pub fn LockPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<DeviceId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let forms = LockForms::new();
    let operate = OperateForms::new();
    let found = load(move || id.get().map(|id| GetLock { id }));
    let live = use_live();
    reload_when(found, move || live.returns.get() + forms.changes());
    let gone = RwSignal::new(false);
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/locks">"Locks"</a>
        </nav>
        <p class="note note-danger" role="alert" hidden=move || !gone.get()>
            "This lock was removed, or is no longer shared with you. What you see is its last state."
        </p>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading lock"</p> }>
            {in_place(
                found,
                |view: &LockView| (view.shown.lock.id, view.shown.role),
                move |view| view! { <LockBody view found forms operate gone /> }.into_any(),
            )}
        </Transition>
    }
}

#[component]
fn LockBody(
    view: Memo<LockView>,
    found: Resource<Loaded>,
    forms: LockForms,
    operate: OperateForms,
    gone: RwSignal<bool>,
) -> impl IntoView {
    let (id, role) = view.with_untracked(|view| (view.shown.lock.id, view.shown.role));
    let lock = RwSignal::new(view.with_untracked(|view| view.shown.lock.clone()));
    let events = RwSignal::new(view.with_untracked(|view| view.events.clone()));
    // What was loaded anew.
    Effect::new(move |before: Option<LockView>| {
        let now = view.get();
        if before.is_some_and(|before| before != now) {
            lock.set(now.shown.lock.clone());
            events.set(now.events.clone());
        }
        now
    });
    follow(
        move || Some(format!("lock:{id}")),
        move |update| match update {
            LiveUpdate::Snapshot(mut data) => {
                let mut part = |name: &str| data.get_mut(name).map(serde_json::Value::take).unwrap_or_default();
                if let Ok(now) = serde_json::from_value::<Lock>(part("lock")) {
                    lock.set(now);
                }
                for event in serde_json::from_value::<Vec<LockEvent>>(part("events")).unwrap_or_default() {
                    events.update(|events| fold_event(events, event));
                }
            }
            LiveUpdate::Event(Event::LockChanged { lock: now }) => lock.set(now),
            LiveUpdate::Event(Event::LockLogged { event }) => {
                // With whom it is shared is no part of the event.
                if matches!(event.kind, LockEventKind::Shared | LockEventKind::Unshared) {
                    found.refetch();
                }
                events.update(|events| fold_event(events, event));
            }
            LiveUpdate::Event(Event::LockRemoved { .. }) => gone.set(true),
            LiveUpdate::Event(_) => {}
        },
    );
    // Its buttons are there only where the browser has Bluetooth.
    Effect::new(|_| crate::browser::load_module("/bluetooth.js"));
    let name = Memo::new(move |_| lock.with(|lock| lock.name.clone()));
    let place = Memo::new(move |_| lock.with(|lock| format!("{} · of {}", lock.location, lock.owner_name)));
    let is_bridged = Memo::new(move |_| lock.with(|lock| lock.is_bridged));
    let relock_at = Memo::new(move |_| lock.with(|lock| lock.relock_at));
    let grants = Signal::derive(move || view.with(|view| view.grants.clone()));
    let groups = view.with_untracked(|view| view.groups.clone());
    let may_reassign = viewer_may(Permission::ManageAllLocks);
    let manages = role == LockRole::Manager;
    view! {
        <Title text=move || name.try_get().unwrap_or_default() />
        <div class="page-head">
            <div class="title-line">
                <h1>{move || name.get()}</h1>
                <LockConnection lock />
                <span class="quiet">{move || place.get().trim_start_matches(" · ").to_owned()}</span>
            </div>
            {manages
                .then(|| {
                    let shown = lock.get_untracked();
                    view! { <LockActions lock=shown may_reassign forms /> }
                })}
        </div>
        <p class="note note-attention" hidden=move || !is_bridged.get()>
            <Icon glyph=Glyph::Alert />
            <span>
                "Insecure: this lock speaks over the bridge for older firmware. Nothing proves that what it says, or what it is told, is genuine."
            </span>
        </p>
        <ErrorSummary form=operate.lock shown=&[] />
        <ErrorSummary form=operate.unlock shown=&[] />
        <div class="columns columns-wide-first">
            <div class="stack">
                <section class="card lock-main" aria-label="Lock">
                    <LockButton lock role forms=operate />
                    {(role >= LockRole::Operator)
                        .then(|| {
                            view! {
                                <portico-bluetooth
                                    class="lock-bluetooth"
                                    data-lock=id.to_string()
                                    hidden=move || is_bridged.get()
                                ></portico-bluetooth>
                            }
                        })}
                    <p class="quiet" hidden=move || relock_at.get().is_none()>
                        "Locks itself " <Ago at=relock_at />
                    </p>
                </section>
                <History events />
            </div>
            <div class="stack">
                {manages.then(|| view! { <Sharing id grants groups forms /> })}
                <Diagnostics lock />
            </div>
        </div>
    }
}

/// How the lock is.
#[component]
fn Diagnostics(lock: RwSignal<Lock>) -> impl IntoView {
    let part = move |of: fn(&Lock) -> String| Memo::new(move |_| lock.with(of));
    let issue = part(|lock| if lock.issue.is_empty() { "None".to_owned() } else { lock.issue.clone() });
    let battery =
        part(|lock| lock.battery_percent.map_or_else(|| "not told".to_owned(), |percent| format!("{percent:.0} %")));
    let signal = part(|lock| lock.rssi_dbm.map_or_else(|| "not told".to_owned(), |dbm| format!("{dbm:.0} dBm")));
    let firmware =
        part(
            |lock| {
                if lock.firmware_version.is_empty() { "not told".to_owned() } else { lock.firmware_version.clone() }
            },
        );
    let beat = part(|lock| format!("every {} s", lock.heartbeat_interval_s));
    let seen = Memo::new(move |_| lock.with(|lock| lock.last_seen_at));
    let id = lock.with_untracked(|lock| lock.id);
    view! {
        <section class="card" aria-labelledby="diagnostics-title">
            <h2 id="diagnostics-title">"Diagnostics"</h2>
            <dl class="facts">
                <dt>"Issue"</dt>
                <dd>{move || issue.get()}</dd>
                <dt>"Last heard from"</dt>
                <dd>
                    <Ago at=seen />
                </dd>
                <dt>"Battery"</dt>
                <dd>{move || battery.get()}</dd>
                <dt>"Signal"</dt>
                <dd>{move || signal.get()}</dd>
                <dt>"Firmware"</dt>
                <dd>{move || firmware.get()}</dd>
                <dt>"Heard"</dt>
                <dd>{move || beat.get()}</dd>
                <dt>"Device"</dt>
                <dd>
                    <a href=format!("/devices/{id}")>"Its page"</a>
                </dd>
            </dl>
        </section>
    }
}
