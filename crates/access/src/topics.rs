//! The live topics of this domain: `access` (what happens at doors), `access_codes`.

use portico_model::OrganizationId;
use portico_model::identity::Permission;
use portico_platform::hub::{Channel, TopicSource};
use portico_platform::{Actor, BoxFuture, Error, Result};
use serde_json::{Value, json};

use crate::Access;

pub struct AccessTopics(pub Access);

pub(crate) fn log_channel(organization: OrganizationId) -> Channel {
    Channel::all(organization, "access")
}

impl TopicSource for AccessTopics {
    fn owns(&self, topic: &str) -> bool {
        matches!(topic, "access" | "access_codes")
    }

    fn resolve<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            match topic {
                "access" => {
                    actor.require(Permission::ReadAccessLog)?;
                    Ok(log_channel(actor.organization))
                }
                "access_codes" => crate::codes::channel_for(actor),
                _ => Err(Error::not_found("unknown_topic", "There is no such topic")),
            }
        })
    }

    fn snapshot<'a>(&'a self, _actor: &'a Actor, _topic: &'a str) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move { Ok(json!({})) })
    }
}
