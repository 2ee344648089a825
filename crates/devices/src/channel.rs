//! Which channels of the hub an event of this domain goes to: each is an audience.

use portico_model::live::Event;
use portico_model::{DeviceId, OrganizationId, RolloutId, UserId};
use portico_platform::hub::{Channel, Delivery, Publication};

/// Those who may see all devices.
pub fn all(organization: OrganizationId) -> Channel {
    Channel::all(organization, "devices")
}

/// An owner, for his own devices.
pub fn owned(organization: OrganizationId, owner: UserId) -> Channel {
    Channel::owned(organization, "devices", owner)
}

/// Those who may see all groups.
pub fn all_groups(organization: OrganizationId) -> Channel {
    Channel::all(organization, "groups")
}

/// An owner, for his own groups.
pub fn owned_groups(organization: OrganizationId, owner: UserId) -> Channel {
    Channel::owned(organization, "groups", owner)
}

pub fn device(organization: OrganizationId, device: DeviceId) -> Channel {
    Channel::device(organization, "device", device)
}

pub fn telemetry(organization: OrganizationId, device: DeviceId) -> Channel {
    Channel::device(organization, "telemetry", device)
}

pub fn commands(organization: OrganizationId, device: DeviceId) -> Channel {
    Channel::device(organization, "commands", device)
}

pub fn shadow(organization: OrganizationId, device: DeviceId) -> Channel {
    Channel::device(organization, "shadow", device)
}

/// Those who manage firmware.
pub fn rollouts(organization: OrganizationId) -> Channel {
    Channel::all(organization, "rollouts")
}

/// The devices of one roll-out, for those who manage firmware.
pub fn rollout(organization: OrganizationId, rollout: RolloutId) -> Channel {
    Channel::new(organization, &format!("rollout/{rollout}"))
}

/// To everyone who sees the device, in a list or by itself.
pub fn about(organization: OrganizationId, owner: UserId, id: DeviceId, event: Event) -> Publication {
    let channels = vec![all(organization), owned(organization, owner), device(organization, id)];
    Publication { channels, event, delivery: Delivery::Every }
}
