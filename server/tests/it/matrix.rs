//! Who may do what: every route × every kind of caller. A route without an entry fails the test.

use std::collections::BTreeMap;

use portico_identity::NewUser;
use portico_model::identity::Role;
use portico_platform::{Actor, on_db};
use reqwest::{Method, StatusCode};

use crate::harness::{ADMIN, PASSWORD, each_database};

/// Who a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Everyone,
    /// Anyone who is signed in; what he gets is his own.
    People,
    /// Administrators alone.
    Admins,
    /// A device with its key, or those who may see the device.
    Device,
    /// A device with its key alone.
    DeviceOnly,
    /// Any device with its key, for what is its own, or those who may speak for all.
    AnyDevice,
    /// The request is itself the credential: without a good one it is refused.
    Credential,
}

/// An id that nobody has.
const NOBODY: &str = "0193a0000000700080000000000000ab";

/// Method and path as in the OpenAPI document.
const MATRIX: &[(&str, &str, For)] = &include!("matrix.in");

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_in_the_matrix_and_keeps_to_it() {
    each_database(|server| async move {
        let (_, document) = server.call(Method::GET, "/api/v1/openapi.json", None, None).await;
        let table: BTreeMap<(String, String), For> =
            MATRIX.iter().map(|(method, path, who)| ((method.to_lowercase(), (*path).to_owned()), *who)).collect();
        let mut routes = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                    routes.push((method.clone(), path.clone()));
                }
            }
        }
        assert!(routes.len() > 20, "{routes:?}");
        let missing: Vec<_> = routes.iter().filter(|route| !table.contains_key(route)).collect();
        assert!(missing.is_empty(), "routes without an entry in the matrix: {missing:#?}");
        let gone: Vec<_> = table.keys().filter(|route| !routes.contains(route)).collect();
        assert!(gone.is_empty(), "entries without a route: {gone:#?}");

        let admin = server.sign_in(ADMIN).await;
        let (device, device_key) = server.register(&admin, "Someone else's").await;
        let organization = first_organization(&server).await;
        let user = NewUser {
            username: "ursula".into(),
            email: "ursula@example.com".into(),
            password: PASSWORD.into(),
            role: Role::User,
        };
        let ursula = server.portico.identity.create_user(&Actor::system(organization), user).await.unwrap();
        let mut user_token = server.sign_in("ursula").await;
        let (_, own_key) = server.register(&user_token, "Own").await;

        let body = serde_json::json!({ "name": "Someone else's" });
        let (_, made) = server.call(Method::POST, "/api/v1/groups", Some(&admin), Some(body)).await;
        let group = made["group"]["id"].as_str().unwrap().to_owned();
        let rule_body = serde_json::json!({
            "name": "Someone else's", "severity": "info", "scope": { "kind": "device", "device_id": device },
            "condition": { "kind": "threshold", "key": "t", "side": "above", "limit": 30 },
        });
        let (_, made) = server.call(Method::POST, "/api/v1/alarm-rules", Some(&admin), Some(rule_body.clone())).await;
        let rule = made["id"].as_str().unwrap().to_owned();
        let hot = server.http.post(format!("{}/api/v1/telemetry", server.url)).header("x-api-key", device_key);
        assert!(hot.json(&serde_json::json!({ "data": { "t": 31 } })).send().await.unwrap().status().is_success());
        let (_, raised) = server.call(Method::GET, "/api/v1/alarms", Some(&admin), None).await;
        let alarm = raised["items"][0]["id"].as_str().unwrap().to_owned();
        let view_body = serde_json::json!({ "name": "Someone else's", "definition": {
            "series": [{ "device_id": device, "key": "t" }], "range": "24h", "aggregation": "mean", "window": "auto",
        } });
        let (_, made) = server.call(Method::POST, "/api/v1/views", Some(&admin), Some(view_body.clone())).await;
        let view = made["id"].as_str().unwrap().to_owned();

        let as_lock = serde_json::json!({ "device_id": device });
        let (made, _) = server.call(Method::POST, "/api/v1/locks", Some(&admin), Some(as_lock)).await;
        assert_eq!(made, StatusCode::CREATED);

        let mut faults = Vec::new();
        for (method, path) in routes {
            let who = table[&(method.clone(), path.clone())];
            let real = path
                .replace("/alarm-rules/{id}", &format!("/alarm-rules/{rule}"))
                .replace("/alarms/{id}", &format!("/alarms/{alarm}"))
                .replace("/groups/{id}", &format!("/groups/{group}"))
                .replace("/views/{id}", &format!("/views/{view}"))
                .replace("{device_id}", &device)
                .replace("{user_id}", &ursula.id.to_string())
                .replace("/chart", "/chart?key=t")
                .replace("{command_id}", NOBODY)
                .replace("{key_id}", NOBODY)
                .replace("{grant_id}", NOBODY)
                .replace("{firmware_id}", NOBODY)
                .replace("{rollout_id}", NOBODY)
                .replace("{event_id}", NOBODY)
                .replace("{person_id}", NOBODY)
                .replace("{spot_id}", NOBODY)
                .replace("{id}", if path.contains("/users/") { NOBODY } else { &device });
            let real = match (method.as_str(), path.as_str()) {
                ("post", "/api/v1/firmware") => format!("{real}?device_type=lock&version=1.0.0&signature=00"),
                ("post", "/api/v1/plans") => format!("{real}?name=Plan"),
                _ => real,
            };
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            // Where an empty body would be refused before anyone asks who sends it.
            let body = match path.as_str() {
                "/api/v1/telemetry/retention" => {
                    serde_json::json!({ "raw_days": 30, "minute_days": 60, "hour_days": 90 })
                }
                "/api/v1/telemetry/{id}" => serde_json::json!({ "start_time": "-1h", "stop_time": "now" }),
                "/api/v1/service-keys" => serde_json::json!({ "name": "new", "scopes": ["read_audit"] }),
                "/api/v1/webhooks" | "/api/v1/webhooks/{id}" => {
                    serde_json::json!({ "name": "new", "url": "https://example.org/hook" })
                }
                "/api/v1/alarm-rules/{id}" => rule_body.clone(),
                "/api/v1/alarms/{id}/notes" => serde_json::json!({ "note": "seen" }),
                "/api/v1/users" => serde_json::json!({
                    "username": "new", "email": "new@example.com", "password": PASSWORD, "role": "admin"
                }),
                "/api/v1/invitations" => serde_json::json!({ "email": "invited@example.com" }),
                "/api/v1/users/{id}/erase" => serde_json::json!({ "confirm": "somebody" }),
                "/api/v1/organization" => serde_json::json!({ "name": "House", "time_zone": "UTC" }),
                "/api/v1/users/{id}" => serde_json::json!({ "email": "other@example.com" }),
                "/api/v1/admin/devices/{id}/status" => serde_json::json!({ "status": "inactive" }),
                "/api/v1/devices/{id}/commands" => serde_json::json!({ "name": "reboot" }),
                "/api/v1/firmware/keys" => serde_json::json!({ "name": "k", "public_key": "00" }),
                "/api/v1/rollouts" => serde_json::json!({ "firmware_id": NOBODY, "selection": { "kind": "type" } }),
                "/api/v1/devices/{id}/shadow" => serde_json::json!({ "desired": {} }),
                "/api/v1/views/{id}" => view_body.clone(),
                "/api/v1/doors"
                | "/api/v1/doors/{id}"
                | "/api/v1/door-groups"
                | "/api/v1/zones"
                | "/api/v1/plans/{id}" => {
                    serde_json::json!({ "name": "Door" })
                }
                "/api/v1/doors/mode" => serde_json::json!({ "scope": { "kind": "all" }, "mode": "normal" }),
                "/api/v1/doors/{id}/mode" => serde_json::json!({ "mode": "normal" }),
                "/api/v1/locks/{id}/grants" => serde_json::json!({ "user": "ursula", "role": "operator" }),
                "/api/v1/locks/{id}/offline-grant" => serde_json::json!({ "public_key": "d7".repeat(32) }),
                "/api/v1/locks/{id}/owner" => serde_json::json!({ "owner": "ursula" }),
                "/api/v1/devices/{id}/owner" => serde_json::json!({ "user_id": ursula.id }),
                path if path.starts_with("/api/v1/access/") && !path.contains("/codes")
                    || ["/api/v1/parking/", "/api/v1/spots", "/api/v1/payments/", "/api/v1/sensor-data"]
                        .iter()
                        .any(|start| path.starts_with(start))
                    || path == "/api/v1/start_registration" =>
                {
                    let operation = &document["paths"][path][method.as_str().to_lowercase()];
                    let example = operation.pointer("/requestBody/content/application~1json/example");
                    example.cloned().unwrap_or_else(|| serde_json::json!({}))
                }
                _ => serde_json::json!({}),
            };
            let send = async |credentials: &[(&str, String)]| {
                let mut request = server.http.request(method.clone(), format!("{}{real}", server.url));
                for (name, value) in credentials {
                    request = request.header(*name, value);
                }
                if method != Method::GET {
                    request = request.json(&body);
                }
                request.send().await.unwrap().status()
            };
            let anonymous = send(&[]).await;
            let person = send(&[("authorization", format!("Bearer {user_token}"))]).await;
            let foreign_key = send(&[("x-api-key", own_key.clone())]).await;
            let forged = send(&[("authorization", "Bearer forged".to_owned())]).await;
            let spoofed = send(&[("x-user-id", ursula.id.to_string())]).await;
            let label = format!("{method} {path} for {who:?}");
            let denied = |status: StatusCode| matches!(status.as_u16(), 401 | 403 | 404);
            let mut check = |kept: bool, fault: String| faults.extend((!kept).then_some(fault));
            match who {
                For::Credential => {
                    for status in [anonymous, foreign_key, forged] {
                        check(matches!(status.as_u16(), 400 | 401 | 403), format!("{label}: {status}"));
                    }
                }
                For::Everyone => {
                    check(!matches!(anonymous.as_u16(), 401 | 403 | 500..), format!("{label}: {anonymous}"))
                }
                For::People => {
                    check(anonymous == StatusCode::UNAUTHORIZED, format!("{label}: {anonymous}"));
                    check(forged == StatusCode::UNAUTHORIZED, format!("{label}: {forged}"));
                    check(spoofed == StatusCode::UNAUTHORIZED, format!("{label}: {spoofed}"));
                    check(denied(foreign_key), format!("{label}: a device's key gave {foreign_key}"));
                    check(!matches!(person.as_u16(), 401 | 403), format!("{label}: his own gave {person}"));
                }
                For::Admins => {
                    check(anonymous == StatusCode::UNAUTHORIZED, format!("{label}: {anonymous}"));
                    check(spoofed == StatusCode::UNAUTHORIZED, format!("{label}: {spoofed}"));
                    check(denied(person), format!("{label}: a user got {person}"));
                    check(denied(foreign_key), format!("{label}: a device's key gave {foreign_key}"));
                }
                For::Device => {
                    check(denied(anonymous), format!("{label}: {anonymous}"));
                    check(denied(person), format!("{label}: another's device gave {person}"));
                    check(denied(foreign_key), format!("{label}: another device's key gave {foreign_key}"));
                }
                For::AnyDevice => {
                    check(anonymous == StatusCode::UNAUTHORIZED, format!("{label}: {anonymous}"));
                    check(denied(person), format!("{label}: a user got {person}"));
                    check(foreign_key.is_success(), format!("{label}: a device got {foreign_key}"));
                }
                For::DeviceOnly => {
                    check(anonymous == StatusCode::UNAUTHORIZED, format!("{label}: {anonymous}"));
                    check(person == StatusCode::UNAUTHORIZED, format!("{label}: {person}"));
                }
            }
            for status in [anonymous, person, foreign_key, forged, spoofed] {
                check(status.as_u16() < 500, format!("{label}: {status}"));
            }
            if path.ends_with("/logout") {
                user_token = server.sign_in("ursula").await;
            }
        }
        assert!(faults.is_empty(), "{faults:#?}");
        server
    })
    .await;
}

async fn first_organization(server: &crate::harness::Server) -> portico_model::OrganizationId {
    let mut tx = server.portico.platform.db.read().await.unwrap();
    let (id,): (portico_model::OrganizationId,) = on_db!(&mut tx, conn => sqlx::query_as(
        "select id from organization order by created_at limit 1",
    ).fetch_one(conn).await)
    .unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_others_cannot_be_followed() {
    each_database(|server| async move {
        let admin = server.sign_in(ADMIN).await;
        let (device, _) = server.register(&admin, "Someone else's").await;
        let organization = first_organization(&server).await;
        let user = NewUser {
            username: "ursula".into(),
            email: "ursula@example.com".into(),
            password: PASSWORD.into(),
            role: Role::User,
        };
        server.portico.identity.create_user(&Actor::system(organization), user).await.unwrap();
        let token = server.sign_in("ursula").await;
        let mut screen = server.live(&token).await;
        for topic in [
            format!("device:{device}"),
            format!("telemetry:{device}"),
            format!("commands:{device}"),
            format!("shadow:{device}"),
            format!("lock:{device}"),
            "audit".into(),
            "nonsense".into(),
        ] {
            let answer = screen.subscribe(&topic).await;
            assert_eq!(answer["op"], "error", "{topic}: {answer}");
        }
        // The list is his own: another's device changes nothing on it.
        let snapshot = screen.subscribe("devices").await;
        assert_eq!(snapshot["op"], "snapshot", "{snapshot}");
        assert!(!snapshot.to_string().contains(&device));
        server.register(&admin, "Also someone else's").await;
        let (own, _) = server.register(&token, "Own").await;
        let event = screen.next_where(|message| message["op"] == "event").await;
        assert_eq!(event["data"]["device"]["id"], own.as_str(), "{event}");
        server
    })
    .await;
}
