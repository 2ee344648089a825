//! `/alarms/rules`: what raises alarms.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use portico_model::Page;
use portico_model::alarms::rule::AlarmRule;

use super::{ListRules, SeverityBadge};
use crate::load::{load, read};
use crate::ui::{Badge, EmptyState, Glyph, Icon, ProblemView, Tone};

/// The page.
#[component]
pub fn RulesPage() -> impl IntoView {
    let map = use_query_map();
    let cursor = Memo::new(move |_| map.with(|map| map.get("cursor").unwrap_or_default()));
    let page = load(move || Some(ListRules { cursor: cursor.get() }));
    view! {
        <Title text="Alarm rules" />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/alarms">"Alarms"</a>
        </nav>
        <div class="page-head">
            <h1>"Alarm rules"</h1>
            <div class="page-actions">
                <a class="button button-primary" href="/alarms/rules/new">
                    <Icon glyph=Glyph::Plus />
                    <span>"New rule"</span>
                </a>
            </div>
        </div>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading rules"</p> }>
            {move || {
                page.get()
                    .map(|answer| match read::<Page<AlarmRule>>(answer) {
                        Ok(page) if page.items.is_empty() => {
                            view! {
                                <EmptyState
                                    glyph=Glyph::Wrench
                                    title="No rules yet"
                                    text="A rule says when a device wants attention: a value beyond a limit, silence, a sudden change, a lost connection. Before you save it, it tells how often it would have fired."
                                >
                                    <a class="button button-primary" href="/alarms/rules/new">"Make the first rule"</a>
                                </EmptyState>
                            }
                                .into_any()
                        }
                        Ok(page) => view! { <RuleTable page is_first=cursor.with_untracked(String::is_empty) /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn RuleTable(page: Page<AlarmRule>, is_first: bool) -> impl IntoView {
    view! {
        <div class="table-wrap">
            <table class="table table-rules">
                <caption class="hidden">"Alarm rules, by name"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Severity"</th>
                        <th scope="col">"Rule"</th>
                        <th scope="col">"Applies to"</th>
                        <th scope="col">"State"</th>
                    </tr>
                </thead>
                <tbody>
                    {page
                        .items
                        .into_iter()
                        .map(|AlarmRule { id, rule, scope_name, .. }| {
                            let scope = if scope_name.is_empty() {
                                format!("{} that is gone", rule.scope.kind())
                            } else {
                                format!("{} {scope_name}", rule.scope.kind())
                            };
                            view! {
                                <tr class="row">
                                    <td class="cell-state">
                                        <SeverityBadge severity=rule.severity />
                                    </td>
                                    <td class="cell-name">
                                        <a class="row-link" href=format!("/alarms/rules/{id}")>{rule.name}</a>
                                        <span class="sub">{rule.condition.to_string()}</span>
                                    </td>
                                    <td class="cell-about">{scope}</td>
                                    <td class="cell-course">
                                        {if rule.is_enabled {
                                            view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="On" /> }
                                        } else {
                                            view! { <Badge tone=Tone::Unknown glyph=Glyph::Pause word="Off" /> }
                                        }}
                                    </td>
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </div>
        <nav class="pages" aria-label="Pages">
            {(!is_first).then(|| view! { <a class="button" href="/alarms/rules">"First page"</a> })}
            {page
                .next
                .map(|cursor| {
                    view! {
                        <a class="button" href=format!("/alarms/rules?cursor={cursor}") rel="next">
                            "Next page"
                            <Icon glyph=Glyph::Next />
                        </a>
                    }
                })}
        </nav>
    }
}
