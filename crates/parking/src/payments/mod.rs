//! Paying for reservations through Stripe. Without a key parking is paid for at the place.
//!
//! What is to be paid, and given back, stands in the database before Stripe is asked, and is asked for with the row's id as
//! idempotency key: whatever is lost on the way, it happens once. Webhooks are kept before they are answered and worked off
//! in any order; what never comes is asked for.

mod amounts;
mod events;
mod intents;
mod jobs;
mod refunds;
pub(crate) mod rest;
pub(crate) mod store;
pub mod stripe;

use portico_platform::config::StripeConfig;
use portico_platform::{Error, Result};
use secrecy::{ExposeSecret as _, SecretString};

pub use intents::Payable;
pub(crate) use jobs::spawn;

/// The account that money goes to.
pub struct Payments {
    client: stripe::Client,
    publishable_key: String,
    script_origin: String,
    webhook_secrets: Vec<SecretString>,
    tolerance_s: u64,
}

impl Payments {
    /// `None`: parking is paid for at the place.
    ///
    /// # Errors
    /// Invalid, when the configuration makes no sense.
    pub fn new(config: &StripeConfig) -> Result<Option<Self>> {
        let Some(secret_key) = config.secret_key.clone() else { return Ok(None) };
        let mut client = stripe::ClientConfig::new(secret_key);
        client.base_url.clone_from(&config.url);
        client.timeout_ms = config.timeout_ms;
        if let Some(version) = &config.version {
            client.api_version.clone_from(version);
        }
        let client = stripe::Client::new(&client).map_err(|error| Error::invalid("stripe", error.to_string()))?;
        let script_origin =
            stripe::script_origin(&config.script_url).map_err(|error| Error::invalid("stripe", error.to_string()))?;
        let secrets = config.webhook_secrets.as_ref().map(|secrets| secrets.expose_secret().to_owned());
        let secrets = secrets.unwrap_or_default();
        let secrets = secrets.split(',').map(str::trim).filter(|secret| !secret.is_empty());
        Ok(Some(Self {
            client,
            publishable_key: config.publishable_key.clone().unwrap_or_default(),
            script_origin,
            webhook_secrets: secrets.map(SecretString::from).collect(),
            tolerance_s: config.webhook_tolerance_s,
        }))
    }
}

/// What the caller is told when Stripe did not do it.
fn refused(error: &stripe::Error) -> Error {
    match error {
        stripe::Error::Declined { message, .. } => Error::conflict("payment_declined", message.clone()),
        error if error.is_retriable() => {
            Error::unavailable("payment_unavailable", "The payment service cannot be reached. Try again shortly.")
        }
        error => {
            tracing::error!(code = error.code(), %error, "Stripe refuses what we ask");
            Error::unavailable("payment_refused", "The payment service does not take the payment. It has been logged.")
        }
    }
}
