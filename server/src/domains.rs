//! The services of all domains, joined from the lowest to the highest.

use portico_access::Access;
use portico_alarms::Alarms;
use portico_devices::Devices;
use portico_identity::Identity;
use portico_notifications::Notifications;
use portico_parking::Parking;
use portico_platform::{Platform, Result};

/// Cheap to clone.
#[derive(Clone)]
pub struct Domains {
    pub identity: Identity,
    pub notifications: Notifications,
    pub alarms: Alarms,
    pub devices: Devices,
    pub access: Access,
    pub parking: Parking,
}

impl Domains {
    /// # Errors
    /// When the configuration of a domain makes no sense.
    pub fn new(platform: &Platform) -> Result<Self> {
        let identity = Identity::new(platform.clone());
        let notifications = Notifications::new(platform.clone(), identity.clone());
        let alarms = Alarms::new(platform.clone(), notifications.clone());
        let devices = Devices::new(platform.clone(), alarms.clone());
        let access =
            Access::new(platform.clone(), identity.clone(), notifications.clone(), alarms.clone(), devices.clone());
        let parking =
            Parking::new(platform.clone(), identity.clone(), alarms.clone(), devices.clone(), access.clone())?;
        Ok(Self { identity, notifications, alarms, devices, access, parking })
    }

    /// Begins their background work. Call once.
    pub fn start(&self) {
        self.identity.start();
        self.notifications.start();
        self.alarms.start();
        self.devices.start();
        self.access.start();
        self.parking.start();
        self.identity.register_dependents(std::sync::Arc::new(self.alarms.clone()));
        self.identity.register_dependents(std::sync::Arc::new(self.devices.clone()));
        self.identity.register_dependents(std::sync::Arc::new(self.access.clone()));
        self.identity.register_dependents(std::sync::Arc::new(self.parking.clone()));
    }
}
