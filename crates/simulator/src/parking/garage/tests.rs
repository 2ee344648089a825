use proptest::prelude::*;

use super::*;

/// 2026-11-17, a Tuesday.
const MIDNIGHT: Timestamp = Timestamp::from_millis(1_794_873_600_000);

fn at(hours: i64) -> Timestamp {
    MIDNIGHT.plus_millis(hours * HOUR_MS)
}

fn overloaded(seed: u64, load: f64) -> Garage {
    let mut plan = LotPlan::visitor_parking();
    for crowd in &mut plan.crowds {
        crowd.by_hour = crowd.by_hour.map(|rate| rate * load);
        crowd.reserving = 0.3;
    }
    Garage::new(&plan, seed, MIDNIGHT)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However many come: a car stands alone on its spot, and each that leaves was there.
    #[test]
    fn there_are_never_more_cars_than_spots(seed: u64, load in 0.1_f64..20.0, step_min in 1_i64..300) {
        let mut garage = overloaded(seed, load);
        let mut taken = BTreeSet::new();
        let mut last_ms = MIDNIGHT.millis();
        for step in 1..=2 * 1_440 / step_min {
            for happened in garage.advance(MIDNIGHT.plus_millis(step * step_min * MINUTE_MS)) {
                let at_ms = match happened {
                    Happening::Arrived { at_ms, spot, .. } => {
                        prop_assert!(taken.insert(spot), "two cars on spot {}", spot);
                        at_ms
                    }
                    Happening::Left { at_ms, spot } => {
                        prop_assert!(taken.remove(&spot), "nobody was on spot {}", spot);
                        at_ms
                    }
                    Happening::TurnedAway { at_ms }
                    | Happening::Booked { at_ms, .. }
                    | Happening::NotCome { at_ms, .. } => at_ms,
                };
                prop_assert!(at_ms >= last_ms, "in order");
                last_ms = at_ms;
            }
            prop_assert_eq!(garage.occupied(), taken.len());
            prop_assert!(garage.occupied() <= garage.spots().len());
        }
        let tally = garage.tally();
        prop_assert_eq!(tally.arrived - tally.left, taken.len() as u64);
    }

    /// In however many steps: the same day.
    #[test]
    fn steps_make_no_difference(seed: u64, step_min in 1_i64..500) {
        let mut whole = overloaded(seed, 2.0);
        let mut steps = whole.clone();
        let all = whole.advance(at(48));
        let mut pieces = Vec::new();
        for minute in (0..2_880).step_by(usize::try_from(step_min).unwrap()).chain([2_880]) {
            pieces.extend(steps.advance(MIDNIGHT.plus_millis(minute * MINUTE_MS)));
        }
        prop_assert_eq!(all, pieces);
    }
}

#[test]
fn same_seed_gives_the_same_day() {
    let day = |seed: u64| Garage::at(&LotPlan::main_garage(), seed, MIDNIGHT).advance(at(24));
    let one = day(5);
    assert!(one.len() > 1_000, "{}", one.len());
    assert_eq!(one, day(5));
    assert_ne!(one, day(6));
}

#[test]
fn it_is_the_same_whether_one_was_there_or_came_later() {
    for plan in [LotPlan::main_garage(), LotPlan::visitor_parking(), LotPlan::office(1, 100)] {
        let mut stayed = Garage::at(&plan, 5, MIDNIGHT);
        for hour in 1..=30 {
            stayed.advance(at(hour));
        }
        let came = Garage::at(&plan, 5, at(30));
        let cars = |garage: &Garage| (0..garage.spots().len()).map(|spot| garage.car(spot)).collect::<Vec<_>>();
        assert_eq!(cars(&stayed), cars(&came), "{}", plan.name);
    }
}

#[test]
#[allow(clippy::cast_precision_loss)]
fn it_is_as_full_as_the_hour_has_it() {
    for plan in [LotPlan::main_garage(), LotPlan::office(1, 136)] {
        let share = |hours: i64| {
            let weeks = (0..4).map(|week| {
                let garage = Garage::at(&plan, 5, at(hours + 24 * 7 * week));
                garage.occupied() as f64 / garage.spots().len() as f64
            });
            weeks.sum::<f64>() / 4.0
        };
        let (night, morning, noon, evening, saturday) = (share(3), share(7), share(11), share(20), share(4 * 24 + 11));
        assert!((0.05..0.3).contains(&night), "{}: {night}", plan.name);
        assert!(night < morning && morning < noon, "{}: {morning}", plan.name);
        assert!((0.65..0.97).contains(&noon), "{}: {noon}", plan.name);
        assert!((0.2..0.7).contains(&evening), "{}: {evening}", plan.name);
        assert!(saturday < 0.6 * noon, "{}: {saturday}", plan.name);
    }
}

#[test]
fn spots_are_taken_by_those_whom_they_are_for_and_near_ones_more_often() {
    let plan = LotPlan::main_garage();
    let mut garage = Garage::at(&plan, 5, MIDNIGHT);
    let spots = plan.spots();
    let days = day_of(MIDNIGHT.millis()) - 8..day_of(MIDNIGHT.millis()) + 3;
    let vehicles: BTreeMap<i64, Vehicle> =
        days.flat_map(|day| garage.demand.arrivals(day)).map(|arrival| (arrival.id, arrival.vehicle)).collect();
    let mut times = vec![0_u32; spots.len()];
    for hour in 1..=48 {
        for happened in garage.advance(at(hour)) {
            if let Happening::Arrived { spot, .. } = happened {
                times[spot] += 1;
            }
        }
        for (spot, plan) in spots.iter().enumerate() {
            let Some(car) = garage.car(spot) else { continue };
            match plan.purpose {
                Purpose::Anybody => {}
                Purpose::Charging => assert_eq!(vehicles[&car], Vehicle::Electric),
                Purpose::Accessible => assert_eq!(vehicles[&car], Vehicle::Badge),
            }
        }
    }
    let mean = |near: bool| {
        let of: Vec<u32> = spots
            .iter()
            .zip(&times)
            .filter(|(spot, _)| spot.purpose == Purpose::Anybody && (spot.walk_m < 25.0) == near)
            .map(|(_, times)| *times)
            .collect();
        f64::from(of.iter().sum::<u32>()) / f64::from(u32::try_from(of.len()).unwrap())
    };
    assert!(mean(true) > 2.0 * mean(false), "{} {}", mean(true), mean(false));
}

#[test]
#[allow(clippy::cast_precision_loss)]
fn some_who_reserved_do_not_come_and_the_others_come_about_the_hour() {
    let mut garage = overloaded(5, 0.5);
    let mut booked = BTreeMap::new();
    let mut offs = Vec::new();
    for happened in garage.advance(at(60 * 24)) {
        match happened {
            Happening::Booked { booking, at_ms } => {
                assert!(booking.start_ms > at_ms - QUARTER_MS && booking.end_ms > booking.start_ms);
                booked.insert(booking.spot, booking);
            }
            Happening::Arrived { at_ms, spot, has_booked: true } => {
                offs.extend(booked.get(&spot).map(|booking| (at_ms - booking.start_ms) / MINUTE_MS));
            }
            _ => {}
        }
    }
    let tally = garage.tally();
    let missing = tally.not_come as f64 / tally.booked as f64;
    assert!(tally.booked > 500, "{tally:?}");
    assert!((NO_SHOWS - 0.03..NO_SHOWS + 0.04).contains(&missing), "{missing}");
    assert!(offs.iter().any(|off| *off < 0) && offs.iter().any(|off| *off > 5));
}

#[test]
fn what_is_kept_free_stays_free() {
    let mut garage = overloaded(5, 20.0);
    garage.keep_free([2, 3].into());
    garage.advance(at(20));
    assert_eq!((garage.car(2), garage.car(3)), (None, None));
    assert!(garage.tally().turned_away > 0, "{:?}", garage.tally());
}
