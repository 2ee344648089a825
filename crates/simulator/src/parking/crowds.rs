//! Who parks where: made up, in the shape that counts at garages have, two peaks on a working day and stays by purpose.

use super::demand::{Crowd, Stay};

const fn stay(median_min: f64, sigma: f64) -> Stay {
    Stay { median_min, sigma }
}

/// An office car park: it fills in the morning, has visitors all day, people at lunch and in the evening, and some who
/// live near by.
#[must_use]
pub fn office_crowds() -> Vec<Crowd> {
    vec![
        Crowd {
            name: "commuters",
            by_hour: [
                0.1, 0.1, 0.1, 0.2, 0.6, 3.0, 9.0, 23.0, 27.0, 12.0, 5.0, 3.0, 3.0, 4.0, 2.5, 1.5, 0.8, 0.5, 0.4, 0.3,
                0.2, 0.2, 0.1, 0.1,
            ],
            by_day: [0.95, 1.06, 1.04, 1.08, 0.82, 0.08, 0.04],
            stays: vec![(0.0, stay(500.0, 0.22)), (9.5, stay(270.0, 0.35)), (15.0, stay(150.0, 0.4))],
            reserving: 0.04,
        },
        Crowd {
            name: "visitors",
            by_hour: [
                0.1, 0.1, 0.1, 0.1, 0.1, 0.3, 0.8, 1.5, 3.5, 5.0, 6.0, 6.5, 7.0, 6.5, 6.5, 6.0, 5.0, 4.5, 3.0, 2.0,
                1.2, 0.8, 0.5, 0.2,
            ],
            by_day: [0.9, 1.0, 1.0, 1.05, 1.1, 0.9, 0.4],
            stays: vec![(0.0, stay(70.0, 0.6))],
            reserving: 0.05,
        },
        Crowd {
            name: "lunch",
            by_hour: [
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 4.0, 14.0, 10.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0,
            ],
            by_day: [1.0, 1.0, 1.0, 1.0, 1.1, 0.5, 0.3],
            stays: vec![(0.0, stay(48.0, 0.35))],
            reserving: 0.0,
        },
        evening_crowd(),
        Crowd {
            name: "residents",
            by_hour: [
                0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 3.0, 2.5,
                2.0, 1.2, 0.8, 0.4,
            ],
            by_day: [1.0; 7],
            stays: vec![(0.0, stay(460.0, 0.2)), (16.0, stay(770.0, 0.15)), (20.0, stay(640.0, 0.18))],
            reserving: 0.0,
        },
    ]
}

fn evening_crowd() -> Crowd {
    Crowd {
        name: "evening",
        by_hour: [
            0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 3.5, 8.0, 7.5, 3.5,
            1.0, 0.3, 0.0,
        ],
        by_day: [0.7, 0.7, 0.8, 1.0, 1.4, 1.6, 0.7],
        stays: vec![(0.0, stay(145.0, 0.35))],
        reserving: 0.06,
    }
}

/// A garage by a station: fewer who work near by, and many who bring and fetch somebody, at any hour.
#[must_use]
pub fn station_crowds() -> Vec<Crowd> {
    let mut crowds = office_crowds();
    for crowd in &mut crowds {
        if crowd.name == "commuters" {
            crowd.by_hour = crowd.by_hour.map(|rate| rate * 0.6);
        }
    }
    crowds.push(Crowd {
        name: "stops",
        by_hour: [
            58.0, 55.0, 55.0, 55.0, 56.0, 62.0, 75.0, 92.0, 98.0, 85.0, 78.0, 78.0, 82.0, 82.0, 78.0, 80.0, 90.0,
            105.0, 100.0, 85.0, 75.0, 68.0, 64.0, 60.0,
        ],
        by_day: [1.0, 1.0, 1.0, 1.05, 1.15, 0.95, 0.9],
        stays: vec![(0.0, stay(10.0, 0.5))],
        reserving: 0.0,
    });
    crowds
}

/// A small lot whose cars stay for a visit.
#[must_use]
pub fn visiting_crowd() -> Crowd {
    Crowd {
        name: "guests",
        by_hour: [
            6.0, 5.0, 4.0, 4.0, 5.0, 8.0, 16.0, 32.0, 50.0, 60.0, 64.0, 60.0, 55.0, 60.0, 60.0, 56.0, 50.0, 42.0, 34.0,
            26.0, 18.0, 12.0, 9.0, 7.0,
        ],
        by_day: [1.0, 1.0, 1.0, 1.0, 0.95, 0.5, 0.4],
        stays: vec![(0.0, stay(38.0, 0.55))],
        reserving: 0.03,
    }
}
