//! `/audit`: who did what to what, from where, with what outcome. `/security_events`: the part of it that tells of
//! sign-ins, keys, accounts and refusals. New records appear by themselves.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use portico_model::Page;
use portico_model::audit::{AuditRecord, AuditSearch};
use portico_model::live::Event;

use super::record::RecordRow;
use super::{ListAudit, search_of};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{load, reload_when};
use crate::ui::list::{address, asked, is_restricted};
use crate::ui::{EmptyState, Filters, Glyph, Icon, Listed, Pages, SelectFilter, TextFilter};

/// So many records stay on a page that new ones join.
const MOST_SHOWN: usize = 200;

const RESTRICTIONS: &[&str] = &["search", "action", "outcome", "actor", "target", "from", "to"];

const ACTIONS: &[(&str, &str)] = &[
    ("", "Everything"),
    ("auth.", "Signing in"),
    ("session.", "Sessions"),
    ("user.", "People"),
    ("service_key.", "API keys"),
    ("device.", "Devices"),
    ("group.", "Groups"),
    ("alarm", "Alarms"),
    ("command.", "Commands"),
    ("telemetry.", "Measurements"),
    ("organization.", "Settings"),
    ("audit.", "This trail"),
];

const OUTCOMES: &[(&str, &str)] = &[("", "Any"), ("success", "Done"), ("denied", "Refused"), ("failed", "Failed")];

/// The whole trail.
#[component]
pub fn AuditPage() -> impl IntoView {
    view! {
        <Title text="Audit" />
        <Trail
            path="/audit"
            heading="Audit"
            lead="Every change and every refusal, chained so that a later edit would show (portico audit verify)."
            security=false
        />
    }
}

/// Security events alone.
#[component]
pub fn SecurityEventsPage() -> impl IntoView {
    view! {
        <Title text="Security events" />
        <Trail
            path="/security_events"
            heading="Security events"
            lead="Sign-ins and lockouts, sessions, keys and factors, accounts and their rights, and everything that was refused."
            security=true
        />
    }
}

#[component]
fn Trail(path: &'static str, heading: &'static str, lead: &'static str, security: bool) -> impl IntoView {
    let parts = ["search", "action", "outcome", "actor", "target", "from", "to"].map(asked);
    let cursor = asked("cursor");
    let restricted = is_restricted(RESTRICTIONS);
    let page = load(move || {
        let [search, action, outcome, actor, target, from, to] = parts.map(|part| part.get());
        let security = if security { "yes".to_owned() } else { String::new() };
        Some(ListAudit { search, action, outcome, actor, target, from, to, security, cursor: cursor.get() })
    });
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let map = use_query_map();
    let export = move || {
        map.with(|map| {
            let get = |name: &str| map.get(name).unwrap_or_default();
            let action = if security { "security".to_owned() } else { get("action") };
            let [search, outcome, actor, target] = ["search", "outcome", "actor", "target"].map(get);
            // The form's times have no zone; the API's do.
            let [from, to] = [("from", ":00Z"), ("to", ":59.999Z")].map(|(name, rest)| match get(name).get(..16) {
                Some(minute) => format!("{minute}{rest}"),
                None => String::new(),
            });
            address(
                "/api/v1/audit/export",
                [
                    ("search", search.as_str()),
                    ("action", &action),
                    ("outcome", &outcome),
                    ("actor", &actor),
                    ("target", &target),
                    ("from", &from),
                    ("to", &to),
                ],
            )
        })
    };
    let list = move |found: Page<AuditRecord>| {
        let texts = parts.map(|part| part.get_untracked());
        let search = search_of(texts.each_ref(), security);
        let is_first = cursor.with_untracked(String::is_empty);
        view! { <Records found search is_first path restricted=restricted.get_untracked() /> }.into_any()
    };
    // Nothing yet: the first record that comes shows all the same.
    let empty = move || list(Page { items: Vec::new(), next: None });
    view! {
        <div class="page-head">
            <h1>{heading}</h1>
            <div class="page-actions">
                <a class="button" href=export rel="external" download="portico-audit.csv">
                    <Icon glyph=Glyph::Download />
                    <span>"CSV"</span>
                </a>
            </div>
        </div>
        <p class="quiet lead">{lead}</p>
        <Filters action=path>
            <TextFilter
                name="search"
                label="Search"
                kind="search"
                placeholder="Who, what, target or address"
                wide=true
            />
            {(!security).then(|| view! { <SelectFilter name="action" label="Kind" choices=ACTIONS /> })}
            <SelectFilter name="outcome" label="Outcome" choices=OUTCOMES />
            <TextFilter name="actor" label="Who" placeholder="user:anna" />
            <TextFilter name="target" label="Target" placeholder="device:…" />
            <TextFilter name="from" label="From (UTC)" kind="datetime-local" />
            <TextFilter name="to" label="To (UTC)" kind="datetime-local" />
        </Filters>
        <Listed
            page
            what="records"
            list
            empty
        />
    }
}

#[component]
fn NoRecords(path: &'static str, restricted: bool) -> impl IntoView {
    if restricted {
        view! {
            <EmptyState glyph=Glyph::Audit title="No record matches" text="Take a filter away to see more.">
                <a class="button" href=path>
                    "Show everything"
                </a>
            </EmptyState>
        }
        .into_any()
    } else {
        view! {
            <EmptyState
                glyph=Glyph::Check
                title="Nothing yet"
                text="What people, programs and devices do shows here as it happens."
            />
        }
        .into_any()
    }
}

/// A record that came while the page was open glows once.
#[derive(Clone)]
struct Shown {
    record: AuditRecord,
    is_new: bool,
}

/// Whether the record joins the list: it is looked for, and newer than what is there.
fn joins(shown: &[Shown], search: &AuditSearch, record: &AuditRecord) -> bool {
    search.finds(record) && shown.iter().all(|known| known.record.seq < record.seq)
}

#[component]
fn Records(
    found: Page<AuditRecord>,
    search: AuditSearch,
    /// New records join the first page alone.
    is_first: bool,
    path: &'static str,
    /// Whether a filter may be why there is nothing.
    restricted: bool,
) -> impl IntoView {
    let next = found.next;
    let items = found.items.into_iter().map(|record| Shown { record, is_new: false }).collect::<Vec<_>>();
    let rows = RwSignal::new(items);
    follow(
        move || is_first.then(|| "audit".to_owned()),
        move |update| {
            let records = match update {
                // What happened while the page was on its way.
                LiveUpdate::Snapshot(mut data) => data
                    .get_mut("records")
                    .and_then(|records| serde_json::from_value::<Vec<AuditRecord>>(records.take()).ok())
                    .unwrap_or_default(),
                LiveUpdate::Event(Event::AuditAppended { record }) => vec![record],
                LiveUpdate::Event(_) => Vec::new(),
            };
            // Oldest first, as they are put on top one after the other.
            for record in records.into_iter().rev() {
                if rows.with_untracked(|rows| joins(rows, &search, &record)) {
                    rows.update(|rows| {
                        rows.insert(0, Shown { record, is_new: true });
                        rows.truncate(MOST_SHOWN);
                    });
                }
            }
        },
    );
    let is_empty = move || rows.with(Vec::is_empty);
    view! {
        {move || is_empty().then(|| view! { <NoRecords path restricted /> })}
        <div class="table-wrap" hidden=is_empty>
            <table class="table table-audit">
                <caption class="hidden">"Records, newest first"</caption>
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
                <tbody>
                    <For each=move || rows.get() key=|shown| shown.record.seq let(shown)>
                        <RecordRow record=shown.record is_new=shown.is_new />
                    </For>
                </tbody>
            </table>
        </div>
        <Pages next first_word="Newest" next_word="Older" />
    }
}

#[cfg(test)]
mod tests {
    use portico_model::audit::AuditOutcome;
    use portico_model::{AuditId, Timestamp};

    use super::*;

    fn record(seq: i64, action: &str) -> AuditRecord {
        AuditRecord {
            id: AuditId::nil(),
            seq,
            at: Timestamp::from_millis(seq),
            actor: "user:ada".into(),
            action: action.into(),
            target: String::new(),
            outcome: AuditOutcome::Success,
            address: String::new(),
            request_id: String::new(),
            details: serde_json::Value::Null,
        }
    }

    #[test]
    fn new_record_joins_once_and_only_where_it_is_looked_for() {
        let shown = [Shown { record: record(7, "auth.signed_in"), is_new: false }];
        let security = AuditSearch { security: true, ..AuditSearch::default() };
        assert!(joins(&shown, &security, &record(8, "session.ended")));
        assert!(!joins(&shown, &security, &record(8, "device.changed")));
        assert!(!joins(&shown, &security, &record(7, "session.ended")), "the same record again");
    }
}
