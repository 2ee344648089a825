//! Our own icons: strokes on a 20 by 20 grid, in the colour of the text around them.

use leptos::prelude::*;

/// What an icon shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    Accessible,
    Account,
    Alarm,
    Alert,
    Audit,
    Bell,
    Bolt,
    Car,
    Check,
    Clock,
    Copy,
    Cross,
    Devices,
    Download,
    Edit,
    Explore,
    Groups,
    Key,
    Link,
    Lock,
    Mail,
    Moon,
    Minus,
    More,
    Next,
    Offline,
    Online,
    Overview,
    Parking,
    Pause,
    Plus,
    Search,
    Settings,
    Shield,
    SignOut,
    Statistics,
    System,
    Sun,
    Trash,
    Unknown,
    Unlock,
    Users,
    Wrench,
}

impl Glyph {
    /// Strokes on a 20 by 20 grid, for drawings that hold icons.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Accessible => {
                "M8.75 5a1.25 1.25 0 1 0 0-2.5 1.25 1.25 0 0 0 0 2.5ZM8.75 6.75V12h4.5l2 4M8.75 8.75h4M6.75 9.9a4 4 0 1 0 5.4 5"
            }
            Self::Account => "M10 9.5a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5ZM3.5 17a6.5 6.5 0 0 1 13 0",
            Self::Alarm => "M5.5 13.5V9a4.5 4.5 0 0 1 9 0v4.5l1.75 2H3.75zM8.25 17.5a1.9 1.9 0 0 0 3.5 0",
            Self::Alert => "M10 3 2.5 16.5h15L10 3ZM10 8.5v3.5M10 14.2v.1",
            Self::Audit => "M5 2.75h7l3 3v11.5H5zM12 2.75v3h3M7.5 9.5h5M7.5 12h5M7.5 14.5h3",
            Self::Bell => "M4 14.5h12c-1.25-1.25-1.5-2.5-1.5-5.5a4.5 4.5 0 0 0-9 0c0 3-.25 4.25-1.5 5.5ZM8.25 17h3.5",
            Self::Bolt => "M11.25 2.5 4.5 11.5h5l-.75 6L15.5 8.5h-5z",
            Self::Car => {
                "M3.25 11.25 5 6h10l1.75 5.25v5h-2.25v-1.75h-9v1.75H3.25zM3.25 11.25h13.5M6 12.9v.1M14 12.9v.1"
            }
            Self::Check => "m4 10.5 4 4 8-9",
            Self::Clock => "M10 17.25a7.25 7.25 0 1 0 0-14.5 7.25 7.25 0 0 0 0 14.5ZM10 6v4l2.75 2",
            Self::Copy => "M7 7h9.25v9.25H7zM13 7V3.75H3.75V13H7",
            Self::Cross => "m5 5 10 10M15 5 5 15",
            Self::Devices => "M6 6h8v8H6zM8.5 6V3M11.5 6V3M8.5 17v-3M11.5 17v-3M6 8.5H3M6 11.5H3M17 8.5h-3M17 11.5h-3",
            Self::Download => "M10 3v9.5M6 9l4 4 4-4M3.5 16.5h13",
            Self::Edit => "M3.5 16.5l.75-3.5L13.5 3.75l2.75 2.75L7 15.75l-3.5.75ZM11.5 5.75l2.75 2.75",
            Self::Explore => "M3 16.5h14M3.5 13l3.5-4 3 2.5L16.5 4.5M12.5 4.25h4v4",
            Self::Groups => "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM14 11v6M11 14h6",
            Self::Key => "M7 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM9.5 10.5 16.5 3.5M13.5 6.5l2.25 2.25",
            Self::Link => {
                "M8.5 11.5a3.25 3.25 0 0 0 4.75.25l2.5-2.5a3.3 3.3 0 0 0-4.65-4.65L9.75 6M11.5 8.5a3.25 3.25 0 0 0-4.75-.25l-2.5 2.5a3.3 3.3 0 0 0 4.65 4.65L10.25 14"
            }
            Self::Lock => "M4.5 9h11v8h-11zM7 9V6.25a3 3 0 0 1 6 0V9M10 12v2",
            Self::Mail => "M3 5h14v10.5H3zM3.25 5.5 10 10.75l6.75-5.25",
            Self::Moon => "M16 11.75A6.75 6.75 0 0 1 8.25 4a6.75 6.75 0 1 0 7.75 7.75Z",
            Self::Minus => "M4 10h12",
            Self::More => "M5 9v2M4 10h2M10 9v2M9 10h2M15 9v2M14 10h2",
            Self::Next => "m8 4.5 5.5 5.5L8 15.5",
            Self::Offline => {
                "M3 3l14 14M6.25 12.25a5.3 5.3 0 0 1 5-1.4M3.5 9a9.2 9.2 0 0 1 4-2.3M10.5 6.3A9.2 9.2 0 0 1 16.5 9M10 15.75v.1"
            }
            Self::Online => "M3.5 9a9.2 9.2 0 0 1 13 0M6.25 12.25a5.3 5.3 0 0 1 7.5 0M10 15.75v.1",
            Self::Overview => "M3 17h14M4.5 17V9.5M15.5 17V9.5M2.75 8 10 3l7.25 5zM8 17v-4.5a2 2 0 0 1 4 0V17",
            Self::Parking => "M3.5 3.5h13v13h-13zM8 14V6h2.75a2.4 2.4 0 0 1 0 4.8H8",
            Self::Pause => "M7 4.5v11M13 4.5v11",
            Self::Plus => "M10 4v12M4 10h12",
            Self::Search => "M8.75 14.25a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM13 13l4 4",
            Self::Settings => "M3 6h7M14 6h3M12 3.75v4.5M3 14h3M10 14h7M8 11.75v4.5",
            Self::Shield => {
                "M10 2.75 4 5v4.75c0 3.5 2.5 6.25 6 7.5 3.5-1.25 6-4 6-7.5V5l-6-2.25ZM7.5 10l1.75 1.75L12.75 8"
            }
            Self::SignOut => "M8 3.5H4v13h4M12.5 6.5 16 10l-3.5 3.5M16 10H8",
            Self::System => "M3 4h14v9.5H3zM7 17h6M10 13.5V17",
            Self::Statistics => "M3.5 16.5h13M5.5 16.5V10M10 16.5v-13M14.5 16.5V7",
            Self::Sun => {
                "M10 13.25a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5ZM10 2.5V4M10 16v1.5M2.5 10H4M16 10h1.5M4.7 4.7l1 1M14.3 14.3l1 1M4.7 15.3l1-1M14.3 5.7l1-1"
            }
            Self::Trash => "M3.5 5.5h13M8 5.5V3.25h4V5.5M5 5.5l.75 11.25h8.5L15 5.5M8.25 8.5v5M11.75 8.5v5",
            Self::Unknown => "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.25c-.7.35-1.1.9-1.1 1.75M10 14.2v.1",
            Self::Unlock => "M4.5 9h11v8h-11zM7 9V6.25a3 3 0 0 1 5.75-1.2M10 12v2",
            Self::Users => {
                "M7.5 9.25a2.75 2.75 0 1 0 0-5.5 2.75 2.75 0 0 0 0 5.5ZM2 16.5a5.5 5.5 0 0 1 11 0M13 9.25a2.75 2.75 0 1 0-1.25-5.2M15 11.6a5.5 5.5 0 0 1 3 4.9"
            }
            Self::Wrench => {
                "M12.25 3.5a4 4 0 0 0-3.9 5.15L3.5 13.5l3 3 4.85-4.85a4 4 0 0 0 4.9-5.4L13.75 8.75l-2.5-2.5 2.5-2.5a4 4 0 0 0-1.5-.25Z"
            }
        }
    }
}

/// An icon beside a word; screen readers pass over it.
#[component]
pub fn Icon(glyph: Glyph) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
            <path d=glyph.path() />
        </svg>
    }
}
