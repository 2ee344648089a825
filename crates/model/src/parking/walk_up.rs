//! Parking without an account: what somebody who stands at a spot may know of it, and the stay that begins there.

use serde::{Deserialize, Serialize};

use super::lot::BookingRules;
use super::reservation::{PaymentStatus, ReservationState};
use super::tariff::Price;
use crate::words::words;
use crate::{SpotId, Timestamp};

const MINUTE_MS: i64 = 60_000;

words! {
    /// Whether somebody who stands at a spot may park there now.
    WalkUpStatus {
        Free = "free",
        /// Somebody's stay is under way.
        Taken = "taken",
        /// It is kept free for somebody who has reserved it.
        Reserved = "reserved",
        OutOfUse = "out_of_use",
    }
}

/// A reservation of a spot that is under way or comes next, without whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextReservation {
    pub state: ReservationState,
    pub start: Timestamp,
    pub end: Timestamp,
}

/// How a spot is for somebody who stands at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub status: WalkUpStatus,
    /// Free: somebody has reserved it from then on (absent: nobody). Reserved: until then.
    pub until: Option<Timestamp>,
    /// Longest stay, minutes; 0 unless it is free.
    pub longest_minutes: i64,
}

/// A stay that begins now begins with the present minute, so that it ends with a whole one.
#[must_use]
pub const fn begin_of_stay(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis().div_euclid(MINUTE_MS) * MINUTE_MS)
}

/// How a spot is for somebody who stands at it, by its reservation that is under way or comes next. What its sensor says
/// does not matter: the car that it sees is the one of who asks.
#[must_use]
pub fn standing(rules: &BookingRules, is_disabled: bool, next: Option<NextReservation>, now: Timestamp) -> Standing {
    let not_free = |status, until| Standing { status, until, longest_minutes: 0 };
    if is_disabled {
        return not_free(WalkUpStatus::OutOfUse, None);
    }
    let free = |until, longest_minutes| Standing { status: WalkUpStatus::Free, until, longest_minutes };
    let Some(next) = next else { return free(None, rules.max_minutes) };
    let kept_from = next.start.plus_millis(-rules.early_ms());
    let minutes = kept_from.millis_since(begin_of_stay(now)) / MINUTE_MS;
    if minutes >= rules.min_minutes {
        return free(Some(kept_from), minutes.min(rules.max_minutes));
    }
    let is_there = match next.state {
        ReservationState::CheckedIn => true,
        ReservationState::Held => next.start <= now,
        _ => false,
    };
    // Until when somebody parks there is nobody's business.
    if is_there { not_free(WalkUpStatus::Taken, None) } else { not_free(WalkUpStatus::Reserved, Some(next.end)) }
}

/// A spot as anybody who stands there may know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "key": "0199a0000000700080000000000000a1", "spot_id": "PARK_001", "lot_name": "Main garage",
    "address": "1 Harbour Street", "level": "L1", "zone": "A", "time_zone": "Europe/Berlin", "is_accessible": false,
    "is_ev": false, "status": "free", "until": "2026-11-23T18:45:00.000+00:00",
    "tariff": "1.50 EUR per started 30 min", "shortest_minutes": 15, "longest_minutes": 480, "pay_online": false,
    "hold_minutes": 15
})))]
pub struct WalkUpSpot {
    pub key: SpotId,
    /// What is written on its sign.
    pub spot_id: String,
    pub lot_name: String,
    /// Of the lot.
    pub address: String,
    /// Name of the level.
    pub level: String,
    pub zone: String,
    /// Of the lot.
    pub time_zone: String,
    pub is_accessible: bool,
    pub is_ev: bool,
    pub status: WalkUpStatus,
    /// Free: somebody has reserved it from then on (absent: nobody). Reserved: until then.
    pub until: Option<Timestamp>,
    /// What it costs, in words; empty: nothing.
    pub tariff: String,
    /// Shortest stay.
    pub shortest_minutes: i64,
    /// Longest stay; 0 unless it is free.
    pub longest_minutes: i64,
    /// Whether what it costs is paid online; else at the machine.
    pub pay_online: bool,
    /// How long it is held for the payment.
    pub hold_minutes: i64,
}

/// How long somebody wants to stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"duration_minutes": 120})))]
pub struct StayLength {
    /// From now on.
    pub duration_minutes: i64,
}

/// Begins a stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "duration_minutes": 120, "plate": "B AB 123", "email": "guest@example.org"
})))]
pub struct NewStay {
    /// From now on.
    pub duration_minutes: i64,
    /// At most 20 characters.
    #[serde(default)]
    pub plate: Option<String>,
    /// For the receipt of the payment; at most 100 characters.
    #[serde(default)]
    pub email: Option<String>,
}

/// Makes a stay longer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"duration_minutes": 60})))]
pub struct MoreTime {
    /// Added to its end.
    pub duration_minutes: i64,
}

/// A stay as the holder of its secret link sees it, without personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "spot_key": "0199a0000000700080000000000000a1", "spot_id": "PARK_001", "lot_name": "Main garage", "level": "L1",
    "zone": "A", "time_zone": "Europe/Berlin", "start_time": "2026-11-23T08:00:00.000+00:00",
    "end_time": "2026-11-23T10:00:00.000+00:00", "state": "checked_in", "hold_until": null, "check_out_time": null,
    "price": {"total_minor": 600, "currency": "EUR", "parts": []}, "payment_status": "pending", "due_minor": 600,
    "refunded_minor": 0, "pay_online": false, "longest_extension_minutes": 360
})))]
pub struct GuestStay {
    pub spot_key: SpotId,
    /// What is written on its sign.
    pub spot_id: String,
    pub lot_name: String,
    /// Name of the level.
    pub level: String,
    pub zone: String,
    /// Of the lot.
    pub time_zone: String,
    pub start_time: Timestamp,
    pub end_time: Timestamp,
    pub state: ReservationState,
    /// While it waits for the payment: until then.
    pub hold_until: Option<Timestamp>,
    /// When it was ended by hand.
    pub check_out_time: Option<Timestamp>,
    pub price: Price,
    pub payment_status: PaymentStatus,
    /// What is to be paid yet, in minor units.
    pub due_minor: i64,
    pub refunded_minor: i64,
    /// Whether what is due is paid online; else at the machine.
    pub pay_online: bool,
    /// By how much it can be made longer; 0: not at all.
    pub longest_extension_minutes: i64,
}

/// What making a stay longer would come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    pub minutes: i64,
    pub end_time: Timestamp,
    /// What it costs more, in minor units.
    pub more_minor: i64,
    pub currency: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_226_400_000 + 25_000);

    fn after(minutes: i64) -> Timestamp {
        begin_of_stay(NOW).plus_millis(minutes * MINUTE_MS)
    }

    fn at(state: ReservationState, from: i64, until: i64) -> Standing {
        let rules = BookingRules { max_minutes: 600, ..BookingRules::default() };
        let next = NextReservation { state, start: after(from), end: after(until) };
        standing(&rules, false, Some(next), NOW)
    }

    #[test]
    fn spot_is_free_until_it_is_kept_for_the_next_who_has_reserved() {
        let rules = BookingRules { max_minutes: 600, ..BookingRules::default() };
        let nobody = standing(&rules, false, None, NOW);
        assert_eq!((nobody.status, nobody.until, nobody.longest_minutes), (WalkUpStatus::Free, None, 600));
        let later = at(ReservationState::Confirmed, 120, 180);
        assert_eq!((later.status, later.until, later.longest_minutes), (WalkUpStatus::Free, Some(after(105)), 105));
        assert_eq!(at(ReservationState::Confirmed, 1_000, 1_100).longest_minutes, 600);
        // The shortest stay fits, or it does not.
        assert_eq!(at(ReservationState::Confirmed, 30, 90).longest_minutes, 15);
        let soon = at(ReservationState::Confirmed, 29, 90);
        assert_eq!((soon.status, soon.until, soon.longest_minutes), (WalkUpStatus::Reserved, Some(after(90)), 0));
        assert_eq!(standing(&rules, true, None, NOW).status, WalkUpStatus::OutOfUse);
    }

    #[test]
    fn of_who_parks_there_only_that_he_does_is_told() {
        for (state, from, status) in [
            (ReservationState::CheckedIn, -60, WalkUpStatus::Taken),
            (ReservationState::CheckedIn, 10, WalkUpStatus::Taken),
            (ReservationState::Held, 0, WalkUpStatus::Taken),
            (ReservationState::Held, 10, WalkUpStatus::Reserved),
            (ReservationState::Confirmed, -10, WalkUpStatus::Reserved),
        ] {
            let standing = at(state, from, 120);
            assert_eq!(standing.status, status, "{state:?}");
            assert_eq!(standing.until.is_some(), status == WalkUpStatus::Reserved);
        }
    }
}
