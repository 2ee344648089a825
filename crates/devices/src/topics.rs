//! The live topics of this domain: `devices`, `device:ID`, `telemetry:ID`, `groups`, `commands:ID`, `shadow:ID`,
//! `rollouts`, `rollout:ID`.

use portico_model::identity::Permission;
use portico_model::{DeviceId, RolloutId};
use portico_platform::hub::{Channel, TopicSource};
use portico_platform::{Actor, BoxFuture, Error, Result};
use serde_json::{Value, json};

use crate::{DeviceQuery, Devices, GroupQuery, channel};

/// Devices in the snapshot of the list; a longer list is read page by page over REST.
const SNAPSHOT_DEVICES: i64 = 200;

/// Groups in the snapshot; more are read over REST.
const SNAPSHOT_GROUPS: i64 = 200;

/// Commands in the snapshot of a device's.
const SNAPSHOT_COMMANDS: i64 = 20;

const SNAPSHOT_ROLLOUTS: i64 = 20;

/// Devices in the snapshot of a roll-out; more are read over REST.
const SNAPSHOT_UPDATES: i64 = 200;

pub struct DeviceTopics(pub Devices);

enum Topic {
    List,
    Device(DeviceId),
    Telemetry(DeviceId),
    Groups,
    Commands(DeviceId),
    Shadow(DeviceId),
    Rollouts,
    Rollout(RolloutId),
}

fn parse(topic: &str) -> Option<Topic> {
    if topic == "devices" {
        return Some(Topic::List);
    }
    if topic == "groups" {
        return Some(Topic::Groups);
    }
    if topic == "rollouts" {
        return Some(Topic::Rollouts);
    }
    let (kind, id) = topic.split_once(':')?;
    match kind {
        "device" => id.parse().ok().map(Topic::Device),
        "telemetry" => id.parse().ok().map(Topic::Telemetry),
        "commands" => id.parse().ok().map(Topic::Commands),
        "shadow" => id.parse().ok().map(Topic::Shadow),
        "rollout" => id.parse().ok().map(Topic::Rollout),
        _ => None,
    }
}

/// The part before the colon, if it is one of ours.
fn parse_kind(topic: &str) -> Option<&str> {
    let (kind, _) = topic.split_once(':')?;
    ["device", "telemetry", "commands", "shadow", "rollout"].contains(&kind).then_some(kind)
}

fn unknown() -> Error {
    Error::not_found("unknown_topic", "There is no such topic")
}

impl TopicSource for DeviceTopics {
    fn owns(&self, topic: &str) -> bool {
        matches!(topic, "devices" | "groups" | "rollouts") || parse_kind(topic).is_some()
    }

    fn resolve<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            let organization = actor.organization;
            match parse(topic).ok_or_else(unknown)? {
                Topic::List if actor.may(Permission::ReadAllDevices) => Ok(channel::all(organization)),
                Topic::List => match actor.user_id() {
                    Some(user) => Ok(channel::owned(organization, user)),
                    None => Err(Error::forbidden("not_permitted", "A device sees no list of devices.")),
                },
                Topic::Groups if actor.may(Permission::ReadAllDevices) => Ok(channel::all_groups(organization)),
                Topic::Groups => match actor.user_id() {
                    Some(user) => Ok(channel::owned_groups(organization, user)),
                    None => Err(Error::forbidden("not_permitted", "A device sees no groups.")),
                },
                Topic::Device(id) => {
                    self.0.get(actor, id).await?;
                    Ok(channel::device(organization, id))
                }
                Topic::Telemetry(id) => {
                    self.0.get(actor, id).await?;
                    Ok(channel::telemetry(organization, id))
                }
                Topic::Commands(id) => {
                    self.0.get(actor, id).await?;
                    Ok(channel::commands(organization, id))
                }
                Topic::Rollouts => {
                    actor.require(Permission::ManageFirmware)?;
                    Ok(channel::rollouts(organization))
                }
                Topic::Rollout(id) => {
                    self.0.rollout(actor, id).await?;
                    Ok(channel::rollout(organization, id))
                }
                Topic::Shadow(id) => {
                    self.0.get(actor, id).await?;
                    Ok(channel::shadow(organization, id))
                }
            }
        })
    }

    fn snapshot<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            match parse(topic).ok_or_else(unknown)? {
                Topic::List => {
                    let query = DeviceQuery { limit: Some(SNAPSHOT_DEVICES), ..DeviceQuery::default() };
                    let page = self.0.list(actor, query).await?;
                    Ok(json!({"devices": page.items, "next": page.next, "counts": self.0.counts(actor).await?}))
                }
                Topic::Groups => {
                    let query = GroupQuery { limit: Some(SNAPSHOT_GROUPS), ..GroupQuery::default() };
                    let (groups, total) = self.0.groups(actor, &query).await?;
                    Ok(json!({"groups": groups, "total": total}))
                }
                Topic::Device(id) => Ok(json!({"device": self.0.get(actor, id).await?})),
                Topic::Telemetry(id) => Ok(json!({"latest": self.0.latest(actor, id).await?})),
                Topic::Rollouts => {
                    let page = self.0.rollouts(actor, None, Some(SNAPSHOT_ROLLOUTS)).await?;
                    Ok(json!({"rollouts": page.items, "next": page.next}))
                }
                Topic::Rollout(id) => {
                    let page = self.0.rollout_devices(actor, id, None, None, Some(SNAPSHOT_UPDATES)).await?;
                    let rollout = self.0.rollout(actor, id).await?;
                    Ok(json!({"rollout": rollout, "devices": page.items, "next": page.next}))
                }
                Topic::Shadow(id) => Ok(json!({"shadow": self.0.shadow(actor, id).await?})),
                Topic::Commands(id) => {
                    let page = self.0.commands(actor, id, None, None, Some(SNAPSHOT_COMMANDS)).await?;
                    Ok(json!({"commands": page.items, "next": page.next}))
                }
            }
        })
    }
}
