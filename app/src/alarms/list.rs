//! `/alarms`: what is open and what was, live.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use portico_model::Page;
use portico_model::alarms::{Alarm, AlarmState};

use super::bar::use_alarms;
use super::{ListAlarms, SeverityBadge, state_word, who};
use crate::live::use_live;
use crate::load::{load, read, reload_when};
use crate::time::Ago;
use crate::ui::{EmptyState, Glyph, Icon, Pages, ProblemView};

/// What the address asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Query {
    search: String,
    severity: String,
    state: String,
    subject: String,
    cursor: String,
}

impl Query {
    fn is_history(&self) -> bool {
        !matches!(self.state.as_str(), "" | "open" | "raised" | "acknowledged")
    }

    fn is_restricted(&self) -> bool {
        !(self.search.is_empty()
            && self.severity.is_empty()
            && self.subject.is_empty()
            && matches!(self.state.as_str(), "" | "all"))
    }
}

/// The page.
#[component]
pub fn AlarmsPage() -> impl IntoView {
    let map = use_query_map();
    let query = Memo::new(move |_| {
        map.with(|map| {
            let part = |name| map.get(name).unwrap_or_default();
            Query {
                search: part("search"),
                severity: part("severity"),
                state: part("state"),
                subject: part("subject"),
                cursor: part("cursor"),
            }
        })
    });
    let page = load(move || {
        let Query { search, severity, state, subject, cursor } = query.get();
        Some(ListAlarms { search, severity, state, subject, cursor })
    });
    let live = use_live();
    reload_when(page, move || live.returns.get());
    // The list is short and its order is the server's: what changes is asked for anew.
    let alarms = use_alarms();
    Effect::new(move |before: Option<()>| {
        alarms.changed.track();
        if before.is_some() {
            page.refetch();
        }
    });
    let is_history = Memo::new(move |_| query.with(Query::is_history));
    view! {
        <Title text="Alarms" />
        <div class="page-head">
            <h1>"Alarms"</h1>
            <div class="page-actions">
                <a class="button" href="/alarms/rules">
                    <Icon glyph=Glyph::Wrench />
                    <span>"Rules"</span>
                </a>
            </div>
        </div>
        <nav class="tabs" aria-label="Which alarms">
            <a href="/alarms" aria-current=move || (!is_history.get()).then_some("page")>"Open"</a>
            <a href="/alarms?state=all" aria-current=move || is_history.get().then_some("page")>"History"</a>
        </nav>
        <Form method="GET" action="/alarms" attr:class="filters" attr:id="alarm-filters">
            <input type="hidden" name="subject" value=move || query.with(|query| query.subject.clone()) />
            <div class="filter filter-search">
                <label for="alarm-search">"Search"</label>
                <input
                    id="alarm-search"
                    name="search"
                    type="search"
                    placeholder="Alarm, device or text"
                    value=move || query.with(|query| query.search.clone())
                />
            </div>
            <div class="filter">
                <label for="alarm-severity">"Severity"</label>
                <select id="alarm-severity" name="severity">
                    {[("", "Any"), ("critical", "Critical"), ("warning", "Warning"), ("info", "Info")]
                        .map(|(value, label)| {
                            view! {
                                <option value=value selected=move || query.with(|query| query.severity == value)>
                                    {label}
                                </option>
                            }
                        })}
                </select>
            </div>
            <div class="filter">
                <label for="alarm-state">"State"</label>
                <select id="alarm-state" name="state">
                    {[
                        ("", "Open"),
                        ("raised", "Not acknowledged"),
                        ("acknowledged", "Acknowledged"),
                        ("cleared", "Over"),
                        ("all", "All"),
                    ]
                        .map(|(value, label)| {
                            view! {
                                <option value=value selected=move || query.with(|query| query.state == value)>
                                    {label}
                                </option>
                            }
                        })}
                </select>
            </div>
            <button class="button" type="submit">"Apply"</button>
        </Form>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading alarms"</p> }>
            {move || {
                page.get()
                    .map(|answer| match read::<Page<Alarm>>(answer) {
                        Ok(page) if page.items.is_empty() => {
                            view! { <NoAlarms restricted=query.with_untracked(Query::is_restricted) /> }.into_any()
                        }
                        Ok(page) => view! { <AlarmTable page /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn NoAlarms(restricted: bool) -> impl IntoView {
    if restricted {
        view! {
            <EmptyState glyph=Glyph::Search title="No alarm matches" text="Take a filter away to see more.">
                <a class="button" href="/alarms?state=all">"Show all alarms"</a>
            </EmptyState>
        }
        .into_any()
    } else {
        view! {
            <EmptyState
                glyph=Glyph::Check
                title="No alarms"
                text="Rules say when a device wants attention: a value beyond a limit, silence, a sudden change, a lost connection. What they raise appears here, at once."
            >
                <a class="button" href="/alarms/rules">"See the rules"</a>
            </EmptyState>
        }
        .into_any()
    }
}

#[component]
fn AlarmTable(page: Page<Alarm>) -> impl IntoView {
    view! {
        <div class="table-wrap">
            <table class="table table-alarms">
                <caption class="hidden">"Alarms, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Severity"</th>
                        <th scope="col">"Alarm"</th>
                        <th scope="col">"About"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Raised"</th>
                    </tr>
                </thead>
                <tbody>{page.items.into_iter().map(|alarm| view! { <AlarmRow alarm /> }).collect_view()}</tbody>
            </table>
        </div>
        <Pages next=page.next />
    }
}

#[component]
fn AlarmRow(alarm: Alarm) -> impl IntoView {
    let by = match alarm.state {
        AlarmState::Raised => None,
        AlarmState::Acknowledged => alarm.acknowledged_by.as_deref().map(who),
        AlarmState::Cleared => alarm.cleared_by.as_deref().map(who),
    };
    view! {
        <tr class="row" class:is-over=!alarm.state.is_open()>
            <td class="cell-state">
                <SeverityBadge severity=alarm.severity />
            </td>
            <td class="cell-name">
                <a class="row-link" href=format!("/alarms/{}", alarm.id)>{alarm.title}</a>
                <span class="sub">{alarm.text}</span>
            </td>
            <td class="cell-about">{alarm.subject_name}</td>
            <td class="cell-course">
                {state_word(alarm.state)} {by.map(|by| view! { <span class="sub">"by " {by}</span> })}
            </td>
            <td class="cell-seen">
                <Ago at=Signal::stored(Some(alarm.last_raised_at)) />
                {(alarm.times > 1).then(|| view! { <span class="sub">{format!("{} times", alarm.times)}</span> })}
            </td>
        </tr>
    }
}
