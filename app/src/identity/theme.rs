//! Light, dark, or as the system has it: a cookie read on the server, so that no page flashes.

use leptos::prelude::*;

use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::ui::{Glyph, Icon};

/// Not a secret: the page reads and shows it.
#[cfg(feature = "ssr")]
const COOKIE: &str = "portico_theme";

/// What the person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "As the system",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// For `<meta name="color-scheme">`.
    #[must_use]
    pub const fn color_scheme(self) -> &'static str {
        match self {
            Self::System => "light dark",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == text).unwrap_or_default()
    }

    /// As the request's cookie says; in the browser the document already has it.
    #[must_use]
    pub fn of_request() -> Self {
        #[cfg(feature = "ssr")]
        return crate::server::cookie(COOKIE).map(|value| Self::parse(&value)).unwrap_or_default();
        #[cfg(not(feature = "ssr"))]
        Self::System
    }
}

/// Keeps the choice for a year.
#[server(name = SetTheme, prefix = "/sfn", endpoint = "identity/set_theme")]
pub async fn set_theme(theme: String) -> Result<(), Failure> {
    let theme = Theme::parse(&theme);
    crate::server::append_cookie(&format!("{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax", theme.as_str()));
    Ok(())
}

/// The choice, as a row of buttons; the page changes at once.
#[component]
pub fn ThemeChoice() -> impl IntoView {
    let form = FormState::of::<SetTheme>();
    let chosen = RwSignal::new(SharedValue::new(|| Theme::of_request().as_str().to_owned()).into_inner());
    Effect::new(move |_| {
        // After a client-side navigation only the document knows.
        if let Some(theme) = document().document_element().and_then(|root| root.get_attribute("data-theme")) {
            chosen.set(theme);
        }
    });
    view! {
        <PostForm form class="inline">
            <div class="segmented" role="group" aria-label="Colours">
                {Theme::ALL
                    .map(|theme| {
                        let glyph = match theme {
                            Theme::System => Glyph::System,
                            Theme::Light => Glyph::Sun,
                            Theme::Dark => Glyph::Moon,
                        };
                        view! {
                            <button
                                type="submit"
                                name="theme"
                                value=theme.as_str()
                                aria-pressed=move || if chosen.get() == theme.as_str() { "true" } else { "false" }
                                on:click=move |_| {
                                    chosen.set(theme.as_str().to_owned());
                                    crate::browser::set_attribute_of_root("data-theme", theme.as_str());
                                }
                            >
                                <Icon glyph />
                                <span>{theme.word()}</span>
                            </button>
                        }
                    })}
            </div>
        </PostForm>
    }
}
