//! Lots, levels and spots: kept, found, imported, and only by those who may.

use portico_model::identity::Role;
use portico_model::parking::lot::{LevelSettings, LotSettings};
use portico_model::parking::spot::{Grid, Outline, Placement, SpotSettings, SpotStatus};
use portico_parking::{LotQuery, SpotQuery};

use crate::each;

fn ids(spots: &[portico_model::parking::spot::Spot]) -> Vec<&str> {
    spots.iter().map(|spot| spot.id.as_str()).collect()
}

#[tokio::test]
async fn what_is_read_from_memory_is_never_behind_a_commit() {
    each(|world| async move {
        let (lot, level, spot) = world.one_spot().await;
        let all = SpotQuery::default();
        let read = async || world.parking.spots(&world.manager, &all).await.unwrap().0;
        assert_eq!(ids(&read().await), ["P1"]);
        // Another server on the same database, which remembers what it has read.
        let other = world.other_server();
        let there = async || other.spots(&world.manager, &all).await.unwrap().0;
        assert_eq!(ids(&there().await), ["P1"]);

        for number in 2..6 {
            world.spot(&level, &format!("P{number}")).await;
            assert_eq!(read().await.len(), number);
            assert_eq!(there().await, read().await);
        }
        let settings = SpotSettings { id: "A1".into(), is_ev: true, ..SpotSettings::default() };
        other.update_spot(&world.manager, &spot.key.to_string(), settings).await.unwrap();
        assert_eq!(ids(&read().await), ["A1", "P2", "P3", "P4", "P5"]);
        let renamed = LevelSettings { name: "Roof".into(), ..LevelSettings::default() };
        other.update_level(&world.manager, level.id, renamed).await.unwrap();
        assert!(read().await.iter().all(|spot| spot.level == "Roof"));
        world.parking.delete_spot(&world.manager, "P3").await.unwrap();
        assert_eq!(ids(&there().await), ["A1", "P2", "P4", "P5"]);
        other.delete_lot(&world.manager, lot.id).await.unwrap();
        assert!(
            read().await.is_empty()
                && world.parking.lots(&world.manager, LotQuery::default()).await.unwrap().is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn spots_are_found_by_what_they_are() {
    each(|world| async move {
        let lot = world.lot("Main garage").await;
        let low = LevelSettings { name: "B1".into(), clearance_cm: Some(190), ..LevelSettings::default() };
        let low = world.parking.create_level(&world.manager, lot.id, low).await.unwrap();
        let high = world.level(&lot, "L1").await;
        let add = async |id: &str, level: &portico_model::parking::lot::Level, change: fn(&mut SpotSettings)| {
            let mut settings = SpotSettings { id: id.into(), level_id: Some(level.id), ..SpotSettings::default() };
            change(&mut settings);
            world.parking.create_spot(&world.manager, settings).await.unwrap()
        };
        add("P1", &low, |spot| spot.zone = "A".into()).await;
        add("P2", &low, |spot| spot.clearance_cm = Some(220)).await;
        add("P3", &high, |spot| spot.is_ev = true).await;
        add("P4", &high, |spot| (spot.is_accessible, spot.zone) = (true, "A".into())).await;
        let find = async |query: SpotQuery| {
            let (spots, counts, next) = world.parking.spots(&world.manager, &query).await.unwrap();
            (ids(&spots).join(" "), counts.total, next)
        };
        let none = SpotQuery::default;
        for (query, expected) in [
            (SpotQuery { level: Some("B1".into()), ..none() }, "P1 P2"),
            (SpotQuery { zone: Some("A".into()), ..none() }, "P1 P4"),
            (SpotQuery { height_cm: Some(200), ..none() }, "P2 P3 P4"),
            (SpotQuery { is_ev: Some(true), ..none() }, "P3"),
            (SpotQuery { is_accessible: Some(false), level_id: Some(high.id), ..none() }, "P3"),
            (SpotQuery { search: Some("p4".into()), ..none() }, "P4"),
            (SpotQuery { status: Some(SpotStatus::Available), ..none() }, ""),
        ] {
            assert_eq!(find(query.clone()).await.0, expected, "{query:?}");
        }
        let page = find(SpotQuery { limit: Some(3), ..none() }).await;
        assert_eq!(page, ("P1 P2 P3".into(), 4, Some("P3".into())));
        let page = find(SpotQuery { limit: Some(3), cursor: Some("P3".into()), ..none() }).await;
        assert_eq!(page, ("P4".into(), 4, None));
    })
    .await;
}

#[tokio::test]
async fn nearest_lot_comes_first() {
    each(|world| async move {
        for (name, place) in [("Hamburg", Some((53.55, 9.99))), ("Berlin", Some((52.52, 13.41))), ("Nowhere", None)] {
            let (latitude, longitude) = place.unzip();
            let settings = LotSettings { name: name.into(), latitude, longitude, ..LotSettings::default() };
            world.parking.create_lot(&world.manager, settings).await.unwrap();
        }
        let near = async |within_m| {
            let query = LotQuery { near: Some((52.5, 13.4)), within_m };
            let lots = world.parking.lots(&world.manager, query).await.unwrap();
            lots.into_iter().map(|lot| lot.name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(near(None).await, "Berlin Hamburg Nowhere");
        assert_eq!(near(Some(50_000.0)).await, "Berlin");
        let wrong = LotQuery { near: Some((f64::NAN, 0.0)), within_m: None };
        assert_eq!(world.parking.lots(&world.manager, wrong).await.unwrap_err().status(), 400);
    })
    .await;
}

#[tokio::test]
async fn level_is_filled_with_rows_and_spots_are_moved_on_its_plan() {
    each(|world| async move {
        let lot = world.lot("Main garage").await;
        let level = world.level(&lot, "L1").await;
        let grid =
            Grid { rows: 10, columns: 20, prefix: "L1-".into(), first: 1, zone_letters: true, sensor_type: None };
        assert_eq!(world.parking.generate_spots(&world.manager, level.id, grid.clone()).await.unwrap(), 200);
        let again = world.parking.generate_spots(&world.manager, level.id, grid).await.unwrap_err();
        assert_eq!(again.code(), "level_not_empty");
        let level = world.parking.levels(&world.manager, lot.id).await.unwrap().pop().unwrap();
        assert_eq!((level.counts.total, level.counts.unknown, level.width_cm), (200, 200, 5_200));

        let (spots, ..) = world.parking.spots(&world.manager, &SpotQuery::default()).await.unwrap();
        assert_eq!((spots[0].id.as_str(), spots[199].zone.as_str()), ("L1-001", "J"));
        let place =
            |x| Placement { key: spots[7].key, outline: Outline { x, y: 90.0, angle: -90.0, ..Outline::default() } };
        world.parking.place_spots(&world.manager, level.id, &[place(1_234.56)]).await.unwrap();
        let (moved, _) = world.parking.spot(&world.manager, "L1-008").await.unwrap();
        assert_eq!((moved.outline.x, moved.outline.angle), (1_234.6, 270.0));
        let off = world.parking.place_spots(&world.manager, level.id, &[place(9e9)]).await.unwrap_err();
        assert_eq!((off.status().as_u16(), off.field_errors()[0].field.as_str()), (400, "outline"));
    })
    .await;
}

#[tokio::test]
async fn table_is_imported_whole_or_not_at_all() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let import = async |text: &str, dry: bool| {
            world.parking.import_spots(&world.manager, lot.id, text.as_bytes(), dry).await
        };
        let bad = "id,level,size\nP1,L1,large\nP2,L2,huge\n";
        let preview = import(bad, true).await.unwrap();
        assert_eq!((preview.created, preview.changed, preview.wrong), (0, 1, 1));
        let refused = import(bad, false).await.unwrap_err();
        assert_eq!(refused.field_errors()[0].field, "rows[3].size");
        let good = "id,level,size,ev\nP1,L1,large,\nP2,L2,compact,x\nP3,L2,,\n";
        assert!(!import(good, true).await.unwrap().is_done);
        assert_eq!(world.parking.levels(&world.manager, lot.id).await.unwrap().len(), 1, "only looked at");
        let done = import(good, false).await.unwrap();
        assert_eq!((done.created, done.changed, done.is_done, done.new_levels), (2, 1, true, vec!["L2".into()]));
        let (spots, ..) = world.parking.spots(&world.manager, &SpotQuery::default()).await.unwrap();
        let shown: Vec<_> = spots.iter().map(|spot| (spot.id.as_str(), spot.level.as_str(), spot.is_ev)).collect();
        assert_eq!(shown, [("P1", "L1", false), ("P2", "L2", true), ("P3", "L2", false)]);
        assert_ne!(spots[1].outline, spots[2].outline);
    })
    .await;
}

#[tokio::test]
async fn only_who_may_changes_and_nobody_sees_another_organisation() {
    each(|world| async move {
        let (lot, level, spot) = world.one_spot().await;
        let driver = world.user("dora", Role::User).await;
        assert_eq!(world.parking.lots(&driver, LotQuery::default()).await.unwrap().len(), 1);
        assert!(world.parking.spot(&driver, "P1").await.is_ok());
        let mine = LotSettings { name: "Mine".into(), ..LotSettings::default() };
        assert_eq!(world.parking.create_lot(&driver, mine.clone()).await.unwrap_err().status(), 403);
        assert_eq!(world.parking.delete_spot(&driver, "P1").await.unwrap_err().status(), 403);
        assert_eq!(world.parking.spot_history(&driver, "P1", None).await.unwrap_err().status(), 403);
        let desk = world.user("rita", Role::Reception).await;
        assert!(world.parking.spot_history(&desk, "P1", None).await.is_ok());
        assert_eq!(world.parking.delete_level(&desk, level.id).await.unwrap_err().status(), 403);

        let stranger = world.stranger().await;
        assert!(world.parking.lots(&stranger, LotQuery::default()).await.unwrap().is_empty());
        for error in [
            world.parking.lot(&stranger, lot.id).await.unwrap_err(),
            world.parking.spot(&stranger, &spot.key.to_string()).await.unwrap_err(),
            world.parking.delete_lot(&stranger, lot.id).await.unwrap_err(),
            world.parking.delete_level(&stranger, level.id).await.unwrap_err(),
            world.parking.delete_spot(&stranger, "P1").await.unwrap_err(),
        ] {
            assert_eq!(error.status(), 404);
        }
        assert!(world.parking.create_lot(&stranger, LotSettings { name: lot.name, ..mine }).await.is_ok());
    })
    .await;
}
