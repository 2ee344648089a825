//! What every domain stands on: configuration, database, audit, outbox, hub, MQTT, HTTP, PDF, jobs, clock, logging.
//! Nothing here knows a device from a door.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod actor;
pub mod audit;
pub mod clock;
pub mod config;
pub mod csv;
pub mod db;
pub mod delivery;
pub mod error;
pub mod http;
#[path = "hub/mod.rs"]
pub mod hub;
pub mod jobs;
pub mod logging;
pub mod mqtt;
pub mod outbox;
pub mod pdf;
pub mod secrets;
pub mod statistics;
pub mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
pub mod ws;

use std::sync::Arc;

pub use actor::{Actor, Principal};
pub use clock::Clock;
pub use config::Config;
pub use db::{Db, Tx};
pub use error::{Error, Result};

/// A boxed future, for the traits that must be object safe.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything a domain's service needs, cheap to clone.
#[derive(Clone)]
pub struct Platform {
    pub config: Arc<Config>,
    pub db: Db,
    pub clock: Clock,
    pub secrets: secrets::Secrets,
    pub audit: audit::Audit,
    pub outbox: outbox::Outbox,
    pub deliveries: delivery::Deliveries,
    pub hub: hub::Hub,
    pub tasks: tasks::Tasks,
    /// When this server began.
    pub started_at: portico_model::Timestamp,
}

impl Platform {
    /// Opens the database (applying its migrations) and joins the parts.
    ///
    /// # Errors
    /// When the data directory, the instance key or the database cannot be had.
    pub async fn open(config: Config, clock: Clock) -> Result<Self> {
        let secrets = secrets::Secrets::load(&config)?;
        let db = Db::open(&config).await?;
        db.migrate().await?;
        Ok(Self {
            audit: audit::Audit::new(secrets.derive("audit"), clock.clone()),
            outbox: outbox::Outbox::new(clock.clone()),
            deliveries: delivery::Deliveries::new(secrets.clone(), clock.clone()),
            hub: hub::Hub::default(),
            tasks: tasks::Tasks::default(),
            started_at: clock.now(),
            config: Arc::new(config),
            db,
            clock,
            secrets,
        })
    }
}
