//! Messages to people and other systems (e-mail, web push, webhooks): written in the transaction of what they tell of, sent
//! after the commit, tried again with growing pauses, and kept as dead letters when nothing helps.

use std::sync::Arc;

use portico_model::{DeliveryId, OrganizationId, UserId, WebhookId};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::on_db;
use crate::secrets::Secrets;

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
    pub event: String,
    /// JSON.
    pub body: String,
}

impl Message {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Mail(_) => "mail",
            Self::Push(_) => "push",
            Self::Webhook(_) => "webhook",
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
}

/// Cheap to clone; all clones are one queue.
#[derive(Clone)]
pub struct Deliveries {
    secrets: Secrets,
    clock: Clock,
    written: Arc<Notify>,
}

impl Deliveries {
    #[must_use]
    pub fn new(secrets: Secrets, clock: Clock) -> Self {
        Self { secrets, clock, written: Arc::default() }
    }

    /// Puts a message into the caller's transaction.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn enqueue(&self, tx: &mut Tx, organization: OrganizationId, message: &Message) -> Result<DeliveryId> {
        let id = DeliveryId::generate();
        let now = self.clock.now();
        let plain = serde_json::to_vec(message).map_err(Error::internal)?;
        let sealed = self.secrets.seal(PURPOSE, id.uuid().as_bytes(), &plain)?;
        on_db!(tx, conn => sqlx::query(
            "insert into delivery (id, organization_id, kind, destination, message, state, attempts, next_attempt_at, last_error, created_at)
             values ($1, $2, $3, $4, $5, 'queued', 0, $6, '', $6)",
        )
        .bind(id).bind(organization).bind(message.kind()).bind(message.destination()).bind(&sealed).bind(now)
        .execute(conn).await.map(drop))?;
        Ok(id)
    }

    /// Says that a transaction with messages was committed, so that they leave at once.
    pub fn wake(&self) {
        self.written.notify_one();
    }
}
