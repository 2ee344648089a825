//! Vehicles that come and leave: what they owe, what covers them, who may tell of them, and that plates are forgotten.

use portico_model::devices::NewDevice;
use portico_model::identity::Role;
use portico_model::parking::lot::{BookingRules, Lot, LotSettings};
use portico_model::parking::permit::{NewPermit, Permit, PermitState, PermitValidity};
use portico_model::parking::reservation::{ReservationState, Wish};
use portico_model::parking::session::{ParkingSession, SessionSource, VehicleArrival, VehicleDeparture};
use portico_model::{ParkingSessionId, SpotId};
use portico_parking::{PermitQuery, SessionQuery};
use portico_platform::{Actor, Principal, on_db};

use crate::{World, each};

const HOUR: i64 = 3_600;

fn came(lot: &Lot, plate: &str) -> VehicleArrival {
    let plate = Some(plate.to_owned());
    VehicleArrival { lot_id: lot.id, plate, spot_id: None, at: None, permit_id: None, source: None }
}

fn left(lot: &Lot, plate: &str) -> VehicleDeparture {
    VehicleDeparture { lot_id: lot.id, plate: Some(plate.to_owned()), spot_id: None, at: None }
}

impl World {
    async fn enter(&self, lot: &Lot, plate: &str) -> ParkingSession {
        self.parking.vehicle_came(&self.manager, &came(lot, plate)).await.unwrap().0
    }

    async fn leave(&self, lot: &Lot, plate: &str) -> ParkingSession {
        self.parking.vehicle_left(&self.manager, &left(lot, plate)).await.unwrap()
    }

    async fn listed(&self, query: SessionQuery) -> Vec<ParkingSessionId> {
        let page = self.parking.parking_sessions(&self.manager, &query).await.unwrap();
        page.items.into_iter().map(|one| one.id).collect()
    }

    async fn overstaying(&self) -> Vec<ParkingSessionId> {
        self.listed(SessionQuery { overstaying: Some(true), ..SessionQuery::default() }).await
    }

    async fn permit_for(&self, plate: &str, hours: i64) -> Permit {
        let until = self.platform.clock.now().plus_secs(hours * HOUR).to_iso();
        let new = NewPermit { plate: plate.into(), label: "Staff".into(), valid_until: until, ..NewPermit::default() };
        self.parking.create_permit(&self.manager, &new).await.unwrap()
    }
}

#[tokio::test]
async fn vehicle_comes_and_leaves_and_pays_by_the_tariff_in_force_when_it_came() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let tariff = world.tariff(&lot, 200).await;
        let there = world.enter(&lot, "B AB 123").await;
        assert_eq!((there.source, there.due_minor, there.left_at), (SessionSource::Person, 0, None));
        let dearer = crate::tariffs::named("Usual", crate::tariffs::hourly(900));
        world.parking.update_tariff(&world.manager, tariff.id, dearer).await.unwrap();

        world.advance_s(HOUR + 1);
        let so_far = world.parking.parking_session(&world.manager, there.id).await.unwrap();
        assert_eq!((so_far.amount_minor, so_far.currency.as_str()), (400, "EUR"));
        world.advance_s(HOUR);
        let gone = world.leave(&lot, "b-ab123").await;
        assert_eq!((gone.id, gone.amount_minor, gone.due_minor), (there.id, 600, 600));
        assert_eq!(gone.price.parts.iter().map(|part| part.units).sum::<i64>(), 3);
        assert!(world.listed(SessionQuery { open: Some(true), ..SessionQuery::default() }).await.is_empty());

        let paid = world.parking.note_session_paid(&world.manager, gone.id).await.unwrap();
        assert_eq!((paid.paid_minor, paid.due_minor), (600, 0));
        let again = world.parking.note_session_paid(&world.manager, gone.id).await.unwrap_err();
        assert_eq!(again.code(), "nothing_due");
        let over = world.parking.end_parking_session(&world.manager, gone.id).await.unwrap_err();
        assert_eq!(over.code(), "session_over");
    })
    .await;
}

#[tokio::test]
async fn what_was_paid_before_leaving_is_taken_off() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        world.tariff(&lot, 200).await;
        let there = world.enter(&lot, "B AB 123").await;
        world.advance_s(60);
        let paid = world.parking.note_session_paid(&world.manager, there.id).await.unwrap();
        assert_eq!((paid.paid_minor, paid.due_minor, paid.left_at), (200, 0, None));
        world.advance_s(HOUR);
        let gone = world.parking.end_parking_session(&world.manager, there.id).await.unwrap();
        assert_eq!((gone.amount_minor, gone.paid_minor, gone.due_minor), (400, 200, 200));
    })
    .await;
}

#[tokio::test]
async fn same_reading_again_changes_nothing() {
    each(|world| async move {
        let (lot, level, spot) = world.one_spot().await;
        let first = world.enter(&lot, "B AB 123").await;
        let (again, is_new) = world.parking.vehicle_came(&world.manager, &came(&lot, "b ab-123")).await.unwrap();
        assert_eq!((again.id, is_new), (first.id, false));

        // Seen at a spot later: it stands there.
        let at_spot = VehicleArrival { spot_id: Some("P1".into()), ..came(&lot, "B AB 123") };
        let (moved, is_new) = world.parking.vehicle_came(&world.manager, &at_spot).await.unwrap();
        assert_eq!((moved.id, moved.spot_key, is_new), (first.id, Some(spot.key), false));
        let other = VehicleArrival { spot_id: Some("P1".into()), ..came(&lot, "B XY 9") };
        assert_eq!(world.parking.vehicle_came(&world.manager, &other).await.unwrap_err().code(), "spot_taken");
        // Another vehicle that is said to leave the spot is not this one.
        let wrong = VehicleDeparture { spot_id: Some("P1".into()), ..left(&lot, "B XY 9") };
        let none = world.parking.vehicle_left(&world.manager, &wrong).await.unwrap_err();
        assert_eq!(none.code(), "parking_session_not_found");

        world.advance_s(60);
        let gone = world.leave(&lot, "B AB 123").await;
        let (late, is_new) = {
            let late = VehicleArrival { at: Some(first.entered_at), ..came(&lot, "B AB 123") };
            world.parking.vehicle_came(&world.manager, &late).await.unwrap()
        };
        assert_eq!((late.id, late.left_at, is_new), (first.id, gone.left_at, false), "told late");
        world.advance_s(60);
        assert_eq!(world.leave(&lot, "B AB 123").await.left_at, gone.left_at);
        world.advance_s(HOUR);
        let unknown = world.parking.vehicle_left(&world.manager, &left(&lot, "B AB 123")).await.unwrap_err();
        assert_eq!(unknown.code(), "parking_session_not_found");
        assert_ne!(world.enter(&lot, "B AB 123").await.id, first.id, "it comes again");

        // Without a plate, by the spot alone.
        world.spot(&level, "P2").await;
        let blind = VehicleArrival { plate: None, spot_id: Some("P2".into()), ..came(&lot, "") };
        let (there, is_new) = world.parking.vehicle_came(&world.manager, &blind).await.unwrap();
        assert!(is_new && there.plate.is_empty());
        let (same, is_new) = world.parking.vehicle_came(&world.manager, &blind).await.unwrap();
        assert_eq!((same.id, is_new), (there.id, false));
        let nothing = VehicleArrival { plate: Some(" - ".into()), ..came(&lot, "") };
        assert_eq!(world.parking.vehicle_came(&world.manager, &nothing).await.unwrap_err().status().as_u16(), 400);
    })
    .await;
}

#[tokio::test]
async fn database_itself_refuses_a_second_open_session() {
    each(|world| async move {
        let (lot, _, spot) = world.one_spot().await;
        let there =
            VehicleArrival { spot_id: Some("P1".into()), ..came(&lot, "B AB 123") };
        let (there, _) = world.parking.vehicle_came(&world.manager, &there).await.unwrap();
        let insert = async |plate: &str, spot: Option<SpotId>, is_open: bool| {
            let mut tx = world.platform.db.begin().await.unwrap();
            let done = on_db!(&mut tx, conn => sqlx::query(
                "insert into parking_session (id, organization_id, lot_id, spot_id, plate, plate_key, source, entered_at,
                     left_at, grace_minutes, price, amount_minor, currency, paid_minor, created_at, updated_at)
                 select $1, organization_id, lot_id, $2, plate, $3, source, entered_at,
                     case when $4 then null else entered_at end, 0, price, 0, currency, 0, 0, 0
                 from parking_session where id = $5")
                .bind(ParkingSessionId::generate()).bind(spot).bind(plate).bind(is_open).bind(there.id).execute(conn).await
                .map(drop));
            if done.is_ok() {
                tx.commit().await.unwrap();
            }
            done.is_ok()
        };
        for (plate, at, is_open, fits) in [
            ("BAB123", None, true, false),
            ("BXY9", Some(spot.key), true, false),
            ("", Some(spot.key), true, false),
            ("BAB123", Some(spot.key), false, true),
            ("", None, true, true),
            ("", None, true, true),
        ] {
            assert_eq!(insert(plate, at, is_open).await, fits, "{plate:?} at {at:?}, open: {is_open}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_many_readings_at_once_one_begins_the_session() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let readings = (0..20).map(|number| {
            let server = if number % 2 == 0 { world.parking.clone() } else { world.other_server() };
            let (actor, arrival) = (world.manager.clone(), came(&lot, "B AB 123"));
            tokio::spawn(async move { server.vehicle_came(&actor, &arrival).await.unwrap() })
        });
        let mut begun = 0;
        for reading in readings.collect::<Vec<_>>() {
            begun += usize::from(reading.await.unwrap().1);
        }
        assert_eq!(begun, 1);
        assert_eq!(world.listed(SessionQuery::default()).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn reservation_covers_its_time_and_the_rest_is_paid() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        world.tariff(&lot, 200).await;
        let driver = world.user("dora", Role::User).await;
        let wish = Wish { plate: Some("B-AB 123".into()), ..world.wish("P1", 1, 2) };
        let reserved = world.parking.reserve(&driver, &wish).await.unwrap();
        // Too early: by the time.
        let early = world.enter(&lot, "B AB 123").await;
        assert_eq!(early.reservation_id, None);
        world.leave(&lot, "B AB 123").await;

        world.advance_s(HOUR);
        let there = world.enter(&lot, "B AB 123").await;
        assert_eq!((there.reservation_id, there.covered_until), (Some(reserved.id), Some(reserved.end_time)));
        let known = world.parking.reservation(&driver, reserved.id).await.unwrap();
        assert_eq!(known.state, ReservationState::CheckedIn, "whoever is seen at the gate has come");
        // The spot is reserved for that plate, not for another.
        let other = VehicleArrival { spot_id: Some("P1".into()), ..came(&lot, "B XY 9") };
        assert_eq!(world.parking.vehicle_came(&world.manager, &other).await.unwrap().0.reservation_id, None);

        world.advance_s(2 * HOUR + 15 * 60);
        assert!(world.overstaying().await.is_empty(), "within the grace");
        let so_far = world.parking.parking_session(&world.manager, there.id).await.unwrap();
        assert_eq!((so_far.amount_minor, so_far.is_overstaying), (0, false));
        world.advance_s(1);
        assert_eq!(world.overstaying().await, [there.id]);
        let others = SessionQuery { open: Some(true), overstaying: Some(false), ..SessionQuery::default() };
        assert_eq!(world.listed(others).await.len(), 1);
        let gone = world.leave(&lot, "B AB 123").await;
        assert_eq!((gone.amount_minor, gone.is_overstaying), (200, false), "from the end of the reservation on");
        assert!(world.overstaying().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn lot_may_limit_how_long_others_stay() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let before = world.enter(&lot, "B OLD 1").await;
        let limited = |longest_stay_minutes| LotSettings {
            name: lot.name.clone(),
            booking: BookingRules { longest_stay_minutes, ..BookingRules::default() },
            ..LotSettings::default()
        };
        let refused = world.parking.update_lot(&world.manager, lot.id, limited(Some(4))).await.unwrap_err();
        assert_eq!(refused.status().as_u16(), 400);
        world.parking.update_lot(&world.manager, lot.id, limited(Some(120))).await.unwrap();
        world.permit_for("B PM 1", 10).await;
        let staff = world.enter(&lot, "B PM 1").await;
        let there = world.enter(&lot, "B AB 123").await;
        assert_eq!((before.may_stay_until, staff.may_stay_until), (None, None));
        assert_eq!(there.may_stay_until, Some(there.entered_at.plus_secs(2 * HOUR)));
        world.advance_s(2 * HOUR);
        assert!(world.overstaying().await.is_empty());
        world.advance_s(1);
        assert_eq!(world.overstaying().await, [there.id]);
        // What held when it came still does.
        world.parking.update_lot(&world.manager, lot.id, limited(None)).await.unwrap();
        assert!(world.parking.parking_session(&world.manager, there.id).await.unwrap().is_overstaying);
        world.leave(&lot, "B AB 123").await;
        assert!(world.overstaying().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn permit_covers_until_it_ends_or_is_revoked() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        world.tariff(&lot, 200).await;
        let permit = world.permit_for("B AB 123", 10).await;
        assert_eq!((permit.state, permit.lot_id), (PermitState::Valid, None));
        let there = world.enter(&lot, "b ab 123").await;
        assert_eq!(there.permit_id, Some(permit.id));
        world.advance_s(9 * HOUR);
        let gone = world.leave(&lot, "B AB 123").await;
        assert_eq!((gone.amount_minor, gone.due_minor), (0, 0));

        let there = world.enter(&lot, "B AB 123").await;
        world.parking.revoke_permit(&world.manager, permit.id).await.unwrap();
        world.advance_s(60);
        assert_eq!(world.overstaying().await, [there.id]);
        assert_eq!(world.leave(&lot, "B AB 123").await.amount_minor, 200, "from then on it is paid for");
        assert_eq!(world.enter(&lot, "B AB 123").await.permit_id, None);
        let change = PermitValidity::default();
        let revoked = world.parking.change_permit(&world.manager, permit.id, &change).await.unwrap_err();
        assert_eq!(revoked.code(), "permit_revoked");

        // Of another lot it does not hold here; without a plate it is the one that comes with it.
        let elsewhere = world.lot("Other garage").await;
        let new = NewPermit { lot_id: Some(elsewhere.id), plate: "B XY 9".into(), ..NewPermit::default() };
        world.parking.create_permit(&world.manager, &new).await.unwrap();
        assert_eq!(world.enter(&lot, "B XY 9").await.permit_id, None);
        assert!(world.enter(&elsewhere, "B XY 9").await.permit_id.is_some());
        let wrong = NewPermit::default();
        assert_eq!(world.parking.create_permit(&world.manager, &wrong).await.unwrap_err().status().as_u16(), 400);
        let backwards = NewPermit { valid_until: "2020-01-01T00:00".into(), ..new };
        let error = world.parking.create_permit(&world.manager, &backwards).await.unwrap_err();
        assert_eq!(error.field_errors()[0].field, "valid_until");
    })
    .await;
}

#[tokio::test]
async fn people_see_their_own_permits_and_no_sessions() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let driver = world.user("dora", Role::User).await;
        let user = driver.user_id().unwrap().to_string();
        let new = NewPermit { user, label: "Season ticket".into(), ..NewPermit::default() };
        let own = world.parking.create_permit(&world.manager, &new).await.unwrap();
        assert_eq!(own.holder, "dora");
        let other = world.permit_for("B XY 9", 10).await;
        let seen = world.parking.permits(&driver, &PermitQuery::default()).await.unwrap().items;
        assert_eq!(seen.iter().map(|permit| permit.id).collect::<Vec<_>>(), [own.id]);
        assert_eq!(world.parking.permit(&driver, other.id).await.unwrap_err().status().as_u16(), 404);
        let found = PermitQuery { search: Some("bxy".into()), ..PermitQuery::default() };
        let found = world.parking.permits(&world.manager, &found).await.unwrap().items;
        assert_eq!(found.iter().map(|permit| permit.id).collect::<Vec<_>>(), [other.id]);

        // It comes with the vehicle that its holder drives today.
        let with = VehicleArrival { permit_id: Some(own.id), ..came(&lot, "M AA 1") };
        assert_eq!(world.parking.vehicle_came(&world.manager, &with).await.unwrap().0.permit_id, Some(own.id));
        for refused in [
            world.parking.parking_sessions(&driver, &SessionQuery::default()).await.map(drop),
            world.parking.vehicle_came(&driver, &came(&lot, "B AB 123")).await.map(drop),
            world.parking.create_permit(&driver, &new).await.map(drop),
            world.parking.revoke_permit(&driver, own.id).await.map(drop),
        ] {
            assert_eq!(refused.unwrap_err().status().as_u16(), 403);
        }
        let connection = world.platform.hub.connect(&driver, 10).unwrap();
        assert!(connection.subscribe(&driver, "parking_sessions").await.is_err(), "plates are not for drivers");
    })
    .await;
}

#[tokio::test]
async fn device_may_tell_of_vehicles_of_its_organisation_when_its_owner_may() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let device = async |owner: &Actor, name: &str| {
            let new = NewDevice { name: name.into(), device_type: "camera".into(), ..NewDevice::default() };
            let made = world.devices.register(owner, new).await.unwrap();
            Actor { principal: Principal::Device { id: made.device.id }, ..owner.clone() }
        };
        let camera = device(&world.manager, "gate camera").await;
        let (there, is_new) = world.parking.vehicle_came(&camera, &came(&lot, "B AB 123")).await.unwrap();
        assert!(is_new && there.source == SessionSource::Camera);
        assert_eq!(world.parking.vehicle_left(&camera, &left(&lot, "B AB 123")).await.unwrap().id, there.id);
        let seen = world.parking.parking_sessions(&camera, &SessionQuery::default()).await;
        assert_eq!(seen.unwrap_err().status().as_u16(), 403, "it tells, and does not read");

        let driver = world.user("dora", Role::User).await;
        let toy = device(&driver, "toy").await;
        assert_eq!(world.parking.vehicle_came(&toy, &came(&lot, "B AB 123")).await.unwrap_err().status().as_u16(), 403);

        let elsewhere = world.test.other_organization().await;
        let stranger = Actor { organization: elsewhere, ..camera.clone() };
        assert!(world.parking.vehicle_came(&stranger, &came(&lot, "B AB 123")).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn other_organisation_sees_nothing_of_vehicles_and_permits() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let there = world.enter(&lot, "B AB 123").await;
        let permit = world.permit_for("B XY 9", 10).await;
        let stranger = world.stranger().await;
        let sessions = world.parking.parking_sessions(&stranger, &SessionQuery::default()).await.unwrap();
        let permits = world.parking.permits(&stranger, &PermitQuery::default()).await.unwrap();
        assert!(sessions.items.is_empty() && permits.items.is_empty());
        for refused in [
            world.parking.vehicle_came(&stranger, &came(&lot, "B AB 123")).await.map(drop),
            world.parking.vehicle_left(&stranger, &left(&lot, "B AB 123")).await.map(drop),
            world.parking.parking_session(&stranger, there.id).await.map(drop),
            world.parking.end_parking_session(&stranger, there.id).await.map(drop),
            world.parking.note_session_paid(&stranger, there.id).await.map(drop),
            world.parking.permit(&stranger, permit.id).await.map(drop),
            world.parking.change_permit(&stranger, permit.id, &PermitValidity::default()).await.map(drop),
            world.parking.revoke_permit(&stranger, permit.id).await.map(drop),
        ] {
            assert_eq!(refused.unwrap_err().status().as_u16(), 404);
        }
    })
    .await;
}

#[tokio::test]
async fn plates_of_those_who_have_left_are_forgotten_in_time() {
    each(|world| async move {
        const DAY: i64 = 24 * HOUR;
        let (lot, ..) = world.one_spot().await;
        let there = world.enter(&lot, "B XY 9").await;
        let gone = world.enter(&lot, "B AB 123").await;
        world.leave(&lot, "B AB 123").await;
        let plate = async |id| world.parking.parking_session(&world.manager, id).await.unwrap().plate;
        world.advance_s(29 * DAY);
        world.parking.clone().forget_plates().await.unwrap();
        assert_eq!(plate(gone.id).await, "B AB 123");
        world.advance_s(2 * DAY);
        world.parking.clone().forget_plates().await.unwrap();
        assert_eq!((plate(gone.id).await, plate(there.id).await), (String::new(), "B XY 9".to_owned()));
        let by_plate = SessionQuery { plate: Some("ab123".into()), ..SessionQuery::default() };
        assert!(world.listed(by_plate).await.is_empty());
        let by_plate = SessionQuery { plate: Some("x-y".into()), ..SessionQuery::default() };
        assert_eq!(world.listed(by_plate).await, [there.id]);
    })
    .await;
}
