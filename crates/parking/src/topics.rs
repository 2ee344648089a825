//! The live topics of this domain: `parking` (lots, and every spot that changes), `parking:LOT` (the spots of a lot),
//! `parking_sensors`, `parking_sessions` (vehicles that come and leave, and permits), `reservations` (all, or one's own).

use portico_model::LotId;
use portico_model::identity::Permission;
use portico_platform::hub::{Channel, TopicSource};
use portico_platform::{Actor, BoxFuture, Error, Result};
use serde_json::{Value, json};

use crate::{LotQuery, Parking, SpotQuery, announce};

pub struct ParkingTopics(pub Parking);

fn lot_of(topic: &str) -> Option<&str> {
    topic.strip_prefix("parking:")
}

fn lot_id(text: &str) -> Result<LotId> {
    text.parse().map_err(|_| Error::not_found("unknown_topic", "There is no such topic"))
}

impl TopicSource for ParkingTopics {
    fn owns(&self, topic: &str) -> bool {
        matches!(topic, "parking" | "parking_sensors" | "parking_sessions" | "reservations") || lot_of(topic).is_some()
    }

    fn resolve<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            if let Some(id) = lot_of(topic) {
                let id = lot_id(id)?;
                self.0.lot(actor, id).await?;
                return Ok(announce::lot(actor.organization, id));
            }
            if topic == "parking_sensors" {
                actor.require(Permission::ReadParking)?;
                return Ok(announce::sensors(actor.organization));
            }
            if topic == "parking_sessions" {
                actor.require(Permission::ReadParking)?;
                return Ok(announce::sessions(actor.organization));
            }
            actor.require(Permission::UseParking)?;
            if topic == "reservations" {
                return match actor.user_id() {
                    _ if actor.may(Permission::ReadParking) => Ok(announce::reservations(actor.organization)),
                    Some(user) => Ok(announce::reservations_of(actor.organization, user)),
                    None => Err(Error::forbidden("not_permitted", "Only people have reservations of their own.")),
                };
            }
            Ok(announce::all(actor.organization))
        })
    }

    fn snapshot<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            if let Some(id) = lot_of(topic) {
                let query = SpotQuery { lot: Some(lot_id(id)?), ..SpotQuery::default() };
                let (spots, counts, _) = self.0.spots(actor, &query).await?;
                return Ok(json!({ "spots": spots, "counts": counts }));
            }
            match topic {
                "parking" => Ok(json!({ "lots": self.0.lots(actor, LotQuery::default()).await? })),
                _ => Ok(json!({})),
            }
        })
    }
}
