//! Pages for what is not there.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::layout::BarePage;
use crate::ui::{EmptyState, Glyph};

/// No such page; also the status code says so.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::server::set_status(404);
    view! {
        <Title text="Not found" />
        <BarePage>
            <EmptyState whole_page=true glyph=Glyph::Unknown title="There is no such page" text="The address may be mistyped, or what it showed is gone.">
                <a class="button button-primary" href="/">"Go to the overview"</a>
            </EmptyState>
        </BarePage>
    }
}

/// What the service worker shows when a page was never seen on this device and the server cannot be reached.
#[component]
pub fn OfflinePage() -> impl IntoView {
    view! {
        <Title text="Offline" />
        <BarePage>
            <EmptyState
                whole_page=true
                glyph=Glyph::Offline
                title="Portico cannot be reached"
                text="This page was not opened on this device before, so there is no last known state of it. Pages you have seen are still there, marked as old."
            >
                <a class="button button-primary" href="/" rel="external">"Try again"</a>
            </EmptyState>
        </BarePage>
    }
}
