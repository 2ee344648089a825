//! An MQTT client that does exactly what the test says, also what no proper client would.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Long enough for a loaded machine; a test that waits for it has failed.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}

pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const PUBREC: u8 = 5;
pub const PUBCOMP: u8 = 7;
pub const SUBACK: u8 = 9;
pub const PINGRESP: u8 = 13;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub kind: u8,
    pub flags: u8,
    pub body: Vec<u8>,
}

/// A CONNECT, to be changed before it is sent.
#[derive(Clone)]
pub struct Connect {
    pub level: u8,
    pub client_id: String,
    pub user_name: Option<String>,
    pub password: Option<String>,
    pub clean: bool,
    pub will: Option<(String, Vec<u8>, u8, bool)>,
    /// MQTT 5: seconds.
    pub session_expiry: u32,
}

impl Connect {
    pub fn v4(id: &str, password: &str) -> Self {
        Self {
            level: 4,
            client_id: id.to_owned(),
            user_name: Some(id.to_owned()),
            password: Some(password.to_owned()),
            clean: true,
            will: None,
            session_expiry: 0,
        }
    }

    pub fn v5(id: &str, password: &str) -> Self {
        Self { level: 5, ..Self::v4(id, password) }
    }

    pub fn with_will(mut self, topic: &str, payload: &str) -> Self {
        self.will = Some((topic.to_owned(), payload.as_bytes().to_vec(), 1, false));
        self
    }

    pub fn keeping_session(mut self) -> Self {
        self.clean = false;
        self.session_expiry = 3_600;
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut flags = u8::from(self.clean) << 1;
        if let Some((_, _, qos, retain)) = &self.will {
            flags |= 1 << 2 | qos << 3 | u8::from(*retain) << 5;
        }
        flags |= u8::from(self.password.is_some()) << 6 | u8::from(self.user_name.is_some()) << 7;
        let mut body = Vec::new();
        string(&mut body, "MQTT");
        body.extend([self.level, flags, 0, 60]);
        if self.level == 5 {
            body.extend([5, 17]);
            body.extend(self.session_expiry.to_be_bytes());
        }
        string(&mut body, &self.client_id);
        if let Some((topic, payload, ..)) = &self.will {
            if self.level == 5 {
                body.push(0);
            }
            string(&mut body, topic);
            binary(&mut body, payload);
        }
        if let Some(user_name) = &self.user_name {
            string(&mut body, user_name);
        }
        if let Some(password) = &self.password {
            string(&mut body, password);
        }
        packet(0x10, &body)
    }
}

pub fn string(into: &mut Vec<u8>, text: &str) {
    binary(into, text.as_bytes());
}

fn binary(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
    into.extend(bytes);
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let low = u8::try_from(left % 128).unwrap();
        left /= 128;
        bytes.push(if left > 0 { low | 128 } else { low });
        if left == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

pub struct Raw<S = TcpStream> {
    pub stream: S,
    level: u8,
}

impl Raw {
    pub async fn open(addr: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// Connects and is accepted.
    pub async fn connect(addr: std::net::SocketAddr, connect: &Connect) -> Self {
        let mut raw = Self::open(addr).await;
        let answer = raw.try_connect(connect).await;
        assert_eq!(answer.map(|(code, _)| code), Some(0), "connection refused");
        raw
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub fn over(stream: S) -> Self {
        Self { stream, level: 4 }
    }

    /// The CONNACK's code and whether a session was present; `None` when the broker hung up instead.
    pub async fn try_connect(&mut self, connect: &Connect) -> Option<(u8, bool)> {
        self.level = connect.level;
        self.send(&connect.encode()).await;
        let answer = self.next().await?;
        assert_eq!(answer.kind, CONNACK);
        Some((answer.body[1], answer.body[0] & 1 == 1))
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next packet, `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Packet> {
        within("a packet", self.read()).await
    }

    async fn read(&mut self) -> Option<Packet> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte & 128 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Packet { kind: first >> 4, flags: first & 15, body })
    }

    pub async fn expect(&mut self, kind: u8) -> Packet {
        let packet = self.next().await.unwrap_or_else(|| panic!("connection ended, packet {kind} expected"));
        assert_eq!(packet.kind, kind, "{packet:?}");
        packet
    }

    /// The broker ends the connection, perhaps after a DISCONNECT, and acknowledges nothing before.
    pub async fn expect_end(&mut self) {
        while let Some(packet) = self.next().await {
            assert_eq!(packet.kind, 14, "only a DISCONNECT may come before the end: {packet:?}");
        }
    }

    /// Nothing comes for a while. A check for an absence cannot be made without waiting.
    pub async fn expect_silence(&mut self) {
        let came = tokio::time::timeout(Duration::from_millis(200), self.read()).await;
        assert!(came.is_err(), "nothing expected: {came:?}");
    }

    pub fn publish_bytes(&self, topic: &str, payload: &[u8], qos: u8, id: u16, retain: bool) -> Vec<u8> {
        let mut body = Vec::new();
        string(&mut body, topic);
        if qos > 0 {
            body.extend(id.to_be_bytes());
        }
        if self.level == 5 {
            body.push(0);
        }
        body.extend(payload);
        packet(0x30 | qos << 1 | u8::from(retain), &body)
    }

    pub async fn publish(&mut self, topic: &str, payload: &str, qos: u8, id: u16) {
        let bytes = self.publish_bytes(topic, payload.as_bytes(), qos, id, false);
        self.send(&bytes).await;
    }

    /// The code in the SUBACK.
    pub async fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        let mut body = vec![0, 9];
        if self.level == 5 {
            body.push(0);
        }
        string(&mut body, filter);
        body.push(qos);
        self.send(&packet(0x82, &body)).await;
        *self.expect(SUBACK).await.body.last().unwrap()
    }

    pub async fn pubrel(&mut self, id: u16) {
        self.send(&packet(0x62, &id.to_be_bytes())).await;
    }

    pub async fn puback(&mut self, id: u16) {
        self.send(&packet(0x40, &id.to_be_bytes())).await;
    }

    pub async fn ping(&mut self) {
        self.send(&[0xC0, 0]).await;
        self.expect(PINGRESP).await;
    }

    pub async fn disconnect(mut self) {
        self.send(&[0xE0, 0]).await;
        // The broker closes when it has understood.
        while self.next().await.is_some() {}
    }

    /// Topic, packet id (0 for QoS 0) and payload of the next packet, which is a PUBLISH.
    pub async fn message(&mut self) -> Message {
        let packet = self.expect(PUBLISH).await;
        let topic_end = 2 + usize::from(u16::from_be_bytes([packet.body[0], packet.body[1]]));
        let topic = String::from_utf8(packet.body[2..topic_end].to_vec()).unwrap();
        let qos = packet.flags >> 1 & 3;
        let mut rest = &packet.body[topic_end..];
        let mut id = 0;
        if qos > 0 {
            id = u16::from_be_bytes([rest[0], rest[1]]);
            rest = &rest[2..];
        }
        if self.level == 5 {
            assert!(rest[0] < 128, "property length in one byte");
            rest = &rest[1 + usize::from(rest[0])..];
        }
        Message { topic, id, qos, retain: packet.flags & 1 == 1, payload: String::from_utf8_lossy(rest).into_owned() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub id: u16,
    pub qos: u8,
    pub retain: bool,
    pub payload: String,
}
