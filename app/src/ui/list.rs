//! What every list page has: filters that stand in its address, pages, and one of four faces (loading, failed, nothing
//! there, the list). The address is the state: it can be shared, gone back to, and works without JavaScript.

use std::marker::PhantomData;

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::hooks::{use_location, use_query_map};
use portico_model::Page;
use serde::de::DeserializeOwned;

use super::icon::{Glyph, Icon};
use super::problem::ProblemView;
use crate::load::{Loaded, read};

/// What the address asks for under this name; empty when it does not.
#[must_use]
pub fn asked(name: &'static str) -> Memo<String> {
    let map = use_query_map();
    Memo::new(move |_| map.with(|map| map.get(name).unwrap_or_default()))
}

/// Whether the address asks for anything under one of these names.
#[must_use]
pub fn is_restricted(names: &'static [&'static str]) -> Memo<bool> {
    let map = use_query_map();
    Memo::new(move |_| map.with(|map| names.iter().any(|name| map.get(name).is_some_and(|value| !value.is_empty()))))
}

/// `path?name=value&…`, without the empty ones.
#[must_use]
pub fn address<'a>(path: &str, parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query: Vec<_> = parts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", crate::browser::encode(value)))
        .collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// The filters above a list; its children are the fields. A choice takes effect at once, a text with Enter or the button.
#[component]
pub fn Filters(
    /// Path of the page.
    action: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <Form method="GET" action=action attr:class="filters">
            {children()}
            <button class="button" type="submit">
                "Apply"
            </button>
        </Form>
    }
}

/// Looks for a text.
#[component]
pub fn TextFilter(
    name: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] placeholder: &'static str,
    /// Takes what room there is.
    #[prop(optional)]
    wide: bool,
) -> impl IntoView {
    let value = asked(name);
    let id = format!("filter-{name}");
    view! {
        <div class=if wide { "filter filter-search" } else { "filter" }>
            <label for=id.clone()>{label}</label>
            <input
                id=id
                name=name
                type=kind
                placeholder=placeholder
                value=move || value.get()
                prop:value=move || value.get()
            />
        </div>
    }
}

/// One of a few values; the empty one comes first.
#[component]
pub fn SelectFilter(
    name: &'static str,
    label: &'static str,
    /// Value and label.
    choices: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    let value = asked(name);
    let id = format!("filter-{name}");
    view! {
        <div class="filter">
            <label for=id.clone()>{label}</label>
            <select id=id name=name on:change=submit_form_of>
                {choices
                    .iter()
                    .map(|(choice, label)| {
                        view! {
                            <option value=*choice selected=move || value.with(|value| value == choice)>
                                {*label}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </div>
    }
}

/// A choice takes effect at once; without JavaScript the form's button does it.
pub fn submit_form_of(event: leptos::ev::Event) {
    use leptos::wasm_bindgen::JsCast;
    if let Some(form) = event
        .target()
        .and_then(|target| target.dyn_into::<leptos::web_sys::Element>().ok())
        .and_then(|element| element.closest("form").ok().flatten())
        .and_then(|form| form.dyn_into::<leptos::web_sys::HtmlFormElement>().ok())
    {
        let _ = form.request_submit();
    }
}

/// To the page after this one, and back to the first, with the filters kept.
#[component]
pub fn Pages(
    /// Cursor of the following page.
    next: Option<String>,
    #[prop(default = "First page")] first_word: &'static str,
    #[prop(default = "Next page")] next_word: &'static str,
) -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let map = use_query_map().get_untracked();
    let is_first = map.get("cursor").is_none_or(|cursor| cursor.is_empty());
    let kept: Vec<(String, String)> =
        map.into_iter().filter(|(name, _)| name != "cursor").map(|(name, value)| (name.into_owned(), value)).collect();
    let with = move |cursor: &str| {
        let kept = kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        address(&path, kept.chain([("cursor", cursor)]))
    };
    let first = (!is_first).then(|| with(""));
    let next = next.map(|cursor| with(&cursor));
    view! {
        <nav class="pages" aria-label="Pages">
            {first.map(|href| view! { <a class="button" href=href>{first_word}</a> })}
            {next
                .map(|href| {
                    view! {
                        <a class="button" href=href rel="next">
                            {next_word}
                            <Icon glyph=Glyph::Next />
                        </a>
                    }
                })}
        </nav>
    }
}

/// The list as it was loaded: `list` shows a page that has items, `empty` says why there is none.
#[component]
pub fn Listed<T, L, E>(
    page: Resource<Loaded>,
    /// What is being loaded, for the moment until it is there.
    what: &'static str,
    list: L,
    empty: E,
    /// What the list is of; `list` says it.
    #[prop(optional)]
    _item: PhantomData<fn() -> T>,
) -> impl IntoView
where
    T: DeserializeOwned + 'static,
    L: Fn(Page<T>) -> AnyView + Send + Sync + 'static,
    E: Fn() -> AnyView + Send + Sync + 'static,
{
    view! {
        <Transition fallback=move || view! { <p class="loading" role="status">"Loading "{what}</p> }>
            {move || {
                page.get()
                    .map(|answer| match read::<Page<T>>(answer) {
                        Ok(page) if page.items.is_empty() => empty(),
                        Ok(page) => list(page),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_what_is_asked_for_and_nothing_empty() {
        assert_eq!(address("/audit", []), "/audit");
        assert_eq!(address("/audit", [("search", ""), ("outcome", "denied")]), "/audit?outcome=denied");
    }
}
