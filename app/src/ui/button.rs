//! Buttons.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::toast::use_toasts;

/// Sends its form; says so and stands still while the form is on its way.
#[component]
pub fn SubmitButton(
    /// The verb.
    #[prop(into)]
    label: String,
    /// The form's action is under way.
    #[prop(into, default = Signal::stored(false))]
    pending: Signal<bool>,
    #[prop(default = "button button-primary")] class: &'static str,
    #[prop(optional)] glyph: Option<Glyph>,
    #[prop(optional, into)] name: Option<&'static str>,
    #[prop(optional, into)] value: Option<String>,
) -> impl IntoView {
    view! {
        <button
            type="submit"
            class=class
            name=name
            value=value
            aria-busy=move || pending.get().then_some("true")
            disabled=move || pending.get()
        >
            {glyph.map(|glyph| view! { <Icon glyph /> })}
            <span>{label}</span>
        </button>
    }
}

/// Copies a text. Shown once the page has come alive: without JavaScript the text is there to be selected.
#[component]
pub fn CopyButton(
    #[prop(into)] text: Signal<String>,
    /// What is copied, for the button's name.
    what: &'static str,
) -> impl IntoView {
    let now = crate::time::use_now();
    let toast = use_toasts();
    let alive = Memo::new(move |_| now.get().is_some());
    view! {
        <button
            type="button"
            class="button button-small"
            hidden=move || !alive.get()
            aria-label=format!("Copy {what}")
            on:click=move |_| {
                crate::browser::copy(&text.get_untracked());
                toast(format!("Copied: {what}"));
            }
        >
            <Icon glyph=Glyph::Copy />
            <span>"Copy"</span>
        </button>
    }
}
