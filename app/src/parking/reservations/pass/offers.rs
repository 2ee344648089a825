//! What can be done with a reservation at a moment. The server decides it, so that the page comes alive as it was rendered;
//! the service decides again when it is done.

use portico_model::Timestamp;
#[cfg(feature = "ssr")]
use portico_model::parking::lot::BookingRules;
use portico_model::parking::reservation::{Reservation, ReservationState};
#[cfg(feature = "ssr")]
use portico_model::parking::tariff::format_minor;
#[cfg(feature = "ssr")]
use portico_parking::Wall;
use serde::{Deserialize, Serialize};

/// Whether the gate opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gate {
    /// There is none, or it is over.
    #[default]
    None,
    Opens,
    /// Not yet.
    Later,
    Unpaid,
}

/// What is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // each is a button
pub struct Offers {
    pub gate: Gate,
    pub check_in: bool,
    pub check_out: bool,
    /// At least its end.
    pub change: bool,
    /// Also its beginning and its spot.
    pub change_all: bool,
    pub cancel: bool,
    pub note_paid: bool,
    /// There is a receipt to print.
    pub receipt: bool,
    /// By card, in the page.
    pub pay: bool,
    /// From when on one may come, in words; while it is too early.
    pub comes_from: String,
    /// What cancelling means, in words.
    pub cancelling: String,
    /// What is to be paid yet, minor units.
    pub due_minor: i64,
}

impl Offers {
    /// What is offered to its holder (`is_own`) or to those who look after the lot.
    #[must_use]
    pub fn of(one: &Reservation, now: Timestamp, is_own: bool, operates: bool) -> Self {
        let waits = matches!(one.state, ReservationState::Held | ReservationState::Confirmed);
        let due_minor = if one.state.is_payable() { one.due_minor().max(0) } else { 0 };
        if !(is_own || operates) {
            return Self { due_minor, ..Self::default() };
        }
        let is_good = one.is_good_at(now);
        let gate = match one.state {
            _ if !one.has_gate || now >= one.end_time => Gate::None,
            ReservationState::Held => Gate::Unpaid,
            ReservationState::Confirmed | ReservationState::CheckedIn => {
                if is_good {
                    Gate::Opens
                } else {
                    Gate::Later
                }
            }
            _ => Gate::None,
        };
        Self {
            gate,
            check_in: one.state == ReservationState::Confirmed && is_good,
            check_out: one.state == ReservationState::CheckedIn,
            change: one.state.has_spot() && now < one.end_time,
            change_all: waits && now < one.start_time,
            cancel: waits,
            note_paid: operates && due_minor > 0,
            receipt: one.has_receipt(),
            pay: due_minor > 0,
            comes_from: String::new(),
            cancelling: String::new(),
            due_minor,
        }
    }

    /// Adds what depends on the rules of the lot.
    #[cfg(feature = "ssr")]
    pub fn write(&mut self, one: &Reservation, rules: &BookingRules, now: Timestamp, wall: &Wall) {
        let from = one.start_time.plus_millis(-one.early_minutes * 60_000);
        if self.change && now < from {
            self.comes_from = wall.text(from);
        }
        if !self.cancel {
            return;
        }
        let money = |amount| format_minor(amount, &one.currency);
        let paid = one.refundable_minor();
        let first = match (paid, rules.refund(paid, one.start_time, now)) {
            (paid, _) if paid <= 0 => "Nothing was paid, so nothing is given back.".to_owned(),
            (paid, 0) => format!("Nothing of the {} that was paid is given back.", money(paid)),
            (paid, back) if back == paid => format!("All of the {} that was paid is given back.", money(paid)),
            (paid, back) => format!("{} of the {} that was paid is given back.", money(back), money(paid)),
        };
        let until = one.start_time.plus_millis(-rules.refund_until_hours * 3_600_000);
        let rule = if one.amount_minor == 0 {
            String::new()
        } else if now < until {
            let percent = rules.late_refund_percent;
            format!(" The rule of the lot: all until {}, {percent} % after that.", wall.text(until))
        } else if now < one.start_time {
            format!(" The rule of the lot: {} % until the beginning.", rules.late_refund_percent)
        } else {
            " The rule of the lot: nothing after the beginning.".to_owned()
        };
        self.cancelling = format!("The spot is free for others at once. {first}{rule}");
    }
}

/// `in 3 h`, `in 25 min`: no seconds, nothing to watch.
fn distance(milliseconds: i64) -> String {
    let minutes = (milliseconds.abs() + 59_999) / 60_000;
    match minutes {
        0..=119 => format!("{minutes} min"),
        120..=2_879 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

/// Where its time stands, in words.
#[must_use]
pub fn phase(state: ReservationState, start: Timestamp, end: Timestamp, now: Timestamp) -> String {
    match state {
        ReservationState::Held | ReservationState::Confirmed | ReservationState::CheckedIn if now >= end => {
            format!("Ended {} ago", distance(now.millis_since(end)))
        }
        ReservationState::Held | ReservationState::Confirmed if now < start => {
            format!("Begins in {}", distance(start.millis_since(now)))
        }
        ReservationState::Held | ReservationState::Confirmed => {
            format!("Began {} ago, {} left", distance(now.millis_since(start)), distance(end.millis_since(now)))
        }
        ReservationState::CheckedIn => format!("{} left", distance(end.millis_since(now))),
        _ => String::new(),
    }
}

#[cfg(all(test, feature = "ssr"))]
pub(crate) mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(1_795_226_400_000 + hours * HOUR)
    }

    /// From hour 10 to hour 12.
    pub(crate) fn reservation(state: ReservationState) -> Reservation {
        let mut json = serde_json::json!({
            "id": "0199a0000000700080000000000000a6", "spot_id": "P1", "spot_key": "0199a0000000700080000000000000a1",
            "lot_id": "0199a0000000700080000000000000a2", "lot_name": "Main", "level": "L1", "zone": "",
            "time_zone": "UTC", "user_id": null, "user_name": "", "user_email": "", "user_phone": null, "plate": "",
            "notes": "", "duration_hours": 2.0, "status": "active",
            "hold_until": null, "check_in_time": null, "check_out_time": null, "tariff_id": null,
            "tariff_version": null, "price": {"total_minor": 600, "currency": "EUR", "parts": []}, "total_amount": 6.0,
            "amount_minor": 600, "currency": "EUR", "payment_status": "pending", "paid_minor": 0, "refunded_minor": 0,
            "early_minutes": 15, "has_gate": true
        });
        json["state"] = serde_json::to_value(state).unwrap();
        for (name, hour) in [("start_time", 10), ("end_time", 12), ("created_at", 0), ("updated_at", 0)] {
            json[name] = serde_json::to_value(at(hour)).unwrap();
        }
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn gate_opens_only_in_its_time_and_for_its_own_people() {
        let confirmed = reservation(ReservationState::Confirmed);
        let gate = |now: Timestamp| Offers::of(&confirmed, now, true, false).gate;
        assert_eq!(
            [gate(at(9)), gate(at(10).plus_millis(-15 * 60_000)), gate(at(11))],
            [Gate::Later, Gate::Opens, Gate::Opens]
        );
        assert_eq!(gate(at(12)), Gate::None);
        assert_eq!(Offers::of(&confirmed, at(11), false, false).gate, Gate::None);
        assert_eq!(Offers::of(&confirmed, at(11), false, true).gate, Gate::Opens);
        assert_eq!(Offers::of(&reservation(ReservationState::Held), at(11), true, false).gate, Gate::Unpaid);
        let without = Reservation { has_gate: false, ..confirmed };
        assert_eq!(Offers::of(&without, at(11), true, false).gate, Gate::None);
    }

    #[test]
    fn steps_are_offered_in_their_order() {
        let offers = |state, hour| Offers::of(&reservation(state), at(hour), true, false);
        let before = offers(ReservationState::Confirmed, 1);
        assert!(before.cancel && before.change_all && before.change && !before.check_in && !before.check_out);
        let begun = offers(ReservationState::Confirmed, 11);
        assert!(begun.cancel && begun.check_in && begun.change && !begun.change_all);
        let parked = offers(ReservationState::CheckedIn, 11);
        assert!(parked.check_out && parked.change && !parked.change_all && !parked.cancel && !parked.check_in);
        let late = offers(ReservationState::CheckedIn, 13);
        assert!(late.check_out && !late.change);
        let over = offers(ReservationState::Cancelled, 11);
        assert_eq!(over, Offers::default());
        assert!(!before.receipt, "nothing was paid");
        let paid = Reservation { paid_minor: 600, ..reservation(ReservationState::Cancelled) };
        let receipt = |is_own, operates| Offers::of(&paid, at(1), is_own, operates).receipt;
        assert_eq!([receipt(true, false), receipt(false, true), receipt(false, false)], [true, true, false]);
        assert!(!before.note_paid, "only who looks after the lot notes payments");
        assert!(Offers::of(&reservation(ReservationState::Confirmed), at(1), false, true).note_paid);
        assert!(offers(ReservationState::Held, 1).pay && before.pay, "also what was to be paid at the place");
        assert!(offers(ReservationState::Completed, 13).pay, "what is owed for a stay that is over");
        let settled = Reservation { paid_minor: 600, ..reservation(ReservationState::Completed) };
        assert!(!Offers::of(&settled, at(13), true, false).pay);
        assert!(!Offers::of(&reservation(ReservationState::Held), at(1), false, false).pay);
    }

    #[test]
    fn cancelling_says_what_is_given_back() {
        let rules = BookingRules { refund_until_hours: 4, ..BookingRules::default() };
        let wall = Wall::of("UTC");
        let says = |paid_minor: i64, hour: i64| {
            let one = Reservation { paid_minor, ..reservation(ReservationState::Confirmed) };
            let mut offers = Offers::of(&one, at(hour), true, false);
            offers.write(&one, &rules, at(hour), &wall);
            offers.cancelling
        };
        assert!(says(0, 1).contains("Nothing was paid"), "{}", says(0, 1));
        assert!(says(600, 1).contains("All of the 6.00 EUR"), "{}", says(600, 1));
        assert!(says(600, 8).contains("3.00 EUR of the 6.00 EUR"), "{}", says(600, 8));
        assert!(says(600, 11).contains("Nothing of the 6.00 EUR"), "{}", says(600, 11));
    }

    #[test]
    fn time_is_told_without_seconds() {
        let state = ReservationState::Confirmed;
        let says = |now| phase(state, at(10), at(12), now);
        assert_eq!(says(at(7)), "Begins in 3 h");
        assert_eq!(says(at(10).plus_millis(-61_000)), "Begins in 2 min");
        assert_eq!(says(at(11)), "Began 60 min ago, 60 min left");
        assert_eq!(phase(ReservationState::CheckedIn, at(10), at(12), at(11)), "60 min left");
        assert_eq!(phase(ReservationState::Cancelled, at(10), at(12), at(11)), "");
    }
}
