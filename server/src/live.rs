//! `/ws`: the platform's websocket, for whom identity knows.

use std::sync::Arc;

use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use portico_identity::{Auth, Identity};
use portico_platform::{Actor, Platform, ws};

#[derive(Clone)]
struct Live {
    platform: Platform,
    identity: Identity,
}

pub fn router(platform: Platform, identity: Identity) -> Router {
    Router::new().route("/ws", get(connect)).with_state(Live { platform, identity })
}

async fn connect(
    State(live): State<Live>,
    headers: HeaderMap,
    Auth(actor): Auth,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Err(error) = ws::check_origin(&headers, &live.platform.config.http.cors_origins) {
        return error.into_response();
    }
    let identity = live.identity.clone();
    let recheck: ws::Recheck = Arc::new(move |actor: Actor| {
        let identity = identity.clone();
        Box::pin(async move { identity.is_alive(&actor).await })
    });
    ws::serve(upgrade, &live.platform, actor, recheck)
}
