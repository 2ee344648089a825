//! A form whose file goes as it is to a REST route, without passing through a form's encoding. It needs JavaScript, and says
//! so where there is none.

use leptos::prelude::*;
use serde_json::Value;

use super::button::SubmitButton;
use super::icon::{Glyph, Icon};
use crate::failure::Failure;

/// The form; the other fields among its children stand in the address.
#[component]
pub fn UploadForm(
    id: &'static str,
    /// Path of the route, which takes a post.
    #[prop(into)]
    to: String,
    /// Id of the file's field, which has no name.
    file: &'static str,
    /// On the button.
    label: &'static str,
    /// How to do it without JavaScript.
    #[prop(optional, into)]
    without: String,
    /// What went wrong, in words; by default its message.
    #[prop(optional)]
    words: Option<fn(&Failure) -> String>,
    /// Gets the route's answer.
    done: Callback<Value>,
    children: Children,
) -> impl IntoView {
    let pending = RwSignal::new(false);
    let failure = RwSignal::new(None::<Failure>);
    let alive = crate::time::use_now();
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if pending.get_untracked() {
            return;
        }
        let Some(query) = crate::browser::form_body(&event) else { return };
        pending.set(true);
        crate::browser::send_file(&format!("{to}?{query}"), file, move |result| {
            pending.set(false);
            match result {
                Ok(answer) => {
                    failure.set(None);
                    done.run(answer);
                }
                Err(refused) => failure.set(Some(refused)),
            }
        });
    };
    view! {
        <p class="note" hidden=move || alive.get().is_some()>
            <span>"Uploading from here needs JavaScript. Without it: " <code>{without}</code></span>
        </p>
        <form class="form" id=id on:submit=on_submit>
            <div role="alert" class="form-errors">
                {move || {
                    failure
                        .get()
                        .map(|failure| {
                            let text = words.map_or_else(|| failure.message.clone(), |words| words(&failure));
                            view! {
                                <p class="form-error">
                                    <Icon glyph=Glyph::Alert />
                                    <span>{text}</span>
                                </p>
                            }
                        })
                }}
            </div>
            {children()}
            <SubmitButton label pending />
        </form>
    }
}
