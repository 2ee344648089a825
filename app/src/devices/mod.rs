//! Devices: the list, one device with its live values and chart, registration.

pub mod chart;
pub mod commands;
pub mod detail;
pub mod edit;
pub mod examples;
pub mod list;
pub mod register;
pub mod row;
pub mod shadow;
pub mod values;

pub use examples::Endpoints;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::devices::{Device, DeviceProblem, DeviceWithKey};
use portico_model::telemetry::{ChartSeries, LatestValue};
use portico_model::{DeviceId, Page, Timestamp};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// How many rows a page of the list has.
#[cfg(feature = "ssr")]
const PAGE_SIZE: i64 = 50;

/// A page of the list. Empty texts mean no restriction.
#[server(name = ListDevices, prefix = "/sfn", endpoint = "devices/list", input = GetUrl)]
pub async fn list_devices(
    #[server(default)] search: String,
    #[server(default)] status: String,
    #[server(default)] connection: String,
    #[server(default)] sort: String,
    #[server(default)] cursor: String,
) -> Result<Page<Device>, Failure> {
    use portico_devices::{DeviceQuery, Sort};
    use portico_model::devices::{Connection, DeviceStatus};

    use crate::server::{actor, devices, failed};

    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let query = DeviceQuery {
        search: some(search),
        status: DeviceStatus::parse(&status),
        connection: Connection::parse(&connection),
        sort: if sort == "created" { Sort::Created } else { Sort::Name },
        cursor: some(cursor),
        limit: Some(PAGE_SIZE),
        ..DeviceQuery::default()
    };
    devices()?.list(&actor()?, query).await.map_err(failed)
}

/// One device.
#[server(name = GetDevice, prefix = "/sfn", endpoint = "devices/get", input = GetUrl)]
pub async fn get_device(id: DeviceId) -> Result<Device, Failure> {
    use crate::server::{actor, devices, failed};

    devices()?.get(&actor()?, id).await.map_err(failed)
}

/// The newest value of each key of a device.
#[server(name = LatestValues, prefix = "/sfn", endpoint = "devices/latest", input = GetUrl)]
pub async fn latest_values(id: DeviceId) -> Result<Vec<LatestValue>, Failure> {
    use crate::server::{actor, devices, failed};

    devices()?.latest(&actor()?, id).await.map_err(failed)
}

/// A key over the last `last_ms`, or over a given range when that is 0. Without a key: the first number the device has;
/// nothing when it has none.
#[server(name = DeviceChart, prefix = "/sfn", endpoint = "devices/chart", input = GetUrl)]
pub async fn device_chart(
    id: DeviceId,
    #[server(default)] key: String,
    last_ms: i64,
    from: Timestamp,
    to: Timestamp,
    max_buckets: i64,
) -> Result<Option<ChartSeries>, Failure> {
    use crate::server::{actor, devices, failed};

    let (devices, actor) = (devices()?, actor()?);
    let key = if key.is_empty() { first_number(&devices.latest(&actor, id).await.map_err(failed)?) } else { Some(key) };
    let Some(key) = key else { return Ok(None) };
    let (from, to) = if last_ms > 0 {
        let now = crate::server::now();
        (now.plus_millis(-last_ms), now)
    } else {
        (from, to)
    };
    devices.chart(&actor, id, &key, from, to, max_buckets).await.map(Some).map_err(failed)
}

/// The key whose chart is shown when none is chosen.
pub(crate) fn first_number(values: &[LatestValue]) -> Option<String> {
    let numbers = values.iter().filter(|latest| latest.value.number().is_some());
    numbers.min_by_key(|latest| row::rank(latest)).map(|latest| latest.key.clone())
}

/// What was wrong with the device's messages.
#[server(name = Problems, prefix = "/sfn", endpoint = "devices/problems", input = GetUrl)]
pub async fn problems(id: DeviceId) -> Result<Vec<DeviceProblem>, Failure> {
    use crate::server::{actor, devices, failed};

    devices()?.problems(&actor()?, id).await.map_err(failed)
}

/// Registers a device; its key is in the answer and nowhere else.
#[server(name = RegisterDevice, prefix = "/sfn", endpoint = "devices/register")]
pub async fn register_device(
    name: String,
    device_type: String,
    #[server(default)] hardware_id: String,
    #[server(default)] location: String,
    #[server(default)] description: String,
    #[server(default)] heartbeat_interval_s: String,
) -> Result<DeviceWithKey, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::devices::NewDevice;

    use crate::server::{actor, devices, failed, form_failed};

    const PAGE: &str = "/devices/new";
    let values = [
        ("name", name.clone()),
        ("device_type", device_type.clone()),
        ("hardware_id", hardware_id.clone()),
        ("location", location.clone()),
        ("description", description.clone()),
        ("heartbeat_interval_s", heartbeat_interval_s.clone()),
    ];
    let refuse = |failure: Failure| {
        let failure = beside_field(failure);
        let values: Vec<_> = values.iter().map(|(name, text)| (*name, text.as_str())).collect();
        form_failed(RegisterDevice::PATH, PAGE, &values, failure)
    };
    let interval = parse_seconds(&heartbeat_interval_s).map_err(&refuse)?;
    let new = NewDevice {
        name,
        device_type,
        hardware_id: Some(hardware_id.trim().to_owned()).filter(|id| !id.is_empty()),
        location,
        description: lines(&description),
        heartbeat_interval_s: interval,
        ..NewDevice::default()
    };
    let registered = devices()?.register(&actor()?, new).await.map_err(|error| refuse(failed(error)))?;
    show_key_once(RegisterDevice::PATH, PAGE, &registered);
    Ok(registered)
}

/// Browsers post line ends as two characters.
#[cfg(feature = "ssr")]
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// A clash with another device is shown beside the field that clashes.
#[cfg(feature = "ssr")]
fn beside_field(mut failure: Failure) -> Failure {
    let field = match failure.code.as_str() {
        "device_name_taken" => "name",
        "hardware_id_taken" => "hardware_id",
        _ => return failure,
    };
    failure.fields.push(portico_model::FieldError::new(field, failure.message.clone()));
    failure
}

#[cfg(feature = "ssr")]
fn parse_seconds(text: &str) -> Result<Option<i64>, Failure> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| Failure::field("heartbeat_interval_s", "Give whole seconds, such as 60.")),
    }
}

/// After a plain post the next page shows the key, this once.
#[cfg(feature = "ssr")]
fn show_key_once(form: &str, page: &str, registered: &DeviceWithKey) {
    let id = registered.device.id.to_string();
    crate::server::form_done(form, page, &[("id", &id), ("api_key", &registered.api_key)]);
}

/// Changes what is known of a device.
#[allow(clippy::too_many_arguments)] // the fields of the form
#[server(name = UpdateDevice, prefix = "/sfn", endpoint = "devices/update")]
pub async fn update_device(
    id: DeviceId,
    name: String,
    device_type: String,
    #[server(default)] location: String,
    #[server(default)] description: String,
    #[server(default)] firmware_version: String,
    #[server(default)] heartbeat_interval_s: String,
    status: String,
) -> Result<Device, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::devices::{DeviceChange, DeviceStatus};

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = format!("/devices/{id}");
    let values = [
        ("name", name.clone()),
        ("device_type", device_type.clone()),
        ("location", location.clone()),
        ("description", description.clone()),
        ("firmware_version", firmware_version.clone()),
        ("heartbeat_interval_s", heartbeat_interval_s.clone()),
        ("status", status.clone()),
    ];
    let refuse = |failure: Failure| {
        let failure = beside_field(failure);
        let values: Vec<_> = values.iter().map(|(name, text)| (*name, text.as_str())).collect();
        form_failed(UpdateDevice::PATH, &page, &values, failure)
    };
    let interval = parse_seconds(&heartbeat_interval_s).map_err(&refuse)?;
    let change = DeviceChange {
        name: Some(name),
        device_type: Some(device_type),
        location: Some(location),
        description: Some(lines(&description)),
        firmware_version: Some(firmware_version),
        heartbeat_interval_s: interval,
        status: DeviceStatus::parse(&status),
        ..DeviceChange::default()
    };
    let device = devices()?.update(&actor()?, id, change).await.map_err(|error| refuse(failed(error)))?;
    form_done(UpdateDevice::PATH, &page, &[]);
    Ok(device)
}

/// Takes a device out of use or back into it.
#[server(name = SetDeviceStatus, prefix = "/sfn", endpoint = "devices/set_status")]
pub async fn set_device_status(id: DeviceId, status: String) -> Result<Device, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::devices::{DeviceChange, DeviceStatus};

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = format!("/devices/{id}");
    let change = DeviceChange { status: DeviceStatus::parse(&status), ..DeviceChange::default() };
    let device = devices()?
        .update(&actor()?, id, change)
        .await
        .map_err(|error| form_failed(SetDeviceStatus::PATH, &page, &[], failed(error)))?;
    form_done(SetDeviceStatus::PATH, &page, &[]);
    Ok(device)
}

/// A new key for a device; the old one ends.
#[server(name = RotateKey, prefix = "/sfn", endpoint = "devices/rotate_key")]
pub async fn rotate_key(id: DeviceId) -> Result<DeviceWithKey, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_failed};

    let page = format!("/devices/{id}");
    let rotated = devices()?
        .rotate_key(&actor()?, id)
        .await
        .map_err(|error| form_failed(RotateKey::PATH, &page, &[], failed(error)))?;
    show_key_once(RotateKey::PATH, &page, &rotated);
    Ok(rotated)
}

/// Deletes a device and all it has measured; its name must be typed.
#[server(name = DeleteDevice, prefix = "/sfn", endpoint = "devices/delete")]
pub async fn delete_device(id: DeviceId, #[server(default)] confirm_name: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_failed};

    let page = format!("/devices/{id}");
    let refuse = |failure| form_failed(DeleteDevice::PATH, &page, &[("confirm_name", &confirm_name)], failure);
    let (devices, actor) = (devices()?, actor()?);
    let device = devices.get(&actor, id).await.map_err(|error| refuse(failed(error)))?;
    if device.name.trim() != confirm_name.trim() {
        let message = format!("Type the device's name exactly: {}", device.name);
        return Err(refuse(Failure::field("confirm_name", &message)));
    }
    devices.delete(&actor, id).await.map_err(|error| refuse(failed(error)))?;
    leptos_axum::redirect("/devices");
    Ok(())
}

impl Ask for ListDevices {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("search", &self.search),
            ("status", &self.status),
            ("connection", &self.connection),
            ("sort", &self.sort),
            ("cursor", &self.cursor),
        ])
    }
}

impl Ask for GetDevice {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

impl Ask for LatestValues {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

impl Ask for Problems {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

impl Ask for DeviceChart {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.to_string()),
            ("key", self.key.clone()),
            ("last_ms", self.last_ms.to_string()),
            ("from", self.from.to_iso()),
            ("to", self.to.to_iso()),
            ("max_buckets", self.max_buckets.to_string()),
        ]
    }
}
