//! What leaves the car park: files, APDS, and the page that anybody may see.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use portico_model::identity::Role;
use portico_model::parking::lot::LotSettings;
use portico_model::parking::reservation::{ReservationState, Wish};
use portico_model::parking::spot::{SensorType, SpotSettings, SpotSize};
use portico_model::parking::tariff::{TariffRules, TariffSettings};
use portico_model::{LotId, ParkingLevelId};
use portico_parking::{ApdsExpand, ApdsKind, ApdsQuery, Export, ReservationQuery, SpotQuery};
use portico_platform::on_db;
use portico_platform::testing::START;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{World, each};

async fn csv(export: Export) -> String {
    export.into_csv().try_collect().await.unwrap()
}

/// What an answer to the public says.
struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

impl World {
    /// Without an account.
    async fn ask_publicly(&self, path: &str, tag: Option<&str>) -> Answer {
        let (app, _) = portico_parking::rest::router(self.parking.clone()).split_for_parts();
        let mut request = Request::get(path);
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// Of the only lot, by the sensor of P1.
    async fn say_p1(&self, occupied: bool) {
        let at = self.platform.clock.now().to_iso();
        let body = json!({"sensor_id": "S1", "occupied": occupied, "timestamp": at});
        self.parking.report(&self.manager, &body).await.unwrap();
    }

    async fn watch_p1(&self) {
        self.say_p1(false).await;
        let sensors = self.parking.sensors(&self.manager, portico_parking::SensorQuery::default()).await.unwrap();
        self.parking.place_sensor(&self.manager, sensors.items[0].id, Some("P1")).await.unwrap();
    }

    async fn open_to_all(&self, lot: LotId, is_public: bool) {
        let settings = LotSettings {
            name: "Main <garage>".into(),
            address: "1 Harbour Street".into(),
            debounce_s: 0,
            is_public,
            ..LotSettings::default()
        };
        self.parking.update_lot(&self.manager, lot, settings).await.unwrap();
    }
}

#[tokio::test]
async fn spots_that_leave_and_come_back_are_the_same() {
    each(|world| async move {
        let (lot, level, _) = world.one_spot().await;
        let rules = TariffRules {
            currency: "EUR".into(),
            free_minutes: 0,
            unit_minutes: 60,
            unit_price_minor: 100,
            bands: Vec::new(),
            daily_cap_minor: None,
            stay_cap_minor: None,
        };
        let tariff = TariffSettings { name: "Day".into(), rules };
        let tariff = world.parking.create_tariff(&world.manager, tariff).await.unwrap();
        for (id, zone, location) in
            [("-7", "=SUM(A1)", "by the \"lift\", left"), ("007", "'+49", "@home"), ("P2", "'tis", "one\ntwo; three")]
        {
            let settings = SpotSettings {
                id: id.into(),
                level_id: Some(level.id),
                zone: zone.into(),
                location: location.into(),
                sensor_type: Some(SensorType::Camera),
                is_ev: id == "007",
                is_accessible: id == "P2",
                size: Some(SpotSize::Large),
                clearance_cm: (id == "-7").then_some(210),
                is_disabled: id == "P2",
                tariff_id: Some(tariff.id),
                ..SpotSettings::default()
            };
            world.parking.create_spot(&world.manager, settings).await.unwrap();
        }
        let spots = async || world.parking.spots(&world.manager, &SpotQuery::default()).await.unwrap().0;
        let before = spots().await;
        let text = csv(world.parking.export_spots(&world.manager, lot.id).await.unwrap()).await;
        for cell in ["\"'=SUM(A1)\"", "\"'-7\"", "\"''+49\"", "\"'@home\"", "'tis", "210"] {
            assert!(text.contains(cell), "{cell}: {text}");
        }
        let again = world.parking.import_spots(&world.manager, lot.id, text.as_bytes(), false).await.unwrap();
        assert_eq!((again.created, again.changed, again.wrong), (0, 4, 0));
        assert_eq!(spots().await, before);

        // Elsewhere they are made anew, from either file.
        let stranger = world.stranger().await;
        let settings = LotSettings { name: "Copy".into(), ..LotSettings::default() };
        let copy = world.parking.create_lot(&stranger, settings).await.unwrap();
        let book = world.parking.export_spots(&world.manager, lot.id).await.unwrap().into_xlsx().await.unwrap();
        let made = world.parking.import_spots(&stranger, copy.id, &book, false).await.unwrap();
        assert_eq!((made.created, made.new_levels), (4, vec!["L1".to_owned()]));
        assert_eq!(csv(world.parking.export_spots(&stranger, copy.id).await.unwrap()).await, text);
        assert_eq!(world.parking.export_spots(&stranger, lot.id).await.err().unwrap().status(), 404);
        let driver = world.user("dora", Role::User).await;
        assert_eq!(world.parking.export_spots(&driver, lot.id).await.err().unwrap().status(), 403);
    })
    .await;
}

#[tokio::test]
async fn reservations_leave_with_the_filters_of_the_list_and_the_trail_says_so() {
    each(|world| async move {
        world.one_spot().await;
        let wish = Wish { notes: "=HYPERLINK(\"x\")".into(), plate: Some("ZZ 12".into()), ..world.wish("P1", 24, 2) };
        world.parking.reserve(&world.manager, &wish).await.unwrap();
        world.parking.reserve(&world.manager, &world.wish("P1", 48, 2)).await.unwrap();
        let export = async |query: ReservationQuery| {
            csv(world.parking.export_reservations(&world.manager, query).await.unwrap()).await
        };
        let all = export(ReservationQuery { limit: Some(1), ..ReservationQuery::default() }).await;
        assert!(all.starts_with("id,state,lot,level,spot,start,end,"), "{all}");
        assert_eq!(all.lines().count(), 3, "a page is no limit: {all}");
        assert!(all.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{all}");
        let one = export(ReservationQuery { search: Some("zz".into()), ..ReservationQuery::default() }).await;
        assert_eq!(one.lines().count(), 2, "{one}");
        let none = ReservationQuery { state: Some(ReservationState::Cancelled), ..ReservationQuery::default() };
        assert_eq!(export(none).await.lines().count(), 1);
        let book = world.parking.export_reservations(&world.manager, ReservationQuery::default()).await.unwrap();
        assert!(book.into_xlsx().await.unwrap().starts_with(b"PK\x03\x04"));

        let mut tx = world.platform.db.read().await.unwrap();
        let noted: i64 = on_db!(&mut tx, conn => sqlx::query_scalar(
            "select count(*) from audit where action = 'parking_reservations.exported'").fetch_one(conn).await)
        .unwrap();
        assert_eq!(noted, 4);
        drop(tx);
        let driver = world.user("dora", Role::User).await;
        let refused = world.parking.export_reservations(&driver, ReservationQuery::default()).await;
        assert_eq!(refused.err().unwrap().status(), 403);
        let stranger = world.stranger().await;
        let theirs = world.parking.export_reservations(&stranger, ReservationQuery::default()).await.unwrap();
        assert_eq!(csv(theirs).await.lines().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn occupancy_that_leaves_is_a_history_that_can_be_imported() {
    each(|world| async move {
        let lot = world.lot("=Deck").await;
        let mut history = String::from("timestamp,lot,occupied,capacity\n");
        for (quarters, occupied) in [(3, 3), (2, 4), (1, 10)] {
            let at = START.plus_millis(-quarters * 900_000).to_iso();
            history.push_str(&format!("{at},=Deck,{occupied},10\n"));
        }
        world.parking.import_history(&world.manager, history.as_bytes()).await.unwrap();
        let export =
            async || csv(world.parking.export_occupancy(&world.manager, lot.id, None, None).await.unwrap()).await;
        let text = export().await;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "timestamp,lot,occupied,capacity,occupancy_rate,arrivals,departures");
        let first = format!("{},\"'=Deck\",3,10,30,0,0", START.plus_millis(-2_700_000).to_iso());
        assert_eq!((lines.len(), lines[1]), (4, first.as_str()));
        let taken = world.parking.import_history(&world.manager, text.as_bytes()).await.unwrap();
        assert_eq!((taken.rows, taken.lots), (3, vec!["=Deck".to_owned()]));
        assert_eq!(export().await, text);
        let late = Some(START.plus_millis(-900_000));
        let part = world.parking.export_occupancy(&world.manager, lot.id, late, None).await.unwrap();
        assert_eq!(csv(part).await.lines().count(), 2);
        let driver = world.user("dora", Role::User).await;
        let refused = world.parking.export_occupancy(&driver, lot.id, None, None).await;
        assert_eq!(refused.err().unwrap().status(), 403);
        let stranger = world.stranger().await;
        let refused = world.parking.export_occupancy(&stranger, lot.id, None, None).await;
        assert_eq!(refused.err().unwrap().status(), 404);
    })
    .await;
}

#[tokio::test]
async fn places_have_the_shape_of_apds() {
    each(|world| async move {
        let (lot, level, spot) = world.one_spot().await;
        world.spot(&level, "P2").await;
        world.watch_p1().await;
        world.advance_s(60);
        world.say_p1(true).await;
        world.advance_s(60);
        world.say_p1(true).await;
        let driver = world.user("dora", Role::User).await;
        let all = ApdsExpand { occupancy: true, point_location: true, street_address: true, characteristics: true };
        let query = ApdsQuery { expand: all, ..ApdsQuery::default() };
        let (found, total) = world.parking.apds_places(&driver, &query).await.unwrap();
        let found = serde_json::to_value(found).unwrap();
        let [place, area, space, other] = [0_usize, 1, 2, 3].map(|at| found[at].clone());
        assert_eq!(total, 4);
        for (element, kind, layer) in
            [(&place, "parkingPlace", 0), (&area, "identifiedArea", 1), (&space, "space", 2), (&other, "space", 2)]
        {
            assert_eq!(
                (&element["type"], &element["layer"], &element["version"]),
                (&json!(kind), &json!(layer), &json!(1))
            );
            assert!(element["hierarchyElementRecord"]["creationTime"].is_string(), "{element}");
            let own = &element["hierarchyElementReference"]["elementId"];
            assert_eq!((&own["id"], &own["version"]), (&element["id"], &json!(1)));
        }
        let reference = |class: &str, id: &str| json!({"className": class, "id": id, "version": 1});
        let (lot_id, level_id, key) = (lot.id.to_string(), level.id.to_string(), spot.key.to_string());
        assert_eq!(place["name"], json!([{"language": "en", "string": "Main garage"}]));
        assert_eq!(place["childIds"], json!([reference("IdentifiedArea", &level_id)]));
        assert_eq!((&place["timeZone"], &place["characteristics"][0]["spacesTotal"]), (&json!("UTC"), &json!(2)));
        assert_eq!(
            (&area["parentId"], &area["childIds"][0]),
            (&reference("Place", &lot_id), &reference("Space", &key))
        );
        assert_eq!(space["parentId"], reference("IdentifiedArea", &level_id));
        assert_eq!(space["spaceId"], json!({"className": "Space", "id": "P1"}));
        assert_eq!(space["spaceDimension"]["dimensionWidth"], json!({"measure": 2.5, "unitOfMeasure": "metres"}));
        for (element, supply, percentage) in [(&place, 2, 50.0), (&area, 2, 50.0), (&space, 1, 100.0)] {
            let occupancy = &element["hierarchyElementReference"];
            assert_eq!(occupancy["supply"], json!([{"supplyViewType": "spaceView", "supplyQuantity": supply}]));
            let demand = &occupancy["demandTable"][0]["demandType"][0];
            assert_eq!((&demand["count"], &demand["percentage"]), (&json!(1), &json!(percentage)), "{element}");
            assert_eq!(demand["occupancyCalculation"], "counted");
            assert!(demand["recordDateTime"].is_string());
        }
        let single = &space["hierarchyElementReference"]["demandTable"][0]["demandSpaceType"][0];
        assert!(single["detectionUpdateTime"].is_string() && single["occupancyStartTime"].is_string(), "{single}");
        assert_eq!(other["hierarchyElementReference"].get("demandTable"), None, "nothing is known of it");

        let plain = world.parking.apds_place(&driver, &lot_id, ApdsExpand::default()).await.unwrap();
        let plain = serde_json::to_value(plain).unwrap();
        for absent in ["hierarchyElementReference", "characteristics", "placeStreetAddress", "parentId"] {
            assert_eq!(plain.get(absent), None, "{absent}");
        }
        let ids = async |query: ApdsQuery| {
            let (found, total) = world.parking.apds_places(&driver, &query).await.unwrap();
            (found.into_iter().map(|one| one.name[0].string.clone()).collect::<Vec<_>>().join(" "), total)
        };
        let spaces = ApdsQuery { kinds: Some(vec![ApdsKind::Space]), ..ApdsQuery::default() };
        assert_eq!(ids(ApdsQuery { offset: 1, limit: Some(1), ..spaces.clone() }).await, ("P2".to_owned(), 2));
        assert_eq!(ids(ApdsQuery { name: Some("P1".into()), ..spaces }).await, ("P1".to_owned(), 1));
        assert_eq!(ids(ApdsQuery { layer: Some(1), ..ApdsQuery::default() }).await, ("Main garage L1".to_owned(), 2));
        let near = ApdsQuery { near: Some((52.5, 13.4, 1_000.0)), ..ApdsQuery::default() };
        assert_eq!(ids(near).await, (String::new(), 0), "where the lot is nobody has said");

        let stranger = world.stranger().await;
        assert_eq!(world.parking.apds_places(&stranger, &ApdsQuery::default()).await.unwrap().1, 0);
        for id in [lot_id, level_id, key, "nonsense".to_owned()] {
            let error = world.parking.apds_place(&stranger, &id, all).await.unwrap_err();
            assert_eq!(error.status(), 404);
        }
    })
    .await;
}

#[tokio::test]
async fn lot_is_shown_to_everybody_only_while_it_is_open() {
    each(|world| async move {
        let (lot, level, spot) = world.one_spot().await;
        let settings = SpotSettings {
            id: "E1".into(),
            level_id: Some(level.id),
            is_ev: true,
            is_disabled: true,
            ..SpotSettings::default()
        };
        world.parking.create_spot(&world.manager, settings).await.unwrap();
        let (json_path, page_path) = (format!("/api/v1/public/parking/{}", lot.id), format!("/p/parking/{}", lot.id));
        for path in [&json_path, &page_path] {
            assert_eq!(world.ask_publicly(path, None).await.status, 404, "not open yet: {path}");
        }
        world.open_to_all(lot.id, true).await;
        world.watch_p1().await;

        let first = world.ask_publicly(&json_path, None).await;
        assert_eq!((first.status.as_u16(), first.header("cache-control")), (200, "public, max-age=15"));
        assert_eq!(first.header("access-control-allow-origin"), "*");
        let told: Value = serde_json::from_str(&first.body).unwrap();
        assert_eq!((&told["name"], &told["address"]), (&json!("Main <garage>"), &json!("1 Harbour Street")));
        assert_eq!(told["spots"], json!({"total": 1, "available": 1, "unknown": 0}), "E1 is out of use");
        assert_eq!(told["ev"], json!({"total": 0, "available": 0, "unknown": 0}));
        let page = world.ask_publicly(&page_path, None).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(page.header("content-security-policy").contains("frame-ancestors *"));
        assert!(page.body.contains("Main &lt;garage&gt;") && page.body.contains("<strong>1</strong> free of 1"));
        for secret in ["P1", "E1", "S1", &spot.key.to_string(), &level.id.to_string(), "manager"] {
            assert!(!first.body.contains(secret) && !page.body.contains(secret), "{secret}");
        }

        for (path, answer) in [(&json_path, &first), (&page_path, &page)] {
            let tag = answer.header("etag");
            let known = world.ask_publicly(path, Some(tag)).await;
            assert_eq!((known.status.as_u16(), known.body.as_str(), known.header("etag")), (304, "", tag));
        }
        world.advance_s(60);
        world.say_p1(true).await;
        let tag = first.header("etag");
        let changed = world.ask_publicly(&json_path, Some(tag)).await;
        assert_eq!(changed.status, 200);
        assert!(changed.body.contains("{\"total\":1,\"available\":0,"), "{}", changed.body);
        let small = world.ask_publicly(&format!("{page_path}?embed=1"), None).await;
        assert!(small.body.contains("class=\"small\"") && !small.body.contains("Harbour"));

        world.open_to_all(lot.id, false).await;
        let unknown = [ParkingLevelId::generate().to_string(), "nonsense".to_owned()];
        let others = unknown.map(|id| format!("/p/parking/{id}"));
        for path in others.iter().chain([&json_path, &page_path]) {
            let answer = world.ask_publicly(path, Some(tag)).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(!answer.body.contains("garage"));
        }
    })
    .await;
}
