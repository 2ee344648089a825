//! The one websocket per tab. Pages follow topics; what comes is handed to them in order, and when the line was down or
//! something was missed they get a fresh snapshot. The protocol is in `portico_model::live`.

pub mod fold;
#[cfg(feature = "hydrate")]
mod socket;
pub mod topics;

use leptos::prelude::*;
use portico_model::live::Event;

/// State of the line, as the light in the top bar shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineState {
    /// Before the page has come alive.
    #[default]
    Waiting,
    Connecting,
    Live,
    /// Was live or tried to be; trying again.
    Lost,
}

impl LineState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Lost => "lost",
        }
    }

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "Static page",
            Self::Connecting => "Connecting",
            Self::Live => "Live",
            Self::Lost => "Offline",
        }
    }
}

/// What a follower of a topic gets.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // handed on at once, never kept in numbers
pub enum LiveUpdate {
    /// The whole state of the topic.
    Snapshot(serde_json::Value),
    Event(Event),
}

/// The tab's line.
#[derive(Clone, Copy)]
pub struct Live {
    pub state: RwSignal<LineState>,
    /// How often the line came back: whoever depends on missed events refetches when this changes.
    pub returns: RwSignal<u32>,
}

pub(crate) fn provide_live() {
    provide_context(Live { state: RwSignal::new(LineState::Waiting), returns: RwSignal::new(0) });
}

/// The tab's line.
#[must_use]
pub fn use_live() -> Live {
    use_context::<Live>().unwrap_or_else(|| Live { state: RwSignal::default(), returns: RwSignal::default() })
}

impl Live {
    /// Opens the line once the page has come alive, and keeps it open.
    pub fn open(self) {
        #[cfg(feature = "hydrate")]
        Effect::new(move |_| socket::open(self));
    }
}

/// Follows a topic as long as the current owner lives. `topic` may change, and be absent.
pub fn follow(topic: impl Fn() -> Option<String> + 'static, on_update: impl Fn(LiveUpdate) + 'static) {
    #[cfg(feature = "hydrate")]
    {
        let on_update = std::rc::Rc::new(on_update);
        Effect::new(move |_| {
            if let Some(topic) = topic() {
                let follower = socket::follow(&topic, on_update.clone());
                on_cleanup(move || socket::unfollow(&topic, follower));
            }
        });
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = (topic, on_update);
    }
}
