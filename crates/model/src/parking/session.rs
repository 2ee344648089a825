//! Vehicles that come and leave.

use serde::{Deserialize, Serialize};

use super::tariff::Price;
use crate::words::words;
use crate::{LotId, ParkingSessionId, PermitId, ReservationId, SpotId, TariffId, Timestamp};

/// Longest number plate as it is read, characters.
pub const MAX_PLATE_CHARS: usize = 20;

words! {
    /// Who or what saw the vehicle come.
    SessionSource {
        /// A camera that reads number plates.
        Camera = "camera",
        Person = "person",
        /// A program with a key.
        Api = "api",
        /// What watches a single spot.
        Sensor = "sensor",
    }
}

/// How number plates are compared: letters and digits alone, upper case. `b-ab 123` and `B AB123` are the same.
#[must_use]
pub fn plate_key(plate: &str) -> String {
    plate.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// That a vehicle is in a lot, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000a8", "lot_id": "0199a0000000700080000000000000a2", "lot_name": "Main garage",
    "time_zone": "Europe/Berlin", "spot_id": null, "spot_key": null, "plate": "B AB 123", "source": "camera",
    "entered_at": "2026-11-23T08:00:00.000+00:00", "left_at": "2026-11-23T09:40:00.000+00:00", "reservation_id": null,
    "permit_id": null, "covered_until": null, "grace_minutes": 0,
    "may_stay_until": null, "is_overstaying": false,
    "tariff_id": "0199a0000000700080000000000000a4", "tariff_version": 3,
    "price": {"total_minor": 600, "currency": "EUR", "parts": []}, "amount_minor": 600, "currency": "EUR",
    "paid_minor": 0, "due_minor": 600, "created_at": "2026-11-23T08:00:01.000+00:00",
    "updated_at": "2026-11-23T09:40:01.000+00:00"
})))]
pub struct ParkingSession {
    pub id: ParkingSessionId,
    pub lot_id: LotId,
    pub lot_name: String,
    /// Of the lot.
    pub time_zone: String,
    /// What is written on the sign of the spot, where that is known.
    pub spot_id: Option<String>,
    pub spot_key: Option<SpotId>,
    /// As it was read; empty: not read, or no longer kept.
    pub plate: String,
    pub source: SessionSource,
    pub entered_at: Timestamp,
    /// Absent: it is still there.
    pub left_at: Option<Timestamp>,
    /// The reservation that covers it.
    pub reservation_id: Option<ReservationId>,
    /// The permit that covers it.
    pub permit_id: Option<PermitId>,
    /// Until when its reservation or permit holds; absent: it has none, or its permit has no end.
    pub covered_until: Option<Timestamp>,
    /// So long after that it may still leave.
    pub grace_minutes: i64,
    /// Without reservation and permit: until when the lot lets it stay; absent: as long as it likes.
    pub may_stay_until: Option<Timestamp>,
    /// It is still there, and for longer than it may.
    pub is_overstaying: bool,
    /// In force when it came; absent: parking cost nothing then.
    pub tariff_id: Option<TariffId>,
    pub tariff_version: Option<i64>,
    /// What the time costs that nothing covers; as long as it is there, so far.
    pub price: Price,
    pub amount_minor: i64,
    pub currency: String,
    pub paid_minor: i64,
    /// What is still to be paid.
    pub due_minor: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ParkingSession {
    #[must_use]
    pub const fn is_covered(&self) -> bool {
        self.reservation_id.is_some() || self.permit_id.is_some()
    }

    /// From when on it stays longer than its reservation, its permit or the lot lets it.
    #[must_use]
    pub fn overstays_from(&self) -> Option<Timestamp> {
        if !self.is_covered() {
            return self.may_stay_until;
        }
        Some(self.covered_until?.plus_millis(self.grace_minutes * 60_000))
    }

    /// Whether it is still there at this moment, and for longer than it may.
    #[must_use]
    pub fn overstays_at(&self, now: Timestamp) -> bool {
        self.left_at.is_none() && self.overstays_from().is_some_and(|from| now > from)
    }

    /// From when on a stay until `until` is to be paid for. Who leaves within the grace pays for nothing, who stays longer for
    /// all of the time that is not covered.
    #[must_use]
    pub fn charged_from(&self, until: Timestamp) -> Option<Timestamp> {
        if !self.is_covered() {
            return Some(self.entered_at);
        }
        let is_too_late = self.overstays_from().is_some_and(|from| until > from);
        self.covered_until.filter(|_| is_too_late).map(|covered| covered.max(self.entered_at))
    }
}

/// A vehicle has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "lot_id": "0199a0000000700080000000000000a2", "plate": "B AB 123", "spot_id": null,
    "at": "2026-11-23T08:00:00.000+00:00", "permit_id": null, "source": "camera"
})))]
pub struct VehicleArrival {
    pub lot_id: LotId,
    /// At most 20 characters; or `spot_id`, or both.
    #[serde(default)]
    pub plate: Option<String>,
    /// What is written on the sign of the spot, or its key.
    #[serde(default)]
    pub spot_id: Option<String>,
    /// Absent, or a time that cannot be: now.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// The permit that it comes with; absent: the one for its plate.
    #[serde(default)]
    pub permit_id: Option<PermitId>,
    /// Absent: as the caller is.
    #[serde(default)]
    pub source: Option<SessionSource>,
}

/// A vehicle has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "lot_id": "0199a0000000700080000000000000a2", "plate": "B AB 123", "spot_id": null,
    "at": "2026-11-23T09:40:00.000+00:00"
})))]
pub struct VehicleDeparture {
    pub lot_id: LotId,
    /// As it was read, or in another way of writing it; or `spot_id`.
    #[serde(default)]
    pub plate: Option<String>,
    /// What is written on the sign of the spot, or its key.
    #[serde(default)]
    pub spot_id: Option<String>,
    /// Absent, or a time that cannot be: now.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * HOUR)
    }

    fn session() -> ParkingSession {
        ParkingSession {
            id: ParkingSessionId::nil(),
            lot_id: LotId::nil(),
            lot_name: String::new(),
            time_zone: "UTC".into(),
            spot_id: None,
            spot_key: None,
            plate: "B AB 123".into(),
            source: SessionSource::Camera,
            entered_at: at(8),
            left_at: None,
            reservation_id: None,
            permit_id: None,
            covered_until: None,
            grace_minutes: 0,
            may_stay_until: None,
            is_overstaying: false,
            tariff_id: None,
            tariff_version: None,
            price: Price { total_minor: 0, currency: "EUR".into(), parts: Vec::new() },
            amount_minor: 0,
            currency: "EUR".into(),
            paid_minor: 0,
            due_minor: 0,
            created_at: at(8),
            updated_at: at(8),
        }
    }

    #[test]
    fn plates_are_the_same_however_they_are_written() {
        for written in ["B AB 123", "b-ab123", " B·AB 123 "] {
            assert_eq!(plate_key(written), "BAB123", "{written}");
        }
        assert_eq!(plate_key("bö äß 1"), "BÖÄSS1");
        assert_eq!(plate_key("- -"), "");
    }

    #[test]
    fn only_time_that_nothing_covers_is_charged() {
        let free = session();
        let reserved = ParkingSession {
            reservation_id: Some(ReservationId::nil()),
            covered_until: Some(at(10)),
            grace_minutes: 60,
            ..session()
        };
        let for_ever = ParkingSession { permit_id: Some(PermitId::nil()), ..session() };
        let ended = ParkingSession { permit_id: Some(PermitId::nil()), covered_until: Some(at(7)), ..session() };
        for (one, until, from) in [
            (&free, 9, Some(8)),
            (&reserved, 10, None),
            (&reserved, 11, None),
            (&reserved, 12, Some(10)),
            (&for_ever, 1_000, None),
            (&ended, 9, Some(8)),
        ] {
            assert_eq!(one.charged_from(at(until)), from.map(at), "{one:?} until {until}");
        }
    }

    #[test]
    fn who_is_gone_or_pays_for_the_time_does_not_overstay() {
        let reserved = ParkingSession {
            reservation_id: Some(ReservationId::nil()),
            covered_until: Some(at(10)),
            grace_minutes: 60,
            ..session()
        };
        assert_eq!([reserved.overstays_at(at(11)), reserved.overstays_at(at(12))], [false, true]);
        let gone = ParkingSession { left_at: Some(at(12)), ..reserved };
        assert!(!gone.overstays_at(at(13)));
        assert!(!session().overstays_at(at(1_000)));
        let limited = ParkingSession { may_stay_until: Some(at(10)), ..session() };
        assert_eq!([limited.overstays_at(at(10)), limited.overstays_at(at(11))], [false, true]);
        assert_eq!(
            limited.charged_from(at(11)),
            Some(at(8)),
            "all of its time is paid for, whether it may stay or not"
        );
    }
}
