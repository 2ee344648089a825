//! A publisher that costs little: rumqttc's packets over a plain socket, many packets to a write. (rumqttc's own client
//! flushes more often and takes a task and two channels a device, which on a shared machine would measure the client.)

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use rumqttc::{ConnectReturnCode, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::measure::Latencies;
use crate::server::TestDevice;

const MAX_PACKET: usize = 1024 * 1024;
/// An acknowledgement that takes longer is a failure of the run, not a slow message.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Publisher {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    topic: String,
    next_packet: u16,
    under_way: std::collections::HashMap<u16, Instant>,
}

/// What a publisher has done.
#[derive(Default)]
pub struct Published {
    pub messages: u64,
    pub acknowledgements: Latencies,
}

impl Publisher {
    pub async fn connect(addr: &str, device: &TestDevice) -> Result<Self> {
        let stream = TcpStream::connect(addr).await.context("connecting to the broker")?;
        stream.set_nodelay(true)?;
        let id = device.id.to_string();
        let mut connect = Connect::new(&id);
        connect.keep_alive = 60;
        connect.set_login(&id, &device.api_key);
        let mut publisher = Self {
            stream,
            input: BytesMut::with_capacity(4096),
            output: BytesMut::with_capacity(64 * 1024),
            topic: format!("devices/{id}/telemetry"),
            next_packet: 0,
            under_way: std::collections::HashMap::new(),
        };
        Packet::Connect(connect).write(&mut publisher.output, MAX_PACKET).map_err(anyhow::Error::msg)?;
        publisher.flush().await?;
        match publisher.receive().await? {
            Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => Ok(publisher),
            other => bail!("the broker answered {other:?}"),
        }
    }

    /// Publishes below another topic of the device than its telemetry.
    pub fn below(mut self, leaf: &str) -> Self {
        if let Some((device, _)) = self.topic.rsplit_once('/') {
            self.topic = format!("{device}/{leaf}");
        }
        self
    }

    /// Publishes what `next` gives, at most `window` messages unacknowledged, until it gives nothing; returns when all
    /// are acknowledged.
    pub async fn flood(&mut self, window: usize, mut next: impl FnMut() -> Option<Vec<u8>>) -> Result<Published> {
        let mut published = Published::default();
        let mut more = true;
        while more || !self.under_way.is_empty() {
            while more && self.under_way.len() < window {
                match next() {
                    Some(payload) => {
                        self.enqueue(payload)?;
                        published.messages += 1;
                    }
                    None => more = false,
                }
            }
            self.flush().await?;
            if !self.under_way.is_empty() {
                self.acknowledge(&mut published.acknowledgements).await?;
            }
        }
        Ok(published)
    }

    /// Sends one message and waits until it is acknowledged.
    pub async fn send(&mut self, payload: Vec<u8>) -> Result<Published> {
        let mut payload = Some(payload);
        self.flood(1, move || payload.take()).await
    }

    fn enqueue(&mut self, payload: Vec<u8>) -> Result<()> {
        self.next_packet = self.next_packet.checked_add(1).unwrap_or(1);
        let mut publish = Publish::new(&self.topic, QoS::AtLeastOnce, payload);
        publish.pkid = self.next_packet;
        Packet::Publish(publish).write(&mut self.output, MAX_PACKET).map_err(anyhow::Error::msg)?;
        self.under_way.insert(self.next_packet, Instant::now());
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
        }
        Ok(())
    }

    /// Takes every acknowledgement that has arrived, waiting for the first.
    async fn acknowledge(&mut self, latencies: &mut Latencies) -> Result<()> {
        let mut packet = Some(self.receive().await?);
        while let Some(received) = packet {
            if let Packet::PubAck(ack) = received
                && let Some(sent) = self.under_way.remove(&ack.pkid)
            {
                latencies.add(sent.elapsed());
            }
            packet = self.buffered()?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<Packet> {
        loop {
            if let Some(packet) = self.buffered()? {
                return Ok(packet);
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            if read.context("no acknowledgement within 30 s")?? == 0 {
                bail!("the broker closed the connection");
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Packet>> {
        match Packet::read(&mut self.input, MAX_PACKET) {
            Ok(packet) => Ok(Some(packet)),
            Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
            Err(error) => bail!("unreadable packet from the broker: {error:?}"),
        }
    }
}
