//! Payments, charges and refunds as the double keeps and shows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Where a payment stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    Succeeded,
    Canceled,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

#[derive(Clone)]
pub(super) struct Intent {
    pub id: String,
    pub client_secret: String,
    pub amount: i64,
    pub currency: String,
    pub created_s: i64,
    pub status: Status,
    pub metadata: BTreeMap<String, String>,
    pub description: Option<String>,
    pub receipt_email: Option<String>,
    pub payment_method: Option<String>,
    /// `automatic_payment_methods[enabled]`, and whether means of payment may lead to another page.
    pub automatic: bool,
    pub redirects: bool,
    /// While the bank wants to hear from the payer on a page of its own: that page, and where it leads back to.
    pub elsewhere: Option<(String, String)>,
    pub latest_charge: Option<String>,
    pub last_payment_error: Option<Value>,
    pub canceled: Option<(i64, Option<String>)>,
}

impl Intent {
    pub fn shown(&self) -> Value {
        let automatic = self.automatic.then(|| {
            let redirects = if self.redirects { "always" } else { "never" };
            json!({"allow_redirects": redirects, "enabled": true})
        });
        let next_action = (self.status == Status::RequiresAction).then(|| match &self.elsewhere {
            Some((url, return_url)) => {
                json!({"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": return_url}})
            }
            None => json!({"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}),
        });
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": if self.status == Status::Succeeded { self.amount } else { 0 },
            "application": null,
            "automatic_payment_methods": automatic,
            "canceled_at": self.canceled.as_ref().map(|(at_s, _)| at_s),
            "cancellation_reason": self.canceled.as_ref().and_then(|(_, reason)| reason.as_ref()),
            "capture_method": "automatic_async",
            "client_secret": self.client_secret,
            "confirmation_method": "automatic",
            "created": self.created_s,
            "currency": self.currency,
            "customer": null,
            "description": self.description,
            "last_payment_error": self.last_payment_error,
            "latest_charge": self.latest_charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": next_action,
            "payment_method": self.payment_method,
            "payment_method_types": ["card"],
            "receipt_email": self.receipt_email,
            "setup_future_usage": null,
            "status": self.status.as_str(),
        })
    }
}

#[derive(Clone)]
pub(super) struct Charge {
    pub id: String,
    pub intent: String,
    pub amount: i64,
    pub amount_refunded: i64,
    pub currency: String,
    pub created_s: i64,
    /// `succeeded`, `pending` or `failed`.
    pub status: &'static str,
    pub payment_method: Option<String>,
}

impl Charge {
    pub fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": if self.status == "succeeded" { self.amount } else { 0 },
            "amount_refunded": self.amount_refunded,
            "captured": self.status == "succeeded",
            "created": self.created_s,
            "currency": self.currency,
            "disputed": false,
            "livemode": false,
            "metadata": {},
            "paid": self.status == "succeeded",
            "payment_intent": self.intent,
            "payment_method": self.payment_method,
            "refunded": self.amount_refunded == self.amount,
            "status": self.status,
        })
    }
}

#[derive(Clone)]
pub(super) struct Refund {
    pub id: String,
    pub intent: String,
    pub charge: String,
    pub amount: i64,
    pub currency: String,
    pub created_s: i64,
    /// `pending`, `succeeded` or `failed`.
    pub status: &'static str,
    pub reason: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

impl Refund {
    pub fn shown(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": null,
            "charge": self.charge,
            "created": self.created_s,
            "currency": self.currency,
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "reason": self.reason,
            "receipt_number": null,
            "status": self.status,
        });
        if self.status == "failed" {
            shown["failure_reason"] = "expired_or_canceled_card".into();
        }
        if self.status == "pending" {
            shown["pending_reason"] = "processing".into();
        }
        shown
    }
}
