//! The live topic `audit`: every new record, for those who may read the trail.

use portico_model::OrganizationId;
use portico_model::audit::AuditRecord;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_platform::audit::{AuditFilter, list};
use portico_platform::hub::{Channel, Delivery, Publication, TopicSource};
use portico_platform::{Actor, BoxFuture, Result};

use crate::Identity;

const TOPIC: &str = "audit";

/// So many of the newest records are in a snapshot.
const SNAPSHOT_RECORDS: i64 = 50;

fn channel(organization: OrganizationId) -> Channel {
    Channel::all(organization, TOPIC)
}

impl Identity {
    /// Tells those who follow the trail; after the commit.
    pub(crate) fn announce(&self, organization: OrganizationId, record: AuditRecord) {
        self.platform.hub.publish(Publication {
            channels: vec![channel(organization)],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
    }
}

/// Resolves the topic `audit`.
pub(crate) struct AuditTopic(pub Identity);

impl TopicSource for AuditTopic {
    fn owns(&self, topic: &str) -> bool {
        topic == TOPIC
    }

    fn resolve<'a>(&'a self, actor: &'a Actor, _topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            self.0.require(actor, Permission::ReadAudit, "audit.read").await?;
            Ok(channel(actor.organization))
        })
    }

    fn snapshot<'a>(&'a self, actor: &'a Actor, _topic: &'a str) -> BoxFuture<'a, Result<serde_json::Value>> {
        Box::pin(async move {
            actor.require(Permission::ReadAudit)?;
            let mut tx = self.0.platform.db.read().await?;
            let filter = AuditFilter { limit: SNAPSHOT_RECORDS, ..AuditFilter::default() };
            let records = list(&mut tx, actor.organization, &filter).await?;
            Ok(serde_json::json!({ "records": records }))
        })
    }
}
