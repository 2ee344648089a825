//! The frame around every page of a signed-in person: rail or bottom bar, top bar, offline bar.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::components::{A, Outlet};
use portico_model::identity::Permission;

use crate::identity::SignOut;
use crate::live::{LineState, use_live};
use crate::ui::{Glyph, Icon};
use crate::viewer::{Viewer, use_viewer};

struct Entry {
    path: &'static str,
    word: &'static str,
    glyph: Glyph,
    needs: Option<Permission>,
}

const ENTRIES: [Entry; 6] = [
    Entry { path: "/", word: "Overview", glyph: Glyph::Overview, needs: None },
    Entry { path: "/devices", word: "Devices", glyph: Glyph::Devices, needs: None },
    Entry { path: "/firmware", word: "Firmware", glyph: Glyph::Download, needs: Some(Permission::ManageFirmware) },
    Entry { path: "/users", word: "People", glyph: Glyph::Users, needs: Some(Permission::ManageUsers) },
    Entry { path: "/audit", word: "Audit", glyph: Glyph::Audit, needs: Some(Permission::ReadAudit) },
    Entry { path: "/account", word: "Account", glyph: Glyph::Account, needs: None },
];

fn offered(viewer: &Viewer) -> impl Iterator<Item = &'static Entry> + use<> {
    let role = viewer.role;
    ENTRIES.iter().filter(move |entry| entry.needs.is_none_or(|needs| role.may(needs)))
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
    let navigation = offered(&viewer)
        .map(|entry| {
            view! {
                <li>
                    <A href=entry.path exact={entry.path == "/"}>
                        <Icon glyph=entry.glyph />
                        <span>{entry.word}</span>
                    </A>
                </li>
            }
        })
        .collect_view();
    view! {
        <a class="skip" href="#main">"Skip to the content"</a>
        <div class="frame">
            <nav class="rail" aria-label="Main">
                <a class="brand" href="/">
                    <Mark />
                    <span>"Portico"</span>
                </a>
                <ul>{navigation}</ul>
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
                <Outlet />
            </main>
        </div>
    }
    .into_any()
}

/// Finds a device by name, type, place or id. `/` or Ctrl-K goes there.
#[component]
fn SearchBox() -> impl IntoView {
    let input = NodeRef::<leptos::html::Input>::new();
    Effect::new(move |_| {
        let handle = window_event_listener(leptos::ev::keydown, move |event| {
            let typing = document()
                .active_element()
                .is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
            let wanted = (event.key() == "/" && !typing && !event.ctrl_key() && !event.meta_key() && !event.alt_key())
                || (event.key() == "k" && (event.ctrl_key() || event.meta_key()));
            if wanted && let Some(input) = input.get_untracked() {
                event.prevent_default();
                let _ = input.focus();
                input.select();
            }
        });
        on_cleanup(move || handle.remove());
    });
    view! {
        <leptos_router::components::Form method="GET" action="/devices" attr:class="search" attr:role="search">
            <label class="hidden" for="search">"Search devices"</label>
            <Icon glyph=Glyph::Search />
            <input
                id="search"
                name="search"
                type="search"
                node_ref=input
                placeholder="Search devices"
                autocomplete="off"
                enterkeyhint="search"
                aria-keyshortcuts="/ Control+K"
            />
            <kbd aria-hidden="true">"/"</kbd>
        </leptos_router::components::Form>
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
