//! A server on a free port with every layer around the routes of the test.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use portico_platform::http::{self, Metrics};
use portico_platform::{Clock, Config, Platform};
use tokio::task::JoinHandle;

/// Long enough for a loaded machine; a test that waits for it has failed.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}

pub struct Stand {
    pub platform: Platform,
    pub address: SocketAddr,
    pub client: reqwest::Client,
    serving: JoinHandle<portico_platform::Result<()>>,
    _dir: Option<tempfile::TempDir>,
}

impl Stand {
    pub async fn start(routes: Router) -> Self {
        Self::with(routes, |_| {}).await
    }

    pub async fn with(routes: Router, configure: impl FnOnce(&mut Config)) -> Self {
        let (dir, platform) = platform(configure).await;
        Self { _dir: Some(dir), ..Self::on(platform, routes).await }
    }

    pub async fn on(platform: Platform, routes: Router) -> Self {
        let config = &platform.config.http;
        let listening = http::listen("127.0.0.1:0".parse().unwrap(), None).await.unwrap().with_limits(config);
        let address = listening.address();
        let metrics = Metrics::install(config.metrics_token.clone()).unwrap();
        let router = http::wrap(routes, &platform, metrics);
        let deadline = Duration::from_millis(config.shutdown_ms);
        let serving = tokio::spawn(listening.serve(router, platform.tasks.token(), deadline));
        // As the server does at its start; a second test finds it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { platform, address, client, serving, _dir: None }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(self.url(path))
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(self.url(path))
    }

    /// Asks the server to stop and waits until it has; how long that took.
    pub async fn stop(self) -> Duration {
        let start = std::time::Instant::now();
        self.platform.tasks.shutdown(DEADLINE).await;
        within("the server ends", self.serving).await.unwrap().unwrap();
        start.elapsed()
    }
}

pub async fn platform(configure: impl FnOnce(&mut Config)) -> (tempfile::TempDir, Platform) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    configure(&mut config);
    (dir, Platform::open(config, Clock::system()).await.unwrap())
}
