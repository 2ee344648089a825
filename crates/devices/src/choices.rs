//! What can be drawn: devices with the keys that are numbers.

use portico_model::GroupId;
use portico_model::explore::SeriesChoice;
use portico_platform::{Actor, Result};

use crate::Devices;
use crate::service::visible_owner;
use crate::store::device::{self, Filter};
use crate::store::group;
use crate::store::series::{self, Kind};

/// Most devices of one answer.
const MAX_CHOICES: i64 = 100;

impl Devices {
    /// The first devices by name that the actor sees, with their keys that are numbers or booleans: of those that fit the search,
    /// or of a group.
    ///
    /// # Errors
    /// Not found, for a group that the actor may not see.
    pub async fn choices(
        &self,
        actor: &Actor,
        search: Option<String>,
        group: Option<GroupId>,
        limit: i64,
    ) -> Result<Vec<SeriesChoice>> {
        let limit = limit.clamp(1, MAX_CHOICES);
        let owner = visible_owner(actor, None)?;
        let mut tx = self.0.platform.db.read().await?;
        let devices = match group {
            Some(id) => {
                self.find_visible_group(&mut tx, actor, id).await?;
                let filter = group::Members { viewer: owner, limit, ..group::Members::default() };
                let members = group::members(&mut tx, actor.organization, id, &filter).await?;
                members.into_iter().map(|(device, _)| device).collect()
            }
            None => {
                let search = search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
                device::list(&mut tx, actor.organization, &Filter { owner, search, limit, ..Filter::default() }).await?
            }
        };
        let mut choices = Vec::with_capacity(devices.len());
        for device in devices {
            let mut keys: Vec<String> = series::of_device(&mut tx, actor.organization, device.id)
                .await?
                .into_iter()
                .filter(|series| series.kind != Kind::Text)
                .map(|series| series.key)
                .collect();
            keys.dedup();
            choices.push(SeriesChoice {
                device_id: device.id,
                name: device.name,
                location: device.location,
                metadata: device.metadata,
                keys,
            });
        }
        Ok(choices)
    }

    /// The first devices by name that the actor may put into the group and that are not in it.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn group_candidates(
        &self,
        actor: &Actor,
        id: GroupId,
        search: Option<String>,
        limit: i64,
    ) -> Result<Vec<portico_model::devices::Device>> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_changeable_group(&mut tx, actor, id).await?;
        let owner = match actor.may(portico_model::identity::Permission::ManageAllDevices) {
            true => None,
            false => actor.user_id(),
        };
        let search = search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        group::candidates(&mut tx, actor.organization, id, owner, search.as_deref(), limit.clamp(1, MAX_CHOICES)).await
    }
}
