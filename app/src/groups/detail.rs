//! `/groups/:id`: the members of a group, live, and one key of all of them on one chart.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use portico_model::GroupId;
use portico_model::devices::{Connection, Device};
use portico_model::explore::{MAX_SERIES, QueriedTelemetry, SeriesRef};
use portico_model::groups::Group;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::telemetry::Aggregation;

use super::forms::{GroupActions, GroupForms};
use super::{ColorDot, GetGroup, GroupView};
use crate::devices::chart::Range;
use crate::devices::list::RowValues;
use crate::devices::row::{ConnectionBadge, key_title, rank_of_key};
use crate::explore::page::{RangeBar, keep_fresh, question};
use crate::explore::plot::{ComparePlot, Naming};
use crate::form::PostForm;
use crate::live::{LiveUpdate, fold, follow, use_live};
use crate::load::{Loaded, in_place, load, read};
use crate::time::Ago;
use crate::ui::toast::use_toasts;
use crate::ui::{EmptyState, ErrorSummary, Glyph, Icon, ProblemView};
use crate::viewer::use_viewer;

/// Loads again when the line was down and is back.
pub fn refetch_on_return(answer: Resource<Loaded>) {
    let returns = use_live().returns;
    Effect::new(move |seen: Option<u32>| {
        let now = returns.get();
        if seen.is_some_and(|seen| seen != now) {
            answer.refetch();
        }
        now
    });
}

/// The page.
#[component]
pub fn GroupPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<GroupId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let forms = GroupForms::new();
    let group = load(move || id.get().map(|id| GetGroup { id }));
    let deleted = RwSignal::new(false);
    follow(
        || Some("groups".to_owned()),
        move |update| match update {
            LiveUpdate::Event(Event::GroupChanged { id: changed }) if id.get_untracked() == Some(changed) => {
                group.refetch();
            }
            LiveUpdate::Event(Event::GroupDeleted { id: gone }) if id.get_untracked() == Some(gone) => {
                deleted.set(true);
            }
            _ => {}
        },
    );
    refetch_on_return(group);
    // Also without the line.
    Effect::new(move |before: Option<u32>| {
        let changes = forms.add.successes.get() + forms.remove.successes.get() + forms.update.successes.get();
        if before.is_some_and(|before| before != changes) {
            group.refetch();
        }
        changes
    });
    let toast = use_toasts();
    Effect::new(move |_| {
        if let Some(added) = forms.add.answer::<usize>() {
            toast(if added == 1 { "1 device added".to_owned() } else { format!("{added} devices added") });
        }
    });
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/groups">"Groups"</a>
        </nav>
        <p class="note note-danger" role="alert" hidden=move || !deleted.get()>
            "This group was deleted. What you see is its last state."
        </p>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading group"</p> }>
            {in_place(
                group,
                |shown: &GroupView| shown.group.id,
                move |shown| view! { <GroupBody shown forms /> }.into_any(),
            )}
        </Transition>
    }
}

#[component]
fn GroupBody(shown: Memo<GroupView>, forms: GroupForms) -> impl IntoView {
    let query = use_query_map();
    let find = Memo::new(move |_| query.with(|query| query.get("find").unwrap_or_default()));
    let viewer = use_viewer();
    let id = shown.with_untracked(|shown| shown.group.id);
    // Who joins or leaves does not make the group another one: the forms stay as they are.
    let group = Memo::new(move |_| shown.with(|shown| Group { device_count: 0, ..shown.group.clone() }));
    let may_change = Memo::new(move |_| {
        let owner = group.with(|group| group.owner_id);
        viewer.as_ref().is_some_and(|viewer| viewer.may(Permission::ManageAllDevices) || viewer.id == owner)
    });
    let counts = move || {
        shown.with(|GroupView { group, members, .. }| {
            let online = members.iter().filter(|device| device.connection == Connection::Online).count();
            format!("{} devices, {online} online, of {}", members.len(), group.owner_name)
        })
    };
    let hidden = Memo::new(move |_| {
        shown.with(|shown| usize::try_from(shown.group.device_count).unwrap_or(0).saturating_sub(shown.members.len()))
    });
    let inside = Memo::new(move |_| {
        let ids = shown.with(|shown| shown.members.iter().map(|device| device.id).collect::<Vec<_>>());
        (ids, shown.with(|shown| shown.keys.clone()))
    });
    view! {
        <Title text=move || group.try_with(|group| group.name.clone()).unwrap_or_default() />
        <div class="page-head">
            <div class="title-line">
                <h1 class="compare-name">
                    {move || view! { <ColorDot color=group.with(|group| group.color.clone()) /> }}
                    {move || group.with(|group| group.name.clone())}
                </h1>
                <span class="quiet">{counts}</span>
            </div>
            {move || may_change.get().then(|| view! { <GroupActions group=group.get() find forms /> })}
        </div>
        {move || group.with(|group| group.description.clone()).map(|text| view! { <p class="lead">{text}</p> })}
        <ErrorSummary form=forms.remove shown=&[] />
        {move || {
            let (ids, keys) = inside.get();
            let members = shown.with_untracked(|shown| shown.members.clone());
            if ids.is_empty() {
                view! {
                    <EmptyState
                        glyph=Glyph::Groups
                        title="No devices in this group yet"
                        text="Put devices into it with “Add devices”. A device may be in many groups."
                    />
                }
                    .into_any()
            } else {
                view! {
                    <GroupChart id members=members.clone() keys />
                    <MemberTable id members may_change=may_change.get() forms />
                }
                    .into_any()
            }
        }}
        {move || {
            let hidden = hidden.get();
            (hidden > 0)
                .then(|| {
                    view! {
                        <p class="quiet">{format!("{hidden} more devices are in this group; the REST interface lists all.")}</p>
                    }
                })
        }}
    }
}

/// One key of all members.
#[component]
fn GroupChart(id: GroupId, members: Vec<Device>, keys: Vec<String>) -> impl IntoView {
    let query = use_query_map();
    let fallback = keys.iter().min_by_key(|key| rank_of_key(key)).cloned().unwrap_or_default();
    let key = Memo::new(move |_| {
        query.with(|query| query.get("key")).filter(|key| !key.is_empty()).unwrap_or_else(|| fallback.clone())
    });
    let range = Memo::new(move |_| {
        query.with(|query| {
            let part = |name| query.get(name).unwrap_or_default();
            Range::parse(&part("range"), &part("from"), &part("to"))
        })
    });
    let ids = StoredValue::new(members.into_iter().map(|device| device.id).take(MAX_SERIES).collect::<Vec<_>>());
    let answer = load(move || {
        let key = key.get();
        let series: Vec<_> = ids.with_value(|ids| {
            ids.iter().map(|device_id| SeriesRef { device_id: *device_id, key: key.clone() }).collect()
        });
        (!key.is_empty()).then(|| question(&series, &range.get(), Aggregation::Mean, "auto"))
    });
    keep_fresh(answer, move || range.with_untracked(Range::is_live));
    let base = Signal::derive(move || key.with(|key| format!("/groups/{id}?key={}", crate::browser::encode(key))));
    let explore = move || {
        let series: Vec<_> = ids.with_value(|ids| {
            ids.iter()
                .map(|device_id| SeriesRef { device_id: *device_id, key: key.get() })
                .map(|one| format!("s={}", crate::browser::encode(&one.to_text())))
                .collect()
        });
        format!("/explore?{}{}", series.join("&"), range.with(Range::query))
    };
    let hidden = ViewFn::from(move || view! { <input type="hidden" name="key" value=key.get() /> });
    let is_drawn = !keys.is_empty();
    view! {
        <section class="card chart-card" aria-labelledby="group-chart-title">
            <div class="card-head">
                <h2 id="group-chart-title">
                    {move || key.with(|key| if key.is_empty() { "Chart".to_owned() } else { key_title(key) })}
                </h2>
                <RangeBar base range action=format!("/groups/{id}") hidden />
                <a class="button button-small" href=explore>
                    <Icon glyph=Glyph::Explore />
                    <span>"Explore"</span>
                </a>
            </div>
            <ul class="keys" aria-label="Keys">
                {keys
                    .into_iter()
                    .map(|one| {
                        let href = format!("/groups/{id}?key={}", crate::browser::encode(&one));
                        let title = key_title(&one);
                        let is_on = move || key.with(|key| *key == one);
                        view! {
                            <li>
                                <a
                                    class="key-choice"
                                    href=move || format!("{href}{}", range.with(Range::query))
                                    aria-current=move || is_on().then_some("true")
                                >
                                    {title}
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
            {if is_drawn {
                view! {
                    <Transition fallback=|| view! { <div class="chart-space" role="status">"Loading chart"</div> }>
                        {move || {
                            Some(
                                match read::<QueriedTelemetry>(answer.get()?) {
                                    Ok(mut answer) => {
                                        answer.series.retain(|series| !series.points.is_empty());
                                        let address = base.get_untracked();
                                        view! { <ComparePlot answer naming=Naming::Device address /> }.into_any()
                                    }
                                    Err(failure) => view! { <ProblemView failure /> }.into_any(),
                                },
                            )
                        }}
                    </Transition>
                }
                    .into_any()
            } else {
                view! { <p class="chart-space quiet">"There are no numbers to draw yet."</p> }.into_any()
            }}
        </section>
    }
}

#[component]
fn MemberTable(id: GroupId, members: Vec<Device>, may_change: bool, forms: GroupForms) -> impl IntoView {
    let rows: Vec<_> = members.into_iter().map(|device| (device.id, RwSignal::new(device))).collect();
    let followed = rows.clone();
    follow(
        || Some("devices".to_owned()),
        move |update| {
            let apply = |event: &Event| {
                let (Event::DeviceChanged { device: Device { id, .. } } | Event::DeviceConnection { id, .. }) = event
                else {
                    return;
                };
                if let Some((_, device)) = followed.iter().find(|(of, _)| of == id) {
                    device.update(|device| {
                        fold::fold_device(device, event);
                    });
                }
            };
            match update {
                LiveUpdate::Snapshot(data) => {
                    let list = serde_json::from_value::<fold::ListSnapshot>(data);
                    for device in list.into_iter().flat_map(|list| list.devices) {
                        apply(&Event::DeviceChanged { device });
                    }
                }
                LiveUpdate::Event(event) => apply(&event),
            }
        },
    );
    view! {
        <div class="table-wrap">
            <table class="table table-devices table-members">
                <caption class="hidden">"Devices of the group"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Device"</th>
                        <th scope="col">"Place"</th>
                        <th scope="col">"Latest values"</th>
                        <th scope="col">"Last heard from"</th>
                        {may_change.then(|| view! { <th scope="col"><span class="hidden">"Actions"</span></th> })}
                    </tr>
                </thead>
                <tbody>
                    {rows
                        .into_iter()
                        .map(|(_, device)| view! { <MemberRow id device may_change forms /> })
                        .collect_view()}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn MemberRow(id: GroupId, device: RwSignal<Device>, may_change: bool, forms: GroupForms) -> impl IntoView {
    let of = device.with_untracked(|device| device.id);
    let name = Memo::new(move |_| device.with(|device| device.name.clone()));
    let kind = Memo::new(move |_| device.with(|device| device.device_type.clone()));
    let place = Memo::new(move |_| device.with(|device| device.location.clone()));
    let seen = Memo::new(move |_| device.with(|device| device.last_seen_at));
    view! {
        <tr class="row">
            <td class="cell-state">
                <ConnectionBadge device />
            </td>
            <th scope="row" class="cell-name">
                <a class="row-link" href=format!("/devices/{of}")>{move || name.get()}</a>
                <span class="sub">{move || kind.get()}</span>
            </th>
            <td class="cell-place">{move || place.get()}</td>
            <td class="cell-values">
                <RowValues id=of device />
            </td>
            <td class="cell-seen">
                <Ago at=seen />
            </td>
            {may_change
                .then(|| {
                    view! {
                        <td class="cell-actions">
                            <PostForm form=forms.remove class="inline">
                                <input type="hidden" name="id" value=id.to_string() />
                                <input type="hidden" name="device" value=of.to_string() />
                                <button
                                    class="button button-icon"
                                    type="submit"
                                    title="Take out of the group"
                                    aria-label=move || format!("Take {} out of the group", name.get())
                                >
                                    <Icon glyph=Glyph::Cross />
                                </button>
                            </PostForm>
                        </td>
                    }
                })}
        </tr>
    }
}
