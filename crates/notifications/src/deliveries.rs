//! What is on its way and what could not be delivered. Permission: [`Permission::ManageWebhooks`].

use portico_model::identity::Permission;
use portico_model::notifications::{Delivery, DeliveryChannel, DeliveryState};
use portico_model::{DeliveryId, Page, WebhookId};
use portico_platform::audit::Entry;
use portico_platform::delivery::DeliveryFilter;
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};

use crate::Notifications;

const MAX_PAGE: i64 = 200;

/// Which messages to list; absent means any. Newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    pub state: Option<DeliveryState>,
    pub channel: Option<DeliveryChannel>,
    /// Only those to this webhook.
    #[param(value_type = Option<WebhookId>)]
    pub webhook: Option<String>,
    /// The `next` of the page before.
    #[param(value_type = Option<DeliveryId>)]
    pub cursor: Option<String>,
    /// 1 to 200; absent: 50.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
}

impl Notifications {
    /// Messages of the organisation: those that wait, those delivered in the last week, those given up in the last
    /// month. What they said is not shown.
    ///
    /// # Errors
    /// Invalid `webhook`, `cursor`; Forbidden.
    pub async fn deliveries(&self, actor: &Actor, query: DeliveryQuery) -> Result<Page<Delivery>> {
        actor.require(Permission::ManageWebhooks)?;
        let limit = query.limit.unwrap_or(50);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Error::field("limit", format!("1 to {MAX_PAGE}")));
        }
        let webhook: Option<WebhookId> =
            query.webhook.as_deref().map(|id| id.parse().map_err(|_| bad_id("webhook"))).transpose()?;
        let before: Option<DeliveryId> =
            query.cursor.as_deref().map(|id| id.parse().map_err(|_| bad_id("cursor"))).transpose()?;
        let filter = DeliveryFilter {
            state: query.state,
            channel: query.channel,
            subject: webhook.map(WebhookId::uuid),
            before,
            limit: limit + 1,
        };
        let platform = &self.0.platform;
        let mut tx = platform.db.read().await?;
        let items = platform.deliveries.list(&mut tx, actor.organization, &filter).await?;
        Ok(Page::cut(items, limit, |delivery| delivery.id.to_string()))
    }

    /// Tries a dead letter again from the beginning.
    ///
    /// # Errors
    /// Forbidden; `NotFound` `delivery_not_found`; Conflict `delivery_not_dead` when it waits or has arrived.
    pub async fn retry_delivery(&self, actor: &Actor, id: DeliveryId) -> Result<Delivery> {
        actor.require(Permission::ManageWebhooks)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let before = platform.deliveries.find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        if !platform.deliveries.retry(&mut tx, actor.organization, id).await? {
            let text = "Only what could not be delivered can be sent again: this one waits or has arrived.";
            return Err(Error::conflict("delivery_not_dead", text));
        }
        let after = platform.deliveries.find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let entry = Entry::success("delivery.retried").target("delivery", id).details(told(&before));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        platform.deliveries.wake();
        self.announce(actor.organization, record);
        Ok(after)
    }

    /// Removes a message that has not arrived: it is not sent any more.
    ///
    /// # Errors
    /// Forbidden; `NotFound` `delivery_not_found`; Conflict `delivery_done` when it has arrived.
    pub async fn discard_delivery(&self, actor: &Actor, id: DeliveryId) -> Result<()> {
        actor.require(Permission::ManageWebhooks)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let before = platform.deliveries.find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        if !platform.deliveries.discard(&mut tx, actor.organization, id).await? {
            return Err(Error::conflict("delivery_done", "It has arrived already."));
        }
        let entry = Entry::success("delivery.discarded").target("delivery", id).details(told(&before));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(())
    }
}

fn not_found() -> Error {
    Error::not_found("delivery_not_found", "There is no such message; what has arrived is kept for a week")
}

fn bad_id(field: &str) -> Error {
    Error::field(field, "not a valid id: 32 hexadecimal characters expected")
}

fn told(delivery: &Delivery) -> serde_json::Value {
    serde_json::json!({
        "channel": delivery.channel,
        "destination": delivery.destination,
        "summary": delivery.summary,
        "last_error": delivery.last_error,
    })
}
