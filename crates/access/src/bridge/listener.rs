//! The bridge's own MQTT 3.1.1 listener: so much of a broker as the older firmware uses, and nothing that it does not.
//! Nothing is retained: a dead lock does not look alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use portico_platform::secrets::keyed_hash;
use portico_platform::{Error, Result};
use rumqttc::ConnectReturnCode;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, Packet, PubAck, Publish, SubAck, SubscribeReasonCode};
use rumqttc::mqttbytes::{Error as Malformed, QoS};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Shared, words};
use crate::Access;

/// Most devices at a time: each parking sensor is one.
const MAX_CONNECTIONS: usize = 2_048;

/// Longest packet, bytes: four times what the firmware can send.
const MAX_PACKET: usize = 1_024;

/// How long one who connects may take to say who it is.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// Most messages of a connection in a second; a lock sends one in nine seconds.
const MAX_PER_SECOND: u32 = 20;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Listens until cancelled.
pub async fn run(access: Access, cancel: &CancellationToken) -> Result<()> {
    let config = &access.0.platform.config.bridge;
    let Some(addr) = config.addr else { return Ok(()) };
    let listener = TcpListener::bind(addr).await.map_err(Error::internal)?;
    let bound = listener.local_addr().map_err(Error::internal)?;
    let _ = access.0.bridge.address.set(bound);
    tracing::warn!(address = %bound, devices = config.devices.len(), "the bridge for older firmware listens: what it brings is not proved");
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the bridge cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
            () = cancel.cancelled() => return Ok(()),
        };
        if access.0.bridge.lines.len() >= MAX_CONNECTIONS {
            metrics::counter!("portico_bridge_refused_total").increment(1);
            continue;
        }
        let (access, cancel) = (access.clone(), cancel.child_token());
        tokio::spawn(async move {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let bridge: Shared = Arc::clone(&access.0.bridge);
            let waits = bridge.lines.open(number);
            let connection = Connection { access, number, stream, input: BytesMut::with_capacity(MAX_PACKET) };
            tokio::select! {
                () = connection.serve(waits) => {}
                () = cancel.cancelled() => {}
            }
            bridge.lines.close(number);
        });
    }
}

struct Connection {
    access: Access,
    number: u64,
    stream: TcpStream,
    input: BytesMut,
}

impl Connection {
    async fn serve(mut self, mut waits: tokio::sync::mpsc::Receiver<super::lines::Line>) {
        let first = tokio::time::timeout(FIRST_WORD, self.packet()).await;
        let Ok(Some(Packet::Connect(connect))) = first else { return };
        let good = self.may(&connect);
        let code = if good { ConnectReturnCode::Success } else { ConnectReturnCode::BadUserNamePassword };
        if !self.write(&Packet::ConnAck(ConnAck::new(code, false))).await || !good {
            return;
        }
        // One and a half times the keep-alive (MQTT 3.1.1, 3.1.2.10); without one, an hour.
        let silence = match connect.keep_alive {
            0 => Duration::from_secs(3_600),
            seconds => Duration::from_millis(u64::from(seconds) * 1_500),
        };
        let mut second = tokio::time::Instant::now();
        let mut messages = 0;
        loop {
            let packet = tokio::select! {
                packet = tokio::time::timeout(silence, self.packet()) => packet,
                Some((topic, payload)) = waits.recv() => {
                    if !self.write(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, payload))).await {
                        return;
                    }
                    continue;
                }
            };
            let Ok(Some(packet)) = packet else { return };
            if second.elapsed() >= Duration::from_secs(1) {
                second = tokio::time::Instant::now();
                messages = 0;
            }
            messages += 1;
            if messages > MAX_PER_SECOND || !self.take(packet).await {
                return;
            }
        }
    }

    /// Whether the connection goes on.
    async fn take(&mut self, packet: Packet) -> bool {
        match packet {
            Packet::PingReq => self.write(&Packet::PingResp).await,
            Packet::Subscribe(subscribe) => {
                let mut codes = Vec::new();
                for filter in &subscribe.filters {
                    let known = words::TO_DEVICES.iter().find(|topic| **topic == filter.path);
                    codes.push(match known {
                        Some(topic) => {
                            self.access.0.bridge.lines.subscribe(self.number, topic);
                            SubscribeReasonCode::Success(QoS::AtMostOnce)
                        }
                        None => SubscribeReasonCode::Failure,
                    });
                }
                self.write(&Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await
            }
            Packet::Publish(publish) => {
                if publish.qos == QoS::ExactlyOnce || !words::is_from_device(&publish.topic) {
                    return false;
                }
                if let Err(error) = self.access.take_bridged(&publish.topic, &publish.payload).await {
                    // As with QoS 0: the next heartbeat comes in a moment.
                    tracing::warn!(%error, topic = publish.topic, "a message over the bridge is lost");
                    return true;
                }
                publish.qos == QoS::AtMostOnce || self.write(&Packet::PubAck(PubAck::new(publish.pkid))).await
            }
            _ => false,
        }
    }

    fn may(&self, connect: &Connect) -> bool {
        let Some(login) = &connect.login else { return false };
        let platform = &self.access.0.platform;
        let Some(logins) = &platform.config.bridge.logins else { return false };
        // Hashes are compared, so that how long it takes tells nothing of the password.
        let key = platform.secrets.derive("bridge logins");
        let hash = |name: &str, password: &str| keyed_hash(&key, &[name.as_bytes(), password.as_bytes()]);
        let given = hash(&login.username, &login.password);
        logins
            .expose_secret()
            .split(',')
            .filter_map(|login| login.trim().split_once(':'))
            .any(|(name, password)| hash(name, password) == given)
    }

    /// The next packet; `None` when the connection has ended or speaks no MQTT.
    async fn packet(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.input, MAX_PACKET) {
                Ok(packet) => return Some(packet),
                Err(Malformed::InsufficientBytes(_)) => {}
                Err(_) => return None,
            }
            if self.input.len() > MAX_PACKET || self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn write(&mut self, packet: &Packet) -> bool {
        let mut output = BytesMut::new();
        packet.write(&mut output, MAX_PACKET).is_ok() && self.stream.write_all(&output).await.is_ok()
    }
}
