//! Configuration: built-in defaults, then a TOML file, then `.env`, then the environment, then the command line, the
//! later winning. Checked whole at start, with every mistake named at once.

mod keys;
mod load;

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::delivery::config::{MailConfig, WebhooksConfig};
use crate::http::HttpConfig;
use crate::logging::LogFormat;
use crate::mqtt::MqttConfig;
use crate::mqtt::config::ExternalBroker;

pub use keys::{KEYS, Key, reference};
pub use load::{ConfigError, Sources, load};
pub use portico_model::identity::Signup;

/// Everything that can be set. Each key is documented in `docs/configuration.md`, made from [`KEYS`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub http_addr: SocketAddr,
    pub mqtt_addr: SocketAddr,
    pub data_dir: PathBuf,
    #[serde(serialize_with = "shown_as_set")]
    pub database_url: Option<SecretString>,
    #[serde(serialize_with = "shown_as_set")]
    pub mqtt_url: Option<SecretString>,
    #[serde(serialize_with = "shown_as_set")]
    pub admin_token: Option<SecretString>,
    #[serde(serialize_with = "shown_as_set")]
    pub instance_key: Option<SecretString>,
    pub signup: Signup,
    pub public_url: Option<String>,
    pub log_filter: String,
    pub log_format: LogFormat,
    pub site_dir: Option<PathBuf>,
    pub database: DatabaseConfig,
    pub identity: IdentityConfig,
    pub devices: DevicesConfig,
    pub alarms: AlarmsConfig,
    pub access: AccessConfig,
    pub parking: ParkingConfig,
    pub stripe: StripeConfig,
    pub bridge: BridgeConfig,
    pub http: HttpConfig,
    pub mqtt: MqttConfig,
    pub mail: MailConfig,
    pub webhooks: WebhooksConfig,
}

/// How sure SQLite is that a commit survives a power cut. Either survives the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    Full,
    Normal,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    pub max_connections: u32,
    pub acquire_timeout_ms: u64,
    pub synchronous: Synchronous,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    pub browser_token_s: i64,
    pub api_token_s: i64,
    pub session_idle_s: i64,
    pub refresh_grace_s: i64,
    pub lockout_failures: i64,
    pub lockout_s: i64,
    pub account_failures: i64,
    pub setup_token_s: i64,
    pub min_password_chars: usize,
    pub service_key_overlap_s: i64,
    pub step_up_s: i64,
    pub max_sessions: i64,
    pub require_verified_email: bool,
    pub reset_link_s: i64,
    pub verification_link_s: i64,
    pub invitation_s: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DevicesConfig {
    pub max_devices_per_user: i64,
    pub heartbeat_interval_s: i64,
    pub key_overlap_s: i64,
    pub raw_retention_days: i64,
    pub minute_retention_days: i64,
    pub hour_retention_days: i64,
    pub problem_retention_days: i64,
    pub command_retention_days: i64,
    pub firmware_dir: Option<PathBuf>,
    pub firmware_limit_bytes: u64,
    pub payload_limit_bytes: usize,
    pub ingest_queue_messages: usize,
    pub batch_points: usize,
    pub batch_wait_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlarmsConfig {
    pub same_within_s: i64,
    pub retention_days: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    pub log_retention_days: i64,
    pub anomaly_percent: f64,
    pub anomaly_alarm_percent: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParkingConfig {
    pub reading_retention_days: i64,
    pub plate_retention_days: i64,
    pub guest_retention_days: i64,
}

/// Payments through Stripe.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StripeConfig {
    #[serde(serialize_with = "shown_as_set")]
    pub secret_key: Option<SecretString>,
    pub publishable_key: Option<String>,
    #[serde(serialize_with = "shown_as_set")]
    pub webhook_secrets: Option<SecretString>,
    pub webhook_tolerance_s: u64,
    pub url: String,
    pub script_url: String,
    pub version: Option<String>,
    pub timeout_ms: u64,
}

impl Default for StripeConfig {
    fn default() -> Self {
        Self {
            secret_key: None,
            publishable_key: None,
            webhook_secrets: None,
            webhook_tolerance_s: 300,
            url: "https://api.stripe.com".to_owned(),
            script_url: "https://js.stripe.com".to_owned(),
            version: None,
            timeout_ms: 20_000,
        }
    }
}

/// For firmware of locks and doors from before Portico.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BridgeConfig {
    pub addr: Option<SocketAddr>,
    #[serde(serialize_with = "shown_as_set")]
    pub logins: Option<SecretString>,
    pub devices: Vec<String>,
    pub organization: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http_addr: SocketAddr::from(([127, 0, 0, 1], 3000)),
            mqtt_addr: SocketAddr::from(([127, 0, 0, 1], 1883)),
            data_dir: PathBuf::from("./data"),
            database_url: None,
            mqtt_url: None,
            admin_token: None,
            instance_key: None,
            signup: Signup::Invite,
            public_url: None,
            log_filter: "info,sqlx=warn,mqtt5=error,hyper=warn,tower_http=warn".to_owned(),
            log_format: LogFormat::Text,
            site_dir: None,
            database: DatabaseConfig::default(),
            identity: IdentityConfig::default(),
            devices: DevicesConfig::default(),
            alarms: AlarmsConfig::default(),
            access: AccessConfig::default(),
            parking: ParkingConfig::default(),
            stripe: StripeConfig::default(),
            bridge: BridgeConfig::default(),
            http: HttpConfig::default(),
            mqtt: MqttConfig::default(),
            mail: MailConfig::default(),
            webhooks: WebhooksConfig::default(),
        }
    }
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { max_connections: 16, acquire_timeout_ms: 3_000, synchronous: Synchronous::Full }
    }
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            browser_token_s: 900,
            api_token_s: 3_600,
            session_idle_s: 14 * 86_400,
            refresh_grace_s: 30,
            lockout_failures: 5,
            lockout_s: 900,
            account_failures: 50,
            setup_token_s: 86_400,
            min_password_chars: 12,
            service_key_overlap_s: 86_400,
            step_up_s: 600,
            max_sessions: 30,
            require_verified_email: false,
            reset_link_s: 1_800,
            verification_link_s: 3 * 86_400,
            invitation_s: 7 * 86_400,
        }
    }
}

impl Default for DevicesConfig {
    fn default() -> Self {
        Self {
            max_devices_per_user: 100,
            heartbeat_interval_s: 60,
            key_overlap_s: 0,
            raw_retention_days: 90,
            minute_retention_days: 400,
            hour_retention_days: 3_650,
            problem_retention_days: 30,
            command_retention_days: 90,
            firmware_dir: None,
            firmware_limit_bytes: 64 * 1024 * 1024,
            payload_limit_bytes: 256 * 1024,
            ingest_queue_messages: 4_096,
            batch_points: 5_000,
            batch_wait_ms: 5,
        }
    }
}

impl Default for AlarmsConfig {
    fn default() -> Self {
        Self { same_within_s: 300, retention_days: 400 }
    }
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self { log_retention_days: 400, anomaly_percent: 1.0, anomaly_alarm_percent: 0.2 }
    }
}

impl Default for ParkingConfig {
    fn default() -> Self {
        Self { reading_retention_days: 30, plate_retention_days: 30, guest_retention_days: 30 }
    }
}

impl Config {
    /// The database's address: as configured, else SQLite in the data directory.
    #[must_use]
    pub fn database_url(&self) -> String {
        use secrecy::ExposeSecret;
        self.database_url.as_ref().map_or_else(
            || format!("sqlite://{}", self.data_dir.join("portico.db").display()),
            |url| url.expose_secret().to_owned(),
        )
    }

    /// The external broker, when one is configured.
    ///
    /// # Errors
    /// What is wrong with its address, without the password.
    pub fn mqtt_external(&self) -> Result<Option<ExternalBroker>, String> {
        self.mqtt_url.as_ref().map(ExternalBroker::parse).transpose()
    }

    /// Where firmware images lie: as configured, else in the data directory.
    #[must_use]
    pub fn firmware_dir(&self) -> PathBuf {
        self.devices.firmware_dir.clone().unwrap_or_else(|| self.data_dir.join("firmware"))
    }

    /// Where browsers find this server: as configured, else from the listening address.
    #[must_use]
    pub fn public_url(&self) -> String {
        let scheme = if self.http.tls_cert.is_some() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", self.http_addr))
    }
}

/// A secret's place in a printed configuration.
#[allow(clippy::ref_option)] // the form serde asks for
pub(crate) fn shown_as_set<S: serde::Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_str("(set)"),
        None => serializer.serialize_none(),
    }
}
