//! A server of its own for each test, and clients for it.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use portico_platform::Clock;
use portico_platform::config::{Config, Synchronous};
use portico_platform::testing::{create_postgres_database, drop_postgres_database, postgres_url};
use portico_server::Portico;
use reqwest::{Method, StatusCode};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const ADMIN: &str = "ada";
pub const PASSWORD: &str = "copper lantern on the 7th floor";
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running server with an administrator.
pub struct Server {
    pub portico: Portico,
    pub url: String,
    pub mqtt: String,
    pub http: reqwest::Client,
}

pub fn config(dir: &std::path::Path) -> Config {
    let mut config = Config {
        data_dir: dir.to_owned(),
        http_addr: "127.0.0.1:0".parse().unwrap(),
        mqtt_addr: "127.0.0.1:0".parse().unwrap(),
        ..Config::default()
    };
    config.database.synchronous = Synchronous::Normal;
    config.database.max_connections = 5;
    config.http.rate_limits.enabled = false;
    // Nobody answers there: what needs Stripe says so.
    config.stripe.secret_key = Some("sk_test_of_nobody".into());
    config.stripe.url = "http://127.0.0.1:9".into();
    config
}

/// Runs the test against a server on SQLite and, where there is a server for it, one on PostgreSQL.
pub async fn each_database<F, Fut>(test: F)
where
    F: Fn(Server) -> Fut,
    Fut: Future<Output = Server>,
{
    each_database_with(|_| {}, test).await;
}

/// As [`each_database`], with settings of the test's own.
pub async fn each_database_with<F, Fut>(configure: impl Fn(&mut Config), test: F)
where
    F: Fn(Server) -> Fut,
    Fut: Future<Output = Server>,
{
    let config = |dir: &std::path::Path| {
        let mut config = config(dir);
        configure(&mut config);
        config
    };
    let dir = tempfile::tempdir().unwrap();
    eprintln!("on SQLite");
    test(Server::start(config(dir.path())).await).await.portico.stop().await;
    if let Some(postgres) = postgres_url() {
        eprintln!("on PostgreSQL");
        let dir = tempfile::tempdir().unwrap();
        let database = create_postgres_database(&postgres).await;
        let config = Config { database_url: Some(database.clone().into()), ..config(dir.path()) };
        test(Server::start(config).await).await.portico.stop().await;
        drop_postgres_database(&postgres, &database).await;
    }
}

impl Server {
    pub async fn start(config: Config) -> Self {
        let portico = portico_server::start(config, Clock::system()).await.unwrap();
        if portico.identity.setup_needed().await.unwrap() {
            portico.identity.create_admin(ADMIN, "ada@example.com", PASSWORD).await.unwrap();
        }
        Self { url: format!("http://{}", portico.http), mqtt: portico.mqtt.clone(), http: http_client(), portico }
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        call(&self.http, &self.url, method, path, token, body).await
    }

    pub async fn sign_in(&self, username: &str) -> String {
        sign_in(&self.http, &self.url, username).await
    }

    /// A device of the signed-in person: id and key.
    pub async fn register(&self, token: &str, name: &str) -> (String, String) {
        register(&self.http, &self.url, token, name).await
    }

    pub async fn live(&self, token: &str) -> Live {
        Live::connect(&self.url, token).await
    }
}

/// A client that shows redirects.
pub fn http_client() -> reqwest::Client {
    // As the server does at its start; a second test finds it done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub async fn call(
    http: &reqwest::Client,
    url: &str,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request = http.request(method, format!("{url}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap_or(Value::Null))
}

pub async fn sign_in(http: &reqwest::Client, url: &str, username: &str) -> String {
    let body = json!({ "username": username, "password": PASSWORD });
    let (status, answer) = call(http, url, Method::POST, "/api/v1/auth/login", None, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

pub async fn register(http: &reqwest::Client, url: &str, token: &str, name: &str) -> (String, String) {
    let body = json!({ "name": name, "device_type": "sensor" });
    let (status, answer) = call(http, url, Method::POST, "/api/v1/devices/register", Some(token), Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let text = |key: &str| answer["device"][key].as_str().unwrap().to_owned();
    (text("id"), text("api_key"))
}

/// A device on the broker; `publish` returns when the broker has acknowledged.
pub struct Device {
    pub id: String,
    client: AsyncClient,
    events: EventLoop,
}

impl Device {
    pub async fn connect(mqtt: &str, id: &str, key: &str) -> Self {
        let mut device = Self::new(mqtt, id, key, true);
        device.wait_for(|packet| matches!(packet, Packet::ConnAck(_))).await.unwrap();
        device
    }

    pub fn new(mqtt: &str, id: &str, key: &str, will: bool) -> Self {
        let (host, port) = mqtt.rsplit_once(':').unwrap();
        let mut options = MqttOptions::new(id, host, port.parse().unwrap());
        options.set_credentials(id, key).set_keep_alive(Duration::from_secs(5)).set_max_packet_size(4 << 20, 4 << 20);
        if will {
            let topic = format!("devices/{id}/status");
            options.set_last_will(rumqttc::LastWill::new(topic, r#"{"status":"offline"}"#, QoS::AtLeastOnce, false));
        }
        let (client, events) = AsyncClient::new(options, 100);
        Self { id: id.to_owned(), client, events }
    }

    pub async fn publish(&mut self, payload: &Value) {
        self.try_publish(payload.to_string().into_bytes(), PATIENCE).await.expect("acknowledged");
    }

    pub async fn try_publish(&mut self, payload: Vec<u8>, patience: Duration) -> Result<(), String> {
        let topic = format!("devices/{}/telemetry", self.id);
        self.try_publish_to(&topic, payload, patience).await
    }

    /// Publishes under another topic than its own telemetry.
    pub async fn try_publish_to(&mut self, topic: &str, payload: Vec<u8>, patience: Duration) -> Result<(), String> {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).await.map_err(|error| error.to_string())?;
        let acknowledged = self.wait_for(|packet| matches!(packet, Packet::PubAck(_)));
        tokio::time::timeout(patience, acknowledged).await.map_err(|_| "no acknowledgement".to_owned())?
    }

    /// Publishes all of them, many under way at a time; returns when the broker has acknowledged each.
    pub async fn publish_all(&mut self, topic: &str, payloads: Vec<Vec<u8>>) -> Result<(), String> {
        let (client, count) = (self.client.clone(), payloads.len());
        let publishing = async move {
            for payload in payloads {
                let sent = client.publish(topic, QoS::AtLeastOnce, false, payload).await;
                sent.map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        };
        let acknowledged = async {
            for _ in 0..count {
                self.wait_for(|packet| matches!(packet, Packet::PubAck(_))).await?;
            }
            Ok::<(), String>(())
        };
        futures::future::try_join(publishing, acknowledged).await.map(drop)
    }

    /// Subscribes; an error when the broker refuses it or ends the connection.
    pub async fn try_subscribe(&mut self, filter: &str) -> Result<(), String> {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.map_err(|error| error.to_string())?;
        loop {
            let event = self.events.poll().await.map_err(|error| error.to_string())?;
            if let Event::Incoming(Packet::SubAck(answer)) = event {
                let granted =
                    answer.return_codes.iter().all(|code| matches!(code, rumqttc::SubscribeReasonCode::Success(_)));
                return if granted { Ok(()) } else { Err("refused".to_owned()) };
            }
        }
    }

    pub async fn wait_for(&mut self, wanted: impl Fn(&Packet) -> bool) -> Result<(), String> {
        loop {
            match self.events.poll().await.map_err(|error| error.to_string())? {
                Event::Incoming(packet) if wanted(&packet) => return Ok(()),
                _ => {}
            }
        }
    }
}

/// A websocket to `/ws`.
pub struct Live(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Live {
    pub async fn connect(url: &str, token: &str) -> Self {
        Self::shake_hands(url, "authorization", &format!("Bearer {token}")).await.unwrap()
    }

    /// With that header; the status of a refusal.
    pub async fn shake_hands(url: &str, header: &'static str, value: &str) -> Result<Self, u16> {
        let mut request = format!("{}/ws", url.replace("http://", "ws://")).into_client_request().unwrap();
        request.headers_mut().insert(header, value.parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Follows the topic and returns its snapshot.
    pub async fn subscribe(&mut self, topic: &str) -> Value {
        self.send(&json!({ "op": "subscribe", "topics": [topic] })).await;
        self.next_where(|message| message["topic"] == topic && message["op"] != "event").await
    }

    pub async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn next_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.next_within(PATIENCE, wanted).await
    }

    pub async fn next_within(&mut self, patience: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let message: Value = serde_json::from_str(&text).unwrap();
                        if wanted(&message) {
                            return message;
                        }
                    }
                    Some(Ok(_)) => {}
                    other => panic!("the websocket ended: {other:?}"),
                }
            }
        };
        tokio::time::timeout(patience, search).await.expect("the message did not come")
    }

    /// The close code, when the server ends the connection.
    pub async fn closed(&mut self) -> u16 {
        let search = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                    Some(Ok(_)) => {}
                    _ => return 0,
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("the websocket stayed open")
    }
}

/// Waits until the condition holds.
pub async fn eventually<F, Fut>(what: &str, mut condition: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
