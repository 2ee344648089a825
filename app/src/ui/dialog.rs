//! A question that must be answered. It is a `<details>` without JavaScript as with it: opened by its own summary,
//! keyboard and screen reader included, and nothing of it depends on a script.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// A button that unfolds a panel with a form.
#[component]
pub fn Dialog(
    /// On the button.
    #[prop(into)]
    label: String,
    glyph: Glyph,
    #[prop(default = "button")] class: &'static str,
    /// Unfolded from the start, for a form that came back with an error.
    #[prop(optional)]
    open: bool,
    /// Folds again when this becomes true.
    #[prop(into, default = Signal::stored(false))]
    done: Signal<bool>,
    children: Children,
) -> impl IntoView {
    let is_open = RwSignal::new(open);
    Effect::new(move |_| {
        if done.get() {
            is_open.set(false);
        }
    });
    view! {
        <details
            class="dialog"
            prop:open=move || is_open.get()
            open=open
            on:toggle=move |event| {
                use leptos::wasm_bindgen::JsCast;
                if let Some(details) = event.target().and_then(|target| target.dyn_into::<leptos::web_sys::Element>().ok()) {
                    is_open.set(details.has_attribute("open"));
                }
            }
        >
            <summary class=class>
                <Icon glyph />
                <span>{label}</span>
            </summary>
            <div class="dialog-panel">{children()}</div>
        </details>
    }
}
