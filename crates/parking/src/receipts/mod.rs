//! Receipts of reservations: what a stay costs, what was paid and given back, as PDF.

mod money;
mod print;
pub(crate) mod rest;
mod words;

use portico_model::ReservationId;
use portico_model::identity::Permission;
use portico_platform::{Actor, Error, Result};

use self::print::Printed;
use crate::{Parking, Wall};

pub use words::receipt;

/// A receipt as PDF.
#[derive(Debug)]
pub struct ReceiptFile {
    /// Of letters, digits, points and hyphens.
    pub name: String,
    pub pdf: Vec<u8>,
}

/// The last twelve digits of the reservation's id in two groups: they are random, so that no two receipts share them.
fn number(id: ReservationId) -> String {
    let id = id.to_string().to_uppercase();
    let digits = id.get(id.len().saturating_sub(12)..).unwrap_or_default();
    let (first, second) = digits.split_at_checked(6).unwrap_or((digits, ""));
    format!("P-{first}-{second}")
}

impl Parking {
    /// The receipt of a reservation, as it is now. Permission: `UseParking` for one's own, else `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict while nothing of its price was paid.
    pub async fn receipt_file(&self, actor: &Actor, id: ReservationId) -> Result<ReceiptFile> {
        let platform = &self.0.platform;
        let mut tx = platform.db.read().await?;
        let one = self.visible(&mut tx, actor, id, Permission::OperateParking).await?;
        if !one.has_receipt() {
            return Err(Error::conflict(
                "not_paid",
                "Nothing was paid for this reservation yet, so there is no receipt.",
            ));
        }
        let moves = money::moves(&mut tx, &one).await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        drop(tx);
        // A lot may be gone; what was reserved there stays.
        let address = held.lot(one.lot_id).map(|lot| lot.address.clone()).unwrap_or_default();
        let printed = Printed {
            organization: self.0.identity.organization(actor).await?.name,
            number: number(id),
            address,
            pass: format!("{}/reservations/{id}", platform.config.public_url().trim_end_matches('/')),
            issued_at: platform.clock.now(),
            moves,
            reservation: one,
        };
        let day = Wall::of(&printed.reservation.time_zone).input(printed.reservation.start_time);
        let day = day.split_once('T').map_or("", |(day, _)| day);
        let name = format!("parking-receipt-{day}-{}.pdf", printed.number);
        // Fonts are subset and pages compressed: milliseconds that other requests do not wait.
        let made = tokio::task::spawn_blocking(move || printed.pdf()).await;
        Ok(ReceiptFile { name, pdf: made.map_err(Error::internal)?? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_short_and_made_of_what_differs() {
        let id: ReservationId = "0199a000000070008000a1b2c3d4e5f6".parse().unwrap();
        assert_eq!(number(id), "P-A1B2C3-D4E5F6");
    }
}
