//! What a live event does to what a page of parking shows. Plain functions: no signals, no clock, no I/O.

use portico_model::Timestamp;
use portico_model::live::Event;
use portico_model::parking::SpotCounts;
use portico_model::parking::spot::{Spot, SpotState, SpotStatus};
use serde_json::Value;

/// An event of parking that came over the line, taken apart by hand as in `live/topics.rs`.
#[must_use]
pub fn event_of(kind: &str, data: &mut Value) -> Option<Event> {
    match kind {
        "parking_changed" => Some(Event::ParkingChanged),
        "parking_sensors_changed" => Some(Event::ParkingSensorsChanged),
        "parking_sessions_changed" => Some(Event::ParkingSessionsChanged),
        "spot_status_changed" => Some(Event::SpotStatusChanged {
            spot_id: data.get("spot_id")?.as_str()?.to_owned(),
            key: data.get("key")?.as_str()?.parse().ok()?,
            lot_id: data.get("lot_id")?.as_str()?.parse().ok()?,
            occupied: data.get("occupied").and_then(Value::as_bool),
            status: SpotStatus::parse(data.get("status")?.as_str()?)?,
            timestamp: Timestamp::parse_iso(data.get("timestamp")?.as_str()?)?,
        }),
        "spot_reserved" => Some(Event::SpotReserved {
            spot_id: data.get("spot_id")?.as_str()?.to_owned(),
            key: data.get("key")?.as_str()?.parse().ok()?,
            lot_id: data.get("lot_id")?.as_str()?.parse().ok()?,
            reservation_id: data.get("reservation_id")?.as_str()?.parse().ok()?,
        }),
        "spot_changed" => {
            let spot = serde_json::from_value(data.get_mut("spot")?.take()).ok()?;
            Some(Event::SpotChanged { spot })
        }
        "reservation_changed" => {
            let reservation = serde_json::from_value(data.get_mut("reservation")?.take()).ok()?;
            Some(Event::ReservationChanged { reservation })
        }
        _ => None,
    }
}

/// Applies an event to a spot. Whether anything of it changed.
pub fn fold_spot(spot: &mut Spot, event: &Event) -> bool {
    match event {
        Event::SpotStatusChanged { key, occupied, status, timestamp, .. } if *key == spot.key => {
            let state = match occupied {
                Some(true) => SpotState::Occupied,
                Some(false) => SpotState::Free,
                None => SpotState::Unknown,
            };
            let now = Spot {
                state,
                status: *status,
                is_occupied: state == SpotState::Occupied,
                is_reserved: match status {
                    SpotStatus::Reserved => true,
                    SpotStatus::Available | SpotStatus::Unknown => false,
                    // These words go before "reserved".
                    SpotStatus::Occupied | SpotStatus::Disabled => spot.is_reserved,
                },
                last_updated: Some(*timestamp),
                ..spot.clone()
            };
            replace(spot, now)
        }
        Event::SpotChanged { spot: changed } if changed.key == spot.key => replace(spot, changed.clone()),
        _ => false,
    }
}

fn replace(spot: &mut Spot, now: Spot) -> bool {
    let differs = *spot != now;
    *spot = now;
    differs
}

/// How these spots are.
#[must_use]
pub fn count<'s>(spots: impl IntoIterator<Item = &'s Spot>) -> SpotCounts {
    spots.into_iter().fold(SpotCounts::default(), |mut counts, spot| {
        counts.add(spot.status, spot.is_occupied, spot.is_reserved);
        counts
    })
}

/// Spots by what they are to somebody who looks for one: each is in one part, so that the parts make up the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    pub occupied: i64,
    pub reserved: i64,
    pub unknown: i64,
    pub disabled: i64,
    pub available: i64,
}

impl Parts {
    /// A spot that is occupied and reserved is counted as both in [`SpotCounts`]; here it is occupied.
    #[must_use]
    pub fn of(counts: &SpotCounts) -> Self {
        let taken = (counts.total - counts.available - counts.unknown - counts.disabled).max(0);
        let occupied = counts.occupied.clamp(0, taken);
        Self {
            occupied,
            reserved: taken - occupied,
            unknown: counts.unknown,
            disabled: counts.disabled,
            available: counts.available,
        }
    }
}

/// Which spots of a level are looked for; empty means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub zone: String,
    pub is_accessible: bool,
    pub is_ev: bool,
    pub status: Option<SpotStatus>,
}

impl Filter {
    #[must_use]
    pub fn fits(&self, spot: &Spot) -> bool {
        (self.zone.is_empty() || self.zone == spot.zone)
            && (!self.is_accessible || spot.is_accessible)
            && (!self.is_ev || spot.is_ev)
            && self.status.is_none_or(|status| status == spot.status)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use portico_model::parking::reservation::ReservationState;
    use portico_model::{ReservationId, SpotId};

    use super::*;
    use crate::parking::reservations::pass::offers::tests::reservation;

    pub(crate) fn spot(id: &str) -> Spot {
        serde_json::from_value(serde_json::json!({
            "id": id, "key": format!("{id:0>32}"), "lot_id": "2".repeat(32), "level_id": "3".repeat(32),
            "location": "", "level": "L1", "zone": "A", "is_occupied": false, "is_reserved": false, "status": "available",
            "state": "free", "last_updated": null, "reserved_from": null, "reserved_until": null, "reservation_id": null,
            "sensor_type": null, "sensor_id": null, "is_accessible": false, "is_ev": false, "size": "standard",
            "clearance_cm": null, "is_disabled": false, "tariff_id": null,
            "outline": {"x": 225.0, "y": 350.0, "width": 250.0, "length": 500.0, "angle": 0.0}
        }))
        .unwrap()
    }

    fn change(key: SpotId, occupied: Option<bool>, status: SpotStatus) -> Event {
        let lot_id = spot("1").lot_id;
        let timestamp = Timestamp::from_millis(1_795_226_850_000);
        Event::SpotStatusChanged { spot_id: "1".into(), key, lot_id, occupied, status, timestamp }
    }

    #[test]
    fn events_are_read_as_the_server_writes_them() {
        let one = spot("1");
        let reserved = Event::SpotReserved {
            spot_id: "1".into(),
            key: one.key,
            lot_id: one.lot_id,
            reservation_id: ReservationId::nil(),
        };
        let sent = [
            change(one.key, Some(true), SpotStatus::Occupied),
            change(one.key, None, SpotStatus::Unknown),
            reserved,
            Event::SpotChanged { spot: one },
            Event::ReservationChanged { reservation: reservation(ReservationState::Confirmed) },
            Event::ParkingChanged,
            Event::ParkingSensorsChanged,
            Event::ParkingSessionsChanged,
        ];
        for event in sent {
            let mut data = serde_json::to_value(&event).unwrap();
            let kind = data["type"].as_str().unwrap().to_owned();
            assert_eq!(event_of(&kind, &mut data), Some(event), "{kind}");
        }
        assert_eq!(event_of("door_changed", &mut Value::Null), None);
    }

    #[test]
    fn status_changes_in_place_and_only_that_of_its_own_spot() {
        let (mut one, mut other) = (spot("1"), spot("2"));
        let event = change(one.key, Some(true), SpotStatus::Occupied);
        assert!(fold_spot(&mut one, &event));
        assert_eq!((one.status, one.state, one.is_occupied), (SpotStatus::Occupied, SpotState::Occupied, true));
        assert_eq!(one.last_updated, Some(Timestamp::from_millis(1_795_226_850_000)));
        assert!(!fold_spot(&mut one, &event), "the same again changes nothing");
        assert!(!fold_spot(&mut other, &event));
        assert_eq!(other, spot("2"));
    }

    #[test]
    fn silent_spot_is_unknown_and_not_free() {
        let mut one = spot("1");
        let event = change(one.key, None, SpotStatus::Unknown);
        assert!(fold_spot(&mut one, &event));
        assert_eq!((one.status, one.state), (SpotStatus::Unknown, SpotState::Unknown));
    }

    #[test]
    fn reserved_spot_stays_reserved_while_a_car_stands_there() {
        let mut one = Spot { is_reserved: true, status: SpotStatus::Reserved, ..spot("1") };
        let came = change(one.key, Some(true), SpotStatus::Occupied);
        fold_spot(&mut one, &came);
        assert!(one.is_reserved);
        let left = change(one.key, Some(false), SpotStatus::Available);
        fold_spot(&mut one, &left);
        assert!(!one.is_reserved);
    }

    #[test]
    fn changed_settings_replace_the_spot() {
        let mut one = spot("1");
        let changed = Spot { zone: "B".into(), is_ev: true, ..spot("1") };
        assert!(fold_spot(&mut one, &Event::SpotChanged { spot: changed.clone() }));
        assert_eq!(one, changed);
    }

    #[test]
    fn parts_make_up_the_whole_though_counts_overlap() {
        let taken = Spot { status: SpotStatus::Occupied, is_occupied: true, is_reserved: true, ..spot("1") };
        let held = Spot { status: SpotStatus::Reserved, is_reserved: true, ..spot("2") };
        let broken = Spot { status: SpotStatus::Disabled, is_occupied: true, is_disabled: true, ..spot("3") };
        let spots = [taken, held, broken, spot("4"), Spot { status: SpotStatus::Unknown, ..spot("5") }];
        let counts = count(&spots);
        assert_eq!((counts.occupied, counts.reserved, counts.total), (2, 2, 5));
        let parts = Parts::of(&counts);
        assert_eq!(parts.occupied + parts.reserved + parts.unknown + parts.disabled + parts.available, 5);
        assert_eq!((parts.available, parts.unknown, parts.disabled), (1, 1, 1));
    }

    #[test]
    fn all_that_is_asked_of_a_spot_must_hold() {
        let ev = Spot { is_ev: true, ..spot("1") };
        assert!(Filter::default().fits(&ev));
        assert!(Filter { is_ev: true, zone: "A".into(), ..Filter::default() }.fits(&ev));
        assert!(!Filter { is_ev: true, zone: "B".into(), ..Filter::default() }.fits(&ev));
        assert!(!Filter { is_accessible: true, ..Filter::default() }.fits(&ev));
        assert!(!Filter { status: Some(SpotStatus::Occupied), ..Filter::default() }.fits(&ev));
    }
}
