//! How full car parks were in past weeks, for the import: the same model as the one that is alive.

use std::fmt::Write as _;

use portico_model::Timestamp;

use super::demand::week_before;
use super::garage::{Garage, QUARTER_MS};
use super::plan::LotPlan;
use super::{local, lot_seed};

/// First row of the table.
pub const HEAD: &str = "timestamp,lot,occupied,capacity";

/// Every quarter of an hour from `from` (rounded up) until before `until`, in order of time and then of lots, as CSV with
/// a head. `utc_offset_s`: how far the local time of the lots is ahead.
#[must_use]
pub fn csv(lots: &[LotPlan], seed: u64, from: Timestamp, until: Timestamp, utc_offset_s: i64) -> String {
    let mut garages: Vec<(String, Garage)> = (0..)
        .zip(lots)
        .map(|(index, lot)| {
            let name = quoted(&lot.name);
            (name, Garage::new(lot, lot_seed(seed, index), week_before(local(from, utc_offset_s))))
        })
        .collect();
    let first = from.millis().div_euclid(QUARTER_MS) + i64::from(from.millis().rem_euclid(QUARTER_MS) != 0);
    let mut text = format!("{HEAD}\n");
    let quarters = (first..).map(|quarter| Timestamp::from_millis(quarter * QUARTER_MS));
    for at in quarters.take_while(|at| *at < until) {
        for (name, garage) in &mut garages {
            garage.advance(local(at, utc_offset_s));
            let (occupied, capacity) = (garage.occupied(), garage.spots().len());
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{},{name},{occupied},{capacity}", at.to_iso());
        }
    }
    text
}

/// A value of CSV (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parking::demand::{DAY_MS, HOUR_MS};

    /// 2026-11-16, a Monday.
    const FROM: Timestamp = Timestamp::from_millis(1_794_787_200_000);

    #[test]
    fn week_is_672_rows_a_lot_in_order_and_never_over_capacity() {
        let lots = [LotPlan::main_garage(), LotPlan::visitor_parking()];
        let text = csv(&lots, 1, FROM, FROM.plus_millis(7 * DAY_MS), 0);
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        assert_eq!(text.lines().next(), Some(HEAD));
        assert_eq!(rows.len(), 2 * 672);
        assert_eq!(rows[0][..2], ["2026-11-16T00:00:00.000+00:00", "Main garage"]);
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0]));
        for row in &rows {
            let (occupied, capacity): (usize, usize) = (row[2].parse().unwrap(), row[3].parse().unwrap());
            assert!(occupied <= capacity && capacity == if row[1] == "Main garage" { 136 } else { 12 });
        }
    }

    #[test]
    fn history_ends_where_the_living_garage_is() {
        let lot = LotPlan::main_garage();
        let until = FROM.plus_millis(3 * DAY_MS + 10 * HOUR_MS);
        let text = csv(std::slice::from_ref(&lot), 1, FROM, until.plus_millis(1), 3_600);
        let alive = Garage::at(&lot, lot_seed(1, 0), local(until, 3_600));
        let last = text.lines().last().unwrap();
        assert!(last.ends_with(&format!("Main garage,{},136", alive.occupied())), "{last} {}", alive.occupied());
    }

    #[test]
    fn names_with_commas_are_quoted() {
        assert_eq!(quoted("A, \"B\""), "\"A, \"\"B\"\"\"");
        assert_eq!(quoted("Main garage"), "Main garage");
    }
}
