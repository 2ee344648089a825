//! The requests, and trying again.

use std::time::Duration;

use rand::Rng;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, redirect};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use super::answer::{self, Failure};
use super::config::{ClientConfig, ConfigError, check_base_url};
use super::error::Error;
use super::ids::{IdempotencyKey, PaymentIntentId, RefundId};
use super::objects::{PaymentIntent, Refund};
use super::requests::{CancellationReason, Confirmation, NewPaymentIntent, NewRefund};

/// No pause between attempts is longer; when Stripe asks for more, the caller has to come back later.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Stripe's API. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    max_retries: u32,
    first_pause: Duration,
}

struct Request<'a> {
    method: Method,
    path: String,
    /// What a POST says, and its key.
    form: Option<(String, &'a IdempotencyKey)>,
}

impl Client {
    /// # Errors
    /// When the configuration makes no sense, or the system has no certificates to believe.
    pub fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        let base_url = check_base_url(&config.base_url)?;
        let bearer = format!("Bearer {}", config.secret_key.expose_secret());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| ConfigError::SecretKey)?;
        bearer.set_sensitive(true);
        let version = HeaderValue::from_str(&config.api_version).map_err(|_| ConfigError::ApiVersion)?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert("stripe-version", version);
        // Set already in the server; a second time changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            .timeout(Duration::from_millis(config.timeout_ms))
            .user_agent(concat!("Portico/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .build()?;
        let first_pause = Duration::from_millis(config.first_pause_ms);
        Ok(Self { http, base_url, max_retries: config.max_retries, first_pause })
    }

    /// Begins a payment. The answer's client secret lets the payer's browser complete it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_payment_intent(
        &self,
        key: &IdempotencyKey,
        new: &NewPaymentIntent,
    ) -> Result<PaymentIntent, Error> {
        self.post("/v1/payment_intents".to_owned(), new.form(), key).await
    }

    /// # Errors
    /// See [`Error`].
    pub async fn retrieve_payment_intent(&self, id: &PaymentIntentId) -> Result<PaymentIntent, Error> {
        self.get(format!("/v1/payment_intents/{id}")).await
    }

    /// Tries to take the money. `Ok` does not mean paid: look at the status.
    ///
    /// # Errors
    /// [`Error::Declined`] when the bank says no; the payment can be confirmed again, under another key. See [`Error`].
    pub async fn confirm_payment_intent(
        &self,
        key: &IdempotencyKey,
        id: &PaymentIntentId,
        confirmation: &Confirmation,
    ) -> Result<PaymentIntent, Error> {
        self.post(format!("/v1/payment_intents/{id}/confirm"), confirmation.form(), key).await
    }

    /// Calls a payment off. One that succeeded cannot be called off, only refunded.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn cancel_payment_intent(
        &self,
        key: &IdempotencyKey,
        id: &PaymentIntentId,
        reason: Option<CancellationReason>,
    ) -> Result<PaymentIntent, Error> {
        self.post(format!("/v1/payment_intents/{id}/cancel"), CancellationReason::form(reason), key).await
    }

    /// Gives money back, all or a part. `Ok` does not mean arrived: look at the status, and listen for `refund.failed`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] when more is asked than is left. See [`Error`].
    pub async fn create_refund(&self, key: &IdempotencyKey, new: &NewRefund) -> Result<Refund, Error> {
        self.post("/v1/refunds".to_owned(), new.form(), key).await
    }

    /// # Errors
    /// See [`Error`].
    pub async fn retrieve_refund(&self, id: &RefundId) -> Result<Refund, Error> {
        self.get(format!("/v1/refunds/{id}")).await
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, Error> {
        self.send(&Request { method: Method::GET, path, form: None }).await
    }

    async fn post<T: DeserializeOwned>(&self, path: String, form: String, key: &IdempotencyKey) -> Result<T, Error> {
        self.send(&Request { method: Method::POST, path, form: Some((form, key)) }).await
    }

    /// Sends until there is an answer, or no sense in another attempt. It is always the same request with the same key.
    async fn send<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Error> {
        let mut unknown = None;
        let mut retries = 0;
        loop {
            let failure = match self.attempt(request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = failure.should_retry.unwrap_or_else(|| failure.error.is_retriable());
            let pause = pause(self.first_pause, retries, failure.retry_after, rand::rng().random());
            let (true, true, Some(pause)) = (again, retries < self.max_retries, pause) else {
                return Err(verdict(unknown, failure.error));
            };
            let (path, code) = (&request.path, failure.error.code());
            tracing::debug!(path, code, retries, pause_ms = pause.as_millis(), "asking Stripe again");
            if failure.error.may_be_done() {
                unknown = Some(failure.error);
            }
            tokio::time::sleep(pause).await;
            retries += 1;
        }
    }

    async fn attempt<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Failure> {
        let url = format!("{}{}", self.base_url, request.path);
        let mut builder = self.http.request(request.method.clone(), url);
        if let Some((form, key)) = &request.form {
            builder = builder
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("idempotency-key", key.as_str())
                .body(form.clone());
        }
        let response = builder.send().await.map_err(|error| answer::network(&error))?;
        answer::read(response).await
    }
}

/// What the caller hears: of an attempt that may have been done and a last one that says nothing of it, the former.
fn verdict(unknown: Option<Error>, last: Error) -> Error {
    match unknown {
        Some(unknown) if last.says_nothing_of_earlier_attempts() => unknown,
        _ => last,
    }
}

/// How long to wait after `retries` retries: doubling, a quarter less at most (`chance` from 0 to 1) so that many do not come
/// back at the same moment, and no less than Stripe asks for. `None`: longer than anybody here waits.
fn pause(first: Duration, retries: u32, asked: Option<Duration>, chance: f64) -> Option<Duration> {
    let doubled = first.saturating_mul(2_u32.saturating_pow(retries)).min(LONGEST_PAUSE);
    let ours = doubled.mul_f64(1.0 - chance / 4.0);
    let pause = asked.map_or(ours, |asked| asked.max(ours));
    (pause <= LONGEST_PAUSE).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(500);

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let ms: Vec<u128> = (0..6).filter_map(|n| pause(FIRST, n, None, 0.0)).map(|pause| pause.as_millis()).collect();
        assert_eq!(ms, [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(pause(FIRST, 0, None, 1.0), Some(Duration::from_millis(375)));
        assert_eq!(pause(FIRST, u32::MAX, None, 0.0), Some(LONGEST_PAUSE));
    }

    #[test]
    fn stripe_can_ask_for_more_time_but_not_for_any() {
        assert_eq!(pause(FIRST, 0, Some(Duration::from_secs(3)), 0.0), Some(Duration::from_secs(3)));
        assert_eq!(pause(FIRST, 0, Some(Duration::ZERO), 0.0), Some(FIRST));
        assert_eq!(pause(FIRST, 0, Some(Duration::from_secs(6)), 0.0), None);
    }

    #[test]
    fn what_may_have_happened_outweighs_a_last_word_that_says_nothing_of_it() {
        let limited = Error::RateLimited { retry_after_s: None };
        assert_eq!(verdict(None, limited.clone()), limited);
        assert_eq!(verdict(Some(Error::Timeout), limited), Error::Timeout);
        assert_eq!(verdict(Some(Error::Timeout), Error::IdempotencyConflict), Error::IdempotencyConflict);
        let declined =
            Error::Declined { code: "card_declined".into(), decline_code: None, message: "Declined.".into() };
        assert_eq!(verdict(Some(Error::Timeout), declined.clone()), declined);
    }

    #[test]
    fn a_client_does_not_show_its_key() {
        let client = Client::new(&ClientConfig::new("sk_test_hidden".into())).unwrap();
        assert!(!format!("{client:?}").contains("sk_test_hidden"));
    }

    #[test]
    fn a_key_that_is_no_header_is_refused() {
        let config = ClientConfig::new("sk_test\n".into());
        assert!(matches!(Client::new(&config), Err(ConfigError::SecretKey)));
    }
}
