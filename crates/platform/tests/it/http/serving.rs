//! Listening, TLS, and the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portico_platform::http::{self, Tls};
use portico_platform::testing::eventually;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::stand::{Stand, within};

/// A route that is under way until the gate opens.
fn gated() -> (Router, watch::Sender<bool>, watch::Receiver<bool>) {
    let (gate, begun) = (watch::Sender::new(false), watch::Sender::new(false));
    let (open, has_begun) = (gate.clone(), begun.subscribe());
    let wait = async move || {
        begun.send_replace(true);
        open.subscribe().wait_for(|open| *open).await.unwrap();
        "done"
    };
    (Router::new().route("/wait", get(wait)).route("/quick", get(async || "quick")), gate, has_begun)
}

#[tokio::test]
async fn request_under_way_is_finished_and_new_ones_are_refused() {
    let (routes, gate, mut begun) = gated();
    let stand = Stand::start(routes).await;
    let under_way = tokio::spawn(stand.get("/wait").send());
    begun.wait_for(|begun| *begun).await.unwrap();
    let address = stand.address;
    let stopping = tokio::spawn(stand.stop());
    eventually("the port is closed", async || TcpStream::connect(address).await.is_err()).await;
    gate.send_replace(true);
    assert_eq!(under_way.await.unwrap().unwrap().text().await.unwrap(), "done");
    assert!(stopping.await.unwrap() < Duration::from_secs(5));
}

#[tokio::test]
async fn request_without_end_does_not_outlast_the_deadline() {
    let (routes, _gate, mut begun) = gated();
    let stand = Stand::with(routes, |config| config.http.shutdown_ms = 200).await;
    let under_way = tokio::spawn(stand.get("/wait").send());
    begun.wait_for(|begun| *begun).await.unwrap();
    assert!(stand.stop().await < Duration::from_secs(5));
    assert!(under_way.await.unwrap().is_err());
}

#[tokio::test]
async fn taken_port_is_told_with_the_option_that_changes_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = http::listen(taken.local_addr().unwrap(), None).await.err().unwrap();
    assert!(error.message().contains("--http-addr"), "{error}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let (routes, _, _) = gated();
    let stand = Stand::with(routes, |config| config.http.max_connections = 2).await;
    let held = [TcpStream::connect(stand.address).await.unwrap(), TcpStream::connect(stand.address).await.unwrap()];
    eventually("the third is closed", async || {
        let mut third = TcpStream::connect(stand.address).await.unwrap();
        let mut byte = [0];
        let read = third.read(&mut byte);
        matches!(tokio::time::timeout(Duration::from_millis(200), read).await, Ok(Ok(0) | Err(_)))
    })
    .await;
    drop(held);
    eventually("there is room again", async || stand.get("/quick").send().await.is_ok()).await;
}

#[tokio::test]
async fn client_that_sends_its_head_too_slowly_is_closed() {
    let (routes, _, _) = gated();
    let stand = Stand::with(routes, |config| config.http.header_timeout_ms = 200).await;
    let mut slow = TcpStream::connect(stand.address).await.unwrap();
    slow.write_all(b"GET /quick HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = within("the server closes", slow.read_to_end(&mut rest)).await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
}

fn certificate(name: &str, kind: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/http/{name}.{kind}.pem"))
}

/// The answer to a request over TLS, when the server shows this certificate.
async fn ask_over_tls(address: std::net::SocketAddr, trusted: &str) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate(trusted, "cert")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    stream.write_all(b"GET /quick HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Some(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let files = Tls { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    let put = |name: &str| {
        std::fs::copy(certificate(name, "cert"), &files.cert).unwrap();
        std::fs::copy(certificate(name, "key"), &files.key).unwrap();
    };
    put("first");
    let (_data, platform) = super::stand::platform(|config| {
        config.http.tls_cert = Some(files.cert.clone());
        config.http.tls_key = Some(files.key.clone());
    })
    .await;
    let listening = http::listen("127.0.0.1:0".parse().unwrap(), Some(files.clone())).await.unwrap();
    let (address, cancel) = (listening.address(), CancellationToken::new());
    let metrics = http::Metrics::install(None).unwrap();
    let router = http::wrap(gated().0, &platform, metrics);
    let listening = listening.reload_every(Duration::from_millis(20));
    let serving = tokio::spawn(listening.serve(router, cancel.clone(), Duration::from_secs(5)));

    let answer = ask_over_tls(address, "first").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    assert_eq!(ask_over_tls(address, "second").await, None);
    std::fs::write(&files.cert, "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(ask_over_tls(address, "first").await.is_some(), "the old one stays in use");
    put("second");
    eventually("the renewed one is shown", async || ask_over_tls(address, "second").await.is_some()).await;
    cancel.cancel();
    within("the server ends", serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn unusable_certificate_is_named_at_the_start() {
    let missing = Tls { cert: "/nonexistent/cert.pem".into(), key: certificate("first", "key") };
    let error = http::listen("127.0.0.1:0".parse().unwrap(), Some(missing)).await.err().unwrap();
    assert_eq!(error.field_errors()[0].field, "http.tls_cert");
    let mixed = Tls { cert: certificate("first", "cert"), key: certificate("second", "key") };
    let error = http::listen("127.0.0.1:0".parse().unwrap(), Some(mixed)).await.err().unwrap();
    assert_eq!(error.field_errors()[0].field, "http.tls_key");
}
