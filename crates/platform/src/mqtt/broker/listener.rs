//! The accept loops. Each connection is a task of its own from its first byte, so that a silent client holds up nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use mqtt5::broker::transport::BrokerTransport;
use mqtt5::broker::websocket_server::WebSocketStreamWrapper;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::acknowledge::Acknowledging;
use super::connection::Connection;
use super::engine::Shared;
use super::stream::GuardedStream;

/// What is spoken between TCP and MQTT.
#[derive(Clone)]
pub(super) enum Listener {
    Plain,
    Tls(TlsAcceptor),
    WebSocket { origins: Arc<[String]> },
}

/// Accepts until shut down.
pub(super) async fn run(listener: TcpListener, kind: Listener, shared: Arc<Shared>) {
    let mut pause = Duration::from_millis(50);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stopping.cancelled() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                pause = Duration::from_millis(50);
                admit(socket, peer, &kind, &shared);
            }
            Err(error) => {
                // Out of file descriptors, mostly: the next accept would fail at once, so wait for some to be closed.
                tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept MQTT connections");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shared.stopping.cancelled() => return,
                }
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn admit(socket: TcpStream, peer: SocketAddr, kind: &Listener, shared: &Arc<Shared>) {
    let (admission, pending) = match shared.limits.admit(peer.ip()) {
        Ok(places) => places,
        Err(limit) => {
            metrics::counter!("portico_mqtt_connections_refused_total", "limit" => limit).increment(1);
            tracing::debug!(%peer, limit, "MQTT connection refused: limit reached");
            return;
        }
    };
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%peer, %error, "connection was gone before it was served");
        return;
    }
    let connection = Connection::new(peer, pending, Arc::clone(&shared.unacknowledged));
    let deadline = Instant::now() + Duration::from_millis(shared.config.limits.connect_timeout_ms);
    let stream = GuardedStream::new(socket, Arc::clone(&connection), shared.config.limits.max_connect_bytes, deadline);
    let (kind, shared) = (kind.clone(), Arc::clone(shared));
    shared.connections.clone().spawn(async move {
        serve(stream, kind, connection, &shared).await;
        drop(admission);
    });
}

async fn serve(stream: GuardedStream, kind: Listener, connection: Arc<Connection>, shared: &Shared) {
    let peer = connection.peer;
    let transport = tokio::select! {
        // The stream's own deadline ends a handshake that waits for the client to send; this one also a client that
        // does not read.
        transport = tokio::time::timeout(
            Duration::from_millis(shared.config.limits.connect_timeout_ms),
            handshake(stream, kind, &connection, shared),
        ) => transport,
        () = shared.stopping.cancelled() => return,
    };
    match transport {
        Ok(Ok(transport)) => {
            let work = shared.client_handler(transport, peer).run();
            if let Err(error) = connection.scope(work).await {
                tracing::debug!(%peer, %error, "MQTT connection ended");
            }
        }
        Ok(Err(error)) => tracing::debug!(%peer, %error, "MQTT handshake failed"),
        Err(_) => tracing::debug!(%peer, "MQTT handshake took too long"),
    }
}

async fn handshake(
    stream: GuardedStream,
    kind: Listener,
    connection: &Arc<Connection>,
    shared: &Shared,
) -> Result<BrokerTransport, Box<dyn std::error::Error + Send + Sync>> {
    Ok(match kind {
        Listener::Plain => transport(stream, connection, shared),
        Listener::Tls(acceptor) => transport(acceptor.accept(stream).await?, connection, shared),
        Listener::WebSocket { origins } => {
            // A frame may hold several packets or a part of one.
            let most = Some(shared.config.limits.max_packet_bytes);
            let config =
                WebSocketConfig::default().max_message_size(most).max_frame_size(most).read_buffer_size(16 * 1024);
            #[expect(clippy::result_large_err, reason = "the signature is the WebSocket crate's")]
            let answer = |request: &Request, response: Response| upgrade(request, response, &origins);
            let socket = tokio_tungstenite::accept_hdr_async_with_config(stream, answer, Some(config)).await?;
            transport(WebSocketStreamWrapper::new(socket), connection, shared)
        }
    })
}

fn transport<S>(stream: S, connection: &Arc<Connection>, shared: &Shared) -> BrokerTransport
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
{
    // The broker's name for any stream that is not its own.
    BrokerTransport::WebSocket(Box::new(Acknowledging::new(stream, Arc::clone(connection), shared.stopping.clone())))
}

/// MQTT 5.0, section 6: the subprotocol is `mqtt`. A browser names the page's origin, which has to be one of ours.
#[expect(clippy::result_large_err, reason = "the signature is the WebSocket crate's")]
fn upgrade(request: &Request, mut response: Response, origins: &[String]) -> Result<Response, ErrorResponse> {
    let refuse = |status: StatusCode| {
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = status;
        Err(refusal)
    };
    if request.uri().path() != "/mqtt" {
        return refuse(StatusCode::NOT_FOUND);
    }
    let is_foreign =
        |origin: &HeaderValue| !origins.iter().any(|ours| origin.as_bytes().eq_ignore_ascii_case(ours.as_bytes()));
    if request.headers().get(header::ORIGIN).is_some_and(is_foreign) {
        return refuse(StatusCode::FORBIDDEN);
    }
    let speaks_mqtt = request
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|protocols| protocols.split(','))
        .any(|protocol| protocol.trim() == "mqtt");
    if !speaks_mqtt {
        return refuse(StatusCode::BAD_REQUEST);
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("mqtt"));
    Ok(response)
}
