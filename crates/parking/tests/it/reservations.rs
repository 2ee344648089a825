//! Reservations: one at a time, by whom, and what the clock does to them.

use portico_model::identity::Role;
use portico_model::parking::lot::{BookingRules, LotSettings};
use portico_model::parking::reservation::{Hours, PaymentStatus, ReservationState, Wish};
use portico_model::parking::spot::SpotStatus;
use portico_model::{ReservationId, Timestamp};
use portico_parking::{ReservationChange, ReservationQuery};
use portico_platform::{Actor, on_db};
use serde_json::json;

use crate::{World, each};

impl World {
    /// A spot, so many hours from now, for so many hours.
    pub fn wish(&self, spot: &str, in_hours: i64, hours: i32) -> Wish {
        Wish {
            spot_id: Some(spot.into()),
            start_time: self.platform.clock.now().plus_secs(in_hours * 3_600).to_iso(),
            duration_hours: Some(Hours::Number(f64::from(hours))),
            ..Wish::default()
        }
    }

    async fn reserve(&self, actor: &Actor, in_hours: i64, hours: i32) -> Result<ReservationId, String> {
        let made = self.parking.reserve(actor, &self.wish("P1", in_hours, hours)).await;
        made.map(|one| one.id).map_err(|error| error.code().to_owned())
    }

    async fn state(&self, id: ReservationId) -> ReservationState {
        self.parking.reservation(&self.manager, id).await.unwrap().state
    }

    async fn spot_status(&self) -> SpotStatus {
        self.parking.spot(&self.manager, "P1").await.unwrap().0.status
    }
}

#[tokio::test]
async fn of_two_hundred_who_want_the_same_spot_one_gets_it() {
    each(|world| async move {
        world.one_spot().await;
        let mut drivers = Vec::new();
        for number in 0..20 {
            drivers.push(world.user(&format!("driver-{number}"), Role::User).await);
        }
        let racers = (0..200).map(|number| {
            let (parking, other) = (world.parking.clone(), world.other_server());
            let actor = drivers[number % drivers.len()].clone();
            let wish = world.wish("P1", 24, 2);
            tokio::spawn(async move {
                let server = if number % 2 == 0 { parking } else { other };
                server.reserve(&actor, &wish).await.map(drop).map_err(|error| error.status().as_u16())
            })
        });
        let mut results = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            results.push(racer.await.unwrap());
        }
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let refused = results.iter().filter(|result| **result == Err(409)).count();
        assert_eq!(refused, 199, "{:?}", results.iter().find(|result| !matches!(result, Ok(()) | Err(409))));
    })
    .await;
}

#[tokio::test]
async fn database_itself_refuses_overlap() {
    each(|world| async move {
        let (.., spot) = world.one_spot().await;
        let id = world.reserve(&world.manager, 24, 2).await.unwrap();
        let insert = async |start: Timestamp, end: Timestamp, state: &str| {
            let mut tx = world.platform.db.begin().await.unwrap();
            let done = on_db!(&mut tx, conn => sqlx::query(
                "insert into parking_reservation (id, organization_id, lot_id, spot_id, name, email, phone, plate, notes,
                     start_at, end_at, state, price, amount_minor, currency, payment_status, paid_minor, refunded_minor,
                     created_by, created_at, updated_at)
                 select $1, organization_id, lot_id, spot_id, '', '', '', '', '', $2, $3, $4, price, 0, 'EUR', 'pending', 0, 0,
                     '', 0, 0 from parking_reservation where id = $5")
                .bind(ReservationId::generate()).bind(start).bind(end).bind(state).bind(id).execute(conn).await.map(drop));
            if done.is_ok() {
                tx.commit().await.unwrap();
            }
            done.is_ok()
        };
        let at = |hours: i64| world.platform.clock.now().plus_secs(hours * 3_600);
        for (start, end, state, fits) in [
            (23, 25, "confirmed", false),
            (24, 26, "held", false),
            (25, 26, "checked_in", false),
            (22, 30, "confirmed", false),
            (24, 26, "cancelled", true),
            (22, 24, "confirmed", true),
            (26, 27, "held", true),
        ] {
            assert_eq!(insert(at(start), at(end), state).await, fits, "{start} to {end}, {state}");
        }
        // Coming back to life is refused as well.
        let mut tx = world.platform.db.begin().await.unwrap();
        let revived = on_db!(&mut tx, conn => sqlx::query(
            "update parking_reservation set state = 'confirmed' where state = 'cancelled' and spot_id = $1")
            .bind(spot.key).execute(conn).await.map(drop));
        assert!(revived.is_err());
    })
    .await;
}

#[tokio::test]
async fn times_are_checked_and_read_by_the_clock_of_the_lot() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let settings = LotSettings {
            name: lot.name.clone(),
            time_zone: Some("Europe/Berlin".into()),
            booking: BookingRules { max_minutes: 600, ahead_days: 200, ..BookingRules::default() },
            ..LotSettings::default()
        };
        world.parking.update_lot(&world.manager, lot.id, settings).await.unwrap();
        let driver = world.user("dora", Role::User).await;
        let wish = |start: &str, end: &str| Wish {
            spot_id: Some("P1".into()),
            start_time: start.into(),
            end_time: Some(end.into()),
            ..Wish::default()
        };
        // On 2027-03-28 the clocks go from 02:00 to 03:00 there: one hour passes.
        let made = world.parking.reserve(&driver, &wish("2027-03-28T01:30", "2027-03-28T03:30")).await.unwrap();
        assert_eq!((made.start_time.to_iso().as_str(), made.duration_hours), ("2027-03-28T00:30:00.000+00:00", 1.0));
        let with_offset = wish("2027-03-28T05:30:00+02:00", "2027-03-28T04:30:00Z");
        assert_eq!(world.parking.reserve(&driver, &with_offset).await.unwrap().duration_hours, 1.0);
        for (wish, fault) in [
            (wish("", "2027-03-28T03:30"), "missing_fields"),
            (wish("soon", "2027-03-28T03:30"), "start_time"),
            (wish("2026-11-20T08:00", "2026-11-20T10:00"), "start_time"),
            (wish("2027-10-20T08:00", "2027-10-20T10:00"), "start_time"),
            (wish("2026-12-20T08:00", "2026-12-20T08:00"), "end_time"),
            (wish("2026-12-20T08:00", "2026-12-20T08:10"), "end_time"),
            (wish("2026-12-20T08:00", "2026-12-20T22:00"), "end_time"),
            (Wish { spot_id: Some("P9".into()), ..wish("2026-12-20T08:00", "2026-12-20T09:00") }, "spot_not_found"),
            (Wish { plate: Some("x".repeat(21)), ..wish("2026-12-20T08:00", "2026-12-20T09:00") }, "plate"),
        ] {
            let error = world.parking.reserve(&driver, &wish).await.unwrap_err();
            let field = error.field_errors().first().map_or(error.code(), |error| error.field.as_str());
            assert_eq!(field, fault, "{wish:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn everybody_sees_and_changes_only_his_own() {
    each(|world| async move {
        world.one_spot().await;
        let (dora, emil) = (world.user("dora", Role::User).await, world.user("emil", Role::User).await);
        let mine = world.parking.reserve(&dora, &world.wish("P1", 24, 2)).await.unwrap();
        assert_eq!((mine.user_name.as_str(), mine.user_email.as_str()), ("dora", "dora@example.org"));
        let stranger = world.stranger().await;
        for actor in [&emil, &stranger] {
            assert_eq!(world.parking.reservation(actor, mine.id).await.unwrap_err().status(), 404);
            assert_eq!(world.parking.cancel_reservation(actor, mine.id).await.unwrap_err().status(), 404);
            assert_eq!(world.parking.open_gate(actor, mine.id).await.unwrap_err().status(), 404);
        }
        let safety = world.user("sam", Role::Safety).await;
        assert!(world.parking.reservation(&safety, mine.id).await.is_ok());
        assert_eq!(world.parking.cancel_reservation(&safety, mine.id).await.unwrap_err().status(), 403);
        assert_eq!(world.parking.note_paid(&dora, mine.id).await.unwrap_err().status(), 403);
        let count = async |actor: &Actor, query: ReservationQuery| {
            world.parking.reservations(actor, &query).await.unwrap().items.len()
        };
        let all = ReservationQuery::default;
        assert_eq!((count(&dora, all()).await, count(&emil, all()).await, count(&safety, all()).await), (1, 0, 1));
        assert_eq!(count(&safety, ReservationQuery { mine: true, ..all() }).await, 0);
        assert_eq!(count(&safety, ReservationQuery { search: Some("DORA".into()), ..all() }).await, 1);
        assert_eq!(count(&safety, ReservationQuery { search: Some("100%".into()), ..all() }).await, 0);

        // Somebody at the desk books for a guest.
        let desk = world.user("rita", Role::Reception).await;
        let guest = Wish { user_email: Some("guest@example.org".into()), ..world.wish("P1", 48, 2) };
        let guest = world.parking.reserve(&desk, &guest).await.unwrap();
        assert_eq!((guest.user_id, guest.user_email.as_str()), (None, "guest@example.org"));
        let back = world.parking.cancel_reservation(&desk, guest.id).await.unwrap();
        assert_eq!((back.state, back.status.as_str()), (ReservationState::Cancelled, "cancelled"));
        let again = world.parking.cancel_reservation(&desk, guest.id).await.unwrap_err();
        assert_eq!(again.code(), "reservation_over");
    })
    .await;
}

#[tokio::test]
async fn spot_is_reserved_from_a_little_before_until_the_end() {
    each(|world| async move {
        world.one_spot().await;
        world
            .parking
            .report(&world.manager, &json!({"sensor_id": "S1", "occupied": false, "timestamp": 0}))
            .await
            .unwrap();
        let query = portico_parking::SensorQuery::default();
        let sensor = world.parking.sensors(&world.manager, query).await.unwrap().items.remove(0);
        world.parking.place_sensor(&world.manager, sensor.id, Some("P1")).await.unwrap();
        world.reserve(&world.manager, 2, 1).await.unwrap();
        world.reserve(&world.manager, 3, 1).await.unwrap();
        let mut seen = vec![world.spot_status().await];
        for minutes in [104, 1, 14, 60, 61] {
            world.advance_s(minutes * 60);
            world.parking.clone().end_reservations().await.unwrap();
            seen.push(world.spot_status().await);
        }
        let expected = [
            SpotStatus::Available,
            SpotStatus::Available,
            SpotStatus::Reserved,
            SpotStatus::Reserved,
            SpotStatus::Reserved,
            SpotStatus::Available,
        ];
        assert_eq!(seen, expected);
    })
    .await;
}

#[tokio::test]
async fn who_does_not_come_loses_the_spot_and_who_comes_keeps_it() {
    each(|world| async move {
        world.one_spot().await;
        let late = world.reserve(&world.manager, 1, 3).await.unwrap();
        world.advance_s(3_600 + 59 * 60);
        world.parking.clone().end_reservations().await.unwrap();
        assert_eq!(world.state(late).await, ReservationState::Confirmed);
        world.advance_s(60);
        world.parking.clone().end_reservations().await.unwrap();
        assert_eq!(world.state(late).await, ReservationState::NoShow);

        let early = world.reserve(&world.manager, 1, 2).await.unwrap();
        assert_eq!(world.parking.check_in(&world.manager, early).await.unwrap_err().code(), "too_early");
        world.advance_s(46 * 60);
        world.parking.check_in(&world.manager, early).await.unwrap();
        world.advance_s(2 * 3_600);
        world.parking.clone().end_reservations().await.unwrap();
        assert_eq!(world.state(early).await, ReservationState::CheckedIn, "he is there");
        let out = world.parking.check_out(&world.manager, early).await.unwrap();
        assert_eq!((out.state, out.status.as_str()), (ReservationState::Completed, "completed"));
        assert!(world.reserve(&world.manager, 0, 1).await.is_ok(), "free again before its end");
    })
    .await;
}

#[tokio::test]
async fn car_that_the_sensor_sees_is_the_one_that_is_expected() {
    each(|world| async move {
        world.one_spot().await;
        let said = async |occupied: bool| {
            let body =
                json!({"sensor_id": "S1", "occupied": occupied, "timestamp": world.platform.clock.now().to_iso()});
            world.parking.report(&world.manager, &body).await.unwrap();
        };
        said(false).await;
        let query = portico_parking::SensorQuery::default();
        let sensor = world.parking.sensors(&world.manager, query).await.unwrap().items.remove(0);
        world.parking.place_sensor(&world.manager, sensor.id, Some("P1")).await.unwrap();
        let id = world.reserve(&world.manager, 1, 2).await.unwrap();
        world.advance_s(50 * 60);
        said(true).await;
        let arrived = world.parking.reservation(&world.manager, id).await.unwrap();
        assert_eq!(
            (arrived.state, arrived.check_in_time),
            (ReservationState::CheckedIn, Some(world.platform.clock.now()))
        );

        let now = world.reserve(&world.manager, 3, 1).await;
        assert!(now.is_ok(), "later is no matter");
        world.parking.check_out(&world.manager, id).await.unwrap();
        assert_eq!(world.reserve(&world.manager, 0, 1).await, Err("spot_not_available".into()), "a car stands there");
    })
    .await;
}

#[tokio::test]
async fn change_that_lasts_shows_who_has_come_too() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let settings = LotSettings { name: lot.name.clone(), debounce_s: 60, ..LotSettings::default() };
        world.parking.update_lot(&world.manager, lot.id, settings).await.unwrap();
        let said = async |occupied: bool| {
            let body =
                json!({"sensor_id": "S1", "occupied": occupied, "timestamp": world.platform.clock.now().to_iso()});
            world.parking.report(&world.manager, &body).await.unwrap();
        };
        said(true).await;
        let query = portico_parking::SensorQuery::default();
        let sensor = world.parking.sensors(&world.manager, query).await.unwrap().items.remove(0);
        world.parking.place_sensor(&world.manager, sensor.id, Some("P1")).await.unwrap();
        let id = world.reserve(&world.manager, 1, 2).await.unwrap();
        world.advance_s(50 * 60);
        said(false).await;
        world.advance_s(20);
        // Not believed yet, and said once.
        said(true).await;
        let state = async || world.parking.reservation(&world.manager, id).await.unwrap().state;
        assert_eq!(state().await, ReservationState::Confirmed);
        world.advance_s(120);
        world.parking.clone().settle_doubts().await.unwrap();
        assert_eq!(state().await, ReservationState::CheckedIn);
    })
    .await;
}

#[tokio::test]
async fn reservation_is_not_made_longer_than_the_lot_allows_however_often_it_is_extended() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let booking = BookingRules { max_minutes: 180, ..BookingRules::default() };
        let settings = LotSettings { name: lot.name.clone(), booking, ..LotSettings::default() };
        world.parking.update_lot(&world.manager, lot.id, settings).await.unwrap();
        let driver = world.user("dora", Role::User).await;
        let id = world.reserve(&driver, 0, 2).await.unwrap();
        world.parking.check_in(&driver, id).await.unwrap();
        world.advance_s(110 * 60);
        let until = |minutes: i64| ReservationChange {
            end_time: Some(world.platform.clock.now().plus_secs(minutes * 60).to_iso()),
            ..ReservationChange::default()
        };
        let too_long = world.parking.change_reservation(&driver, id, &until(75)).await.unwrap_err();
        assert_eq!(too_long.field_errors()[0].field, "end_time");
        world.parking.change_reservation(&driver, id, &until(65)).await.unwrap();
        // Who looks after the lot may allow more.
        world.parking.change_reservation(&world.manager, id, &until(300)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn lots_go_by_the_new_zone_of_the_organisation_at_once() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        assert_eq!(lot.time_zone, None);
        let mut tx = world.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into organization_settings (organization_id, time_zone, updated_at) values ($1, 'Europe/Berlin', 0)
             on conflict (organization_id) do update set time_zone = excluded.time_zone")
            .bind(world.test.organization).execute(conn).await.map(drop))
        .unwrap();
        tx.commit().await.unwrap();
        let changed = world.parking.lot(&world.manager, lot.id).await.unwrap();
        assert_eq!(changed.time_zone_in_force, "Europe/Berlin");
    })
    .await;
}

#[tokio::test]
async fn reservation_is_moved_where_there_is_room_and_only_its_end_once_it_has_begun() {
    each(|world| async move {
        let (_, level, _) = world.one_spot().await;
        world.spot(&level, "P2").await;
        let first = world.reserve(&world.manager, 1, 2).await.unwrap();
        let second = world.reserve(&world.manager, 4, 2).await.unwrap();
        let at = |hours: i64| Some(world.platform.clock.now().plus_secs(hours * 3_600).to_iso());
        let change = async |id, change: ReservationChange| {
            let changed = world.parking.change_reservation(&world.manager, id, &change).await;
            changed.map(|one| (one.spot_id, one.duration_hours)).map_err(|error| error.code().to_owned())
        };
        let none = ReservationChange::default;
        let taken = change(first, ReservationChange { end_time: at(5), ..none() }).await;
        assert_eq!(taken, Err("spot_not_available".into()));
        let moved = change(first, ReservationChange { end_time: at(5), spot_id: Some("P2".into()), ..none() }).await;
        assert_eq!(moved, Ok(("P2".into(), 4.0)));
        assert_eq!(change(second, ReservationChange { start_time: at(1), ..none() }).await, Ok(("P1".into(), 5.0)));
        world.advance_s(3_600);
        let begun = change(second, ReservationChange { start_time: at(2), ..none() }).await;
        assert_eq!(begun, Err("has_begun".into()));
        assert_eq!(change(second, ReservationChange { end_time: at(7), ..none() }).await, Ok(("P1".into(), 7.0)));
        let back = change(second, ReservationChange { end_time: at(-1), ..none() }).await;
        assert_eq!(back, Err("invalid_fields".into()));
        assert_eq!(world.parking.delete_spot(&world.manager, "P1").await.unwrap_err().code(), "in_use");
    })
    .await;
}

#[tokio::test]
async fn any_free_spot_that_fits_is_found() {
    each(|world| async move {
        let (lot, level, _) = world.one_spot().await;
        let ev = portico_model::parking::spot::SpotSettings {
            id: "E1".into(),
            level_id: Some(level.id),
            is_ev: true,
            ..Default::default()
        };
        world.parking.create_spot(&world.manager, ev).await.unwrap();
        let any = |is_ev| Wish { spot_id: None, lot_id: Some(lot.id), is_ev, ..world.wish("", 24, 1) };
        let mut got = Vec::new();
        for is_ev in [Some(true), None, None] {
            let made = world.parking.reserve(&world.manager, &any(is_ev)).await;
            got.push(made.map(|one| one.spot_id).map_err(|error| error.code().to_owned()));
        }
        assert_eq!(got, [Ok("E1".into()), Ok("P1".into()), Err("spot_not_available".into())]);
        let quote = world.parking.quote(&world.manager, &any(None)).await.unwrap();
        assert!(!quote.is_free);
    })
    .await;
}

#[tokio::test]
async fn what_is_paid_at_the_place_is_noted_once() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        world.tariff(&lot, 150).await;
        let id = world.reserve(&world.manager, 24, 2).await.unwrap();
        let paid = world.parking.note_paid(&world.manager, id).await.unwrap();
        assert_eq!((paid.paid_minor, paid.payment_status), (300, PaymentStatus::Paid));
        assert_eq!(world.parking.note_paid(&world.manager, id).await.unwrap_err().code(), "nothing_due");
        // Without an account at Stripe there is no page to pay by card.
        assert_eq!(world.parking.card_script(), None);
        assert_eq!(world.parking.to_pay_by_card(&world.manager, id).await.unwrap_err().code(), "not_configured");
    })
    .await;
}
