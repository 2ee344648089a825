//! E-mail over SMTP (RFC 5321).

use std::error::Error as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use portico_model::{DeliveryId, Timestamp};
use secrecy::ExposeSecret;

use super::Mail;
use super::config::{MailConfig, MailTls};
use super::worker::Attempt;
use crate::error::{Error, Result};

/// The connection to the configured mail server, kept open for a while between messages.
pub(super) struct Mailer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    /// # Errors
    /// When the certificates cannot be read; the rest is checked with the configuration.
    pub fn new(config: &MailConfig) -> Result<Option<Self>> {
        let Some(host) = &config.host else { return Ok(None) };
        let from = config.from.parse().map_err(Error::internal)?;
        let (default_port, tls) = match config.tls {
            MailTls::Starttls => (587, Tls::Required(tls_parameters(host, config)?)),
            MailTls::Tls => (465, Tls::Wrapper(tls_parameters(host, config)?)),
            MailTls::None => (25, Tls::None),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(config.port.unwrap_or(default_port))
            .tls(tls)
            .timeout(Some(Duration::from_millis(config.timeout_ms)));
        if let (Some(user), Some(password)) = (&config.user, &config.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Some(Self { from, transport: builder.build() }))
    }

    /// One attempt. The message's id stays the same over all attempts, so that a reader's program knows a repetition.
    pub async fn send(&self, id: DeliveryId, mail: &Mail, now: Timestamp) -> Attempt {
        let Ok(to) = mail.to.parse::<lettre::Address>() else {
            return Attempt::Refused("the address is not one that mail can be sent to".to_owned());
        };
        let sent_at = UNIX_EPOCH + Duration::from_millis(u64::try_from(now.millis()).unwrap_or_default());
        let message = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&mail.subject)
            .date(sent_at)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // No absence note comes back to a program (RFC 3834, section 5).
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .singlepart(SinglePart::plain(mail.text.clone()));
        let message = match message {
            Ok(message) => message,
            Err(error) => return Attempt::Refused(format!("the message cannot be written: {error}")),
        };
        match self.transport.send(message).await {
            Ok(_) => Attempt::Delivered,
            Err(error) => judge(&error),
        }
    }
}

/// Codes about the mailbox or the message will be the same tomorrow (RFC 5321, section 4.2.3); all others, such as a
/// password the server does not take, may be mended.
fn judge(error: &lettre::transport::smtp::Error) -> Attempt {
    if let Some(code) = error.status() {
        let code = code.to_string();
        let answer: String = error.source().map(ToString::to_string).unwrap_or_default();
        let text = format!("the mail server answered {code} {}", super::printable(&answer, 160));
        let text = text.trim_end().to_owned();
        let about_this_message = matches!(code.as_str(), "550" | "551" | "552" | "553" | "554" | "556");
        return if about_this_message { Attempt::Refused(text) } else { Attempt::failed(text) };
    }
    let text = if error.is_timeout() {
        "the mail server did not answer in time"
    } else if error.is_tls() {
        "no secure connection to the mail server"
    } else if error.is_client() {
        "the mail server does not offer what the settings ask for (TLS, sign-in)"
    } else if error.is_response() {
        "the mail server's answer was not understood"
    } else {
        "the mail server cannot be reached"
    };
    Attempt::failed(text)
}

fn tls_parameters(host: &str, config: &MailConfig) -> Result<TlsParameters> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &config.tls_ca {
        for certificate in read_certificates(path)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(Error::internal)
}

/// # Errors
/// When the file cannot be read or holds no certificate.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<Certificate>> {
    let pem = std::fs::read(path).map_err(Error::internal)?;
    // One that holds none is a mistake too: lettre takes it for an empty list.
    if !pem.windows(11).any(|part| part == b"BEGIN CERTI") {
        return Err(Error::internal("no certificate in the file"));
    }
    Ok(vec![Certificate::from_pem(&pem).map_err(Error::internal)?])
}

/// Whether the text names a sender.
#[must_use]
pub(super) fn is_mailbox(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// The address alone of a sender.
pub(super) fn address_of(mailbox: &str) -> String {
    mailbox.parse::<Mailbox>().map_or_else(|_| mailbox.to_owned(), |mailbox| mailbox.email.to_string())
}
