//! Sensors: what they report, the list of new ones, and which spot each stands at.

mod jobs;
mod message;
pub(crate) mod rest;
mod store;
mod trouble;
mod writer;

use portico_model::identity::Permission;
use portico_model::parking::sensor::Sensor;
use portico_model::parking::spot::SpotState;
use portico_model::{DeviceId, OrganizationId, Page, ParkingSensorId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Principal, Result, Tx};
use serde_json::{Value, json};

use crate::search::cleaned;
use crate::spots::{self, spot_not_found};
use crate::{Parking, version};

pub(crate) use jobs::spawn;
pub(crate) use message::read as read_message;
pub use writer::Told;
pub(crate) use writer::Writer;

/// Most sensors on a page.
pub const MAX_PAGE: i64 = 500;

/// Sensors of which sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    #[default]
    All,
    /// Without a spot, and not ignored: they wait for somebody to say what they are.
    New,
    Ignored,
    /// With a spot.
    Placed,
    /// Silent, or with a low battery.
    Attention,
}

/// Which sensors to list.
#[derive(Debug, Clone, Default)]
pub struct SensorQuery {
    pub which: Which,
    /// Part of its name, or of its spot's id.
    pub search: Option<String>,
    pub cursor: Option<String>,
    /// 1 to 500; absent: 100.
    pub limit: Option<i64>,
}

fn sensor_not_found() -> Error {
    Error::not_found("sensor_not_found", "There is no such sensor")
}

impl Parking {
    /// Takes what a sensor saw, told over HTTP. Done after the commit. A device speaks for its own sensors; whoever else
    /// reports needs the permission `OperateParking`.
    ///
    /// # Errors
    /// Forbidden; invalid when it cannot be read; conflict when the sensor is somebody else's or there are too many new ones;
    /// unavailable when the database does not take it.
    pub async fn report(&self, actor: &Actor, body: &Value) -> Result<Told> {
        let device = match actor.principal {
            Principal::Device { id } => Some(id),
            _ => {
                actor.require(Permission::OperateParking)?;
                None
            }
        };
        let now = self.0.platform.clock.now();
        let message = message::read(body, now).map_err(|problem| Error::invalid(problem.code, problem.message))?;
        let told = self.take_reading(actor.organization, device, message, now).await?;
        told.map_err(|problem| Error::conflict(problem.code, problem.message))
    }

    /// Sensors by name. Permission: `ReadParking`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn sensors(&self, actor: &Actor, query: SensorQuery) -> Result<Page<Sensor>> {
        actor.require(Permission::ReadParking)?;
        let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
        let (has_spot, is_ignored) = match query.which {
            Which::All => (None, None),
            Which::New => (Some(false), Some(false)),
            Which::Ignored => (Some(false), Some(true)),
            Which::Placed | Which::Attention => (Some(true), None),
        };
        let filter = store::Filter {
            has_spot,
            is_ignored,
            needs_attention: query.which == Which::Attention,
            search: query.search.as_deref().and_then(cleaned),
            after: query.cursor.filter(|cursor| !cursor.contains('\0')),
            only: None,
            limit: limit + 1,
        };
        let mut tx = self.0.platform.db.read().await?;
        let items = store::list(&mut tx, actor.organization, &filter).await?;
        Ok(Page::cut(items, limit, |sensor| sensor.sensor_id.clone()))
    }

    /// Says at which spot a sensor stands; `None`: at none. The spot is from now on as the sensor says; another sensor of it
    /// loses it. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn place_sensor(&self, actor: &Actor, id: ParkingSensorId, spot: Option<&str>) -> Result<Sensor> {
        actor.require(Permission::ManageParking)?;
        let organization = actor.organization;
        let (mut tx, version, held) = self.begin_spots(organization).await?;
        let sensor = store::get(&mut tx, organization, id).await?.ok_or_else(sensor_not_found)?;
        let spot = spot.map(|spot| held.find_spot(spot).ok_or_else(spot_not_found)).transpose()?;
        let now = self.0.platform.clock.now();
        let mut alarms = Vec::new();
        let mut changed = Vec::new();
        if let Some(left) = sensor.spot_id.filter(|left| spot.is_none_or(|spot| spot.key != *left)) {
            spots::store::set_state(&mut tx, left, SpotState::Unknown, now, version).await?;
            alarms.extend(trouble::end(&self.0.alarms, &mut tx, organization, &sensor).await?);
            changed.push(left);
        }
        if let Some(spot) = spot {
            if let Some(other) = store::of_spot(&mut tx, spot.key).await?.filter(|other| other.id != id) {
                store::set_spot(&mut tx, other.id, None).await?;
                alarms.extend(trouble::end(&self.0.alarms, &mut tx, organization, &other).await?);
            }
            spots::store::set_state(&mut tx, spot.key, sensor.state(), now, version).await?;
            changed.push(spot.key);
        }
        store::set_spot(&mut tx, id, spot.map(|spot| spot.key)).await?;
        let details = json!({"sensor_id": sensor.sensor_id, "spot_id": spot.map(|spot| &spot.id)});
        let entry = Entry::success("parking_sensor.placed").target("parking_sensor", id).details(details);
        self.commit(tx, actor, entry).await?;
        self.0.alarms.announce(alarms);
        self.announce_sensors(organization);
        self.announce_spots(organization, &changed).await?;
        self.sensor(actor, id).await
    }

    /// Takes a sensor off the list of new ones, or puts it back. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict while it has a spot.
    pub async fn ignore_sensor(&self, actor: &Actor, id: ParkingSensorId, ignore: bool) -> Result<Sensor> {
        actor.require(Permission::ManageParking)?;
        let mut tx = self.0.platform.db.begin().await?;
        version::next(&mut tx, actor.organization).await?;
        let sensor = store::get(&mut tx, actor.organization, id).await?.ok_or_else(sensor_not_found)?;
        if sensor.spot_id.is_some() {
            return Err(Error::conflict(
                "sensor_has_spot",
                "The sensor stands at a spot: take it away from there first.",
            ));
        }
        store::set_ignored(&mut tx, id, ignore).await?;
        let action = if ignore { "parking_sensor.ignored" } else { "parking_sensor.listed" };
        let entry = Entry::success(action).target("parking_sensor", id).details(json!({"sensor_id": sensor.sensor_id}));
        self.commit(tx, actor, entry).await?;
        self.announce_sensors(actor.organization);
        self.sensor(actor, id).await
    }

    /// With what it measured. If it reports again, it is a new one. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict while it has a spot.
    pub async fn delete_sensor(&self, actor: &Actor, id: ParkingSensorId) -> Result<()> {
        actor.require(Permission::ManageParking)?;
        let mut tx = self.0.platform.db.begin().await?;
        version::next(&mut tx, actor.organization).await?;
        let sensor = store::get(&mut tx, actor.organization, id).await?.ok_or_else(sensor_not_found)?;
        if sensor.spot_id.is_some() {
            return Err(Error::conflict(
                "sensor_has_spot",
                "The sensor stands at a spot: take it away from there first.",
            ));
        }
        store::delete(&mut tx, id).await?;
        let entry = Entry::success("parking_sensor.deleted").target("parking_sensor", id);
        let entry = entry.details(json!({"sensor_id": sensor.sensor_id}));
        self.commit(tx, actor, entry).await?;
        self.announce_sensors(actor.organization);
        Ok(())
    }

    /// See [`store::forget_device`].
    pub(crate) async fn sensors_of_deleted_device(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<()> {
        store::forget_device(tx, organization, device).await
    }

    async fn sensor(&self, actor: &Actor, id: ParkingSensorId) -> Result<Sensor> {
        let mut tx = self.0.platform.db.read().await?;
        store::show(&mut tx, actor.organization, id).await?.ok_or_else(sensor_not_found)
    }
}
