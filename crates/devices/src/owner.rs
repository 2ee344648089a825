//! What a user's going does to his devices, groups and views: deleted with him, in the same transaction; cut off while he
//! is kept out; told of in his export.

use portico_identity::{AfterCommit, ErasedLabels, UserDependents};
use portico_model::live::Event;
use portico_model::{OrganizationId, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, BoxFuture, Result, Tx};
use serde_json::{Map, Value, json};

use crate::store::device::Filter;
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

    fn user_erased<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        erased: &'a ErasedLabels,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for label in &erased.labels {
                store::owner::rename_person(tx, organization, label, &erased.pseudonym).await?;
            }
            Ok(())
        })
    }

    fn user_active_changed(&self, organization: OrganizationId, user: UserId, is_active: bool) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let found: Result<Vec<_>> = async {
                let mut tx = self.0.platform.db.read().await?;
                store::owner::list(&mut tx, organization, user).await
            }
            .await;
            match found {
                Ok(devices) => {
                    for (id, _) in devices {
                        self.0.directory.forget(id).await;
                        if !is_active {
                            self.end_session(id);
                        }
                    }
                }
                // What is known of a device is read again shortly, and its messages are refused from then on.
                Err(error) => tracing::warn!(%error, "the devices of a deactivated user could not be cut off at once"),
            }
        })
    }

    fn personal_data<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        user: UserId,
    ) -> BoxFuture<'a, Result<Map<String, Value>>> {
        Box::pin(async move {
            let filter = Filter { owner: Some(user), limit: MOST_EXPORTED, ..Filter::default() };
            let devices = store::device::list(tx, organization, &filter).await?;
            let groups: Vec<Value> = store::group::of_owner(tx, organization, user)
                .await?
                .into_iter()
                .map(|(id, name)| json!({ "id": id, "name": name }))
                .collect();
            Ok(Map::from_iter([("devices".to_owned(), json!(devices)), ("groups".to_owned(), groups.into())]))
        })
    }
}

/// More devices than anyone may have.
const MOST_EXPORTED: i64 = 10_000;
