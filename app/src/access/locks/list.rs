//! `/locks`: the locks one sees, each with its button.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::access::lock::{Lock, LockRole, RegisteredLock, ShownLock};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{DeviceId, Page};

use super::state::{LockButton, LockConnection, OperateForms};
use super::{ListLocks, RegisterLock};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{load, reload_when};
use crate::ui::list::{asked, is_restricted};
use crate::ui::{
    CopyButton, Dialog, EmptyState, ErrorSummary, Filters, Glyph, Icon, Listed, Pages, SelectFilter, SubmitButton,
    TextField, TextFilter,
};
use crate::viewer::viewer_may;

const RESTRICTIONS: &[&str] = &["search", "position", "connection"];
const FIELDS: &[&str] = &["name", "location", "hardware_id"];

/// The page.
#[component]
pub fn LocksPage() -> impl IntoView {
    let [search, position, connection, cursor] = ["search", "position", "connection", "cursor"].map(asked);
    let restricted = is_restricted(RESTRICTIONS);
    let register = FormState::of::<RegisterLock>();
    let forms = OperateForms::new();
    let page = load(move || {
        Some(ListLocks {
            search: search.get(),
            position: position.get(),
            connection: connection.get(),
            cursor: cursor.get(),
        })
    });
    let live = use_live();
    reload_when(page, move || live.returns.get() + register.successes.get());
    let may_register = viewer_may(Permission::RegisterDevices);
    let list =
        move |found: Page<ShownLock>| view! { <LockCards found forms on_unknown=move || page.refetch() /> }.into_any();
    let empty = move || view! { <NoLocks restricted=restricted.get_untracked() /> }.into_any();
    view! {
        <Title text="Locks" />
        <div class="page-head">
            <h1>"Locks"</h1>
            <div class="page-actions">
                {may_register.then(|| view! { <Register form=register /> })}
            </div>
        </div>
        <KeyOnce form=register />
        <Filters action="/locks">
            <TextFilter name="search" label="Search" kind="search" placeholder="Name, place or id" wide=true />
            <SelectFilter
                name="position"
                label="Position"
                choices=&[
                    ("", "Any"),
                    ("locked", "Locked"),
                    ("unlocked", "Unlocked"),
                    ("jammed", "Jammed"),
                    ("unknown", "Unknown"),
                ]
            />
            <SelectFilter
                name="connection"
                label="Connection"
                choices=&[("", "Any"), ("online", "Available"), ("offline", "Unavailable"), ("never", "Never seen")]
            />
        </Filters>
        <ErrorSummary form=forms.lock shown=&[] />
        <ErrorSummary form=forms.unlock shown=&[] />
        <Listed page what="locks" list empty />
    }
}

#[component]
fn Register(form: FormState) -> impl IntoView {
    let done = Signal::derive(move || form.successes.get() > 0);
    view! {
        <Dialog label="Register lock" glyph=Glyph::Plus class="button button-primary" open=form.came_back() done=done>
            <PostForm form id="register-lock">
                <ErrorSummary form shown=FIELDS />
                <TextField
                    form
                    name="name"
                    id="lock-name"
                    label="Name"
                    required=true
                    maxlength=100
                    autocomplete="off"
                    help="As people call it, such as “Front door”."
                />
                <TextField form name="location" id="lock-location" label="Place" autocomplete="off" />
                <TextField
                    form
                    name="hardware_id"
                    id="lock-hardware-id"
                    label="Hardware id"
                    autocomplete="off"
                    help="What is printed on it, such as device-1."
                />
                <SubmitButton label="Register lock" pending=form.pending() />
            </PostForm>
        </Dialog>
    }
}

/// The key of the lock just registered, shown this once.
#[component]
fn KeyOnce(form: FormState) -> impl IntoView {
    let posted = form.outcome("name").zip(form.outcome("id")).zip(form.outcome("api_key"));
    let posted = StoredValue::new(posted.map(|((name, id), key)| (name, id, key)));
    let made = Memo::new(move |_| {
        let answer = form.answer::<RegisteredLock>();
        let now =
            answer.map(|made| (made.lock.lock.name, made.lock.lock.id.to_string(), made.api_key.unwrap_or_default()));
        now.or_else(|| posted.get_value())
    });
    move || {
        made.get().map(|(name, id, key)| {
            view! {
                <section class="card key-once" aria-labelledby="lock-key-title">
                    <h2 id="lock-key-title">
                        <Icon glyph=Glyph::Key />
                        {format!("The key of {name}")}
                    </h2>
                    <p class="note note-attention">
                        "Keep it now: it is stored only as a hash and cannot be shown again. The lock signs in with it and its device id."
                    </p>
                    <dl class="facts facts-key">
                        <dt>"Device id"</dt>
                        <dd>
                            <code>{id.clone()}</code>
                            <CopyButton text=Signal::stored(id.clone()) what="device id" />
                        </dd>
                        <dt>"API key"</dt>
                        <dd>
                            <code data-testid="api-key">{key.clone()}</code>
                            <CopyButton text=Signal::stored(key.clone()) what="API key" />
                        </dd>
                    </dl>
                    <p class="actions">
                        <a class="button" href=format!("/locks/{id}")>"To the lock"</a>
                    </p>
                </section>
            }
        })
    }
}

#[component]
fn NoLocks(restricted: bool) -> impl IntoView {
    if restricted {
        view! {
            <EmptyState
                glyph=Glyph::Search
                title="No lock matches"
                text="Search looks into name, place and ids. Take a filter away to see more."
            >
                <a class="button" href="/locks">"Show all locks"</a>
            </EmptyState>
        }
        .into_any()
    } else {
        view! {
            <EmptyState
                glyph=Glyph::Lock
                title="No locks yet"
                text="A lock that you register, or that somebody shares with you, stands here with a button to lock and unlock it from anywhere."
            />
        }
        .into_any()
    }
}

#[derive(Clone, Copy)]
struct Row {
    id: DeviceId,
    lock: RwSignal<Lock>,
    role: LockRole,
}

#[component]
fn LockCards(
    found: Page<ShownLock>,
    forms: OperateForms,
    /// A lock that is not on this page appeared.
    on_unknown: impl Fn() + 'static,
) -> impl IntoView {
    let next = found.next;
    let row = |shown: ShownLock| Row { id: shown.lock.id, lock: RwSignal::new(shown.lock), role: shown.role };
    let rows = RwSignal::new(found.items.into_iter().map(row).collect::<Vec<_>>());
    let put = move |lock: Lock| {
        let known = rows.with_untracked(|rows| rows.iter().find(|row| row.id == lock.id).copied());
        let is_known = known.is_some();
        if let Some(row) = known {
            row.lock.set(lock);
        }
        is_known
    };
    follow(
        || Some("locks".to_owned()),
        move |update| match update {
            // What changed while the page was on its way.
            LiveUpdate::Snapshot(mut data) => {
                let locks = data.get_mut("locks").map(serde_json::Value::take).unwrap_or_default();
                for lock in serde_json::from_value::<Vec<Lock>>(locks).unwrap_or_default() {
                    put(lock);
                }
            }
            LiveUpdate::Event(Event::LockChanged { lock }) => {
                if !put(lock) {
                    on_unknown();
                }
            }
            LiveUpdate::Event(Event::LockRemoved { id }) => rows.update(|rows| rows.retain(|row| row.id != id)),
            LiveUpdate::Event(_) => {}
        },
    );
    view! {
        <ul class="lock-cards" aria-label="Locks">
            <For each=move || rows.get() key=|row| row.id let:row>
                <li class="card lock-card">
                    <LockHead row />
                    <LockButton lock=row.lock role=row.role forms from="list" />
                </li>
            </For>
        </ul>
        <Pages next />
    }
}

#[component]
fn LockHead(row: Row) -> impl IntoView {
    let Row { id, lock, .. } = row;
    let name = Memo::new(move |_| lock.with(|lock| lock.name.clone()));
    let place = Memo::new(move |_| lock.with(|lock| lock.location.clone()));
    let issue = Memo::new(move |_| lock.with(|lock| lock.issue.clone()));
    view! {
        <div class="card-head">
            <h2>
                <a class="row-link" href=format!("/locks/{id}")>{move || name.get()}</a>
            </h2>
            <LockConnection lock />
        </div>
        <p class="sub">{move || place.get()}</p>
        <p class="lock-issue" hidden=move || issue.with(String::is_empty)>
            <Icon glyph=Glyph::Alert />
            <span>{move || issue.get()}</span>
        </p>
    }
}
