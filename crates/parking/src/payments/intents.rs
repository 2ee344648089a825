//! From "so much is to be paid" to "it is paid".

use std::collections::BTreeMap;

use portico_alarms::{Reach, Report, Subject};
use portico_model::alarms::Severity;
use portico_model::identity::Permission;
use portico_model::parking::reservation::{PaymentStatus, Reservation};
use portico_model::{OrganizationId, PaymentId, ReservationId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::amounts::is_for_cards;
use super::store::{self, Payment};
use super::stripe::{
    Confirmation, Currency, IdempotencyKey, NewPaymentIntent, PaymentIntent, PaymentIntentId, PaymentIntentStatus,
    PaymentMethodId,
};
use super::{Payments, refunds, refused};
use crate::Parking;
use crate::reservations::store as reservations;

/// How long after it was begun Stripe is asked about a payment of which nothing was heard.
const ASK_AFTER_S: i64 = 120;

/// What the payer's browser needs.
#[derive(Debug)]
pub struct Payable {
    pub payment_intent_id: String,
    /// Lets the browser pay, and nothing else. Absent: it is paid.
    pub client_secret: Option<SecretString>,
    /// Stripe's word.
    pub status: String,
    pub amount_minor: i64,
    pub currency: String,
    pub publishable_key: String,
    pub reservation: Reservation,
}

impl Payable {
    /// The secret as its payer's browser gets it.
    pub(crate) fn told_secret(&self) -> Option<String> {
        self.client_secret.as_ref().map(|secret| secret.expose_secret().to_owned())
    }
}

fn pays_at_the_place() -> Error {
    Error::conflict("pay_on_site", "Parking is paid for at the place here.")
}

impl Parking {
    /// Whether reservations are paid for online.
    #[must_use]
    pub fn takes_payments(&self) -> bool {
        self.0.payments.is_some()
    }

    /// Whether so much is paid online; else at the place.
    #[must_use]
    pub fn takes(&self, amount_minor: i64, currency: &str) -> bool {
        self.takes_payments() && is_for_cards(amount_minor, currency)
    }

    /// Where the page to pay by card gets Stripe.js from; absent without an account or its key for browsers: then there is
    /// no such page.
    #[must_use]
    pub fn card_script(&self) -> Option<&str> {
        let payments = self.0.payments.as_ref().filter(|payments| !payments.publishable_key.is_empty())?;
        Some(&payments.script_origin)
    }

    /// The reservation that somebody is about to pay by card, whatever has become of it. Permission: as
    /// [`Parking::payable`].
    ///
    /// # Errors
    /// Forbidden; not found, also where cards are not taken.
    pub async fn to_pay_by_card(&self, actor: &Actor, id: ReservationId) -> Result<Reservation> {
        if self.card_script().is_none() {
            return Err(Error::not_found("not_configured", "Parking is paid for at the place here."));
        }
        let mut tx = self.0.platform.db.read().await?;
        self.visible(&mut tx, actor, id, Permission::OperateParking).await
    }

    fn payments(&self) -> Result<&Payments> {
        self.0.payments.as_ref().ok_or_else(pays_at_the_place)
    }

    /// What is to be paid stands there before Stripe hears of it. In the transaction that makes it so.
    pub(crate) async fn want_payment(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        one: &Reservation,
    ) -> Result<()> {
        let now = self.0.platform.clock.now();
        let payment = Payment {
            id: PaymentId::generate(),
            organization_id: organization,
            reservation_id: one.id,
            intent_id: None,
            state: store::WANTED.to_owned(),
            amount_minor: one.due_minor(),
            currency: one.currency.clone(),
            refunded_minor: 0,
            problem: String::new(),
            attempts: 0,
            next_at: now.plus_secs(ASK_AFTER_S),
            paid_at: None,
            created_at: now,
            updated_at: now,
        };
        store::save(tx, &payment).await
    }

    /// What a browser needs to pay a reservation; the same payment however often it is asked for. Permission: `UseParking`
    /// for one's own, else `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when nothing is to be paid, or at the place; unavailable when Stripe cannot be reached.
    pub async fn payable(&self, actor: &Actor, id: ReservationId) -> Result<Payable> {
        self.payments()?;
        let (mut tx, _, _) = self.begin_spots(actor.organization).await?;
        let one = self.visible(&mut tx, actor, id, Permission::OperateParking).await?;
        self.payable_found(tx, actor.organization, &one).await
    }

    /// As [`Parking::payable`], of a reservation that the caller may pay.
    pub(crate) async fn payable_found(
        &self,
        mut tx: Tx,
        organization: OrganizationId,
        one: &Reservation,
    ) -> Result<Payable> {
        self.payments()?;
        let id = one.id;
        let known = store::of_reservation(&mut tx, id).await?;
        let open = known.iter().rev().find(|payment| payment.is_open());
        let due = one.due_minor();
        let is_payable = one.state.is_payable() && due > 0;
        if !is_payable && open.is_none() {
            return Err(Error::conflict("nothing_due", "Nothing is to be paid."));
        }
        let payment = match open.filter(|payment| payment.amount_minor == due || !is_payable) {
            Some(payment) => payment.clone(),
            None if !self.takes(due, &one.currency) => return Err(pays_at_the_place()),
            None => {
                // Its price has changed since: the old payment is called off by the job.
                for old in known.iter().filter(|payment| payment.is_open()) {
                    store::save(&mut tx, &Payment { next_at: self.0.platform.clock.now(), ..old.clone() }).await?;
                }
                self.want_payment(&mut tx, organization, one).await?;
                let known = store::of_reservation(&mut tx, id).await?;
                known.into_iter().next_back().ok_or_else(|| Error::internal("a payment is missing"))?
            }
        };
        tx.commit().await?;
        let intent = self.intent_of(&payment, one).await?;
        self.apply_intent(&intent).await?;
        self.payable_by(organization, id, &intent).await
    }

    /// Looks how a payment stands, or pays it with a means of payment that Stripe knows. Permission: as [`Parking::payable`].
    ///
    /// # Errors
    /// As [`Parking::payable`]; conflict when the payment is declined.
    pub async fn confirm_payment(&self, actor: &Actor, id: ReservationId, method: Option<&str>) -> Result<Payable> {
        let payable = self.payable(actor, id).await?;
        let Some(method) = method.filter(|_| payable.client_secret.is_some()) else { return Ok(payable) };
        let method =
            method.parse::<PaymentMethodId>().map_err(|_| Error::field("payment_method", "no means of payment"))?;
        let intent = intent_id(&payable.payment_intent_id)?;
        // Each attempt is one of its own: a declined card may be tried again.
        let key = key(&format!("confirm-{}", uuid::Uuid::now_v7().simple()))?;
        let page = format!("{}/reservations/{id}", self.0.platform.config.public_url());
        let confirmation = Confirmation { payment_method: method, return_url: Some(page) };
        let confirmed = self.payments()?.client.confirm_payment_intent(&key, &intent, &confirmation).await;
        let confirmed = confirmed.map_err(|error| refused(&error))?;
        self.apply_intent(&confirmed).await?;
        self.payable_by(actor.organization, id, &confirmed).await
    }

    async fn payable_by(
        &self,
        organization: OrganizationId,
        id: ReservationId,
        intent: &PaymentIntent,
    ) -> Result<Payable> {
        let is_paid = intent.status == PaymentIntentStatus::Succeeded;
        let secret = intent.client_secret.as_ref().filter(|_| !is_paid);
        Ok(Payable {
            payment_intent_id: intent.id.as_str().to_owned(),
            client_secret: secret.map(|secret| SecretString::from(secret.expose_secret().to_owned())),
            status: intent.status.as_str().to_owned(),
            amount_minor: intent.amount_minor,
            currency: intent.currency.as_str().to_uppercase(),
            publishable_key: self.payments()?.publishable_key.clone(),
            reservation: self.shown_reservation(organization, id).await?,
        })
    }

    /// The payment as Stripe knows it; made there when it does not know it yet.
    pub(super) async fn intent_of(&self, payment: &Payment, one: &Reservation) -> Result<PaymentIntent> {
        let client = &self.payments()?.client;
        if let Some(id) = &payment.intent_id {
            return client.retrieve_payment_intent(&intent_id(id)?).await.map_err(|error| refused(&error));
        }
        let currency =
            payment.currency.parse::<Currency>().map_err(|_| Error::internal("a currency of three letters"))?;
        let mut new = NewPaymentIntent::new(payment.amount_minor, currency);
        new.metadata = BTreeMap::from([
            ("reservation_id".to_owned(), one.id.to_string()),
            ("spot_id".to_owned(), one.spot_id.clone()),
            ("payment_id".to_owned(), payment.id.to_string()),
        ]);
        new.description = Some(format!("Parking, spot {}", one.spot_id));
        new.receipt_email = Some(one.user_email.clone()).filter(|email| !email.is_empty());
        // The row's id: however often it is asked for, there is one.
        let intent = client.create_payment_intent(&key(&payment.id.to_string())?, &new).await;
        let intent = intent.map_err(|error| refused(&error))?;
        let mut tx = self.0.platform.db.begin().await?;
        if let Some(now) = store::payment(&mut tx, payment.id).await?.filter(|now| now.intent_id.is_none()) {
            let state = if now.state == store::WANTED { store::OPEN.to_owned() } else { now.state.clone() };
            store::save(&mut tx, &Payment { intent_id: Some(intent.id.as_str().to_owned()), state, ..now }).await?;
            tx.commit().await?;
        }
        Ok(intent)
    }

    /// What Stripe says of a payment is so from now on. However often and in whatever order it is said: paid is paid.
    pub(super) async fn apply_intent(&self, intent: &PaymentIntent) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        let Some(payment) = store::of_intent(&mut tx, intent.id.as_str()).await? else { return Ok(()) };
        drop(tx);
        let organization = payment.organization_id;
        let (mut tx, version, _) = self.begin_spots(organization).await?;
        let Some(payment) = store::payment(&mut tx, payment.id).await? else { return Ok(()) };
        let found = reservations::find(&mut tx, organization, payment.reservation_id).await?;
        let Some(one) = found else { return Ok(()) };
        let now = self.0.platform.clock.now();
        let actor = Actor::system(organization);
        let Some(step) = Step::of(intent, payment, one, now) else { return Ok(()) };
        store::save(&mut tx, &step.payment).await?;
        let entry = self.write_step(&mut tx, &actor, &step.reservation, step.action, version).await?;
        if step.gives_back > 0 {
            let reason = match step.reservation.state.is_payable() {
                true => "It was paid for already.",
                false => "The reservation was over when it was paid.",
            };
            refunds::want(&mut tx, &step.payment, step.gives_back, reason, now).await?;
        }
        let alarm = match step.is_mismatch {
            true => self.0.alarms.raise(&mut tx, organization, &mismatch(&step.reservation, intent, now)).await?,
            false => None,
        };
        self.commit(tx, &actor, entry).await?;
        self.0.alarms.announce(alarm);
        self.announce_reservation(organization, step.reservation.id, &[step.reservation.spot_key]).await.map(drop)
    }
}

/// What follows from Stripe's word.
struct Step {
    payment: Payment,
    reservation: Reservation,
    action: &'static str,
    /// To be given back at once.
    gives_back: i64,
    is_mismatch: bool,
}

impl Step {
    /// Nothing: it is known already, or no news for the reservation.
    fn of(intent: &PaymentIntent, mut payment: Payment, mut one: Reservation, now: Timestamp) -> Option<Self> {
        let step = |payment: Payment, reservation: Reservation, action, gives_back, is_mismatch| {
            Some(Self { payment, reservation, action, gives_back, is_mismatch })
        };
        payment.updated_at = now;
        one.updated_at = now;
        match &intent.status {
            PaymentIntentStatus::Succeeded if payment.state != store::PAID && payment.state != store::MISMATCH => {
                let same_currency = intent.currency.as_str().eq_ignore_ascii_case(&payment.currency);
                if intent.amount_received_minor != payment.amount_minor || !same_currency {
                    store::MISMATCH.clone_into(&mut payment.state);
                    payment.problem = format!("{} {} received", intent.amount_received_minor, intent.currency.as_str());
                    return step(payment, one, "parking_payment.mismatch", 0, true);
                }
                store::PAID.clone_into(&mut payment.state);
                payment.paid_at = Some(now);
                payment.problem.clear();
                // Nothing of it is owed when it is over by now; less, when it is cheaper or was paid at the place meanwhile.
                let owed = if one.state.is_payable() { one.due_minor().max(0) } else { 0 };
                let gives_back = (payment.amount_minor - owed).max(0);
                one.paid_minor += payment.amount_minor;
                one.confirm_held();
                if one.due_minor() <= 0 {
                    one.payment_status = PaymentStatus::Paid;
                }
                step(payment, one, "parking_payment.paid", gives_back, false)
            }
            PaymentIntentStatus::Canceled if payment.is_open() => {
                store::CANCELLED.clone_into(&mut payment.state);
                step(payment, one, "parking_payment.cancelled", 0, false)
            }
            PaymentIntentStatus::RequiresPaymentMethod if payment.is_open() => {
                let problem = intent.last_payment_error.as_ref().and_then(|error| error.message.clone())?;
                if problem == payment.problem {
                    return None;
                }
                payment.problem = problem;
                if one.payment_status == PaymentStatus::Pending {
                    one.payment_status = PaymentStatus::Failed;
                }
                step(payment, one, "parking_payment.failed", 0, false)
            }
            _ => None,
        }
    }
}

fn mismatch(one: &Reservation, intent: &PaymentIntent, now: Timestamp) -> Report {
    Report {
        cause: format!("parking_payment:{}", intent.id.as_str()),
        kind: "parking_payment_mismatch",
        severity: Severity::Critical,
        title: format!("Payment of the reservation of spot {} is not what was asked for", one.spot_id),
        text: format!(
            "Stripe received {} {} in minor units; look at {} in its dashboard.",
            intent.amount_received_minor,
            intent.currency.as_str(),
            intent.id.as_str()
        ),
        subject: Subject { kind: "parking_reservation", id: one.id.to_string(), name: one.spot_id.clone() },
        began_at: now,
        reach: Reach::default(),
    }
}

pub(super) fn key(text: &str) -> Result<IdempotencyKey> {
    text.parse().map_err(|_| Error::internal("an idempotency key that is none"))
}

pub(super) fn intent_id(text: &str) -> Result<PaymentIntentId> {
    text.parse().map_err(|_| Error::internal("a payment intent's id that is none"))
}

/// For the audit trail.
pub(super) fn entry(action: &'static str, one: &Reservation) -> Entry {
    Entry::success(action).target("parking_reservation", one.id).details(json!({"spot_id": one.spot_id}))
}
