//! Forms that work without JavaScript: the server function answers a plain post with a redirect back to the page, and
//! leaves what was typed and what was wrong in a short-lived cookie that only the next page reads. With JavaScript the
//! same error comes as the action's value, and the fields keep what they hold.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What a plain post left behind. Never holds a password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Path of the server function.
    pub form: String,
    /// Absent when it succeeded.
    pub failure: Option<Failure>,
    pub values: BTreeMap<String, String>,
}

/// One form on a page: what was typed before, and what is wrong with it.
#[derive(Clone, Copy)]
pub struct FormState {
    sent: StoredValue<Option<Sent>>,
    failure: Signal<Option<Failure>>,
}

impl FormState {
    /// The state of an `<ActionForm>`.
    #[must_use]
    pub fn of<F>(action: ServerAction<F>) -> Self
    where
        F: ServerFn<Error = Failure> + Clone + Send + Sync + 'static,
        F::Output: Clone + Send + Sync + 'static,
    {
        let sent = StoredValue::new(take_sent(F::PATH));
        let value = action.value();
        let failure = Signal::derive(move || match value.get() {
            Some(Err(failure)) => Some(failure),
            Some(Ok(_)) => None,
            None => sent.with_value(|sent| sent.as_ref().and_then(|sent| sent.failure.clone())),
        });
        Self { sent, failure }
    }

    /// The state of a form that always loads a new page.
    #[must_use]
    pub fn plain<F: ServerFn>() -> Self {
        let sent = StoredValue::new(take_sent(F::PATH));
        let failure = Signal::stored(sent.with_value(|sent| sent.as_ref().and_then(|sent| sent.failure.clone())));
        Self { sent, failure }
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
        Signal::derive(move || failure.with(|failure| failure.as_ref().and_then(|failure| failure.beyond_fields(shown))))
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
