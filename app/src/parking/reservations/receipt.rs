//! What a stay costs, line by line.

use leptos::prelude::*;
#[cfg(feature = "ssr")]
use portico_model::Timestamp;
use portico_model::parking::tariff::format_minor;
#[cfg(feature = "ssr")]
use portico_model::parking::tariff::{PartKind, Price};
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::wall::Wall;

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

/// By the clock of the lot; days are told where they differ from that of `start`.
#[cfg(feature = "ssr")]
pub fn receipt(price: &Price, start: Timestamp, wall: &Wall) -> Receipt {
    let money = |amount| format_minor(amount, &price.currency);
    let lines = price.parts.iter().map(|part| {
        let when = wall.span_on(start, part.from, part.until);
        let (label, detail) = match part.kind {
            PartKind::Free => ("Free time".to_owned(), when),
            PartKind::Units => {
                let name = if part.name.is_empty() { "Parking" } else { &part.name };
                (format!("{name}: {} × {}", part.units, money(part.unit_price_minor)), when)
            }
            PartKind::DailyCap => ("Daily maximum reached".to_owned(), wall.day(part.from)),
            PartKind::StayCap => ("Maximum for a stay reached".to_owned(), String::new()),
        };
        ReceiptLine { label, detail, amount: money(part.amount_minor).replacen('-', "−", 1) }
    });
    Receipt { lines: lines.collect(), total: price_text(price.total_minor, &price.currency) }
}

/// The lines and what they come to.
#[component]
pub fn ReceiptView(receipt: Receipt) -> impl IntoView {
    let line = |line: ReceiptLine| {
        view! {
            <tr>
                <th scope="row">{line.label} <span class="sub number">{line.detail}</span></th>
                <td class="number">{line.amount}</td>
            </tr>
        }
    };
    view! {
        <table class="receipt" data-testid="receipt">
            <caption class="hidden">"What it costs"</caption>
            <tbody>{receipt.lines.into_iter().map(line).collect_view()}</tbody>
            <tfoot>
                <tr>
                    <th scope="row">"Total"</th>
                    <td class="number">{receipt.total}</td>
                </tr>
            </tfoot>
        </table>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use portico_model::parking::tariff::PricePart;

    use super::*;

    #[test]
    fn receipt_says_what_each_part_is() {
        let at = |text: &str| Timestamp::parse_iso(text).unwrap();
        let part = |kind, name: &str, units, amount_minor| PricePart {
            kind,
            from: at("2026-11-23T08:00:00Z"),
            until: at("2026-11-23T09:00:00Z"),
            name: name.to_owned(),
            units,
            unit_price_minor: 150,
            amount_minor,
        };
        let parts = vec![
            part(PartKind::Free, "", 0, 0),
            part(PartKind::Units, "", 2, 300),
            part(PartKind::Units, "Night", 1, 150),
            part(PartKind::DailyCap, "", 0, -50),
        ];
        let price = Price { total_minor: 400, currency: "EUR".into(), parts };
        let made = receipt(&price, at("2026-11-23T08:00:00Z"), &Wall::of("Europe/Berlin"));
        let lines: Vec<_> = made.lines.iter().map(|line| (line.label.as_str(), line.amount.as_str())).collect();
        assert_eq!(
            lines,
            [
                ("Free time", "0.00 EUR"),
                ("Parking: 2 × 1.50 EUR", "3.00 EUR"),
                ("Night: 1 × 1.50 EUR", "1.50 EUR"),
                ("Daily maximum reached", "−0.50 EUR"),
            ]
        );
        assert_eq!((made.lines[1].detail.as_str(), made.total.as_str()), ("09:00 – 10:00", "4.00 EUR"));
        assert_eq!(price_text(0, "XXX"), "Free");
    }
}
