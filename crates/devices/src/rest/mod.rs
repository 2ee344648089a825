//! REST of this domain: parse, call one service method, shape the answer. Where the former IoT system had the same
//! path, its field names and texts stand beside ours, so that its devices and clients move over unchanged.

mod admin;
mod alarm_rules;
mod answers;
mod caller;
mod commands;
mod device;
mod explore;
mod firmware;
mod groups;
mod list_csv;
mod of_user;
mod own;
mod own_telemetry;
mod owner;
mod register;
mod rollouts;
mod shadow;
mod telemetry;
mod values;
mod views;

pub use caller::{ActiveDevice, CallingDevice, Reader};

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use portico_model::devices::{Connection, Device};
use portico_model::{Timestamp, UserId};
use portico_platform::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Devices;

/// All routes of the domain, with their whole paths (`/api/v1/…`). They need identity's session layer around them.
pub fn router(devices: Devices) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(device::list))
        .routes(routes!(device::counts))
        .routes(routes!(list_csv::export))
        .routes(routes!(device::get, device::patch, device::put, device::delete))
        .routes(routes!(alarm_rules::list, alarm_rules::create))
        .routes(routes!(alarm_rules::preview))
        .routes(routes!(alarm_rules::get, alarm_rules::update, alarm_rules::delete))
        .routes(routes!(alarm_rules::thresholds))
        .routes(routes!(device::rotate_key, device::revoke_keys))
        .routes(routes!(device::problems))
        .routes(routes!(device::status))
        .routes(routes!(device::of_user))
        .routes(routes!(commands::list, commands::send))
        .routes(routes!(commands::get, commands::cancel))
        .routes(routes!(commands::own))
        .routes(routes!(commands::acknowledge))
        .routes(routes!(shadow::get, shadow::patch, shadow::put))
        .routes(routes!(shadow::own, shadow::report))
        .routes(routes!(firmware::list, firmware::upload))
        .routes(routes!(firmware::keys, firmware::add_key))
        .routes(routes!(firmware::revoke_key))
        .routes(routes!(firmware::get, firmware::delete))
        .routes(routes!(firmware::download))
        .routes(routes!(rollouts::list, rollouts::start))
        .routes(routes!(rollouts::get))
        .routes(routes!(rollouts::devices))
        .routes(routes!(rollouts::pause))
        .routes(routes!(rollouts::resume))
        .routes(routes!(rollouts::abort))
        .routes(routes!(own::status))
        .routes(routes!(own::heartbeat))
        .routes(routes!(own::config, own::set_config))
        .routes(routes!(own::credentials))
        .routes(routes!(own::signing_key))
        .routes(routes!(own_telemetry::submit, own_telemetry::range))
        .routes(routes!(own_telemetry::submit_for_mqtt))
        .routes(routes!(own_telemetry::mqtt_credentials))
        .routes(routes!(owner::transfer))
        .routes(routes!(admin::visible_statuses))
        .routes(routes!(telemetry::submit))
        .routes(routes!(of_user::telemetry))
        .routes(routes!(telemetry::service_status))
        .routes(routes!(telemetry::retention, telemetry::set_retention, telemetry::delete_retention))
        .routes(routes!(values::range, values::delete))
        .routes(routes!(values::latest))
        .routes(routes!(values::aggregated))
        .routes(routes!(values::chart))
        .routes(routes!(values::keys))
        .routes(routes!(admin::list))
        .routes(routes!(admin::statuses))
        .routes(routes!(admin::get, admin::delete))
        .routes(routes!(admin::set_status))
        .routes(routes!(admin::stats))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::get, groups::update, groups::delete))
        .routes(routes!(groups::members, groups::add))
        .routes(routes!(groups::add_many))
        .routes(routes!(groups::add_by_path, groups::remove))
        .routes(routes!(groups::of_device))
        .routes(routes!(explore::query))
        .routes(routes!(explore::query_csv))
        .routes(routes!(views::list, views::create))
        .routes(routes!(views::get, views::update, views::delete))
        .with_state(devices)
}

/// A device in JSON: our names, and those of the former system beside them.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceAnswer)]
pub struct DeviceBody {
    #[serde(flatten)]
    device: Device,
    /// The same as `owner_id`.
    user_id: UserId,
    /// The same as `last_seen_at`.
    last_seen: Option<Timestamp>,
    is_online: bool,
}

impl From<Device> for DeviceBody {
    fn from(device: Device) -> Self {
        Self {
            user_id: device.owner_id,
            last_seen: device.last_seen_at,
            is_online: device.connection == Connection::Online,
            device,
        }
    }
}

/// An answer that says how it went.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceDone)]
pub struct Done {
    status: &'static str,
    message: String,
    device_id: portico_model::DeviceId,
}

/// The body as a JSON object, with the texts of the former system for what is wrong with it.
fn json_object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>> {
    check_content_type(headers)?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) if !object.is_empty() => Ok(object),
        _ => Err(Error::invalid("invalid_json", "Invalid JSON")),
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<()> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json") {
        Ok(())
    } else {
        Err(Error::invalid("invalid_content_type", "Invalid content type"))
    }
}

fn parse_user(text: &str) -> Result<UserId> {
    text.parse().map_err(|_| Error::field("user_id", "not a valid id: 32 hexadecimal characters expected"))
}

/// A yes or no of a query, however the client's language spells it.
fn flag(field: &str, text: Option<&str>, default: bool) -> Result<bool> {
    match text.map(str::to_ascii_lowercase).as_deref() {
        None => Ok(default),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(Error::field(field, "true or false")),
    }
}

/// The part of a body that a type describes; keys that are none of its fields are passed over.
fn fields_of<T: serde::de::DeserializeOwned>(object: Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(object))
        .map_err(|error| Error::invalid("invalid_body", format!("The request body does not fit: {error}")))
}
