//! What a page loads. The server calls the server function while it renders; the browser fetches its endpoint. The
//! answer travels as JSON text and is read where it is shown: so the browser has one kind of resource and one fetch,
//! instead of a copy of leptos's machinery for every type.

use std::future::Future;
use std::pin::Pin;

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::ui::ProblemView;

/// JSON text of what the server function returned.
pub type Loaded = Result<String, Failure>;

type Loading = Pin<Box<dyn Future<Output = Loaded> + Send>>;

/// Arguments of a server function, as its query.
pub trait Ask: ServerFn<Error = Failure> + Send + 'static {
    /// Pairs of name and value, those without effect left out.
    fn query(&self) -> Vec<(&'static str, String)>;
}

/// For [`Ask::query`]: those that are not empty.
#[must_use]
pub fn given<const N: usize>(pairs: [(&'static str, &String); N]) -> Vec<(&'static str, String)> {
    pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone())).collect()
}

fn address<F: Ask>(ask: &F) -> String {
    let pairs: Vec<_> =
        ask.query().iter().map(|(name, value)| format!("{name}={}", crate::browser::encode(value))).collect();
    format!("{}?{}", F::PATH, pairs.join("&"))
}

fn nothing_asked() -> Failure {
    Failure::new(404, "not_found", "There is no such thing, or you may not see it.")
}

/// Loads what `ask` asks for, again whenever that changes. Nothing to ask for is answered with "not found".
pub fn load<F>(ask: impl Fn() -> Option<F> + Copy + Send + Sync + 'static) -> Resource<Loaded>
where
    F: Ask,
    F::Output: serde::Serialize,
{
    let source = move || ask().map(|ask| address(&ask));
    #[cfg(feature = "ssr")]
    return Resource::new(source, move |_| -> Loading {
        let asked = untrack(ask);
        Box::pin(async move {
            let Some(asked) = asked else { return Err(nothing_asked()) };
            let answer = asked.run_body().await?;
            serde_json::to_string(&answer).map_err(|error| Failure::new(500, "internal", &error.to_string()))
        })
    });
    #[cfg(not(feature = "ssr"))]
    fetching(Signal::derive(source))
}

#[cfg(not(feature = "ssr"))]
fn fetching(source: Signal<Option<String>>) -> Resource<Loaded> {
    Resource::new(
        move || source.get(),
        |address| -> Loading {
            match address {
                Some(address) => Box::pin(crate::browser::fetch(address, None, |answer| answer.text)),
                None => Box::pin(async { Err(nothing_asked()) }),
            }
        },
    )
}

/// Reads what was loaded.
///
/// # Errors
/// What went wrong while loading, or when the page is older than the server and does not know the answer's form.
pub fn read<T: DeserializeOwned>(loaded: Loaded) -> Result<T, Failure> {
    serde_json::from_str(&loaded?)
        .and_then(serde_json::from_value)
        .map_err(|_| Failure::new(502, "unexpected_answer", "Portico was updated meanwhile: reload the page."))
}

/// Shows what was loaded, within a `Transition`. Loading again changes in place what differs: a form that somebody is
/// filling stays as it is. Only another thing (by its `key`) or a failure makes the view anew.
#[cfg(not(feature = "ssr"))]
pub fn in_place<T, K>(
    answer: Resource<Loaded>,
    key: fn(&T) -> K,
    body: impl Fn(Memo<T>) -> AnyView + Send + 'static,
) -> impl Fn() -> Option<AnyView> + Send + 'static
where
    T: DeserializeOwned + Clone + PartialEq + Send + Sync + 'static,
    K: PartialEq + Send + Sync + 'static,
{
    let found = Memo::new(move |_| answer.get().map(read::<T>));
    let which = Memo::new(move |_| {
        found.with(|found| found.as_ref().map(|found| found.as_ref().map(key).map_err(Clone::clone)))
    });
    move || {
        // Not only tracked: a memo that nobody reads hears of nothing.
        if which.with(Option::is_none) {
            return None;
        }
        Some(match found.get_untracked()? {
            Ok(first) => body(Memo::new(move |before: Option<&T>| {
                let now = found.get().and_then(Result::ok).filter(|now| key(now) == key(&first));
                now.or_else(|| before.cloned()).unwrap_or_else(|| first.clone())
            })),
            Err(failure) => view! { <ProblemView failure /> }.into_any(),
        })
    }
}

/// On the server the answer comes once, from another thread. A memo of it could miss that it came while the memo was
/// reading, and the page would be sent without its content: so there is none.
#[cfg(feature = "ssr")]
pub fn in_place<T, K>(
    answer: Resource<Loaded>,
    _key: fn(&T) -> K,
    body: impl Fn(Memo<T>) -> AnyView + Send + 'static,
) -> impl Fn() -> Option<AnyView> + Send + 'static
where
    T: DeserializeOwned + Clone + PartialEq + Send + Sync + 'static,
{
    move || {
        Some(match read::<T>(answer.get()?) {
            Ok(found) => body(Memo::new(move |_| found.clone())),
            Err(failure) => view! { <ProblemView failure /> }.into_any(),
        })
    }
}

/// Loads again whenever the number changes, such as how often a form succeeded.
pub fn reload_when(loaded: Resource<Loaded>, changes: impl Fn() -> u32 + 'static) {
    Effect::new(move |before: Option<u32>| {
        let now = changes();
        if before.is_some_and(|before| before != now) {
            loaded.refetch();
        }
        now
    });
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;

    use super::*;

    /// However late the answer comes: while the view is made, just before or long after.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_page_is_rendered_with_its_answer() {
        let _ = any_spawner::Executor::init_tokio();
        for round in 0..4_000_u64 {
            let page = move || {
                let answer = Resource::new(
                    || (),
                    move |()| -> Loading {
                        Box::pin(async move {
                            let until = std::time::Instant::now() + Duration::from_micros(round % 200);
                            while std::time::Instant::now() < until {
                                tokio::task::yield_now().await;
                            }
                            Ok("7".to_owned())
                        })
                    },
                );
                let body = |shown: Memo<u32>| view! { <p>{move || format!("answer {}", shown.get())}</p> }.into_any();
                view! { <Transition fallback=|| "loading">{in_place(answer, |shown: &u32| *shown, body)}</Transition> }
            };
            let answer = leptos_axum::render_app_async(page)(Request::new(Body::empty())).await;
            let text = to_bytes(answer.into_body(), usize::MAX).await.expect("a page");
            let text = String::from_utf8_lossy(&text);
            assert!(text.contains("answer 7"), "round {round}: {text}");
        }
    }
}
