//! `/audit`: who did what to what, from where, with what outcome.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use portico_model::Page;
use portico_model::audit::{AuditOutcome, AuditRecord};

use super::ListAudit;
use crate::load::{load, read};
use crate::time::Moment;
use crate::ui::{Badge, EmptyState, Glyph, Icon, ProblemView, Tone};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Query {
    search: String,
    action: String,
    outcome: String,
    cursor: String,
}

impl Query {
    fn address(&self, cursor: &str) -> String {
        let parts = [
            ("search", self.search.as_str()),
            ("action", self.action.as_str()),
            ("outcome", self.outcome.as_str()),
            ("cursor", cursor),
        ];
        let query: Vec<_> = parts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", crate::browser::encode(value)))
            .collect();
        if query.is_empty() { "/audit".to_owned() } else { format!("/audit?{}", query.join("&")) }
    }
}

/// The page.
#[component]
pub fn AuditPage() -> impl IntoView {
    let map = use_query_map();
    let query = Memo::new(move |_| {
        map.with(|map| Query {
            search: map.get("search").unwrap_or_default(),
            action: map.get("action").unwrap_or_default(),
            outcome: map.get("outcome").unwrap_or_default(),
            cursor: map.get("cursor").unwrap_or_default(),
        })
    });
    let page = load(move || {
        let Query { search, action, outcome, cursor } = query.get();
        Some(ListAudit { search, action, outcome, cursor })
    });
    view! {
        <Title text="Audit" />
        <div class="page-head">
            <h1>"Audit"</h1>
        </div>
        <p class="quiet lead">
            "Every change and every refusal, chained so that a later edit would show (portico audit verify)."
        </p>
        <Form method="GET" action="/audit" attr:class="filters" attr:id="audit-filters">
            <div class="filter filter-search">
                <label for="audit-search">"Search"</label>
                <input
                    id="audit-search"
                    name="search"
                    type="search"
                    placeholder="Who, what, target or address"
                    value=move || query.with(|query| query.search.clone())
                />
            </div>
            <div class="filter">
                <label for="audit-kind">"Kind"</label>
                <select id="audit-kind" name="action">
                    <option value="" selected=move || query.with(|query| query.action.is_empty())>"Everything"</option>
                    <option value="security" selected=move || query.with(|query| query.action == "security")>
                        "Security events"
                    </option>
                </select>
            </div>
            <div class="filter">
                <label for="audit-outcome">"Outcome"</label>
                <select id="audit-outcome" name="outcome">
                    {[("", "Any"), ("success", "Done"), ("denied", "Refused"), ("failed", "Failed")]
                        .map(|(value, label)| {
                            view! {
                                <option value=value selected=move || query.with(|query| query.outcome == value)>
                                    {label}
                                </option>
                            }
                        })}
                </select>
            </div>
            <button class="button" type="submit">"Apply"</button>
        </Form>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading records"</p> }>
            {move || {
                page.get()
                    .map(|answer| match read::<Page<AuditRecord>>(answer) {
                        Ok(page) if page.items.is_empty() => {
                            view! {
                                <EmptyState
                                    glyph=Glyph::Audit
                                    title="No record matches"
                                    text="Take a filter away to see more."
                                >
                                    <a class="button" href="/audit">"Show everything"</a>
                                </EmptyState>
                            }
                                .into_any()
                        }
                        Ok(page) => view! { <Records page query=query.get_untracked() /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Records(page: Page<AuditRecord>, query: Query) -> impl IntoView {
    let next = page.next.as_deref().map(|cursor| query.address(cursor));
    let first = (!query.cursor.is_empty()).then(|| query.address(""));
    view! {
        <div class="table-wrap">
            <table class="table table-audit">
                <caption class="hidden">"Audit records, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Outcome"</th>
                        <th scope="col">"What"</th>
                        <th scope="col">"Who"</th>
                        <th scope="col">"Target"</th>
                        <th scope="col">"From"</th>
                        <th scope="col">"When"</th>
                    </tr>
                </thead>
                <tbody>{page.items.into_iter().map(|record| view! { <Record record /> }).collect_view()}</tbody>
            </table>
        </div>
        <nav class="pages" aria-label="Pages">
            {first.map(|href| view! { <a class="button" href=href>"Newest"</a> })}
            {next
                .map(|href| {
                    view! {
                        <a class="button" href=href rel="next">
                            "Older"
                            <Icon glyph=Glyph::Next />
                        </a>
                    }
                })}
        </nav>
    }
}

/// What the record's target opens, if it has a page.
fn target_page(target: &str) -> Option<String> {
    target.strip_prefix("device:").map(|id| format!("/devices/{id}"))
}

/// `device:0192…` is too long for a table: kind and the end of the id, which differs most.
fn short_target(target: &str) -> String {
    match target.split_once(':') {
        Some((kind, id)) if id.len() > 12 => {
            format!("{kind} …{}", id.get(id.len() - 8..).unwrap_or(id))
        }
        Some((kind, id)) => format!("{kind} {id}"),
        None => target.to_owned(),
    }
}

#[component]
fn Record(record: AuditRecord) -> impl IntoView {
    let (tone, glyph, word) = match record.outcome {
        AuditOutcome::Success => (Tone::Ok, Glyph::Check, "Done"),
        AuditOutcome::Denied => (Tone::Danger, Glyph::Cross, "Refused"),
        AuditOutcome::Failed => (Tone::Attention, Glyph::Alert, "Failed"),
    };
    let details = match &record.details {
        serde_json::Value::Object(map) if !map.is_empty() => {
            map.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    };
    let target = short_target(&record.target);
    view! {
        <tr>
            <td class="cell-state">
                <Badge tone glyph word />
            </td>
            <th scope="row" class="cell-name">
                <code>{record.action}</code>
                {(!details.is_empty()).then(|| view! { <span class="sub">{details}</span> })}
            </th>
            <td class="cell-who">{record.actor}</td>
            <td class="cell-target">
                {match target_page(&record.target) {
                    Some(href) => view! { <a href=href title=record.target.clone()>{target}</a> }.into_any(),
                    None => view! { <span title=record.target.clone()>{target}</span> }.into_any(),
                }}
            </td>
            <td class="cell-from">{record.address}</td>
            <td class="cell-seen">
                <Moment at=record.at />
            </td>
        </tr>
    }
}

/// Texts without quotes; ids by their end.
fn plain(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(id) if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("…{}", id.get(24..).unwrap_or(id))
        }
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ids_show_their_end() {
        let id = "0192f0c1a2b37c4d8e9fa0b1c2d3e4f5";
        assert_eq!(short_target(&format!("device:{id}")), "device …c2d3e4f5");
        assert_eq!(short_target("setting:signup"), "setting signup");
        assert_eq!(short_target(""), "");
        assert_eq!(target_page("user:1"), None);
        assert_eq!(plain(&serde_json::json!(id)), "…c2d3e4f5");
        assert_eq!(plain(&serde_json::json!(3)), "3");
    }
}
