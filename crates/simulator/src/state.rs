//! The devices' credentials between runs: a JSON file readable only by its owner.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use portico_model::{DeviceId, Timestamp};
use serde::{Deserialize, Serialize};

/// What is kept of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDevice {
    pub id: DeviceId,
    pub api_key: String,
    /// Up to when its past readings were sent.
    #[serde(default)]
    pub history_until: Option<Timestamp>,
}

/// Known devices by hardware id, and where they are kept; without a file they are forgotten at the end.
#[derive(Debug, Default)]
pub struct StateFile {
    path: Option<PathBuf>,
    devices: BTreeMap<String, KnownDevice>,
}

impl StateFile {
    /// Reads the file; one that is absent or unreadable is an empty one, since a lost key can be replaced.
    pub async fn load(path: Option<PathBuf>) -> Self {
        let devices = match &path {
            Some(path) => match tokio::fs::read(path).await {
                Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                    tracing::warn!(path = %path.display(), %error, "the simulator's state is unreadable; keys are replaced");
                    BTreeMap::new()
                }),
                Err(_) => BTreeMap::new(),
            },
            None => BTreeMap::new(),
        };
        Self { path, devices }
    }

    #[must_use]
    pub fn get(&self, hardware_id: &str) -> Option<&KnownDevice> {
        self.devices.get(hardware_id)
    }

    pub fn insert(&mut self, hardware_id: &str, device: KnownDevice) {
        self.devices.insert(hardware_id.to_owned(), device);
    }

    /// Writes the file anew, so that a crash leaves the old one or the new one whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn save(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await?;
        }
        let temporary = path.with_extension("new");
        write_private(&temporary, &serde_json::to_vec_pretty(&self.devices)?).await?;
        tokio::fs::rename(&temporary, path).await
    }
}

async fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use tokio::io::AsyncWriteExt;
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await?;
    file.write_all(bytes).await?;
    file.sync_all().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn devices_survive_a_restart_and_only_the_owner_may_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/state.json");
        let mut state = StateFile::load(Some(path.clone())).await;
        let device = KnownDevice {
            id: "0193a000000070008000000000000001".parse().unwrap(),
            api_key: "k".repeat(32),
            history_until: Some(Timestamp::from_millis(60_000)),
        };
        state.insert("SIM-1", device.clone());
        state.save().await.unwrap();
        assert_eq!(StateFile::load(Some(path.clone())).await.get("SIM-1"), Some(&device));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn broken_file_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        std::fs::write(&path, "{").unwrap();
        assert_eq!(StateFile::load(Some(path)).await.get("SIM-1"), None);
    }
}
