//! The live topics of locks: `locks`, and `lock:ID` with its history.

use portico_model::DeviceId;
use portico_model::identity::Permission;
use portico_platform::hub::{Channel, TopicSource};
use portico_platform::{Actor, BoxFuture, Error, Result};
use serde_json::{Value, json};

use super::{LockQuery, steps};
use crate::Access;

/// Locks and lines of history in a snapshot.
const SNAPSHOT: i64 = 200;

pub(crate) struct LockTopics(pub Access);

enum Topic {
    List,
    One(DeviceId),
}

fn parse(topic: &str) -> Option<Topic> {
    match topic.split_once(':') {
        None if topic == "locks" => Some(Topic::List),
        Some(("lock", id)) => id.parse().ok().map(Topic::One),
        _ => None,
    }
}

fn unknown() -> Error {
    Error::not_found("unknown_topic", "There is no such topic, or you may not follow it.")
}

impl TopicSource for LockTopics {
    fn owns(&self, topic: &str) -> bool {
        parse(topic).is_some()
    }

    fn resolve<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            let organization = actor.organization;
            let sees_all = actor.may(Permission::ReadAllLocks);
            let user = actor.user_id();
            match (parse(topic).ok_or_else(unknown)?, user) {
                (Topic::List, _) if sees_all => Ok(steps::all(organization)),
                (Topic::List, Some(user)) => Ok(steps::list_of(organization, user)),
                (Topic::One(id), _) if sees_all => {
                    self.0.lock(actor, id).await?;
                    Ok(steps::one(organization, id))
                }
                (Topic::One(id), Some(user)) => {
                    self.0.lock(actor, id).await?;
                    Ok(steps::one_of(organization, id, user))
                }
                (_, None) => Err(Error::forbidden("not_permitted", "This key may not follow locks.")),
            }
        })
    }

    fn snapshot<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            match parse(topic).ok_or_else(unknown)? {
                Topic::List => {
                    let query = LockQuery { limit: Some(SNAPSHOT), ..LockQuery::default() };
                    let page = self.0.locks(actor, query).await?;
                    Ok(json!({"locks": page.items, "next": page.next}))
                }
                Topic::One(id) => {
                    let lock = self.0.lock(actor, id).await?;
                    let page = self.0.lock_history(actor, id, None, Some(SNAPSHOT)).await?;
                    Ok(json!({"lock": lock, "events": page.items, "next": page.next}))
                }
            }
        })
    }
}
