//! Many series at once, saved views, files.

use futures::StreamExt as _;
use portico_devices::{DeviceQuery, TelemetryQuery};
use portico_model::devices::DeviceChange;
use portico_model::explore::{NewView, SeriesRef, ViewDefinition};
use portico_model::identity::Role;
use portico_model::telemetry::{Aggregation, Value};
use portico_model::{DeviceId, ErrorKind};
use portico_platform::testing::insert_user;
use serde_json::json;

use crate::rest::{each_api, error};
use crate::{World, each, each_with, mixed, sample};

fn series(device_id: DeviceId, key: &str) -> SeriesRef {
    SeriesRef { device_id, key: key.into() }
}

fn query(world: &World, series: Vec<SeriesRef>, window_ms: Option<i64>) -> TelemetryQuery {
    let to = world.now();
    let from = to.plus_secs(-3_600);
    TelemetryQuery { series, from, to, aggregation: Aggregation::Mean, window_ms, max_windows: 600 }
}

async fn text(stream: impl futures::Stream<Item = portico_platform::Result<String>>) -> String {
    stream.map(|part| part.unwrap()).collect::<Vec<_>>().await.concat()
}

#[tokio::test]
async fn many_series_share_one_width_and_what_may_not_be_seen_is_missing() {
    each(|world| async move {
        let ann = world.user("ann", Role::User).await;
        let (one, two) = (world.device_of(&ann, "one").await, world.device_of(&ann, "two, \"b\"").await);
        let foreign = world.device("foreign").await;
        let units = DeviceChange { metadata: Some(json!({"units": {"t": "°F"}})), ..DeviceChange::default() };
        world.devices.update(&ann, one.device.id, units).await.unwrap();
        let now = world.now();
        let minutes = |minute: i64| now.plus_secs(-60 * minute);
        world.submit(&one, vec![sample(minutes(50), &[("t", 1.0)]), sample(minutes(49), &[("t", 3.0)])]).await;
        world
            .submit(&two, vec![mixed(minutes(10), &[("t", Value::Boolean(true)), ("note", Value::Text("=x".into()))])])
            .await;
        world.submit(&foreign, vec![sample(minutes(5), &[("t", 9.0)])]).await;
        let unknown = DeviceId::generate();
        let asked = vec![
            series(two.device.id, "t"),
            series(foreign.device.id, "t"),
            series(one.device.id, "t"),
            series(unknown, "t"),
            series(one.device.id, "nothing"),
        ];
        let answer = world.devices.query(&ann, &query(&world, asked.clone(), Some(600_000))).await.unwrap();
        assert_eq!(answer.missing, [series(foreign.device.id, "t"), series(unknown, "t")]);
        let shown: Vec<_> = answer
            .series
            .iter()
            .map(|series| {
                let values: Vec<_> = series.points.iter().map(|point| (point.value, point.count)).collect();
                (series.device_name.as_str(), series.unit.as_deref(), values)
            })
            .collect();
        assert_eq!(
            shown,
            [("two, \"b\"", None, vec![(1.0, 1)]), ("one", Some("°F"), vec![(2.0, 2)]), ("one", None, vec![])]
        );
        // Few points: each by itself, with its own time.
        let raw = world.devices.query(&ann, &query(&world, asked.clone(), None)).await.unwrap();
        assert_eq!((raw.window_ms, raw.series[1].points[1].ts), (1, minutes(49)));
        let p95 = TelemetryQuery { aggregation: Aggregation::P95, ..query(&world, asked.clone(), Some(3_600_000)) };
        assert!((world.devices.query(&ann, &p95).await.unwrap().series[1].points[0].value - 2.9).abs() < 1e-9);

        let refused = async |query: TelemetryQuery| world.devices.query(&ann, &query).await.unwrap_err().kind();
        assert_eq!(refused(query(&world, vec![], None)).await, ErrorKind::Invalid);
        let many = (0..51).map(|number| series(unknown, &number.to_string())).collect();
        assert_eq!(refused(query(&world, many, None)).await, ErrorKind::Invalid);
        assert_eq!(refused(query(&world, asked.clone(), Some(1_500))).await, ErrorKind::Invalid);
        let backwards = TelemetryQuery { from: now, to: now, ..query(&world, asked.clone(), None) };
        assert_eq!(refused(backwards).await, ErrorKind::Invalid);
        let endless =
            TelemetryQuery { from: now.plus_secs(-86_400 * 365), ..query(&world, asked.clone(), Some(60_000)) };
        assert_eq!(refused(endless).await, ErrorKind::Invalid);

        let asked = [asked.as_slice(), &[series(two.device.id, "note")]].concat();
        let csv = text(world.devices.query_csv(&ann, &asked, minutes(60), now).await.unwrap()).await;
        let lines: Vec<_> = csv.lines().collect();
        assert_eq!(lines.len(), 5, "{csv}");
        assert_eq!(lines[0], "timestamp,device_id,device_name,key,value");
        assert_eq!(lines[1], format!("{},{},\"two, \"\"b\"\"\",t,true", minutes(10), two.device.id));
        assert_eq!(lines[2], format!("{},{},one,t,1", minutes(50), one.device.id));
        assert!(lines[4].ends_with(",note,\"'=x\""), "{csv}");
    })
    .await;
}

#[tokio::test]
async fn the_list_of_devices_is_one_file_over_all_pages() {
    each_with(
        |config| config.devices.max_devices_per_user = 1_000,
        |world| async move {
            let ann = world.user("ann", Role::User).await;
            world.device_of(&ann, "hers").await;
            for number in 0..205 {
                world.device(&format!("meter {number:03}")).await;
            }
            let all = text(world.devices.list_csv(&world.manager, DeviceQuery::default()).await.unwrap()).await;
            assert_eq!(all.lines().count(), 1 + 206);
            let found = DeviceQuery { search: Some("meter 00".into()), limit: Some(2), ..DeviceQuery::default() };
            let some = text(world.devices.list_csv(&world.manager, found).await.unwrap()).await;
            assert_eq!(some.lines().count(), 1 + 10);
            let hers = text(world.devices.list_csv(&ann, DeviceQuery::default()).await.unwrap()).await;
            assert_eq!(hers.lines().count(), 2);
            assert!(hers.lines().nth(1).unwrap().contains(",hers,,sensor,\"\",active,never,"), "{hers}");
        },
    )
    .await;
}

#[tokio::test]
async fn views_are_ones_own_or_shared_and_only_their_owner_changes_them() {
    each(|world| async move {
        let (ann, bob) = (world.user("ann", Role::User).await, world.user("bob", Role::User).await);
        let device = world.device_of(&ann, "meter").await.device.id;
        let new = |name: &str, shared: bool| NewView {
            name: name.into(),
            shared,
            definition: ViewDefinition {
                series: vec![series(device, "t"), series(device, "t"), series(device, "u")],
                range: "24h".into(),
                aggregation: Aggregation::Max,
                window: "auto".into(),
            },
        };
        let own = world.devices.create_view(&ann, new("B own", false)).await.unwrap();
        let shared = world.devices.create_view(&ann, new("A shared", true)).await.unwrap();
        assert_eq!(own.definition.series.len(), 2, "twice the same is once");
        let names = async |actor| -> Vec<String> {
            world.devices.views(actor).await.unwrap().into_iter().map(|view| view.name).collect()
        };
        assert_eq!(names(&ann).await, ["A shared", "B own"]);
        assert_eq!(names(&bob).await, ["A shared"]);
        assert_eq!(world.devices.view(&bob, shared.id).await.unwrap().owner_name, "ann");
        assert_eq!(world.devices.view(&bob, own.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.delete_view(&bob, shared.id).await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!(
            world.devices.update_view(&bob, shared.id, new("x", true)).await.unwrap_err().kind(),
            ErrorKind::Forbidden
        );
        // The view is shared, what it shows is not.
        let seen = world.devices.query(&bob, &query(&world, shared.definition.series, None)).await.unwrap();
        assert_eq!((seen.series.len(), seen.missing.len()), (0, 2));

        assert_eq!(world.devices.create_view(&ann, new("B own", false)).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(
            world.devices.update_view(&ann, own.id, new("A shared", false)).await.unwrap_err().kind(),
            ErrorKind::Conflict
        );
        let renamed = world.devices.update_view(&ann, own.id, new("C", true)).await.unwrap();
        assert_eq!((renamed.name.as_str(), renamed.shared), ("C", true));
        let mut wrong = new(" ", false);
        (wrong.definition.range, wrong.definition.window) = ("soon".into(), "0m".into());
        wrong.definition.series.clear();
        let fields: Vec<_> = world
            .devices
            .create_view(&ann, wrong)
            .await
            .unwrap_err()
            .field_errors()
            .iter()
            .map(|error| error.field.clone())
            .collect();
        assert_eq!(fields, ["name", "definition.series", "definition.range", "definition.window"]);

        let other = world.test.other_organization().await;
        let stranger = insert_user(&world.platform, other, "eve", Role::Admin).await;
        assert!(world.devices.views(&stranger).await.unwrap().is_empty());
        assert_eq!(world.devices.view(&stranger, shared.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        world.devices.delete_view(&ann, shared.id).await.unwrap();
        assert_eq!(names(&bob).await, ["C"]);
    })
    .await;
}

#[tokio::test]
async fn queries_views_and_files_over_rest() {
    each_api(|_world, api| async move {
        let device = api.user.register("meter").await;
        let (id, own) = (device["id"].as_str().unwrap(), api.anonymous.key(&device));
        assert_eq!(own.post("/api/v1/telemetry", json!({"data": {"t": 20.5}, "timestamp": "2026-11-21T01:30:00Z"})).await.0, 201);
        let ask = json!({"series": [{"device_id": id, "key": "t"}], "start_time": "-1h", "window": "1h", "aggregation": "max"});
        let (status, answer) = api.user.post("/api/v1/telemetry/query", ask.clone()).await;
        assert_eq!((status, &answer["series"][0]["points"][0]["value"]), (200, &json!(20.5)), "{answer}");
        assert_eq!(api.other.post("/api/v1/telemetry/query", ask).await.1["missing"][0]["key"], "t");
        for wrong in [json!({}), json!({"series": []}), json!({"series": [{"device_id": "x", "key": "t"}]})] {
            assert_eq!(api.user.post("/api/v1/telemetry/query", wrong).await.0, 400);
        }
        for (name, value) in [("window", "1x"), ("start_time", "soon"), ("aggregation", "median")] {
            let mut ask = json!({"series": [{"device_id": id, "key": "t"}]});
            ask[name] = json!(value);
            assert_eq!(api.user.post("/api/v1/telemetry/query", ask).await.0, 400, "{name}");
        }
        let path = format!("/api/v1/telemetry/query.csv?series={id}:t&series={id}:t&start_time=-2h");
        let (status, kind, text) = api.user.raw("GET", &path, None).await;
        assert_eq!((status, kind.as_str(), text.lines().count()), (200, "text/csv; charset=utf-8", 2));
        assert_eq!(api.user.get("/api/v1/telemetry/query.csv?series=x").await.0, 400);
        assert_eq!(api.user.get("/api/v1/telemetry/query.csv").await.0, 400);
        let (status, kind, text) = api.user.raw("GET", "/api/v1/devices.csv?search=met", None).await;
        assert_eq!((status, kind.as_str(), text.lines().count()), (200, "text/csv; charset=utf-8", 2));
        assert_eq!(api.anonymous.get("/api/v1/devices.csv").await.0, 401);

        let definition = json!({"series": [{"device_id": id, "key": "t"}], "range": "24h", "aggregation": "mean", "window": "auto"});
        let new = json!({"name": "Mine", "definition": definition});
        let (status, made) = api.user.post("/api/v1/views", new.clone()).await;
        assert_eq!((status, &made["shared"], &made["definition"]), (201, &json!(false), &definition));
        let path = format!("/api/v1/views/{}", made["id"].as_str().unwrap());
        assert_eq!(error(&api.user.post("/api/v1/views", new.clone()).await).0, 409);
        assert_eq!(api.other.get(&path).await.0, 404);
        assert_eq!(api.token.get("/api/v1/views").await.0, 403);
        let mut changed = new;
        changed["shared"] = json!(true);
        assert_eq!(api.user.send("PUT", &path, Some(changed)).await.1["shared"], true);
        assert_eq!(api.other.get("/api/v1/views").await.1[0]["name"], "Mine");
        assert_eq!(api.other.send("DELETE", &path, None).await.0, 403);
        assert_eq!(api.user.send("DELETE", &path, None).await.0, 204);
        assert_eq!(api.user.get(&path).await.0, 404);
    })
    .await;
}
