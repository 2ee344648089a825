//! The wire contract: paths, codes, field names and texts.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use portico_identity::{Identity, NewUser, RequestContext, SessionKind, browser};
use portico_model::identity::Role;
use portico_platform::http::ClientAddress;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{World, each_with};

const PASSWORD: &str = "copper lantern under fjord";
const ADMIN_TOKEN: &str = "correct-horse-battery";

#[derive(Clone)]
pub struct Client {
    app: Router,
    headers: Vec<(&'static str, String)>,
}

pub struct Api {
    pub anonymous: Client,
    pub admin: Client,
    pub user: Client,
    pub other: Client,
    pub token: Client,
    pub user_id: String,
}

fn context() -> RequestContext {
    RequestContext {
        address: "192.0.2.1".into(),
        user_agent: "test".into(),
        request_id: "request-1".into(),
        device_token: None,
    }
}

impl Client {
    pub fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name, value.into()));
        Self { app: self.app.clone(), headers }
    }

    pub fn key(&self, device: &Value) -> Self {
        self.with("x-api-key", device["api_key"].as_str().unwrap())
    }

    pub async fn raw(&self, method: &str, path: &str, body: Option<String>) -> (u16, String, String) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(ClientAddress("192.0.2.1".parse::<IpAddr>().unwrap()));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if body.is_some() && !self.headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind.unwrap_or_default(), String::from_utf8(bytes.to_vec()).unwrap())
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let (status, _, text) = self.raw(method, path, body.map(|body| body.to_string())).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, Some(body)).await
    }

    /// Registers a device; its answer's `device`.
    pub async fn register(&self, name: &str) -> Value {
        let (status, body) =
            self.post("/api/v1/devices/register", json!({"name": name, "device_type": "sensor"})).await;
        assert_eq!(status, 201, "{body}");
        body["device"].clone()
    }
}

impl Api {
    async fn new(world: &World) -> Self {
        let identity = Identity::new(world.platform.clone());
        identity.create_admin("admin", "admin@example.org", PASSWORD).await.unwrap();
        let (router, _) = portico_devices::rest::router(world.devices.clone()).split_for_parts();
        let anonymous = Client { app: browser::session_layer(router, identity.clone()), headers: Vec::new() };
        let signed_in =
            async |name: &str| identity.sign_in(name, PASSWORD, SessionKind::Api, &context()).await.unwrap();
        let admin = signed_in("admin").await;
        let actor = identity.authenticate(&admin.access_token, &context()).await.unwrap();
        for name in ["ann", "bob"] {
            let new = NewUser {
                username: name.into(),
                email: format!("{name}@example.org"),
                password: PASSWORD.into(),
                role: Role::User,
            };
            identity.create_user(&actor, new).await.unwrap();
        }
        let (ann, bob) = (signed_in("ann").await, signed_in("bob").await);
        let bearer = |token: &str| anonymous.with("authorization", format!("Bearer {token}"));
        Self {
            admin: bearer(&admin.access_token),
            user: bearer(&ann.access_token),
            other: bearer(&bob.access_token),
            token: anonymous.with("authorization", format!("admin {ADMIN_TOKEN}")),
            user_id: ann.user.id.to_string(),
            anonymous,
        }
    }
}

pub async fn each_api<F, Fut>(test: F)
where
    F: Fn(World, Api) -> Fut,
    Fut: Future<Output = ()>,
{
    each_with(
        |config| config.admin_token = Some(ADMIN_TOKEN.into()),
        |world| async {
            let api = Api::new(&world).await;
            test(world, api).await;
        },
    )
    .await;
}

pub fn error(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn registration_answers_as_the_contract_says() {
    each_api(|_world, api| async move {
        let body = json!({
            "name": "Kid's room", "device_type": "sensor", "location": "1st floor", "hardware_id": "ESP-1", "unknown": 1,
        });
        let (status, body) = api.user.post("/api/v1/devices/register", body).await;
        assert_eq!((status, &body["message"]), (201, &json!("Device registered successfully")));
        let device = &body["device"];
        assert_eq!(device["id"].as_str().unwrap().len(), 32);
        assert_eq!(device["api_key"].as_str().unwrap().len(), 32);
        assert_eq!(device["owner"], json!({"username": "ann", "email": "ann@example.org"}));
        assert_eq!((&device["name"], &device["user_id"]), (&json!("Kid's room"), &json!(api.user_id)));
        assert_eq!((&device["status"], &device["last_seen"]), (&json!("active"), &Value::Null));
        assert_eq!(device["created_at"], "2026-11-21T02:00:00.000+00:00");

        let register = async |body: Value| api.user.post("/api/v1/devices/register", body).await;
        assert_eq!(error(&register(json!({})).await), (400, "Invalid JSON"));
        assert_eq!(error(&register(json!({"name": "x"})).await), (400, "Missing required fields"));
        assert_eq!(error(&register(json!({"name": "Kid's room", "device_type": "x"})).await), (409, "Device name already exists"));
        assert_eq!(register(json!({"name": 1, "device_type": "x"})).await.0, 400);
        assert_eq!(register(json!({"name": "y".repeat(101), "device_type": "x"})).await.0, 400);
        let (status, kind, text) =
            api.user.with("content-type", "text/plain").raw("POST", "/api/v1/devices/register", Some("{}".into())).await;
        assert_eq!((status, kind.as_str()), (400, "application/problem+json"));
        assert!(text.contains("Invalid content type"));
        assert_eq!(api.anonymous.post("/api/v1/devices/register", json!({"name": "x", "device_type": "x"})).await.0, 401);
        // The former system took this header for a credential.
        let claimed = api.anonymous.with("x-user-id", api.user_id.clone());
        assert_eq!(claimed.post("/api/v1/devices/register", json!({"name": "x", "device_type": "x"})).await.0, 401);
        // For another person: only by those who manage all devices.
        let for_ann = json!({"name": "for ann", "device_type": "x", "user_id": api.user_id});
        assert_eq!(api.other.post("/api/v1/devices/register", for_ann.clone()).await.0, 403);
        assert_eq!(api.token.post("/api/v1/devices/register", for_ann).await.1["device"]["user_id"], json!(api.user_id));
    })
    .await;
}

#[tokio::test]
async fn firmware_registers_with_its_owners_password_and_gets_its_key_again() {
    each_api(|_world, api| async move {
        let mut body = json!({
            "name": "esp", "device_type": "esp32", "username": "ann", "password": PASSWORD, "capabilities": ["t"],
            "hardware_version": "ESP32-WROOM-32", "metadata": {"mac_address": "00:11:22:33:44:55"},
        });
        let register = async |body: &Value| api.anonymous.post("/api/v1/devices/register", body.clone()).await;
        let (status, first) = register(&body).await;
        assert_eq!((status, &first["device"]["user_id"]), (201, &json!(api.user_id)), "{first}");
        assert!(!first.to_string().contains(PASSWORD));
        let (status, clash) = register(&body).await;
        assert_eq!((status, clash.get("device")), (409, None));
        body["rotate_key"] = json!(true);
        let (status, again) = register(&body).await;
        assert_eq!((status, &again["device"]["id"]), (409, &first["device"]["id"]));
        assert_eq!(api.anonymous.key(&first["device"]).get("/api/v1/devices/status").await.0, 401);
        assert_eq!(api.anonymous.key(&again["device"]).get("/api/v1/devices/status").await.0, 200);
        body["password"] = json!("not the password");
        assert_eq!(register(&body).await.0, 401);
        assert_eq!(error(&register(&json!({"name": "x", "device_type": "x"})).await), (401, "Authentication required"));
    })
    .await;
}

#[tokio::test]
async fn canonical_routes_take_ids_and_hardware_ids() {
    each_api(|_world, api| async move {
        let body = json!({"name": "meter", "device_type": "sensor", "hardware_id": "PARK_001"});
        let (_, body) = api.user.post("/api/v1/devices/register", body).await;
        let id = body["device"]["id"].as_str().unwrap().to_owned();
        for name in [id.as_str(), "PARK_001"] {
            assert_eq!(api.user.get(&format!("/api/v1/devices/{name}")).await.1["id"], json!(id));
        }
        assert_eq!(error(&api.other.get(&format!("/api/v1/devices/{id}")).await), (404, "Device not found"));
        assert_eq!(api.anonymous.get(&format!("/api/v1/devices/{id}")).await.0, 401);
        assert_eq!(api.user.get("/api/v1/devices").await.1["items"].as_array().unwrap().len(), 1);
        assert_eq!(api.other.get("/api/v1/devices").await.1["items"].as_array().unwrap().len(), 0);
        assert_eq!(api.user.get("/api/v1/devices/counts").await.1["total"], 1);
        let path = format!("/api/v1/devices/{id}");
        let (status, changed) = api.user.send("PATCH", &path, Some(json!({"status": "maintenance"}))).await;
        assert_eq!((status, &changed["status"]), (200, &json!("maintenance")));
        assert_eq!(api.user.send("PUT", &path, Some(json!({"status": "gone"}))).await.0, 400);
        let (status, rotated) = api.user.send("POST", &format!("{path}/key"), None).await;
        assert_eq!((status, rotated["api_key"].as_str().unwrap().len()), (200, 32));
        assert_eq!(api.user.get(&format!("{path}/problems")).await, (200, json!([])));
        assert!(api.user.get(&format!("{path}/status")).await.1["device"]["api_key"].is_null());
        let (status, of_user) = api.user.get(&format!("/api/v1/devices/user/{}", api.user_id)).await;
        assert_eq!((status, &of_user["username"], &of_user["total_devices"]), (200, &json!("ann"), &json!(1)));
        assert_eq!(of_user["meta"]["returned"], 1);
        assert_eq!(error(&api.other.get(&format!("/api/v1/devices/user/{}", api.user_id)).await).0, 403);
        assert_eq!(api.user.send("DELETE", &format!("{path}/key"), None).await.0, 204);
        let (status, deleted) = api.user.send("DELETE", &path, None).await;
        assert_eq!((status, &deleted["message"]), (200, &json!("Device meter deleted successfully")));
        assert_eq!(api.user.get(&path).await.0, 404);
    })
    .await;
}

#[tokio::test]
async fn a_device_uses_its_key_and_only_in_the_header() {
    each_api(|_world, api| async move {
        let device = api.user.register("meter").await;
        let (id, own) = (device["id"].as_str().unwrap(), api.anonymous.key(&device));
        assert_eq!(error(&api.anonymous.get("/api/v1/devices/status").await), (401, "API key required"));
        let wrong = api.anonymous.with("x-api-key", "A".repeat(32));
        assert_eq!(error(&wrong.get("/api/v1/devices/status").await), (401, "Invalid API key"));
        assert_eq!(error(&wrong.get("/api/v1/devices/credentials").await), (404, "Invalid API key"));
        let in_address = format!("/api/v1/devices/status?api_key={}", device["api_key"].as_str().unwrap());
        assert_eq!(own.get(&in_address).await.1["code"], "api_key_in_url");
        let (status, beat) = own.post("/api/v1/devices/heartbeat", json!({})).await;
        assert_eq!((status, &beat["message"], &beat["status"]), (200, &json!("Heartbeat received"), &json!("online")));
        let (_, body) = own.get("/api/v1/devices/status").await;
        assert_eq!((&body["device"]["id"], &body["device"]["is_online"]), (&json!(id), &json!(true)));
        assert_eq!(body["device"]["telemetry_count"], 0);
        let (_, body) = own.get("/api/v1/devices/credentials").await;
        assert_eq!(body["device"]["owner"], json!({"username": "ann", "user_id": api.user_id}));
        assert!(!body.to_string().contains(device["api_key"].as_str().unwrap()));
        assert_eq!(own.get("/api/v1/devices/config").await.1["configuration"]["heartbeat_interval_s"]["value"], 60);
        let config = json!({"status": "active", "location": "roof", "firmware_version": "2.0", "name": "mine now"});
        let (status, body) = own.send("PUT", "/api/v1/devices/config", Some(config)).await;
        assert_eq!(
            (status, &body["device"]["location"], &body["device"]["name"]),
            (200, &json!("roof"), &json!("meter"))
        );
        // People's routes are not for devices.
        assert_eq!(own.get("/api/v1/devices").await.0, 401);
        assert_eq!(own.send("DELETE", &format!("/api/v1/devices/{id}"), None).await.0, 401);

        let path = format!("/api/v1/admin/devices/{id}/status");
        let (status, body) = api.admin.send("PUT", &path, Some(json!({"status": "maintenance"}))).await;
        assert_eq!((status, &body["message"]), (200, &json!("Device status updated from active to maintenance")));
        assert_eq!(error(&own.post("/api/v1/devices/heartbeat", json!({})).await), (403, "Device in maintenance"));
        assert_eq!(error(&own.post("/api/v1/telemetry", json!({"data": {"t": 1}})).await).0, 403);
        assert_eq!(own.get("/api/v1/devices/credentials").await.1["device"]["status"], "maintenance");
    })
    .await;
}

#[tokio::test]
async fn telemetry_goes_in_and_comes_out_as_the_contract_says() {
    each_api(|_world, api| async move {
        let device = api.user.register("meter").await;
        let stranger = api.anonymous.key(&api.other.register("other").await);
        let (id, own) = (device["id"].as_str().unwrap(), api.anonymous.key(&device));
        let (status, none) = own.get(&format!("/api/v1/telemetry/{id}/latest")).await;
        assert_eq!((status, &none["message"]), (404, &json!("No telemetry data found")));
        let body = json!({"data": {"temperature": 23.5, "open": true}, "metadata": {"room": "k"}, "timestamp": "2026-11-21T01:30:00"});
        let (status, stored) = own.post("/api/v1/telemetry", body).await;
        assert_eq!((status, &stored["message"]), (201, &json!("Telemetry data stored successfully")));
        assert_eq!((&stored["device_id"], &stored["device_name"]), (&json!(id), &json!("meter")));
        assert_eq!((&stored["timestamp"], &stored["stored_in_postgres"]), (&json!("2026-11-21T01:30:00.000+00:00"), &json!(true)));
        let many = json!([{"ts": 1_795_226_340, "data": {"temperature": 20}}, {"ts": 1_795_226_341, "data": {"temperature": 22}}]);
        assert_eq!(own.post("/api/v1/telemetry", many.clone()).await.1["samples"], 2);
        assert_eq!(own.post("/api/v1/telemetry", json!({"samples": many})).await.0, 201);

        let submit = async |body: &str| {
            let (status, _, text) = own.raw("POST", "/api/v1/telemetry", Some(body.into())).await;
            let answer: Value = serde_json::from_str(&text).unwrap();
            (status, answer["error"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(submit("").await, (400, "No data provided".into()));
        assert_eq!(submit("{}").await, (400, "No data provided".into()));
        assert_eq!(submit("{\"metadata\":{}}").await, (400, "Telemetry data is required".into()));
        let bad_time = "Invalid timestamp format. Use ISO 8601 format.";
        assert_eq!(submit("{\"data\":{\"t\":1},\"timestamp\":\"soon\"}").await, (400, bad_time.into()));
        assert_eq!(submit("not json").await.0, 400);
        assert_eq!(submit(&format!("{{\"data\":{{\"t\":1}}}}{}", " ".repeat(300_000))).await.0, 413);

        let path = format!("/api/v1/telemetry/{id}");
        let (status, body) = own.get(&path).await;
        assert_eq!((status, &body["start_time"], &body["count"]), (200, &json!("-1h"), &json!(3)));
        assert_eq!(body["data"][0]["measurements"], json!({"temperature": 22.0}));
        assert_eq!(body["data"][2]["measurements"], json!({"temperature": 23.5, "open": true}));
        assert_eq!(body["data"][2]["metadata"], json!({"room": "k"}));
        let (_, latest) = own.get(&format!("{path}/latest")).await;
        assert_eq!(latest["latest_data"], json!({"temperature": 22.0, "open": true}));
        let (_, body) = own.get(&format!("{path}/aggregated?window=1h&start_time=-24h&field=temperature&aggregation=max")).await;
        assert_eq!((&body["count"], &body["data"][0]["value"], &body["data"][0]["count"]), (&json!(1), &json!(23.5), &json!(3)));
        let (status, body) = own.get(&format!("{path}/aggregated?aggregation=median")).await;
        assert_eq!((status, &body["error"]), (400, &json!("Invalid aggregation function")));
        assert_eq!(body["valid_functions"].as_array().unwrap().len(), 9);
        for wrong in ["start_time=-xh", "start_time=yesterday", "limit=abc", "limit=-1", "end_time=1h"] {
            assert_eq!(own.get(&format!("{path}?{wrong}")).await.0, 400, "{wrong}");
        }
        assert_eq!(own.get(&format!("{path}/aggregated?window=0m")).await.0, 400);
        let (status, chart) = own.get(&format!("{path}/chart?key=temperature&from=-1h&buckets=100")).await;
        assert_eq!((status, chart["buckets"].as_array().unwrap().len()), (200, 3));
        for path in [format!("{path}.csv"), format!("{path}?format=csv")] {
            let (status, kind, text) = own.raw("GET", &path, None).await;
            assert_eq!((status, kind.as_str()), (200, "text/csv; charset=utf-8"));
            assert_eq!(text.lines().count(), 5);
        }

        // Whose telemetry it is.
        assert_eq!(error(&stranger.get(&path).await), (403, "Forbidden: device mismatch"));
        let unknown = format!("/api/v1/telemetry/{}", "0".repeat(32));
        assert_eq!(error(&stranger.get(&unknown).await), (403, "Forbidden: device mismatch"));
        assert_eq!(error(&api.anonymous.get(&path).await), (401, "API key required"));
        assert_eq!(api.other.get(&path).await.0, 404);
        for reader in [&api.user, &api.admin, &api.token] {
            assert_eq!(reader.get(&path).await.0, 200);
        }
        let (status, of_ann) = api.user.get(&format!("/api/v1/telemetry/user/{}", api.user_id)).await;
        assert_eq!((status, &of_ann["count"], &of_ann["total_count"]), (200, &json!(4), &json!(4)));
        assert_eq!(of_ann["telemetry"][0]["measurement_name"], "temperature");
        assert_eq!(api.other.get(&format!("/api/v1/telemetry/user/{}", api.user_id)).await.0, 403);
        let (_, status) = api.anonymous.get("/api/v1/telemetry/status").await;
        assert_eq!((&status["status"], status.get("total_devices")), (&json!("healthy"), None));
        assert_eq!(api.user.get("/api/v1/telemetry/status").await.1["total_devices"], 1);

        // A device cannot remove its own history; its owner can, and never another range than he wrote.
        let range = json!({"start_time": "2026-11-21T01:00:00Z", "stop_time": "2026-11-21T01:45:00Z"});
        assert_eq!(own.send("DELETE", &path, Some(range.clone())).await.0, 401);
        let typing_error = json!({"start_time": "-1x", "stop_time": "now"});
        assert_eq!(api.user.send("DELETE", &path, Some(typing_error)).await.0, 400);
        let missing = api.user.send("DELETE", &path, Some(json!({"start_time": "-1h"}))).await;
        assert_eq!(error(&missing), (400, "start_time and stop_time are required"));
        let (status, body) = api.user.send("DELETE", &path, Some(range)).await;
        assert_eq!((status, &body["message"]), (200, &json!("Telemetry data deleted for device meter")));
        assert_eq!(own.get(&path).await.1["count"], 2);
    })
    .await;
}

#[tokio::test]
async fn administration_is_for_the_admin_token_and_admins() {
    each_api(|_world, api| async move {
        let id = api.user.register("meter").await["id"].as_str().unwrap().to_owned();
        let paths = ["/api/v1/admin/devices", "/api/v1/admin/stats", "/api/v1/admin/devices/statuses"];
        for path in paths.iter().map(|path| (*path).to_owned()).chain([format!("/api/v1/admin/devices/{id}")]) {
            assert_eq!(error(&api.anonymous.get(&path).await), (401, "Admin token required"), "{path}");
            assert_eq!(api.user.get(&path).await.0, 403, "{path}");
            let wrong = api.anonymous.with("authorization", "admin wrong-token");
            assert_eq!(wrong.get(&path).await.0, 403, "{path}");
            assert_eq!(api.admin.get(&path).await.0, 200, "{path}");
            assert_eq!(api.token.get(&path).await.0, 200, "{path}");
        }
        let (_, body) = api.token.get("/api/v1/admin/devices").await;
        assert_eq!((&body["total_devices"], &body["devices"][0]["name"]), (&json!(1), &json!("meter")));
        let (_, body) = api.token.get("/api/v1/admin/stats").await;
        assert_eq!((&body["device_stats"]["active"], &body["device_stats"]["offline"]), (&json!(1), &json!(1)));
        let (_, body) = api.token.get("/api/v1/admin/devices/statuses").await;
        assert_eq!((&body["meta"]["total"], &body["devices"][0]["is_online"]), (&json!(1), &json!(false)));
        let path = format!("/api/v1/admin/devices/{id}");
        let status = async |body: Value| api.token.send("PUT", &format!("{path}/status"), Some(body)).await;
        assert_eq!(error(&status(json!({"x": 1})).await), (400, "Missing status"));
        assert_eq!(error(&status(json!({"status": "gone"})).await), (400, "Invalid status"));
        assert_eq!(status(json!({"status": "inactive"})).await.1["new_status"], "inactive");
        let (code, body) = api.token.send("DELETE", &path, None).await;
        assert_eq!((code, &body["message"]), (200, &json!("Device meter deleted successfully")));
        assert_eq!(error(&api.token.get(&path).await), (404, "Device not found"));
    })
    .await;
}

#[tokio::test]
async fn devices_of_the_older_service_send_read_and_find_the_broker() {
    each_api(|world, api| async move {
        let device = api.user.register("meter").await;
        let (id, own) = (device["id"].as_str().unwrap(), api.anonymous.key(&device));
        let (status, stored) =
            own.post("/api/v1/devices/telemetry", json!({"data": {"temperature": 23.5, "co2": 600}})).await;
        assert_eq!((status, &stored["message"]), (201, &json!("Telemetry data received successfully")));
        assert_eq!((&stored["device_id"], &stored["stored_in_iotdb"]), (&json!(id), &json!(true)));
        assert_eq!(error(&own.post("/api/v1/devices/telemetry", json!({})).await), (400, "No data provided"));
        world.test.clock.advance_ms(1_000);
        let path = format!("/api/v1/mqtt/telemetry/{id}");
        let (status, stored) = own.post(&path, json!({"data": {"temperature": 24}})).await;
        assert_eq!((status, &stored["topic"]), (201, &json!(format!("devices/{id}/telemetry"))));
        let other = api.other.register("other").await["id"].as_str().unwrap().to_owned();
        let foreign = own.post(&format!("/api/v1/mqtt/telemetry/{other}"), json!({"data": {"t": 1}})).await;
        assert_eq!(error(&foreign), (403, "Forbidden: device mismatch"));
        let (_, body) = own.get("/api/v1/devices/telemetry?type=temperature").await;
        assert_eq!(
            (&body["status"], &body["count"], &body["limit"], &body["start_time"]),
            (&json!("success"), &json!(2), &json!(100), &json!("-24h"))
        );
        assert_eq!(body["telemetry"][0]["measurements"], json!({"temperature": 24.0}));
        assert_eq!(own.get("/api/v1/devices/telemetry?limit=1").await.1["count"], 1);
        assert_eq!(own.get("/api/v1/devices/telemetry?start_time=-1x").await.0, 400);

        world.devices.set_broker_address("broker.example.org", 8883);
        let (_, body) = own.get("/api/v1/devices/mqtt-credentials").await;
        let told = &body["credentials"];
        assert_eq!((&told["mqtt_host"], &told["mqtt_port"]), (&json!("broker.example.org"), &json!(8883)));
        assert_eq!((&told["client_id"], &told["anonymous_connection"]), (&json!(id), &json!(false)));
        assert_eq!(told["topics"]["telemetry_publish"], json!(format!("devices/{id}/telemetry")));
        assert!(!body.to_string().contains(device["api_key"].as_str().unwrap()));
        assert_eq!(api.user.get("/api/v1/devices/mqtt-credentials").await.0, 401);

        let (_, statuses) = api.user.get("/api/v1/devices/statuses").await;
        assert_eq!((&statuses["meta"]["total"], &statuses["devices"][0]["id"]), (&json!(1), &json!(id)));
        assert_eq!(api.anonymous.get("/api/v1/devices/statuses").await.0, 401);
    })
    .await;
}

#[tokio::test]
async fn a_device_is_given_to_another_person() {
    each_api(|_world, api| async move {
        let path = format!("/api/v1/devices/{}/owner", api.other.register("meter").await["id"].as_str().unwrap());
        let to_ann = json!({"user_id": api.user_id});
        assert_eq!(error(&api.user.send("PUT", &path, Some(to_ann.clone())).await), (404, "Device not found"));
        assert_eq!(api.other.send("PUT", &path, Some(json!({"user_id": "ann"}))).await.0, 400);
        assert_eq!(api.other.send("PUT", &path, Some(json!({"user_id": "0".repeat(32)}))).await.0, 404);
        let (status, device) = api.other.send("PUT", &path, Some(to_ann)).await;
        assert_eq!((status, &device["owner_name"]), (200, &json!("ann")));
        assert_eq!(api.user.get("/api/v1/devices").await.1["items"].as_array().unwrap().len(), 1);
    })
    .await;
}
