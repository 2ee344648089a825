//! Periodic work: webhooks that wait, refunds, and payments of which nothing is heard.

use std::time::Duration;

use portico_model::PaymentId;
use portico_platform::Result;

use super::intents::{intent_id, key};
use super::refunds::pause_s;
use super::store::{self, Payment};
use super::stripe::CancellationReason;
use crate::jobs::periodic;
use crate::{Parking, reservations};

const EVERY: Duration = Duration::from_secs(2);

const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// Stripe repeats an event for three days; so long and longer it is known again.
const KNOWN_DAYS: i64 = 30;

/// Whatever is lost is found by the periodic work.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn spawn(parking: &Parking) {
    if parking.0.payments.is_none() {
        return;
    }
    let one = parking.clone();
    parking.0.platform.tasks.spawn("parking payments told", move |cancel| {
        let parking = one.clone();
        async move {
            loop {
                tokio::select! {
                    () = parking.0.payment_work.notified() => {}
                    () = cancel.cancelled() => return,
                }
                if let Err(error) = parking.clone().work_events().await {
                    tracing::warn!(%error, "what Stripe told is not worked off yet");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
    periodic(parking, "parking payment events", EVERY, Parking::work_events);
    periodic(parking, "parking refunds", EVERY, Parking::work_refunds);
    periodic(parking, "parking payments", EVERY, Parking::ask_about_payments);
    periodic(parking, "parking payment events forgotten", FORGET_EVERY, Parking::forget_events);
}

impl Parking {
    /// Asks Stripe about payments of which nothing was heard, and calls off those that nobody needs any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ask_about_payments(self) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        let due = store::to_ask(&mut tx, self.0.platform.clock.now()).await?;
        drop(tx);
        for id in due {
            if let Err(error) = self.ask_about(id).await {
                tracing::warn!(%error, payment = %id, "Stripe says nothing of a payment; it is asked again");
            }
        }
        Ok(())
    }

    async fn forget_events(self) -> Result<()> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        store::forget_events(&mut tx, platform.clock.now().plus_secs(-KNOWN_DAYS * 86_400)).await?;
        tx.commit().await
    }

    async fn ask_about(&self, id: PaymentId) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.begin().await?;
        let Some(payment) = store::payment(&mut tx, id).await?.filter(Payment::is_open) else { return Ok(()) };
        let one = reservations::store::find(&mut tx, payment.organization_id, payment.reservation_id).await?;
        let (attempts, next_at) = (payment.attempts + 1, now.plus_secs(60 + pause_s(payment.attempts)));
        store::note_asked(&mut tx, id, attempts, next_at).await?;
        tx.commit().await?;
        let is_needed =
            one.as_ref().is_some_and(|one| one.state.is_payable() && one.due_minor() == payment.amount_minor);
        match (one, &payment.intent_id) {
            (Some(one), _) if is_needed => {
                let intent = self.intent_of(&payment, &one).await?;
                self.apply_intent(&intent).await
            }
            (_, Some(intent)) => self.call_off(&payment, intent).await,
            // Perhaps Stripe knows of it all the same: whoever could pay it has no way to.
            (_, None) => {
                let mut tx = self.0.platform.db.begin().await?;
                store::drop_wanted(&mut tx, id, now).await?;
                tx.commit().await
            }
        }
    }

    async fn call_off(&self, payment: &Payment, intent: &str) -> Result<()> {
        let Some(payments) = &self.0.payments else { return Ok(()) };
        let intent = intent_id(intent)?;
        let key = key(&format!("cancel-{}", payment.id))?;
        let cancelled = payments.client.cancel_payment_intent(&key, &intent, Some(CancellationReason::Abandoned)).await;
        let said = match cancelled {
            Ok(said) => said,
            // Paid in the last moment, perhaps: then it is given back.
            Err(error) if !error.is_retriable() => {
                let asked = payments.client.retrieve_payment_intent(&intent).await;
                asked.map_err(|error| super::refused(&error))?
            }
            Err(error) => return Err(super::refused(&error)),
        };
        self.apply_intent(&said).await
    }
}
