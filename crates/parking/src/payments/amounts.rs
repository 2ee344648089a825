//! What can be paid by card: Stripe takes no small amounts, and counts some currencies in another unit than all others do.

use portico_model::parking::tariff::minor_digits;

/// The least that Stripe takes, minor units; absent: the currency is not for cards here.
///
/// Source: <https://docs.stripe.com/currencies>, "Minimum and maximum charge amounts" and "Special cases".
fn least_minor(currency: &str) -> Option<i64> {
    Some(match currency {
        // Counted in hundredths there, though they have none; or only in whole tens.
        "ISK" | "UGX" | "MGA" => return None,
        _ if minor_digits(currency) > 2 => return None,
        "AED" | "MYR" | "PLN" | "RON" => 200,
        "BGN" => 100,
        "CZK" => 1_500,
        "DKK" => 250,
        "GBP" => 30,
        "HKD" => 400,
        "HUF" => 17_500,
        "MXN" | "THB" => 1_000,
        "NOK" | "SEK" => 300,
        _ => 50,
    })
}

/// Whether so much can be paid by card.
pub(super) fn is_for_cards(amount_minor: i64, currency: &str) -> bool {
    least_minor(currency).is_some_and(|least| amount_minor >= least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_amounts_and_odd_currencies_are_not_for_cards() {
        for (amount, currency, is_so) in [
            (50, "EUR", true),
            (49, "EUR", false),
            (0, "EUR", false),
            (17_499, "HUF", false),
            (50, "JPY", true),
            (50_000, "ISK", false),
            (50_000, "KWD", false),
        ] {
            assert_eq!(is_for_cards(amount, currency), is_so, "{amount} {currency}");
        }
    }
}
