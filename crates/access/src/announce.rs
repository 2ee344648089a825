//! What is told after a commit.

use portico_model::audit::AuditRecord;
use portico_model::live::Event;
use portico_model::{OrganizationId, PersonId};
use portico_platform::hub::{Channel, Delivery, Publication};

use crate::{Access, topics};

impl Access {
    /// A person, or what belongs to him, has changed.
    pub(crate) fn announce_person(&self, organization: OrganizationId, id: PersonId, record: AuditRecord) {
        self.announce_person_only(organization, id);
        self.announce_audit(organization, record);
    }

    /// As [`Access::announce_person`], where another part tells of the record.
    pub(crate) fn announce_person_only(&self, organization: OrganizationId, id: PersonId) {
        self.publish(topics::people_channel(organization), Event::PersonChanged { id });
    }

    /// Policies, or what they stand on, have changed.
    pub(crate) fn announce_policies(&self, organization: OrganizationId, record: AuditRecord) {
        self.announce_policies_only(organization);
        self.announce_audit(organization, record);
    }

    /// As [`Access::announce_policies`], where another part tells of the record.
    pub(crate) fn announce_policies_only(&self, organization: OrganizationId) {
        self.publish(topics::policies_channel(organization), Event::PoliciesChanged);
    }

    fn publish(&self, channel: Channel, event: Event) {
        self.0.platform.hub.publish(Publication { channels: vec![channel], event, delivery: Delivery::Every });
    }
}
