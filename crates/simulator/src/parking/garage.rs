//! A car park as time passes: cars come, look for a spot, stay and leave; some have reserved. No clock and no I/O: it is
//! told how late it is. Times are the building's, in milliseconds of its local time.

use std::collections::{BTreeMap, BTreeSet};

use portico_model::Timestamp;

use super::demand::{Arrival, Demand, HOUR_MS, MINUTE_MS, Vehicle, day_of, week_before};
use super::dice::Dice;
use super::plan::{LotPlan, Purpose, SpotPlan};
use crate::noise;

/// Reservations begin and end at quarters of an hour.
pub const QUARTER_MS: i64 = 15 * MINUTE_MS;
/// Nobody else takes a spot so long before a reservation of it.
const KEPT_FREE_MS: i64 = 30 * MINUTE_MS;
/// Who has not come by then has lost it (`portico_model::parking::lot::BookingRules`).
const NO_SHOW_MS: i64 = 60 * MINUTE_MS;
/// Share of those with a reservation who never come.
const NO_SHOWS: f64 = 0.08;
/// Of cars that want to charge: how many go to a charger although another spot would do.
const CHARGING: f64 = 0.85;
/// How many metres of walking somebody does not mind: more, and spots are chosen more evenly.
const INDIFFERENCE_M: f64 = 9.0;

/// Somebody has a spot for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booking {
    /// Unique, of the driver.
    pub id: i64,
    pub spot: usize,
    pub start_ms: i64,
    pub end_ms: i64,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    Arrived {
        at_ms: i64,
        spot: usize,
        has_booked: bool,
    },
    Left {
        at_ms: i64,
        spot: usize,
    },
    /// There was no spot for it.
    TurnedAway {
        at_ms: i64,
    },
    Booked {
        at_ms: i64,
        booking: Booking,
    },
    /// Who had reserved has not come.
    NotCome {
        at_ms: i64,
        booking: Booking,
    },
}

/// How often what has happened since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub arrived: u64,
    pub left: u64,
    pub turned_away: u64,
    pub booked: u64,
    pub not_come: u64,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Book(Arrival),
    Come(Arrival),
    /// Who has reserved comes.
    Claim(Arrival, Booking),
    Release(Booking),
    Leave(usize),
}

impl Event {
    /// What comes first of one driver at one moment.
    const fn order(&self) -> u8 {
        match self {
            Self::Book(_) => 0,
            Self::Claim(..) => 1,
            Self::Come(_) => 2,
            Self::Release(_) => 3,
            Self::Leave(_) => 4,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Car {
    id: i64,
    /// It has reserved until then.
    booked_until_ms: Option<i64>,
}

/// A car park at a moment.
#[derive(Debug, Clone)]
pub struct Garage {
    spots: Vec<SpotPlan>,
    demand: Demand,
    now_ms: i64,
    cars: Vec<Option<Car>>,
    /// Reservations whose holders have not come yet.
    bookings: BTreeMap<i64, Booking>,
    /// Spots that somebody else has reserved.
    kept_free: BTreeSet<usize>,
    queue: BTreeMap<(i64, i64, u8), Event>,
    next_day: i64,
    tally: Tally,
}

impl Garage {
    /// An empty one.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // at most some thousand spots
    pub fn new(plan: &LotPlan, seed: u64, now: Timestamp) -> Self {
        let spots = plan.spots();
        let demand = Demand { seed, crowds: plan.crowds.clone(), scale: spots.len() as f64 / 100.0 };
        Self {
            cars: vec![None; spots.len()],
            spots,
            demand,
            now_ms: now.millis(),
            bookings: BTreeMap::new(),
            kept_free: BTreeSet::new(),
            queue: BTreeMap::new(),
            next_day: day_of(now.millis()),
            tally: Tally::default(),
        }
    }

    /// As it is at that moment: what came before has been lived through, so that a restart goes on where it was.
    #[must_use]
    pub fn at(plan: &LotPlan, seed: u64, now: Timestamp) -> Self {
        let mut garage = Self::new(plan, seed, week_before(now));
        garage.advance(now);
        garage.tally = Tally::default();
        garage
    }

    /// Lets time pass, never back; what has happened, in order.
    pub fn advance(&mut self, until: Timestamp) -> Vec<Happening> {
        let until_ms = until.millis();
        // A day ahead: people reserve the day before.
        while self.next_day <= day_of(until_ms) + 1 {
            self.expect(self.next_day);
            self.next_day += 1;
        }
        let mut happened = Vec::new();
        while let Some(first) = self.queue.first_entry().filter(|first| first.key().0 <= until_ms) {
            let ((at_ms, id, _), event) = first.remove_entry();
            self.now_ms = at_ms;
            happened.extend(self.take(at_ms, id, event));
        }
        self.now_ms = self.now_ms.max(until_ms);
        for one in &happened {
            let tally = &mut self.tally;
            *match one {
                Happening::Arrived { .. } => &mut tally.arrived,
                Happening::Left { .. } => &mut tally.left,
                Happening::TurnedAway { .. } => &mut tally.turned_away,
                Happening::Booked { .. } => &mut tally.booked,
                Happening::NotCome { .. } => &mut tally.not_come,
            } += 1;
        }
        happened
    }

    #[must_use]
    pub fn spots(&self) -> &[SpotPlan] {
        &self.spots
    }

    /// The car on a spot.
    #[must_use]
    pub fn car(&self, spot: usize) -> Option<i64> {
        self.cars.get(spot).copied().flatten().map(|car| car.id)
    }

    #[must_use]
    pub fn occupied(&self) -> usize {
        self.cars.iter().flatten().count()
    }

    /// Reservations whose holders have not come yet.
    pub fn bookings(&self) -> impl Iterator<Item = Booking> {
        self.bookings.values().copied()
    }

    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Spots that drivers without a reservation of their own leave alone from now on.
    pub fn keep_free(&mut self, spots: BTreeSet<usize>) {
        self.kept_free = spots;
    }

    fn expect(&mut self, day: i64) {
        for arrival in self.demand.arrivals(day) {
            if !arrival.reserves {
                if arrival.at_ms >= self.now_ms {
                    self.queue(arrival.at_ms, arrival.id, Event::Come(arrival));
                }
                continue;
            }
            let mut dice = self.dice(920, arrival.id);
            let lead_ms = ms(dice.exponential(1.0 / 3.0).clamp(0.5, 11.0), HOUR_MS);
            let at_ms = (arrival.at_ms - lead_ms).max(self.now_ms);
            if arrival.at_ms - at_ms > QUARTER_MS {
                self.queue(at_ms, arrival.id, Event::Book(arrival));
            }
        }
    }

    fn queue(&mut self, at_ms: i64, id: i64, event: Event) {
        self.queue.insert((at_ms, id, event.order()), event);
    }

    fn dice(&self, stream: u64, id: i64) -> Dice {
        Dice::new(noise::mix(self.demand.seed, stream, id))
    }

    fn take(&mut self, at_ms: i64, id: i64, event: Event) -> Option<Happening> {
        match event {
            Event::Come(arrival) => Some(self.come(at_ms, &arrival)),
            Event::Leave(spot) => {
                self.cars[spot] = None;
                Some(Happening::Left { at_ms, spot })
            }
            Event::Book(arrival) => self.book(at_ms, arrival),
            Event::Claim(arrival, booking) => {
                // Too late: it was released.
                if self.bookings.remove(&id).is_none() || self.cars[booking.spot].is_some() {
                    return Some(self.come(at_ms, &arrival));
                }
                let off_ms = ms(self.dice(922, id).normal() * 12.0 - 8.0, MINUTE_MS);
                let leaves_ms = (booking.end_ms + off_ms).max(at_ms + 5 * MINUTE_MS);
                self.park(id, booking.spot, leaves_ms, Some(booking.end_ms));
                Some(Happening::Arrived { at_ms, spot: booking.spot, has_booked: true })
            }
            Event::Release(booking) => self.bookings.remove(&id).map(|_| Happening::NotCome { at_ms, booking }),
        }
    }

    fn park(&mut self, id: i64, spot: usize, leaves_ms: i64, booked_until_ms: Option<i64>) {
        self.cars[spot] = Some(Car { id, booked_until_ms });
        self.queue(leaves_ms, id, Event::Leave(spot));
    }

    fn come(&mut self, at_ms: i64, arrival: &Arrival) -> Happening {
        let soon_taken: BTreeSet<usize> = self
            .bookings
            .values()
            .filter(|booking| booking.start_ms - KEPT_FREE_MS <= at_ms)
            .map(|booking| booking.spot)
            .collect();
        let is_free =
            |spot: usize| self.cars[spot].is_none() && !soon_taken.contains(&spot) && !self.kept_free.contains(&spot);
        let Some(spot) = self.choose(arrival, is_free) else { return Happening::TurnedAway { at_ms } };
        self.park(arrival.id, spot, at_ms + arrival.stay_ms, None);
        Happening::Arrived { at_ms, spot, has_booked: false }
    }

    fn book(&mut self, at_ms: i64, arrival: Arrival) -> Option<Happening> {
        let start_ms = arrival.at_ms.div_euclid(QUARTER_MS) * QUARTER_MS;
        let quarters = arrival.stay_ms.div_euclid(QUARTER_MS) + 1;
        let end_ms = start_ms + quarters * QUARTER_MS;
        let is_held = |spot: usize| {
            let overlaps = |booking: &Booking| {
                booking.spot == spot
                    && booking.start_ms - KEPT_FREE_MS < end_ms
                    && start_ms < booking.end_ms + KEPT_FREE_MS
            };
            let by_car = self.cars[spot].and_then(|car| car.booked_until_ms);
            self.kept_free.contains(&spot)
                || by_car.is_some_and(|until_ms| start_ms < until_ms + KEPT_FREE_MS)
                || self.bookings.values().any(overlaps)
        };
        let Some(spot) = self.choose(&arrival, |spot| !is_held(spot)) else {
            // It tries its luck.
            self.queue(arrival.at_ms, arrival.id, Event::Come(arrival));
            return None;
        };
        let booking = Booking { id: arrival.id, spot, start_ms, end_ms };
        self.bookings.insert(booking.id, booking);
        self.queue(start_ms + NO_SHOW_MS, booking.id, Event::Release(booking));
        let mut dice = self.dice(921, arrival.id);
        if !dice.chance(NO_SHOWS) {
            let off_min = (dice.normal() * 10.0 - 2.0).clamp(-25.0, 85.0);
            let comes_ms = (start_ms + ms(off_min, MINUTE_MS)).max(at_ms + MINUTE_MS);
            self.queue(comes_ms, booking.id, Event::Claim(arrival, booking));
        }
        Some(Happening::Booked { at_ms, booking })
    }

    /// The spot that a driver takes: near the entrance rather than far from it, and only one that is for such a car.
    fn choose(&self, arrival: &Arrival, is_free: impl Fn(usize) -> bool) -> Option<usize> {
        let mut dice = self.dice(930, arrival.id);
        let goes_to_charger = dice.chance(CHARGING);
        let purposes: &[Purpose] = match arrival.vehicle {
            Vehicle::Ordinary => &[Purpose::Anybody],
            Vehicle::Badge => &[Purpose::Accessible, Purpose::Anybody],
            Vehicle::Electric if goes_to_charger => &[Purpose::Charging, Purpose::Anybody],
            Vehicle::Electric => &[Purpose::Anybody, Purpose::Charging],
        };
        // One throw for each spot, so that a choice does not hang on which others are free.
        let likes: Vec<f64> = self.spots.iter().map(|spot| dice.gumbel() - spot.walk_m / INDIFFERENCE_M).collect();
        purposes.iter().find_map(|purpose| {
            (0..self.spots.len())
                .filter(|spot| self.spots[*spot].purpose == *purpose && is_free(*spot))
                .max_by(|one, other| likes[*one].total_cmp(&likes[*other]))
        })
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // some hours
fn ms(amount: f64, unit_ms: i64) -> i64 {
    (amount * unit_ms as f64) as i64
}

#[cfg(test)]
mod tests;
