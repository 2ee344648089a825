//! The web app: its files, its server functions, its pages.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use leptos::config::{Env, LeptosOptions};
use leptos::prelude::provide_context;
use portico_app::devices::Endpoints;
use portico_app::viewer::TimeZone;
use portico_identity::{MaybeAuth, RequestContext};
use portico_platform::{Config, Error};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::Domains;

/// What pages and server functions find in their context.
#[derive(Clone)]
pub struct Web {
    domains: Domains,
    config: Arc<Config>,
    endpoints: Endpoints,
    options: LeptosOptions,
    site: ServeDir,
}

impl Web {
    pub fn new(domains: Domains, config: Arc<Config>, endpoints: Endpoints) -> Self {
        // Pages are rendered by tasks of this runtime. A second server in the process finds it set already.
        let _ = any_spawner::Executor::init_tokio();
        let site_dir = site_dir(&config);
        if !site_dir.join("hash.txt").exists() {
            tracing::warn!(site = %site_dir.display(), "the web app's files are missing: pages will show, but not come alive");
        }
        Self { domains, config, endpoints, options: leptos_options(&site_dir), site: site(&site_dir) }
    }

    /// Everything that no other route takes.
    pub fn router(self) -> Router {
        Router::new().route("/sfn/{*name}", any(server_function)).fallback(file_or_page).with_state(self)
    }

    /// Puts the services and the one who asks where leptos finds them.
    fn context(
        &self,
        auth: MaybeAuth,
        request: RequestContext,
        time_zone: TimeZone,
    ) -> impl Fn() + Clone + Send + Sync + 'static {
        let web = self.clone();
        move || {
            provide_context(web.domains.identity.clone());
            provide_context(web.domains.notifications.clone());
            provide_context(web.domains.alarms.clone());
            provide_context(web.domains.devices.clone());
            provide_context(web.domains.access.clone());
            provide_context(web.domains.parking.clone());
            provide_context(Arc::clone(&web.config));
            provide_context(web.endpoints.clone());
            provide_context(auth.0.clone());
            provide_context(request.clone());
            provide_context(time_zone.clone());
        }
    }
}

/// As configured, else `site` beside the program.
fn site_dir(config: &Config) -> PathBuf {
    config.site_dir.clone().unwrap_or_else(|| {
        let program = std::env::current_exe().unwrap_or_default();
        program.parent().unwrap_or_else(|| Path::new(".")).join("site")
    })
}

fn leptos_options(site_dir: &Path) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("portico")
        .site_root(site_dir.to_string_lossy().into_owned())
        .site_pkg_dir("pkg")
        .hash_files(site_dir.join("hash.txt").exists())
        // Absolute, so that it is not looked for beside the program.
        .hash_file(
            std::path::absolute(site_dir.join("hash.txt")).unwrap_or_default().to_string_lossy().into_owned().into(),
        )
        .env(Env::PROD)
        .build()
}

fn site(dir: &Path) -> ServeDir {
    ServeDir::new(dir).precompressed_br().precompressed_gzip().append_index_html_on_directories(false)
}

async fn server_function(
    State(web): State<Web>,
    auth: MaybeAuth,
    context: RequestContext,
    request: Request,
) -> Response {
    leptos_axum::handle_server_fns_with_context(web.context(auth, context, TimeZone::default()), request)
        .await
        .into_response()
}

async fn file_or_page(State(web): State<Web>, auth: MaybeAuth, context: RequestContext, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found();
    }
    let path = request.uri().path().to_owned();
    if path.starts_with("/api/") || path.starts_with("/internal/") {
        return not_found();
    }
    let looks_like_file = path.rsplit('/').next().is_some_and(|name| name.contains('.')) && path != "/hash.txt";
    if looks_like_file {
        return file(&web, &path, request).await;
    }
    let options = web.options.clone();
    let time_zone = match &auth.0 {
        // A page that cannot know it shows the reader's own.
        Some(actor) => web.domains.identity.organization(actor).await.ok().and_then(|found| found.time_zone),
        None => None,
    };
    // The whole page at once, not in a stream: without JavaScript it is complete, and its status is right.
    let render =
        leptos_axum::render_app_async_with_context(web.context(auth, context, TimeZone(time_zone)), move || {
            portico_app::shell(options.clone())
        });
    render(request).await.into_response()
}

async fn file(web: &Web, path: &str, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let request = axum::http::Request::from_parts(parts, Body::empty());
    let mut response = match web.site.clone().oneshot(request).await {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    };
    if response.status() == StatusCode::NOT_FOUND {
        return not_found();
    }
    // Names under /pkg carry a hash of their content; everything else may change with the next version.
    let cache = if path.starts_with("/pkg/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if path == "/sw.js" {
        // A service worker is ruled by the policy of its own file, not by that of the pages it serves.
        let policy =
            HeaderValue::from_static("default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'self'");
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn not_found() -> Response {
    Error::not_found("not_found", "The requested resource was not found").into_response()
}
