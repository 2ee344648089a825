//! Forms that work without JavaScript: the server function answers a plain post with a redirect back to the page, and
//! leaves what was typed and what was wrong in a short-lived cookie that only the next page reads. With JavaScript the
//! form posts in the background, and the fields keep what they hold.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::failure::Failure;
use crate::identity::step_up::{Proving, StepUpDialogState, use_step_up};
use crate::ui::{Dialog, Glyph, SubmitButton};

/// What a plain post left behind. Never holds a password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Path of the server function.
    pub form: String,
    /// Absent when it succeeded.
    pub failure: Option<Failure>,
    pub values: BTreeMap<String, String>,
}

/// One form on a page: what was typed before, what is wrong with it, what came of it.
#[derive(Clone, Copy)]
pub struct FormState {
    path: &'static str,
    sent: StoredValue<Option<Sent>>,
    failure: RwSignal<Option<Failure>>,
    pending: RwSignal<bool>,
    /// What is sent again once the person has proved who he is.
    waiting: RwSignal<Option<String>>,
    /// What the server function returned.
    answer: RwSignal<Option<Json>>,
    /// How often it succeeded.
    pub successes: RwSignal<u32>,
}

impl FormState {
    /// How often any of these forms succeeded.
    #[must_use]
    pub fn successes_of(forms: &[Self]) -> u32 {
        forms.iter().map(|form| form.successes.get()).sum()
    }

    /// The state of a form that posts to this server function; made while the page begins, not inside a suspense.
    #[must_use]
    pub fn of<F: ServerFn>() -> Self {
        Self::new(F::PATH)
    }

    fn new(path: &'static str) -> Self {
        let sent = take_sent(path);
        let failure = sent.as_ref().and_then(|sent| sent.failure.clone());
        Self {
            path,
            sent: StoredValue::new(sent),
            failure: RwSignal::new(failure),
            pending: RwSignal::new(false),
            waiting: RwSignal::new(None),
            answer: RwSignal::new(None),
            successes: RwSignal::new(0),
        }
    }

    /// Whether it is on its way.
    #[must_use]
    pub fn pending(&self) -> Signal<bool> {
        self.pending.into()
    }

    /// What the server function returned, with JavaScript.
    #[must_use]
    pub fn answer<T: DeserializeOwned>(&self) -> Option<T> {
        self.answer.get().and_then(|answer| serde_json::from_value(answer).ok())
    }

    /// What was typed into the field before the page came back.
    #[must_use]
    pub fn typed(&self, field: &str) -> Option<String> {
        self.sent.with_value(|sent| sent.as_ref().and_then(|sent| sent.values.get(field).cloned()))
    }

    /// What was typed before, or else `initial`.
    #[must_use]
    pub fn value(&self, field: &str, initial: &str) -> String {
        self.typed(field).unwrap_or_else(|| initial.to_owned())
    }

    /// Whether a plain post failed, so that a folded form must open again.
    #[must_use]
    pub fn came_back(&self) -> bool {
        self.sent.with_value(|sent| sent.as_ref().is_some_and(|sent| sent.failure.is_some()))
    }

    /// As [`FormState::came_back`], where one form of many on a page is for the thing with this `id`; the one that makes a
    /// new thing has none.
    #[must_use]
    pub fn came_back_for(&self, id: Option<&str>) -> bool {
        self.came_back() && self.typed("id").filter(|typed| !typed.is_empty()).as_deref() == id
    }

    /// What a plain post that succeeded left to be shown once.
    #[must_use]
    pub fn outcome(&self, name: &str) -> Option<String> {
        self.sent.with_value(|sent| {
            sent.as_ref().filter(|sent| sent.failure.is_none()).and_then(|sent| sent.values.get(name).cloned())
        })
    }

    /// What is wrong with the field.
    #[must_use]
    pub fn error(&self, field: &'static str) -> Signal<Option<String>> {
        let failure = self.failure;
        Signal::derive(move || failure.with(|failure| failure.as_ref().and_then(|failure| failure.of_field(field))))
    }

    /// What is wrong with the form beyond the fields shown.
    #[must_use]
    pub fn general(&self, shown: &'static [&'static str]) -> Signal<Option<String>> {
        let failure = self.failure;
        Signal::derive(move || {
            failure.with(|failure| failure.as_ref().and_then(|failure| failure.beyond_fields(shown)))
        })
    }
}

/// A form that posts without leaving the page where there is JavaScript, and as any other form where there is none.
#[component]
pub fn PostForm(
    form: FormState,
    #[prop(optional)] id: Option<&'static str>,
    #[prop(default = "form")] class: &'static str,
    children: Children,
) -> impl IntoView {
    let navigate = leptos_router::hooks::use_navigate();
    let step_up = use_step_up();
    let send = move |body: String| {
        form.pending.set(true);
        let navigate = navigate.clone();
        let again = body.clone();
        crate::browser::post(form.path, body, move |result| {
            form.pending.set(false);
            match result {
                Ok((answer, next)) => {
                    form.failure.set(None);
                    form.answer.set(Some(answer));
                    form.successes.update(|successes| *successes += 1);
                    match next {
                        Some(next) if crate::policy::is_loaded_anew(&next) => crate::browser::go_to(&next),
                        Some(next) => navigate(&next, leptos_router::NavigateOptions::default()),
                        None => {}
                    }
                }
                Err(failure) if failure.status == 401 && failure.fields.is_empty() => {
                    crate::browser::go_to(&format!("/login?next={}", crate::browser::encoded_location()));
                }
                Err(failure) if failure.code == "step_up_required" && step_up.is_some() => {
                    form.waiting.set(Some(again));
                    if let Some(StepUpDialogState(state)) = step_up {
                        state.set(Proving::Asked);
                    }
                }
                Err(failure) => form.failure.set(Some(failure)),
            }
        });
    };
    let send_again = send.clone();
    Effect::new(move |_| {
        let Some(StepUpDialogState(state)) = step_up else { return };
        match state.get() {
            Proving::Proved => {
                if let Some(body) = form.waiting.try_update_untracked(Option::take).flatten() {
                    state.set(Proving::Idle);
                    send_again(body);
                }
            }
            Proving::Cancelled => form.waiting.set(None),
            Proving::Idle | Proving::Asked => {}
        }
    });
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if form.pending.get_untracked() {
            return;
        }
        if let Some(body) = crate::browser::form_body(&event) {
            send(body);
        }
    };
    view! {
        <form method="post" action=form.path id=id class=class on:submit=on_submit>
            {children()}
        </form>
    }
}

/// A button that says what it will do to one thing, and does it when it is confirmed.
#[component]
pub fn Confirm(
    form: FormState,
    /// Of the thing.
    #[prop(into)]
    id: String,
    /// On the button that asks.
    label: &'static str,
    #[prop(default = Glyph::Trash)] glyph: Glyph,
    /// What will happen, in a sentence.
    #[prop(into)]
    text: String,
    /// On the button that does it.
    #[prop(into)]
    confirm: String,
    /// Of that button.
    #[prop(default = "button button-danger")]
    class: &'static str,
) -> impl IntoView {
    view! {
        <Dialog label glyph class="button button-small">
            <PostForm form>
                <input type="hidden" name="id" value=id />
                <p>{text}</p>
                <SubmitButton label=confirm class pending=form.pending() />
            </PostForm>
        </Dialog>
    }
}

/// The same value on the server and at hydration.
fn take_sent(form: &'static str) -> Option<Sent> {
    SharedValue::new(move || {
        #[cfg(feature = "ssr")]
        return crate::server::take_sent(form);
        #[cfg(not(feature = "ssr"))]
        {
            let _ = form;
            None::<Sent>
        }
    })
    .into_inner()
}
