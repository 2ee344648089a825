//! `portico backup` and `portico restore` for the embedded database.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use portico_platform::{Config, Db};

use crate::commands::described;

const DATABASE: &str = "portico.db";
const KEY: &str = "instance.key";
const FIRMWARE: &str = "firmware";

/// Copies the database, consistent although the server may be writing, the instance key without which sessions end
/// and the audit chain cannot be verified, and the firmware images.
///
/// # Errors
/// When the directory exists already, on PostgreSQL, or when something cannot be read or written.
pub async fn backup(config: Config, directory: &Path) -> Result<()> {
    if directory.exists() {
        bail!("{} exists already; name a new directory", directory.display());
    }
    let database = config.data_dir.join(DATABASE);
    if config.database_url.is_none() && !database.is_file() {
        bail!("{} does not exist; is --data-dir right?", database.display());
    }
    let db = Db::open(&config).await.map_err(described)?;
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    db.backup_to(&directory.join(DATABASE)).await.map_err(described)?;
    db.close().await;
    let key = config.data_dir.join(KEY);
    if key.exists() {
        fs::copy(&key, directory.join(KEY)).context("copying the instance key")?;
    }
    // After the database: every image that it knows is there, unless it is being deleted.
    copy_images(&config.firmware_dir(), &directory.join(FIRMWARE))?;
    println!("Backup written to {}. It holds secrets: keep it as safe as the server.", directory.display());
    Ok(())
}

/// Puts a backup in place. What was there is kept beside it.
///
/// # Errors
/// When the directory holds no backup, or the data directory is not empty and `replace` is not given.
pub fn restore(config: &Config, directory: &Path, replace: bool) -> Result<()> {
    if config.database_url.is_some() {
        bail!("restore is for the embedded database; PostgreSQL has pg_restore (README, Backup)");
    }
    let source = directory.join(DATABASE);
    if !source.is_file() {
        bail!("{} holds no {DATABASE}", directory.display());
    }
    let data_dir = &config.data_dir;
    if data_dir.join(DATABASE).exists() {
        if !replace {
            bail!("{} holds a database already; --replace keeps it beside, renamed", data_dir.display());
        }
        let aside = (1..)
            .map(|number| data_dir.with_extension(format!("before-restore-{number}")))
            .find(|path| !path.exists())
            .context("no free name for the old data directory")?;
        fs::rename(data_dir, &aside).context("setting the old data directory aside")?;
        println!("The old data is in {}.", aside.display());
    }
    fs::create_dir_all(data_dir).context("making the data directory")?;
    for name in [DATABASE, KEY] {
        let from = directory.join(name);
        if from.exists() {
            fs::copy(&from, data_dir.join(name)).with_context(|| format!("copying {name}"))?;
        }
    }
    copy_images(&directory.join(FIRMWARE), &config.firmware_dir())?;
    println!("Restored into {}.", data_dir.display());
    Ok(())
}

/// Whole images alone; one that goes meanwhile was deleted.
fn copy_images(from: &Path, to: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", from.display()))?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|end| end == "bin")) else {
            continue;
        };
        match fs::copy(&path, to.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("copying {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use portico_platform::{Clock, Platform};

    use super::*;

    #[tokio::test]
    async fn restored_data_directory_opens_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data_dir: dir.path().join("data"), ..Config::default() };
        let platform = Platform::open(config.clone(), Clock::system()).await.unwrap();
        let copy = dir.path().join("copy");
        fs::create_dir_all(config.firmware_dir()).unwrap();
        fs::write(config.firmware_dir().join("1.bin"), "image").unwrap();
        fs::write(config.firmware_dir().join("2.part"), "half").unwrap();
        backup(config.clone(), &copy).await.unwrap();
        assert!(backup(config.clone(), &copy).await.is_err(), "an existing backup is never overwritten");
        assert!(restore(&config, &copy, false).is_err(), "existing data is never overwritten");
        let key = platform.secrets.derive("test");
        platform.db.close().await;
        restore(&config, &copy, true).unwrap();
        assert_eq!(fs::read(config.firmware_dir().join("1.bin")).unwrap(), b"image");
        assert!(!config.firmware_dir().join("2.part").exists());
        let restored = Platform::open(config, Clock::system()).await.unwrap();
        assert_eq!(restored.secrets.derive("test"), key);
        assert!(dir.path().join("data.before-restore-1").join(DATABASE).exists());
    }
}
