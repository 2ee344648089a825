//! The access domain on a real SQLite and a real PostgreSQL, with a clock that tests move.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod anomaly;
mod bluetooth;
mod codes;
mod door_locks;
mod doors;
mod enrolment;
mod locks;
mod log;
mod outage;
mod people;
mod plans;
mod policies;
mod sync;
mod wire;

use portico_access::Access;
use portico_alarms::Alarms;
use portico_devices::Devices;
use portico_identity::Identity;
use portico_model::OrganizationId;
use portico_model::identity::Role;
use portico_notifications::Notifications;
use portico_platform::testing::{TestPlatform, each_database, insert_user};
use portico_platform::{Actor, Platform};

pub struct World {
    pub access: Access,
    pub identity: Identity,
    pub alarms: Alarms,
    pub devices: Devices,
    pub notifications: Notifications,
    pub platform: Platform,
    pub organization: OrganizationId,
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

impl World {
    async fn new(test: TestPlatform) -> Self {
        let platform = test.platform.clone();
        let identity = Identity::new(platform.clone());
        let notifications = Notifications::new(platform.clone(), identity.clone());
        let alarms = Alarms::new(platform.clone(), notifications.clone());
        let devices = Devices::new(platform.clone(), alarms.clone());
        let access =
            Access::new(platform.clone(), identity.clone(), notifications.clone(), alarms.clone(), devices.clone());
        devices.observe(std::sync::Arc::new(access.clone()));
        let organization = test.organization;
        let manager = insert_user(&platform, organization, "manager", Role::Manager).await;
        Self { access, identity, alarms, devices, notifications, platform, organization, manager, test }
    }

    pub async fn user(&self, name: &str, role: Role) -> Actor {
        insert_user(&self.platform, self.organization, name, role).await
    }

    pub fn advance_s(&self, seconds: i64) {
        self.test.clock.advance_ms(seconds * 1_000);
    }
}
