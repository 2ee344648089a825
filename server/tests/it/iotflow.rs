//! The `curl` examples of the IoTFlow document, word for word, with an access token added where the user id alone was the
//! credential: each gives the documented answer.

use portico_platform::config::Signup;
use portico_platform::testing::{create_postgres_database, drop_postgres_database, postgres_url};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Server, config};

const ADMIN_TOKEN: &str = "an-admin-token-of-its-own";

/// What the document leaves to be filled in.
#[derive(Default)]
struct Known {
    user_id: String,
    access_token: String,
    api_key: String,
    device_id: String,
    group_id: String,
}

/// The words of a shell command: single and double quotes, a backslash before a line end.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '\\') => {
                assert_eq!(characters.next(), Some('\n'), "only a line end is escaped in these examples");
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    assert_eq!(quote, None, "an open quote in {command}");
    words.extend(word);
    words
}

/// Runs the command as curl would: `-X`, `-H`, `-d` and the address.
async fn curl(server: &Server, known: &Known, command: &str) -> (StatusCode, Value) {
    let mut words = words(command).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"));
    let (mut method, mut address, mut headers, mut body) = (None, None, Vec::new(), None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-X" => method = words.next(),
            "-H" => headers.extend(words.next()),
            "-d" => body = words.next(),
            _ => assert_eq!(address.replace(word), None, "one address"),
        }
    }
    let address = address
        .unwrap()
        .replace("http://localhost:5000", &server.url)
        .replace("abc123...", &known.user_id)
        .replace("/telemetry/1", &format!("/telemetry/{}", known.device_id))
        .replace("/devices/1", &format!("/devices/{}", known.device_id))
        .replace("/groups/1", &format!("/groups/{}", known.group_id));
    let method = method.map_or(Method::GET, |method| Method::from_bytes(method.as_bytes()).unwrap());
    let mut request = server.http.request(method, address);
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        let value = value
            .replace("abc123...", &known.user_id)
            .replace("xyz789...", &known.api_key)
            .replace("${ADMIN_TOKEN}", ADMIN_TOKEN);
        if name == "X-User-ID" {
            // The one change: the id counts beside an access token.
            request = request.bearer_auth(&known.access_token);
        }
        request = request.header(name, value);
    }
    let response = request.body(body.unwrap_or_default()).send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap())
}

/// Whether every field of `documented` is in the answer with that value; the document's placeholders fit any text.
fn shows(answer: &Value, documented: &Value) -> bool {
    match (answer, documented) {
        (Value::Object(answer), Value::Object(documented)) => {
            documented.iter().all(|(name, value)| answer.get(name).is_some_and(|given| shows(given, value)))
        }
        (Value::String(answer), Value::String(documented)) if documented.ends_with("...") => !answer.is_empty(),
        _ => answer == documented,
    }
}

async fn examples(server: &Server) {
    let mut known = Known::default();

    // Register User & Device
    let register = r#"curl -X POST http://localhost:5000/api/v1/auth/register \
  -H "Content-Type: application/json" \
  -d '{
    "username": "john_doe",
    "email": "john@example.com",
    "password": "secure_password"
  }'"#;
    // The one word that must be another: passwords are as long as they have to be.
    let (status, refused) = curl(server, &known, register).await;
    let register = if status == StatusCode::BAD_REQUEST {
        assert_eq!(refused["errors"][0]["field"], "password", "{refused}");
        register.replace("secure_password", "copper lantern under fjord")
    } else {
        register.to_owned()
    };
    let (status, registered) =
        if status == StatusCode::BAD_REQUEST { curl(server, &known, &register).await } else { (status, refused) };
    let documented = json!({
        "status": "success",
        "user": {"user_id": "abc123...", "username": "john_doe", "email": "john@example.com"},
    });
    assert_eq!(status, StatusCode::CREATED, "{registered}");
    assert!(shows(&registered, &documented), "{registered}");
    known.user_id = registered["user"]["user_id"].as_str().unwrap().to_owned();
    let password = if register.contains("secure_password") { "secure_password" } else { "copper lantern under fjord" };
    let sign_in = json!({"username": "john_doe", "password": password});
    let (_, signed_in) = server.call(Method::POST, "/api/v1/auth/login", None, Some(sign_in)).await;
    known.access_token = signed_in["access_token"].as_str().unwrap().to_owned();

    let (status, registered) = curl(
        server,
        &known,
        r#"curl -X POST http://localhost:5000/api/v1/devices/register \
  -H "Content-Type: application/json" \
  -H "X-User-ID: abc123..." \
  -d '{
    "name": "Temperature Sensor 001",
    "device_type": "sensor",
    "location": "Living Room",
    "firmware_version": "1.0.0"
  }'"#,
    )
    .await;
    // Two differences, both in docs/migration.md: ids are opaque texts, and a new device is active at once.
    let documented = json!({
        "message": "Device registered successfully",
        "device": {"id": "1...", "name": "Temperature Sensor 001", "api_key": "xyz789...", "status": "active"},
    });
    assert_eq!(status, StatusCode::CREATED, "{registered}");
    assert!(shows(&registered, &documented), "{registered}");
    known.device_id = registered["device"]["id"].as_str().unwrap().to_owned();
    known.api_key = registered["device"]["api_key"].as_str().unwrap().to_owned();

    // Submit & Query Telemetry
    let (status, stored) = curl(
        server,
        &known,
        r#"curl -X POST http://localhost:5000/api/v1/telemetry \
  -H "X-API-Key: xyz789..." \
  -H "Content-Type: application/json" \
  -d '{
    "data": {
      "temperature": 23.5,
      "humidity": 65.2,
      "pressure": 1013.25
    },
    "metadata": {
      "location": "Living Room",
      "sensor_type": "DHT22"
    }
  }'"#,
    )
    .await;
    assert_eq!((status, &stored["message"]), (StatusCode::CREATED, &json!("Telemetry data stored successfully")));
    assert_eq!((&stored["device_id"], &stored["stored_in_postgres"]), (&json!(known.device_id), &json!(true)));

    let (status, latest) = curl(
        server,
        &known,
        r#"curl "http://localhost:5000/api/v1/telemetry/1/latest" \
  -H "X-API-Key: xyz789...""#,
    )
    .await;
    let values = json!({"temperature": 23.5, "humidity": 65.2, "pressure": 1013.25});
    assert_eq!((status, &latest["latest_data"]), (StatusCode::OK, &values));
    assert_eq!((&latest["device_name"], &latest["device_type"]), (&json!("Temperature Sensor 001"), &json!("sensor")));

    let (status, range) = curl(
        server,
        &known,
        r#"curl "http://localhost:5000/api/v1/telemetry/1?start_time=-1h&limit=100" \
  -H "X-API-Key: xyz789...""#,
    )
    .await;
    assert_eq!((status, &range["count"], &range["start_time"]), (StatusCode::OK, &json!(1), &json!("-1h")));
    assert_eq!(range["data"][0]["measurements"], values);
    assert_eq!(range["postgres_available"], true);

    let (status, aggregated) = curl(
        server,
        &known,
        r#"curl "http://localhost:5000/api/v1/telemetry/1/aggregated?window=1h&start_time=-24h&field=temperature&aggregation=mean" \
  -H "X-API-Key: xyz789...""#,
    )
    .await;
    assert_eq!((status, &aggregated["count"]), (StatusCode::OK, &json!(1)), "{aggregated}");
    assert_eq!((&aggregated["field"], &aggregated["aggregation"]), (&json!("temperature"), &json!("mean")));
    assert_eq!((&aggregated["data"][0]["value"], &aggregated["data"][0]["count"]), (&json!(23.5), &json!(1)));

    groups(server, &mut known).await;
    administration(server, &known).await;
}

async fn groups(server: &Server, known: &mut Known) {
    let (status, made) = curl(
        server,
        known,
        r##"curl -X POST http://localhost:5000/api/v1/groups \
  -H "Content-Type: application/json" \
  -H "X-User-ID: abc123..." \
  -d '{
    "name": "Living Room Sensors",
    "description": "All sensors in living room",
    "color": "#FF5733"
  }'"##,
    )
    .await;
    assert_eq!((status, &made["message"]), (StatusCode::CREATED, &json!("Group created successfully")));
    let documented = json!({
        "name": "Living Room Sensors", "description": "All sensors in living room", "color": "#FF5733",
        "user_id": known.user_id, "device_count": 0,
    });
    assert!(shows(&made["group"], &documented), "{made}");
    known.group_id = made["group"]["id"].as_str().unwrap().to_owned();

    let (status, added) = curl(
        server,
        known,
        r#"curl -X POST "http://localhost:5000/api/v1/groups/1/devices/1" \
  -H "X-User-ID: abc123...""#,
    )
    .await;
    assert_eq!((status, &added["message"]), (StatusCode::CREATED, &json!("Device added to group successfully")));
    let ids = json!({"group_id": known.group_id, "device_id": known.device_id});
    assert!(shows(&added["membership"], &ids), "{added}");

    let (status, group) = curl(
        server,
        known,
        r#"curl "http://localhost:5000/api/v1/groups/1?include_devices=true" \
  -H "X-User-ID: abc123...""#,
    )
    .await;
    assert_eq!(
        (status, &group["status"], &group["group"]["device_count"]),
        (StatusCode::OK, &json!("success"), &json!(1))
    );
    assert_eq!(group["group"]["devices"][0]["name"], "Temperature Sensor 001");
}

async fn administration(server: &Server, known: &Known) {
    let (status, stats) = curl(
        server,
        known,
        r#"curl "http://localhost:5000/api/v1/admin/stats" \
  -H "Authorization: admin ${ADMIN_TOKEN}""#,
    )
    .await;
    assert_eq!((status, &stats["status"], &stats["total_devices"]), (StatusCode::OK, &json!("success"), &json!(1)));
    // It has posted just now.
    let counted = &stats["device_stats"];
    assert_eq!((&counted["total"], &counted["active"], &counted["maintenance"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(counted["online"].as_i64().unwrap() + counted["offline"].as_i64().unwrap(), 1);

    let (status, list) = curl(
        server,
        known,
        r#"curl "http://localhost:5000/api/v1/admin/devices" \
  -H "Authorization: admin ${ADMIN_TOKEN}""#,
    )
    .await;
    assert_eq!((status, &list["total_devices"]), (StatusCode::OK, &json!(1)));
    assert_eq!(list["devices"][0]["id"], json!(known.device_id));
    assert!(!list.to_string().contains(&known.api_key));

    let (status, changed) = curl(
        server,
        known,
        r#"curl -X PUT "http://localhost:5000/api/v1/admin/devices/1/status" \
  -H "Authorization: admin ${ADMIN_TOKEN}" \
  -H "Content-Type: application/json" \
  -d '{"status": "maintenance"}'"#,
    )
    .await;
    let documented = json!({
        "status": "success", "message": "Device status updated from active to maintenance", "old_status": "active",
        "new_status": "maintenance",
    });
    assert_eq!(status, StatusCode::OK);
    assert!(shows(&changed, &documented), "{changed}");

    let (status, deactivated) = curl(
        server,
        known,
        r#"curl -X PATCH "http://localhost:5000/api/v1/users/abc123.../deactivate" \
  -H "Authorization: admin ${ADMIN_TOKEN}""#,
    )
    .await;
    assert_eq!((status, &deactivated["status"]), (StatusCode::OK, &json!("success")), "{deactivated}");
    assert_eq!(deactivated["message"], "User 'john_doe' deactivated successfully");

    // Verify Installation
    let (status, health) = curl(server, known, "curl http://localhost:5000/health").await;
    assert_eq!((status, &health["status"]), (StatusCode::OK, &json!("healthy")));
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_examples_of_the_document_give_the_documented_answers() {
    let start = async |database_url: Option<String>| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.signup = Signup::Open;
        config.admin_token = Some(ADMIN_TOKEN.into());
        config.database_url = database_url.map(Into::into);
        let server = Server::start(config).await;
        examples(&server).await;
        server.portico.stop().await;
    };
    eprintln!("on SQLite");
    start(None).await;
    if let Some(postgres) = postgres_url() {
        eprintln!("on PostgreSQL");
        let database = create_postgres_database(&postgres).await;
        start(Some(database.clone())).await;
        drop_postgres_database(&postgres, &database).await;
    }
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    assert_eq!(words("curl -X POST \"a b\" \\\n  -d '{\"c\": 1}'"), ["curl", "-X", "POST", "a b", "-d", "{\"c\": 1}"]);
    assert!(shows(&json!({"a": "x", "b": 1}), &json!({"a": "abc..."})));
    assert!(!shows(&json!({"a": ""}), &json!({"a": "abc..."})));
    assert!(!shows(&json!({"a": 1}), &json!({"a": 2})));
}
