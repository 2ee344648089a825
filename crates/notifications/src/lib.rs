//! Who is told what, by which channel: web push, e-mail, webhooks. A domain says what happened and whom it concerns
//! ([`Notifications::notify`]); this decides, by what each person has chosen, which messages leave
//! (`platform::delivery` sends them).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod browsers;
mod deliveries;
mod notify;
mod owner;
mod preferences;
pub mod rest;
mod store;
mod webhooks;

use std::sync::Arc;

use portico_identity::Identity;
use portico_model::audit::AuditRecord;
use portico_model::live::Event;
use portico_model::{OrganizationId, UserId};
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Error, Platform, Result};

pub use deliveries::DeliveryQuery;
pub use preferences::TestChannel;

/// The domain's service, cheap to clone.
#[derive(Clone)]
pub struct Notifications(Arc<Inner>);

struct Inner {
    platform: Platform,
    identity: Identity,
}

impl Notifications {
    #[must_use]
    pub fn new(platform: Platform, identity: Identity) -> Self {
        Self(Arc::new(Inner { platform, identity }))
    }

    /// Joins this domain to the others. Call once.
    pub fn start(&self) {
        let forgetful = self.clone();
        self.0.platform.deliveries.on_push_gone(Box::new(move |organization, push| {
            let (notifications, endpoint) = (forgetful.clone(), push.endpoint.clone());
            Box::pin(async move { notifications.forget_endpoint(organization, &endpoint).await })
        }));
        self.0.identity.register_dependents(Arc::new(self.clone()));
    }

    /// Tells those who follow the audit trail; after the commit.
    fn announce(&self, organization: OrganizationId, record: AuditRecord) {
        self.0.platform.hub.publish(Publication {
            channels: vec![Channel::all(organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
    }
}

/// The person who acts: browsers and preferences belong to people.
fn person(actor: &Actor) -> Result<UserId> {
    actor.user_id().ok_or_else(|| {
        Error::forbidden("needs_a_person", "Notifications are for people: sign in with an account of your own.")
    })
}
