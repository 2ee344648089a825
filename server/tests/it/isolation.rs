//! Two organisations on one server see nothing of each other, guess nothing, follow nothing and publish nothing into each
//! other: every route of the OpenAPI document and every live topic, and MQTT.
//!
//! The administrator of one (who may everything there) and its devices try the ids of the other, which are all known to
//! them here. Everything of the other organisation carries a mark in its name: no answer may hold it.

use std::collections::BTreeMap;

use portico_model::access::AccessEvent;
use portico_model::identity::Role;
use portico_model::{AccessEventId, OrganizationId};
use portico_platform::on_db;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ADMIN, Device, PASSWORD, Server, each_database, eventually};

const MARK: &str = "qxelsewhere";

/// The id in the examples of the document; the tried bodies have the other organisation's device in its place.
const EXAMPLE_ID: &str = "01a1fd01707275349933cdbe54b3fb79";

/// What the other organisation has.
struct Elsewhere {
    token: String,
    device: String,
    key: String,
    user: String,
    session: String,
    group: String,
    service_key: String,
    view: String,
    webhook: String,
    alarm_rule: String,
    alarm: String,
    invitation: String,
    door: String,
    access_event: String,
    /// Of people, doors, locks and parking, by the word before the id in a path.
    others: BTreeMap<&'static str, String>,
    door_group: String,
    zone: String,
    plan: String,
}

async fn made(server: &Server, token: &str, path: &str, body: Value, id: &str) -> String {
    let (status, answer) = server.call(Method::POST, path, Some(token), Some(body)).await;
    assert!(status.is_success(), "{path}: {answer}");
    answer.pointer(id).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}: {answer}")).to_owned()
}

/// Writes down that somebody came through a door of this administrator's organisation; the event's id.
async fn log_event(server: &Server, admin: &str) -> String {
    let mut tx = server.portico.platform.db.begin().await.unwrap();
    let organization: OrganizationId = on_db!(&mut tx, conn => sqlx::query_scalar(
        "select organization_id from user_account where username = $1").bind(admin).fetch_one(conn).await)
    .unwrap();
    let event: AccessEvent = serde_json::from_value(json!({
        "id": AccessEventId::generate(), "at": "2026-03-02T08:15:30.000+00:00",
        "received_at": "2026-03-02T08:15:30.000+00:00", "kind": "request", "door_id": null,
        "door_name": format!("{MARK} door"), "reader_id": null, "person_id": null, "person_name": format!("{MARK} Ann"),
        "credential_id": null, "credential_hint": "", "method": "rfid", "granted": false, "reason": "no_policy",
        "policy_id": null, "policy_name": "", "leaving": false, "is_offline": false, "is_untrusted": false, "note": "",
        "score": null, "score_reasons": [], "is_anomaly": true, "is_false_alarm": false,
    }))
    .unwrap();
    let id = event.id.to_string();
    let logged = server.portico.access.append_event(&mut tx, organization, event, "", None).await.unwrap();
    tx.commit().await.unwrap();
    server.portico.access.announce_event(logged.unwrap());
    id
}

/// A person with all that may belong to one, by the word before the id in a path.
async fn settle_people(server: &Server, token: &str) -> BTreeMap<&'static str, String> {
    let root = "/api/v1/access";
    let make = async |path: &str, body: Value, id: &str| made(server, token, &format!("{root}/{path}"), body, id).await;
    let (reader, _) = server.register(token, &format!("{MARK} reader")).await;
    let person = make("people", json!({ "name": format!("{MARK} Ann") }), "/id").await;
    let card = json!({ "kind": "rfid", "value": "E15E84E4E1" });
    let enrolment = json!({ "reader": reader, "person_id": person, "mode": "any" });
    let named = json!({ "name": format!("{MARK} thing") });
    let hours = json!({ "name": format!("{MARK} hours"), "windows": [] });
    let holiday = json!({ "date": "2026-12-25", "name": format!("{MARK} day") });
    let policy = json!({ "name": format!("{MARK} policy"), "person_id": person });
    BTreeMap::from([
        ("credentials", make(&format!("people/{person}/credentials"), card, "/credential/id").await),
        ("enrolments", make("enrolments", enrolment, "/id").await),
        ("person-groups", make("person-groups", named, "/id").await),
        ("schedules", make("schedules", hours, "/id").await),
        ("holidays", make("holidays", holiday, "/id").await),
        ("policies", make("policies", policy, "/id").await),
        ("people", person),
    ])
}

/// A lot with a spot, its sensor, who has reserved it, a vehicle and a permit.
async fn settle_parking(server: &Server, token: &str) -> BTreeMap<&'static str, String> {
    let make = async |path: &str, body: Value, id: &str| made(server, token, &format!("/api/v1{path}"), body, id).await;
    let named = json!({ "name": format!("{MARK} lot") });
    let lot = make("/parking/lots", named.clone(), "/id").await;
    let level = make(&format!("/parking/lots/{lot}/levels"), named, "/id").await;
    let spot = make("/spots", json!({ "id": MARK, "level_id": level }), "/key").await;
    let rules = json!({ "currency": "EUR", "unit_minutes": 60, "unit_price_minor": 100 });
    let tariff = json!({ "name": format!("{MARK} tariff"), "rules": rules });
    let seen = json!({ "sensor_id": format!("{MARK}-1"), "occupied": false, "timestamp": 0 });
    let (status, _) = server.call(Method::POST, "/api/v1/sensor-data", Some(token), Some(seen)).await;
    assert_eq!(status, StatusCode::OK);
    let (_, sensors) = server.call(Method::GET, "/api/v1/parking/sensors", Some(token), None).await;
    let begin = portico_model::Timestamp::from_millis(server.portico.platform.clock.now().millis() + 86_400_000);
    let wish = json!({ "spot_id": MARK, "start_time": begin.to_iso(), "duration_hours": 2 });
    let vehicle = json!({ "lot_id": lot, "plate": MARK });
    let permit = json!({ "plate": MARK, "holder": format!("{MARK} Ann") });
    BTreeMap::from([
        ("permits", make("/parking/permits", permit, "/id").await),
        ("parking sessions", make("/parking/sessions", vehicle, "/id").await),
        ("tariffs", make("/parking/tariffs", tariff, "/id").await),
        ("sensors", sensors["items"][0]["id"].as_str().unwrap().to_owned()),
        ("reservations", make("/reservations", wish, "/reservation/id").await),
        // As APDS calls it, and for everybody.
        ("places", lot.clone()),
        ("parking", lot.clone()),
        ("lots", lot),
        ("levels", level),
        ("spots", spot),
    ])
}

impl Elsewhere {
    async fn settle(server: &Server) -> Self {
        let identity = &server.portico.identity;
        let (name, email) = (format!("{MARK}-admin"), format!("{MARK}@example.com"));
        identity.create_admin_in(Some(MARK), &name, &email, PASSWORD).await.unwrap();
        let token = server.sign_in(&name).await;
        let (device, key) = server.register(&token, &format!("{MARK} thermometer")).await;
        let user = json!({
            "username": format!("{MARK}-user"), "email": format!("{MARK}-user@example.com"), "password": PASSWORD,
            "role": Role::User,
        });
        let named = |rest: Value| {
            let mut body = json!({ "name": format!("{MARK} thing") });
            body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            body
        };
        let view = named(json!({ "definition": {
            "series": [{ "device_id": device, "key": "t" }], "range": "24h", "aggregation": "mean", "window": "auto",
        } }));
        let (_, sessions) = server.call(Method::GET, "/api/v1/sessions", Some(&token), None).await;
        let service = named(json!({ "scopes": ["read_audit"] }));
        let webhook = named(json!({ "url": "https://example.org/hook" }));
        let rule = named(json!({
            "severity": "warning", "scope": { "kind": "device", "device_id": device },
            "condition": { "kind": "threshold", "key": "t", "side": "above", "limit": 20.0 },
        }));
        let guest = json!({ "email": format!("{MARK}-guest@example.com") });
        let mut elsewhere = Self {
            user: made(server, &token, "/api/v1/users", user, "/user/id").await,
            session: sessions["sessions"][0]["id"].as_str().unwrap().to_owned(),
            group: made(server, &token, "/api/v1/groups", named(json!({})), "/group/id").await,
            service_key: made(server, &token, "/api/v1/service-keys", service, "/service_key/id").await,
            view: made(server, &token, "/api/v1/views", view, "/id").await,
            webhook: made(server, &token, "/api/v1/webhooks", webhook, "/webhook/id").await,
            alarm_rule: made(server, &token, "/api/v1/alarm-rules", rule, "/id").await,
            alarm: String::new(),
            door: made(server, &token, "/api/v1/doors", named(json!({ "reader_id": device })), "/id").await,
            door_group: made(server, &token, "/api/v1/door-groups", named(json!({})), "/id").await,
            zone: made(server, &token, "/api/v1/zones", named(json!({})), "/id").await,
            plan: upload_plan(server, &token).await,
            invitation: made(server, &token, "/api/v1/invitations", guest, "/invitation/id").await,
            access_event: log_event(server, &name).await,
            others: settle_people(server, &token)
                .await
                .into_iter()
                .chain(settle_parking(server, &token).await)
                .collect(),
            token,
            device,
            key,
        };
        let lock = json!({ "device_id": elsewhere.device });
        made(server, &elsewhere.token, "/api/v1/locks", lock, "/lock/id").await;
        elsewhere.measure(server, 21.0).await;
        let found = std::sync::Mutex::new(String::new());
        eventually("the alarm is raised", || async {
            let (_, alarms) = server.call(Method::GET, "/api/v1/alarms", Some(&elsewhere.token), None).await;
            let id = alarms.pointer("/items/0/id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let is_there = !id.is_empty();
            *found.lock().unwrap() = id;
            is_there
        })
        .await;
        elsewhere.alarm = found.into_inner().unwrap();
        elsewhere
    }

    async fn measure(&self, server: &Server, value: f64) {
        let request = server.http.post(format!("{}/api/v1/telemetry", server.url)).header("x-api-key", &self.key);
        let sent = request.json(&json!({ "data": { "t": value, MARK: value } })).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::CREATED);
    }

    /// The path with the other organisation's ids; `None` for a kind of thing that this test does not know.
    fn path(&self, path: &str) -> Option<String> {
        const BY_SEGMENT: [&str; 4] = ["commands", "firmware", "keys", "rollouts"];
        let mut real = Vec::new();
        let mut kind = "";
        for segment in path.split('/') {
            if !segment.starts_with('{') {
                kind = segment;
                real.push(segment);
                continue;
            }
            real.push(match (segment, kind) {
                ("{user_id}", _) | (_, "users") => &self.user,
                (_, "groups") => &self.group,
                (_, "sessions") if path.contains("/parking/") => &self.others["parking sessions"],
                (_, "sessions") => &self.session,
                (_, "service-keys") => &self.service_key,
                (_, "views") => &self.view,
                (_, "webhooks") => &self.webhook,
                (_, "alarm-rules") => &self.alarm_rule,
                (_, "alarms") => &self.alarm,
                (_, "doors") => &self.door,
                (_, "door-groups") => &self.door_group,
                (_, "zones") => &self.zone,
                (_, "plans") => &self.plan,
                (_, "invitations") => &self.invitation,
                ("{event_id}", _) => &self.access_event,
                (_, known) if self.others.contains_key(known) => &self.others[known],
                ("{device_id}", _) | (_, "devices" | "telemetry" | "locks" | "grants") => &self.device,
                // Nobody has one of these here; that one's id opens none is for their own tests.
                (_, "deliveries" | "browsers" | "passkeys" | "codes" | "stays") => &self.device,
                (_, other) if BY_SEGMENT.contains(&other) => &self.device,
                _ => return None,
            });
        }
        Some(real.join("/"))
    }

    fn ids(&self) -> Vec<&str> {
        let own = [
            &self.device,
            &self.user,
            &self.session,
            &self.group,
            &self.service_key,
            &self.view,
            &self.webhook,
            &self.alarm_rule,
            &self.alarm,
            &self.invitation,
            &self.door,
            &self.door_group,
            &self.zone,
            &self.plan,
        ];
        own.into_iter().chain(self.others.values()).map(String::as_str).collect()
    }

    /// All that the other organisation sees of itself, apart from what moves by itself.
    async fn state(&self, server: &Server) -> BTreeMap<String, Value> {
        let mut state = BTreeMap::new();
        let paths = [
            format!("/api/v1/devices/{}", self.device),
            format!("/api/v1/devices/{}/shadow", self.device),
            format!("/api/v1/devices/{}/commands", self.device),
            format!("/api/v1/telemetry/{}/latest", self.device),
            format!("/api/v1/groups/{}?include_devices=true", self.group),
            format!("/api/v1/views/{}", self.view),
            format!("/api/v1/alarms/{}", self.alarm),
            format!("/api/v1/doors/{}", self.door),
            format!("/api/v1/door-groups/{}", self.door_group),
            format!("/api/v1/zones/{}", self.zone),
            format!("/api/v1/plans/{}", self.plan),
            format!("/api/v1/alarm-rules/{}", self.alarm_rule),
            "/api/v1/parking/lots".to_owned(),
            format!("/api/v1/parking/lots/{}/levels", self.others["lots"]),
            "/api/v1/parking/permits".to_owned(),
            "/api/v1/parking/sensors".to_owned(),
            "/api/v1/parking/sessions".to_owned(),
            "/api/v1/parking/tariffs".to_owned(),
            "/api/v1/reservations".to_owned(),
            "/api/v1/spots".to_owned(),
            "/api/v1/access/people".to_owned(),
            "/api/v1/access/person-groups".to_owned(),
            "/api/v1/access/schedules".to_owned(),
            "/api/v1/access/holidays".to_owned(),
            "/api/v1/access/policies".to_owned(),
            format!("/api/v1/locks/{}", self.device),
            format!("/api/v1/locks/{}/history", self.device),
            "/api/v1/invitations".to_owned(),
            "/api/v1/users".to_owned(),
            "/api/v1/sessions".to_owned(),
            "/api/v1/service-keys".to_owned(),
            "/api/v1/webhooks".to_owned(),
            "/api/v1/organization".to_owned(),
            "/api/v1/telemetry/retention".to_owned(),
        ];
        for path in paths {
            let (status, mut answer) = server.call(Method::GET, &path, Some(&self.token), None).await;
            assert_eq!(status, StatusCode::OK, "{path}: {answer}");
            settle(&mut answer);
            state.insert(path, answer);
        }
        state
    }
}

async fn upload_plan(server: &Server, token: &str) -> String {
    let picture = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 10 10'/>";
    let request = server.http.post(format!("{}/api/v1/plans?name={MARK}", server.url)).bearer_auth(token);
    let answer = request.body(picture).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
}

/// Takes out the times that move without anybody's doing.
fn settle(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for moving in
                ["last_used_at", "last_seen_at", "last_seen", "now", "timestamp", "last_login", "last_login_at"]
            {
                fields.remove(moving);
            }
            fields.values_mut().for_each(settle);
        }
        Value::Array(values) => values.iter_mut().for_each(settle),
        _ => {}
    }
}

/// The example of the document's body, about the other organisation's device.
fn body_of(operation: &Value, elsewhere: &Elsewhere) -> Option<Value> {
    let content = operation.pointer("/requestBody/content/application~1json")?;
    let example = content.get("example").cloned().unwrap_or_else(|| json!({}));
    // The password of the examples is that of these tests too: it must not be changed.
    let text = example.to_string().replace(EXAMPLE_ID, &elsewhere.device).replace(PASSWORD, "no such password at all");
    serde_json::from_str(&text).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_leads_into_another_organisation() {
    each_database(|server| async move {
        let (_, document) = server.call(Method::GET, "/api/v1/openapi.json", None, None).await;
        let elsewhere = Elsewhere::settle(&server).await;
        let mut admin = server.sign_in(ADMIN).await;
        let (_, own_key) = server.register(&admin, "Own").await;
        let before = elsewhere.state(&server).await;
        let mut faults = Vec::new();
        let mut walked = 0;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) else { continue };
                let Some(real) = elsewhere.path(path) else {
                    faults.push(format!("{path}: whose id is this? Teach this test."));
                    continue;
                };
                let is_about_one = real != *path;
                let query = match path.as_str() {
                    "/api/v1/firmware" if method == Method::POST => "?device_type=lock&version=1.0.0&signature=00",
                    path if path.ends_with("/chart") => "?key=t",
                    _ => "",
                };
                let body = body_of(operation, &elsewhere);
                for by_person in [true, false] {
                    let url = format!("{}{real}{query}", server.url);
                    let mut request = server.http.request(method.clone(), url);
                    request =
                        if by_person { request.bearer_auth(&admin) } else { request.header("x-api-key", &own_key) };
                    if let Some(body) = &body {
                        request = request.json(body);
                    }
                    let response = request.send().await.unwrap();
                    let (status, text) = (response.status(), response.text().await.unwrap_or_default());
                    let label = format!("{method} {path} by {}: {status}", if by_person { "admin" } else { "device" });
                    walked += 1;
                    if status.is_server_error() {
                        faults.push(format!("{label} {text}"));
                    }
                    // An answer to a command that the device does not have changes nothing, and is told so to nobody.
                    let is_shrugged_off = path.ends_with("/commands/{command_id}/ack");
                    if is_about_one && status.is_success() && !is_shrugged_off {
                        faults.push(format!("{label} is no refusal: {text}"));
                    }
                    // An id that was sent may come back; a name was not sent.
                    if text.to_lowercase().contains(MARK) {
                        faults.push(format!("{label} tells of the other: {text}"));
                    }
                    let sent = format!("{real}{}", body.as_ref().map(Value::to_string).unwrap_or_default());
                    for id in elsewhere.ids().into_iter().filter(|id| !sent.contains(*id)) {
                        if text.contains(id) {
                            faults.push(format!("{label} tells an id of the other: {text}"));
                        }
                    }
                }
                if path.ends_with("/logout") || path.contains("/sessions") || path.contains("/account") {
                    admin = server.sign_in(ADMIN).await;
                }
            }
        }
        assert!(walked > 150, "{walked}");
        assert!(faults.is_empty(), "{faults:#?}");
        assert_eq!(elsewhere.state(&server).await, before);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_topic_leads_into_another_organisation() {
    each_database(|server| async move {
        let elsewhere = Elsewhere::settle(&server).await;
        let admin = server.sign_in(ADMIN).await;
        let mut screen = server.live(&admin).await;
        for (kind, id) in [
            ("device", &elsewhere.device),
            ("telemetry", &elsewhere.device),
            ("shadow", &elsewhere.device),
            ("commands", &elsewhere.device),
            ("lock", &elsewhere.device),
            ("alarms", &elsewhere.device),
            ("alarm", &elsewhere.device),
            ("group", &elsewhere.group),
            ("rollout", &elsewhere.device),
            ("door", &elsewhere.door),
            ("user", &elsewhere.user),
        ] {
            let answer = screen.subscribe(&format!("{kind}:{id}")).await;
            assert_eq!(answer["op"], "error", "{kind}: {answer}");
            assert!(!answer.to_string().to_lowercase().contains(MARK), "{answer}");
        }
        let mut followed = 0;
        let lists = ["devices", "groups", "alarms", "audit", "commands", "rollouts", "firmware", "doors", "access"];
        for topic in lists.into_iter().chain(["people", "policies", "locks"]) {
            let answer = screen.subscribe(topic).await;
            followed += usize::from(answer["op"] == "snapshot");
            let text = answer.to_string();
            assert!(!text.to_lowercase().contains(MARK) && !text.contains(&elsewhere.device), "{topic}: {text}");
        }
        assert!(followed >= 3, "{followed}");

        // What happens there is not heard here; what happens here is.
        elsewhere.measure(&server, 22.0).await;
        let change = json!({ "location": format!("{MARK} cellar") });
        let path = format!("/api/v1/devices/{}", elsewhere.device);
        assert!(server.call(Method::PATCH, &path, Some(&elsewhere.token), Some(change)).await.0.is_success());
        let (own, _) = server.register(&admin, "Own").await;
        let heard = std::sync::Mutex::new(Vec::new());
        screen
            .next_where(|message| {
                heard.lock().unwrap().push(message.to_string());
                message["op"] == "event" && message["data"]["device"]["id"] == own.as_str()
            })
            .await;
        for text in heard.into_inner().unwrap() {
            assert!(!text.to_lowercase().contains(MARK) && !text.contains(&elsewhere.device), "{text}");
        }
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_device_publishes_into_another_organisation() {
    each_database(|server| async move {
        let elsewhere = Elsewhere::settle(&server).await;
        let admin = server.sign_in(ADMIN).await;
        let (own, key) = server.register(&admin, "Own").await;
        // With its own key under the other's name it does not even get in.
        let mut disguised = Device::new(&server.mqtt, &elsewhere.device, &key, false);
        assert!(disguised.wait_for(|packet| matches!(packet, rumqttc::Packet::ConnAck(_))).await.is_err());
        let before = elsewhere.state(&server).await;
        for kind in ["telemetry", "status", "event", "ack", "reported", "desired", "command"] {
            let mut device = Device::connect(&server.mqtt, &own, &key).await;
            let topic = format!("devices/{}/{kind}", elsewhere.device);
            let payload = br#"{"data":{"t":99},"status":"offline"}"#.to_vec();
            // The broker ends the connection, or takes the message and drops it; either is no delivery.
            let _ = device.try_publish_to(&topic, payload, std::time::Duration::from_millis(500)).await;
        }
        let mut device = Device::connect(&server.mqtt, &own, &key).await;
        let refused = device.try_subscribe(&format!("devices/{}/#", elsewhere.device)).await;
        assert!(refused.is_err(), "{refused:?}");
        // A message of its own, sent later, is there: so the others have been judged.
        let mut device = Device::connect(&server.mqtt, &own, &key).await;
        device.publish(&json!({ "data": { "t": 1 } })).await;
        let path = format!("/api/v1/telemetry/{own}/latest");
        eventually("its own message", || async {
            let (_, answer) = server.call(Method::GET, &path, Some(&admin), None).await;
            answer.to_string().contains("\"t\"")
        })
        .await;
        assert_eq!(elsewhere.state(&server).await, before);
        server
    })
    .await;
}
