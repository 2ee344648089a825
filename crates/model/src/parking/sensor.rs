//! Sensors: what they say, and what is made of it.

use serde::{Deserialize, Serialize};

use super::spot::SpotState;
use crate::{DeviceId, ParkingSensorId, SpotId, Timestamp};

/// Clocks of sensors may be ahead by so much, milliseconds; whatever is further ahead, or from before 2020, is no time.
const AHEAD_MS: i64 = 5 * 60_000;
const FIRST_TIME: Timestamp = Timestamp::from_millis(1_577_836_800_000);

/// Changes of a sensor that says the same so often are believed, whatever the time in between.
const AGREEING: i64 = 3;

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub at: Timestamp,
    pub occupied: bool,
    /// To the nearest thing, centimetres.
    pub distance_cm: Option<f64>,
    /// 0 to 100.
    pub battery_percent: Option<f64>,
    /// Of its radio, dBm.
    pub rssi_dbm: Option<f64>,
}

/// The time that a sensor gives, or when its message came where that cannot be.
#[must_use]
pub fn plausible(said: Option<Timestamp>, received_at: Timestamp) -> Timestamp {
    said.filter(|said| *said >= FIRST_TIME && *said <= received_at.plus_millis(AHEAD_MS)).unwrap_or(received_at)
}

/// What is believed of a spot by what its sensor said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Belief {
    /// Absent: nothing was said yet.
    pub occupied: Option<bool>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Of the newest measurement.
    pub newest: Option<Timestamp>,
    /// It says otherwise since then, so often in a row.
    pub doubt: Option<Doubt>,
}

/// A change that is not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    pub since: Timestamp,
    pub times: i64,
}

impl Belief {
    /// Takes a measurement. True: what is believed has changed. What is older than the newest one changes nothing, so
    /// that messages may come twice and in any order. A change is believed at once, unless the one before it is
    /// younger than `debounce_ms`: then it must last as long, or be said three times.
    pub fn take(&mut self, at: Timestamp, occupied: bool, debounce_ms: i64) -> bool {
        if self.newest.is_some_and(|newest| at <= newest) {
            return false;
        }
        self.newest = Some(at);
        if self.occupied == Some(occupied) {
            self.doubt = None;
            return false;
        }
        let settled = self.since.is_none_or(|since| at.millis_since(since) >= debounce_ms);
        let doubt = self.doubt.map_or(Doubt { since: at, times: 1 }, |doubt| Doubt { times: doubt.times + 1, ..doubt });
        if self.occupied.is_none() || settled && self.doubt.is_none() {
            self.believe(occupied, at);
        } else if doubt.times >= AGREEING || at.millis_since(doubt.since) >= debounce_ms {
            self.believe(occupied, doubt.since);
        } else {
            self.doubt = Some(doubt);
            return false;
        }
        true
    }

    /// Nothing contradicted a doubt for long enough. True: what is believed has changed.
    pub fn settle(&mut self, now: Timestamp, debounce_ms: i64) -> bool {
        match (self.doubt, self.occupied) {
            (Some(doubt), Some(occupied)) if now.millis_since(doubt.since) >= debounce_ms => {
                self.believe(!occupied, doubt.since);
                true
            }
            _ => false,
        }
    }

    /// What follows for the spot.
    #[must_use]
    pub const fn state(&self) -> SpotState {
        match self.occupied {
            Some(true) => SpotState::Occupied,
            Some(false) => SpotState::Free,
            None => SpotState::Unknown,
        }
    }

    const fn believe(&mut self, occupied: bool, since: Timestamp) {
        self.occupied = Some(occupied);
        self.since = Some(since);
        self.doubt = None;
    }
}

/// A sensor, with or without a spot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000a5", "sensor_id": "PARK_001", "device_id": null, "spot_id": "PARK_001",
    "spot_key": "0199a0000000700080000000000000a1", "is_ignored": false, "is_silent": false, "is_bridged": false,
    "occupied": true,
    "reported_at": "2026-11-21T02:00:00.000+00:00", "heard_at": "2026-11-21T02:00:01.000+00:00", "distance_cm": 42.5,
    "battery_percent": 85.0, "rssi_dbm": -60.0, "firmware_version": "1.0.0", "location": "Level_1_Spot_A1",
    "messages": 120, "first_seen_at": "2026-11-20T02:00:00.000+00:00"
})))]
pub struct Sensor {
    pub id: ParkingSensorId,
    /// What it calls itself.
    pub sensor_id: String,
    /// The device that speaks for it; absent: a program with a key of its own does.
    pub device_id: Option<DeviceId>,
    /// What is written on the sign of its spot.
    pub spot_id: Option<String>,
    pub spot_key: Option<SpotId>,
    /// It is no longer listed among the new ones.
    pub is_ignored: bool,
    /// Not heard of for longer than its lot allows.
    pub is_silent: bool,
    /// Its last message came over the bridge for older firmware: nothing proves that it was its own.
    pub is_bridged: bool,
    /// As believed; absent: it said nothing yet.
    pub occupied: Option<bool>,
    /// Time of its newest measurement.
    pub reported_at: Option<Timestamp>,
    /// When a message last came.
    pub heard_at: Timestamp,
    pub distance_cm: Option<f64>,
    pub battery_percent: Option<f64>,
    pub rssi_dbm: Option<f64>,
    pub firmware_version: String,
    /// Where it says that it is.
    pub location: String,
    pub messages: i64,
    pub first_seen_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn first_word_and_rare_changes_are_believed_at_once() {
        let mut belief = Belief::default();
        assert!(belief.take(at(0), false, 5_000));
        assert!(belief.take(at(6_000), true, 5_000));
        assert!(!belief.take(at(7_000), true, 5_000));
        assert_eq!((belief.occupied, belief.since), (Some(true), Some(at(6_000))));
    }

    #[test]
    fn flicker_is_believed_when_it_lasts_or_is_said_three_times() {
        let mut belief = Belief::default();
        belief.take(at(0), false, 5_000);
        belief.take(at(10_000), true, 5_000);
        assert!(!belief.take(at(11_000), false, 5_000), "too soon");
        assert!(!belief.take(at(12_000), true, 5_000), "it was nothing");
        assert_eq!(belief.doubt, None);
        assert!(!belief.take(at(13_000), false, 5_000));
        assert!(belief.take(at(18_000), false, 5_000), "it lasted");
        assert_eq!(belief.since, Some(at(13_000)), "since it began");

        assert!(!belief.take(at(18_100), true, 60_000));
        assert!(!belief.take(at(18_200), true, 60_000));
        assert!(belief.take(at(18_300), true, 60_000), "said three times");
    }

    #[test]
    fn change_that_nothing_contradicts_is_believed_without_another_message() {
        let mut belief = Belief::default();
        belief.take(at(0), true, 5_000);
        belief.take(at(1_000), false, 5_000);
        assert!(!belief.settle(at(5_999), 5_000));
        assert!(belief.settle(at(6_000), 5_000));
        assert_eq!((belief.occupied, belief.since), (Some(false), Some(at(1_000))));
        assert!(!belief.settle(at(60_000), 5_000));
    }

    #[test]
    fn times_that_cannot_be_are_not_believed() {
        let now = at(1_795_226_400_000);
        let seen = |said: Option<i64>| plausible(said.map(at), now).millis() - now.millis();
        assert_eq!([seen(None), seen(Some(0)), seen(Some(-5)), seen(Some(i64::MAX))], [0; 4]);
        assert_eq!(seen(Some(1_795_226_400_000 - 3_600_000)), -3_600_000);
        assert_eq!(seen(Some(1_795_226_400_000 + 60_000)), 60_000);
    }

    proptest! {
        /// However messages are repeated: the end is the same.
        #[test]
        fn repeated_messages_change_nothing(said in prop::collection::vec((0_i64..100_000, any::<bool>()), 1..40), debounce in 0_i64..20_000) {
            let (mut once, mut twice) = (Belief::default(), Belief::default());
            for (ms, occupied) in said {
                once.take(at(ms), occupied, debounce);
                twice.take(at(ms), occupied, debounce);
                prop_assert!(!twice.take(at(ms), !occupied, debounce), "the second of one moment");
                prop_assert_eq!(once, twice);
            }
        }

        /// Whatever was said before: once it says the same for long enough, that is believed.
        #[test]
        fn what_is_said_last_is_believed_in_the_end(said in prop::collection::vec((0_i64..2_000, any::<bool>()), 1..60), debounce in 0_i64..20_000) {
            let mut belief = Belief::default();
            let mut now = 0;
            for (pause, occupied) in &said {
                now += pause + 1;
                belief.take(at(now), *occupied, debounce);
            }
            belief.settle(at(now + debounce), debounce);
            prop_assert_eq!(belief.occupied, said.last().map(|(_, occupied)| *occupied));
        }
    }
}
