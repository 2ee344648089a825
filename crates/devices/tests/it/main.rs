//! The devices domain on a real SQLite and a real PostgreSQL, with a clock that tests move.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alarm_rules;
mod bench;
mod commands;
mod equal;
mod explore;
mod firmware;
mod groups;
mod ingest;
mod jobs;
mod keys;
mod live;
mod mqtt;
mod owner;
mod presence;
mod queries;
mod registry;
mod rest;
mod rollups;
mod shadow;
mod signing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use portico_alarms::Alarms;
use portico_devices::{Devices, Known, SessionEnder};
use portico_identity::Identity;
use portico_model::devices::{DeviceWithKey, NewDevice};
use portico_model::identity::Role;
use portico_model::telemetry::{Sample, Value};
use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_notifications::Notifications;
use portico_platform::testing::{TestPlatform, each_database_with, insert_user};
use portico_platform::{Actor, Config, Platform};

/// Devices of one organisation, with one manager.
pub struct World {
    pub devices: Devices,
    pub alarms: Alarms,
    pub platform: Platform,
    pub organization: OrganizationId,
    pub manager: Actor,
    /// Devices whose MQTT sessions were ended.
    pub ended: Arc<Ended>,
    pub test: TestPlatform,
}

#[derive(Default)]
pub struct Ended(pub Mutex<Vec<DeviceId>>);

impl SessionEnder for Ended {
    fn end_session(&self, device: DeviceId) {
        self.0.lock().unwrap().push(device);
    }
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

impl World {
    pub async fn new(test: TestPlatform) -> Self {
        let platform = test.platform.clone();
        let identity = Identity::new(platform.clone());
        let notifications = Notifications::new(platform.clone(), identity);
        let alarms = Alarms::new(platform.clone(), notifications);
        let devices = Devices::new(platform.clone(), alarms.clone());
        let ended = Arc::new(Ended::default());
        devices.set_session_ender(Arc::clone(&ended) as Arc<dyn SessionEnder>);
        devices.start();
        let organization = test.organization;
        let manager = insert_user(&platform, organization, "manager", Role::Manager).await;
        Self { devices, alarms, platform, organization, manager, ended, test }
    }

    pub async fn user(&self, name: &str, role: Role) -> Actor {
        insert_user(&self.platform, self.organization, name, role).await
    }

    /// A device of the manager's.
    pub async fn device(&self, name: &str) -> DeviceWithKey {
        self.device_of(&self.manager, name).await
    }

    pub async fn device_of(&self, owner: &Actor, name: &str) -> DeviceWithKey {
        let new = NewDevice { name: name.into(), device_type: "sensor".into(), ..NewDevice::default() };
        self.devices.register(owner, new).await.unwrap()
    }

    /// The device as its key proves it.
    pub async fn login(&self, device: &DeviceWithKey) -> Arc<Known> {
        self.devices.authenticate_key(&device.api_key).await.unwrap().unwrap().device
    }

    pub async fn submit(&self, device: &DeviceWithKey, samples: Vec<Sample>) {
        let known = self.login(device).await;
        self.devices.submit(&known, samples).await.unwrap();
    }

    pub fn now(&self) -> Timestamp {
        self.platform.clock.now()
    }
}

pub fn sample(ts: Timestamp, values: &[(&str, f64)]) -> Sample {
    let data = values.iter().map(|(key, value)| ((*key).to_owned(), Value::Number(*value))).collect();
    Sample { ts, data, metadata: None }
}

pub fn mixed(ts: Timestamp, values: &[(&str, Value)]) -> Sample {
    let data: BTreeMap<_, _> = values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Sample { ts, data, metadata: None }
}
