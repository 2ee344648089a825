//! Groups of devices: the list, and one group with its members live and a chart of one key over all of them.

pub mod detail;
pub mod forms;
pub mod list;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::devices::Device;
use portico_model::groups::Group;
use portico_model::{DeviceId, GroupId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// Groups and members that a page shows.
#[cfg(feature = "ssr")]
const MOST_SHOWN: i64 = 200;

/// A group with the members that the asker sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    pub group: Group,
    pub members: Vec<Device>,
    /// Keys of its members that are numbers, the most frequent first.
    pub keys: Vec<String>,
}

/// The groups the asker sees, by name.
#[server(name = ListGroups, prefix = "/sfn", endpoint = "groups/list", input = GetUrl)]
pub async fn list_groups() -> Result<Vec<Group>, Failure> {
    use portico_devices::GroupQuery;

    use crate::server::{actor, devices, failed};

    let query = GroupQuery { limit: Some(MOST_SHOWN), ..GroupQuery::default() };
    Ok(devices()?.groups(&actor()?, &query).await.map_err(failed)?.0)
}

/// One group.
#[server(name = GetGroup, prefix = "/sfn", endpoint = "groups/get", input = GetUrl)]
pub async fn get_group(id: GroupId) -> Result<GroupView, Failure> {
    use std::collections::BTreeMap;

    use portico_devices::MemberQuery;

    use crate::server::{actor, devices, failed};

    let (devices, actor) = (devices()?, actor()?);
    let query = MemberQuery { limit: Some(MOST_SHOWN), ..MemberQuery::default() };
    let (group, members, _) = devices.group_members(&actor, id, &query).await.map_err(failed)?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for choice in devices.choices(&actor, None, Some(id), MOST_SHOWN).await.map_err(failed)? {
        for key in choice.keys {
            *counts.entry(key).or_default() += 1;
        }
    }
    let mut keys: Vec<_> = counts.into_iter().collect();
    keys.sort_by(|(one, few), (other, many)| many.cmp(few).then_with(|| one.cmp(other)));
    Ok(GroupView {
        group,
        members: members.into_iter().map(|(device, _)| device).collect(),
        keys: keys.into_iter().map(|(key, _)| key).collect(),
    })
}

/// Devices that may be put into the group and are not in it, by name.
#[server(name = GroupCandidates, prefix = "/sfn", endpoint = "groups/candidates", input = GetUrl)]
pub async fn group_candidates(id: GroupId, #[server(default)] find: String) -> Result<Vec<Device>, Failure> {
    use crate::server::{actor, devices, failed};

    const SHOWN: i64 = 50;
    devices()?.group_candidates(&actor()?, id, Some(find), SHOWN).await.map_err(failed)
}

#[cfg(feature = "ssr")]
fn given_text(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A name in use is shown beside the name.
#[cfg(feature = "ssr")]
fn beside_name(mut failure: Failure) -> Failure {
    if failure.code == "group_name_taken" {
        failure.fields.push(portico_model::FieldError::new("name", failure.message.clone()));
    }
    failure
}

/// Makes a group and goes to it.
#[server(name = CreateGroup, prefix = "/sfn", endpoint = "groups/create")]
pub async fn create_group(
    name: String,
    #[server(default)] description: String,
    #[server(default)] color: String,
) -> Result<Group, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::groups::NewGroup;

    use crate::server::{actor, devices, failed, form_failed};

    let values = [("name", name.as_str()), ("description", &description), ("color", &color)];
    let refuse = |failure| form_failed(CreateGroup::PATH, "/groups", &values, beside_name(failure));
    let new = NewGroup { name: name.clone(), description: given_text(&description), color: given_text(&color) };
    let group = devices()?.create_group(&actor()?, new).await.map_err(|error| refuse(failed(error)))?;
    leptos_axum::redirect(&format!("/groups/{}", group.id));
    Ok(group)
}

/// Changes a group.
#[server(name = UpdateGroup, prefix = "/sfn", endpoint = "groups/update")]
pub async fn update_group(
    id: GroupId,
    name: String,
    #[server(default)] description: String,
    #[server(default)] color: String,
) -> Result<Group, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::groups::GroupChange;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = format!("/groups/{id}");
    let values = [("name", name.as_str()), ("description", &description), ("color", &color)];
    let refuse = |failure| form_failed(UpdateGroup::PATH, &page, &values, beside_name(failure));
    let change =
        GroupChange { name: Some(name.clone()), description: Some(description.clone()), color: Some(color.clone()) };
    let group = devices()?.update_group(&actor()?, id, change).await.map_err(|error| refuse(failed(error)))?;
    form_done(UpdateGroup::PATH, &page, &[]);
    Ok(group)
}

/// Dissolves a group; its devices stay.
#[server(name = DeleteGroup, prefix = "/sfn", endpoint = "groups/delete")]
pub async fn delete_group(id: GroupId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_failed};

    let page = format!("/groups/{id}");
    devices()?
        .delete_group(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteGroup::PATH, &page, &[], failed(error)))?;
    leptos_axum::redirect("/groups");
    Ok(())
}

/// Puts devices into a group: how many.
#[server(name = AddDevices, prefix = "/sfn", endpoint = "groups/add_devices")]
pub async fn add_devices(id: GroupId, #[server(default)] devices: Vec<String>) -> Result<usize, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices as service, failed, form_done, form_failed};

    let page = format!("/groups/{id}");
    let refuse = |failure| form_failed(AddDevices::PATH, &page, &[], failure);
    if devices.is_empty() {
        return Err(refuse(Failure::field("devices", "Choose at least one device.")));
    }
    let done = service()?.add_many_to_group(&actor()?, id, &devices).await.map_err(|error| refuse(failed(error)))?;
    form_done(AddDevices::PATH, &page, &[]);
    Ok(done.added.len())
}

/// Takes a device out of a group.
#[server(name = RemoveDevice, prefix = "/sfn", endpoint = "groups/remove_device")]
pub async fn remove_device(id: GroupId, device: DeviceId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = format!("/groups/{id}");
    devices()?
        .remove_from_group(&actor()?, id, &device.to_string())
        .await
        .map_err(|error| form_failed(RemoveDevice::PATH, &page, &[], failed(error)))?;
    form_done(RemoveDevice::PATH, &page, &[]);
    Ok(())
}

/// The group's colour as a dot, also where styles in elements are not allowed; a ring when it has none.
#[component]
pub fn ColorDot(color: Option<String>) -> impl IntoView {
    view! {
        <svg class="swatch" viewBox="0 0 16 16" aria-hidden="true">
            {match color {
                Some(color) => view! { <circle cx="8" cy="8" r="6" fill=color /> }.into_any(),
                None => view! { <circle class="swatch-none" cx="8" cy="8" r="5.5" /> }.into_any(),
            }}
        </svg>
    }
}

impl Ask for ListGroups {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl Ask for GetGroup {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

impl Ask for GroupCandidates {
    fn query(&self) -> Vec<(&'static str, String)> {
        [vec![("id", self.id.to_string())], given([("find", &self.find)])].concat()
    }
}
