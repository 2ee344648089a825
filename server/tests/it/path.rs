//! The main path: a device publishes, the database has it, the screen shows it.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{ADMIN, Device, Live, each_database, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn published_value_reaches_the_database_and_every_screen() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let (id, key) = server.register(&token, "Boiler room").await;
        let mut screens = [server.live(&token).await, server.live(&token).await];
        for screen in &mut screens {
            let snapshot = screen.subscribe(&format!("telemetry:{id}")).await;
            assert_eq!(snapshot["op"], "snapshot", "{snapshot}");
        }
        let mut device = Device::connect(&server.mqtt, &id, &key).await;
        device.publish(&json!({ "data": { "temperature": 21.5, "open": true, "note": "warm" } })).await;
        // Acknowledged means committed: no waiting before this read.
        let path = format!("/api/v1/telemetry/{id}/latest");
        let (status, latest) = server.call(Method::GET, &path, Some(&token), None).await;
        assert_eq!(status, StatusCode::OK, "{latest}");
        assert_eq!(latest["latest_data"]["temperature"], 21.5, "{latest}");
        for screen in &mut screens {
            let event = screen.next_where(|message| message["op"] == "event").await;
            assert_eq!(event["data"]["type"], "telemetry");
            assert_eq!(event["data"]["samples"][0]["data"]["temperature"], 21.5, "{event}");
            assert_eq!(event["data"]["samples"][0]["data"]["note"], "warm", "{event}");
        }
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_lost_shows_as_offline_by_the_last_will() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let (id, key) = server.register(&token, "Roof").await;
        let mut screen = server.live(&token).await;
        screen.subscribe("devices").await;
        let mut device = Device::connect(&server.mqtt, &id, &key).await;
        device.publish(&json!({ "data": { "wind": 3.0 } })).await;
        screen.next_where(|message| message["data"]["connection"] == "online").await;
        drop(device);
        screen.next_where(|message| message["data"]["connection"] == "offline").await;
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_key_ends_the_live_session_and_only_the_new_one_connects() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let (id, key) = server.register(&token, "Meter").await;
        let mut device = Device::connect(&server.mqtt, &id, &key).await;
        let path = format!("/api/v1/devices/{id}/key");
        let (status, answer) = server.call(Method::POST, &path, Some(&token), None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let ended = tokio::time::timeout(crate::harness::PATIENCE, device.wait_for(|_| false)).await;
        assert!(ended.expect("the session must end").is_err());
        let mut old = Device::new(&server.mqtt, &id, &key, false);
        assert!(old.wait_for(|packet| matches!(packet, rumqttc::Packet::ConnAck(_))).await.is_err());
        let fresh = answer["api_key"].as_str().or_else(|| answer["device"]["api_key"].as_str()).unwrap().to_owned();
        Device::connect(&server.mqtt, &id, &fresh).await;
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_payloads_are_counted_and_never_stop_the_stream() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let (id, key) = server.register(&token, "Noisy").await;
        let mut device = Device::connect(&server.mqtt, &id, &key).await;
        let many_keys: serde_json::Map<String, serde_json::Value> =
            (0..10_000).map(|index| (format!("k{index}"), json!(index))).collect();
        let deep = format!("{{\"data\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200));
        let bad: Vec<Vec<u8>> = vec![
            b"not json".to_vec(),
            b"{\"data\":{\"t\":1e999}}".to_vec(),
            b"{\"data\":{\"t\":NaN}}".to_vec(),
            b"{\"data\":[1,2]}".to_vec(),
            b"{\"ts\":\"1970-01-01T00:00:00Z\",\"data\":{\"t\":1}}".to_vec(),
            b"{\"ts\":\"2100-01-01T00:00:00Z\",\"data\":{\"t\":1}}".to_vec(),
            deep.into_bytes(),
            json!({ "data": many_keys }).to_string().into_bytes(),
            vec![b'x'; 1_000_000],
        ];
        for payload in bad {
            device.try_publish(payload, crate::harness::PATIENCE).await.expect("a bad payload is acknowledged too");
        }
        device.publish(&json!({ "data": { "t": 7.0 } })).await;
        let path = format!("/api/v1/telemetry/{id}/latest");
        let (_, latest) = server.call(Method::GET, &path, Some(&token), None).await;
        assert_eq!(latest["latest_data"]["t"], 7.0, "{latest}");
        let path = format!("/api/v1/devices/{id}/problems");
        eventually("problems are shown", || async {
            let (_, problems) = server.call(Method::GET, &path, Some(&token), None).await;
            let list = problems.as_array().or_else(|| problems["problems"].as_array()).cloned().unwrap_or_default();
            list.len() >= 4
        })
        .await;
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn same_idempotency_key_registers_one_device() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let mut answers = Vec::new();
        for _ in 0..2 {
            let response = server
                .http
                .post(format!("{}/api/v1/devices/register", server.url))
                .bearer_auth(&token)
                .header("idempotency-key", "register-once")
                .json(&json!({ "name": "Once", "device_type": "sensor" }))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), StatusCode::CREATED);
            answers.push(response.json::<serde_json::Value>().await.unwrap());
        }
        assert_eq!(answers[0], answers[1]);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn page_without_a_session_is_told_so_on_its_websocket_and_others_are_refused() {
    each_database(|server| async move {
        let mut page = Live::shake_hands(&server.url, "origin", &server.url).await.ok().unwrap();
        assert_eq!(page.closed().await, 4401);
        let token = server.sign_in(ADMIN).await;
        let refused = [
            ("origin", "https://evil.example".to_owned(), 401),
            ("x-nothing", String::new(), 401),
            ("authorization", "Bearer wrong".to_owned(), 401),
            ("cookie", format!("portico_access={token}"), 403),
        ];
        for (header, value, status) in refused {
            assert_eq!(Live::shake_hands(&server.url, header, &value).await.err(), Some(status), "{header}: {value}");
        }
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_session_closes_its_websocket() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let mut screen = server.live(&token).await;
        screen.subscribe("devices").await;
        let (status, _) = server.call(Method::POST, "/api/v1/auth/logout", Some(&token), None).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(screen.closed().await, 4401);
        let (status, _) = server.call(Method::GET, "/api/v1/devices", Some(&token), None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn external_broker_is_told_who_may_connect_and_publish_where() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let (id, key) = server.register(&token, "Behind EMQX").await;
        let (other, _) = server.register(&token, "Its neighbour").await;
        let secret = server.portico.platform.secrets.derive("mqtt hooks");
        let hook = portico_platform::secrets::hex(&secret);
        let ask = async |path: &str, bearer: Option<&str>, question: serde_json::Value| {
            server.call(Method::POST, path, bearer, Some(question)).await.0
        };
        let login = |client: &str, password: &str| json!({ "clientid": client, "username": id, "password": password });
        let auth = "/internal/mqtt/auth";
        assert_eq!(ask(auth, None, login(&id, &key)).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(auth, Some("wrong"), login(&id, &key)).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(auth, Some(&hook), login(&id, &key)).await, StatusCode::OK);
        assert_eq!(ask(auth, Some(&hook), login(&id, "wrong")).await, StatusCode::FORBIDDEN);
        assert_eq!(ask(auth, Some(&hook), login("somebody", &key)).await, StatusCode::FORBIDDEN);
        let use_of = |topic: String, action: &str| json!({ "username": id, "topic": topic, "action": action });
        let acl = "/internal/mqtt/acl";
        for (question, expected) in [
            (use_of(format!("devices/{id}/telemetry"), "publish"), StatusCode::OK),
            (use_of(format!("devices/{id}/command"), "subscribe"), StatusCode::OK),
            (use_of(format!("devices/{id}/telemetry"), "subscribe"), StatusCode::FORBIDDEN),
            (use_of(format!("devices/{other}/telemetry"), "publish"), StatusCode::FORBIDDEN),
            (use_of("devices/+/telemetry".to_owned(), "subscribe"), StatusCode::FORBIDDEN),
            (use_of("portico/events/x".to_owned(), "publish"), StatusCode::FORBIDDEN),
            (json!({ "username": "portico", "topic": "#", "acc": 4 }), StatusCode::FORBIDDEN),
        ] {
            assert_eq!(ask(acl, Some(&hook), question.clone()).await, expected, "{question}");
        }
        assert_eq!(
            ask(acl, None, use_of(format!("devices/{id}/telemetry"), "publish")).await,
            StatusCode::UNAUTHORIZED
        );
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_sign_up_and_admin_token_work_before_the_set_up_and_give_no_admin() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = crate::harness::config(dir.path());
    config.signup = portico_platform::config::Signup::Open;
    config.admin_token = Some("a-token-for-programs".into());
    let portico = portico_server::start(config, portico_platform::Clock::system()).await.unwrap();
    let (http, url) = (crate::harness::http_client(), format!("http://{}", portico.http));
    let account = json!({ "username": "john_doe", "email": "john@example.com", "password": crate::harness::PASSWORD });
    let (status, answer) =
        crate::harness::call(&http, &url, Method::POST, "/api/v1/auth/register", None, Some(account)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    assert_eq!(answer["user"]["is_admin"], false, "{answer}");
    let token = crate::harness::sign_in(&http, &url, "john_doe").await;
    crate::harness::register(&http, &url, &token, "Temperature Sensor 001").await;
    let stats = http.get(format!("{url}/api/v1/admin/stats")).header("authorization", "admin a-token-for-programs");
    assert_eq!(stats.send().await.unwrap().status(), StatusCode::OK);
    let (status, _) = crate::harness::call(&http, &url, Method::GET, "/api/v1/admin/stats", Some(&token), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(portico.identity.setup_needed().await.unwrap(), "the set-up link still makes the administrator");
    portico.stop().await;
}

/// What is streamed passes the layer that compresses, as every browser asks for.
#[tokio::test(flavor = "multi_thread")]
async fn audit_file_comes_whole_when_it_is_compressed() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        server.register(&token, "Thermometer").await;
        let request = server.http.get(format!("{}/api/v1/audit/export", server.url)).bearer_auth(&token);
        let response = request.header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert!(response.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
        server
    })
    .await;
}
