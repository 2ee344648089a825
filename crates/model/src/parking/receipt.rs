//! What a stay costs, line by line, as the page and the printed receipt say it. The server makes the words: it knows the clock of
//! the lot.

use serde::{Deserialize, Serialize};

use super::tariff::format_minor;

/// A line of a receipt, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLine {
    pub label: String,
    /// When, by the clock of the lot.
    pub detail: String,
    pub amount: String,
}

/// A receipt, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub lines: Vec<ReceiptLine>,
    pub total: String,
}

/// An amount, or that there is none.
#[must_use]
pub fn price_text(amount: i64, currency: &str) -> String {
    if amount == 0 { "Free".to_owned() } else { format_minor(amount, currency) }
}

/// As on paper: what is taken off with a minus sign, not with a hyphen.
#[must_use]
pub fn signed_text(amount: i64, currency: &str) -> String {
    format_minor(amount, currency).replacen('-', "−", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_as_on_paper() {
        assert_eq!(price_text(0, "XXX"), "Free");
        assert_eq!(price_text(150, "EUR"), "1.50 EUR");
        assert_eq!([signed_text(-50, "EUR"), signed_text(0, "EUR")], ["−0.50 EUR", "0.00 EUR"]);
    }
}
