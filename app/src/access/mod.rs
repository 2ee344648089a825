//! Access: locks, doors, people who come through them and where they may go, and what happened.

pub mod areas;
pub mod codes;
pub mod doors;
pub mod locks;
pub mod log;
pub mod people;
pub mod plans;
pub mod policies;
pub mod readers;

use leptos::prelude::*;

/// A choice among things that are known only when the page is loaded.
#[component]
pub fn Choose(
    name: &'static str,
    #[prop(into)] label: String,
    #[prop(into)] id: String,
    /// Value and label.
    options: Vec<(String, String)>,
    #[prop(optional, into)] chosen: String,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <select id=id name=name>
                {options
                    .into_iter()
                    .map(|(value, label)| {
                        let selected = value == chosen;
                        view! {
                            <option value=value selected=selected>
                                {label}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </div>
    }
}

/// A box to tick.
#[component]
pub fn Tick(
    name: &'static str,
    #[prop(into)] value: String,
    #[prop(into)] label: String,
    #[prop(optional)] checked: bool,
) -> impl IntoView {
    view! {
        <label class="check">
            <input type="checkbox" name=name value=value checked=checked />
            <span>{label}</span>
        </label>
    }
}
