//! What happened at doors. Every part writes here, in its own transaction, and tells of it after the commit.

pub mod export;
pub mod jobs;
mod query;
pub mod rest;
pub mod store;

use portico_model::access::AccessEvent;
use portico_model::live::Event;
use portico_model::{OrganizationId, PersonId};
use portico_platform::hub::{Delivery, Publication};
use portico_platform::{Result, Tx};

use crate::{Access, topics};

pub use query::EventQuery;

/// An event that is written; tell of it after the commit.
#[must_use = "announce it after the commit"]
pub struct Logged {
    organization: OrganizationId,
    pub event: AccessEvent,
}

impl Access {
    /// Writes an event in the caller's transaction. `None`: a reader's event of that number is there already (`seq`).
    ///
    /// # Errors
    /// When the database does not take it: then nobody is let in.
    pub async fn append_event(
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
    pub fn announce_event(&self, logged: Logged) -> AccessEvent {
        let Logged { organization, event } = logged;
        self.publish_event(organization, event.clone());
        self.0.judging.offer(organization, &event);
        event
    }

    /// Shows an event, or what is thought of it now, to those who follow the log.
    pub(crate) fn publish_event(&self, organization: OrganizationId, event: AccessEvent) {
        self.0.platform.hub.publish(Publication {
            channels: vec![topics::log_channel(organization)],
            event: Event::AccessLogged { event },
            delivery: Delivery::Every,
        });
    }

    /// Takes a person's name, and what was shown at readers, out of the log, in the caller's transaction.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn pseudonymise_person(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        person: PersonId,
        pseudonym: &str,
    ) -> Result<u64> {
        // The history of a lock knows a person by name alone: somebody else of the same name is renamed with him.
        for name in store::names_of_person(tx, organization, person).await? {
            self.rename_in_lock_history(tx, organization, &format!("person:{name}"), &format!("person:{pseudonym}"))
                .await?;
        }
        store::pseudonymise_person(tx, organization, person, pseudonym).await
    }
}
