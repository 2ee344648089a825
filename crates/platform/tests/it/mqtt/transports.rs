//! The same broker over WebSocket and TLS.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::{Sink, Stream};
use portico_platform::mqtt::{MqttConfig, MqttLimits};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::raw::{Connect, PUBACK, Raw, within};
use super::stand::{Stand, device, key_of, topic};

fn config() -> MqttConfig {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mqtt");
    MqttConfig {
        tls_addr: Some("127.0.0.1:0".parse().unwrap()),
        tls_cert: Some(dir.join("localhost.cert.pem")),
        tls_key: Some(dir.join("localhost.key.pem")),
        websocket_addr: Some("127.0.0.1:0".parse().unwrap()),
        websocket_origins: vec!["https://portico.example".to_owned()],
        limits: MqttLimits { connect_timeout_ms: 2_000, ..MqttLimits::default() },
        ..MqttConfig::default()
    }
}

#[tokio::test]
async fn device_publishes_over_tls() {
    let mut stand = Stand::with(config()).await;
    let mut roots = rustls::RootCertStore::empty();
    let cert = CertificateDer::from_pem_file(config().tls_cert.unwrap()).unwrap();
    roots.add(cert).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(stand.broker.addresses().tls.unwrap()).await.unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(client))
        .connect(ServerName::try_from("localhost").unwrap(), socket)
        .await
        .unwrap();
    publishes(&mut stand, Raw::over(stream)).await;
}

async fn publishes<S: AsyncRead + AsyncWrite + Unpin>(stand: &mut Stand, mut raw: Raw<S>) {
    let id = device();
    assert_eq!(raw.try_connect(&Connect::v4(&id, &key_of(&id))).await, Some((0, false)));
    // Larger than any buffer on the way.
    let payload = "x".repeat(300_000);
    raw.publish(&topic(&id, "telemetry"), &payload, 1, 1).await;
    raw.expect(PUBACK).await;
    assert_eq!(stand.seen.stored().await.payload.len(), payload.len());
    stand.broker.disconnect_client(&id);
    raw.expect_end().await;
}

async fn open_websocket(
    stand: &Stand,
    path: &str,
    headers: &[(&'static str, &'static str)],
) -> Result<WebSocketStream<TcpStream>, Error> {
    let addr = stand.broker.addresses().websocket.unwrap();
    let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let socket = TcpStream::connect(addr).await.unwrap();
    tokio_tungstenite::client_async(request, socket).await.map(|(stream, _)| stream)
}

const MQTT: (&str, &str) = ("sec-websocket-protocol", "mqtt");

#[tokio::test]
async fn device_publishes_over_websocket() {
    let mut stand = Stand::with(config()).await;
    for headers in [vec![MQTT], vec![MQTT, ("origin", "https://portico.example")]] {
        let stream = open_websocket(&stand, "/mqtt", &headers).await.unwrap();
        publishes(&mut stand, Raw::over(Bytewise::new(stream))).await;
    }
}

#[tokio::test]
async fn websocket_of_a_foreign_page_or_of_another_protocol_is_refused() {
    let stand = Stand::with(config()).await;
    for (path, headers, status) in [
        ("/mqtt", vec![MQTT, ("origin", "https://evil.example")], 403),
        ("/mqtt", vec![MQTT, ("origin", "null")], 403),
        ("/other", vec![MQTT], 404),
        ("/mqtt", vec![("sec-websocket-protocol", "chat")], 400),
        ("/mqtt", vec![], 400),
    ] {
        match open_websocket(&stand, path, &headers).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), status, "{path} {headers:?}"),
            other => panic!("{path} {headers:?}: {:?}", other.map(|_| ())),
        }
    }
}

#[tokio::test]
async fn silent_client_does_not_hold_up_tls_or_websocket() {
    let mut stand = Stand::with(config()).await;
    let addresses = stand.broker.addresses();
    let mut silent = Vec::new();
    for addr in [addresses.tls.unwrap(), addresses.websocket.unwrap()] {
        silent.push(Raw::over(TcpStream::connect(addr).await.unwrap()));
    }
    let started = Instant::now();
    let stream = open_websocket(&stand, "/mqtt", &[MQTT]).await.unwrap();
    publishes(&mut stand, Raw::over(Bytewise::new(stream))).await;
    assert!(started.elapsed() < Duration::from_millis(2_000), "held up");
    for raw in &mut silent {
        assert!(raw.next().await.is_none());
    }
}

/// A frame of 1 MB that never ends is not collected before the client has authenticated.
#[tokio::test]
async fn half_sent_frame_is_hung_up_on() {
    use tokio::io::AsyncWriteExt;

    let stand = Stand::with(config()).await;
    let mut stream = open_websocket(&stand, "/mqtt", &[MQTT]).await.unwrap();
    // Final binary frame, masked, 64-bit length.
    let socket = stream.get_mut();
    socket.write_all(&[0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4]).await.unwrap();
    within("the end", async { while socket.write_all(&[0; 4_096]).await.is_ok() {} }).await;
}

#[tokio::test]
async fn missing_certificate_is_told_with_its_setting() {
    let config = MqttConfig { addr: "127.0.0.1:0".parse().unwrap(), tls_cert: Some("/nowhere.pem".into()), ..config() };
    let (handler, _seen) = super::stand::Recorder::new();
    let options = portico_platform::mqtt::BrokerOptions {
        config,
        storage: None,
        server: portico_platform::mqtt::ServerCredentials::generate(),
        clock: portico_platform::Clock::system(),
        authenticator: Arc::new(super::stand::Keys::default()),
        handler,
    };
    let error = portico_platform::mqtt::broker::start(options).await.err().unwrap();
    assert_eq!(error.field_errors()[0].field, "mqtt.tls_cert");
}

/// Bytes over binary frames.
struct Bytewise {
    inner: WebSocketStream<TcpStream>,
    rest: bytes::Bytes,
}

impl Bytewise {
    fn new(inner: WebSocketStream<TcpStream>) -> Self {
        Self { inner, rest: bytes::Bytes::new() }
    }
}

impl AsyncRead for Bytewise {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        while self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Ok(())),
            }
        }
        let part = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(part));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bytewise {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        std::task::ready!(Pin::new(&mut self.inner).poll_ready(cx)).map_err(std::io::Error::other)?;
        // In small frames, so that a packet is spread over several.
        let part = &buf[..buf.len().min(50_000)];
        Pin::new(&mut self.inner)
            .start_send(Message::Binary(bytes::Bytes::copy_from_slice(part)))
            .map_err(std::io::Error::other)?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(std::io::Error::other)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx).map_err(std::io::Error::other)
    }
}
