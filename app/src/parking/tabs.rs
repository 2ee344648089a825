//! What belongs to parking, side by side.

use leptos::prelude::*;
use leptos_router::components::A;
use portico_model::identity::Permission;

use crate::viewer::viewer_may;

/// Address, word, and who sees it.
const TABS: &[(&str, &str, Permission)] = &[
    ("/parking", "Overview", Permission::UseParking),
    ("/reservations", "Reservations", Permission::UseParking),
    ("/parking/sessions", "Vehicles", Permission::ReadParking),
    ("/parking/permits", "Permits", Permission::UseParking),
    ("/parking/tariffs", "Tariffs", Permission::ManageParking),
    ("/parking/sensors", "Sensors", Permission::ReadParking),
    ("/parking/analytics", "Analytics", Permission::ReadParking),
];

/// Above each of these pages, for those who see more than one.
#[component]
pub fn ParkingTabs() -> impl IntoView {
    let tabs: Vec<_> = TABS.iter().filter(|(_, _, needs)| viewer_may(*needs)).collect();
    (tabs.len() > 1).then(|| {
        view! {
            <nav class="tabs" aria-label="About parking">
                {tabs
                    .into_iter()
                    .map(|(path, word, _)| view! { <A href=*path exact={*path == "/parking"}>{*word}</A> })
                    .collect_view()}
            </nav>
        }
    })
}
