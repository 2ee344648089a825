//! What belongs to doors, side by side.

use leptos::prelude::*;
use leptos_router::components::A;

/// Above each of these pages.
#[component]
pub fn DoorTabs() -> impl IntoView {
    view! {
        <nav class="tabs" aria-label="About doors">
            <A href="/doors" exact=true>"Doors"</A>
            <A href="/doors/plan">"Plan"</A>
            <A href="/doors/areas">"Groups and zones"</A>
            <A href="/doors/readers">"Readers"</A>
        </nav>
    }
}
