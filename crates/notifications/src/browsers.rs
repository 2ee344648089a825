//! The browsers that a person gets pushes in. A browser's endpoint and keys are what pushes to it can be sent with: they
//! are kept encrypted, and shown to nobody.

use portico_model::notifications::{NewPushSubscription, Notification, PushSubscription};
use portico_model::{OrganizationId, PushSubscriptionId, UserId};
use portico_platform::audit::Entry;
use portico_platform::delivery::{Message, Push, check_subscription};
use portico_platform::secrets::keyed_hash;
use portico_platform::{Actor, Error, Result, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::notify::push_payload;
use crate::{Notifications, person, store};

const PURPOSE: &str = "push subscription";

/// Browsers of one person; the one unused longest makes place for a new one.
const MAX_BROWSERS: usize = 20;

const MAX_NAME_CHARS: usize = 80;

/// What is kept encrypted.
#[derive(Serialize, Deserialize)]
struct Secret {
    endpoint: String,
    p256dh: String,
    auth: String,
}

impl Notifications {
    /// The actor's browsers, the newest first.
    ///
    /// # Errors
    /// Forbidden `needs_a_person`.
    pub async fn my_browsers(&self, actor: &Actor) -> Result<Vec<PushSubscription>> {
        let user = person(actor)?;
        let mut tx = self.0.platform.db.read().await?;
        store::subscription::list(&mut tx, actor.organization, user).await
    }

    /// Sends the actor's pushes to this browser too. A browser is one person's: if it was another's, it is no longer.
    /// `fallback_name` is taken when the browser was given no name.
    ///
    /// # Errors
    /// Invalid, when the endpoint or a key is not good; Forbidden `needs_a_person`.
    pub async fn subscribe(
        &self,
        actor: &Actor,
        new: NewPushSubscription,
        fallback_name: &str,
    ) -> Result<PushSubscription> {
        let user = person(actor)?;
        let platform = &self.0.platform;
        check_subscription(&new.endpoint, &new.keys.p256dh, &new.keys.auth, &platform.config.webhooks)
            .map_err(|why| Error::field("endpoint", why))?;
        let given = one_line(&new.name);
        let name = if given.is_empty() { one_line(fallback_name) } else { given };
        let subscription = PushSubscription {
            id: PushSubscriptionId::generate(),
            name: if name.is_empty() { "A browser".to_owned() } else { name },
            service: new.endpoint.split('/').nth(2).unwrap_or_default().to_owned(),
            created_at: platform.clock.now(),
        };
        let hash = self.endpoint_hash(&new.endpoint);
        let secret = Secret { endpoint: new.endpoint, p256dh: new.keys.p256dh, auth: new.keys.auth };
        let plain = serde_json::to_vec(&secret).map_err(Error::internal)?;
        let sealed = platform.secrets.seal(PURPOSE, subscription.id.uuid().as_bytes(), &plain)?;

        let mut tx = platform.db.begin().await?;
        store::subscription::delete_endpoint(&mut tx, &hash).await?;
        let row = store::subscription::New {
            id: subscription.id,
            organization: actor.organization,
            user,
            endpoint_hash: &hash,
            name: &subscription.name,
            service: &subscription.service,
            sealed: &sealed,
            now: subscription.created_at,
        };
        store::subscription::insert(&mut tx, row).await?;
        let all = store::subscription::list(&mut tx, actor.organization, user).await?;
        for oldest in all.iter().skip(MAX_BROWSERS) {
            store::subscription::delete(&mut tx, actor.organization, user, oldest.id).await?;
        }
        let entry = Entry::success("push.subscribed").target("user", user);
        let details = json!({ "name": subscription.name, "service": subscription.service });
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(subscription)
    }

    /// Sends no more pushes to this browser of the actor's.
    ///
    /// # Errors
    /// `NotFound` `push_subscription_not_found`; Forbidden `needs_a_person`.
    pub async fn unsubscribe(&self, actor: &Actor, id: PushSubscriptionId) -> Result<()> {
        let user = person(actor)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        if !store::subscription::delete(&mut tx, actor.organization, user, id).await? {
            return Err(Error::not_found("push_subscription_not_found", "There is no such browser of yours"));
        }
        let entry = Entry::success("push.unsubscribed").target("user", user);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(())
    }

    /// Queues a push to each browser of the person; to how many.
    pub(crate) async fn push_to(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: UserId,
        notification: &Notification,
    ) -> Result<usize> {
        let platform = &self.0.platform;
        let mut sent = 0;
        for browser in store::subscription::sealed_of(tx, organization, user).await? {
            let secret = match platform.secrets.open(PURPOSE, browser.id.uuid().as_bytes(), &browser.sealed) {
                Ok(plain) => serde_json::from_slice::<Secret>(&plain).map_err(Error::internal)?,
                Err(error) => {
                    // What it tells of must not fail because of it.
                    tracing::error!(subscription = %browser.id, %error, "a push subscription cannot be read");
                    continue;
                }
            };
            let push = Push {
                user,
                endpoint: secret.endpoint,
                p256dh: secret.p256dh,
                auth: secret.auth,
                payload: push_payload(notification),
                urgent: notification.severity == portico_model::alarms::Severity::Critical,
            };
            platform.deliveries.enqueue(tx, organization, &Message::Push(push)).await?;
            sent += 1;
        }
        Ok(sent)
    }

    /// A push service says that the browser has unsubscribed.
    pub(crate) async fn forget_endpoint(&self, _organization: OrganizationId, endpoint: &str) -> Result<()> {
        let mut tx = self.0.platform.db.begin().await?;
        store::subscription::delete_endpoint(&mut tx, &self.endpoint_hash(endpoint)).await?;
        tx.commit().await
    }

    fn endpoint_hash(&self, endpoint: &str) -> Vec<u8> {
        keyed_hash(&self.0.platform.secrets.derive(PURPOSE), &[endpoint.as_bytes()]).to_vec()
    }
}

fn one_line(text: &str) -> String {
    let line: String = text.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    line.trim().to_owned()
}
