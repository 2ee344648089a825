//! What happened at doors. Every part writes here, in its own transaction, and tells of it after the commit.

mod store;

use portico_model::OrganizationId;
use portico_model::access::AccessEvent;
use portico_model::live::Event;
use portico_platform::hub::{Delivery, Publication};
use portico_platform::{Result, Tx};

use crate::{Access, topics};

/// An event that is written; tell of it after the commit.
#[must_use = "announce it after the commit"]
pub(crate) struct Logged {
    organization: OrganizationId,
    pub event: AccessEvent,
}

impl Access {
    /// Writes an event in the caller's transaction. `None`: a reader's event of that number is there already (`seq`).
    ///
    /// # Errors
    /// When the database does not take it: then nobody is let in.
    pub(crate) async fn append_event(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        event: AccessEvent,
        address: &str,
        seq: Option<i64>,
    ) -> Result<Option<Logged>> {
        let is_new = store::insert(tx, organization, &event, address, seq).await?;
        Ok(is_new.then_some(Logged { organization, event }))
    }

    /// Tells those who follow the log.
    pub(crate) fn announce_event(&self, logged: Logged) -> AccessEvent {
        let Logged { organization, event } = logged;
        self.0.platform.hub.publish(Publication {
            channels: vec![topics::log_channel(organization)],
            event: Event::AccessLogged { event: event.clone() },
            delivery: Delivery::Every,
        });
        event
    }
}
