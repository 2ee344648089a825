//! `/socket.io`: what happens at parking spots, for clients of the former server. Socket.IO protocol 5, as its own client
//! libraries speak it. Whoever connects says who he is: with `auth: { token }`, an `Authorization` or `X-API-Key` header, or
//! from a page of this host with his session; and hears of the spots of his organisation, if he may see them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, header};
use portico_identity::{Auth, Identity};
use portico_model::live::{Event, ServerMessage};
use portico_platform::hub::{Connection, Outgoing};
use portico_platform::{Actor, Error, Platform, Result, ws};
use serde::Deserialize;
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{Data, Extension, SocketRef, State, TryData};
use socketioxide::handler::ConnectHandler;
use tokio_util::sync::CancellationToken;

/// As the former server: a ping so often, and an answer to it within.
const PING_EVERY: Duration = Duration::from_secs(25);
const PONG_WITHIN: Duration = Duration::from_secs(20);

/// How long one who connects may take to say who he is.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// What is followed: all spots.
const TOPIC: &str = "parking";

/// Events taken at once.
const MOST: usize = 64;

#[derive(Clone)]
struct Live {
    platform: Platform,
    identity: Identity,
}

/// Somebody who was let in.
#[derive(Clone)]
struct Seat {
    actor: Actor,
    connection: Arc<Connection>,
}

/// What a client says when it connects.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Greeting {
    /// An access token.
    token: Option<String>,
}

#[derive(Deserialize)]
struct SpotWish {
    spot_id: String,
}

pub fn router(platform: Platform, identity: Identity) -> Router {
    let (tasks, shutdown) = (platform.tasks.clone(), platform.tasks.token());
    let limit = platform.config.http.live.message_limit_bytes;
    let (service, io) = SocketIo::builder()
        .ping_interval(PING_EVERY)
        .ping_timeout(PONG_WITHIN)
        .connect_timeout(FIRST_WORD)
        .max_payload(u64::try_from(limit).unwrap_or(u64::MAX))
        .ws_max_message_size(limit)
        .ws_max_frame_size(limit)
        .with_state(Live { platform, identity })
        .build_svc();
    io.ns("/", joined.with(let_in));
    tasks.spawn_once(async move {
        shutdown.cancelled().await;
        io.close().await;
    });
    Router::new().route_service("/socket.io/", service)
}

/// Who it is, and whether he may follow the spots; a refusal reaches the client as `connect_error`.
async fn let_in(socket: SocketRef, State(live): State<Live>, TryData(greeting): TryData<Greeting>) -> Result<()> {
    let mut parts = socket.req_parts().clone();
    // Without anything said there is nothing to read.
    if let Some(token) = greeting.unwrap_or_default().token {
        let token = HeaderValue::try_from(format!("Bearer {}", token.trim_start_matches("Bearer ")));
        let unreadable = |_| Error::unauthenticated("bad_token", "auth.token is no access token.");
        parts.headers.insert(header::AUTHORIZATION, token.map_err(unreadable)?);
    } else if !parts.headers.contains_key("x-api-key") {
        ws::check_origin(&parts.headers, &live.platform.config.http.cors_origins)?;
    }
    let Auth(actor) = Auth::from_request_parts(&mut parts, &()).await?;
    let connection = live.platform.hub.connect(&actor, live.platform.config.http.live.connections_per_user)?;
    follow(&connection, &actor).await?;
    socket.extensions.insert(Seat { actor, connection: Arc::new(connection) });
    Ok(())
}

async fn follow(connection: &Connection, actor: &Actor) -> Result<()> {
    let snapshot = connection.subscribe(actor, TOPIC).await?;
    connection.release(snapshot.slot);
    Ok(())
}

async fn joined(socket: SocketRef, State(live): State<Live>, Extension(seat): Extension<Seat>) {
    let gone = CancellationToken::new();
    let left = gone.clone();
    socket.on_disconnect(async move || left.cancel());
    socket.on("subscribe_spot", subscribed);
    let _ = socket.emit("connected", &json!({ "status": "Connected to parking system" }));
    live.platform.tasks.clone().spawn_once(async move {
        tell(&socket, &live, &seat, &gone).await;
        // Nothing, when it is gone already.
        let _ = socket.disconnect();
    });
}

/// Everybody hears of every spot, as formerly; this only says so.
async fn subscribed(socket: SocketRef, Data(wish): Data<SpotWish>) {
    let _ = socket.emit("subscribed", &json!({ "spot_id": wish.spot_id }));
}

/// Tells what happens, until one of the two ends it.
async fn tell(socket: &SocketRef, live: &Live, seat: &Seat, gone: &CancellationToken) {
    let every = Duration::from_millis(live.platform.config.http.live.recheck_ms);
    let mut recheck = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    let mut news = Vec::new();
    loop {
        tokio::select! {
            () = gone.cancelled() => return,
            taken = seat.connection.mailbox().take(&mut news, MOST) => if taken.is_err() { return },
            _ = recheck.tick() => if !live.identity.is_alive(&seat.actor).await { return },
        }
        for one in news.drain(..) {
            match one {
                Outgoing::Frame(text) => {
                    // A client that does not read is sent away; it connects again.
                    if let Some((name, payload)) = former(&text)
                        && socket.emit(name, &payload).is_err()
                    {
                        return;
                    }
                }
                Outgoing::Resync { .. } => {
                    if follow(&seat.connection, &seat.actor).await.is_err() {
                        return;
                    }
                }
                Outgoing::Lagged { .. } => {}
            }
        }
    }
}

/// The event of the former server that says the same; `None` where it had none.
fn former(text: &str) -> Option<(&'static str, Value)> {
    let Ok(ServerMessage::Event { data, .. }) = serde_json::from_str::<ServerMessage<Event>>(text) else { return None };
    match data {
        // It knew no third state.
        Event::SpotStatusChanged { spot_id, occupied: Some(occupied), timestamp, .. } => {
            Some(("spot_status_changed", json!({ "spot_id": spot_id, "occupied": occupied, "timestamp": timestamp })))
        }
        Event::SpotReserved { spot_id, reservation_id, .. } => {
            Some(("spot_reserved", json!({ "spot_id": spot_id, "reservation_id": reservation_id })))
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use portico_model::parking::spot::SpotStatus;
    use portico_model::{LotId, ReservationId, SpotId, Timestamp};

    use super::*;

    fn heard(data: Event) -> Option<(&'static str, Value)> {
        former(&serde_json::to_string(&ServerMessage::Event { topic: TOPIC.to_owned(), seq: 1, data }).unwrap())
    }

    #[test]
    fn events_are_those_of_the_contract() {
        let status = |occupied| Event::SpotStatusChanged {
            spot_id: "PARK_001".into(),
            key: SpotId::nil(),
            lot_id: LotId::nil(),
            occupied,
            status: SpotStatus::Occupied,
            timestamp: Timestamp::from_millis(1_795_226_400_000),
        };
        let (name, payload) = heard(status(Some(true))).unwrap();
        let at = "2026-11-21T02:00:00.000+00:00";
        assert_eq!(name, "spot_status_changed");
        assert_eq!(payload, json!({ "spot_id": "PARK_001", "occupied": true, "timestamp": at }));
        assert_eq!(heard(status(None)), None);
        let reservation_id = ReservationId::nil();
        let reserved = Event::SpotReserved {
            spot_id: "PARK_001".into(),
            key: SpotId::nil(),
            lot_id: LotId::nil(),
            reservation_id,
        };
        let payload = json!({ "spot_id": "PARK_001", "reservation_id": reservation_id });
        assert_eq!(heard(reserved), Some(("spot_reserved", payload)));
        assert_eq!(heard(Event::ParkingChanged), None);
        assert_eq!(former("{"), None);
    }
}
