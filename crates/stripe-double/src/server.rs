//! Starting and stopping.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::listener::{CuttableListener, Switch};
use super::state::State;
use super::webhooks::Endpoint;
use super::{api, browser, operator, webhooks};

/// How a double is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port 0: any that is free.
    pub address: SocketAddr,
    pub secret_key: String,
    /// What the browser's `Stripe(…)` must be given.
    pub publishable_key: String,
    /// Where events go by themselves; a test can also deliver them itself.
    pub webhook: Option<Endpoint>,
    /// Seconds since 1970 at which the clock stands; `None`: the machine's clock.
    pub now_s: Option<i64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            secret_key: "sk_test_double".to_owned(),
            publishable_key: "pk_test_double".to_owned(),
            webhook: None,
            now_s: None,
        }
    }
}

/// A running double; it stops when dropped.
pub struct Double {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

pub(super) struct Shared {
    pub options: Options,
    /// `http://127.0.0.1:<port>`
    pub url: String,
    pub http: reqwest::Client,
    state: Mutex<State>,
}

impl Shared {
    /// Never held across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Double {
    /// # Errors
    /// When it cannot listen there.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.address).await?;
        let address = listener.local_addr()?;
        let http = webhooks::client().map_err(io::Error::other)?;
        let (queue, queued) = mpsc::unbounded_channel();
        let url = format!("http://{address}");
        let state = Mutex::new(State::new(url.clone(), options.now_s, options.webhook.clone(), queue));
        let shared = Arc::new(Shared { options, url, http, state });
        let app = Router::new()
            .merge(browser::routes())
            .route("/_double/events", get(operator::events))
            .route("/_double/fail_next", post(operator::fail_next))
            .route("/_double/webhook", post(operator::webhook))
            .route("/_double/payment_intents/{id}/{what}", post(operator::payment))
            .fallback(api::answer)
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let app = app.into_make_service_with_connect_info::<Switch>();
            // It never returns.
            let _ = axum::serve(CuttableListener(listener), app).await;
        });
        let courier = tokio::spawn(webhooks::deliver_by_itself(Arc::clone(&shared), queued));
        Ok(Self { shared, tasks: [server, courier] })
    }

    /// Where the API and the browser's part are: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    #[must_use]
    pub fn secret_key(&self) -> &str {
        &self.shared.options.secret_key
    }

    #[must_use]
    pub fn publishable_key(&self) -> &str {
        &self.shared.options.publishable_key
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
