//! Alarms about sensors: a battery that runs down, silence.

use portico_alarms::{Alarms, Change, Reach, Report, Subject};
use portico_model::alarms::Severity;
use portico_model::{OrganizationId, Timestamp};
use portico_platform::{Result, Tx};

use super::store::Known;
use crate::memory::Held;

/// A battery counts as good again when it has so much more than the limit, percent: it rests and recovers a little.
const RECOVERED: f64 = 5.0;

/// Whether its battery is low, given whether it was.
#[allow(clippy::cast_precision_loss)] // at most 90
pub fn has_low_battery(sensor: &Known, limit_percent: i64) -> bool {
    let limit = limit_percent as f64 + if sensor.has_low_battery { RECOVERED } else { 0.0 };
    sensor.battery_percent.is_some_and(|percent| percent < limit)
}

fn battery_cause(sensor: &Known) -> String {
    format!("parking_battery:{}", sensor.id)
}

fn silence_cause(sensor: &Known) -> String {
    format!("parking_silence:{}", sensor.id)
}

fn report(
    cause: String,
    kind: &'static str,
    severity: Severity,
    title: String,
    text: String,
    sensor: &Known,
    began_at: Timestamp,
) -> Report {
    Report {
        cause,
        kind,
        severity,
        title,
        text,
        subject: Subject { kind: "parking_sensor", id: sensor.id.to_string(), name: sensor.sensor_id.clone() },
        began_at,
        reach: Reach::default(),
    }
}

/// What a message of a sensor with a spot raises and clears.
pub async fn of_message(
    alarms: &Alarms,
    tx: &mut Tx,
    organization: OrganizationId,
    before: Option<&Known>,
    sensor: &Known,
    held: &Held,
) -> Result<Vec<Change>> {
    let Some(spot) = sensor.spot_id.and_then(|spot| held.spot(spot)) else { return Ok(Vec::new()) };
    let mut changes = Vec::new();
    let had_low_battery = before.is_some_and(|before| before.has_low_battery);
    if sensor.has_low_battery && !had_low_battery {
        let percent = sensor.battery_percent.unwrap_or_default();
        let title = format!("Battery of sensor {} is low", sensor.sensor_id);
        let text = format!("The sensor of spot {} has {percent:.0} % left.", spot.id);
        let report = report(
            battery_cause(sensor),
            "parking_sensor_battery",
            Severity::Warning,
            title,
            text,
            sensor,
            sensor.heard_at,
        );
        changes.extend(alarms.raise(tx, organization, &report).await?);
    } else if had_low_battery && !sensor.has_low_battery {
        changes.extend(alarms.clear(tx, organization, &battery_cause(sensor), "The battery is good again.").await?);
    }
    if before.is_some_and(|before| before.is_silent) {
        changes.extend(alarms.clear(tx, organization, &silence_cause(sensor), "The sensor is heard again.").await?);
    }
    Ok(changes)
}

/// A sensor has fallen silent.
pub async fn of_silence(
    alarms: &Alarms,
    tx: &mut Tx,
    organization: OrganizationId,
    sensor: &Known,
    spot: &str,
) -> Result<Option<Change>> {
    let title = format!("Sensor {} is silent", sensor.sensor_id);
    let text = format!("Nothing is known of spot {spot} any more.");
    let report =
        report(silence_cause(sensor), "parking_sensor_silent", Severity::Warning, title, text, sensor, sensor.heard_at);
    alarms.raise(tx, organization, &report).await
}

/// The sensor no longer has a spot, or is gone: nobody need care.
pub async fn end(alarms: &Alarms, tx: &mut Tx, organization: OrganizationId, sensor: &Known) -> Result<Vec<Change>> {
    let note = "The sensor no longer has a spot.";
    alarms.clear_subject(tx, organization, "parking_sensor", &sensor.id.to_string(), note).await
}
