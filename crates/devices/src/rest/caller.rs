//! Who calls: a device with its key, or a person.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use portico_identity::MaybeAuth;
use portico_identity::extract::{is_service_key, request_context};
use portico_model::devices::DeviceStatus;
use portico_model::{ApiKeyId, DeviceId};
use portico_platform::http::admit;
use portico_platform::{Actor, Error, Principal, Result};

use crate::service::DeviceLogin;
use crate::{Devices, Known};

/// A device that may act: its key is good and it is in use.
pub struct ActiveDevice(pub Arc<Known>);

/// As [`ActiveDevice`], with the device as an actor at the address it calls from.
pub struct CallingDevice {
    pub device: Arc<Known>,
    pub actor: Actor,
}

/// As [`ActiveDevice`], with the key it came with.
pub struct ActiveKey(pub Arc<Known>, pub ApiKeyId);

/// A device whose key is good, whatever its status.
pub struct KeyHolder(pub Arc<Known>);

/// The device itself by its key, or a person, a service or an admin.
pub struct Reader(pub Actor);

const HEADER: &str = "x-api-key";

/// A key in an address ends up in every log on the way: it is refused, even beside a good header.
fn refuse_key_in_address(parts: &Parts) -> Result<()> {
    let query = parts.uri.query().unwrap_or_default();
    let named =
        query.split('&').any(|pair| pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("api_key")));
    if named {
        return Err(Error::unauthenticated(
            "api_key_in_url",
            "An API key must not be in the URL: send it in the X-API-Key header.",
        ));
    }
    Ok(())
}

async fn login(parts: &Parts, devices: &Devices) -> Result<Option<DeviceLogin>> {
    refuse_key_in_address(parts)?;
    let Some(value) = parts.headers.get(HEADER) else { return Ok(None) };
    let api_key = value.to_str().unwrap_or_default().trim();
    if is_service_key(api_key) {
        // No device's: identity knows whose.
        return Ok(None);
    }
    match devices.authenticate_key(api_key).await? {
        Some(login) => {
            admit(&actor_of(parts, &login.device))?;
            Ok(Some(login))
        }
        None => Err(invalid_key()),
    }
}

fn invalid_key() -> Error {
    Error::unauthenticated("invalid_api_key", "Invalid API key")
}

fn key_required() -> Error {
    Error::unauthenticated("api_key_required", "API key required")
}

fn actor_of(parts: &Parts, device: &Known) -> Actor {
    let context = request_context(&parts.headers, &parts.extensions);
    Actor {
        organization: device.organization,
        principal: Principal::Device { id: device.id },
        address: context.address,
        request_id: context.request_id,
    }
}

fn check_active(device: &Known) -> Result<()> {
    match device.status {
        _ if !device.owner_is_active => Err(Error::forbidden("owner_deactivated", "The device's owner is deactivated")),
        DeviceStatus::Active => Ok(()),
        DeviceStatus::Inactive => Err(Error::forbidden("device_inactive", "Device inactive")),
        DeviceStatus::Maintenance => Err(Error::forbidden("device_in_maintenance", "Device in maintenance")),
    }
}

impl<S> FromRequestParts<S> for ActiveDevice
where
    Devices: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let devices = &Devices::from_ref(state);
        let device = login(parts, devices).await?.ok_or_else(key_required)?.device;
        check_active(&device)?;
        devices.heard(&device);
        Ok(Self(device))
    }
}

impl<S> FromRequestParts<S> for CallingDevice
where
    Devices: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let ActiveDevice(device) = ActiveDevice::from_request_parts(parts, state).await?;
        let actor = actor_of(parts, &device);
        Ok(Self { device, actor })
    }
}

impl FromRequestParts<Devices> for ActiveKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, devices: &Devices) -> Result<Self> {
        let DeviceLogin { device, grant } = login(parts, devices).await?.ok_or_else(key_required)?;
        check_active(&device)?;
        devices.heard(&device);
        Ok(Self(device, grant.key))
    }
}

impl FromRequestParts<Devices> for KeyHolder {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, devices: &Devices) -> Result<Self> {
        match login(parts, devices).await {
            Ok(Some(login)) => Ok(Self(login.device)),
            Ok(None) => Err(key_required()),
            // The former system answers 404 here.
            Err(error) if error.code() == "invalid_api_key" => {
                Err(Error::not_found("invalid_api_key", "Invalid API key"))
            }
            Err(error) => Err(error),
        }
    }
}

impl<S> FromRequestParts<S> for Reader
where
    Devices: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let devices = &Devices::from_ref(state);
        if let Some(login) = login(parts, devices).await? {
            check_active(&login.device)?;
            return Ok(Self(actor_of(parts, &login.device)));
        }
        let MaybeAuth(actor) = MaybeAuth::from_request_parts(parts, state).await?;
        actor.map(Self).ok_or_else(key_required)
    }
}

impl Reader {
    /// The device that the path names. A device reads itself alone, and is not told which others exist.
    pub async fn device(&self, devices: &Devices, path: &str) -> Result<DeviceId> {
        let resolved = devices.resolve(self.0.organization, path).await;
        if let Principal::Device { id } = self.0.principal {
            return match resolved {
                Ok(named) if named == id => Ok(id),
                Err(error) if error.code() != "device_not_found" => Err(error),
                _ => Err(Error::forbidden("device_mismatch", "Forbidden: device mismatch")),
            };
        }
        resolved
    }
}
