//! The same request with the same key is done once (<https://docs.stripe.com/api/idempotent_requests>).

use super::form::Form;
use super::refusal::Refusal;
use super::state::State;

/// What became of the request that came first with a key.
pub(super) struct Kept {
    path: String,
    pairs: Vec<(String, String)>,
    /// `None`: not done yet.
    answer: Option<KeptAnswer>,
    pub request_id: String,
}

/// What the first request was told.
#[derive(Clone)]
pub(super) struct KeptAnswer {
    pub status: u16,
    pub body: String,
    /// `Stripe-Should-Retry`
    pub should_retry: Option<bool>,
}

/// What to do with a request that has a key.
pub(super) enum Repeated {
    /// It is the first: do it.
    No,
    /// The answer of then, and the request that it was for.
    Answered(KeptAnswer, String),
    Refused(Box<Refusal>),
}

impl State {
    /// Looks a key up, and reserves it if it is new.
    pub fn reserve(&mut self, key: &str, path: &str, form: &Form, request_id: &str) -> Repeated {
        let Some(kept) = self.kept.get(key) else {
            let kept =
                Kept { path: path.to_owned(), pairs: sorted(form), answer: None, request_id: request_id.to_owned() };
            self.kept.insert(key.to_owned(), kept);
            return Repeated::No;
        };
        let refuse = |status, message| {
            Repeated::Refused(Box::new(Refusal::of(status, "idempotency_error", message).forgotten()))
        };
        if kept.path != path {
            return refuse(
                400,
                format!(
                    "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{path}' vs \
                     '{}'). Try using a key other than '{key}' if you meant to execute a different request.",
                    kept.path
                ),
            );
        }
        if kept.pairs != sorted(form) {
            return refuse(
                400,
                format!(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. Try \
                     using a key other than '{key}' if you meant to execute a different request."
                ),
            );
        }
        match &kept.answer {
            Some(answer) => Repeated::Answered(answer.clone(), kept.request_id.clone()),
            None => {
                let message = format!(
                    "There is currently another in-progress request using this Idempotent Key (that probably means you \
                     submitted twice, and the other request is still going through): {key}. Please try again later."
                );
                let refusal = Refusal::of(409, "idempotency_error", message).code("idempotency_key_in_use");
                Repeated::Refused(Box::new(refusal.forgotten()))
            }
        }
    }

    /// Keeps the answer under the key, or forgets that the request ever was.
    pub fn settle(&mut self, key: &str, answer: Option<KeptAnswer>) {
        match answer {
            Some(answer) => {
                if let Some(kept) = self.kept.get_mut(key) {
                    kept.answer = Some(answer);
                }
            }
            None => {
                self.kept.remove(key);
            }
        }
    }
}

fn sorted(form: &Form) -> Vec<(String, String)> {
    let mut pairs = form.pairs().to_vec();
    pairs.sort();
    pairs
}
