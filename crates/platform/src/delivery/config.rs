//! The `mail` and `webhooks` parts of the configuration.

use std::path::PathBuf;

use portico_model::FieldError;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::mail;

/// The mail server that takes our messages, and the sender they name.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// Name of the mail server; unset: no e-mail leaves, and messages that would are kept as undelivered.
    pub host: Option<String>,
    /// Its port; unset: 587 with `starttls`, 465 with `tls`, 25 with `none`.
    pub port: Option<u16>,
    pub tls: MailTls,
    /// File with certificates (PEM) to believe beside the public ones.
    pub tls_ca: Option<PathBuf>,
    pub user: Option<String>,
    #[serde(serialize_with = "crate::config::shown_as_set")]
    pub password: Option<SecretString>,
    /// `Name <name@example.org>` or the address alone.
    pub from: String,
    /// Milliseconds that the server may take to answer a step.
    pub timeout_ms: u64,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// Plain at first, then TLS (RFC 3207); a server that does not offer it gets nothing.
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// No protection: for a server on this machine.
    None,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            tls: MailTls::Starttls,
            tls_ca: None,
            user: None,
            password: None,
            from: "Portico <portico@localhost>".to_owned(),
            timeout_ms: 20_000,
        }
    }
}

impl MailConfig {
    /// Whether e-mail can leave at all.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.host.is_some()
    }

    /// What does not go together, with the keys named.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut check = |sound: bool, field: &str, message: &str| {
            if !sound {
                problems.push(FieldError::new(field, message));
            }
        };
        check(mail::is_mailbox(&self.from), "mail.from", "`Name <name@example.org>` expected");
        check(self.host.as_ref().is_none_or(|host| !host.trim().is_empty()), "mail.host", "a server's name expected");
        check(self.user.is_some() == self.password.is_some(), "mail.user", "user and password go together");
        check(self.timeout_ms >= 100, "mail.timeout_ms", "at least 100 expected");
        check(
            self.tls_ca.as_ref().is_none_or(|path| mail::read_certificates(path).is_ok()),
            "mail.tls_ca",
            "a readable file with certificates (PEM) expected",
        );
        problems
    }
}

/// Where messages to other systems and to browsers' push services may go.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Whether addresses of this machine and of private networks are allowed, and plain `http://`.
    pub allow_private_addresses: bool,
    /// Milliseconds for one attempt.
    pub timeout_ms: u64,
    /// Webhooks that one organisation may have.
    pub max_per_organization: i64,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self { allow_private_addresses: false, timeout_ms: 10_000, max_per_organization: 20 }
    }
}

impl WebhooksConfig {
    /// What is out of range, with the keys named.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        if self.timeout_ms < 100 {
            problems.push(FieldError::new("webhooks.timeout_ms", "at least 100 expected"));
        }
        problems
    }
}
