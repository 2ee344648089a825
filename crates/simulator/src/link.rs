//! One device's MQTT connection: keeps it up, tells what happened to each packet, can be cut as if the power failed.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS,
};
use tokio::sync::{mpsc, oneshot};

/// What happened on the connection.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    Up,
    /// Lost. The link stays quiet until it is told (by dropping or sending) that the loss has been noted, so that
    /// nothing meant for the old connection goes out on the new one.
    Down(oneshot::Sender<()>),
    Numbered(u16),
    Acknowledged(u16),
    /// Something for the device: topic and payload.
    Message(String, Bytes),
    /// The broker does not know these credentials (any more).
    Refused,
}

pub(crate) struct Link {
    pub client: AsyncClient,
    pub events: mpsc::Receiver<LinkEvent>,
    /// Cuts the connection without a good-bye for that long.
    pub cuts: mpsc::Sender<Duration>,
    task: tokio::task::JoinHandle<()>,
}

/// Where and as whom to connect.
pub(crate) struct LinkOptions {
    pub host: String,
    pub port: u16,
    pub device: String,
    pub api_key: String,
    pub will_topic: String,
    pub will: Vec<u8>,
}

impl Link {
    pub fn open(options: LinkOptions) -> Self {
        let mut mqtt = MqttOptions::new(&options.device, options.host, options.port);
        mqtt.set_credentials(&options.device, options.api_key);
        mqtt.set_keep_alive(Duration::from_secs(20));
        mqtt.set_clean_session(true);
        mqtt.set_max_packet_size(1024 * 1024, 1024 * 1024);
        mqtt.set_last_will(LastWill::new(options.will_topic, options.will, QoS::AtLeastOnce, false));
        // Room for everything one device may have under way, and its good-bye.
        let (client, eventloop) = AsyncClient::new(mqtt, 64);
        let (events_in, events) = mpsc::channel(64);
        let (cuts, cuts_out) = mpsc::channel(1);
        let task = tokio::spawn(drive(eventloop, events_in, cuts_out));
        Self { client, events, cuts, task }
    }

    /// Says good-bye and waits until the connection is closed.
    pub async fn close(mut self) {
        let _ = self.client.try_disconnect();
        self.events.close();
        if tokio::time::timeout(Duration::from_secs(1), &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn drive(mut eventloop: EventLoop, events: mpsc::Sender<LinkEvent>, mut cuts: mpsc::Receiver<Duration>) {
    const SHORTEST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(15);
    let mut pause = SHORTEST;
    loop {
        let away = tokio::select! {
            biased;
            cut = cuts.recv() => match cut {
                Some(outage) => outage,
                None => return,
            },
            polled = eventloop.poll() => {
                let event = match polled {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        pause = SHORTEST;
                        LinkEvent::Up
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => LinkEvent::Message(publish.topic, publish.payload),
                    Ok(Event::Incoming(Packet::PubAck(ack))) => LinkEvent::Acknowledged(ack.pkid),
                    Ok(Event::Outgoing(Outgoing::Publish(packet))) => LinkEvent::Numbered(packet),
                    Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
                    Ok(_) => continue,
                    Err(ConnectionError::ConnectionRefused(
                        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
                    )) => {
                        let _ = events.send(LinkEvent::Refused).await;
                        return;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "simulated device lost its connection");
                        let now = pause;
                        pause = (pause * 2).min(LONGEST);
                        if !go_down(&mut eventloop, &events, now).await {
                            return;
                        }
                        continue;
                    }
                };
                // Nobody listens any more while the link is being closed; its good-bye must still go out.
                let _ = events.send(event).await;
                continue;
            }
        };
        if !go_down(&mut eventloop, &events, away).await {
            return;
        }
    }
}

/// Drops the connection, waits until the device knows, forgets what was queued for the old one, stays away.
async fn go_down(eventloop: &mut EventLoop, events: &mpsc::Sender<LinkEvent>, away: Duration) -> bool {
    eventloop.clean();
    let (noted, waits) = oneshot::channel();
    if events.send(LinkEvent::Down(noted)).await.is_err() {
        return false;
    }
    let _ = waits.await;
    tokio::time::sleep(away).await;
    eventloop.clean();
    eventloop.pending.clear();
    true
}
