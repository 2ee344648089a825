//! The document around the app, rendered on the server alone.

use leptos::config::LeptosOptions;
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags};

use crate::App;
use crate::identity::theme::Theme;

/// The whole HTML document.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let theme = Theme::of_request();
    #[cfg(feature = "ssr")]
    crate::server::set_page_headers();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.as_str()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
                <meta name="color-scheme" content=theme.color_scheme() />
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#f8f9fb" />
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#14171c" />
                <meta
                    name="description"
                    content="Portico runs a building: its devices, what they measure, and who may see it."
                />
                <link rel="manifest" href="/manifest.webmanifest" crossorigin="use-credentials" />
                <link rel="icon" href="/icons/icon.svg" type="image/svg+xml" />
                <link rel="icon" href="/icons/icon-192.png" type="image/png" sizes="192x192" />
                <link rel="apple-touch-icon" href="/icons/icon-192.png" />
                <HashedStylesheet options=options.clone() id="portico" />
                <HydrationScripts options=options.clone() />
                <script type="module" src="/register.js"></script>
                <script type="module" src="/passkeys.js"></script>
                <AutoReload options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
