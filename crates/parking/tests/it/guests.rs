//! Parking without an account: by the code of a spot, held by a secret link.

use portico_identity::RequestContext;
use portico_model::SpotId;
use portico_model::identity::Role;
use portico_model::parking::lot::{BookingRules, Lot, LotSettings};
use portico_model::parking::reservation::{PaymentStatus, ReservationState};
use portico_model::parking::spot::{Spot, SpotSettings};
use portico_model::parking::walk_up::{NewStay, WalkUpStatus};
use portico_parking::{ReservationQuery, SensorQuery};
use portico_platform::on_db;
use portico_platform::testing::each_database_with;
use serde_json::json;

use crate::tariffs::{hourly, named};
use crate::{World, each};
use portico_stripe_double::{Double, Options};

const TOKEN_CHARS: usize = 64;

fn open() -> BookingRules {
    BookingRules { is_walk_up: true, is_bookable: true, max_minutes: 480, ..BookingRules::default() }
}

fn ctx() -> RequestContext {
    RequestContext { address: "192.0.2.7".into(), ..RequestContext::default() }
}

fn stay_of(minutes: i64) -> NewStay {
    NewStay { duration_minutes: minutes, ..NewStay::default() }
}

impl World {
    async fn set_rules(&self, lot: &Lot, booking: BookingRules) {
        let now = self.parking.lot(&self.manager, lot.id).await.unwrap();
        let settings = LotSettings { name: now.name, tariff_id: now.tariff_id, booking, ..LotSettings::default() };
        self.parking.update_lot(&self.manager, lot.id, settings).await.unwrap();
    }

    /// A spot at 2.00 EUR an hour where anybody may park.
    async fn walk_up(&self) -> (Lot, Spot) {
        let (lot, _, spot) = self.one_spot().await;
        self.tariff(&lot, 200).await;
        self.set_rules(&lot, open()).await;
        (lot, spot)
    }

    async fn begin(&self, key: SpotId, minutes: i64) -> Result<String, String> {
        let begun = self.parking.begin_stay(key, &stay_of(minutes), &ctx()).await;
        begun.map(|begun| begun.secret().to_owned()).map_err(|error| error.code().to_owned())
    }

    async fn walk_up_status(&self, key: SpotId) -> WalkUpStatus {
        self.parking.walk_up_spot(key).await.unwrap().status
    }
}

#[tokio::test]
async fn who_stands_at_a_spot_parks_extends_and_leaves_without_an_account() {
    each(|world| async move {
        let (_, spot) = world.walk_up().await;
        let seen = world.parking.walk_up_spot(spot.key).await.unwrap();
        assert_eq!((seen.spot_id.as_str(), seen.status, seen.longest_minutes), ("P1", WalkUpStatus::Free, 480));
        assert_eq!((seen.tariff.as_str(), seen.pay_online), ("2.00 EUR per started 1 h", false));
        let quote = world.parking.walk_up_quote(spot.key, 90).await.unwrap();
        assert_eq!((quote.is_free, quote.price.total_minor, quote.price.parts.len()), (true, 400, 1));

        let new =
            NewStay { duration_minutes: 90, plate: Some(" B AB 123 ".into()), email: Some("guest@example.org".into()) };
        let begun = world.parking.begin_stay(spot.key, &new, &ctx()).await.unwrap();
        let token = begun.secret().to_owned();
        assert_eq!(token.len(), TOKEN_CHARS);
        let now = world.platform.clock.now();
        let stay = &begun.stay;
        assert_eq!((stay.state, stay.start_time, stay.due_minor), (ReservationState::CheckedIn, now, 400));
        assert_eq!((stay.end_time, stay.longest_extension_minutes), (now.plus_secs(90 * 60), 390));
        // Its holder is told nothing that only the operator knows.
        let told = serde_json::to_string(stay).unwrap();
        assert!(!told.contains("guest@example.org") && !told.contains("B AB 123"), "{told}");

        // Those who look after the lot see it among all.
        let all = world.parking.reservations(&world.manager, &ReservationQuery::default()).await.unwrap().items;
        let [one] = all.as_slice() else { panic!("{all:?}") };
        assert!(one.is_walk_up && one.user_id.is_none());
        assert_eq!((one.plate.as_str(), one.check_in_time), ("B AB 123", Some(now)));
        let dora = world.user("dora", Role::User).await;
        assert_eq!(world.parking.reservation(&dora, one.id).await.unwrap_err().status(), 404);

        // An hour more: what is paid follows from it. Not beyond what the lot allows.
        let more = world.parking.stay_extensions(&token, &[60, 390, 391]).await.unwrap();
        let more: Vec<_> = more.iter().map(|one| (one.minutes, one.more_minor)).collect();
        assert_eq!(more, [(60, 200), (390, 1_200)]);
        let longer = world.parking.extend_stay(&token, 60, &ctx()).await.unwrap();
        assert_eq!((longer.end_time, longer.due_minor), (now.plus_secs(150 * 60), 600));
        let too_long = world.parking.extend_stay(&token, 331, &ctx()).await.unwrap_err();
        assert_eq!(too_long.field_errors()[0].field, "duration_minutes");
        world.parking.note_paid(&world.manager, one.id).await.unwrap();
        assert_eq!(world.parking.stay(&token).await.unwrap().payment_status, PaymentStatus::Paid);

        world.advance_s(600);
        let over = world.parking.end_stay(&token, &ctx()).await.unwrap();
        assert_eq!((over.state, over.check_out_time), (ReservationState::Completed, Some(world.platform.clock.now())));
        for again in [
            world.parking.end_stay(&token, &ctx()).await.unwrap_err(),
            world.parking.extend_stay(&token, 30, &ctx()).await.unwrap_err(),
        ] {
            assert_eq!(again.code(), "reservation_over");
        }
        assert_eq!(world.walk_up_status(spot.key).await, WalkUpStatus::Free);
        assert!(world.begin(spot.key, 30).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn of_many_who_scan_the_same_code_one_parks() {
    each(|world| async move {
        let (_, spot) = world.walk_up().await;
        let racers = (0..40).map(|number| {
            let (parking, other) = (world.parking.clone(), world.other_server());
            tokio::spawn(async move {
                let server = if number % 2 == 0 { parking } else { other };
                let begun = server.begin_stay(spot.key, &stay_of(60), &ctx()).await;
                begun.map(drop).map_err(|error| error.status().as_u16())
            })
        });
        let mut results = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            results.push(racer.await.unwrap());
        }
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        assert_eq!(results.iter().filter(|result| **result == Err(409)).count(), 39, "{results:?}");
        assert_eq!(world.walk_up_status(spot.key).await, WalkUpStatus::Taken);
    })
    .await;
}

#[tokio::test]
async fn code_opens_nothing_where_the_lot_does_not_allow_it() {
    each(|world| async move {
        let (lot, _, spot) = world.one_spot().await;
        let refused = async |key: SpotId| {
            let codes = [
                world.parking.walk_up_spot(key).await.map(drop),
                world.parking.walk_up_quote(key, 60).await.map(drop),
                world.parking.begin_stay(key, &stay_of(60), &ctx()).await.map(drop),
            ];
            codes.map(|answer| answer.err().map(|error| error.code().to_owned()))
        };
        let not_found = || [(); 3].map(|()| Some("spot_not_found".to_owned()));
        assert_eq!(refused(spot.key).await, not_found(), "reserving is allowed there, and that is another thing");
        assert_eq!(refused(SpotId::generate()).await, not_found());

        world.set_rules(&lot, BookingRules { is_bookable: false, ..open() }).await;
        let token = world.begin(spot.key, 60).await.unwrap();
        // Closed meanwhile: who is there stays and leaves, and is not there longer.
        world.set_rules(&lot, BookingRules::default()).await;
        let closed = world.parking.extend_stay(&token, 30, &ctx()).await.unwrap_err();
        assert_eq!((closed.code(), closed.status().as_u16()), ("walk_up_closed", 409));
        assert_eq!(world.parking.stay(&token).await.unwrap().longest_extension_minutes, 0);
        assert!(world.parking.end_stay(&token, &ctx()).await.is_ok());
        assert_eq!(world.begin(spot.key, 60).await, Err("spot_not_found".into()));
    })
    .await;
}

#[tokio::test]
async fn stay_is_opened_by_its_secret_alone_and_the_database_does_not_hold_it() {
    each(|world| async move {
        let (_, spot) = world.walk_up().await;
        let token = world.begin(spot.key, 60).await.unwrap();
        for wrong in ["", "0", &token[1..], &"0".repeat(TOKEN_CHARS), &token.to_uppercase()] {
            assert_eq!(world.parking.stay(wrong).await.unwrap_err().status(), 404, "{wrong}");
            assert_eq!(world.parking.end_stay(wrong, &ctx()).await.unwrap_err().status(), 404, "{wrong}");
            assert_eq!(world.parking.extend_stay(wrong, 30, &ctx()).await.unwrap_err().status(), 404, "{wrong}");
            assert_eq!(world.parking.pay_stay(wrong).await.unwrap_err().status(), 404, "{wrong}");
        }
        let mut tx = world.platform.db.read().await.unwrap();
        let kept: Vec<u8> = on_db!(&mut tx, conn => sqlx::query_scalar(
            "select guest_hash from parking_reservation where guest_hash is not null").fetch_one(conn).await)
        .unwrap();
        assert_eq!(kept.len(), 32);
        let in_hex: String = kept.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_ne!(in_hex, token);
        assert_eq!(world.parking.stay(&in_hex).await.unwrap_err().status(), 404);
        // The audit trail tells that a guest did it, from where, and nothing of the secret.
        let records: Vec<(String, String)> = on_db!(&mut tx, conn => sqlx::query_as(
            "select actor, address from audit where action = 'parking_reservation.created'").fetch_all(conn).await)
        .unwrap();
        assert_eq!(records, [("guest".to_owned(), "192.0.2.7".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn stay_gives_way_to_who_has_reserved() {
    each(|world| async move {
        let (_, spot) = world.walk_up().await;
        let dora = world.user("dora", Role::User).await;
        world.parking.reserve(&dora, &world.wish("P1", 2, 1)).await.unwrap();
        // A quarter of an hour before its time the spot is kept free.
        let seen = world.parking.walk_up_spot(spot.key).await.unwrap();
        assert_eq!((seen.status, seen.longest_minutes), (WalkUpStatus::Free, 105));
        assert!(!world.parking.walk_up_quote(spot.key, 106).await.unwrap().is_free);
        assert_eq!(world.begin(spot.key, 106).await, Err("spot_not_available".into()));
        let token = world.begin(spot.key, 60).await.unwrap();
        assert_eq!(world.parking.stay(&token).await.unwrap().longest_extension_minutes, 45);
        assert_eq!(world.parking.extend_stay(&token, 46, &ctx()).await.unwrap_err().code(), "spot_not_available");
        world.parking.extend_stay(&token, 45, &ctx()).await.unwrap();

        world.advance_s(105 * 60);
        world.parking.clone().end_reservations().await.unwrap();
        assert_eq!(world.parking.stay(&token).await.unwrap().state, ReservationState::Completed);
        let seen = world.parking.walk_up_spot(spot.key).await.unwrap();
        let until = world.platform.clock.now().plus_secs(75 * 60);
        assert_eq!((seen.status, seen.until), (WalkUpStatus::Reserved, Some(until)));
        assert_eq!(world.begin(spot.key, 30).await, Err("spot_not_available".into()));
        let told = serde_json::to_string(&seen).unwrap();
        assert!(!told.contains("dora"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn car_that_stands_on_the_spot_is_the_one_of_who_asks() {
    each(|world| async move {
        let (_, spot) = world.walk_up().await;
        let said = async |occupied: bool| {
            let at = world.platform.clock.now().to_iso();
            let body = json!({"sensor_id": "S1", "occupied": occupied, "timestamp": at});
            world.parking.report(&world.manager, &body).await.unwrap();
        };
        said(false).await;
        let sensor = world.parking.sensors(&world.manager, SensorQuery::default()).await.unwrap().items.remove(0);
        world.parking.place_sensor(&world.manager, sensor.id, Some("P1")).await.unwrap();
        world.advance_s(60);
        said(true).await;
        assert_eq!(world.walk_up_status(spot.key).await, WalkUpStatus::Free);
        assert!(world.begin(spot.key, 60).await.is_ok());

        // A spot that is out of use is for nobody.
        let settings = SpotSettings {
            id: "P1".into(),
            level_id: Some(spot.level_id),
            is_disabled: true,
            ..SpotSettings::default()
        };
        world.parking.update_spot(&world.manager, "P1", settings).await.unwrap();
        assert_eq!(world.walk_up_status(spot.key).await, WalkUpStatus::OutOfUse);
    })
    .await;
}

#[tokio::test]
async fn lengths_and_contacts_are_checked() {
    each(|world| async move {
        let (_, spot) = world.walk_up().await;
        let new = |minutes: i64, plate: &str, email: &str| NewStay {
            duration_minutes: minutes,
            plate: Some(plate.into()),
            email: Some(email.into()),
        };
        for (new, field) in [
            (new(14, "", ""), "duration_minutes"),
            (new(481, "", ""), "duration_minutes"),
            (new(i64::MAX, "", ""), "duration_minutes"),
            (new(60, &"x".repeat(21), ""), "plate"),
            (new(60, "", "nobody"), "email"),
        ] {
            let error = world.parking.begin_stay(spot.key, &new, &ctx()).await.unwrap_err();
            assert_eq!(error.field_errors()[0].field, field, "{new:?}");
        }
        let minutes = world.parking.walk_up_minutes(spot.key, "2020-01-01T00:00").await.unwrap_err();
        assert_eq!(minutes.field_errors()[0].field, "until");
        let until = world.platform.clock.now().plus_secs(45 * 60).to_iso();
        assert_eq!(world.parking.walk_up_minutes(spot.key, &until).await.unwrap(), 45);
    })
    .await;
}

#[tokio::test]
async fn who_parked_is_forgotten_some_days_after_the_end() {
    each(|world| async move {
        let (_, spot) = world.walk_up().await;
        let new =
            NewStay { duration_minutes: 60, plate: Some("B AB 123".into()), email: Some("guest@example.org".into()) };
        let begun = world.parking.begin_stay(spot.key, &new, &ctx()).await.unwrap();
        let dora = world.user("dora", Role::User).await;
        let kept = world.parking.reserve(&dora, &world.wish("P1", 2, 1)).await.unwrap();
        world.parking.end_stay(begun.secret(), &ctx()).await.unwrap();
        let personal = async || {
            let all = world.parking.reservations(&world.manager, &ReservationQuery::default()).await.unwrap().items;
            let stay = all.into_iter().find(|one| one.is_walk_up).unwrap();
            format!("{}{}", stay.user_email, stay.plate)
        };
        world.advance_s(30 * 86_400);
        world.parking.clone().end_reservations().await.unwrap();
        world.parking.clone().forget_guests().await.unwrap();
        assert_eq!(personal().await, "guest@example.orgB AB 123");
        world.advance_s(3_601);
        world.parking.clone().forget_guests().await.unwrap();
        assert_eq!(personal().await, "");
        let driver = world.parking.reservation(&dora, kept.id).await.unwrap();
        assert_eq!(driver.user_email, "dora@example.org", "who has an account is not a guest");
        assert!(world.parking.stay(begun.secret()).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn stay_that_is_paid_online_is_held_until_then() {
    let options = || Options {
        secret_key: "sk_test_key".into(),
        publishable_key: "pk_test_key".into(),
        now_s: Some(portico_platform::testing::START.millis() / 1_000),
        ..Options::default()
    };
    let double = Double::start(options()).await.unwrap();
    let url = double.url().to_owned();
    let configure = |config: &mut portico_platform::Config| {
        config.stripe.secret_key = Some("sk_test_key".into());
        config.stripe.publishable_key = Some("pk_test_key".into());
        config.stripe.url.clone_from(&url);
        config.stripe.timeout_ms = 1_000;
    };
    let double = &double;
    each_database_with(configure, |test| async move {
        let world = World::without_jobs(test).await;
        let (_, spot) = world.walk_up().await;
        let begun = world.parking.begin_stay(spot.key, &stay_of(120), &ctx()).await.unwrap();
        let token = begun.secret().to_owned();
        let payable = begun.payable.unwrap();
        assert_eq!((begun.stay.state, begun.stay.due_minor), (ReservationState::Held, 400));
        assert!(payable.client_secret.is_some());
        assert_eq!(world.walk_up_status(spot.key).await, WalkUpStatus::Taken);
        assert_eq!(world.parking.extend_stay(&token, 30, &ctx()).await.unwrap_err().code(), "not_paid");
        double.complete(&payable.payment_intent_id).unwrap();
        // Nothing was heard from Stripe: it is asked.
        world.advance_s(121);
        world.parking.clone().ask_about_payments().await.unwrap();
        let paid = world.parking.stay(&token).await.unwrap();
        assert_eq!((paid.state, paid.payment_status), (ReservationState::CheckedIn, PaymentStatus::Paid));
        assert_eq!((paid.due_minor, paid.hold_until), (0, None));
        let more = world.parking.extend_stay(&token, 60, &ctx()).await.unwrap();
        assert_eq!((more.state, more.due_minor), (ReservationState::CheckedIn, 200));
        assert_eq!(world.parking.pay_stay(&token).await.unwrap().amount_minor, 200);
        world.parking.end_stay(&token, &ctx()).await.unwrap();

        // Who does not pay in time has no stay.
        let unpaid = world.begin(spot.key, 120).await.unwrap();
        world.advance_s(15 * 60);
        world.parking.clone().end_reservations().await.unwrap();
        let unpaid = world.parking.stay(&unpaid).await.unwrap();
        assert_eq!((unpaid.state, unpaid.due_minor), (ReservationState::Expired, 0));
        assert_eq!(world.walk_up_status(spot.key).await, WalkUpStatus::Free);
        // Who goes away before he has paid owes nothing.
        let left = world.begin(spot.key, 120).await.unwrap();
        let left = world.parking.end_stay(&left, &ctx()).await.unwrap();
        assert_eq!((left.state, left.due_minor), (ReservationState::Cancelled, 0));
    })
    .await;
}

#[tokio::test]
async fn stay_keeps_the_tariff_it_was_begun_with() {
    each(|world| async move {
        let (_, spot) = world.walk_up().await;
        let token = world.begin(spot.key, 60).await.unwrap();
        let tariff = world.parking.tariffs(&world.manager).await.unwrap().remove(0);
        world.parking.update_tariff(&world.manager, tariff.id, named("Usual", hourly(500))).await.unwrap();
        let more = world.parking.stay_extensions(&token, &[60]).await.unwrap();
        assert_eq!(more[0].more_minor, 200);
        assert_eq!(world.parking.extend_stay(&token, 60, &ctx()).await.unwrap().due_minor, 400);
        let quote = world.parking.walk_up_quote(spot.key, 60).await.unwrap();
        assert_eq!((quote.price.total_minor, quote.is_free), (500, false));
    })
    .await;
}
