//! The client with a real external broker: Mosquitto.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use portico_platform::mqtt::Topics;
use tokio::net::TcpStream;

use super::raw::{Connect, PUBACK, Raw, within};
use super::stand::{Mode, Recorder, RunningClient, Seen, device, topic};

/// A Mosquitto of our own on a free port, with its files in a directory that outlives restarts.
struct Mosquitto {
    process: Child,
    addr: SocketAddr,
    dir: tempfile::TempDir,
}

impl Mosquitto {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nuser {}\n\
             max_inflight_messages 1000\nmax_queued_messages 100000\n",
            addr.port(),
            dir.path().display(),
            // Started as root it would become `mosquitto`, who may not write here.
            std::env::var("USER").unwrap_or_else(|_| "root".to_owned()),
        );
        std::fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
        let process = launch(dir.path());
        let broker = Self { process, addr, dir };
        broker.wait_for().await;
        broker
    }

    async fn wait_for(&self) {
        within("Mosquitto", async {
            while TcpStream::connect(self.addr).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Ends it as an orderly restart does, so that it saves its sessions.
    fn stop(&mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.process.wait().unwrap();
    }

    async fn start_again(&mut self) {
        self.process = launch(self.dir.path());
        self.wait_for().await;
    }

    async fn client(&self, id: &str) -> (RunningClient, Arc<Recorder>, Seen) {
        let (recorder, seen) = Recorder::new();
        let client = RunningClient::start(self.addr, id, None, Topics::default(), Arc::clone(&recorder)).await;
        (client, recorder, seen)
    }

    async fn device(&self, id: &str) -> Raw {
        Raw::connect(self.addr, &Connect::v4(id, "")).await
    }
}

fn launch(dir: &Path) -> Child {
    let binary = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].into_iter().find(|path| Path::new(path).exists());
    let binary = binary.expect("this test needs Mosquitto: `apt-get install mosquitto`, or scripts/setup.sh");
    Command::new(binary)
        .arg("-c")
        .arg(dir.join("mosquitto.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn publish(raw: &mut Raw, id: &str, from: u16, to: u16) {
    for number in from..to {
        raw.publish(&topic(id, "telemetry"), &number.to_string(), 1, number + 1).await;
    }
    for _ in from..to {
        raw.expect(PUBACK).await;
    }
}

fn number(message: &portico_platform::mqtt::Inbound) -> u16 {
    std::str::from_utf8(&message.payload).unwrap().parse().unwrap()
}

#[tokio::test]
async fn messages_wait_in_the_broker_while_the_server_or_its_database_is_away() {
    let broker = Mosquitto::start().await;
    let id = device();
    let mut raw = broker.device(&id).await;
    let (client, recorder, mut seen) = broker.client("portico-1").await;
    publish(&mut raw, &id, 0, 100).await;
    for expected in 0..100 {
        assert_eq!(number(&seen.stored().await), expected);
    }

    // The database is away: nothing is acknowledged. Then the server goes, too.
    recorder.mode.send_replace(Mode::Fail);
    publish(&mut raw, &id, 100, 200).await;
    for _ in 0..100 {
        seen.attempt().await;
    }
    client.stop().await;
    seen.nothing_stored();
    publish(&mut raw, &id, 200, 300).await;

    let (client, _recorder, mut seen) = broker.client("portico-1").await;
    for expected in 100..300 {
        assert_eq!(number(&seen.stored().await), expected);
    }
    // All are acknowledged, so a restart brings nothing.
    client.publish("x", Bytes::new(), 1, false).await.unwrap();
    client.stop().await;
    let (client, _recorder, mut seen) = broker.client("portico-1").await;
    client.publish("x", Bytes::new(), 1, false).await.unwrap();
    seen.nothing_stored();
}

#[tokio::test]
async fn broker_gone_and_back_loses_nothing() {
    let mut broker = Mosquitto::start().await;
    let id = device();
    let (client, recorder, mut seen) = broker.client("portico-1").await;
    recorder.mode.send_replace(Mode::Hold);
    let mut raw = broker.device(&id).await;
    publish(&mut raw, &id, 0, 50).await;
    for _ in 0..50 {
        seen.attempt().await;
    }
    broker.stop();
    client.ready(false).await;
    assert!(client.publish("x", Bytes::new(), 1, false).await.is_err());
    // What is stored only now cannot be acknowledged on the new connection: it comes again.
    recorder.mode.send_replace(Mode::Store);
    for _ in 0..50 {
        assert!(number(&seen.stored().await) < 50);
    }
    broker.start_again().await;
    client.ready(true).await;
    client.publish("x", Bytes::new(), 1, false).await.unwrap();
    let mut raw = broker.device(&id).await;
    publish(&mut raw, &id, 50, 100).await;
    let mut got = std::collections::BTreeSet::new();
    while !got.contains(&99) {
        got.insert(number(&seen.stored().await));
    }
    assert!((50..100).all(|expected| got.contains(&expected)), "{got:?}");
}

#[tokio::test]
async fn device_gets_commands_through_the_external_broker() {
    let broker = Mosquitto::start().await;
    let (client, _recorder, _seen) = broker.client("portico-1").await;
    let id = device();
    let mut raw = broker.device(&id).await;
    assert_eq!(raw.subscribe(&topic(&id, "command"), 1).await, 1);
    client.publish(&topic(&id, "command"), Bytes::from_static(b"open"), 1, false).await.unwrap();
    assert_eq!(raw.message().await.payload, "open");
}

#[tokio::test]
async fn two_servers_share_the_messages() {
    let broker = Mosquitto::start().await;
    let (_first, _, mut seen_first) = broker.client("portico-1").await;
    let (_second, _, mut seen_second) = broker.client("portico-2").await;
    let id = device();
    let mut raw = broker.device(&id).await;
    publish(&mut raw, &id, 0, 200).await;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    while first.len() + second.len() < 200 {
        tokio::select! {
            message = seen_first.stored() => first.push(number(&message)),
            message = seen_second.stored() => second.push(number(&message)),
        }
    }
    assert!(!first.is_empty() && !second.is_empty(), "{} and {}", first.len(), second.len());
    let mut all = [first, second].concat();
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<_>>());
    seen_first.nothing_stored();
    seen_second.nothing_stored();
}
