//! When a user is deleted, so are his devices, groups and views, in the same transaction.

use portico_identity::{AfterCommit, UserDependents};
use portico_model::UserId;
use portico_model::live::Event;
use portico_platform::audit::Entry;
use portico_platform::{Actor, BoxFuture, Result, Tx};
use serde_json::json;

use crate::{Devices, channel, store};

impl UserDependents for Devices {
    fn user_deleted<'a>(
        &'a self,
        tx: &'a mut Tx,
        actor: &'a Actor,
        user: UserId,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            let platform = &self.0.platform;
            let organization = actor.organization;
            let mut gone = Vec::new();
            for (id, name) in store::owner::list(tx, organization, user).await? {
                store::device::mark_deleted(tx, organization, id, platform.clock.now()).await?;
                self.forget_desired(tx, organization, id).await?;
                let entry = Entry::success("device.deleted").target("device", id).details(json!({ "name": name }));
                gone.push((id, platform.audit.append(tx, actor, entry).await?));
            }
            let mut groups = Vec::new();
            for (id, name) in store::group::of_owner(tx, organization, user).await? {
                store::group::delete(tx, organization, id).await?;
                let entry = Entry::success("group.deleted").target("group", id).details(json!({ "name": name }));
                groups.push((id, platform.audit.append(tx, actor, entry).await?));
            }
            store::view::delete_of_owner(tx, organization, user).await?;
            let devices = self.clone();
            let after: AfterCommit = Box::pin(async move {
                for (id, record) in gone {
                    devices.0.directory.forget(id).await;
                    devices.0.presence.went_offline(id);
                    devices.end_session(id);
                    let event = Event::DeviceDeleted { id };
                    devices.0.platform.hub.publish(channel::about(organization, user, id, event));
                    devices.announce_audit(organization, record);
                }
                for (id, record) in groups {
                    devices.announce_group(organization, user, Event::GroupDeleted { id }, record);
                }
            });
            Ok(after)
        })
    }
}
