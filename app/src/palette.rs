//! The search in the top bar: `/` or Ctrl-K goes there from anywhere, and what fits is listed while one types: devices, groups,
//! views, people, pages. Without JavaScript it searches the devices.

use std::time::Duration;

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::components::Form;
#[cfg(feature = "ssr")]
use portico_model::identity::Role;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::ui::{Glyph, Icon};

/// Pause in typing before the server is asked.
const PAUSE: Duration = Duration::from_millis(120);

/// Something to go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// `device`, `group`, `view`, `person`, `page`.
    pub kind: String,
    pub title: String,
    pub detail: String,
    pub path: String,
}

impl Hit {
    fn glyph(&self) -> Glyph {
        match self.kind.as_str() {
            "device" => Glyph::Devices,
            "group" => Glyph::Groups,
            "view" => Glyph::Explore,
            "person" => Glyph::Users,
            _ => Glyph::Next,
        }
    }
}

/// What fits the text, as far as the asker may see it.
#[server(name = FindAnything, prefix = "/sfn", endpoint = "palette")]
pub async fn find_anything(text: String) -> Result<Vec<Hit>, Failure> {
    use portico_devices::{DeviceQuery, GroupQuery};
    use portico_model::identity::Permission;

    use crate::server::{actor, devices, failed, identity};

    const DEVICES: i64 = 6;
    const OTHERS: usize = 4;
    let text = text.trim().to_lowercase();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let (devices, actor) = (devices()?, actor()?);
    let hit =
        |kind: &str, title: String, detail: String, path: String| Hit { kind: kind.to_owned(), title, detail, path };
    let mut hits: Vec<Hit> = crate::server::viewer()
        .map(|viewer| pages_that_fit(viewer.role, &text))
        .into_iter()
        .flatten()
        .map(|(word, path)| hit("page", word.to_owned(), String::new(), path.to_owned()))
        .collect();
    let query = DeviceQuery { search: Some(text.clone()), limit: Some(DEVICES), ..DeviceQuery::default() };
    let found = devices.list(&actor, query).await.map_err(failed)?.items;
    hits.extend(found.into_iter().map(|device| {
        let path = format!("/devices/{}", device.id);
        hit("device", device.name, device.location, path)
    }));
    let query = GroupQuery { limit: Some(1_000), ..GroupQuery::default() };
    let groups = devices.groups(&actor, &query).await.map_err(failed)?.0;
    let fitting = groups.into_iter().filter(|group| group.name.to_lowercase().contains(&text)).take(OTHERS);
    hits.extend(fitting.map(|group| {
        let path = format!("/groups/{}", group.id);
        hit("group", group.name, format!("{} devices", group.device_count), path)
    }));
    let views = devices.views(&actor).await.map_err(failed)?;
    let fitting = views.iter().filter(|view| view.name.to_lowercase().contains(&text)).take(OTHERS);
    hits.extend(fitting.map(|view| {
        hit("view", view.name.clone(), "Saved view".to_owned(), crate::explore::address::address_of(view))
    }));
    if actor.may(Permission::ManageUsers) {
        let people = identity()?.users(&actor, Some(text.clone()), None, 4).await.map_err(failed)?.items;
        hits.extend(people.into_iter().map(|person| {
            let path = format!("/users?search={}", crate::server::percent_encode(&person.username));
            hit("person", person.username, person.email, path)
        }));
    }
    Ok(hits)
}

/// Word and path of the pages that the role is offered and that fit.
#[cfg(feature = "ssr")]
pub(crate) fn pages_that_fit(role: Role, text: &str) -> Vec<(&'static str, &'static str)> {
    crate::layout::pages_of(role).filter(|(word, _)| word.to_lowercase().contains(text)).collect()
}

/// The one of so many that an arrow key leads to; past an end it goes on at the other.
fn stepped(active: Option<usize>, count: usize, forward: bool) -> Option<usize> {
    match (count, active, forward) {
        (0, ..) => None,
        (_, None, true) => Some(0),
        (_, None, false) => Some(count - 1),
        (_, Some(at), true) => Some((at + 1) % count),
        (_, Some(at), false) => Some(at.checked_sub(1).unwrap_or(count - 1)),
    }
}

/// The box.
#[component]
pub fn SearchBox() -> impl IntoView {
    let input = NodeRef::<leptos::html::Input>::new();
    let typed = RwSignal::new(String::new());
    let hits = RwSignal::new(Vec::<Hit>::new());
    let active = RwSignal::new(None::<usize>);
    let is_open = RwSignal::new(false);
    let navigate = leptos_router::hooks::use_navigate();
    Effect::new(move |_| {
        let handle = window_event_listener(leptos::ev::keydown, move |event| {
            let typing = document()
                .active_element()
                .is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
            let wanted = (event.key() == "/" && !typing && !event.ctrl_key() && !event.meta_key() && !event.alt_key())
                || (event.key() == "k" && (event.ctrl_key() || event.meta_key()));
            if wanted && let Some(input) = input.get_untracked() {
                event.prevent_default();
                let _ = input.focus();
                input.select();
            }
        });
        on_cleanup(move || handle.remove());
    });
    let ask = move |text: String| {
        let body = format!("text={}", crate::browser::encode(&text));
        crate::browser::post(FindAnything::PATH, body, move |answer| {
            // An answer that was overtaken by more typing is not shown.
            if typed.try_with_untracked(|typed| *typed == text) != Some(true) {
                return;
            }
            if let Ok((answer, _)) = answer {
                hits.set(serde_json::from_value(answer).unwrap_or_default());
                active.set(None);
                is_open.set(true);
            }
        });
    };
    let mut ask_later = leptos::leptos_dom::helpers::debounce(PAUSE, move |text: String| ask(text));
    let close = move || {
        is_open.set(false);
        active.set(None);
    };
    let on_input = move |event| {
        let text = event_target_value(&event);
        typed.set(text.clone());
        if text.trim().is_empty() {
            hits.set(Vec::new());
            close();
        } else {
            ask_later(text);
        }
    };
    let on_keydown = move |event: leptos::ev::KeyboardEvent| match event.key().as_str() {
        key @ ("ArrowDown" | "ArrowUp") if is_open.get_untracked() => {
            event.prevent_default();
            let count = hits.with_untracked(Vec::len);
            active.update(|active| *active = stepped(*active, count, key == "ArrowDown"));
        }
        "Enter" => {
            let chosen = active.get_untracked().and_then(|at| hits.with_untracked(|hits| hits.get(at).cloned()));
            if let Some(hit) = chosen {
                event.prevent_default();
                navigate(&hit.path, leptos_router::NavigateOptions::default());
            }
            close();
        }
        "Escape" if is_open.get_untracked() => {
            event.prevent_default();
            close();
        }
        _ => {}
    };
    let is_shown = move || is_open.get() && hits.with(|hits| !hits.is_empty());
    view! {
        <Form method="GET" action="/devices" attr:class="search" attr:role="search">
            <label class="hidden" for="search">"Search"</label>
            <Icon glyph=Glyph::Search />
            <input
                id="search"
                name="search"
                type="search"
                role="combobox"
                node_ref=input
                placeholder="Search"
                autocomplete="off"
                enterkeyhint="search"
                aria-keyshortcuts="/ Control+K"
                aria-autocomplete="list"
                aria-controls="search-hits"
                aria-expanded=move || if is_shown() { "true" } else { "false" }
                aria-activedescendant=move || active.get().map(|at| format!("hit-{at}"))
                on:input=on_input
                on:keydown=on_keydown
                on:blur=move |_| close()
            />
            <kbd aria-hidden="true">"/"</kbd>
            <ul
                id="search-hits"
                class="hits"
                role="listbox"
                aria-label="Found"
                hidden=move || !is_shown()
                // A click must come before the field loses the focus and the list goes.
                on:mousedown=|event| event.prevent_default()
            >
                {move || {
                    hits.get()
                        .into_iter()
                        .enumerate()
                        .map(|(at, hit)| {
                            let glyph = hit.glyph();
                            view! {
                                <li role="none">
                                    <a
                                        id=format!("hit-{at}")
                                        role="option"
                                        href=hit.path
                                        tabindex="-1"
                                        aria-selected=move || if active.get() == Some(at) { "true" } else { "false" }
                                        on:click=move |_| close()
                                    >
                                        <Icon glyph />
                                        <span>{hit.title}</span>
                                        <span class="sub">{hit.detail}</span>
                                    </a>
                                </li>
                            }
                        })
                        .collect_view()
                }}
            </ul>
        </Form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_round() {
        assert_eq!(stepped(None, 0, true), None);
        assert_eq!(stepped(None, 3, true), Some(0));
        assert_eq!(stepped(None, 3, false), Some(2));
        assert_eq!(stepped(Some(2), 3, true), Some(0));
        assert_eq!(stepped(Some(0), 3, false), Some(2));
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn only_pages_that_one_is_offered_are_found() {
        let found = |role, text: &str| pages_that_fit(role, text).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        assert_eq!(found(Role::User, "people"), Vec::<&str>::new());
        assert_eq!(found(Role::Admin, "peo"), ["People"]);
        assert_eq!(found(Role::User, "group"), ["Groups"]);
    }
}
