//! Reading the sources and checking them, each key by itself, so that all mistakes are told at once.

use std::fmt;
use std::path::PathBuf;

use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use super::Config;

/// Where settings come from beside the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file; absent: `portico.toml` in the working directory, if there is one.
    pub file: Option<PathBuf>,
    /// Read `.env` and the environment (`PORTICO_HTTP_ADDR`, `PORTICO_DATABASE__MAX_CONNECTIONS`, …).
    pub environment: bool,
    /// Settings from the command line: dotted key and value.
    pub overrides: Vec<(String, String)>,
}

/// Every mistake in the configuration, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} mistake(s):", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for ConfigError {}

/// Variables of this prefix that belong to the scripts and tests, not to the server.
const NOT_SETTINGS: [&str; 9] =
    ["test_postgres_url", "site", "site_profile", "bin", "tools", "root", "cache", "bench", "e2e"];

/// # Errors
/// All mistakes at once: unknown keys, values of the wrong type, values that do not go together.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let mut user = Figment::new();
    let file = sources.file.clone().unwrap_or_else(|| PathBuf::from("portico.toml"));
    if file.exists() {
        user = user.merge(Toml::file_exact(&file));
    } else if sources.file.is_some() {
        return Err(ConfigError(vec![format!("{}: no such file", file.display())]));
    }
    if sources.environment {
        if let Err(error) = dotenvy::dotenv()
            && !error.not_found()
        {
            return Err(ConfigError(vec![format!(".env: {error}")]));
        }
        user = user.merge(environment());
    }
    for (key, value) in &sources.overrides {
        let parsed: Value = value.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
        user = user.merge(Serialized::default(key, as_given(key, value, parsed)));
    }

    let mut mistakes = Vec::new();
    let data = user.data().map_err(|error| ConfigError(vec![error.to_string()]))?;
    let mut sound = defaults();
    for (path, value) in data.into_values().flat_map(|dict| leaves(&dict, "")) {
        let with_this = sound.clone().merge(Serialized::default(&path, as_given(&path, &value_text(&value), value)));
        match with_this.extract::<Config>() {
            Ok(_) => sound = with_this,
            Err(error) => mistakes.push(format!("{path}: {}", plain(&error))),
        }
    }
    match sound.extract::<Config>() {
        Ok(config) => {
            mistakes.extend(contradictions(&config));
            if mistakes.is_empty() { Ok(config) } else { Err(ConfigError(mistakes)) }
        }
        Err(error) => Err(ConfigError(vec![error.to_string()])),
    }
}

fn defaults() -> Figment {
    Figment::from(Serialized::defaults(Config::default()))
}

fn environment() -> impl Provider {
    Env::prefixed("PORTICO_")
        .filter(|key| !NOT_SETTINGS.contains(&key.as_str().to_ascii_lowercase().as_str()))
        .split("__")
}

/// A text setting stays text even where it looks like a number: an admin token of digits, say.
fn as_given(path: &str, text: &str, parsed: Value) -> Value {
    const TEXTS: [&str; 9] = [
        "database_url",
        "mqtt_url",
        "admin_token",
        "instance_key",
        "public_url",
        "log_filter",
        "http.metrics_token",
        "mail.user",
        "mail.password",
    ];
    if TEXTS.contains(&path) { Value::from(text) } else { parsed }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|n| n.to_string())
            .or_else(|| number.to_u128().map(|n| n.to_string()))
            .or_else(|| number.to_f64().map(|n| n.to_string()))
            .unwrap_or_default(),
        Value::Bool(_, flag) => flag.to_string(),
        _ => String::new(),
    }
}

/// Dotted path and value of everything that was set; lists count as one value.
fn leaves(dict: &Dict, prefix: &str) -> Vec<(String, Value)> {
    dict.iter()
        .flat_map(|(key, value)| {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Value::Dict(_, inner) => leaves(inner, &path),
                other => vec![(path, other.clone())],
            }
        })
        .collect()
}

/// The mistake without the value: it may be a secret.
fn plain(error: &figment::Error) -> String {
    use figment::error::Kind;
    match &error.kind {
        Kind::UnknownField(..) => "there is no such setting (docs/configuration.md lists them)".to_owned(),
        Kind::InvalidType(_, expected) => format!("expected {expected}"),
        Kind::InvalidValue(_, expected) => format!("not a valid value; expected {expected}"),
        Kind::UnknownVariant(_, allowed) => format!("not a valid value; one of {} expected", allowed.join(", ")),
        Kind::Message(message) => message.clone(),
        _ => "not a valid value".to_owned(),
    }
}

fn contradictions(config: &Config) -> Vec<String> {
    use secrecy::ExposeSecret;
    let mut mistakes = Vec::new();
    let mut check = |sound: bool, mistake: &str| {
        if !sound {
            mistakes.push(mistake.to_owned());
        }
    };
    let token_is_long = config.admin_token.as_ref().is_none_or(|token| token.expose_secret().len() >= 8);
    check(token_is_long, "admin_token: at least 8 characters expected");
    check(config.database.max_connections >= 2, "database.max_connections: at least 2 expected");
    check(config.identity.min_password_chars >= 12, "identity.min_password_chars: at least 12 expected");
    check(config.identity.browser_token_s >= 60, "identity.browser_token_s: at least 60 expected");
    check(config.identity.step_up_s >= 1, "identity.step_up_s: at least 1 expected");
    check(config.identity.max_sessions >= 1, "identity.max_sessions: at least 1 expected");
    check(config.identity.api_token_s >= 60, "identity.api_token_s: at least 60 expected");
    check(config.devices.heartbeat_interval_s >= 1, "devices.heartbeat_interval_s: at least 1 expected");
    check(config.devices.ingest_queue_messages >= 1, "devices.ingest_queue_messages: at least 1 expected");
    check(config.devices.batch_points >= 1, "devices.batch_points: at least 1 expected");
    let bridge_is_whole =
        config.bridge.addr.is_none() || (config.bridge.logins.is_some() && !config.bridge.devices.is_empty());
    check(bridge_is_whole, "bridge.addr: bridge.logins and bridge.devices are needed with it");
    let url_is_web = config
        .public_url
        .as_ref()
        .is_none_or(|url| (url.starts_with("http://") || url.starts_with("https://")) && !url.ends_with('/'));
    check(url_is_web, "public_url: http:// or https:// without a slash at the end expected");
    mistakes.extend(config.mqtt_external().err().map(|message| format!("mqtt_url: {message}")));
    let parts = config.mqtt.problems().into_iter().chain(config.http.problems());
    let parts = parts.chain(config.mail.problems()).chain(config.webhooks.problems());
    mistakes.extend(parts.map(|error| format!("{}: {}", error.field, error.message)));
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("portico.toml");
        std::fs::write(&file, text).unwrap();
        load(&Sources { file: Some(file), ..Sources::default() })
    }

    #[test]
    fn all_mistakes_are_told_at_once_without_values() {
        let error = from_toml(
            "http_addr = 'secret-nonsense'\nsignup = 'maybe'\nno_such_key = 1\n[database]\nmax_connections = 'x'",
        )
        .unwrap_err();
        assert_eq!(error.0.len(), 4, "{error}");
        assert!(!error.to_string().contains("secret-nonsense"), "{error}");
    }

    #[test]
    fn later_sources_win_and_the_rest_keeps_its_default() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("portico.toml");
        std::fs::write(&file, "mqtt_addr = '127.0.0.1:1999'\nhttp_addr = '127.0.0.1:4000'").unwrap();
        let config = load(&Sources {
            file: Some(file),
            environment: false,
            overrides: vec![
                ("http_addr".into(), "127.0.0.1:5000".into()),
                ("admin_token".into(), "1234567890123456".into()),
            ],
        })
        .unwrap();
        assert_eq!(config.http_addr.port(), 5000);
        assert_eq!(config.mqtt_addr.port(), 1999);
        assert_eq!(config.database.max_connections, 16);
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = load(&Sources {
            overrides: vec![("admin_token".into(), "a-very-secret-token".into())],
            ..Sources::default()
        })
        .unwrap();
        assert!(!format!("{config:?}").contains("very-secret"));
        assert!(!serde_json::to_string(&config).unwrap().contains("very-secret"));
    }
}
