//! What can be done with payments (<https://docs.stripe.com/payments/paymentintents/lifecycle>).

use serde_json::{Value, json};

use super::cards::{self, Card, Decline};
use super::currency::{check_amount, check_currency};
use super::form::{Form, missing};
use super::objects::{Charge, Intent, Status};
use super::refusal::{Outcome, Refusal};
use super::state::{State, new_id, random_text};

const CANCELLATION_REASONS: [&str; 4] = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];

impl State {
    pub fn create_intent(&mut self, form: &Form) -> Outcome {
        form.only(&[
            "amount",
            "currency",
            "automatic_payment_methods[enabled]",
            "automatic_payment_methods[allow_redirects]",
            "confirm",
            "description",
            "metadata",
            "payment_method",
            "receipt_email",
            "return_url",
        ])?;
        let amount = form.integer("amount")?.ok_or_else(|| missing("amount"))?;
        let currency = check_currency(form.required("currency")?)?;
        check_amount(amount, &currency)?;
        let redirects = form.one_of("automatic_payment_methods[allow_redirects]", &["always", "never"])?;
        let receipt_email = form.get("receipt_email").map(str::to_owned);
        if let Some(address) = receipt_email.as_deref().filter(|address| !address.contains('@')) {
            let message = format!("Invalid email address: {address}");
            return Err(Refusal::invalid(message).code("email_invalid").param("receipt_email").forgotten());
        }
        let payment_method = form.get("payment_method").map(str::to_owned);
        if let Some(name) = &payment_method {
            cards::by_name(name)?;
        }
        let confirm = form.flag("confirm")?.unwrap_or_default();
        let id = new_id("pi");
        let intent = Intent {
            client_secret: format!("{id}_secret_{}", random_text(25)),
            id: id.clone(),
            amount,
            currency,
            created_s: self.now_s(),
            status: match payment_method {
                Some(_) => Status::RequiresConfirmation,
                None => Status::RequiresPaymentMethod,
            },
            metadata: form.metadata()?,
            description: form.get("description").map(str::to_owned),
            receipt_email,
            payment_method,
            automatic: form.flag("automatic_payment_methods[enabled]")?.unwrap_or_default(),
            redirects: redirects.as_deref() != Some("never"),
            elsewhere: None,
            latest_charge: None,
            last_payment_error: None,
            canceled: None,
        };
        self.intents.insert(id.clone(), intent);
        self.tell_of_intent("payment_intent.created", &id);
        if confirm {
            self.attempt(&id, None, form.get("return_url"))?;
        }
        self.shown(&id)
    }

    pub fn confirm_intent(&mut self, id: &str, form: &Form) -> Outcome {
        form.only(&["payment_method", "return_url"])?;
        self.attempt(id, form.get("payment_method"), form.get("return_url"))?;
        self.shown(id)
    }

    pub fn cancel_intent(&mut self, id: &str, form: &Form) -> Outcome {
        form.only(&["cancellation_reason"])?;
        let reason = form.one_of("cancellation_reason", &CANCELLATION_REASONS)?;
        let now_s = self.now_s();
        let intent = self.intent_mut(id)?;
        if let Status::Succeeded | Status::Canceled = intent.status {
            let message = format!(
                "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the \
                 following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, \
                 requires_action, processing.",
                intent.status.as_str()
            );
            return Err(unexpected_state(intent, message));
        }
        intent.status = Status::Canceled;
        intent.canceled = Some((now_s, reason));
        self.tell_of_intent("payment_intent.canceled", id);
        self.shown(id)
    }

    pub fn shown(&self, id: &str) -> Outcome {
        Ok(self.intent(id)?.shown())
    }

    /// One attempt to take the money.
    pub fn attempt(&mut self, id: &str, payment_method: Option<&str>, return_url: Option<&str>) -> Outcome<()> {
        let bank = format!("{}/v3/bank/{id}", self.url);
        let intent = self.intent_mut(id)?;
        match intent.status {
            Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::RequiresAction => {}
            Status::Succeeded => {
                let message = "You cannot confirm this PaymentIntent because it has already succeeded after being \
                               previously confirmed.";
                return Err(unexpected_state(intent, message.to_owned()));
            }
            Status::Processing | Status::Canceled => {
                let message = format!(
                    "You cannot confirm this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of \
                     the following statuses may be confirmed: requires_confirmation, requires_action.",
                    intent.status.as_str()
                );
                return Err(unexpected_state(intent, message));
            }
        }
        let Some(name) = payment_method.map(str::to_owned).or_else(|| intent.payment_method.clone()) else {
            let message = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either \
                           update the PaymentIntent with a payment method and then confirm it again, or confirm it again \
                           directly with a payment method or ConfirmationToken.";
            return Err(unexpected_state(intent, message.to_owned()));
        };
        if intent.automatic && intent.redirects && return_url.is_none() {
            return Err(Refusal::invalid(
                "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these \
                 payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't \
                 want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and \
                 `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
            ));
        }
        let card = cards::by_name(&name)?;
        intent.payment_method = Some(name);
        intent.last_payment_error = None;
        intent.elsewhere = None;
        match card {
            Card::Succeeds | Card::SlowRefund => self.succeed(id),
            Card::Processing => {
                self.charge(id, "pending")?;
                self.intent_mut(id)?.status = Status::Processing;
                self.tell_of_intent("payment_intent.processing", id);
                Ok(())
            }
            Card::Authentication | Card::AuthenticationElsewhere => {
                if card == Card::AuthenticationElsewhere {
                    intent.elsewhere = return_url.map(|back| (bank, back.to_owned()));
                }
                intent.status = Status::RequiresAction;
                self.tell_of_intent("payment_intent.requires_action", id);
                Ok(())
            }
            Card::Declines(decline) => Err(self.decline(id, decline)?),
        }
    }

    /// The money is here.
    pub fn succeed(&mut self, id: &str) -> Outcome<()> {
        self.charge(id, "succeeded")?;
        let intent = self.intent_mut(id)?;
        intent.status = Status::Succeeded;
        intent.last_payment_error = None;
        self.tell_of_intent("payment_intent.succeeded", id);
        Ok(())
    }

    /// The bank said no: the answer to whoever tried.
    pub fn decline(&mut self, id: &str, decline: Decline) -> Outcome<Refusal> {
        let charge = self.charge(id, "failed")?;
        let intent = self.intent_mut(id)?;
        let refusal = Refusal::of(402, "card_error", decline.message).code(decline.code).with("charge", charge);
        let refusal = match decline.decline_code {
            Some(code) => refusal.with("decline_code", code),
            None => refusal,
        };
        let refusal = refusal.with("payment_method", json!({"id": intent.payment_method, "object": "payment_method"}));
        intent.status = Status::RequiresPaymentMethod;
        intent.payment_method = None;
        intent.last_payment_error = Some(Value::Object(refusal.error.clone()));
        let shown = intent.shown();
        self.tell_of_intent("payment_intent.payment_failed", id);
        Ok(refusal.with("payment_intent", shown))
    }

    /// A charge that is under way ends so, or a new one is made.
    fn charge(&mut self, id: &str, status: &'static str) -> Outcome<String> {
        let created_s = self.now_s();
        let intent = self.intent(id)?.clone();
        if let Some(charge) = intent.latest_charge.and_then(|charge| self.charges.get_mut(&charge))
            && charge.status == "pending"
        {
            charge.status = status;
            return Ok(charge.id.clone());
        }
        let charge = Charge {
            id: new_id("ch"),
            intent: intent.id,
            amount: intent.amount,
            amount_refunded: 0,
            currency: intent.currency,
            created_s,
            status,
            payment_method: intent.payment_method,
        };
        let charge_id = charge.id.clone();
        self.charges.insert(charge_id.clone(), charge);
        self.intent_mut(id)?.latest_charge = Some(charge_id.clone());
        Ok(charge_id)
    }
}

fn unexpected_state(intent: &Intent, message: String) -> Refusal {
    Refusal::invalid(message).code("payment_intent_unexpected_state").with("payment_intent", intent.shown())
}
