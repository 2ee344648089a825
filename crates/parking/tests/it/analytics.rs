//! How full lots are, were and will be.

use portico_model::identity::Role;
use portico_model::parking::analytics::{ForecastMethod, ForecastReason};
use portico_platform::testing::START;
use serde_json::json;

use crate::each;

#[tokio::test]
async fn occupancy_is_told_for_all_lots_levels_and_zones() {
    each(|world| async move {
        let (lot, level, _) = world.one_spot().await;
        let spot = portico_model::parking::spot::SpotSettings {
            id: "P2".into(),
            level_id: Some(level.id),
            zone: "A".into(),
            ..Default::default()
        };
        world.parking.create_spot(&world.manager, spot).await.unwrap();
        world
            .parking
            .report(&world.manager, &json!({"sensor_id": "S1", "occupied": true, "timestamp": 0}))
            .await
            .unwrap();
        let sensors = world.parking.sensors(&world.manager, portico_parking::SensorQuery::default()).await.unwrap();
        world.parking.place_sensor(&world.manager, sensors.items[0].id, Some("P2")).await.unwrap();
        let driver = world.user("dora", Role::User).await;
        let now = world.parking.occupancy(&driver).await.unwrap();
        assert_eq!((now.overall.total_spots, now.overall.occupied_spots, now.overall.occupancy_rate), (2, 1, 50.0));
        assert_eq!((now.by_lot.len(), now.by_level.len(), now.by_lot[0].lot_id), (1, 1, lot.id));
        assert_eq!((now.by_zone[0].zone.as_deref(), now.by_zone[0].fill.occupancy_rate), (Some("A"), 100.0));
        let stranger = world.stranger().await;
        assert_eq!(world.parking.occupancy(&stranger).await.unwrap().overall.total_spots, 0);
    })
    .await;
}

#[tokio::test]
async fn comings_and_goings_are_counted_in_the_hour_they_happened() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let said = async |occupied: bool| {
            let at = world.platform.clock.now().to_iso();
            let body = json!({"sensor_id": "S1", "occupied": occupied, "timestamp": at});
            world.parking.report(&world.manager, &body).await.unwrap();
        };
        said(false).await;
        let sensors = world.parking.sensors(&world.manager, portico_parking::SensorQuery::default()).await.unwrap();
        world.parking.place_sensor(&world.manager, sensors.items[0].id, Some("P1")).await.unwrap();
        // START is a Saturday, 02:00.
        for minutes in [30, 60] {
            world.advance_s(60);
            said(true).await;
            world.parking.clone().note_occupancy().await.unwrap();
            world.advance_s(minutes * 60);
            said(false).await;
        }
        let trends = world.parking.trends(&world.manager, lot.id, None, None).await.unwrap();
        let day = &trends.days[0];
        assert_eq!((day.arrivals, day.departures, day.mean_stay_minutes), (2, 2, Some(45.0)));
        assert_eq!((trends.hours.len(), trends.hours[5 * 24 + 2].weekday), (168, 5));
        assert!(trends.hours[5 * 24 + 2].occupancy_rate.is_some() && trends.hours[0].occupancy_rate.is_none());
        let driver = world.user("dora", Role::User).await;
        assert_eq!(world.parking.trends(&driver, lot.id, None, None).await.unwrap_err().status(), 403);
        let stranger = world.stranger().await;
        assert_eq!(world.parking.trends(&stranger, lot.id, None, None).await.unwrap_err().status(), 404);
    })
    .await;
}

/// Four weeks of a lot of 100 spots that is full by day and empty at night.
fn history() -> String {
    let mut text = String::from("timestamp,lot,occupied,capacity\n");
    for step in 0..4 * 672_i64 {
        let at = START.plus_millis(-(4 * 672 - step) * 900_000);
        let hour = (at.millis() / 3_600_000) % 24;
        let weekend = (at.millis() / 86_400_000 + 3) % 7 >= 5;
        let occupied = if weekend {
            10
        } else if (8..18).contains(&hour) {
            80
        } else {
            5
        } + step % 7;
        text.push_str(&format!("{},Main garage,{occupied},100\n", at.to_iso()));
    }
    text
}

#[tokio::test]
async fn forecast_is_made_from_an_imported_history_and_says_how_good_it_is() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let none = world.parking.forecast(&world.manager, lot.id).await.unwrap_err();
        assert_eq!((none.status().as_u16(), none.code()), (409, "too_few_data"));
        let taken = world.parking.import_history(&world.manager, history().as_bytes()).await.unwrap();
        assert_eq!((taken.rows, taken.slots, taken.lots), (2_688, 2_688, vec!["Main garage".to_owned()]));
        let driver = world.user("dora", Role::User).await;
        let made = world.parking.forecast(&driver, lot.id).await.unwrap();
        assert_eq!((made.steps.len(), made.capacity, made.steps[0].at), (96, 100, START));
        assert!(made.steps.iter().all(|step| 0.0 <= step.low_95
            && step.low_95 <= step.low_80
            && step.low_80 <= step.expected
            && step.expected <= step.high_80
            && step.high_80 <= step.high_95
            && step.high_95 <= 100.0));
        // It is a Saturday.
        assert!(made.steps.iter().all(|step| step.expected < 30.0), "{:?}", made.steps);
        assert_eq!(made.scores.len(), 3);
        let score = |method| made.scores.iter().find(|score| score.method == method).unwrap().mean_absolute_error;
        assert!(score(ForecastMethod::LastValue) > score(made.method) && made.reason != ForecastReason::TooFewData);
        assert_eq!(world.parking.renew_forecast(&driver, lot.id).await.unwrap_err().status(), 403);
        assert_eq!(world.parking.renew_forecast(&world.manager, lot.id).await.unwrap().steps, made.steps);
    })
    .await;
}

#[tokio::test]
async fn history_with_a_wrong_row_is_refused_whole() {
    each(|world| async move {
        world.one_spot().await;
        for (row, field) in [
            ("soon,Main garage,1,10", "rows[3]"),
            ("2026-11-20T00:00:00Z,Nowhere,1,10", "rows[3]"),
            ("2026-11-20T00:00:00Z,Main garage,-1,10", "rows[3]"),
            ("2026-11-20T00:00:00Z,Main garage,1,0", "rows[3]"),
            ("2036-11-20T00:00:00Z,Main garage,1,10", "rows[3]"),
        ] {
            let file = format!("timestamp,lot,occupied,capacity\n2026-11-20T00:00:00Z,Main garage,1,10\n{row}\n");
            let error = world.parking.import_history(&world.manager, file.as_bytes()).await.unwrap_err();
            assert_eq!(error.field_errors()[0].field, field, "{row}");
        }
        let error = world.parking.import_history(&world.manager, b"time,lot\n").await.unwrap_err();
        assert_eq!(error.field_errors()[0].field, "file");
    })
    .await;
}
