//! What I am told and where; for administrators, webhooks and what could not be delivered.

pub mod browsers;
pub mod messages;
pub mod page;
pub mod webhook;
pub mod webhooks;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_router::components::A;
use portico_model::identity::Permission;
use portico_model::notifications::{Delivery, MyPreferences, Preference, PushSubscription, Webhook, WebhookWithSecret};
use portico_model::{DeliveryId, Page, PushSubscriptionId, WebhookId};

use crate::failure::Failure;
use crate::load::{Ask, given};
use crate::viewer::use_viewer;

const MINE: &str = "/notifications";
const WEBHOOKS: &str = "/notifications/webhooks";
const MESSAGES: &str = "/notifications/messages";

/// What I am told.
#[server(name = GetPreferences, prefix = "/sfn", endpoint = "notifications/preferences", input = GetUrl)]
pub async fn get_preferences() -> Result<MyPreferences, Failure> {
    use crate::server::{actor, failed, notifications};

    notifications()?.my_preferences(&actor()?).await.map_err(failed)
}

/// Changes what I am told.
#[server(name = SetPreferences, prefix = "/sfn", endpoint = "notifications/set_preferences")]
pub async fn set_preferences(preferences: Vec<Preference>) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    notifications()?
        .set_my_preferences(&actor()?, &preferences)
        .await
        .map_err(|error| form_failed(SetPreferences::PATH, MINE, &[], failed(error)))?;
    form_done(SetPreferences::PATH, MINE, &[("done", "1")]);
    Ok(())
}

/// Sends me a test.
#[server(name = SendTest, prefix = "/sfn", endpoint = "notifications/test")]
pub async fn send_test(channel: String) -> Result<usize, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_notifications::TestChannel;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    let channel = if channel == "mail" { TestChannel::Mail } else { TestChannel::Push };
    let sent = notifications()?
        .send_test(&actor()?, channel)
        .await
        .map_err(|error| form_failed(SendTest::PATH, MINE, &[], failed(error)))?;
    form_done(SendTest::PATH, MINE, &[("done", "1")]);
    Ok(sent)
}

/// My browsers that get pushes.
#[server(name = ListBrowsers, prefix = "/sfn", endpoint = "notifications/browsers", input = GetUrl)]
pub async fn list_browsers() -> Result<Vec<PushSubscription>, Failure> {
    use crate::server::{actor, failed, notifications};

    notifications()?.my_browsers(&actor()?).await.map_err(failed)
}

/// Sends no more pushes to a browser of mine.
#[server(name = RemoveBrowser, prefix = "/sfn", endpoint = "notifications/remove_browser")]
pub async fn remove_browser(id: PushSubscriptionId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    notifications()?
        .unsubscribe(&actor()?, id)
        .await
        .map_err(|error| form_failed(RemoveBrowser::PATH, MINE, &[], failed(error)))?;
    form_done(RemoveBrowser::PATH, MINE, &[]);
    Ok(())
}

/// The organisation's webhooks.
#[server(name = ListWebhooks, prefix = "/sfn", endpoint = "notifications/webhooks", input = GetUrl)]
pub async fn list_webhooks() -> Result<Vec<Webhook>, Failure> {
    use crate::server::{actor, failed, notifications};

    notifications()?.webhooks(&actor()?).await.map_err(failed)
}

/// A webhook.
#[server(name = GetWebhook, prefix = "/sfn", endpoint = "notifications/webhook", input = GetUrl)]
pub async fn get_webhook(id: WebhookId) -> Result<Webhook, Failure> {
    use crate::server::{actor, failed, notifications};

    notifications()?.webhook(&actor()?, id).await.map_err(failed)
}

/// Adds a webhook; its secret is shown this once.
#[server(name = CreateWebhook, prefix = "/sfn", endpoint = "notifications/create_webhook")]
pub async fn create_webhook(
    name: String,
    url: String,
    #[server(default)] kinds: String,
    min_severity: String,
) -> Result<WebhookWithSecret, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    let values = [("name", name.as_str()), ("url", &url), ("kinds", &kinds), ("min_severity", &min_severity)];
    let refuse = |failure| form_failed(CreateWebhook::PATH, WEBHOOKS, &values, failure);
    let input = webhook_input(&name, &url, &kinds, &min_severity, true).map_err(refuse)?;
    let made = notifications()?.create_webhook(&actor()?, input).await.map_err(|error| refuse(failed(error)))?;
    form_done(CreateWebhook::PATH, WEBHOOKS, &[("name", &made.webhook.name), ("secret", &made.secret)]);
    Ok(made)
}

/// Changes a webhook.
#[server(name = UpdateWebhook, prefix = "/sfn", endpoint = "notifications/update_webhook")]
pub async fn update_webhook(
    id: WebhookId,
    name: String,
    url: String,
    #[server(default)] kinds: String,
    min_severity: String,
    active: String,
) -> Result<Webhook, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    let page = webhook_page(id);
    let values = [
        ("name", name.as_str()),
        ("url", &url),
        ("kinds", &kinds),
        ("min_severity", &min_severity),
        ("active", &active),
    ];
    let refuse = |failure| form_failed(UpdateWebhook::PATH, &page, &values, failure);
    let input = webhook_input(&name, &url, &kinds, &min_severity, active == "yes").map_err(refuse)?;
    let webhook = notifications()?.update_webhook(&actor()?, id, input).await.map_err(|error| refuse(failed(error)))?;
    form_done(UpdateWebhook::PATH, &page, &[]);
    Ok(webhook)
}

#[cfg(feature = "ssr")]
fn webhook_input(
    name: &str,
    url: &str,
    kinds: &str,
    min_severity: &str,
    is_active: bool,
) -> Result<portico_model::notifications::WebhookInput, Failure> {
    let severity = portico_model::alarms::Severity::parse(min_severity)
        .ok_or_else(|| Failure::field("min_severity", "Choose one of the severities."))?;
    Ok(portico_model::notifications::WebhookInput {
        name: name.to_owned(),
        url: url.to_owned(),
        kinds: kinds.split([',', ' ', '\n', '\r']).filter(|kind| !kind.is_empty()).map(ToOwned::to_owned).collect(),
        min_severity: severity,
        is_active,
    })
}

/// Sends a webhook a test.
#[server(name = TestWebhook, prefix = "/sfn", endpoint = "notifications/test_webhook")]
pub async fn test_webhook(id: WebhookId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    let page = webhook_page(id);
    notifications()?
        .test_webhook(&actor()?, id)
        .await
        .map_err(|error| form_failed(TestWebhook::PATH, &page, &[], failed(error)))?;
    form_done(TestWebhook::PATH, &page, &[("done", "1")]);
    Ok(())
}

/// Gives a webhook a new secret, shown this once.
#[server(name = RotateWebhookSecret, prefix = "/sfn", endpoint = "notifications/rotate_webhook_secret")]
pub async fn rotate_webhook_secret(id: WebhookId, overlap_s: i64) -> Result<WebhookWithSecret, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    let page = webhook_page(id);
    let made = notifications()?
        .rotate_webhook_secret(&actor()?, id, overlap_s)
        .await
        .map_err(|error| form_failed(RotateWebhookSecret::PATH, &page, &[], failed(error)))?;
    form_done(RotateWebhookSecret::PATH, &page, &[("name", &made.webhook.name), ("secret", &made.secret)]);
    Ok(made)
}

/// Removes a webhook.
#[server(name = DeleteWebhook, prefix = "/sfn", endpoint = "notifications/delete_webhook")]
pub async fn delete_webhook(id: WebhookId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_failed, notifications};

    let page = webhook_page(id);
    notifications()?
        .delete_webhook(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteWebhook::PATH, &page, &[], failed(error)))?;
    leptos_axum::redirect(WEBHOOKS);
    Ok(())
}

/// Messages on their way, delivered and undeliverable.
#[server(name = ListMessages, prefix = "/sfn", endpoint = "notifications/messages", input = GetUrl)]
pub async fn list_messages(
    #[server(default)] state: String,
    #[server(default)] channel: String,
    #[server(default)] webhook: String,
    #[server(default)] cursor: String,
    #[server(default)] limit: String,
) -> Result<Page<Delivery>, Failure> {
    use portico_model::notifications::{DeliveryChannel, DeliveryState};
    use portico_notifications::DeliveryQuery;

    use crate::server::{actor, failed, notifications};

    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let query = DeliveryQuery {
        state: DeliveryState::parse(&state),
        channel: DeliveryChannel::parse(&channel),
        webhook: some(webhook),
        cursor: some(cursor),
        limit: limit.parse().ok(),
    };
    notifications()?.deliveries(&actor()?, query).await.map_err(failed)
}

/// Sends an undeliverable message again.
#[server(name = RetryMessage, prefix = "/sfn", endpoint = "notifications/retry_message")]
pub async fn retry_message(id: DeliveryId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    notifications()?
        .retry_delivery(&actor()?, id)
        .await
        .map_err(|error| form_failed(RetryMessage::PATH, MESSAGES, &[], failed(error)))?;
    form_done(RetryMessage::PATH, MESSAGES, &[]);
    Ok(())
}

/// Drops a message that has not arrived.
#[server(name = DiscardMessage, prefix = "/sfn", endpoint = "notifications/discard_message")]
pub async fn discard_message(id: DeliveryId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, notifications};

    notifications()?
        .discard_delivery(&actor()?, id)
        .await
        .map_err(|error| form_failed(DiscardMessage::PATH, MESSAGES, &[], failed(error)))?;
    form_done(DiscardMessage::PATH, MESSAGES, &[]);
    Ok(())
}

fn webhook_page(id: WebhookId) -> String {
    format!("{WEBHOOKS}/{id}")
}

/// Between the pages of this domain, for those who may see more than their own.
#[component]
pub fn Tabs() -> impl IntoView {
    let manages = use_viewer().is_some_and(|viewer| viewer.role.may(Permission::ManageWebhooks));
    manages.then(|| {
        view! {
            <nav class="tabs" aria-label="Notifications">
                <A href=MINE exact=true>"For me"</A>
                <A href=WEBHOOKS>"Webhooks"</A>
                <A href=MESSAGES>"Messages"</A>
            </nav>
        }
    })
}

macro_rules! asks_nothing {
    ($($ask:ident),+) => {$(
        impl Ask for $ask {
            fn query(&self) -> Vec<(&'static str, String)> {
                Vec::new()
            }
        }
    )+};
}

asks_nothing!(GetPreferences, ListBrowsers, ListWebhooks);

impl Ask for GetWebhook {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

impl Ask for ListMessages {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("state", &self.state),
            ("channel", &self.channel),
            ("webhook", &self.webhook),
            ("cursor", &self.cursor),
            ("limit", &self.limit),
        ])
    }
}
