//! On every page: that doors are locked down, unlocked for an evacuation, or kept unlocked.

use leptos::prelude::*;
use portico_model::access::door::DoorCounts;
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::DoorsNow;
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{load, read, reload_when};
use crate::ui::{Glyph, Icon};
use crate::viewer::use_viewer;

/// The bar, for those who may see doors.
#[component]
pub fn DoorBar() -> impl IntoView {
    use_viewer().filter(|viewer| viewer.may(Permission::ReadAccess)).map(|_| view! { <Bar /> })
}

fn doors(count: i64) -> String {
    if count == 1 { "1 door".to_owned() } else { format!("{count} doors") }
}

#[component]
fn Bar() -> impl IntoView {
    let now = load(|| Some(DoorsNow {}));
    let live = use_live();
    reload_when(now, move || live.returns.get());
    follow(
        || Some("doors".to_owned()),
        move |update| {
            if let LiveUpdate::Event(Event::DoorChanged { .. } | Event::DoorDeleted { .. }) = update {
                now.refetch();
            }
        },
    );
    view! {
        <Transition>
            {move || {
                let counts = now.get().and_then(|answer| read::<DoorCounts>(answer).ok())?;
                let shown = [
                    (counts.lockdown, "door-bar door-bar-danger", "Lockdown", "/doors?mode=lockdown"),
                    (counts.evacuation, "door-bar door-bar-attention", "Evacuation", "/doors?mode=evacuation"),
                ];
                Some(
                    shown
                        .into_iter()
                        .filter(|(count, ..)| *count > 0)
                        .map(|(count, class, word, href)| {
                            view! {
                                <aside class=class aria-label=word>
                                    <Icon glyph=Glyph::Shield />
                                    <strong>{word}</strong>
                                    <a href=href>{doors(count)}</a>
                                </aside>
                            }
                        })
                        .collect_view(),
                )
            }}
        </Transition>
    }
}
