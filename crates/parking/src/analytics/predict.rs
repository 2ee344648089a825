//! Forecasts of lots, and histories of other systems that they can learn from.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use portico_model::identity::Permission;
use portico_model::parking::analytics::{ForecastMethod, ForecastReason, ForecastScore, ForecastStep, LotForecast};
use portico_model::telemetry::time::parse_time;
use portico_model::{LotId, OrganizationId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::csv::unguarded;
use portico_platform::{Actor, Error, Result};
use serde::Serialize;
use serde_json::json;

use super::forecast::{self, Method, Reason, Score};
use super::store::{self, SLOT_MS, Slot, slot_of};
use crate::Parking;
use crate::lots::lot_not_found;
use crate::memory::Held;
use crate::reservations::zone_of;

/// So much of the past is looked at: eight weeks, and an hour for a change of the clock.
const PAST_MS: i64 = 8 * 7 * 86_400_000 + 3_600_000;

/// Most rows of a file.
const MAX_ROWS: usize = 200_000;

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"rows": 5376, "slots": 5376, "lots": ["Main garage"]}))]
pub struct ImportedHistory {
    pub rows: usize,
    /// Quarters of an hour that are known by it.
    pub slots: usize,
    pub lots: Vec<String>,
}

const fn method(method: Method) -> ForecastMethod {
    match method {
        Method::LastValue => ForecastMethod::LastValue,
        Method::WeekMean => ForecastMethod::WeekMean,
        Method::Model => ForecastMethod::Model,
    }
}

fn score(score: &Score) -> ForecastScore {
    ForecastScore {
        method: method(score.method),
        mean_absolute_error: score.mean_absolute_error,
        pinball: score.pinball,
        coverage_80: score.coverage_80,
        coverage_95: score.coverage_95,
        origins: score.origins,
        points: score.points,
    }
}

/// Mean occupied spots in quarters of an hour up to a moment, oldest first, by the wall clock: what is usual at nine is
/// usual at nine in summer and in winter. An hour that comes twice is one, one that is left out is unknown.
#[allow(clippy::cast_precision_loss)] // counts, far below 2^53
fn history(slots: &[Slot], zone: &TimeZone, until: Timestamp) -> Vec<Option<f64>> {
    let wall = |at: Timestamp| at.millis() + i64::from(portico_identity::local_time::offset_s(zone, at)) * 1_000;
    let last = wall(until).div_euclid(SLOT_MS);
    let Some(first) = slots.first().map(|slot| wall(slot.at).div_euclid(SLOT_MS)) else { return Vec::new() };
    let length = usize::try_from(last - first).unwrap_or_default();
    let mut sums = vec![(0_i64, 0_i64); length];
    for slot in slots.iter().filter(|slot| slot.samples > 0) {
        let at = usize::try_from(wall(slot.at).div_euclid(SLOT_MS) - first).unwrap_or(usize::MAX);
        if let Some((occupied, samples)) = sums.get_mut(at) {
            *occupied += slot.occupied;
            *samples += slot.samples;
        }
    }
    sums.into_iter().map(|(occupied, samples)| (samples > 0).then(|| occupied as f64 / samples as f64)).collect()
}

impl Parking {
    /// The newest forecast of a lot; made now when there is none yet. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when too little is known.
    pub async fn forecast(&self, actor: &Actor, lot: LotId) -> Result<LotForecast> {
        actor.require(Permission::UseParking)?;
        let mut tx = self.0.platform.db.read().await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        held.lot(lot).ok_or_else(lot_not_found)?;
        if let Some(body) = store::forecast(&mut tx, actor.organization, lot).await? {
            return serde_json::from_str(&body).map_err(Error::internal);
        }
        drop(tx);
        self.make_forecast(actor.organization, lot).await?.ok_or_else(too_little)
    }

    /// Makes the forecast of a lot anew. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when too little is known.
    pub async fn renew_forecast(&self, actor: &Actor, lot: LotId) -> Result<LotForecast> {
        actor.require(Permission::ManageParking)?;
        self.held(actor.organization).await?.lot(lot).ok_or_else(lot_not_found)?;
        let made = self.make_forecast(actor.organization, lot).await?.ok_or_else(too_little)?;
        let tx = self.0.platform.db.begin().await?;
        let entry = Entry::success("parking_forecast.renewed").target("parking_lot", lot);
        self.commit(tx, actor, entry).await?;
        Ok(made)
    }

    /// `None`: too little is known.
    pub(super) async fn make_forecast(&self, organization: OrganizationId, lot: LotId) -> Result<Option<LotForecast>> {
        let now = self.0.platform.clock.now();
        let begin = slot_of(now);
        let mut tx = self.0.platform.db.read().await?;
        let held = self.held_in(&mut tx, organization).await?;
        let Some(known) = held.lot(lot) else { return Ok(None) };
        let zone = zone_of(known);
        let slots = store::slots(&mut tx, organization, lot, begin.plus_millis(-PAST_MS), begin).await?;
        let capacity = capacity_of(&held, lot, &slots);
        drop(tx);
        let made = tokio::task::spawn_blocking(move || {
            #[allow(clippy::cast_precision_loss)] // spots are counted in thousands
            forecast::forecast(&history(&slots, &zone, begin), capacity as f64)
        });
        let Some(made) = made.await.map_err(Error::internal)? else { return Ok(None) };
        let steps = made.steps.iter().zip(0_i64..).map(|(step, number)| ForecastStep {
            at: begin.plus_millis(number * SLOT_MS),
            expected: step.expected,
            low_80: step.interval_80.low,
            high_80: step.interval_80.high,
            low_95: step.interval_95.low,
            high_95: step.interval_95.high,
        });
        let answer = LotForecast {
            lot_id: lot,
            made_at: now,
            capacity,
            method: method(made.method),
            reason: match made.reason {
                Reason::ModelBetter => ForecastReason::ModelBetter,
                Reason::BaselineBetter => ForecastReason::BaselineBetter,
                Reason::TooFewData => ForecastReason::TooFewData,
            },
            steps: steps.collect(),
            scores: made.scores.iter().map(score).collect(),
        };
        let body = serde_json::to_string(&answer).map_err(Error::internal)?;
        let mut tx = self.0.platform.db.begin().await?;
        store::save_forecast(&mut tx, organization, lot, now, &body).await?;
        tx.commit().await?;
        Ok(Some(answer))
    }

    /// Takes the history of another system: CSV with `timestamp, lot, occupied, capacity`; lots by name. What is known of
    /// those times already is replaced; several rows of a quarter of an hour are averaged. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden; invalid when the file cannot be read or names a lot that is none.
    pub async fn import_history(&self, actor: &Actor, file: &[u8]) -> Result<ImportedHistory> {
        actor.require(Permission::ManageParking)?;
        let (organization, now) = (actor.organization, self.0.platform.clock.now());
        let held = self.held(organization).await?;
        let (rows, slots) = read_history(file, &held, now)?;
        let mut tx = self.0.platform.db.begin().await?;
        let mut lots: Vec<LotId> = slots.keys().map(|(lot, _)| *lot).collect();
        lots.sort_unstable();
        lots.dedup();
        for ((lot, _), slot) in &slots {
            store::put(&mut tx, organization, *lot, slot).await?;
        }
        let entry = Entry::success("parking_history.imported").details(json!({"rows": rows, "slots": slots.len()}));
        self.commit(tx, actor, entry).await?;
        let lots = lots.into_iter().filter_map(|lot| held.lot(lot)).map(|lot| lot.name.clone()).collect();
        Ok(ImportedHistory { rows, slots: slots.len(), lots })
    }
}

fn too_little() -> Error {
    Error::conflict("too_few_data", "Too little is known of this lot yet: a forecast needs a day of it at least.")
}

/// Spots in use; where none are registered, as the history says.
fn capacity_of(held: &Held, lot: LotId, slots: &[Slot]) -> i64 {
    let usable = held.spots.iter().filter(|spot| spot.lot_id == lot && !spot.is_disabled).count();
    let known = slots.iter().rev().find(|slot| slot.samples > 0).map_or(0, |slot| slot.capacity / slot.samples);
    i64::try_from(usable).unwrap_or(i64::MAX).max(known)
}

type Slots = HashMap<(LotId, Timestamp), Slot>;

fn read_history(file: &[u8], held: &Held, now: Timestamp) -> Result<(usize, Slots)> {
    let bad = |row: usize, message: String| Error::field(&format!("rows[{row}]"), message);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(file);
    let head = reader.headers().map_err(|error| Error::field("file", format!("No CSV: {error}")))?.clone();
    let column = |name: &str| {
        let at = head.iter().position(|cell| cell.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name));
        at.ok_or_else(|| Error::field("file", "The first row names timestamp, lot, occupied and capacity."))
    };
    let (at, lot, occupied, capacity) =
        (column("timestamp")?, column("lot")?, column("occupied")?, column("capacity")?);
    let mut slots = Slots::new();
    let mut rows = 0;
    for (number, record) in reader.records().enumerate() {
        let row = number + 2;
        if number >= MAX_ROWS {
            return Err(Error::field("file", format!("At most {MAX_ROWS} rows a file.")));
        }
        let record = record.map_err(|error| bad(row, format!("cannot be read: {error}")))?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        let moment =
            parse_time(cell(at), now).map_err(|_| bad(row, "timestamp: ISO 8601 or seconds since 1970".to_owned()))?;
        if moment > now {
            return Err(bad(row, "timestamp: lies in the future".to_owned()));
        }
        let name = unguarded(cell(lot));
        let found = held.lots.iter().find(|known| known.name == name || known.id.to_string() == name);
        let found = found.ok_or_else(|| bad(row, format!("There is no lot {name}.")))?;
        let number = |at: usize, name: &str| {
            let value = cell(at).parse::<i64>().ok().filter(|value| (0..=1_000_000).contains(value));
            value.ok_or_else(|| bad(row, format!("{name}: a whole number from 0")))
        };
        let (occupied, capacity) = (number(occupied, "occupied")?, number(capacity, "capacity")?);
        if capacity == 0 {
            return Err(bad(row, "capacity: above 0".to_owned()));
        }
        let slot = slots.entry((found.id, slot_of(moment))).or_insert(Slot { at: slot_of(moment), ..Slot::default() });
        slot.occupied += occupied.min(capacity);
        slot.capacity += capacity;
        slot.samples += 1;
        rows += 1;
    }
    Ok((rows, slots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_goes_by_the_wall_clock() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| Timestamp::parse_iso(text).unwrap();
        let slot = |text: &str, occupied| Slot { at: at(text), occupied, capacity: 10, samples: 1, ..Slot::default() };
        // 2026-10-25, 02:00 to 03:00 comes twice: two slots of one quarter of an hour are averaged.
        let slots = [slot("2026-10-25T00:00:00Z", 4), slot("2026-10-25T01:00:00Z", 8), slot("2026-10-25T02:00:00Z", 6)];
        let read = history(&slots, &berlin, at("2026-10-25T02:15:00Z"));
        assert_eq!(read, [Some(6.0), None, None, None, Some(6.0)]);
        // 2026-03-29, 02:00 to 03:00 is left out.
        let slots = [slot("2026-03-29T00:45:00Z", 4), slot("2026-03-29T01:00:00Z", 8)];
        let read = history(&slots, &berlin, at("2026-03-29T01:15:00Z"));
        assert_eq!(read, [Some(4.0), None, None, None, None, Some(8.0)]);
    }
}
