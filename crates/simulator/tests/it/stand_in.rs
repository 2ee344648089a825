//! The least of a broker and of a REST server: takes every device, acknowledges what it is told to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, Packet, PubAck, Publish, SubAck, SubscribeReasonCode};
use rumqttc::{ConnectReturnCode, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::car_parks::CarParks;

#[derive(Default)]
pub struct Heard {
    pub connects: Mutex<Vec<Connect>>,
    /// By topic, in the order they came.
    pub messages: Mutex<BTreeMap<String, Vec<serde_json::Value>>>,
    pub unreadable: AtomicU32,
    pub disconnects: AtomicU32,
    pub registered: AtomicU32,
    pub rotated: AtomicU32,
    /// Devices whose first key the broker does not know.
    pub refuse_first_keys: AtomicBool,
    /// Lots and what belongs to them, as they were made.
    pub car_parks: Mutex<CarParks>,
    /// After so many messages the next connection is dropped without acknowledging.
    pub drop_after: AtomicU32,
}

pub struct StandIn {
    pub http: String,
    pub mqtt: String,
    pub heard: Arc<Heard>,
}

impl StandIn {
    pub async fn start() -> Self {
        let heard = Arc::new(Heard::default());
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mqtt = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = (http.local_addr().unwrap(), mqtt.local_addr().unwrap());
        tokio::spawn(accept(http, heard.clone(), |stream, heard| async move { rest(stream, heard).await }));
        tokio::spawn(accept(mqtt, heard.clone(), |stream, heard| async move { broker(stream, heard).await }));
        Self { http: format!("http://{}", addresses.0), mqtt: addresses.1.to_string(), heard }
    }

    pub fn messages(&self, topic_end: &str) -> Vec<serde_json::Value> {
        let messages = self.heard.messages.lock().unwrap();
        messages
            .iter()
            .filter(|(topic, _)| topic.ends_with(topic_end))
            .flat_map(|(_, messages)| messages.clone())
            .collect()
    }

    /// Waits until `condition` holds.
    pub async fn until(&self, what: &str, mut condition: impl FnMut(&Heard) -> bool) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        while !condition(&self.heard) {
            assert!(tokio::time::Instant::now() < deadline, "not within 20 s: {what}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

async fn accept<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    heard: Arc<Heard>,
    serve: impl Fn(TcpStream, Arc<Heard>) -> F,
) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, heard.clone()));
    }
}

async fn rest(mut stream: TcpStream, heard: Arc<Heard>) {
    let mut input = Vec::new();
    loop {
        let end = loop {
            if let Some(head) = input.windows(4).position(|window| window == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&input[..head]).to_ascii_lowercase();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                let end = head + 4 + length.unwrap_or(0);
                if input.len() >= end {
                    break end;
                }
            }
            if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let request = String::from_utf8_lossy(&input[..end]).into_owned();
        input.drain(..end);
        let (status, body) = answer(&request, &heard);
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(response.as_bytes()).await.unwrap();
    }
}

fn answer(request: &str, heard: &Heard) -> (&'static str, String) {
    let path = request.split_whitespace().nth(1).unwrap();
    let id = |number: u32| format!("{number:032x}");
    if path == "/api/v1/auth/login" {
        return ("200 OK", r#"{"access_token":"t"}"#.to_owned());
    }
    if !request.to_ascii_lowercase().contains("authorization: bearer t\r\n") {
        return ("401 Unauthorized", r#"{"error":"who?"}"#.to_owned());
    }
    if path == "/api/v1/devices/register" {
        if heard.registered.load(Ordering::Relaxed) > 0 && heard.refuse_first_keys.load(Ordering::Relaxed) {
            return ("409 Conflict", r#"{"error":"already there"}"#.to_owned());
        }
        let number = heard.registered.fetch_add(1, Ordering::Relaxed) + 1;
        return ("201 Created", format!(r#"{{"device":{{"id":"{}"}},"api_key":"first"}}"#, id(number)));
    }
    if let Some(search) = path.strip_prefix("/api/v1/devices?search=") {
        let hardware_id = search.split('&').next().unwrap();
        return ("200 OK", format!(r#"{{"items":[{{"id":"{}","hardware_id":"{hardware_id}"}}],"next":null}}"#, id(1)));
    }
    if path.ends_with("/key") {
        heard.rotated.fetch_add(1, Ordering::Relaxed);
        return ("200 OK", format!(r#"{{"device_id":"{}","api_key":"second"}}"#, id(1)));
    }
    let body = request.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
    let messages = heard.messages.lock().unwrap();
    let events = messages.iter().filter(|(topic, _)| topic.ends_with("/event")).flat_map(|(_, events)| events);
    let method = request.split_whitespace().next().unwrap();
    match heard.car_parks.lock().unwrap().answer(method, path, body.unwrap_or_default(), events) {
        Some(answer) => ("200 OK", answer.to_string()),
        None => ("404 Not Found", "{}".to_owned()),
    }
}

async fn broker(mut stream: TcpStream, heard: Arc<Heard>) {
    let mut input = BytesMut::new();
    loop {
        while let Ok(packet) = Packet::read(&mut input, 1 << 20) {
            let mut output = BytesMut::new();
            match packet {
                Packet::Connect(connect) => {
                    let first = connect.login.as_ref().is_some_and(|login| login.password == "first");
                    let refused = first && heard.refuse_first_keys.load(Ordering::Relaxed);
                    let code =
                        if refused { ConnectReturnCode::BadUserNamePassword } else { ConnectReturnCode::Success };
                    heard.connects.lock().unwrap().push(connect);
                    Packet::ConnAck(ConnAck::new(code, false)).write(&mut output, 100).unwrap();
                }
                Packet::Publish(publish) => {
                    if heard.drop_after.load(Ordering::Relaxed) == 1 {
                        heard.drop_after.store(0, Ordering::Relaxed);
                        return;
                    }
                    heard.drop_after.update(Ordering::Relaxed, Ordering::Relaxed, |left| left.saturating_sub(1));
                    keep(&publish, &heard);
                    if publish.qos == QoS::AtLeastOnce {
                        Packet::PubAck(PubAck::new(publish.pkid)).write(&mut output, 100).unwrap();
                    }
                }
                Packet::Subscribe(subscribe) => {
                    let granted = subscribe.filters.iter().map(|_| SubscribeReasonCode::Success(QoS::AtLeastOnce));
                    Packet::SubAck(SubAck::new(subscribe.pkid, granted.collect())).write(&mut output, 100).unwrap();
                }
                Packet::PingReq => {
                    Packet::PingResp.write(&mut output, 100).unwrap();
                }
                Packet::Disconnect => {
                    heard.disconnects.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                other => panic!("a device sent {other:?}"),
            }
            if stream.write_all(&output).await.is_err() {
                return;
            }
        }
        if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

fn keep(publish: &Publish, heard: &Heard) {
    match serde_json::from_slice(&publish.payload) {
        Ok(value) => heard.messages.lock().unwrap().entry(publish.topic.clone()).or_default().push(value),
        Err(_) => {
            heard.unreadable.fetch_add(1, Ordering::Relaxed);
        }
    }
}
