//! What Stripe answers: only the fields that we use. Unknown fields are passed over, unknown values kept as text, since
//! Stripe adds both without a new version (<https://docs.stripe.com/upgrades>).

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::ids::{ChargeId, Currency, PaymentIntentId, RefundId, optional_id};

/// A payment from its beginning to its end, over as many attempts as it takes
/// (<https://docs.stripe.com/api/payment_intents/object>).
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentIntent {
    pub id: PaymentIntentId,
    /// Lets a browser complete this one payment; for the payer alone, never for a log. Not shown by `Debug`.
    pub client_secret: Option<SecretString>,
    #[serde(rename = "amount")]
    pub amount_minor: i64,
    #[serde(rename = "amount_received", default)]
    pub amount_received_minor: i64,
    pub currency: Currency,
    pub status: PaymentIntentStatus,
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
    /// The latest attempt that reached the bank, whether it went well or not.
    #[serde(default, deserialize_with = "optional_id")]
    pub latest_charge: Option<ChargeId>,
    /// Why the last attempt failed; cleared by the next one.
    pub last_payment_error: Option<PaymentError>,
    /// Real money, or a test.
    #[serde(default)]
    pub livemode: bool,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PaymentError {
    /// <https://docs.stripe.com/error-codes>
    pub code: Option<String>,
    /// What the bank said (<https://docs.stripe.com/declines/codes>).
    pub decline_code: Option<String>,
    /// In English; of card errors it may be shown to the payer.
    pub message: Option<String>,
}

/// Money on its way back (<https://docs.stripe.com/api/refunds/object>).
#[derive(Debug, Clone, Deserialize)]
pub struct Refund {
    pub id: RefundId,
    #[serde(default, deserialize_with = "optional_id")]
    pub payment_intent: Option<PaymentIntentId>,
    #[serde(default, deserialize_with = "optional_id")]
    pub charge: Option<ChargeId>,
    #[serde(rename = "amount")]
    pub amount_minor: i64,
    pub currency: Currency,
    pub status: RefundStatus,
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
}

/// One attempt to take money, and how much of it went back (<https://docs.stripe.com/api/charges/object>).
#[derive(Debug, Clone, Deserialize)]
pub struct Charge {
    pub id: ChargeId,
    #[serde(default, deserialize_with = "optional_id")]
    pub payment_intent: Option<PaymentIntentId>,
    #[serde(rename = "amount")]
    pub amount_minor: i64,
    /// The sum of all refunds so far.
    #[serde(rename = "amount_refunded", default)]
    pub amount_refunded_minor: i64,
    pub currency: Currency,
    /// All of it went back.
    #[serde(default)]
    pub refunded: bool,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(from = "String")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word that we do not know (yet).
            Unknown(String),
        }

        impl $name {
            /// Stripe's word for it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)+
                    _ => Self::Unknown(text),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use words;

words! {
    /// <https://docs.stripe.com/payments/paymentintents/lifecycle>
    PaymentIntentStatus {
        /// Nothing to pay with yet, or the last attempt failed.
        RequiresPaymentMethod = "requires_payment_method",
        RequiresConfirmation = "requires_confirmation",
        /// The payer has to do something: authenticate with their bank, for one.
        RequiresAction = "requires_action",
        /// Under way; it may take days, and may still fail.
        Processing = "processing",
        RequiresCapture = "requires_capture",
        /// Never again.
        Canceled = "canceled",
        /// The money is ours.
        Succeeded = "succeeded",
    }
}

impl PaymentIntentStatus {
    /// Whether nothing more can happen to the payment itself (it can still be refunded).
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Canceled)
    }
}

words! {
    /// <https://docs.stripe.com/refunds>
    RefundStatus {
        Pending = "pending",
        /// The payer has to say where the money should go.
        RequiresAction = "requires_action",
        /// Sent. It can still come back: then it is `failed` after all.
        Succeeded = "succeeded",
        Failed = "failed",
        Canceled = "canceled",
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn intent(change: impl FnOnce(&mut serde_json::Value)) -> PaymentIntent {
        let mut value = json!({
            "id": "pi_1", "object": "payment_intent", "amount": 250, "amount_received": 0, "currency": "eur",
            "client_secret": "pi_1_secret_2", "status": "requires_payment_method", "metadata": {"session": "9"},
            "latest_charge": null, "last_payment_error": null, "livemode": false,
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn unknown_fields_and_values_are_taken() {
        let found = intent(|value| {
            value["status"] = "requires_a_dance".into();
            value["new_thing"] = json!({"a": [1]});
            value["metadata"] = json!(null);
        });
        assert_eq!(found.status, PaymentIntentStatus::Unknown("requires_a_dance".into()));
        assert_eq!(found.status.to_string(), "requires_a_dance");
        assert!(found.metadata.is_empty());
    }

    #[test]
    fn expanded_charges_are_read_like_ids() {
        let id = intent(|value| value["latest_charge"] = "ch_1".into());
        let object = intent(|value| value["latest_charge"] = json!({"id": "ch_1", "object": "charge", "amount": 250}));
        assert_eq!(id.latest_charge.as_ref().map(ChargeId::as_str), Some("ch_1"));
        assert_eq!(id.latest_charge, object.latest_charge);
    }

    #[test]
    fn why_a_payment_failed_is_read() {
        let error = json!({"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
            "message": "Your card has insufficient funds.", "payment_method": {"id": "pm_1"}});
        let found = intent(|value| value["last_payment_error"] = error).last_payment_error.unwrap();
        assert_eq!(found.code.as_deref(), Some("card_declined"));
        assert_eq!(found.decline_code.as_deref(), Some("insufficient_funds"));
    }

    #[test]
    fn the_client_secret_is_not_shown() {
        let found = intent(|_| {});
        assert!(!format!("{found:?}").contains("pi_1_secret_2"));
        assert_eq!(found.client_secret.unwrap().expose_secret(), "pi_1_secret_2");
    }

    #[test]
    fn minimal_objects_are_enough() {
        let refund = json!({"id": "re_1", "amount": 5, "currency": "usd", "status": "pending"});
        let refund: Refund = serde_json::from_value(refund).unwrap();
        assert_eq!((refund.status, refund.payment_intent), (RefundStatus::Pending, None));
        let charge = json!({"id": "ch_1", "amount": 5, "currency": "usd", "payment_intent": {"id": "pi_1"}});
        let charge: Charge = serde_json::from_value(charge).unwrap();
        assert_eq!(charge.payment_intent.unwrap().as_str(), "pi_1");
    }
}
