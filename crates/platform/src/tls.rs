//! Certificate files, of HTTPS and of MQTT over TLS, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// How often the files are looked at.
pub(crate) const RELOAD_EVERY: Duration = Duration::from_secs(30);

/// Certificate chain and key, both PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// The certificate that is in use.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: Tls,
    /// Of the configuration: `http` or `mqtt`.
    section: &'static str,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

type Modified = [Option<SystemTime>; 2];

impl Certificate {
    pub(crate) async fn load(section: &'static str, files: Tls) -> Result<Arc<Self>> {
        let (files, loaded) = blocking(move || read(section, &files).map(|loaded| (files, loaded))).await?;
        Ok(Arc::new(Self { files, section, current: RwLock::new(Arc::new(loaded)) }))
    }

    /// For a listener; it uses whichever certificate is the current one. ALPN: the protocols offered inside of TLS.
    pub(crate) fn server_config(self: &Arc<Self>, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// Takes up renewed files until cancelled.
    pub(crate) async fn watch(self: Arc<Self>, every: Duration, cancel: CancellationToken) {
        let mut seen = self.modified().await;
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = cancel.cancelled() => return,
            }
            seen = self.refresh(seen).await;
        }
    }

    /// Reads the files if they are no longer those that were seen; returns what was seen and is usable.
    async fn refresh(self: &Arc<Self>, seen: Modified) -> Modified {
        let now = self.modified().await;
        if now == seen {
            return seen;
        }
        let (section, files) = (self.section, self.files.clone());
        match blocking(move || read(section, &files)).await {
            Ok(loaded) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                tracing::info!(cert = %self.files.cert.display(), "the renewed certificate is in use");
                now
            }
            // The files may be half written; the next round tries again, and the old certificate stays.
            Err(error) => {
                tracing::warn!(%error, "the changed certificate cannot be used");
                seen
            }
        }
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn modified(&self) -> Modified {
        let of = async |path: &Path| tokio::fs::metadata(path).await.ok().and_then(|file| file.modified().ok());
        [of(&self.files.cert).await, of(&self.files.key).await]
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

fn read(section: &str, files: &Tls) -> Result<CertifiedKey> {
    let unusable = |setting: &str, path: &Path, error: &dyn std::fmt::Display| {
        Error::field(&format!("{section}.{setting}"), format!("{} is not usable: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable("tls_cert", &files.cert, &error))?;
    if chain.is_empty() {
        return Err(unusable("tls_cert", &files.cert, &"it holds no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable("tls_key", &files.key, &error))?;
    CertifiedKey::from_der(chain, private, &ring::default_provider())
        .map_err(|error| unusable("tls_key", &files.key, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn renewed_certificate_is_used_and_a_broken_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mqtt");
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        std::fs::copy(source.join("localhost.cert.pem"), &cert).unwrap();
        std::fs::copy(source.join("localhost.key.pem"), &key).unwrap();
        let certificate = Certificate::load("mqtt", Tls { cert: cert.clone(), key }).await.unwrap();
        let first = certificate.current();
        let unchanged = || Arc::ptr_eq(&first, &certificate.current());
        let seen = certificate.modified().await;
        assert_eq!(certificate.refresh(seen).await, seen);
        assert!(unchanged());

        let good = std::fs::read(&cert).unwrap();
        let touch = |content: &[u8], second: u64| {
            std::fs::write(&cert, content).unwrap();
            let file = std::fs::File::options().write(true).open(&cert).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
        };
        touch(&good[..100], 1_000);
        assert_eq!(certificate.refresh(seen).await, seen);
        assert!(unchanged());

        touch(&good, 2_000);
        assert_ne!(certificate.refresh(seen).await, seen);
        assert!(!unchanged());
    }

    #[tokio::test]
    async fn unusable_files_name_the_setting() {
        let files = Tls { cert: "/nowhere/cert.pem".into(), key: "/nowhere/key.pem".into() };
        let error = Certificate::load("http", files).await.unwrap_err();
        assert_eq!(error.field_errors()[0].field, "http.tls_cert");
    }
}
