//! Messages to people and other systems (e-mail, web push, webhooks): written in the transaction of what they tell of, sent
//! after the commit, tried again with growing pauses, and kept as dead letters when nothing helps.

pub mod config;
mod guard;
mod mail;
mod push;
mod store;
mod webhook;
mod worker;

use std::sync::{Arc, OnceLock};

use portico_model::notifications::{Delivery, DeliveryChannel};
use portico_model::{DeliveryId, OrganizationId, UserId, WebhookId};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::BoxFuture;
use crate::clock::Clock;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::secrets::Secrets;

pub use guard::{check_url, is_public};
pub use push::{PushKey, check_subscription};
pub use store::DeliveryFilter;
pub use webhook::signature;
pub use worker::{pause_before_next, start, sweep};

/// Messages may carry one-time links: in the database they are encrypted.
const PURPOSE: &str = "delivery";

/// A message, with all that is needed to send it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    Mail(Mail),
    Push(Push),
    Webhook(Webhook),
}

/// An e-mail in plain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub to: String,
    /// Administrators see it when the mail cannot be delivered: no secret in it.
    pub subject: String,
    pub text: String,
}

/// A web push (RFC 8030), encrypted for one browser (RFC 8291).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    pub user: UserId,
    pub endpoint: String,
    /// The browser's public key, uncompressed P-256, base64url.
    pub p256dh: String,
    /// The browser's authentication secret, base64url.
    pub auth: String,
    /// What the service worker gets.
    pub payload: String,
    pub urgent: bool,
}

/// A signed POST to another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub webhook: WebhookId,
    pub url: String,
    pub secret: String,
    /// The one before, while it is being replaced.
    #[serde(default)]
    pub previous_secret: Option<String>,
    pub event: String,
    /// JSON.
    pub body: String,
}

impl Message {
    const fn channel(&self) -> DeliveryChannel {
        match self {
            Self::Mail(_) => DeliveryChannel::Mail,
            Self::Push(_) => DeliveryChannel::Push,
            Self::Webhook(_) => DeliveryChannel::Webhook,
        }
    }

    /// Where it goes, as a person may see it: no secret in it.
    fn destination(&self) -> &str {
        match self {
            Self::Mail(mail) => &mail.to,
            // The rest of a push endpoint is a capability.
            Self::Push(push) => push.endpoint.split('/').nth(2).unwrap_or_default(),
            Self::Webhook(webhook) => &webhook.url,
        }
    }

    /// What it is about, as a person may see it.
    fn summary(&self) -> &str {
        match self {
            Self::Mail(mail) => &mail.subject,
            Self::Push(_) => "",
            Self::Webhook(webhook) => &webhook.event,
        }
    }

    const fn subject(&self) -> Option<Uuid> {
        match self {
            Self::Mail(_) => None,
            Self::Push(push) => Some(push.user.uuid()),
            Self::Webhook(webhook) => Some(webhook.webhook.uuid()),
        }
    }
}

/// Cheap to clone; all clones are one queue.
#[derive(Clone)]
pub struct Deliveries {
    secrets: Secrets,
    clock: Clock,
    written: Arc<[Notify; DeliveryChannel::ALL.len()]>,
    push_gone: Arc<OnceLock<PushGone>>,
}

/// Forgets a browser that takes no pushes any more.
pub type PushGone = Box<dyn Fn(OrganizationId, &Push) -> BoxFuture<'static, Result<()>> + Send + Sync>;

impl Deliveries {
    #[must_use]
    pub fn new(secrets: Secrets, clock: Clock) -> Self {
        Self { secrets, clock, written: Arc::default(), push_gone: Arc::default() }
    }

    /// Puts a message into the caller's transaction.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn enqueue(&self, tx: &mut Tx, organization: OrganizationId, message: &Message) -> Result<DeliveryId> {
        let id = DeliveryId::generate();
        let plain = serde_json::to_vec(message).map_err(Error::internal)?;
        let sealed = self.secrets.seal(PURPOSE, id.uuid().as_bytes(), &plain)?;
        let new = store::New {
            id,
            organization,
            channel: message.channel(),
            destination: message.destination(),
            summary: message.summary(),
            subject: message.subject(),
            sealed: &sealed,
            now: self.clock.now(),
        };
        store::insert(tx, new).await?;
        Ok(id)
    }

    /// Says that a transaction with messages was committed, so that they leave at once.
    pub fn wake(&self) {
        for written in self.written.iter() {
            written.notify_one();
        }
    }

    /// The key that a browser binds its subscription to.
    ///
    /// # Errors
    /// Never, in practice.
    pub fn push_key(&self) -> Result<PushKey> {
        PushKey::derive(&self.secrets)
    }

    /// Says who forgets browsers that have unsubscribed. Called once, when the server starts.
    pub fn on_push_gone(&self, forget: PushGone) {
        let _ = self.push_gone.set(forget);
    }

    async fn push_gone(&self, organization: OrganizationId, push: &Push) {
        if let Some(forget) = self.push_gone.get()
            && let Err(error) = forget(organization, push).await
        {
            // The next push to it is answered the same way.
            tracing::warn!(%error, "a browser that has unsubscribed could not be forgotten");
        }
    }

    /// Messages of the organisation, newest first; those delivered are kept for a week, those that could not be for a
    /// month.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        filter: &DeliveryFilter,
    ) -> Result<Vec<Delivery>> {
        store::list(tx, organization, filter).await
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn find(&self, tx: &mut Tx, organization: OrganizationId, id: DeliveryId) -> Result<Option<Delivery>> {
        store::find(tx, organization, id).await
    }

    /// Has a dead letter tried again from the beginning; [`Deliveries::wake`] after the commit. False when there is none
    /// such.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn retry(&self, tx: &mut Tx, organization: OrganizationId, id: DeliveryId) -> Result<bool> {
        store::requeue(tx, organization, id, self.clock.now()).await
    }

    /// Removes a message that waits or is dead. False when there is none such.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn discard(&self, tx: &mut Tx, organization: OrganizationId, id: DeliveryId) -> Result<bool> {
        store::discard(tx, organization, id).await
    }

    /// Removes all messages for a webhook that is deleted.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn forget_webhook(&self, tx: &mut Tx, organization: OrganizationId, id: WebhookId) -> Result<()> {
        store::delete_of(tx, organization, id.uuid(), None).await
    }

    /// Removes all messages to a person who is deleted.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn forget_person(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        id: UserId,
        email: &str,
    ) -> Result<()> {
        store::delete_of(tx, organization, id.uuid(), Some(email)).await
    }
}

/// Foreign text as it may be shown: one line of printable characters, not endless.
fn printable(text: &str, max_chars: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max_chars).collect::<String>().trim().to_owned()
}
