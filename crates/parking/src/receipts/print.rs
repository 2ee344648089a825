//! The receipt on paper.

use portico_model::Timestamp;
use portico_model::parking::receipt::signed_text;
use portico_model::parking::reservation::{Reservation, ReservationState};
use portico_model::parking::tariff::format_minor;
use portico_platform::Result;
use portico_platform::pdf::{About, Column, Document, Row, Table};

use super::money::Move;
use super::words::receipt;
use crate::Wall;

/// All that a receipt says.
pub struct Printed {
    pub organization: String,
    pub number: String,
    /// Of the lot.
    pub address: String,
    /// Where the pass is.
    pub pass: String,
    pub issued_at: Timestamp,
    pub moves: Vec<Move>,
    pub reservation: Reservation,
}

impl Printed {
    /// # Errors
    /// Internal, when the file cannot be written.
    pub fn pdf(&self) -> Result<Vec<u8>> {
        let one = &self.reservation;
        let wall = Wall::of(&one.time_zone);
        let mut document = Document::new(About {
            title: format!("Parking receipt {}", self.number),
            author: self.organization.clone(),
            language: "en",
            created_at: self.issued_at,
        })?;
        document.title(&self.organization, "Parking receipt");
        document.facts(&self.facts(&wall));
        document.table(&self.price(&wall));
        if self.moves.is_empty() {
            document.text("Nothing is to be paid.");
        } else {
            document.table(&self.payments(&wall));
        }
        document.code(&self.pass, "The reservation as it is now: scan the code to open its pass.")?;
        document.finish(&format!("{} · Receipt {}", self.organization, self.number))
    }

    fn facts(&self, wall: &Wall) -> Vec<(&'static str, String)> {
        let one = &self.reservation;
        let zone = if one.zone.is_empty() { String::new() } else { format!("zone {}", one.zone) };
        let holder = if one.user_name.is_empty() { &one.user_email } else { &one.user_name };
        // That a good reservation is good is no news.
        let state = match one.state {
            ReservationState::Cancelled | ReservationState::Expired | ReservationState::NoShow => one.state.label(),
            _ => "",
        };
        let facts = [
            ("Receipt number", self.number.clone()),
            ("Issued", wall.text(self.issued_at)),
            ("For", holder.clone()),
            ("Number plate", one.plate.clone()),
            ("Car park", listed(&[&one.lot_name, &self.address])),
            ("Spot", listed(&[&one.spot_id, &one.level, &zone])),
            ("Reserved", wall.span(one.start_time, one.end_time)),
            ("Reservation", state.to_owned()),
            ("Times are those of", one.time_zone.clone()),
        ];
        facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    fn price(&self, wall: &Wall) -> Table {
        let one = &self.reservation;
        let receipt = receipt(&one.price, one.start_time, wall);
        let mut rows: Vec<_> =
            receipt.lines.into_iter().map(|line| row(line.label, line.detail, line.amount)).collect();
        rows.push(Row { is_total: true, ..row("Total".to_owned(), String::new(), receipt.total) });
        Table { title: "What it costs", columns: columns(), rows }
    }

    fn payments(&self, wall: &Wall) -> Table {
        let one = &self.reservation;
        let line = |money: &Move| {
            let at = money.at.map(|at| wall.text(at)).unwrap_or_default();
            row(money.label.to_owned(), at, signed_text(money.amount_minor, &one.currency))
        };
        let mut rows: Vec<_> = self.moves.iter().map(line).collect();
        let paid = format_minor(one.paid_minor - one.refunded_minor, &one.currency);
        rows.push(Row { is_total: true, ..row("Paid".to_owned(), String::new(), paid) });
        if one.state.is_payable() && one.due_minor() > 0 {
            let due = format_minor(one.due_minor(), &one.currency);
            rows.push(row("To be paid yet".to_owned(), String::new(), due));
        }
        Table { title: "Payments", columns: columns(), rows }
    }
}

/// Those that are not empty.
fn listed(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(", ")
}

fn columns() -> Vec<Column> {
    let column = |name, share, is_amount| Column { name, share, is_amount };
    vec![column("What", 3.0, false), column("When", 3.0, false), column("Amount", 1.5, true)]
}

fn row(label: String, when: String, amount: String) -> Row {
    Row { cells: vec![label, when, amount], is_total: false }
}
