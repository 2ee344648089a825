//! Names that Stripe gives, and those that we give to it: once parsed they are safe in a path, a header and a log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// Stripe promises at most 255 characters, for its ids and for our keys
/// (<https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backwards-compatible>).
const MAX_CHARS: usize = 255;

/// A text that is not what it should be. The text itself is not repeated: it may be a secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct InvalidValue(&'static str);

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $check:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                let sound: fn(&str) -> bool = $check;
                if sound(&text) { Ok(Self(text)) } else { Err(InvalidValue($what)) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

names! {
    /// `pi_…`
    PaymentIntentId, "payment intent id", is_id;
    /// `pm_…`: a card or another means of payment.
    PaymentMethodId, "payment method id", is_id;
    /// `ch_…`, of some means of payment `py_…`.
    ChargeId, "charge id", is_id;
    /// `re_…`, of some means of payment `pyr_…`.
    RefundId, "refund id", is_id;
    /// `evt_…`. The same event can be delivered several times; this tells.
    EventId, "event id", is_id;
    /// Names one intention of ours: printable ASCII, at most 255 characters, nothing about a person. Stripe forgets it
    /// after 24 hours at the earliest.
    IdempotencyKey, "idempotency key", is_key;
}

/// Ids go into paths, so nothing that means something there is taken. Prefixes are not checked: they are not promised.
fn is_id(text: &str) -> bool {
    (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
}

fn is_key(text: &str) -> bool {
    (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic())
}

/// Three letters of ISO 4217, in lower case as Stripe writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII letters get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match *text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(u8::is_ascii_alphabetic) => {
                Ok(Self([a, b, c].map(|letter| letter.to_ascii_lowercase())))
            }
            _ => Err(InvalidValue("currency")),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What Stripe writes as an id, or as the whole object when somebody asked for it to be expanded
/// (<https://docs.stripe.com/expand>).
#[derive(Deserialize)]
#[serde(untagged)]
enum Expandable<T> {
    Id(T),
    Object { id: T },
}

pub(super) fn optional_id<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    let found = Option::<Expandable<T>>::deserialize(from)?;
    Ok(found.map(|(Expandable::Id(id) | Expandable::Object { id })| id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_safe_in_a_path_is_an_id() {
        for good in ["pi_3MtwBwLkdIwHu7ix28a3tqPa", "pi_1-2", "x"] {
            assert_eq!(good.parse::<PaymentIntentId>().unwrap().as_str(), good);
        }
        let long = "a".repeat(256);
        for bad in ["", "pi_1/confirm", "../refunds", "pi 1", "pi_1?x", "pi_ä", "pi_%2f", long.as_str()] {
            assert!(bad.parse::<PaymentIntentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_printable_ascii() {
        assert!("session:0198f:pay".parse::<IdempotencyKey>().is_ok());
        for bad in ["", "a b", "a\r\nX: y", "ä"] {
            assert!(bad.parse::<IdempotencyKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn currencies_are_three_letters_in_lower_case() {
        assert_eq!("EUR".parse::<Currency>().unwrap().as_str(), "eur");
        for bad in ["", "eu", "euro", "e1r", "€"] {
            assert!(bad.parse::<Currency>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        let error = "sk_live_1/2".parse::<PaymentIntentId>().unwrap_err();
        assert_eq!(error.to_string(), "not a valid payment intent id");
    }
}
