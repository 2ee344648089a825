//! Other systems that are told what happens. Permission: [`Permission::ManageWebhooks`].

use portico_model::identity::Permission;
use portico_model::notifications::webhook::MAX_KINDS;
use portico_model::notifications::{Notification, Webhook, WebhookInput, WebhookWithSecret};
use portico_model::{DeliveryId, FieldError, OrganizationId, WebhookId};
use portico_platform::audit::Entry;
use portico_platform::delivery::{self, Message, check_url};
use portico_platform::secrets::hex;
use portico_platform::{Actor, Error, Result, Tx};
use rand::RngCore;
use serde_json::json;

use crate::store::webhook::WithSecrets;
use crate::{Notifications, store};

const PURPOSE: &str = "webhook secret";

const MAX_NAME_CHARS: usize = 80;
const MAX_KIND_CHARS: usize = 60;

/// Longest time that a replaced secret signs beside the new one, seconds.
const MAX_OVERLAP_S: i64 = 7 * 86_400;

impl Notifications {
    /// The organisation's webhooks, by name.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn webhooks(&self, actor: &Actor) -> Result<Vec<Webhook>> {
        actor.require(Permission::ManageWebhooks)?;
        let mut tx = self.0.platform.db.read().await?;
        let all = store::webhook::list(&mut tx, actor.organization).await?;
        Ok(all.into_iter().map(|row| row.webhook).collect())
    }

    /// # Errors
    /// Forbidden; `NotFound` `webhook_not_found`.
    pub async fn webhook(&self, actor: &Actor, id: WebhookId) -> Result<Webhook> {
        actor.require(Permission::ManageWebhooks)?;
        let mut tx = self.0.platform.db.read().await?;
        find(&mut tx, actor.organization, id).await.map(|row| row.webhook)
    }

    /// Adds a webhook; its secret is shown this once.
    ///
    /// # Errors
    /// Invalid fields; Forbidden; Conflict `too_many_webhooks`.
    pub async fn create_webhook(&self, actor: &Actor, input: WebhookInput) -> Result<WebhookWithSecret> {
        actor.require(Permission::ManageWebhooks)?;
        let input = self.checked(input)?;
        let platform = &self.0.platform;
        let (id, secret) = (WebhookId::generate(), new_secret());
        let sealed = platform.secrets.seal(PURPOSE, id.uuid().as_bytes(), secret.as_bytes())?;
        let most = platform.config.webhooks.max_per_organization;
        let mut tx = platform.db.begin().await?;
        if store::webhook::count_locked(&mut tx, actor.organization).await? >= most {
            let text = format!("An organisation can have at most {most} webhooks.");
            return Err(Error::conflict("too_many_webhooks", text));
        }
        store::webhook::insert(&mut tx, actor.organization, id, &input, &sealed, platform.clock.now()).await?;
        let webhook = find(&mut tx, actor.organization, id).await?.webhook;
        let entry = Entry::success("webhook.created").target("webhook", id).details(told(&webhook));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(WebhookWithSecret { webhook, secret })
    }

    /// # Errors
    /// Invalid fields; Forbidden; `NotFound` `webhook_not_found`.
    pub async fn update_webhook(&self, actor: &Actor, id: WebhookId, input: WebhookInput) -> Result<Webhook> {
        actor.require(Permission::ManageWebhooks)?;
        let input = self.checked(input)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let before = find(&mut tx, actor.organization, id).await?.webhook;
        store::webhook::update(&mut tx, actor.organization, id, &input, platform.clock.now()).await?;
        if before.url != input.url {
            // What waits was meant for the other address.
            platform.deliveries.forget_webhook(&mut tx, actor.organization, id).await?;
        }
        let webhook = find(&mut tx, actor.organization, id).await?.webhook;
        let details = json!({ "before": told(&before), "after": told(&webhook) });
        let entry = Entry::success("webhook.updated").target("webhook", id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(webhook)
    }

    /// Removes it, and what still waits to be sent to it.
    ///
    /// # Errors
    /// Forbidden; `NotFound` `webhook_not_found`.
    pub async fn delete_webhook(&self, actor: &Actor, id: WebhookId) -> Result<()> {
        actor.require(Permission::ManageWebhooks)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let webhook = find(&mut tx, actor.organization, id).await?.webhook;
        store::webhook::delete(&mut tx, actor.organization, id).await?;
        platform.deliveries.forget_webhook(&mut tx, actor.organization, id).await?;
        let entry = Entry::success("webhook.deleted").target("webhook", id).details(told(&webhook));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(())
    }

    /// Gives it a new secret, shown this once; for `overlap_s` seconds (at most a week) messages are signed with both.
    ///
    /// # Errors
    /// Invalid `overlap_s`; Forbidden; `NotFound` `webhook_not_found`.
    pub async fn rotate_webhook_secret(
        &self,
        actor: &Actor,
        id: WebhookId,
        overlap_s: i64,
    ) -> Result<WebhookWithSecret> {
        actor.require(Permission::ManageWebhooks)?;
        if !(0..=MAX_OVERLAP_S).contains(&overlap_s) {
            return Err(Error::field("overlap_s", format!("0 to {MAX_OVERLAP_S} seconds")));
        }
        let platform = &self.0.platform;
        let secret = new_secret();
        let sealed = platform.secrets.seal(PURPOSE, id.uuid().as_bytes(), secret.as_bytes())?;
        let now = platform.clock.now();
        let until = (overlap_s > 0).then(|| now.plus_secs(overlap_s));
        let mut tx = platform.db.begin().await?;
        find(&mut tx, actor.organization, id).await?;
        store::webhook::rotate(&mut tx, actor.organization, id, &sealed, until, now).await?;
        let webhook = find(&mut tx, actor.organization, id).await?.webhook;
        let entry = Entry::success("webhook.secret_rotated").target("webhook", id);
        let details = json!({ "name": webhook.name, "overlap_s": overlap_s });
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(WebhookWithSecret { webhook, secret })
    }

    /// Sends it a message of the kind `test`, even when it is not active.
    ///
    /// # Errors
    /// Forbidden; `NotFound` `webhook_not_found`.
    pub async fn test_webhook(&self, actor: &Actor, id: WebhookId) -> Result<DeliveryId> {
        actor.require(Permission::ManageWebhooks)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let webhook = find(&mut tx, actor.organization, id).await?;
        let test = Notification {
            kind: "test".to_owned(),
            severity: portico_model::alarms::Severity::Info,
            title: "Portico reaches you here".to_owned(),
            body: format!("This is a test of the webhook “{}”.", webhook.webhook.name),
            link: "/notifications/webhooks".to_owned(),
            tag: "test".to_owned(),
        };
        let delivery = self.call(&mut tx, actor.organization, &webhook, &test).await?;
        let record =
            platform.audit.append(&mut tx, actor, Entry::success("webhook.tested").target("webhook", id)).await?;
        tx.commit().await?;
        platform.deliveries.wake();
        self.announce(actor.organization, record);
        Ok(delivery)
    }

    /// Queues a message to each webhook that wants this.
    pub(crate) async fn call_webhooks(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        notification: &Notification,
    ) -> Result<()> {
        for webhook in store::webhook::list(tx, organization).await? {
            if !webhook.webhook.wants(&notification.kind, notification.severity) {
                continue;
            }
            if let Err(error) = self.call(tx, organization, &webhook, notification).await {
                if error.code() != UNREADABLE {
                    return Err(error);
                }
                // What it tells of must not fail because of it.
                tracing::error!(webhook = %webhook.webhook.id, "a webhook's secret cannot be read");
            }
        }
        Ok(())
    }

    async fn call(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        row: &WithSecrets,
        notification: &Notification,
    ) -> Result<DeliveryId> {
        let platform = &self.0.platform;
        let (now, webhook) = (platform.clock.now(), &row.webhook);
        let previous =
            row.previous_secret.as_ref().filter(|_| webhook.previous_secret_until.is_some_and(|end| end > now));
        let body = json!({
            "type": notification.kind,
            "severity": notification.severity,
            "title": notification.title,
            "body": notification.body,
            "link": format!("{}{}", platform.config.public_url(), notification.link),
            "tag": notification.tag,
            "occurred_at": now,
            "organization_id": organization,
            "webhook_id": webhook.id,
        });
        let message = Message::Webhook(delivery::Webhook {
            webhook: webhook.id,
            url: webhook.url.clone(),
            secret: self.open_secret(webhook.id, &row.secret)?,
            previous_secret: previous.map(|sealed| self.open_secret(webhook.id, sealed)).transpose()?,
            event: notification.kind.clone(),
            body: body.to_string(),
        });
        platform.deliveries.enqueue(tx, organization, &message).await
    }

    fn open_secret(&self, id: WebhookId, sealed: &[u8]) -> Result<String> {
        let plain = self.0.platform.secrets.open(PURPOSE, id.uuid().as_bytes(), sealed);
        plain.ok().and_then(|plain| String::from_utf8(plain).ok()).ok_or_else(|| {
            Error::conflict(UNREADABLE, "This webhook's secret cannot be read any more: give it a new one.")
        })
    }

    fn checked(&self, input: WebhookInput) -> Result<WebhookInput> {
        let mut problems = Vec::new();
        let name = input.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            problems.push(FieldError::new("name", format!("1 to {MAX_NAME_CHARS} characters")));
        }
        let url = match check_url(&input.url, &self.0.platform.config.webhooks) {
            Ok(_) => input.url.trim().to_owned(),
            Err(why) => {
                problems.push(FieldError::new("url", why));
                String::new()
            }
        };
        let mut kinds: Vec<String> = input.kinds.iter().map(|kind| kind.trim().to_owned()).collect();
        kinds.retain(|kind| !kind.is_empty());
        let well_formed = |kind: &String| {
            kind.len() <= MAX_KIND_CHARS
                && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte))
        };
        if kinds.len() > MAX_KINDS || !kinds.iter().all(well_formed) {
            let text = format!("At most {MAX_KINDS} kinds such as `alarm.raised`, or beginnings such as `alarm.`");
            problems.push(FieldError::new("kinds", text));
        }
        if problems.is_empty() { Ok(WebhookInput { name, url, kinds, ..input }) } else { Err(Error::fields(problems)) }
    }
}

const UNREADABLE: &str = "webhook_secret_unreadable";

async fn find(tx: &mut Tx, organization: OrganizationId, id: WebhookId) -> Result<WithSecrets> {
    let found = store::webhook::find(tx, organization, id).await?;
    found.ok_or_else(|| Error::not_found("webhook_not_found", "There is no such webhook"))
}

/// What the audit trail tells of it.
fn told(webhook: &Webhook) -> serde_json::Value {
    json!({
        "name": webhook.name,
        "url": webhook.url,
        "kinds": webhook.kinds,
        "min_severity": webhook.min_severity,
        "is_active": webhook.is_active,
    })
}

fn new_secret() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("whsec_{}", hex(&bytes))
}
