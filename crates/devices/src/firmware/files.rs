//! The bytes of images: one file each in a directory that all servers of an installation share. A file is written
//! beside its place and moved there whole.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use futures::{Stream, StreamExt};
use portico_model::FirmwareId;
use portico_platform::{Error, Result};
use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

/// Files younger than this may belong to an upload under way.
const OLD: Duration = Duration::from_secs(6 * 3_600);

/// How long an upload may stand still.
const PATIENCE: Duration = Duration::from_secs(30);

/// Files looked at in one round.
const MOST_LOOKED_AT: usize = 10_000;

#[derive(Debug, Clone)]
pub struct Files {
    directory: PathBuf,
}

/// An image that has come whole and has no place yet; its file goes when this is dropped.
pub struct Received {
    part: Part,
    place: PathBuf,
    size_bytes: u64,
    sha256: [u8; 32],
}

/// A file that goes when this is dropped.
struct Part(Option<PathBuf>);

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // One unlink: short enough for any thread.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// An image in its place, which goes again when its row is not committed.
pub struct Kept(Part);

impl Kept {
    /// The row is committed: the file stays.
    pub fn done(mut self) {
        self.0.0 = None;
    }
}

fn unusable(error: std::io::Error) -> Error {
    Error::unavailable("firmware_storage", "The image cannot be stored or read at the moment.").with_source(error)
}

impl Files {
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn path(&self, id: FirmwareId) -> PathBuf {
        self.directory.join(format!("{id}.bin"))
    }

    /// Writes the pieces as they come, never holding more than one.
    pub async fn receive<S, E>(&self, id: FirmwareId, mut pieces: S, most: u64) -> Result<Received>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin + Send,
        E: std::fmt::Display,
    {
        fs::create_dir_all(&self.directory).await.map_err(unusable)?;
        let path = self.directory.join(format!("{id}.part"));
        let mut file = File::create_new(&path).await.map_err(unusable)?;
        let part = Part(Some(path));
        let mut hash = Sha256::new();
        let mut size_bytes = 0_u64;
        loop {
            let next = tokio::time::timeout(PATIENCE, pieces.next())
                .await
                .map_err(|_| Error::invalid("upload_stalled", "Nothing came for too long. Send it again."))?;
            let Some(piece) = next else { break };
            let piece = piece.map_err(|_| {
                // Cut off by the client, or by the limit around the whole body.
                Error::invalid("unreadable_body", "The upload broke off or is too large.")
            })?;
            size_bytes += piece.len() as u64;
            if size_bytes > most {
                return Err(Error::too_large("firmware_too_large", format!("An image has at most {most} bytes.")));
            }
            hash.update(&piece);
            file.write_all(&piece).await.map_err(unusable)?;
        }
        if size_bytes == 0 {
            return Err(Error::invalid("empty_body", "The body must be the image."));
        }
        file.sync_all().await.map_err(unusable)?;
        Ok(Received { part, place: self.path(id), size_bytes, sha256: hash.finalize().into() })
    }

    /// The file of an image, to be read.
    pub async fn open(&self, id: FirmwareId) -> Result<File> {
        File::open(self.path(id)).await.map_err(unusable)
    }

    /// Removes an image's file, if it is there.
    pub async fn remove(&self, id: FirmwareId) {
        for path in [self.path(id), self.directory.join(format!("{id}.part"))] {
            if let Err(error) = fs::remove_file(&path).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "a firmware file cannot be removed");
            }
        }
    }

    /// Images whose files are older than any upload takes.
    pub async fn old_ones(&self) -> Vec<FirmwareId> {
        let Ok(mut entries) = fs::read_dir(&self.directory).await else { return Vec::new() };
        let mut old = Vec::new();
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.split('.').next()).and_then(|id| id.parse().ok()) else {
                continue;
            };
            let modified = entry.metadata().await.and_then(|about| about.modified());
            let age = modified.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
            if age.is_some_and(|age| age > OLD) {
                old.push(id);
            }
            if old.len() >= MOST_LOOKED_AT {
                break;
            }
        }
        old
    }
}

impl Received {
    pub fn size_bytes(&self) -> i64 {
        i64::try_from(self.size_bytes).unwrap_or(i64::MAX)
    }

    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Moves the file to its place.
    pub async fn keep(mut self) -> Result<Kept> {
        let Some(path) = self.part.0.take() else { return Err(Error::internal("a received file has no path")) };
        let moved = fs::rename(&path, &self.place).await;
        if moved.is_err() {
            self.part.0 = Some(path);
        }
        moved.map_err(unusable)?;
        Ok(Kept(Part(Some(self.place.clone()))))
    }
}
