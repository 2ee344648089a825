//! The routes.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::audit::page::AuditPage;
use crate::devices::detail::DevicePage;
use crate::devices::list::DevicesPage;
use crate::devices::register::RegisterPage;
use crate::errors::{NotFound, OfflinePage};
use crate::identity::account::AccountPage;
use crate::identity::login::LoginPage;
use crate::identity::setup::SetupPage;
use crate::identity::users::UsersPage;
use crate::layout::Layout;
use crate::overview::OverviewPage;

/// The app. Pages are rendered whole before they are sent (`SsrMode::Async`), so that they read without JavaScript
/// and carry the right status code.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    crate::viewer::provide_viewer();
    crate::time::provide_now();
    crate::live::provide_live();
    crate::ui::toast::provide_toasts();

    view! {
        <Title formatter=|title: String| {
            if title.is_empty() { "Portico".to_owned() } else { format!("{title} · Portico") }
        } />
        <Router>
            <Routes fallback=NotFound>
                <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async />
                <Route path=path!("/setup") view=SetupPage ssr=SsrMode::Async />
                <Route path=path!("/offline") view=OfflinePage ssr=SsrMode::Async />
                <ParentRoute path=path!("") view=Layout ssr=SsrMode::Async>
                    <Route path=path!("") view=OverviewPage ssr=SsrMode::Async />
                    <Route path=path!("/devices") view=DevicesPage ssr=SsrMode::Async />
                    <Route path=path!("/devices/new") view=RegisterPage ssr=SsrMode::Async />
                    <Route path=path!("/devices/:id") view=DevicePage ssr=SsrMode::Async />
                    <Route path=path!("/users") view=UsersPage ssr=SsrMode::Async />
                    <Route path=path!("/account") view=AccountPage ssr=SsrMode::Async />
                    <Route path=path!("/audit") view=AuditPage ssr=SsrMode::Async />
                </ParentRoute>
            </Routes>
        </Router>
        <crate::ui::toast::Toasts />
    }
}
