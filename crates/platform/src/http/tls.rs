//! Certificate files, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Certificate chain and key, both PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Tls {
    pub(super) async fn load(&self) -> Result<RustlsConfig> {
        Ok(RustlsConfig::from_config(self.read().await?))
    }

    /// Takes up renewed files until cancelled.
    pub(super) async fn reload(self, config: RustlsConfig, every: Duration, cancel: CancellationToken) {
        let mut seen = self.modified().await;
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = cancel.cancelled() => return,
            }
            let now = self.modified().await;
            if now == seen {
                continue;
            }
            match self.read().await {
                Ok(renewed) => {
                    seen = now;
                    config.reload_from_config(renewed);
                    tracing::info!(cert = %self.cert.display(), "the renewed certificate is in use");
                }
                // The old one stays in use; the files may be half written, and the next round tries again.
                Err(error) => tracing::warn!(%error, "the changed certificate cannot be used"),
            }
        }
    }

    async fn modified(&self) -> [Option<SystemTime>; 2] {
        let of = async |path: &Path| tokio::fs::metadata(path).await.ok().and_then(|file| file.modified().ok());
        [of(&self.cert).await, of(&self.key).await]
    }

    async fn read(&self) -> Result<Arc<ServerConfig>> {
        let files = self.clone();
        tokio::task::spawn_blocking(move || files.parse()).await.map_err(Error::internal)?
    }

    fn parse(&self) -> Result<Arc<ServerConfig>> {
        let unusable = |setting: &str, path: &Path, error: &dyn std::fmt::Display| {
            Error::field(setting, format!("{} is not usable: {error}", path.display()))
        };
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unusable("http.tls_cert", &self.cert, &error))?;
        if chain.is_empty() {
            return Err(unusable("http.tls_cert", &self.cert, &"it holds no certificate"));
        }
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unusable("http.tls_key", &self.key, &error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| unusable("http.tls_key", &self.key, &error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
