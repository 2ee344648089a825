//! What Stripe tells us by itself: kept and answered at once, worked off after it.

use portico_platform::{Error, Result};

use super::refunds::pause_s;
use super::store;
use super::stripe::{Event, EventObject, webhook};
use crate::Parking;

/// Tried so often, then left for people: what is in it can be asked for as well.
const MOST_ATTEMPTS: i64 = 12;

impl Parking {
    /// Takes a webhook of Stripe. Done after the commit; whatever is in it happens later, once.
    ///
    /// # Errors
    /// Invalid when it is not proven to be from Stripe, or no event; not found without a configured account; unavailable
    /// when the database does not take it.
    pub async fn take_webhook(&self, signature: &[u8], body: &[u8]) -> Result<()> {
        let payments = self.0.payments.as_ref();
        let payments = payments.ok_or_else(|| Error::not_found("not_configured", "There are no payments here."))?;
        let now = self.0.platform.clock.now();
        let secrets = &payments.webhook_secrets;
        let read = webhook::read(signature, body, secrets, payments.tolerance_s, now.millis().div_euclid(1_000));
        let event = read.map_err(|error| {
            tracing::warn!(%error, source = ?std::error::Error::source(&error), "a webhook is not believed");
            Error::invalid("invalid_webhook", "The message is not proven to be from Stripe.")
        })?;
        let text = std::str::from_utf8(body).map_err(|_| Error::invalid("invalid_webhook", "no text"))?;
        let mut tx = self.0.platform.db.begin().await?;
        let is_new = store::add_event(&mut tx, event.id.as_str(), text, now).await?;
        tx.commit().await?;
        if is_new {
            self.0.payment_work.notify_one();
        }
        Ok(())
    }

    /// Works off what Stripe told us.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn work_events(self) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        let events = store::events_to_do(&mut tx, self.0.platform.clock.now()).await?;
        drop(tx);
        for (id, body, attempts) in events {
            let done = self.apply_event(&body).await;
            let now = self.0.platform.clock.now();
            let problem = done.as_ref().err().map(ToString::to_string).unwrap_or_default();
            let is_over = done.is_ok() || attempts + 1 >= MOST_ATTEMPTS;
            if let Err(error) = &done {
                tracing::warn!(%error, event = id, is_over, "an event of Stripe is not worked off");
            }
            let mut tx = self.0.platform.db.begin().await?;
            store::note_event(&mut tx, &id, is_over.then_some(now), now.plus_secs(pause_s(attempts)), &problem).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn apply_event(&self, body: &str) -> Result<()> {
        let event = Event::parse(body.as_bytes()).map_err(Error::internal)?;
        match event.object {
            EventObject::PaymentIntent(intent) => self.apply_intent(&intent).await,
            EventObject::Charge(charge) => self.apply_charge(&charge).await,
            EventObject::Refund(refund) => {
                let mut tx = self.0.platform.db.read().await?;
                let known = store::refund_of_stripe(&mut tx, refund.id.as_str()).await?;
                drop(tx);
                // It may be told before the answer to our request has come: then our own name is in it.
                let ours = known.map(|known| known.id);
                match ours.or_else(|| refund.metadata.get("refund_id")?.parse().ok()) {
                    Some(id) => self.apply_refund(id, &refund).await,
                    None => Ok(()),
                }
            }
            EventObject::Other(_) => Ok(()),
        }
    }
}
