//! The routes.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{Lazy, LazyRoute, SsrMode, path};

use crate::access::areas::page::AreasPage;
use crate::access::codes::page::CodesPage;
use crate::access::doors::detail::DoorPage;
use crate::access::doors::list::DoorsPage;
use crate::access::locks::detail::LockPage;
use crate::access::locks::list::LocksPage;
use crate::access::log::analytics::AnalyticsPage;
use crate::access::log::detail::AccessEventPage;
use crate::access::log::list::AccessLogPage;
use crate::access::people::detail::CardholderPage;
use crate::access::people::list::CardholdersPage;
use crate::access::plans::page::PlanPage;
use crate::access::policies::page::PoliciesPage;
use crate::access::readers::page::ReadersPage;
use crate::alarms::detail::AlarmPage;
use crate::alarms::edit::RulePage;
use crate::alarms::list::AlarmsPage;
use crate::alarms::rules::RulesPage;
use crate::audit::page::{AuditPage, SecurityEventsPage};
use crate::devices::detail::DevicePage;
use crate::devices::list::DevicesPage;
use crate::devices::register::RegisterPage;
use crate::errors::{NotFound, OfflinePage};
use crate::explore::page::ExplorePage;
use crate::firmware::image::ImagePage;
use crate::firmware::page::FirmwarePage;
use crate::firmware::rollout::RolloutPage;
use crate::groups::detail::GroupPage;
use crate::groups::list::GroupsPage;
use crate::identity::account::AccountPage;
use crate::identity::api_keys::ApiKeysPage;
use crate::identity::factors::AppPage;
use crate::identity::invitations::{InvitationPage, InvitationsPage};
use crate::identity::login::LoginPage;
use crate::identity::person::PersonPage;
use crate::identity::reset::{ForgotPasswordPage, ResetPasswordPage};
use crate::identity::second_step::SecondFactorPage;
use crate::identity::settings::SettingsPage;
use crate::identity::setup::SetupPage;
use crate::identity::sign_up::{SignUpPage, VerifyEmailPage};
use crate::identity::statistics::StatisticsPage;
use crate::identity::step_up::StepUpPage;
use crate::identity::users::UsersPage;
use crate::layout::Layout;
use crate::notifications::messages::MessagesPage;
use crate::notifications::page::NotificationsPage;
use crate::notifications::webhook::WebhookPage;
use crate::notifications::webhooks::WebhooksPage;
use crate::overview::OverviewPage;
use crate::parking::analytics::page::ParkingAnalyticsPage;
use crate::parking::codes::page::SpotCodesPage;
use crate::parking::edit::page::EditLotPage;
use crate::parking::lot::page::LotPage;
use crate::parking::overview::ParkingPage;
use crate::parking::permits::page::PermitsPage;
use crate::parking::reservations::list::ReservationsPage;
use crate::parking::reservations::pass::page::ReservationPage;
use crate::parking::reservations::pay::page::PayPage;
use crate::parking::reservations::reserve::page::ReservePage;
use crate::parking::sensors::page::SensorsPage;
use crate::parking::spot::page::SpotPage;
use crate::parking::stays::page::StaysPage;
use crate::parking::tariffs::edit::TariffPage;
use crate::parking::tariffs::list::TariffsPage;
use crate::parking::walk_up::page::WalkUpPage;
use crate::parking::walk_up::pass::page::StayPage;

/// Pages by the module they come in. The browser loads a module when one of its pages is first visited; the server names it
/// in the document, so that it comes with the rest. A page's line: the name that its route has below, and the component.
macro_rules! lazy_pages {
    ($($module:ident { $($route:ident => $page:ident),+ $(,)? })+) => {$($(
        mod $route {
            use super::*;

            pub struct Page;

            impl LazyRoute for Page {
                fn data() -> Self {
                    Self
                }

                async fn view(_: Self) -> AnyView {
                    $route().await
                }

                // Without it the page would not be there yet when the browser takes over what the server rendered.
                async fn preload() {
                    #[cfg(feature = "hydrate")]
                    pastey::paste!([<__preload_ $route>]().await);
                }
            }

            #[lazy($module)]
            fn $route() -> AnyView {
                view! { <$page /> }.into_any()
            }
        }
    )+)+};
}

lazy_pages! {
    entry {
        login => LoginPage,
        setup => SetupPage,
        second_factor => SecondFactorPage,
        sign_up => SignUpPage,
        verify_email => VerifyEmailPage,
        forgot_password => ForgotPasswordPage,
        reset_password => ResetPasswordPage,
        invitation => InvitationPage,
    }
    account { account => AccountPage, account_app => AppPage, step_up => StepUpPage }
    overview { overview => OverviewPage }
    devices { devices => DevicesPage, device => DevicePage, register => RegisterPage }
    alarms { alarms => AlarmsPage, alarm => AlarmPage, rules => RulesPage, new_rule => RulePage, rule => RulePage }
    access {
        locks => LocksPage, lock => LockPage, doors => DoorsPage, door => DoorPage,
        access_log => AccessLogPage, access_event => AccessEventPage, analytics => AnalyticsPage,
        cardholders => CardholdersPage, cardholder => CardholderPage, policies => PoliciesPage,
        codes => CodesPage, plan => PlanPage, areas => AreasPage, readers => ReadersPage,
    }
    parking {
        parking => ParkingPage, parking_sensors => SensorsPage, parking_spot => SpotPage, parking_lot => LotPage,
        parking_edit => EditLotPage, spot_codes => SpotCodesPage,
    }
    reservations {
        reserve => ReservePage, reservations => ReservationsPage, reservation => ReservationPage,
        pay => PayPage,
    }
    parking_analytics { parking_analytics => ParkingAnalyticsPage }
    vehicles { parking_stays => StaysPage, parking_permits => PermitsPage }
    walk_up { walk_up => WalkUpPage, stay => StayPage }
    tariffs { tariffs => TariffsPage, new_tariff => TariffPage, tariff => TariffPage }
    firmware { firmware => FirmwarePage, image => ImagePage, rollout => RolloutPage }
    notifications {
        notifications => NotificationsPage, webhooks => WebhooksPage, webhook => WebhookPage, messages => MessagesPage
    }
    explore { groups => GroupsPage, group => GroupPage, explore => ExplorePage }
    administration {
        users => UsersPage, invitations => InvitationsPage, person => PersonPage, api_keys => ApiKeysPage,
        audit => AuditPage, security_events => SecurityEventsPage, settings => SettingsPage,
        statistics => StatisticsPage,
    }
}

/// The app. Pages are rendered whole before they are sent (`SsrMode::Async`), so that they read without JavaScript
/// and carry the right status code.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    crate::viewer::provide_viewer();
    crate::time::provide_now();
    crate::identity::step_up::provide_step_up();
    crate::live::provide_live();
    crate::ui::toast::provide_toasts();

    view! {
        <Title formatter=|title: String| {
            if title.is_empty() { "Portico".to_owned() } else { format!("{title} · Portico") }
        } />
        <Router>
            <Routes fallback=NotFound>
                <Route path=path!("/login") view={Lazy::<login::Page>::new()} ssr=SsrMode::Async />
                <Route
                    path=path!("/login/second-factor")
                    view={Lazy::<second_factor::Page>::new()}
                    ssr=SsrMode::Async
                />
                <Route path=path!("/register") view={Lazy::<sign_up::Page>::new()} ssr=SsrMode::Async />
                <Route path=path!("/verify-email") view={Lazy::<verify_email::Page>::new()} ssr=SsrMode::Async />
                <Route path=path!("/forgot-password") view={Lazy::<forgot_password::Page>::new()} ssr=SsrMode::Async />
                <Route path=path!("/reset-password") view={Lazy::<reset_password::Page>::new()} ssr=SsrMode::Async />
                <Route path=path!("/invitation") view={Lazy::<invitation::Page>::new()} ssr=SsrMode::Async />
                <Route path=path!("/setup") view={Lazy::<setup::Page>::new()} ssr=SsrMode::Async />
                <Route path=path!("/park/:key") view={Lazy::<walk_up::Page>::new()} ssr=SsrMode::Async />
                <Route path=path!("/park/pass/:token") view={Lazy::<stay::Page>::new()} ssr=SsrMode::Async />
                <Route path=path!("/offline") view=OfflinePage ssr=SsrMode::Async />
                <ParentRoute path=path!("") view=Layout ssr=SsrMode::Async>
                    <Route path=path!("") view={Lazy::<overview::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/access_logs") view={Lazy::<access_log::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/access_logs/:id") view={Lazy::<access_event::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/analytics") view={Lazy::<analytics::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/devices") view={Lazy::<devices::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/devices/new") view={Lazy::<register::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/devices/:id") view={Lazy::<device::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/alarms") view={Lazy::<alarms::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/alarms/rules") view={Lazy::<rules::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/alarms/rules/new") view={Lazy::<new_rule::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/alarms/rules/:id") view={Lazy::<rule::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/alarms/:id") view={Lazy::<alarm::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/firmware") view={Lazy::<firmware::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/firmware/:id") view={Lazy::<image::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/firmware/rollouts/:id") view={Lazy::<rollout::Page>::new()} ssr=SsrMode::Async />
                    <Route
                        path=path!("/notifications")
                        view={Lazy::<notifications::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/notifications/webhooks")
                        view={Lazy::<webhooks::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/notifications/webhooks/:id")
                        view={Lazy::<webhook::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/notifications/messages")
                        view={Lazy::<messages::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("/cardholders") view={Lazy::<cardholders::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/cardholders/:id") view={Lazy::<cardholder::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/policies") view={Lazy::<policies::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/codes") view={Lazy::<codes::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/locks") view={Lazy::<locks::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/locks/:id") view={Lazy::<lock::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/doors") view={Lazy::<doors::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/doors/plan") view={Lazy::<plan::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/doors/areas") view={Lazy::<areas::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/doors/readers") view={Lazy::<readers::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/doors/:id") view={Lazy::<door::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/parking") view={Lazy::<parking::Page>::new()} ssr=SsrMode::Async />
                    <Route
                        path=path!("/parking/sensors")
                        view={Lazy::<parking_sensors::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/parking/analytics")
                        view={Lazy::<parking_analytics::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/parking/sessions")
                        view={Lazy::<parking_stays::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/parking/permits")
                        view={Lazy::<parking_permits::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/parking/spots/:id")
                        view={Lazy::<parking_spot::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("/parking/reserve") view={Lazy::<reserve::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/parking/tariffs") view={Lazy::<tariffs::Page>::new()} ssr=SsrMode::Async />
                    <Route
                        path=path!("/parking/tariffs/new")
                        view={Lazy::<new_tariff::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("/parking/tariffs/:id") view={Lazy::<tariff::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/reservations") view={Lazy::<reservations::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/reservations/:id") view={Lazy::<reservation::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/reservations/:id/pay") view={Lazy::<pay::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/parking/:lot") view={Lazy::<parking_lot::Page>::new()} ssr=SsrMode::Async />
                    <Route
                        path=path!("/parking/:lot/edit")
                        view={Lazy::<parking_edit::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/parking/:lot/codes")
                        view={Lazy::<spot_codes::Page>::new()}
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("/groups") view={Lazy::<groups::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/groups/:id") view={Lazy::<group::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/explore") view={Lazy::<explore::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/users") view={Lazy::<users::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/invitations") view={Lazy::<invitations::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/account/app") view={Lazy::<account_app::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/step-up") view={Lazy::<step_up::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/account") view={Lazy::<account::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/users/:id") view={Lazy::<person::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/api_keys") view={Lazy::<api_keys::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/audit") view={Lazy::<audit::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/security_events") view={Lazy::<security_events::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/settings") view={Lazy::<settings::Page>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/admin") view={Lazy::<statistics::Page>::new()} ssr=SsrMode::Async />
                </ParentRoute>
            </Routes>
        </Router>
        <crate::ui::toast::Toasts />
    }
}
