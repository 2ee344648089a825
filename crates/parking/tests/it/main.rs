//! Parking on real databases.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod analytics;
mod exports;
mod gate;
mod guests;
mod lots;
mod payments;
mod receipts;
mod reservations;
mod sensors;
mod sessions;
mod stripe;
mod tariffs;

use portico_access::Access;
use portico_alarms::Alarms;
use portico_devices::Devices;
use portico_identity::Identity;
use portico_model::identity::Role;
use portico_model::parking::lot::{Level, LevelSettings, Lot, LotSettings};
use portico_model::parking::spot::{Spot, SpotSettings};
use portico_notifications::Notifications;
use portico_parking::Parking;
use portico_platform::testing::{TestPlatform, each_database, insert_user};
use portico_platform::{Actor, Platform};

pub struct World {
    pub parking: Parking,
    pub identity: Identity,
    pub alarms: Alarms,
    pub devices: Devices,
    pub access: Access,
    pub platform: Platform,
    pub manager: Actor,
    pub test: TestPlatform,
}

pub async fn each<F, Fut>(test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    each_database(|platform| async { test(World::new(platform).await).await }).await;
}

fn make(platform: &Platform, identity: &Identity, alarms: &Alarms, devices: &Devices, access: &Access) -> Parking {
    Parking::new(platform.clone(), identity.clone(), alarms.clone(), devices.clone(), access.clone()).unwrap()
}

impl World {
    /// Another server on the same database.
    pub fn other_server(&self) -> Parking {
        make(&self.platform, &self.identity, &self.alarms, &self.devices, &self.access)
    }

    async fn new(test: TestPlatform) -> Self {
        let world = Self::without_jobs(test).await;
        world.parking.start();
        world
    }

    /// Nothing happens by itself.
    pub async fn without_jobs(test: TestPlatform) -> Self {
        let platform = test.platform.clone();
        let identity = Identity::new(platform.clone());
        let notifications = Notifications::new(platform.clone(), identity.clone());
        let alarms = Alarms::new(platform.clone(), notifications.clone());
        let devices = Devices::new(platform.clone(), alarms.clone());
        let access =
            Access::new(platform.clone(), identity.clone(), notifications.clone(), alarms.clone(), devices.clone());
        devices.observe(std::sync::Arc::new(access.clone()));
        let parking = make(&platform, &identity, &alarms, &devices, &access);
        let manager = insert_user(&platform, test.organization, "manager", Role::Manager).await;
        Self { parking, identity, alarms, devices, access, platform, manager, test }
    }

    pub async fn user(&self, name: &str, role: Role) -> Actor {
        insert_user(&self.platform, self.test.organization, name, role).await
    }

    /// Somebody of another organisation who may do everything there.
    pub async fn stranger(&self) -> Actor {
        Actor { organization: self.test.other_organization().await, ..self.manager.clone() }
    }

    pub fn advance_s(&self, seconds: i64) {
        self.test.clock.advance_ms(seconds * 1_000);
    }

    pub async fn lot(&self, name: &str) -> Lot {
        let settings = LotSettings { name: name.into(), debounce_s: 5, ..LotSettings::default() };
        self.parking.create_lot(&self.manager, settings).await.unwrap()
    }

    pub async fn level(&self, lot: &Lot, name: &str) -> Level {
        let settings = LevelSettings { name: name.into(), ..LevelSettings::default() };
        self.parking.create_level(&self.manager, lot.id, settings).await.unwrap()
    }

    pub async fn spot(&self, level: &Level, id: &str) -> Spot {
        let settings = SpotSettings { id: id.into(), level_id: Some(level.id), ..SpotSettings::default() };
        self.parking.create_spot(&self.manager, settings).await.unwrap()
    }

    /// A lot with a level and a spot.
    pub async fn one_spot(&self) -> (Lot, Level, Spot) {
        let lot = self.lot("Main garage").await;
        let level = self.level(&lot, "L1").await;
        let spot = self.spot(&level, "P1").await;
        (self.parking.lot(&self.manager, lot.id).await.unwrap(), level, spot)
    }
}
