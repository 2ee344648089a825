//! Listening, with or without TLS, and a graceful end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Certificate chain and key, both PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A server that listens but does not answer yet.
pub struct Listening {
    listener: std::net::TcpListener,
    address: SocketAddr,
    tls: Option<(RustlsConfig, Tls)>,
}

/// How often the certificate files are looked at.
const RELOAD_EVERY: Duration = Duration::from_secs(30);

/// Takes the address; port 0 takes any free one.
///
/// # Errors
/// Conflict when the port is taken; invalid when the certificate cannot be read.
pub async fn listen(address: SocketAddr, tls: Option<Tls>) -> Result<Listening> {
    let listener = std::net::TcpListener::bind(address).map_err(|error| {
        Error::conflict(
            "address_taken",
            format!("cannot listen on {address}: {error}. Choose another with --http-addr or PORTICO_HTTP_ADDR."),
        )
    })?;
    listener.set_nonblocking(true).map_err(Error::internal)?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let tls = match tls {
        None => None,
        Some(files) => {
            let config = RustlsConfig::from_pem_file(&files.cert, &files.key).await.map_err(|error| {
                Error::invalid("bad_certificate", format!("http.tls_cert or http.tls_key cannot be used: {error}"))
            })?;
            Some((config, files))
        }
    };
    Ok(Listening { listener, address, tls })
}

impl Listening {
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until cancelled, then finishes what is under way, at most until the deadline.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, router: Router, cancel: CancellationToken, deadline: Duration) -> Result<()> {
        let handle = Handle::new();
        let stop = {
            let (handle, cancel) = (handle.clone(), cancel.clone());
            async move {
                cancel.cancelled().await;
                handle.graceful_shutdown(Some(deadline));
            }
        };
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serve = async {
            match self.tls {
                None => axum_server::from_tcp(self.listener)?.handle(handle).serve(service).await,
                Some((config, files)) => {
                    let reload = reload_on_change(config.clone(), files, cancel);
                    let server = axum_server::from_tcp_rustls(self.listener, config)?.handle(handle).serve(service);
                    tokio::join!(server, reload).0
                }
            }
        };
        let (served, ()) = tokio::join!(serve, stop);
        served.map_err(Error::internal)
    }
}

async fn reload_on_change(config: RustlsConfig, files: Tls, cancel: CancellationToken) {
    let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut seen = (changed(&files.cert), changed(&files.key));
    loop {
        tokio::select! {
            () = tokio::time::sleep(RELOAD_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        let now = (changed(&files.cert), changed(&files.key));
        if now == seen {
            continue;
        }
        match config.reload_from_pem_file(&files.cert, &files.key).await {
            Ok(()) => {
                seen = now;
                tracing::info!("the renewed certificate is in use");
            }
            // The old one stays in use; the files may be half written.
            Err(error) => tracing::error!(%error, "the changed certificate cannot be used"),
        }
    }
}
