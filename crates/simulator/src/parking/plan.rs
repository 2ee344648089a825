//! Which car parks there are: their levels and spots, who comes there, and which of their sensors are odd.

use super::crowds::{office_crowds, station_crowds, visiting_crowd};
use super::demand::Crowd;

/// What a spot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Anybody,
    Accessible,
    Charging,
}

/// How its sensor is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounting {
    /// Nobody has said yet at which spot it stands.
    Unplaced,
    Placed,
    /// It spoke once, and has broken since.
    Broken,
}

/// A spot and its sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct SpotPlan {
    /// What is written on its sign, as Portico makes it of the level's grid.
    pub id: String,
    pub sensor_id: String,
    /// Of the lot's levels.
    pub level: usize,
    pub purpose: Purpose,
    /// How far it is to the entrance, metres.
    pub walk_m: f64,
    pub mounting: Mounting,
}

/// A level: rows of spots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelPlan {
    pub name: String,
    /// Of the ids of its spots.
    pub prefix: String,
    pub position: i64,
    pub rows: i64,
    pub columns: i64,
    /// The first spots are for people with a badge, the next have chargers.
    pub accessible: i64,
    pub charging: i64,
    pub clearance_cm: Option<i64>,
    /// How many levels it is from the entrance.
    pub stairs: i64,
}

/// A car park.
#[derive(Debug, Clone, PartialEq)]
pub struct LotPlan {
    pub name: String,
    pub address: String,
    pub latitude: f64,
    pub longitude: f64,
    pub stale_after_minutes: i64,
    pub levels: Vec<LevelPlan>,
    pub crowds: Vec<Crowd>,
    /// How many of the last sensors are unplaced, and how many of those before them broken.
    pub unplaced: usize,
    pub broken: usize,
}

/// A spot is so wide, and two rows with their lane so deep, metres (`portico_model::parking::spot::Grid`).
const COLUMN_M: f64 = 2.5;
const ROW_M: f64 = 8.0;
/// What a level of stairs is worth to one who looks for a spot, metres.
const STAIRS_M: f64 = 25.0;

impl LotPlan {
    /// All spots, level by level.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // at most 5,000 spots
    pub fn spots(&self) -> Vec<SpotPlan> {
        let mut spots = Vec::new();
        for (index, level) in self.levels.iter().enumerate() {
            for number in 0..level.rows * level.columns {
                let (row, column) = (number / level.columns, number % level.columns);
                let purpose = if number < level.accessible {
                    Purpose::Accessible
                } else if number < level.accessible + level.charging {
                    Purpose::Charging
                } else {
                    Purpose::Anybody
                };
                let id = format!("{}{:03}", level.prefix, number + 1);
                spots.push(SpotPlan {
                    sensor_id: format!("US-{id}"),
                    id,
                    level: index,
                    purpose,
                    walk_m: level.stairs as f64 * STAIRS_M + column as f64 * COLUMN_M + row as f64 * ROW_M,
                    mounting: Mounting::Placed,
                });
            }
        }
        let last = spots.iter_mut().rev();
        for (index, spot) in last.take(self.unplaced + self.broken).enumerate() {
            spot.mounting = if index < self.unplaced { Mounting::Unplaced } else { Mounting::Broken };
        }
        spots
    }

    /// The demo's garage by the station: three levels, somebody comes or goes at any hour.
    #[must_use]
    pub fn main_garage() -> Self {
        Self {
            name: "Main garage".to_owned(),
            address: "1 Harbour Street".to_owned(),
            latitude: 52.5251,
            longitude: 13.3694,
            stale_after_minutes: 10,
            levels: vec![
                LevelPlan { stairs: 1, ..level("B1", "B1-", -1, 4, 10) },
                LevelPlan { accessible: 4, charging: 8, ..level("L1", "L1-", 1, 4, 12) },
                LevelPlan { stairs: 1, clearance_cm: Some(230), ..level("L2", "L2-", 2, 4, 12) },
            ],
            crowds: station_crowds(),
            unplaced: 0,
            broken: 0,
        }
    }

    /// The demo's small lot: two sensors wait for a spot, one has broken.
    #[must_use]
    pub fn visitor_parking() -> Self {
        Self {
            name: "Visitor parking".to_owned(),
            address: "3 Harbour Street".to_owned(),
            latitude: 52.5263,
            longitude: 13.3722,
            // Short, so that one sees soon what becomes of a spot whose sensor is silent.
            stale_after_minutes: 3,
            levels: vec![LevelPlan {
                accessible: 1,
                charging: 1,
                clearance_cm: None,
                ..level("Ground", "V-", 0, 2, 6)
            }],
            crowds: vec![visiting_crowd()],
            unplaced: 2,
            broken: 1,
        }
    }

    /// An office car park of about that many spots on levels of 48, for its own seed.
    #[must_use]
    pub fn office(seed: u64, spots: usize) -> Self {
        let spots = i64::try_from(spots).unwrap_or(1).clamp(1, 2_000);
        let levels = (spots + 47) / 48;
        let plan_level = |index: i64| {
            // Those before it are full; rows of twelve.
            let here = (spots - index * 48).min(48);
            let name = format!("L{}", index + 1);
            let prefix = format!("S{seed}-{name}-");
            let (rows, columns) = if here < 12 { (1, here) } else { ((here + 11) / 12, 12) };
            let (accessible, charging) = if index == 0 { (2.min(here), 4.min((here - 2).max(0))) } else { (0, 0) };
            LevelPlan { accessible, charging, stairs: index, ..level(&name, &prefix, index + 1, rows, columns) }
        };
        Self {
            name: format!("Office car park {seed}"),
            address: "5 Harbour Street".to_owned(),
            latitude: 52.5239,
            longitude: 13.3711,
            stale_after_minutes: 30,
            levels: (0..levels).map(plan_level).collect(),
            crowds: office_crowds(),
            unplaced: 0,
            broken: 0,
        }
    }
}

fn level(name: &str, prefix: &str, position: i64, rows: i64, columns: i64) -> LevelPlan {
    LevelPlan {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        position,
        rows,
        columns,
        accessible: 0,
        charging: 0,
        clearance_cm: Some(210),
        stairs: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn demo_has_the_spots_that_are_told_of_it() {
        let garage = LotPlan::main_garage().spots();
        let count = |level: usize| garage.iter().filter(|spot| spot.level == level).count();
        assert_eq!([count(0), count(1), count(2)], [40, 48, 48]);
        assert_eq!((garage[0].id.as_str(), garage[39].sensor_id.as_str()), ("B1-001", "US-B1-040"));
        let of = |purpose| garage.iter().filter(|spot| spot.purpose == purpose).count();
        assert_eq!((of(Purpose::Accessible), of(Purpose::Charging)), (4, 8));

        let small = LotPlan::visitor_parking().spots();
        let mounted: Vec<Mounting> = small.iter().map(|spot| spot.mounting).collect();
        assert_eq!(mounted[9..], [Mounting::Broken, Mounting::Unplaced, Mounting::Unplaced]);
        assert!(mounted[..9].iter().all(|mounting| *mounting == Mounting::Placed));
    }

    #[test]
    fn office_is_as_large_as_asked_to_a_row_and_its_ids_are_its_own() {
        for spots in [1, 5, 48, 49, 136, 500] {
            let plan = LotPlan::office(3, spots).spots();
            assert!((spots..spots + 12).contains(&plan.len()), "{spots}: {}", plan.len());
            let ids: BTreeSet<_> =
                plan.iter().chain(&LotPlan::office(4, spots).spots()).map(|spot| spot.id.clone()).collect();
            assert_eq!(ids.len(), 2 * plan.len());
            assert!(plan.iter().all(|spot| spot.sensor_id.len() <= 50));
        }
    }
}
