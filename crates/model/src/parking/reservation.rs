//! Reservations.

use serde::{Deserialize, Serialize};

use super::tariff::Price;
use crate::words::words;
use crate::{LotId, ReservationId, SpotId, TariffId, Timestamp, UserId};

words! {
    /// How far a reservation has come.
    ReservationState {
        /// Waits for the payment; ends by itself.
        Held = "held",
        Confirmed = "confirmed",
        CheckedIn = "checked_in",
        Completed = "completed",
        Cancelled = "cancelled",
        /// Nobody paid in time.
        Expired = "expired",
        /// Nobody came in time.
        NoShow = "no_show",
    }
}

impl ReservationState {
    /// In words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Held => "Waits for payment",
            Self::Confirmed => "Confirmed",
            Self::CheckedIn => "Parked",
            Self::Completed => "Completed",
            Self::Cancelled => "Cancelled",
            Self::Expired => "Not paid in time",
            Self::NoShow => "Nobody came",
        }
    }

    /// Whether it still has its spot.
    #[must_use]
    pub const fn has_spot(self) -> bool {
        matches!(self, Self::Held | Self::Confirmed | Self::CheckedIn)
    }

    /// Whether what is owed for it may still be paid.
    #[must_use]
    pub const fn is_payable(self) -> bool {
        self.has_spot() || matches!(self, Self::Completed)
    }

    /// As the former system calls it.
    #[must_use]
    pub const fn former(self) -> &'static str {
        match self {
            Self::Held | Self::Confirmed | Self::CheckedIn => "active",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired | Self::NoShow => "expired",
        }
    }
}

words! {
    /// Whether a reservation was paid for.
    PaymentStatus {
        Pending = "pending",
        Paid = "paid",
        Failed = "failed",
        /// All or a part of it was given back.
        Refunded = "refunded",
    }
}

/// That somebody has a spot for a time. `status`, `duration_hours` and `total_amount` are what existing clients read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000a6", "spot_id": "PARK_001", "spot_key": "0199a0000000700080000000000000a1",
    "lot_id": "0199a0000000700080000000000000a2", "lot_name": "Main garage", "level": "L1", "zone": "A",
    "time_zone": "Europe/Berlin", "user_id": null, "user_name": "Dora Driver", "user_email": "dora@example.org",
    "user_phone": null, "plate": "B AB 123", "notes": "", "start_time": "2026-11-23T08:00:00.000+00:00",
    "end_time": "2026-11-23T10:00:00.000+00:00", "duration_hours": 2.0, "state": "confirmed", "status": "active",
    "hold_until": null, "check_in_time": null, "check_out_time": null, "tariff_id": "0199a0000000700080000000000000a4",
    "tariff_version": 3, "price": {"total_minor": 600, "currency": "EUR", "parts": []}, "total_amount": 6.0,
    "amount_minor": 600, "currency": "EUR", "payment_status": "pending", "paid_minor": 0, "refunded_minor": 0,
    "adjustment_minor": 0, "paid_on_site_at": null, "early_minutes": 15, "has_gate": true, "is_walk_up": false,
    "created_at": "2026-11-21T02:00:00.000+00:00",
    "updated_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct Reservation {
    pub id: ReservationId,
    /// What is written on the sign of the spot.
    pub spot_id: String,
    pub spot_key: SpotId,
    pub lot_id: LotId,
    pub lot_name: String,
    /// Name of the level.
    pub level: String,
    pub zone: String,
    /// Of the lot.
    pub time_zone: String,
    /// Whose it is; absent: made for somebody without an account.
    pub user_id: Option<UserId>,
    pub user_name: String,
    pub user_email: String,
    pub user_phone: Option<String>,
    /// Of the vehicle; may be empty.
    pub plate: String,
    pub notes: String,
    pub start_time: Timestamp,
    pub end_time: Timestamp,
    pub duration_hours: f64,
    pub state: ReservationState,
    /// `active`, `completed`, `cancelled` or `expired`.
    pub status: String,
    /// While it waits for the payment: until then.
    pub hold_until: Option<Timestamp>,
    pub check_in_time: Option<Timestamp>,
    pub check_out_time: Option<Timestamp>,
    /// The tariff that it was made with; absent: it costs nothing.
    pub tariff_id: Option<TariffId>,
    pub tariff_version: Option<i64>,
    pub price: Price,
    /// In units of the currency.
    pub total_amount: f64,
    pub amount_minor: i64,
    pub currency: String,
    pub payment_status: PaymentStatus,
    pub paid_minor: i64,
    pub refunded_minor: i64,
    /// What is owed beyond the price: kept of a price that fell (above 0), given back though it was owed (below 0).
    #[serde(default)]
    pub adjustment_minor: i64,
    /// When it was noted that it was paid at the place; of several times the last.
    pub paid_on_site_at: Option<Timestamp>,
    /// So long before its beginning its holder may come.
    pub early_minutes: i64,
    /// Whether its lot has a door or barrier that opens for its holder.
    pub has_gate: bool,
    /// Whether it was begun at the spot, by its code, without an account.
    #[serde(default)]
    pub is_walk_up: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Reservation {
    /// What waited for its payment is paid for. Who parks without an account stands there already.
    pub fn confirm_held(&mut self) {
        if self.state != ReservationState::Held {
            return;
        }
        self.hold_until = None;
        self.state = ReservationState::Confirmed;
        if self.is_walk_up {
            self.state = ReservationState::CheckedIn;
            self.check_in_time = Some(self.start_time);
        }
    }

    /// What is still to be paid, minor units; below 0: what was paid beyond what is owed.
    #[must_use]
    pub const fn due_minor(&self) -> i64 {
        self.amount_minor + self.adjustment_minor - (self.paid_minor - self.refunded_minor)
    }

    /// What was paid and would be given back by the rules of the lot if it were cancelled; a fee that was kept already is not.
    #[must_use]
    pub const fn refundable_minor(&self) -> i64 {
        let kept = if self.adjustment_minor > 0 { self.adjustment_minor } else { 0 };
        let left = self.paid_minor - self.refunded_minor - kept;
        if left > 0 { left } else { 0 }
    }

    /// Whether there is something to give a receipt for: money was taken, or it costs nothing.
    #[must_use]
    pub const fn has_receipt(&self) -> bool {
        self.paid_minor > 0 || self.amount_minor == 0
    }

    /// Whether its holder may come in now.
    #[must_use]
    pub const fn is_good_at(&self, now: Timestamp) -> bool {
        let from = self.start_time.plus_millis(-self.early_minutes * 60_000);
        matches!(self.state, ReservationState::Confirmed | ReservationState::CheckedIn)
            && now.millis() >= from.millis()
            && now.millis() < self.end_time.millis()
    }
}

/// Where and when somebody wants to park.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "spot_id": "PARK_001", "lot_id": null, "is_ev": null, "is_accessible": null, "height_cm": null,
    "start_time": "2026-11-23T09:00", "end_time": null, "duration_hours": 2, "user_email": null, "user_name": null,
    "user_phone": null, "plate": "B AB 123", "notes": ""
})))]
#[cfg_attr(feature = "server", schema(as = ReservationWish))]
pub struct Wish {
    /// What is written on the sign, or its key; absent: any spot of `lot_id` that fits.
    pub spot_id: Option<String>,
    pub lot_id: Option<LotId>,
    pub is_ev: Option<bool>,
    pub is_accessible: Option<bool>,
    /// Of the vehicle, centimetres.
    pub height_cm: Option<i64>,
    /// ISO 8601; without an offset by the clock of the lot.
    pub start_time: String,
    /// As `start_time`; or `duration_hours`.
    pub end_time: Option<String>,
    /// A number, or a text with one.
    #[cfg_attr(feature = "server", schema(value_type = Option<f64>))]
    pub duration_hours: Option<Hours>,
    /// Absent: that of the account. At most 100 characters.
    pub user_email: Option<String>,
    /// Absent: that of the account. At most 100 characters.
    pub user_name: Option<String>,
    /// At most 20 characters.
    pub user_phone: Option<String>,
    /// At most 20 characters.
    pub plate: Option<String>,
    /// At most 500 characters.
    pub notes: String,
}

/// A number, or a text with one, as existing clients send it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Hours {
    Number(f64),
    Text(String),
}

impl Hours {
    /// Whole milliseconds; nothing when it is no length of time.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // at most ten years
    pub fn milliseconds(&self) -> Option<i64> {
        let hours = match self {
            Self::Number(hours) => *hours,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        (hours.is_finite() && hours > 0.0 && hours < 87_600.0).then(|| (hours * 3_600_000.0).round() as i64)
    }
}

/// What a reservation would cost, and whether it can be had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "spot_id": "PARK_001", "spot_key": "0199a0000000700080000000000000a1", "lot_id": "0199a0000000700080000000000000a2",
    "lot_name": "Main garage", "level": "L1", "zone": "A", "time_zone": "Europe/Berlin",
    "start_time": "2026-11-23T08:00:00.000+00:00", "end_time": "2026-11-23T10:00:00.000+00:00",
    "price": {"total_minor": 600, "currency": "EUR", "parts": []}, "is_free": true, "pay_online": false,
    "hold_minutes": 15
})))]
pub struct Quote {
    pub spot_id: String,
    pub spot_key: SpotId,
    pub lot_id: LotId,
    pub lot_name: String,
    pub level: String,
    pub zone: String,
    pub time_zone: String,
    pub start_time: Timestamp,
    pub end_time: Timestamp,
    pub price: Price,
    /// Whether nobody else has it then.
    pub is_free: bool,
    /// Whether it is paid for before it is confirmed; else at the place.
    pub pay_online: bool,
    /// How long it would be held for the payment.
    pub hold_minutes: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_numbers_or_texts_and_lengths_of_time() {
        let read = |json: &str| serde_json::from_str::<Hours>(json).ok().and_then(|hours| hours.milliseconds());
        assert_eq!([read("2"), read("1.15"), read("\" 0.5 \"")], [Some(7_200_000), Some(4_140_000), Some(1_800_000)]);
        for wrong in ["0", "-1", "1e300", "\"NaN\"", "\"\"", "\"inf\""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
