//! `--demo`: an organisation, accounts and a virtual building that speaks real MQTT and REST to this server.

mod doors;
mod parking;
mod publisher;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use portico_identity::NewUser;
use portico_model::identity::Role;
use portico_platform::Actor;
use portico_simulator::{ApiError, Credentials, Faults, Options, Simulator};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::commands::{described, random_password};
use crate::serve::Portico;
use publisher::Publisher;

const ORGANIZATION: &str = "Portico demo";
const ACCOUNTS: [(&str, Role); 2] = [("demo", Role::Admin), ("visitor", Role::User)];
/// A day of minutes, so that the charts are not empty.
const HISTORY: Duration = Duration::from_secs(24 * 3600);

/// An account of the demo, with the password that was made up for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    pub username: String,
    pub role: String,
    pub password: String,
}

/// A demo that runs.
pub struct Demo {
    pub accounts: Vec<Account>,
    stop: CancellationToken,
    building: JoinHandle<()>,
}

/// Makes the accounts, at the first start, and sets the building going. It registers its devices in the background, so
/// that the server is ready at once.
///
/// # Errors
/// When the data directory holds an installation that is not a demo.
pub async fn begin(portico: &Portico, sensors: usize) -> Result<Demo> {
    let data_dir = &portico.platform.config.data_dir;
    let publisher = Publisher::open(&data_dir.join("demo-publisher.der"))?;
    let accounts = accounts(portico, &data_dir.join("demo-accounts.json"), &publisher).await?;
    let admin = accounts.first().context("the demo has no accounts")?;
    let credentials = Credentials::Password { username: admin.username.clone(), password: admin.password.clone() };
    let scheme = if portico.platform.config.http.tls_cert.is_some() { "https" } else { "http" };
    let options = Options {
        seed: 1,
        sensors,
        history: HISTORY,
        faults: Faults::OCCASIONAL,
        state_file: Some(data_dir.join("demo-devices.json")),
        publishers: vec![publisher.public_key()?],
        ..Options::new(format!("{scheme}://{}", portico.http), portico.mqtt.clone(), credentials)
    };
    let stop = portico.platform.tasks.token().child_token();
    let others = (sensors > 0).then(|| {
        let (url, mqtt, credentials) = (&options.http_url, &portico.mqtt, &options.credentials);
        let state_file = data_dir.join("demo-doors.json");
        let doors = doors::run(url.clone(), mqtt.clone(), credentials.clone(), state_file, stop.clone());
        let state_file = data_dir.join("demo-parking.json");
        let parking = parking::run(url.clone(), mqtt.clone(), credentials.clone(), state_file, stop.clone());
        [in_background("doors", doors), in_background("car parks", parking)]
    });
    let token = stop.clone();
    let building = tokio::spawn(async move {
        match Simulator::start(options, token).await {
            Ok(simulator) => drop(simulator.wait().await),
            Err(error) => tracing::warn!(error = %error, "the demo building could not start"),
        }
        for other in others.into_iter().flatten() {
            let _ = other.await;
        }
    });
    Ok(Demo { accounts, stop, building })
}

fn in_background(
    what: &'static str,
    running: impl Future<Output = std::result::Result<(), ApiError>> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = running.await {
            tracing::warn!(%error, "the demo's {what} could not start");
        }
    })
}

impl Demo {
    /// The building says good-bye.
    pub async fn end(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(5), self.building).await;
    }
}

async fn accounts(portico: &Portico, file: &Path, publisher: &Publisher) -> Result<Vec<Account>> {
    if let Ok(text) = fs::read_to_string(file) {
        return serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()));
    }
    if !portico.identity.setup_needed().await.map_err(described)? {
        bail!("the data directory holds an installation that is no demo; choose another with --data-dir");
    }
    let accounts: Vec<Account> = ACCOUNTS
        .iter()
        .map(|(name, role)| Account {
            username: (*name).to_owned(),
            role: role.as_str().to_owned(),
            password: random_password(),
        })
        .collect();
    // Before the accounts are made: a password that nobody knows would lock the demo for good.
    write_private(file, serde_json::to_string_pretty(&accounts)?.as_bytes())?;
    let mut organization = None;
    for (account, (_, role)) in accounts.iter().zip(ACCOUNTS) {
        let email = format!("{}@demo.invalid", account.username);
        match organization {
            None => {
                let made = portico
                    .identity
                    .create_admin_in(Some(ORGANIZATION), &account.username, &email, &account.password)
                    .await
                    .map_err(described)?;
                publisher.publish(portico, made.0).await?;
                organization = Some(made.0);
            }
            Some(organization) => {
                let new =
                    NewUser { username: account.username.clone(), email, password: account.password.clone(), role };
                portico.identity.create_user(&Actor::system(organization), new).await.map_err(described)?;
            }
        }
    }
    Ok(accounts)
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("writing {}", path.display()))?;
    file.write_all(bytes)?;
    Ok(())
}
