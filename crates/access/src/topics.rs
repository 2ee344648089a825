//! The live topics of this domain: `access` (what happens at doors), `doors`, `door:ID`, `access_codes`,
//! `access_readers`, `people`, `policies`.

use portico_model::OrganizationId;
use portico_model::identity::Permission;
use portico_platform::hub::{Channel, TopicSource};
use portico_platform::{Actor, BoxFuture, Error, Result};
use serde_json::{Value, json};

use crate::doors::{self, DoorQuery};
use crate::{Access, EventQuery};

/// Doors in the snapshot of the list; more are read over REST.
const SNAPSHOT_DOORS: i64 = 200;

/// Newest events in the snapshot of the log.
const SNAPSHOT_EVENTS: i64 = 100;

pub struct AccessTopics(pub Access);

fn door_of(topic: &str) -> Option<&str> {
    topic.strip_prefix("door:")
}

fn unknown() -> Error {
    Error::not_found("unknown_topic", "There is no such topic")
}

pub(crate) fn log_channel(organization: OrganizationId) -> Channel {
    Channel::all(organization, "access")
}

pub(crate) fn people_channel(organization: OrganizationId) -> Channel {
    Channel::all(organization, "people")
}

pub(crate) fn policies_channel(organization: OrganizationId) -> Channel {
    Channel::all(organization, "policies")
}

impl TopicSource for AccessTopics {
    fn owns(&self, topic: &str) -> bool {
        matches!(topic, "access" | "access_codes" | "access_readers" | "doors" | "people" | "policies")
            || door_of(topic).is_some()
    }

    fn resolve<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            if let Some(id) = door_of(topic) {
                let id = id.parse().map_err(|_| unknown())?;
                self.0.door(actor, id).await?;
                return Ok(doors::door_channel(actor.organization, id));
            }
            match topic {
                "doors" => {
                    actor.require(Permission::ReadAccess)?;
                    Ok(doors::doors_channel(actor.organization))
                }
                "access" => {
                    actor.require(Permission::ReadAccessLog)?;
                    Ok(log_channel(actor.organization))
                }
                "access_codes" => crate::codes::channel_for(actor),
                "access_readers" => {
                    actor.require(Permission::ReadAccess)?;
                    Ok(crate::sync::channel(actor.organization))
                }
                "people" | "policies" => {
                    actor.require(Permission::ReadAccess)?;
                    let is_people = topic == "people";
                    let channel = if is_people { people_channel } else { policies_channel };
                    Ok(channel(actor.organization))
                }
                _ => Err(unknown()),
            }
        })
    }

    fn snapshot<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            if let Some(id) = door_of(topic) {
                let id = id.parse().map_err(|_| unknown())?;
                return Ok(json!({ "door": self.0.door(actor, id).await? }));
            }
            match topic {
                "doors" => {
                    let query = DoorQuery { limit: Some(SNAPSHOT_DOORS), ..DoorQuery::default() };
                    let doors = self.0.doors(actor, query).await?;
                    Ok(json!({ "doors": doors.items, "counts": self.0.door_counts(actor).await? }))
                }
                "access" => {
                    // What happened while a page was on its way, or while its line was down.
                    let newest = EventQuery { limit: Some(SNAPSHOT_EVENTS), ..EventQuery::default() };
                    Ok(json!({ "events": self.0.events(actor, &newest).await?.items }))
                }
                _ => Ok(json!({})),
            }
        })
    }
}
