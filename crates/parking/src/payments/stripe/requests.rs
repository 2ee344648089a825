//! What we ask of Stripe, and how it is written: forms with brackets for what is inside
//! (<https://docs.stripe.com/api/authentication>, "Request bodies are form-encoded").

use std::collections::BTreeMap;

use form_urlencoded::Serializer;

use super::ids::{Currency, PaymentIntentId, PaymentMethodId};

/// A payment to be made (<https://docs.stripe.com/api/payment_intents/create>). Which means of payment are offered is set in
/// Stripe's dashboard (`automatic_payment_methods`).
#[derive(Clone)]
pub struct NewPaymentIntent {
    pub amount_minor: i64,
    pub currency: Currency,
    /// Comes back with every answer and event; at most 50 keys of 40 characters without square brackets, values of 500.
    pub metadata: BTreeMap<String, String>,
    /// Shown to the payer on some statements and receipts.
    pub description: Option<String>,
    /// Stripe sends its receipt there (only with live keys).
    pub receipt_email: Option<String>,
    pub allow_redirects: AllowRedirects,
}

impl NewPaymentIntent {
    #[must_use]
    pub const fn new(amount_minor: i64, currency: Currency) -> Self {
        Self {
            amount_minor,
            currency,
            metadata: BTreeMap::new(),
            description: None,
            receipt_email: None,
            allow_redirects: AllowRedirects::Always,
        }
    }

    pub(super) fn form(&self) -> String {
        let mut form = Form::default();
        form.put("amount", &self.amount_minor.to_string());
        form.put("currency", self.currency.as_str());
        form.put("automatic_payment_methods[enabled]", "true");
        if self.allow_redirects == AllowRedirects::Never {
            form.put("automatic_payment_methods[allow_redirects]", "never");
        }
        form.put_some("description", self.description.as_deref());
        form.put_some("receipt_email", self.receipt_email.as_deref());
        form.put_metadata(&self.metadata);
        form.finish()
    }
}

/// Whether means of payment that lead the payer to another page are offered. Where they are, a confirmation must say where
/// to come back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowRedirects {
    Always,
    Never,
}

/// How a payment is confirmed by us instead of the browser (<https://docs.stripe.com/api/payment_intents/confirm>).
#[derive(Debug, Clone)]
pub struct Confirmation {
    pub payment_method: PaymentMethodId,
    /// Where the payer comes back to; needed unless the payment was made with [`AllowRedirects::Never`].
    pub return_url: Option<String>,
}

impl Confirmation {
    pub(super) fn form(&self) -> String {
        let mut form = Form::default();
        form.put("payment_method", self.payment_method.as_str());
        form.put_some("return_url", self.return_url.as_deref());
        form.finish()
    }
}

/// Why a payment is called off (<https://docs.stripe.com/api/payment_intents/cancel>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancellationReason {
    Duplicate,
    Fraudulent,
    RequestedByCustomer,
    Abandoned,
}

impl CancellationReason {
    pub(super) fn form(reason: Option<Self>) -> String {
        let mut form = Form::default();
        let word = reason.map(|reason| match reason {
            Self::Duplicate => "duplicate",
            Self::Fraudulent => "fraudulent",
            Self::RequestedByCustomer => "requested_by_customer",
            Self::Abandoned => "abandoned",
        });
        form.put_some("cancellation_reason", word);
        form.finish()
    }
}

/// Money to be given back (<https://docs.stripe.com/api/refunds/create>).
#[derive(Debug, Clone)]
pub struct NewRefund {
    pub payment_intent: PaymentIntentId,
    /// `None`: all that is left.
    pub amount_minor: Option<i64>,
    pub reason: Option<RefundReason>,
    /// As in [`NewPaymentIntent::metadata`].
    pub metadata: BTreeMap<String, String>,
}

impl NewRefund {
    #[must_use]
    pub const fn new(payment_intent: PaymentIntentId) -> Self {
        Self { payment_intent, amount_minor: None, reason: None, metadata: BTreeMap::new() }
    }

    pub(super) fn form(&self) -> String {
        let mut form = Form::default();
        form.put("payment_intent", self.payment_intent.as_str());
        form.put_some("amount", self.amount_minor.map(|amount| amount.to_string()).as_deref());
        let word = self.reason.map(|reason| match reason {
            RefundReason::Duplicate => "duplicate",
            RefundReason::Fraudulent => "fraudulent",
            RefundReason::RequestedByCustomer => "requested_by_customer",
        });
        form.put_some("reason", word);
        form.put_metadata(&self.metadata);
        form.finish()
    }
}

/// `Fraudulent` also puts the card on Stripe's block list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundReason {
    Duplicate,
    Fraudulent,
    RequestedByCustomer,
}

/// The same fields in the same order give the same text: Stripe holds repeated requests against the first one.
struct Form(Serializer<'static, String>);

impl Default for Form {
    fn default() -> Self {
        Self(Serializer::new(String::new()))
    }
}

impl Form {
    fn put(&mut self, name: &str, value: &str) {
        self.0.append_pair(name, value);
    }

    fn put_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn put_metadata(&mut self, metadata: &BTreeMap<String, String>) {
        for (key, value) in metadata {
            self.put(&format!("metadata[{key}]"), value);
        }
    }

    fn finish(mut self) -> String {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payments_are_written_as_stripe_reads_them() {
        let mut new = NewPaymentIntent::new(1_250, "eur".parse().unwrap());
        assert_eq!(new.form(), "amount=1250&currency=eur&automatic_payment_methods%5Benabled%5D=true");
        new.metadata = [("session".to_owned(), "a&b=c d".to_owned())].into();
        new.description = Some("Parking §1".to_owned());
        new.receipt_email = Some("a+b@example.org".to_owned());
        new.allow_redirects = AllowRedirects::Never;
        assert_eq!(
            new.form(),
            "amount=1250&currency=eur&automatic_payment_methods%5Benabled%5D=true\
             &automatic_payment_methods%5Ballow_redirects%5D=never&description=Parking+%C2%A71\
             &receipt_email=a%2Bb%40example.org&metadata%5Bsession%5D=a%26b%3Dc+d"
        );
    }

    #[test]
    fn refunds_are_written_as_stripe_reads_them() {
        let mut new = NewRefund::new("pi_1".parse().unwrap());
        assert_eq!(new.form(), "payment_intent=pi_1");
        new.amount_minor = Some(5);
        new.reason = Some(RefundReason::RequestedByCustomer);
        assert_eq!(new.form(), "payment_intent=pi_1&amount=5&reason=requested_by_customer");
    }

    #[test]
    fn confirmations_and_cancellations_say_only_what_is_given() {
        let mut confirmation = Confirmation { payment_method: "pm_1".parse().unwrap(), return_url: None };
        assert_eq!(confirmation.form(), "payment_method=pm_1");
        confirmation.return_url = Some("https://a.example/b".to_owned());
        assert_eq!(confirmation.form(), "payment_method=pm_1&return_url=https%3A%2F%2Fa.example%2Fb");
        assert_eq!(CancellationReason::form(None), "");
        assert_eq!(CancellationReason::form(Some(CancellationReason::Abandoned)), "cancellation_reason=abandoned");
    }
}
