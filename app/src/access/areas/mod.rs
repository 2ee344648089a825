//! Groups of doors, which policies and modes name together, and zones, which anti-passback watches.

pub mod groups;
pub mod page;
pub mod zones;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::door::{DoorGroup, Zone};
use portico_model::access::policies::Choice;
use portico_model::{DoorGroupId, ZoneId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::Ask;

#[cfg(feature = "ssr")]
const PAGE: &str = "/doors/areas";

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreasView {
    pub groups: Vec<DoorGroup>,
    pub zones: Vec<Zone>,
    pub doors: Vec<Choice>,
}

/// What the page shows.
#[server(name = GetAreas, prefix = "/sfn", endpoint = "access/areas", input = GetUrl)]
pub async fn get_areas() -> Result<AreasView, Failure> {
    use crate::server::{access, actor, failed};

    let (access, actor) = (access()?, actor()?);
    let groups = access.door_groups(&actor).await.map_err(failed)?;
    let zones = access.zones(&actor).await.map_err(failed)?;
    let (doors, _) = access.policy_doors(&actor).await.map_err(failed)?;
    Ok(AreasView { groups, zones, doors })
}

/// A name that is in use is shown beside its field.
#[cfg(feature = "ssr")]
fn beside_name(mut failure: Failure) -> Failure {
    if failure.code == "name_taken" {
        failure.fields.push(portico_model::FieldError::new("name", failure.message.clone()));
    }
    failure
}

/// Makes a group of doors, or changes one (`id`).
#[server(name = SaveDoorGroup, prefix = "/sfn", endpoint = "access/save_door_group")]
pub async fn save_door_group(
    #[server(default)] id: Option<DoorGroupId>,
    name: String,
    #[server(default)] description: String,
    #[server(default)] doors: Vec<String>,
) -> Result<DoorGroup, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::door::DoorGroupSettings;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let key = id.map(|id| id.to_string()).unwrap_or_default();
    let values = [("id", key.as_str()), ("name", &name), ("description", &description)];
    let door_ids = doors.iter().filter_map(|id| id.parse().ok()).collect();
    let settings = DoorGroupSettings { name: name.clone(), description: description.clone(), door_ids };
    let group = access()?
        .save_door_group(&actor()?, id, settings)
        .await
        .map_err(|error| form_failed(SaveDoorGroup::PATH, PAGE, &values, beside_name(failed(error))))?;
    form_done(SaveDoorGroup::PATH, PAGE, &[]);
    Ok(group)
}

/// Dissolves a group of doors.
#[server(name = DeleteDoorGroup, prefix = "/sfn", endpoint = "access/delete_door_group")]
pub async fn delete_door_group(id: DoorGroupId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    access()?
        .delete_door_group(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteDoorGroup::PATH, PAGE, &[], failed(error)))?;
    form_done(DeleteDoorGroup::PATH, PAGE, &[]);
    Ok(())
}

/// Makes a zone, or changes one (`id`).
#[server(name = SaveZone, prefix = "/sfn", endpoint = "access/save_zone")]
pub async fn save_zone(
    #[server(default)] id: Option<ZoneId>,
    name: String,
    #[server(default)] parent_id: String,
    #[server(default)] passback: String,
    #[server(default)] reset_after_s: String,
) -> Result<Zone, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::door::{PassbackRule, ZoneSettings};

    use crate::server::{access, actor, failed, form_done, form_failed};

    let key = id.map(|id| id.to_string()).unwrap_or_default();
    let values = [("id", key.as_str()), ("name", &name), ("parent_id", &parent_id), ("reset_after_s", &reset_after_s)];
    let refuse = |failure| form_failed(SaveZone::PATH, PAGE, &values, beside_name(failure));
    let reset = match reset_after_s.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| refuse(Failure::field("reset_after_s", "A whole number of seconds.")))?),
    };
    let settings = ZoneSettings {
        name: name.clone(),
        parent_id: parent_id.parse().ok(),
        passback: PassbackRule::parse(&passback),
        reset_after_s: reset,
    };
    let zone = access()?.save_zone(&actor()?, id, settings).await.map_err(|error| refuse(failed(error)))?;
    form_done(SaveZone::PATH, PAGE, &[]);
    Ok(zone)
}

/// Removes a zone.
#[server(name = DeleteZone, prefix = "/sfn", endpoint = "access/delete_zone")]
pub async fn delete_zone(id: ZoneId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    access()?
        .delete_zone(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteZone::PATH, PAGE, &[], failed(error)))?;
    form_done(DeleteZone::PATH, PAGE, &[]);
    Ok(())
}

/// Everyone counts as outside of a zone; how many were inside.
#[server(name = ResetZone, prefix = "/sfn", endpoint = "access/reset_zone")]
pub async fn reset_zone(id: ZoneId) -> Result<u64, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let people = access()?
        .reset_zone(&actor()?, id)
        .await
        .map_err(|error| form_failed(ResetZone::PATH, PAGE, &[], failed(error)))?;
    form_done(ResetZone::PATH, PAGE, &[]);
    Ok(people)
}

impl Ask for GetAreas {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
