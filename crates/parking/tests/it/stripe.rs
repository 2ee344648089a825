//! The client against the double, over real HTTP.

mod browser;
mod client;
mod double;
mod retries;
mod webhooks;

use std::collections::BTreeMap;

use portico_parking::stripe::{AllowRedirects, Client, ClientConfig, Confirmation, IdempotencyKey, NewPaymentIntent};
use portico_stripe_double::{Double, Options};

async fn start() -> Double {
    Double::start(Options::default()).await.unwrap()
}

fn config(double: &Double) -> ClientConfig {
    ClientConfig {
        base_url: double.url().to_owned(),
        first_pause_ms: 20,
        ..ClientConfig::new(double.secret_key().into())
    }
}

fn client(double: &Double) -> Client {
    Client::new(&config(double)).unwrap()
}

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

/// A payment that can be confirmed without a browser.
fn new_payment(amount_minor: i64) -> NewPaymentIntent {
    NewPaymentIntent {
        metadata: BTreeMap::from([("session".to_owned(), "0198f3".to_owned())]),
        description: Some("Parking".to_owned()),
        allow_redirects: AllowRedirects::Never,
        ..NewPaymentIntent::new(amount_minor, "eur".parse().unwrap())
    }
}

fn with(payment_method: &str) -> Confirmation {
    Confirmation { payment_method: payment_method.parse().unwrap(), return_url: None }
}

fn event_types(double: &Double) -> Vec<String> {
    double.take_events().into_iter().map(|event| event.event_type).collect()
}
