//! A state in a few letters: colour, icon and word together, never colour alone.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// What the state means for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Ok,
    Attention,
    Danger,
    /// Not known: never the colour of a known state.
    Unknown,
    Neutral,
}

impl Tone {
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Ok => "badge badge-ok",
            Self::Attention => "badge badge-attention",
            Self::Danger => "badge badge-danger",
            Self::Unknown => "badge badge-unknown",
            Self::Neutral => "badge badge-neutral",
        }
    }
}

/// A state.
#[component]
pub fn Badge(tone: Tone, glyph: Glyph, #[prop(into)] word: String) -> impl IntoView {
    view! {
        <span class=tone.class()>
            <Icon glyph />
            {word}
        </span>
    }
}
