//! Stripe's test cards (<https://docs.stripe.com/testing>), by the name that servers use and by the number that people type.

use super::refusal::{Outcome, Refusal};

/// What comes of paying with a card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    Succeeds,
    /// Pays, but money that goes back takes its time.
    SlowRefund,
    /// The bank wants to hear from the payer first.
    Authentication,
    /// The same, on a page of the bank's own.
    AuthenticationElsewhere,
    /// Like a bank debit: the outcome comes later.
    Processing,
    Declines(Decline),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Decline {
    pub code: &'static str,
    pub decline_code: Option<&'static str>,
    pub message: &'static str,
}

pub(super) const GENERIC: Decline =
    Decline { code: "card_declined", decline_code: Some("generic_decline"), message: "Your card was declined." };

const INSUFFICIENT_FUNDS: Decline = Decline {
    code: "card_declined",
    decline_code: Some("insufficient_funds"),
    message: "Your card has insufficient funds.",
};

const EXPIRED: Decline = Decline { code: "expired_card", decline_code: None, message: "Your card has expired." };

pub(super) const NOT_AUTHENTICATED: Decline = Decline {
    code: "payment_intent_authentication_failure",
    decline_code: None,
    message: "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
};

/// Name, what comes of it, and number. `pm_processing` is the double's own.
const CARDS: [(&str, Card, Option<&str>); 12] = [
    ("pm_card_visa", Card::Succeeds, Some("4242424242424242")),
    ("pm_card_visa_debit", Card::Succeeds, Some("4000056655665556")),
    ("pm_card_mastercard", Card::Succeeds, Some("5555555555554444")),
    ("pm_card_amex", Card::Succeeds, Some("378282246310005")),
    ("pm_card_chargeDeclined", Card::Declines(GENERIC), Some("4000000000000002")),
    ("pm_card_visa_chargeDeclined", Card::Declines(GENERIC), None),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", Card::Declines(INSUFFICIENT_FUNDS), Some("4000000000009995")),
    ("pm_card_chargeDeclinedExpiredCard", Card::Declines(EXPIRED), Some("4000000000000069")),
    ("pm_card_authenticationRequired", Card::Authentication, Some("4000002760003184")),
    ("pm_card_threeDSecure2Required", Card::AuthenticationElsewhere, Some("4000000000003220")),
    ("pm_card_pendingRefund", Card::SlowRefund, Some("4000000000007726")),
    ("pm_processing", Card::Processing, None),
];

/// # Errors
/// When Stripe has no such card.
pub(super) fn by_name(name: &str) -> Outcome<Card> {
    let found = CARDS.iter().find(|(known, ..)| *known == name);
    found.map(|(_, card, _)| *card).ok_or_else(|| Refusal::missing("PaymentMethod", name, "payment_method").status(400))
}

/// The name of the card with the number; spaces do not count.
///
/// # Errors
/// When there is none: nobody's real number has any business here.
pub(super) fn name_of_number(typed: &str) -> Outcome<&'static str> {
    let number: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let invalid = |code: &str, message: &str| {
        Refusal::of(402, "validation_error", message).code(code).param("number").forgotten()
    };
    if number.len() < 12 {
        return Err(invalid("incomplete_number", "Your card number is incomplete."));
    }
    let found = CARDS.iter().find(|(.., known)| *known == Some(number.as_str()));
    found.map(|(name, ..)| *name).ok_or_else(|| invalid("invalid_number", "Your card number is invalid."))
}
