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
    /// Folds again when this becomes true after a form in it was sent: many dialogs of a page may share the state of a form,
    /// and only that one is done with.
    #[prop(into, default = Signal::stored(false))]
    done: Signal<bool>,
    children: Children,
) -> impl IntoView {
    let is_open = RwSignal::new(open);
    let has_sent = StoredValue::new(false);
    Effect::new(move |_| {
        if done.get() && has_sent.get_value() {
            has_sent.set_value(false);
            is_open.set(false);
        }
    });
    // Somebody may have unfolded it before the page came alive: at first it stays as it is. When a list is drawn anew and
    // it stands for another thing, it is folded.
    let is_first = StoredValue::new(true);
    let shown_open = move || {
        let is_open = is_open.get();
        let was_first = is_first.get_value();
        is_first.set_value(false);
        (!was_first).then_some(is_open)
    };
    view! {
        <details
            class="dialog"
            prop:open=shown_open
            open=open
            on:submit=move |_| has_sent.set_value(true)
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
