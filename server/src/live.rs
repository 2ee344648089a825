//! `/ws`: the platform's websocket, for whom identity knows.

use std::sync::Arc;

use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use portico_identity::{Auth, Identity};
use portico_model::ErrorKind;
use portico_platform::{Actor, Platform, Result, ws};

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
    who: Result<Auth>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let origin = ws::check_origin(&headers, &live.platform.config.http.cors_origins);
    let is_page = headers.contains_key(header::ORIGIN) && !headers.contains_key(header::AUTHORIZATION);
    let actor = match (who, origin) {
        (Ok(Auth(actor)), Ok(())) => actor,
        (Err(error), Ok(())) if is_page && error.kind() == ErrorKind::Unauthenticated => return ws::turn_away(upgrade),
        (Err(error), _) | (Ok(_), Err(error)) => return error.into_response(),
    };
    let identity = live.identity.clone();
    let recheck: ws::Recheck = Arc::new(move |actor: Actor| {
        let identity = identity.clone();
        Box::pin(async move { identity.is_alive(&actor).await })
    });
    ws::serve(upgrade, &live.platform, actor, recheck)
}
