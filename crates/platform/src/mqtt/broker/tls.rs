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
        seen = refresh(&certificate, seen).await;
    }
}

type Modified = [Option<SystemTime>; 2];

/// Reads the files if they are no longer those that were seen; returns what was seen and is usable.
async fn refresh(certificate: &Arc<Certificate>, seen: Modified) -> Modified {
    let now = modified(certificate).await;
    if now == seen {
        return seen;
    }
    let files = Arc::clone(certificate);
    match blocking(move || load(&files.cert, &files.key)).await {
        Ok(loaded) => {
            *certificate.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
            tracing::info!(cert = %certificate.cert.display(), "MQTT certificate read again");
            now
        }
        // The files may be half replaced; the next round tries again, and the old certificate stays.
        Err(error) => {
            tracing::warn!(%error, "changed MQTT certificate is not usable; keeping the old one");
            seen
        }
    }
}

async fn modified(certificate: &Certificate) -> Modified {
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
        let first = Arc::new(load(&cert, &key).unwrap());
        let certificate = Arc::new(Certificate { cert, key, current: RwLock::new(Arc::clone(&first)) });
        let unchanged = |certificate: &Certificate| Arc::ptr_eq(&first, &certificate.current.read().unwrap());
        let seen = modified(&certificate).await;
        assert_eq!(refresh(&certificate, seen).await, seen);
        assert!(unchanged(&certificate));

        let good = std::fs::read(&certificate.cert).unwrap();
        let touch = |content: &[u8], second: u64| {
            std::fs::write(&certificate.cert, content).unwrap();
            let file = std::fs::File::options().write(true).open(&certificate.cert).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
        };
        touch(&good[..100], 1_000);
        assert_eq!(refresh(&certificate, seen).await, seen);
        assert!(unchanged(&certificate));

        touch(&good, 2_000);
        assert_ne!(refresh(&certificate, seen).await, seen);
        assert!(!unchanged(&certificate));
    }
}
