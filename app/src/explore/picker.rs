//! Chooses devices and keys: checkboxes in a form whose address is the page. What is chosen but not shown at the moment stays
//! chosen.

use leptos::prelude::*;
use leptos_router::components::Form;
use portico_model::explore::{SeriesChoice, SeriesRef};
use portico_model::groups::Group;

use super::address::{AGGREGATIONS, Asked, WINDOWS};
use crate::devices::chart::Range;
use crate::devices::row::{key_title, unit_of};
use crate::ui::list::submit_form_of;

/// The form. `choices` are the devices that the search found.
#[component]
pub fn Picker(asked: Asked, choices: Vec<SeriesChoice>, groups: Vec<Group>) -> impl IntoView {
    let chosen = asked.series.clone();
    let is_shown = |one: &&SeriesRef| {
        choices.iter().any(|choice| choice.device_id == one.device_id && choice.keys.contains(&one.key))
    };
    let kept: Vec<_> = chosen
        .iter()
        .filter(|one| !is_shown(one))
        .map(|one| view! { <input type="hidden" name="s" value=one.to_text() /> })
        .collect();
    let range = match &asked.range {
        Range::Last { name, .. } => view! { <input type="hidden" name="range" value=*name /> }.into_any(),
        Range::Between { from, to } => view! {
            <input type="hidden" name="from" value=from.millis() />
            <input type="hidden" name="to" value=to.millis() />
        }
        .into_any(),
    };
    let group = asked.group.map(|group| group.to_string()).unwrap_or_default();
    let found_none = choices.is_empty();
    view! {
        <Form method="GET" action="/explore" attr:class="picker" attr:id="picker">
            {kept}
            {range}
            <div class="filters">
                <div class="filter filter-search">
                    <label for="explore-find">"Find devices"</label>
                    <input
                        id="explore-find"
                        name="find"
                        type="search"
                        placeholder="Name, type, place or id"
                        value=asked.find.clone()
                    />
                </div>
                <div class="filter">
                    <label for="explore-group">"Group"</label>
                    <select id="explore-group" name="group" on:change=submit_form_of>
                        <option value="">"Any"</option>
                        {groups
                            .into_iter()
                            .map(|one| {
                                let id = one.id.to_string();
                                view! {
                                    <option value=id.clone() selected=id == group>
                                        {one.name}
                                    </option>
                                }
                            })
                            .collect_view()}
                    </select>
                </div>
                <div class="filter">
                    <label for="explore-agg">"Put together by"</label>
                    <select id="explore-agg" name="agg" on:change=submit_form_of>
                        {AGGREGATIONS
                            .iter()
                            .map(|(value, word)| {
                                view! {
                                    <option value=value.as_str() selected=*value == asked.aggregation>
                                        {*word}
                                    </option>
                                }
                            })
                            .collect_view()}
                    </select>
                </div>
                <div class="filter">
                    <label for="explore-window">"In windows of"</label>
                    <select id="explore-window" name="window" on:change=submit_form_of>
                        {WINDOWS
                            .iter()
                            .map(|(value, word)| {
                                view! {
                                    <option value=*value selected=*value == asked.window>
                                        {*word}
                                    </option>
                                }
                            })
                            .collect_view()}
                    </select>
                </div>
                <button class="button" type="submit">"Show"</button>
            </div>
            {if found_none {
                view! { <p class="quiet">"No device matches."</p> }.into_any()
            } else {
                view! {
                    <div class="choices" role="group" aria-label="Devices and keys">
                        {choices.into_iter().map(|choice| view! { <Choices choice chosen=chosen.clone() /> }).collect_view()}
                    </div>
                }
                    .into_any()
            }}
        </Form>
    }
}

#[component]
fn Choices(choice: SeriesChoice, chosen: Vec<SeriesRef>) -> impl IntoView {
    let SeriesChoice { device_id, name, location, metadata, keys } = choice;
    let nothing = keys.is_empty();
    view! {
        <fieldset class="choice">
            <legend>{name}</legend>
            {(!location.is_empty()).then(|| view! { <p class="sub">{location}</p> })}
            {nothing.then(|| view! { <span class="quiet">"No numbers yet"</span> })}
            {keys
                .into_iter()
                .map(|key| {
                    let unit = unit_of(&metadata, &key);
                    let title = key_title(&key);
                    let one = SeriesRef { device_id, key };
                    view! {
                        <label class="choice-key">
                            <input
                                type="checkbox"
                                name="s"
                                value=one.to_text()
                                checked=chosen.contains(&one)
                                on:change=submit_form_of
                            />
                            <span>{title}</span>
                            <span class="unit">{unit}</span>
                        </label>
                    }
                })
                .collect_view()}
        </fieldset>
    }
}
