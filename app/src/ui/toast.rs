//! Short notes at the edge that go away by themselves.

use std::time::Duration;

use leptos::prelude::*;

const SHOWN_FOR: Duration = Duration::from_secs(8);

#[derive(Clone, Copy)]
struct Notes(RwSignal<Vec<(u32, String)>>);

pub(crate) fn provide_toasts() {
    provide_context(Notes(RwSignal::new(Vec::new())));
}

/// Where notes go; take it while a component is made, use it any time.
pub fn use_toasts() -> impl Fn(String) + Copy {
    let notes = use_context::<Notes>();
    move |text| {
        let Some(Notes(notes)) = notes else { return };
        let mut number = 0;
        notes.update(|notes| {
            number = notes.last().map_or(1, |(last, _)| last + 1);
            notes.push((number, text));
        });
        set_timeout(move || notes.update(|notes| notes.retain(|(shown, _)| *shown != number)), SHOWN_FOR);
    }
}

/// Where notes appear.
#[component]
pub fn Toasts() -> impl IntoView {
    let notes = use_context::<Notes>().map_or_else(|| RwSignal::new(Vec::new()), |notes| notes.0);
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || notes.get() key=|(number, _)| *number let((_, text))>
                <p class="toast">{text}</p>
            </For>
        </div>
    }
}
