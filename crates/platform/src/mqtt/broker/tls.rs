//! Certificate files of the TLS listener, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

const CHECK_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Reads the certificate, and again whenever a file has changed, until cancelled.
pub(super) async fn acceptor(
    cert: &Path,
    key: &Path,
    cancel: CancellationToken,
) -> Result<(TlsAcceptor, impl Future<Output = ()> + Send + use<>)> {
    let (cert, key) = (cert.to_owned(), key.to_owned());
    let (cert, key, loaded) = blocking(move || load(&cert, &key).map(|loaded| (cert, key, loaded))).await?;
    let certificate = Arc::new(Certificate { cert, key, current: RwLock::new(Arc::new(loaded)) });
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
    Ok((TlsAcceptor::from(Arc::new(config)), watch(certificate, cancel)))
}

async fn watch(certificate: Arc<Certificate>, cancel: CancellationToken) {
    let mut seen = modified(&certificate).await;
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHECK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        let now = modified(&certificate).await;
        if now == seen {
            continue;
        }
        let files = Arc::clone(&certificate);
        match blocking(move || load(&files.cert, &files.key)).await {
            Ok(loaded) => {
                *certificate.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                seen = now;
                tracing::info!(cert = %certificate.cert.display(), "MQTT certificate read again");
            }
            // The files may be half replaced; the next round tries again, and the old certificate stays.
            Err(error) => tracing::warn!(%error, "changed MQTT certificate is not usable; keeping the old one"),
        }
    }
}

async fn modified(certificate: &Certificate) -> [Option<SystemTime>; 2] {
    let of = async |path: &Path| tokio::fs::metadata(path).await.ok().and_then(|file| file.modified().ok());
    [of(&certificate.cert).await, of(&certificate.key).await]
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

fn load(cert: &Path, key: &Path) -> Result<CertifiedKey> {
    let unreadable = |setting: &str, path: &Path, error: &dyn std::fmt::Display| {
        Error::field(setting, format!("{} is not usable: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable("mqtt.tls_cert", cert, &error))?;
    if chain.is_empty() {
        return Err(unreadable("mqtt.tls_cert", cert, &"it holds no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("mqtt.tls_key", key, &error))?;
    CertifiedKey::from_der(chain, private, &ring::default_provider())
        .map_err(|error| unreadable("mqtt.tls_key", key, &error))
}
