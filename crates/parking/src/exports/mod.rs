//! Reservations, spots and occupancy as files. Spots and occupancy are written as their imports read them.

pub(crate) mod rest;
mod table;

use futures::{StreamExt as _, stream};
use portico_model::identity::Permission;
use portico_model::parking::reservation::Reservation;
use portico_model::parking::spot::{SensorType, Spot};
use portico_model::parking::tariff::format_minor;
use portico_model::{LotId, Page, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Result};

use crate::analytics::store::{Slot, slots};
use crate::lots::lot_not_found;
use crate::reservations::MAX_PAGE;
use crate::spots::COLUMNS;
use crate::{Parking, ReservationQuery};

pub use table::{Cell, Export};

const RESERVATIONS: &[&str] = &[
    "id",
    "state",
    "lot",
    "level",
    "spot",
    "start",
    "end",
    "time_zone",
    "name",
    "email",
    "phone",
    "plate",
    "notes",
    "checked_in",
    "checked_out",
    "currency",
    "amount",
    "paid",
    "refunded",
    "payment_status",
    "created",
];

/// The first four are those that `POST /api/v1/parking/history` reads.
const OCCUPANCY: &[&str] = &["timestamp", "lot", "occupied", "capacity", "occupancy_rate", "arrivals", "departures"];

impl Parking {
    /// All reservations that fit, on whichever page, as [`Parking::reservations`] lists them. That they left is recorded.
    /// Permission: `ReadParking`.
    ///
    /// # Errors
    /// Forbidden, not found; what goes wrong after the first page breaks the file off.
    pub async fn export_reservations(&self, actor: &Actor, query: ReservationQuery) -> Result<Export> {
        actor.require(Permission::ReadParking)?;
        let query = ReservationQuery { cursor: None, limit: Some(MAX_PAGE), ..query };
        // The first page is read before the file begins: what is wrong with the request is answered still.
        let first = self.reservations(actor, &query).await?;
        let tx = self.0.platform.db.begin().await?;
        self.commit(tx, actor, Entry::success("parking_reservations.exported")).await?;
        let pages = Pages { parking: self.clone(), actor: actor.clone(), query, page: Some(first) };
        Ok(Export { head: RESERVATIONS, rows: stream::try_unfold(pages, Pages::step).fuse().boxed() })
    }

    /// The spots of a lot, as [`Parking::import_spots`] reads them: imported again, the file changes nothing.
    /// Permission: `ReadParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn export_spots(&self, actor: &Actor, lot: LotId) -> Result<Export> {
        actor.require(Permission::ReadParking)?;
        let held = self.held(actor.organization).await?;
        held.lot(lot).ok_or_else(lot_not_found)?;
        let rows = held.spots.iter().filter(|spot| spot.lot_id == lot).map(|spot| spot_row(spot)).collect();
        Ok(Export::of(&COLUMNS, rows))
    }

    /// How full a lot was in each quarter of an hour that something is known of; the times as of [`Parking::trends`].
    /// Permission: `ReadParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields.
    pub async fn export_occupancy(
        &self,
        actor: &Actor,
        lot: LotId,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Export> {
        actor.require(Permission::ReadParking)?;
        let (from, until) = self.time_looked_at(from, until)?;
        let mut tx = self.0.platform.db.read().await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        let name = &held.lot(lot).ok_or_else(lot_not_found)?.name;
        let slots = slots(&mut tx, actor.organization, lot, from, until).await?;
        let rows = slots.iter().filter(|slot| slot.samples > 0 && slot.capacity >= slot.samples);
        Ok(Export::of(OCCUPANCY, rows.map(|slot| slot_row(slot, name)).collect()))
    }
}

/// Where an export has got to.
struct Pages {
    parking: Parking,
    actor: Actor,
    query: ReservationQuery,
    /// Absent after the last one.
    page: Option<Page<Reservation>>,
}

impl Pages {
    async fn step(mut self) -> Result<Option<(Vec<Vec<Cell>>, Self)>> {
        let Some(page) = self.page.take() else { return Ok(None) };
        if let Some(cursor) = page.next {
            let query = ReservationQuery { cursor: Some(cursor), ..self.query.clone() };
            self.page = Some(self.parking.reservations(&self.actor, &query).await?);
        }
        Ok(Some((page.items.iter().map(reservation_row).collect(), self)))
    }
}

fn reservation_row(one: &Reservation) -> Vec<Cell> {
    // With as many digits as the currency has, and without its name.
    let amount = |minor: i64| match format_minor(minor, &one.currency).split_once(' ') {
        Some((amount, _)) => Cell::number(amount),
        None => Cell::number(minor),
    };
    let time = |at: Option<Timestamp>| Cell::text(at.map(Timestamp::to_iso).unwrap_or_default());
    vec![
        Cell::text(one.id.to_string()),
        Cell::text(one.state.as_str()),
        Cell::text(&one.lot_name),
        Cell::text(&one.level),
        Cell::text(&one.spot_id),
        time(Some(one.start_time)),
        time(Some(one.end_time)),
        Cell::text(&one.time_zone),
        Cell::text(&one.user_name),
        Cell::text(&one.user_email),
        Cell::text(one.user_phone.as_deref().unwrap_or_default()),
        Cell::text(&one.plate),
        Cell::text(&one.notes),
        time(one.check_in_time),
        time(one.check_out_time),
        Cell::text(&one.currency),
        amount(one.amount_minor),
        amount(one.paid_minor),
        amount(one.refunded_minor),
        Cell::text(one.payment_status.as_str()),
        time(Some(one.created_at)),
    ]
}

/// In the order of [`COLUMNS`].
fn spot_row(spot: &Spot) -> Vec<Cell> {
    vec![
        Cell::text(&spot.id),
        Cell::text(&spot.level),
        Cell::text(&spot.zone),
        Cell::text(&spot.location),
        Cell::text(spot.sensor_type.map(SensorType::as_str).unwrap_or_default()),
        Cell::yes(spot.is_accessible),
        Cell::yes(spot.is_ev),
        Cell::text(spot.size.as_str()),
        Cell::maybe(spot.clearance_cm),
        Cell::yes(spot.is_disabled),
    ]
}

/// In the order of [`OCCUPANCY`]; spots are means, rounded.
#[allow(clippy::cast_precision_loss)] // counts, far below 2^53
fn slot_row(slot: &Slot, lot: &str) -> Vec<Cell> {
    let mean = |sum: i64| (2 * sum + slot.samples) / (2 * slot.samples);
    vec![
        Cell::text(slot.at.to_iso()),
        Cell::text(lot),
        Cell::number(mean(slot.occupied)),
        Cell::number(mean(slot.capacity)),
        Cell::number(crate::analytics::two_decimals(slot.occupied as f64 * 100.0 / slot.capacity as f64)),
        Cell::number(slot.arrivals),
        Cell::number(slot.departures),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_of_quarters_are_rounded_to_whole_spots() {
        let slot = Slot { occupied: 38, capacity: 150, samples: 15, arrivals: 4, departures: 2, ..Slot::default() };
        let cells = slot_row(&slot, "Main garage");
        let number = |text: &str| Cell::number(text);
        assert_eq!(cells[2..], [number("3"), number("10"), number("25.33"), number("4"), number("2")]);
    }
}
