//! The browser's websocket: opens, pings, notices silence, comes back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use leptos::leptos_dom::helpers::{TimeoutHandle, set_timeout_with_handle};
use leptos::prelude::*;
use portico_model::live::ClientMessage;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{CloseEvent, MessageEvent, WebSocket};

use super::topics::{Reaction, Topics, backoff_ms};
use super::{LineState, Live, LiveUpdate};

/// Between pings of ours.
const PING_EVERY_MS: u64 = 20_000;
/// Silence for this long means that the line is dead, whatever the browser believes.
const DEAD_AFTER_MS: i64 = 45_000;
/// Close code of a server whose session for us has ended (`platform::ws`).
const SESSION_ENDED: u16 = 4401;

type Follower = Rc<dyn Fn(LiveUpdate)>;

#[derive(Default)]
struct Line {
    live: Option<Live>,
    socket: Option<Open>,
    topics: Topics,
    followers: BTreeMap<String, Vec<(u32, Follower)>>,
    next_follower: u32,
    attempt: u32,
    was_live: bool,
    heard_ms: i64,
    retry: Option<TimeoutHandle>,
}

/// A socket with its handlers, which must live as long as it.
struct Open {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}

thread_local! {
    static LINE: RefCell<Line> = RefCell::default();
}

fn with_line<T>(act: impl FnOnce(&mut Line) -> T) -> T {
    LINE.with(|line| act(&mut line.borrow_mut()))
}

/// Opens the line and keeps it open.
pub fn open(live: Live) {
    let first = with_line(|line| line.live.replace(live).is_none());
    connect();
    if first {
        // These last as long as the tab.
        set_interval(watch, Duration::from_millis(PING_EVERY_MS));
        let _online = window_event_listener_untyped("online", |_| connect_now());
        let _offline = window_event_listener_untyped("offline", |_| lost());
    }
}

/// Follows a topic; the number is for [`unfollow`].
pub fn follow(topic: &str, on_update: Follower) -> u32 {
    with_line(|line| {
        line.next_follower += 1;
        let follower = line.next_follower;
        line.followers.entry(topic.to_owned()).or_default().push((follower, on_update));
        // Also when followed already: the newcomer needs a snapshot.
        line.topics.add(topic);
        line.send(&ClientMessage::Subscribe { topics: vec![topic.to_owned()] });
        follower
    })
}

/// Ends a [`follow`].
pub fn unfollow(topic: &str, follower: u32) {
    with_line(|line| {
        let Some(followers) = line.followers.get_mut(topic) else { return };
        followers.retain(|(number, _)| *number != follower);
        if followers.is_empty() {
            line.followers.remove(topic);
            line.topics.remove(topic);
            line.send(&ClientMessage::Unsubscribe { topics: vec![topic.to_owned()] });
        }
    });
}

impl Line {
    fn send(&self, message: &ClientMessage) {
        if let Some(open) = &self.socket
            && open.socket.ready_state() == WebSocket::OPEN
            && let Ok(text) = serde_json::to_string(message)
        {
            let _ = open.socket.send_with_str(&text);
        }
    }

    fn set_state(&self, state: LineState) {
        if let Some(live) = self.live
            && live.state.get_untracked() != state
        {
            live.state.set(state);
        }
    }
}

fn address() -> String {
    let location = window().location();
    let scheme = if location.protocol().is_ok_and(|protocol| protocol == "https:") { "wss" } else { "ws" };
    format!("{scheme}://{}/ws", location.host().unwrap_or_default())
}

fn connect() {
    let Ok(socket) = WebSocket::new(&address()) else { return retry_later() };
    let on_open = Closure::new(opened);
    let on_message = Closure::new(|event: MessageEvent| {
        if let Some(text) = event.data().as_string() {
            received(&text);
        }
    });
    let on_close = Closure::new(|event: CloseEvent| {
        if event.code() == SESSION_ENDED {
            crate::browser::go_to(&format!("/login?signed_out=1&next={}", crate::browser::encoded_location()));
        } else {
            lost();
        }
    });
    socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
    socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
    let open = Open { socket, _on_open: on_open, _on_message: on_message, _on_close: on_close };
    let previous = with_line(|line| {
        if !line.was_live {
            line.set_state(LineState::Connecting);
        }
        line.heard_ms = crate::browser::now().millis();
        line.socket.replace(open)
    });
    drop(previous);
}

fn opened() {
    let live = with_line(|line| {
        line.attempt = 0;
        line.heard_ms = crate::browser::now().millis();
        let topics = line.topics.restart();
        if !topics.is_empty() {
            line.send(&ClientMessage::Subscribe { topics });
        }
        let returned = std::mem::replace(&mut line.was_live, true);
        line.live.filter(|_| returned)
    });
    if let Some(live) = live {
        live.returns.update(|returns| *returns += 1);
    }
    with_line(|line| line.live).inspect(|live| live.state.set(LineState::Live));
}

fn received(text: &str) {
    let message = serde_json::from_str(text);
    let deliver = with_line(|line| {
        line.heard_ms = crate::browser::now().millis();
        match line.topics.react(message.ok()?) {
            Reaction::Deliver { topic, update } => Some((line.followers.get(&topic)?.clone(), update)),
            Reaction::Resubscribe { topic } => {
                line.send(&ClientMessage::Subscribe { topics: vec![topic] });
                None
            }
            Reaction::Ignore => None,
        }
    });
    // Outside the borrow: a follower may follow or unfollow.
    if let Some((followers, update)) = deliver {
        for (_, follower) in followers {
            follower(update.clone());
        }
    }
}

fn lost() {
    let live = with_line(|line| {
        line.socket = None;
        line.live
    });
    if let Some(live) = live {
        live.state.set(LineState::Lost);
    }
    retry_later();
}

fn retry_later() {
    with_line(|line| {
        let wait = backoff_ms(line.attempt, js_sys::Math::random());
        line.attempt = line.attempt.saturating_add(1);
        if let Some(earlier) = line.retry.take() {
            earlier.clear();
        }
        line.retry = set_timeout_with_handle(connect, Duration::from_millis(u64::from(wait))).ok();
    });
}

fn connect_now() {
    with_line(|line| {
        line.attempt = 0;
        if let Some(earlier) = line.retry.take() {
            earlier.clear();
        }
    });
    connect();
}

fn watch() {
    let silent = with_line(|line| {
        line.send(&ClientMessage::Ping);
        line.socket.is_some() && crate::browser::now().millis() - line.heard_ms > DEAD_AFTER_MS
    });
    if silent {
        lost();
    }
}
