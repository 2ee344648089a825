//! The live topic `alarms`: every change of an alarm, for those who see all and for owners.

use portico_model::alarms::Alarm;
use portico_model::identity::Permission;
use portico_platform::hub::{Channel, TopicSource};
use portico_platform::{Actor, BoxFuture, Error, Result};
use serde_json::{Value, json};

use crate::service::{AlarmQuery, MAX_PAGE};
use crate::{Alarms, engine};

const TOPIC: &str = "alarms";

pub struct AlarmTopic(pub Alarms);

impl TopicSource for AlarmTopic {
    fn owns(&self, topic: &str) -> bool {
        topic == TOPIC
    }

    fn resolve<'a>(&'a self, actor: &'a Actor, _topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            if actor.may(Permission::ReadAllAlarms) {
                return Ok(engine::all(actor.organization));
            }
            match actor.user_id() {
                Some(user) => Ok(engine::owned(actor.organization, user)),
                None => Err(Error::forbidden("not_permitted", "Alarms are for people.")),
            }
        })
    }

    fn snapshot<'a>(&'a self, actor: &'a Actor, _topic: &'a str) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            let query = AlarmQuery { limit: Some(MAX_PAGE), ..AlarmQuery::default() };
            let open: Vec<Alarm> = self.0.list(actor, query).await?.items;
            Ok(json!({ "open": open, "counts": self.0.counts(actor).await? }))
        })
    }
}
