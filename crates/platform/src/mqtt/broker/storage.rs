//! The broker's files: sessions, queued and retained messages.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mqtt5::broker::events::BrokerEventHandler;
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::storage::{DynamicStorage, FileBackend, MemoryBackend, QueueLimits, StorageBackend};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::mqtt::config::MqttLimits;

/// What was opened, for as long as the broker runs.
pub(super) struct Opened {
    pub(super) storage: Arc<DynamicStorage>,
    pub(super) router: Arc<MessageRouter>,
    /// Keeps another program from using the same files; beside them, because they may be put aside.
    pub(super) lock: Option<File>,
}

/// Opens the files, or keeps everything in memory without a directory. Files that cannot be read are put aside and the
/// broker begins anew: it holds nothing that the database does not know, and doors and sensors need a broker.
///
/// # Errors
/// When another program uses the directory, or it cannot be written.
pub(super) async fn open(
    directory: Option<PathBuf>,
    limits: &MqttLimits,
    clock: &Clock,
    events: Arc<dyn BrokerEventHandler>,
) -> Result<Opened> {
    let queue_limits = QueueLimits { max_messages: limits.max_queued_messages, max_bytes: limits.max_queued_bytes };
    let Some(directory) = directory else {
        let storage = DynamicStorage::Memory(MemoryBackend::with_queue_limits(queue_limits));
        let (storage, router) = recover(storage, queue_limits, limits, events).await.map_err(Error::internal)?;
        return Ok(Opened { storage, router, lock: None });
    };
    let lock = lock(&directory)?;
    let error = match open_files(&directory, queue_limits, limits, Arc::clone(&events)).await {
        Ok((storage, router)) => return Ok(Opened { storage, router, lock: Some(lock) }),
        Err(error) => error,
    };
    let aside = beside(&directory, &format!("damaged-{}", clock.now().millis()));
    tracing::error!(%error, put_aside = %aside.display(), "the MQTT broker's files cannot be read; beginning without them");
    std::fs::rename(&directory, &aside).map_err(|error| unusable(&directory, &error))?;
    let (storage, router) =
        open_files(&directory, queue_limits, limits, events).await.map_err(|error| unusable(&directory, &error))?;
    Ok(Opened { storage, router, lock: Some(lock) })
}

async fn open_files(
    directory: &Path,
    queue_limits: QueueLimits,
    limits: &MqttLimits,
    events: Arc<dyn BrokerEventHandler>,
) -> mqtt5::Result<(Arc<DynamicStorage>, Arc<MessageRouter>)> {
    let files = FileBackend::with_queue_limits(&directory, queue_limits).await?;
    recover(DynamicStorage::File(files), queue_limits, limits, events).await
}

async fn recover(
    storage: DynamicStorage,
    queue_limits: QueueLimits,
    limits: &MqttLimits,
    events: Arc<dyn BrokerEventHandler>,
) -> mqtt5::Result<(Arc<DynamicStorage>, Arc<MessageRouter>)> {
    let storage = Arc::new(storage);
    let router = MessageRouter::with_storage(Arc::clone(&storage))
        .with_fallback_queue_limits(queue_limits)
        .with_event_handler(events)
        .with_retained_limits(limits.max_retained_messages, limits.max_packet_bytes);
    router.recover_sessions(u32::try_from(limits.session_expiry_s).unwrap_or(u32::MAX)).await?;
    storage.cleanup_expired().await?;
    router.initialize().await?;
    Ok((storage, Arc::new(router)))
}

fn lock(directory: &Path) -> Result<File> {
    let path = beside(directory, "lock");
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| unusable(parent, &error))?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| unusable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::conflict(
            "mqtt_storage_in_use",
            format!("{} is used by another Portico that is still running.", directory.display()),
        )),
        // Some network file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
}

/// The directory's name with something behind it.
fn beside(directory: &Path, suffix: &str) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::unavailable("mqtt_storage", format!("{} is not usable: {error}", path.display()))
}
