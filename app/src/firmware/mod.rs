//! Firmware: publishers' keys, images, roll-outs. For those who manage it.

pub mod image;
pub mod keys;
pub mod page;
pub mod rollout;
pub mod upload;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::firmware::{DeviceUpdate, Firmware, PublisherKey, Rollout};
use portico_model::{FirmwareId, GroupId, Page, PublisherKeyId, RolloutId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// What `/firmware` shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    pub images: Page<Firmware>,
    pub keys: Vec<PublisherKey>,
    pub rollouts: Vec<Rollout>,
    /// Types of devices there are, the most numerous first.
    pub device_types: Vec<String>,
}

/// Everything of the page at once: it is small.
#[server(name = FirmwareOverview, prefix = "/sfn", endpoint = "firmware/overview", input = GetUrl)]
pub async fn firmware_overview(#[server(default)] cursor: String) -> Result<Overview, Failure> {
    use crate::server::{actor, devices, failed};

    let (devices, actor) = (devices()?, actor()?);
    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    Ok(Overview {
        images: devices.firmware_list(&actor, None, cursor.as_deref(), Some(20)).await.map_err(failed)?,
        keys: devices.publisher_keys(&actor).await.map_err(failed)?,
        rollouts: devices.rollouts(&actor, None, Some(10)).await.map_err(failed)?.items,
        device_types: devices.device_types(&actor).await.map_err(failed)?.into_iter().map(|(name, _)| name).collect(),
    })
}

/// An image, and the groups that it can be rolled out to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageView {
    pub firmware: Firmware,
    pub groups: Vec<(GroupId, String)>,
}

/// What `/firmware/:id` shows.
#[server(name = GetFirmware, prefix = "/sfn", endpoint = "firmware/get", input = GetUrl)]
pub async fn get_firmware(id: FirmwareId) -> Result<ImageView, Failure> {
    use portico_devices::GroupQuery;

    use crate::server::{actor, devices, failed};

    let (devices, actor) = (devices()?, actor()?);
    let firmware = devices.firmware(&actor, id).await.map_err(failed)?;
    let query = GroupQuery { limit: Some(200), ..GroupQuery::default() };
    let (groups, _) = devices.groups(&actor, &query).await.map_err(failed)?;
    Ok(ImageView { firmware, groups: groups.into_iter().map(|group| (group.id, group.name)).collect() })
}

/// A roll-out and a page of its devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    pub rollout: Rollout,
    pub devices: Page<DeviceUpdate>,
}

/// What `/firmware/rollouts/:id` shows; an empty state means all.
#[server(name = GetRollout, prefix = "/sfn", endpoint = "firmware/rollout", input = GetUrl)]
pub async fn get_rollout(
    id: RolloutId,
    #[server(default)] state: String,
    #[server(default)] cursor: String,
) -> Result<RolloutView, Failure> {
    use portico_model::firmware::UpdateState;

    use crate::server::{actor, devices, failed};

    let (devices, actor) = (devices()?, actor()?);
    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    let updates = devices.rollout_devices(&actor, id, UpdateState::parse(&state), cursor.as_deref(), Some(50));
    Ok(RolloutView {
        devices: updates.await.map_err(failed)?,
        rollout: devices.rollout(&actor, id).await.map_err(failed)?,
    })
}

/// Trusts a publisher's key.
#[server(name = AddPublisherKey, prefix = "/sfn", endpoint = "firmware/add_key")]
pub async fn add_publisher_key(name: String, public_key: String) -> Result<PublisherKey, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::firmware::NewPublisherKey;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let values = [("name", name.as_str()), ("public_key", public_key.as_str())];
    let refuse = |failure| form_failed(AddPublisherKey::PATH, "/firmware", &values, failure);
    let new = NewPublisherKey { name: name.clone(), public_key: public_key.clone() };
    let key = devices()?.add_publisher_key(&actor()?, new).await.map_err(|error| refuse(failed(error)))?;
    form_done(AddPublisherKey::PATH, "/firmware", &[]);
    Ok(key)
}

/// Trusts a key no more.
#[server(name = RevokePublisherKey, prefix = "/sfn", endpoint = "firmware/revoke_key")]
pub async fn revoke_publisher_key(id: PublisherKeyId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    devices()?
        .revoke_publisher_key(&actor()?, id)
        .await
        .map_err(|error| form_failed(RevokePublisherKey::PATH, "/firmware", &[], failed(error)))?;
    form_done(RevokePublisherKey::PATH, "/firmware", &[]);
    Ok(())
}

/// Removes an image.
#[server(name = DeleteFirmware, prefix = "/sfn", endpoint = "firmware/delete")]
pub async fn delete_firmware(id: FirmwareId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_failed};

    let page = format!("/firmware/{id}");
    devices()?
        .delete_firmware(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteFirmware::PATH, &page, &[], failed(error)))?;
    leptos_axum::redirect("/firmware");
    Ok(())
}

/// Begins a roll-out. `to` is `type` or the id of a group; `stages` are percentages with commas between them.
#[allow(clippy::too_many_arguments)] // the fields of the form
#[server(name = StartRollout, prefix = "/sfn", endpoint = "firmware/start_rollout")]
pub async fn start_rollout(
    id: FirmwareId,
    to: String,
    stages: String,
    per_minute: String,
    at_once: String,
    max_failed_percent: String,
    #[server(default)] force: String,
) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::firmware::{NewRollout, Selection};

    use crate::server::{actor, devices, failed, form_failed};

    let page = format!("/firmware/{id}");
    let values = [
        ("to", to.as_str()),
        ("stages", stages.as_str()),
        ("per_minute", per_minute.as_str()),
        ("at_once", at_once.as_str()),
        ("max_failed_percent", max_failed_percent.as_str()),
    ];
    let refuse = |failure| form_failed(StartRollout::PATH, &page, &values, failure);
    let number = |field: &str, text: &str| {
        text.trim().parse().map(Some).map_err(|_| refuse(Failure::field(field, "Give a whole number.")))
    };
    let parsed: Result<Vec<i64>, _> = stages.split(',').map(|stage| stage.trim().parse()).collect();
    let selection = match to.parse() {
        Ok(group_id) => Selection::Group { group_id },
        Err(_) => Selection::Type,
    };
    let new = NewRollout {
        firmware_id: id,
        selection,
        stages: Some(parsed.unwrap_or_default()),
        per_minute: number("per_minute", &per_minute)?,
        at_once: number("at_once", &at_once)?,
        max_failed_percent: number("max_failed_percent", &max_failed_percent)?,
        force: force == "on",
        timeout_s: None,
    };
    let rollout = devices()?.start_rollout(&actor()?, new).await.map_err(|error| refuse(failed(error)))?;
    leptos_axum::redirect(&format!("/firmware/rollouts/{}", rollout.id));
    Ok(())
}

/// Pauses, resumes or ends a roll-out.
#[server(name = SteerRollout, prefix = "/sfn", endpoint = "firmware/steer")]
pub async fn steer_rollout(id: RolloutId, action: String) -> Result<Rollout, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_devices::RolloutAction;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = format!("/firmware/rollouts/{id}");
    let refuse = |failure| form_failed(SteerRollout::PATH, &page, &[], failure);
    let action = match action.as_str() {
        "pause" => RolloutAction::Pause,
        "resume" => RolloutAction::Resume,
        "abort" => RolloutAction::Abort,
        _ => return Err(refuse(Failure::field("action", "pause, resume or abort"))),
    };
    let rollout = devices()?.steer_rollout(&actor()?, id, action).await.map_err(|error| refuse(failed(error)))?;
    form_done(SteerRollout::PATH, &page, &[]);
    Ok(rollout)
}

impl Ask for FirmwareOverview {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("cursor", &self.cursor)])
    }
}

impl Ask for GetFirmware {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

impl Ask for GetRollout {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("id", self.id.to_string())];
        query.extend(given([("state", &self.state), ("cursor", &self.cursor)]));
        query
    }
}

/// A size as people say it.
#[must_use]
pub fn size_text(bytes: i64) -> String {
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    let size = bytes as f64;
    match bytes {
        ..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.0} KiB", size / 1_024.0),
        _ => format!("{:.1} MiB", size / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        assert_eq!(size_text(1_023), "1023 B");
        assert_eq!(size_text(524_288), "512 KiB");
        assert_eq!(size_text(3_250_000), "3.1 MiB");
    }
}
