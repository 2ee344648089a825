//! `/groups`: the groups one sees.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::groups::Group;

use super::forms::{GROUP_FIELDS, GroupFields};
use super::{ColorDot, CreateGroup, ListGroups};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{load, read};
use crate::time::Ago;
use crate::ui::{Dialog, EmptyState, ErrorSummary, Glyph, ProblemView, SubmitButton};

/// The page.
#[component]
pub fn GroupsPage() -> impl IntoView {
    let create = FormState::of::<CreateGroup>();
    let groups = load(|| Some(ListGroups {}));
    follow(
        || Some("groups".to_owned()),
        move |update| {
            if matches!(update, LiveUpdate::Event(_)) {
                groups.refetch();
            }
        },
    );
    super::detail::refetch_on_return(groups);
    view! {
        <Title text="Groups" />
        <div class="page-head">
            <h1>"Groups"</h1>
            <div class="page-actions">
                <Dialog label="New group" glyph=Glyph::Plus class="button button-primary" open=create.came_back()>
                    <PostForm form=create id="create-group">
                        <ErrorSummary form=create shown=GROUP_FIELDS />
                        <GroupFields form=create />
                        <SubmitButton label="Make group" pending=create.pending() />
                    </PostForm>
                </Dialog>
            </div>
        </div>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading groups"</p> }>
            {move || {
                groups
                    .get()
                    .map(|answer| match read::<Vec<Group>>(answer) {
                        Ok(groups) if groups.is_empty() => {
                            view! {
                                <EmptyState
                                    glyph=Glyph::Groups
                                    title="No groups yet"
                                    text="A group brings devices together: a floor, a room, a kind. Its page shows all of them live and compares them on one chart; rules and firmware can be given to a whole group."
                                />
                            }
                                .into_any()
                        }
                        Ok(groups) => view! { <GroupTable groups /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn GroupTable(groups: Vec<Group>) -> impl IntoView {
    view! {
        <div class="table-wrap">
            <table class="table table-groups">
                <caption class="hidden">"Groups"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Group"</th>
                        <th scope="col">"Devices"</th>
                        <th scope="col">"Owner"</th>
                        <th scope="col">"Changed"</th>
                    </tr>
                </thead>
                <tbody>
                    {groups
                        .into_iter()
                        .map(|group| {
                            view! {
                                <tr class="row">
                                    <th scope="row" class="cell-name">
                                        <span class="compare-name">
                                            <ColorDot color=group.color />
                                            <a class="row-link" href=format!("/groups/{}", group.id)>
                                                {group.name}
                                            </a>
                                        </span>
                                        {group.description.map(|text| view! { <span class="sub">{text}</span> })}
                                    </th>
                                    <td class="cell-count number">
                                        {group.device_count}
                                        <span class="unit">{if group.device_count == 1 { "device" } else { "devices" }}</span>
                                    </td>
                                    <td class="cell-place">{group.owner_name}</td>
                                    <td class="cell-seen">
                                        <Ago at=Signal::stored(Some(group.updated_at)) />
                                    </td>
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </div>
    }
}
