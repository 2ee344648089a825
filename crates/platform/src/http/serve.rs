//! Listening, with or without TLS, and a graceful end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use tokio_util::sync::CancellationToken;

use super::config::HttpConfig;
use super::connections::Room;
use crate::error::{Error, Result};
use crate::tls::{Certificate, RELOAD_EVERY, Tls};

/// A server that listens but does not answer yet.
pub struct Listening {
    listener: std::net::TcpListener,
    address: SocketAddr,
    tls: Option<(RustlsConfig, Arc<Certificate>)>,
    room: Room,
    header_timeout: Duration,
    reload_every: Duration,
}

/// Takes the address; port 0 takes any free one.
///
/// # Errors
/// Conflict when the port is taken; invalid when the certificate cannot be read.
pub async fn listen(address: SocketAddr, tls: Option<Tls>) -> Result<Listening> {
    let tls = match tls {
        None => None,
        Some(files) => {
            let certificate = Certificate::load("http", files).await?;
            Some((RustlsConfig::from_config(certificate.server_config(&[b"h2", b"http/1.1"])?), certificate))
        }
    };
    let listener = std::net::TcpListener::bind(address).map_err(|error| {
        Error::conflict(
            "address_taken",
            format!("cannot listen on {address}: {error}. Choose another with --http-addr or PORTICO_HTTP_ADDR."),
        )
    })?;
    listener.set_nonblocking(true).map_err(Error::internal)?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let defaults = HttpConfig::default();
    Ok(Listening {
        listener,
        address,
        tls,
        room: Room::new(defaults.max_connections),
        header_timeout: Duration::from_millis(defaults.header_timeout_ms),
        reload_every: RELOAD_EVERY,
    })
}

impl Listening {
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// With the limits of the configuration instead of its defaults.
    #[must_use]
    pub fn with_limits(mut self, config: &HttpConfig) -> Self {
        self.room = Room::new(config.max_connections);
        self.header_timeout = Duration::from_millis(config.header_timeout_ms);
        self
    }

    /// Looks at the certificate files so often.
    #[must_use]
    pub const fn reload_every(mut self, every: Duration) -> Self {
        self.reload_every = every;
        self
    }

    /// Answers until cancelled, then finishes what is under way, at most until the deadline.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, router: Router, cancel: CancellationToken, deadline: Duration) -> Result<()> {
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(self.listener).map_err(Error::internal)?.handle(handle.clone());
        set_timeouts(&mut server, self.header_timeout);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let stop = async {
            cancel.cancelled().await;
            handle.graceful_shutdown(Some(deadline));
        };
        let serve = async {
            match self.tls {
                None => server.acceptor(self.room).serve(service).await,
                Some((config, certificate)) => {
                    let reload = certificate.watch(self.reload_every, cancel.clone());
                    let secured = server.acceptor(RustlsAcceptor::new(config).acceptor(self.room));
                    tokio::join!(secured.serve(service), reload).0
                }
            }
        };
        let (served, ()) = tokio::join!(serve, stop);
        served.map_err(Error::internal)
    }
}

/// Against clients that open a connection and say little: in HTTP/1 the head must come in time, also the next one of a
/// kept connection; in HTTP/2 a silent peer is asked whether it is still there.
fn set_timeouts(server: &mut Server<SocketAddr>, header_timeout: Duration) {
    let builder = server.http_builder();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(header_timeout)
        .keep_alive_timeout(header_timeout)
        .max_concurrent_streams(100)
        .max_header_list_size(32 * 1024);
}
