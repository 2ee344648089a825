//! The domain on a real SQLite and a real PostgreSQL, with a mail server, a push service and a webhook's receiver of our own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browsers;
mod deliveries;
mod notify;
mod preferences;
mod rest;
mod webhooks;

use portico_identity::{Identity, NewUser, RequestContext, SessionKind};
use portico_model::alarms::Severity;
use portico_model::identity::{Role, User};
use portico_model::notifications::{
    Audience, NewPushSubscription, Notification, PushKeys, PushSubscription, WebhookInput,
};
use portico_notifications::Notifications;
use portico_platform::testing::{
    MailCatcher, PushService, TestPlatform, WebhookReceiver, each_database_with, eventually,
};
use portico_platform::{Actor, Config, Error, delivery};

pub const PASSWORD: &str = "copper lantern under fjord";

/// A platform with an administrator, and whoever messages go to.
pub struct World<'a> {
    pub test: TestPlatform,
    pub identity: Identity,
    pub notifications: Notifications,
    pub admin: Actor,
    pub mail: &'a MailCatcher,
    pub push: &'a PushService,
    pub receiver: &'a WebhookReceiver,
}

pub async fn each<F>(test: F)
where
    F: AsyncFn(World),
{
    each_with(|_| {}, test).await;
}

pub async fn each_with<F>(configure: impl Fn(&mut Config), test: F)
where
    F: AsyncFn(World),
{
    let (mail, push, receiver) =
        (MailCatcher::start().await, PushService::start().await, WebhookReceiver::start().await);
    let all = |config: &mut Config| {
        mail.configure(config);
        PushService::configure(config);
        config.public_url = Some("https://portico.example".to_owned());
        configure(config);
    };
    each_database_with(all, |platform| async {
        let identity = Identity::new(platform.platform.clone());
        identity.create_admin("admin", "admin@example.org", PASSWORD).await.unwrap();
        let notifications = Notifications::new(platform.platform.clone(), identity.clone());
        notifications.start();
        delivery::start(&platform.platform).unwrap();
        let admin = actor(&identity, "admin").await;
        test(World { test: platform, identity, notifications, admin, mail: &mail, push: &push, receiver: &receiver })
            .await;
    })
    .await;
}

pub fn context() -> RequestContext {
    RequestContext {
        address: "192.0.2.1".to_owned(),
        user_agent: "test".to_owned(),
        request_id: "request-1".to_owned(),
        device_token: None,
    }
}

pub async fn token(identity: &Identity, login: &str) -> String {
    identity.sign_in(login, PASSWORD, SessionKind::Api, &context()).await.unwrap().access_token
}

pub async fn actor(identity: &Identity, login: &str) -> Actor {
    identity.authenticate(&token(identity, login).await, &context()).await.unwrap()
}

pub fn code<T>(result: Result<T, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

pub fn about(kind: &str, severity: Severity) -> Notification {
    Notification {
        kind: kind.to_owned(),
        severity,
        title: "Pump 3 is off".to_owned(),
        body: "It has not answered for five minutes.".to_owned(),
        link: "/alarms/1".to_owned(),
        tag: "alarm-1".to_owned(),
    }
}

impl World<'_> {
    pub async fn user(&self, username: &str, role: Role) -> (User, Actor) {
        let new = NewUser {
            username: username.to_owned(),
            email: format!("{username}@example.org"),
            password: PASSWORD.to_owned(),
            role,
        };
        let user = self.identity.create_user(&self.admin, new).await.unwrap();
        (user, actor(&self.identity, username).await)
    }

    /// An administrator of another organisation.
    pub async fn stranger(&self) -> Actor {
        self.identity.create_admin_in(Some("Elsewhere"), "stranger", "stranger@example.com", PASSWORD).await.unwrap();
        actor(&self.identity, "stranger").await
    }

    /// Subscribes a new browser of the actor's.
    pub async fn browser(&self, actor: &Actor) -> PushSubscription {
        self.notifications.subscribe(actor, self.new_browser("Phone"), "").await.unwrap()
    }

    pub fn new_browser(&self, name: &str) -> NewPushSubscription {
        let browser = self.push.subscribe();
        NewPushSubscription {
            endpoint: browser.endpoint,
            keys: PushKeys { p256dh: browser.p256dh, auth: browser.auth },
            name: name.to_owned(),
        }
    }

    pub fn hook(&self, path: &str) -> WebhookInput {
        WebhookInput {
            name: "Desk".to_owned(),
            url: format!("{}{path}", self.receiver.url()),
            kinds: Vec::new(),
            min_severity: Severity::Info,
            is_active: true,
        }
    }

    pub async fn notify(&self, notification: &Notification, audience: &Audience) {
        let platform = &self.test.platform;
        let mut tx = platform.db.begin().await.unwrap();
        self.notifications.notify(&mut tx, self.test.organization, notification, audience).await.unwrap();
        tx.commit().await.unwrap();
        platform.deliveries.wake();
    }

    /// Waits until nothing is on its way.
    pub async fn settled(&self) {
        eventually("everything has left", || async {
            let mut tx = self.test.platform.db.read().await.unwrap();
            let (waiting,): (i64,) = portico_platform::on_db!(&mut tx, conn =>
                sqlx::query_as("select count(*) from delivery where state = 'queued' and last_error = ''")
                    .fetch_one(conn).await)
            .unwrap();
            waiting == 0
        })
        .await;
    }

    /// The actions on record, newest first.
    pub async fn trail(&self) -> Vec<String> {
        let page = self.identity.audit_records(&self.admin, portico_identity::AuditQuery::default()).await.unwrap();
        page.items.into_iter().map(|record| record.action).collect()
    }
}
