//! Currencies that the double takes, and the least that can be paid in them.

use super::refusal::{Outcome, Refusal};

/// In minor units (<https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>). Stripe takes more currencies;
/// what it then takes as the least depends on the account's own currency.
const LEAST: [(&str, i64); 24] = [
    ("aed", 200),
    ("aud", 50),
    ("bgn", 100),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("czk", 1_500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17_500),
    ("inr", 50),
    ("jpy", 50),
    ("mxn", 1_000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1_000),
    ("usd", 50),
];

/// Eight digits.
const MOST: i64 = 99_999_999;

/// The currency in lower case.
pub(super) fn check_currency(text: &str) -> Outcome<String> {
    let text = text.to_lowercase();
    if LEAST.iter().any(|(currency, _)| *currency == text) {
        return Ok(text);
    }
    let list: Vec<&str> = LEAST.iter().map(|(currency, _)| *currency).collect();
    let message = format!("Invalid currency: {text}. Stripe currently supports these currencies: {}", list.join(", "));
    Err(Refusal::invalid(message).param("currency").forgotten())
}

pub(super) fn check_amount(amount: i64, currency: &str) -> Outcome<()> {
    let refuse = |message: String, code: &str| Err(Refusal::invalid(message).code(code).param("amount").forgotten());
    let least = LEAST.iter().find(|(known, _)| *known == currency).map_or(1, |(_, least)| *least);
    if amount < 1 {
        return refuse("This value must be greater than or equal to 1.".to_owned(), "parameter_invalid_integer");
    }
    if amount < least {
        return refuse(format!("Amount must be at least {}", shown(least, currency)), "amount_too_small");
    }
    if amount > MOST {
        return refuse(format!("Amount must be no more than {}", shown(MOST, currency)), "amount_too_large");
    }
    Ok(())
}

/// An amount as Stripe's messages have it, nearly.
pub(super) fn shown(amount: i64, currency: &str) -> String {
    let sign = match currency {
        "usd" => "$",
        "eur" => "€",
        "gbp" => "£",
        "jpy" => return format!("¥{amount} jpy"),
        _ => "",
    };
    format!("{sign}{}.{:02} {currency}", amount / 100, amount % 100)
}
