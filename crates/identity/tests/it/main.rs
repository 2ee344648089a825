//! The identity domain on a real SQLite and a real PostgreSQL, with a clock that tests move.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod account;
mod audit;
mod browser;
mod invitations;
mod links;
mod live;
mod lockout;
mod mailbox;
mod organization;
mod passkeys;
mod personal_data;
mod rest;
mod second_factor;
mod service_keys;
mod sessions;
mod setup;
mod sign_in;
mod step_up;
mod users;

use portico_identity::{Identity, NewUser, RequestContext, SessionKind, SignedIn};
use portico_model::identity::{Role, User};
use portico_model::{OrganizationId, UserId};
use portico_platform::testing::{TestPlatform, each_database_with};
use portico_platform::{Actor, Clock, Config, Error};

pub const PASSWORD: &str = "copper lantern under fjord";
pub const OTHER_PASSWORD: &str = "seven quiet harbour owls";

/// A platform with one administrator.
pub struct World {
    pub identity: Identity,
    pub clock: Clock,
    pub organization: OrganizationId,
    pub admin: Actor,
    pub test: TestPlatform,
}

pub async fn each<F, Fut>(test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    each_with(|_| {}, test).await;
}

pub async fn each_with<F, Fut>(configure: impl Fn(&mut Config), test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    each_database_with(configure, |platform| async { test(World::new(platform).await).await }).await;
}

/// A request from an address.
pub fn from(address: &str) -> RequestContext {
    RequestContext {
        address: address.to_owned(),
        user_agent: "test".to_owned(),
        request_id: "request-1".to_owned(),
        device_token: None,
    }
}

pub fn here() -> RequestContext {
    from("192.0.2.1")
}

impl World {
    async fn new(test: TestPlatform) -> Self {
        let identity = Identity::new(test.platform.clone());
        identity.create_admin("admin", "admin@example.org", PASSWORD).await.unwrap();
        let signed_in = identity.sign_in("admin", PASSWORD, SessionKind::Api, &here()).await.unwrap();
        let admin = identity.authenticate(&signed_in.access_token, &here()).await.unwrap();
        Self { identity, clock: test.clock.clone(), organization: test.organization, admin, test }
    }

    /// A new user with [`PASSWORD`].
    pub async fn user(&self, username: &str, role: Role) -> User {
        let new = NewUser {
            username: username.to_owned(),
            email: format!("{username}@example.org"),
            password: PASSWORD.to_owned(),
            role,
        };
        self.identity.create_user(&self.admin, new).await.unwrap()
    }

    pub async fn sign_in(&self, login: &str) -> SignedIn {
        self.identity.sign_in(login, PASSWORD, SessionKind::Api, &here()).await.unwrap()
    }

    pub async fn actor(&self, login: &str) -> Actor {
        let signed_in = self.sign_in(login).await;
        self.identity.authenticate(&signed_in.access_token, &here()).await.unwrap()
    }

    /// The code of the error of a sign-in, or `ok`.
    pub async fn try_sign_in(&self, login: &str, password: &str, ctx: &RequestContext) -> &'static str {
        code(self.identity.sign_in(login, password, SessionKind::Api, ctx).await)
    }

    /// An administrator of another organisation.
    pub async fn stranger(&self) -> (Actor, UserId) {
        let (_, id) = self
            .identity
            .create_admin_in(Some("Elsewhere"), "stranger", "stranger@example.com", PASSWORD)
            .await
            .unwrap();
        (self.actor("stranger").await, id)
    }

    /// The actions on record, newest first.
    pub async fn trail(&self) -> Vec<String> {
        let page = self.identity.audit_records(&self.admin, portico_identity::AuditQuery::default()).await.unwrap();
        page.items.into_iter().map(|record| format!("{} {}", record.action, record.outcome.as_str())).collect()
    }
}

pub fn code<T>(result: Result<T, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}
