//! The frame around every page of a signed-in person: rail or bottom bar, top bar, offline bar.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::components::{A, Outlet};
use portico_model::identity::{Permission, Role};

use crate::access::doors::bar::DoorBar;
use crate::alarms::bar::{AlarmBar, provide_alarms, use_alarms};
use crate::identity::SignOut;
use crate::identity::step_up::StepUpDialog;
use crate::live::{LineState, use_live};
use crate::palette::SearchBox;
use crate::ui::{Glyph, Icon};
use crate::viewer::{Viewer, use_viewer};

struct Entry {
    path: &'static str,
    word: &'static str,
    glyph: Glyph,
    needs: Option<Permission>,
    /// Has a place in the phone's bar, which has room for four; others are under "More" there.
    in_bar: bool,
}

const fn entry(path: &'static str, word: &'static str, glyph: Glyph) -> Entry {
    Entry { path, word, glyph, needs: None, in_bar: false }
}

impl Entry {
    const fn needs(mut self, permission: Permission) -> Self {
        self.needs = Some(permission);
        self
    }

    const fn in_bar(mut self) -> Self {
        self.in_bar = true;
        self
    }
}

const ENTRIES: &[Entry] = &[
    entry("/", "Overview", Glyph::Overview).in_bar(),
    entry("/locks", "Locks", Glyph::Lock).in_bar(),
    entry("/doors", "Doors", Glyph::Key).needs(Permission::ReadAccess),
    entry("/access_logs", "Access log", Glyph::Clock).needs(Permission::ReadAccessLog),
    entry("/analytics", "Analytics", Glyph::Statistics).needs(Permission::ReadAccessLog),
    entry("/cardholders", "Cardholders", Glyph::Account).needs(Permission::ReadAccess),
    entry("/policies", "Policies", Glyph::Check).needs(Permission::ReadAccess),
    entry("/codes", "Codes", Glyph::Key).needs(Permission::ReadAccess),
    entry("/parking", "Parking", Glyph::Parking),
    entry("/devices", "Devices", Glyph::Devices).in_bar(),
    entry("/alarms", "Alarms", Glyph::Alarm).in_bar(),
    entry("/groups", "Groups", Glyph::Groups),
    entry("/explore", "Explore", Glyph::Explore),
    entry("/firmware", "Firmware", Glyph::Download).needs(Permission::ManageFirmware),
    entry("/users", "People", Glyph::Users).needs(Permission::ManageUsers),
    entry("/api_keys", "API keys", Glyph::Key).needs(Permission::ManageServiceKeys),
    entry("/security_events", "Security", Glyph::Shield).needs(Permission::ReadAudit),
    entry("/audit", "Audit", Glyph::Audit).needs(Permission::ReadAudit),
    entry("/settings", "Settings", Glyph::Settings).needs(Permission::ManageOrganization),
    entry("/admin", "Statistics", Glyph::Statistics).needs(Permission::ManageOrganization),
    entry("/account", "Account", Glyph::Account),
];

fn offered(role: Role) -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().filter(move |entry| entry.needs.is_none_or(|needs| role.may(needs)))
}

/// Word and path of each page that the role is offered.
#[cfg(feature = "ssr")]
pub(crate) fn pages_of(role: Role) -> impl Iterator<Item = (&'static str, &'static str)> {
    offered(role).map(|entry| (entry.word, entry.path))
}

/// The mark: two columns under a pediment, with a door between them.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path class="mark-roof" d="M16 4 28 11.5H4Z" />
            <path class="mark-columns" d="M6 14h4v11H6zM22 14h4v11h-4zM4 26.5h24V29H4z" />
            <path class="mark-door" d="M12.5 25v-6.5a3.5 3.5 0 0 1 7 0V25z" />
        </svg>
    }
}

/// A page without the frame: sign-in, set-up, errors.
#[component]
pub fn BarePage(children: Children) -> impl IntoView {
    view! {
        <main class="bare" id="main">
            <a class="brand" href="/" rel="external">
                <Mark />
                <span>"Portico"</span>
            </a>
            {children()}
        </main>
    }
}

/// The frame. Who is not signed in is sent to sign in, and comes back.
#[component]
pub fn Layout() -> impl IntoView {
    let Some(viewer) = use_viewer() else {
        #[cfg(feature = "ssr")]
        crate::server::send_to_sign_in();
        Effect::new(|_| crate::browser::go_to(&format!("/login?next={}", crate::browser::encoded_location())));
        return view! {
            <BarePage>
                <p>
                    "You are signed out. " <a href="/login" rel="external">"Sign in"</a>
                </p>
            </BarePage>
        }
        .into_any();
    };
    use_live().open();
    provide_alarms();
    let more = RwSignal::new(false);
    let link = move |entry: &'static Entry| {
        view! {
            <A href=entry.path exact={entry.path == "/"} on:click=move |_| more.set(false)>
                <Icon glyph=entry.glyph />
                <span>{entry.word}</span>
                {(entry.path == "/alarms").then(|| view! { <OpenCount /> })}
            </A>
        }
    };
    let navigation = offered(viewer.role)
        .map(|entry| view! { <li class:not-in-bar=!entry.in_bar>{link(entry)}</li> })
        .collect_view();
    let others =
        offered(viewer.role).filter(|entry| !entry.in_bar).map(|entry| view! { <li>{link(entry)}</li> }).collect_view();
    view! {
        <a class="skip" href="#main">"Skip to the content"</a>
        <div class="frame">
            <nav class="rail" aria-label="Main">
                <a class="brand" href="/">
                    <Mark />
                    <span>"Portico"</span>
                </a>
                <ul>
                    {navigation}
                    <li class="rail-more">
                        <details
                            prop:open=move || more.get()
                            on:toggle=move |event| {
                                use leptos::wasm_bindgen::JsCast;
                                let details = event.target().and_then(|target| target.dyn_into::<leptos::web_sys::Element>().ok());
                                more.set(details.is_some_and(|details| details.has_attribute("open")));
                            }
                        >
                            <summary>
                                <Icon glyph=Glyph::More />
                                <span>"More"</span>
                            </summary>
                            <ul>{others}</ul>
                        </details>
                    </li>
                </ul>
            </nav>
            <header class="topbar">
                <a class="brand" href="/" aria-label="Portico, overview">
                    <Mark />
                </a>
                <SearchBox />
                <LiveLight />
                <a class="button button-icon" href="/notifications" title="Notifications">
                    <Icon glyph=Glyph::Bell />
                    <span class="hidden">"Notifications"</span>
                </a>
                <AccountMenu viewer />
            </header>
            <OfflineBar />
            <main id="main" tabindex="-1">
                <DoorBar />
                <AlarmBar />
                <Outlet />
            </main>
        </div>
        <StepUpDialog />
    }
    .into_any()
}

/// How many alarms nobody has taken on.
#[component]
fn OpenCount() -> impl IntoView {
    let counts = use_alarms().counts;
    let count = move || counts.get().map_or(0, |counts| counts.unacknowledged);
    view! {
        <span class="rail-count" hidden=move || count() == 0>
            {count}
            <span class="hidden">" not acknowledged"</span>
        </span>
    }
}

/// Whether values on the page are live.
#[component]
fn LiveLight() -> impl IntoView {
    let state = use_live().state;
    view! {
        <span class="live-light" data-state=move || state.get().as_str() role="status" aria-live="polite">
            <span class="live-dot" aria-hidden="true"></span>
            <span class="live-word">{move || state.get().word()}</span>
        </span>
    }
}

/// Says when the line is down, and what is still true.
#[component]
fn OfflineBar() -> impl IntoView {
    let state = use_live().state;
    view! {
        <p class="offline-bar" role="alert" hidden=move || state.get() != LineState::Lost>
            <Icon glyph=Glyph::Offline />
            <span>
                "The connection to Portico is lost. What you see is the last known state; it refreshes by itself when the connection returns."
            </span>
        </p>
    }
}

#[component]
fn AccountMenu(viewer: Viewer) -> impl IntoView {
    let initial = viewer.name.chars().next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    view! {
        <div class="account-menu">
            <a class="account-link" href="/account">
                <span class="avatar" aria-hidden="true">{initial}</span>
                <span class="account-name">{viewer.name.clone()}</span>
            </a>
            <form method="post" action=SignOut::PATH>
                <button class="button button-icon" type="submit" title="Sign out">
                    <Icon glyph=Glyph::SignOut />
                    <span class="hidden">"Sign out"</span>
                </button>
            </form>
        </div>
    }
}
