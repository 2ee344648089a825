//! What the parts of a price are called.

use portico_model::Timestamp;
use portico_model::parking::receipt::{Receipt, ReceiptLine, price_text, signed_text};
use portico_model::parking::tariff::{PartKind, Price, format_minor};

use crate::Wall;

/// A price in words, by the clock of the lot; days are told where they differ from that of `start`.
#[must_use]
pub fn receipt(price: &Price, start: Timestamp, wall: &Wall) -> Receipt {
    let lines = price.parts.iter().map(|part| {
        let when = wall.span_on(start, part.from, part.until);
        let (label, detail) = match part.kind {
            PartKind::Free => ("Free time".to_owned(), when),
            PartKind::Units => {
                let name = if part.name.is_empty() { "Parking" } else { &part.name };
                (format!("{name}: {} × {}", part.units, format_minor(part.unit_price_minor, &price.currency)), when)
            }
            PartKind::DailyCap => ("Daily maximum reached".to_owned(), wall.day(part.from)),
            PartKind::StayCap => ("Maximum for a stay reached".to_owned(), String::new()),
        };
        ReceiptLine { label, detail, amount: signed_text(part.amount_minor, &price.currency) }
    });
    Receipt { lines: lines.collect(), total: price_text(price.total_minor, &price.currency) }
}

#[cfg(test)]
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
    }
}
