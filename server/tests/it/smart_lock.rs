//! The former smart lock's app, exactly as it speaks: paths, fields, codes and texts.

use portico_identity::NewUser;
use portico_model::identity::Role;
use portico_platform::{Actor, on_db};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ADMIN, PASSWORD, Server, each_database};

/// A request as the app sends it.
async fn app(server: &Server, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> (u16, Value) {
    let mut request = server.http.request(method, format!("{}{path}", server.url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn person(server: &Server, name: &str) -> String {
    let mut tx = server.portico.platform.db.read().await.unwrap();
    let (organization,): (portico_model::OrganizationId,) = on_db!(&mut tx, conn => sqlx::query_as(
        "select id from organization order by created_at limit 1",
    ).fetch_one(conn).await)
    .unwrap();
    drop(tx);
    let (username, email) = (name.to_owned(), format!("{name}@example.com"));
    let user = NewUser { username, email, password: PASSWORD.into(), role: Role::User };
    server.portico.identity.create_user(&Actor::system(organization), user).await.unwrap();
    let body = json!({ "username": name, "password": PASSWORD });
    let (status, answer) = app(server, Method::POST, "/auth/login", None, Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    answer["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn app_of_the_smart_lock_works_as_before() {
    each_database(|server| async move {
        let wrong = json!({ "username": "ann", "password": "wrong" });
        let (status, answer) = app(&server, Method::POST, "/auth/login", None, Some(wrong)).await;
        assert_eq!((status, &answer["error"]), (401, &json!("Invalid credentials")));
        let (status, answer) =
            app(&server, Method::POST, "/auth/register", None, Some(json!({ "username": "ann" }))).await;
        assert_eq!((status, &answer["error"]), (400, &json!("Missing required fields")));
        let (ann, bob) = (person(&server, "ann").await, person(&server, "bob").await);
        let (status, answer) = app(&server, Method::GET, "/api/logs", None, None).await;
        assert_eq!((status, &answer["msg"]), (401, &json!("Missing Authorization Header")));

        // After every sign-in.
        let register = json!({ "device_id": "device-1", "name": "My Smart Lock" });
        let (status, made) = app(&server, Method::POST, "/locks/register", Some(&ann), Some(register.clone())).await;
        assert_eq!((status, &made["message"]), (200, &json!("Lock registered")));
        for caller in [&ann, &bob] {
            let again = app(&server, Method::POST, "/locks/register", Some(caller), Some(register.clone())).await;
            assert_eq!((again.0, &again.1["error"]), (400, &json!("Device already registered")));
        }
        let (status, locks) = app(&server, Method::GET, "/locks", Some(&ann), None).await;
        assert_eq!(status, 200);
        let expected = json!([{ "_id": "device-1", "name": "My Smart Lock", "owner": "ann", "status": "Unknown",
                                "state": "Unknown", "last_seen": null, "issue": null }]);
        assert_eq!(locks, expected);
        assert_eq!(app(&server, Method::GET, "/locks", Some(&bob), None).await, (200, json!([])));

        let unlock = "/api/unlock?device_id=device-1";
        let (status, answer) = app(&server, Method::POST, unlock, Some(&ann), Some(json!({}))).await;
        assert_eq!((status, &answer["error"]), (503, &json!("Device is offline, cannot send UNLOCK command")));
        let key = made["api_key"].as_str().unwrap();
        let beat = server.http.post(format!("{}/api/v1/devices/heartbeat", server.url)).header("x-api-key", key);
        assert_eq!(beat.send().await.unwrap().status(), StatusCode::OK);
        let (status, answer) = app(&server, Method::POST, unlock, Some(&ann), Some(json!({}))).await;
        assert_eq!((status, answer), (200, json!({ "status": "UNLOCK command sent to device-1" })));
        for path in [unlock, "/api/lock?device_id=device-9", "/api/lock"] {
            let (status, answer) = app(&server, Method::POST, path, Some(&bob), Some(json!({}))).await;
            assert_eq!((status, &answer["error"]), (403, &json!("Access denied to this lock")), "{path}");
        }
        let status_of = app(&server, Method::GET, "/locks/device-1/status", Some(&ann), None).await;
        let expected = json!({ "device_id": "device-1", "connection_status": "Available", "device_status": "Online",
                               "device_state": "Unknown", "issue": null });
        assert_eq!(status_of, (200, expected));
        let (status, answer) = app(&server, Method::GET, "/locks/device-1/status", Some(&bob), None).await;
        assert_eq!((status, &answer["error"]), (404, &json!("Lock not found or not yours")));

        let (status, logs) = app(&server, Method::GET, "/api/logs", Some(&ann), None).await;
        assert_eq!(status, 200);
        let line = logs.as_array().unwrap().iter().find(|line| line["action"] == "UNLOCK").unwrap().clone();
        assert_eq!((&line["device_id"], &line["user_id"]), (&json!("device-1"), &json!("ann")));
        assert_eq!(app(&server, Method::GET, "/api/logs", Some(&bob), None).await, (200, json!([])));

        let reassign = "/locks/device-1/reassign?new_owner=bob";
        let (status, answer) = app(&server, Method::PUT, reassign, Some(&ann), None).await;
        assert_eq!((status, &answer["error"]), (403, &json!("Admin access required")));
        let admin = server.sign_in(ADMIN).await;
        let nobody = "/locks/device-1/reassign?new_owner=nobody";
        let (status, answer) = app(&server, Method::PUT, nobody, Some(&admin), None).await;
        assert_eq!((status, &answer["error"]), (404, &json!("New owner not found")));
        let (status, answer) = app(&server, Method::PUT, reassign, Some(&admin), None).await;
        assert_eq!((status, &answer["message"]), (200, &json!("Lock device-1 reassigned to bob")));
        assert_eq!(app(&server, Method::GET, "/locks", Some(&ann), None).await, (200, json!([])));
        server
    })
    .await;
}
