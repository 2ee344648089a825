//! Where new spots are drawn.

use std::sync::Arc;

use portico_devices::Check;
use portico_model::parking::lot::Level;
use portico_model::parking::spot::{Grid, Outline, Spot, SpotSettings};
use portico_platform::{Error, Result};

use super::input;

/// Rows looked through for a free place.
const MAX_ROWS: i64 = 200;

fn overlap(one: &Outline, other: &Outline) -> bool {
    // Whichever way they are turned.
    let reach = |outline: &Outline| outline.width.max(outline.length) / 2.0;
    let (dx, dy) = ((one.x - other.x).abs(), (one.y - other.y).abs());
    if one.angle.rem_euclid(180.0) == 0.0 && other.angle.rem_euclid(180.0) == 0.0 {
        return dx < f64::midpoint(one.width, other.width) && dy < f64::midpoint(one.length, other.length);
    }
    dx < reach(one) + reach(other) && dy < reach(one) + reach(other)
}

/// The usual rows of a level, and where spots stand already.
pub struct Places {
    rows: Vec<Outline>,
    /// Before this one no place of the rows is free.
    next: usize,
    taken: Vec<Outline>,
}

impl Places {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // plans are at most a kilometre wide
    pub fn of<'a>(level: &Level, spots: impl Iterator<Item = &'a Arc<Spot>>) -> Self {
        let columns = ((level.width_cm as f64 - 200.0) / Outline::default().width).floor().max(1.0) as i64;
        let grid =
            Grid { rows: MAX_ROWS, columns, prefix: String::new(), first: 1, zone_letters: false, sensor_type: None };
        Self { rows: grid.outlines(), next: 0, taken: spots.map(|spot| spot.outline).collect() }
    }

    pub fn take(&mut self, place: Outline) {
        self.taken.push(place);
    }

    /// The first place of the rows that no spot stands in, and the height that the plan needs for it, centimetres.
    #[allow(clippy::cast_possible_truncation)] // plans are at most a kilometre high
    pub fn free(&mut self, level: &Level) -> (Outline, i64) {
        while self.rows.get(self.next).is_some_and(|place| self.taken.iter().any(|other| overlap(place, other))) {
            self.next += 1;
        }
        let place = self.rows.get(self.next).copied().unwrap_or(Outline { x: 225.0, y: 350.0, ..Outline::default() });
        (place, level.height_cm.max((place.y + place.length / 2.0 + 100.0).ceil() as i64))
    }
}

/// The level, large enough, and its spots.
pub fn generate(level: &Level, grid: &Grid) -> Result<(Level, Vec<Spot>)> {
    let mut check = Check::default();
    for (field, value, most) in [("rows", grid.rows, 50), ("columns", grid.columns, 100)] {
        if !(1..=most).contains(&value) {
            check.problem(field, format!("1 to {most}"));
        }
    }
    if !(0..=999_999).contains(&grid.first) {
        check.problem("first", "0 to 999999");
    }
    check.done(())?;
    let (width, height) = grid.extent();
    let grown = Level { width_cm: level.width_cm.max(width), height_cm: level.height_cm.max(height), ..level.clone() };
    let spot = |(number, outline): (i64, Outline)| {
        let row = (number / grid.columns.max(1)).rem_euclid(26);
        let letter = u8::try_from(row).map_or('A', |row| char::from(b'A' + row));
        let settings = SpotSettings {
            id: format!("{}{:03}", grid.prefix.trim(), grid.first + number),
            zone: if grid.zone_letters { letter.to_string() } else { String::new() },
            sensor_type: grid.sensor_type,
            outline: Some(outline),
            ..SpotSettings::default()
        };
        input::new_spot(settings, &grown, outline)
    };
    let spots: Result<Vec<Spot>> = (0..).zip(grid.outlines()).map(spot).collect();
    let spots = spots.map_err(|error| {
        let text = error.field_errors().first().map(|error| error.message.clone()).unwrap_or_default();
        Error::field("prefix", text)
    })?;
    Ok((grown, spots))
}

#[cfg(test)]
mod tests {
    use portico_model::parking::SpotCounts;
    use portico_model::{LotId, ParkingLevelId};

    use super::*;

    fn level() -> Level {
        Level {
            id: ParkingLevelId::nil(),
            lot_id: LotId::nil(),
            name: "L1".into(),
            position: 0,
            width_cm: 1_200,
            height_cm: 700,
            clearance_cm: None,
            counts: SpotCounts::default(),
        }
    }

    #[test]
    fn new_spots_stand_beside_each_other_and_the_plan_grows_with_them() {
        let mut spots: Vec<Arc<Spot>> = Vec::new();
        let mut height = 0;
        let mut places = Places::of(&level(), spots.iter());
        for number in 0..9 {
            let (place, needed) = places.free(&level());
            places.take(place);
            assert_eq!(Places::of(&level(), spots.iter()).free(&level()), (place, needed), "looked for anew");
            let settings = SpotSettings { id: format!("P{number}"), ..SpotSettings::default() };
            spots.push(Arc::new(input::new_spot(settings, &level(), place).unwrap()));
            height = needed;
        }
        for (index, one) in spots.iter().enumerate() {
            assert!(spots[index + 1..].iter().all(|other| !overlap(&one.outline, &other.outline)));
        }
        assert_eq!(height, 2_300, "three rows of four");
    }

    #[test]
    fn generated_spots_are_numbered_and_zoned_by_row() {
        let grid = Grid { rows: 2, columns: 2, prefix: "B1-".into(), first: 9, zone_letters: true, sensor_type: None };
        let (grown, spots) = generate(&level(), &grid).unwrap();
        let named: Vec<_> = spots.iter().map(|spot| (spot.id.as_str(), spot.zone.as_str())).collect();
        assert_eq!(named, [("B1-009", "A"), ("B1-010", "A"), ("B1-011", "B"), ("B1-012", "B")]);
        assert_eq!((grown.width_cm, grown.height_cm), (1_200, 1_800));
        let wrong = Grid { prefix: "no spaces".into(), ..grid };
        assert_eq!(generate(&level(), &wrong).unwrap_err().field_errors()[0].field, "prefix");
    }
}
