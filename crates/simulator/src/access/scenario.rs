//! A script for locks and readers, step by step, as JSON:
//!
//! ```json
//! {"name": "A jammed lock",
//!  "steps": [
//!    {"device": "front", "jam": true},
//!    {"command": "unlock", "device": "front"},
//!    {"device": "front", "expect": {"state": "jammed", "led": "blinking"}},
//!    {"wait_ms": 200}
//!  ]}
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Control, Touch, Unit};
use crate::api::{Api, ApiError};

/// How long an expectation may take to come true.
const PATIENCE: Duration = Duration::from_secs(15);

/// A whole script.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(default)]
    pub name: String,
    pub steps: Vec<Step>,
}

/// One step: what is done, and to which device.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    pub device: String,
    pub wait_ms: Option<u64>,
    pub jam: Option<bool>,
    pub battery: Option<f64>,
    /// `lock` or `unlock`, by hand.
    pub turn: Option<String>,
    pub card: Option<String>,
    pub pin: Option<String>,
    pub finger: Option<i64>,
    /// `open` or `closed`.
    pub door: Option<String>,
    /// `off`, `on` or `reboot`.
    pub power: Option<String>,
    /// Sent by Portico, in the name of the account that plays.
    pub command: Option<String>,
    pub args: Option<Value>,
    /// Members that the device's face is to have; `connected` and `powered` too.
    pub expect: Option<Map<String, Value>>,
}

/// Why a scenario ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("the scenario cannot be read")]
    Unreadable(#[from] serde_json::Error),
    #[error("step {0}: there is no device {1:?}")]
    NoDevice(usize, String),
    #[error("step {0}: {1} is none of its words")]
    BadWord(usize, String),
    #[error("step {step}: {device} was expected {expected}, but is {is}")]
    NotSo { step: usize, device: String, expected: Value, is: Value },
    #[error("step {0}: the server does not take the command")]
    Refused(usize, #[source] ApiError),
}

impl Scenario {
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        Ok(serde_json::from_str(text)?)
    }

    /// Plays it.
    ///
    /// # Errors
    /// At the first step that does not go as it is written.
    pub async fn play(&self, units: &BTreeMap<String, Unit>, api: &Arc<Api>) -> Result<(), ScenarioError> {
        for (index, step) in self.steps.iter().enumerate() {
            let number = index + 1;
            if let Some(pause) = step.wait_ms {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            if step.device.is_empty() {
                continue;
            }
            let unit = units.get(&step.device).ok_or_else(|| ScenarioError::NoDevice(number, step.device.clone()))?;
            for control in step.controls().map_err(|word| ScenarioError::BadWord(number, word))? {
                unit.control(control).await;
            }
            if let Some(name) = &step.command {
                let path = format!("/api/v1/devices/{}/commands", unit.id);
                let body = json!({ "name": name, "args": step.args.clone().unwrap_or_else(|| json!({})) });
                api.call(Method::POST, &path, Some(&body))
                    .await
                    .map_err(|error| ScenarioError::Refused(number, error))?;
            }
            if let Some(expected) = &step.expect
                && !unit.until(PATIENCE, |seen| is_as(expected, &whole(seen))).await
            {
                let (expected, is) = (Value::Object(expected.clone()), whole(&unit.seen()));
                return Err(ScenarioError::NotSo { step: number, device: step.device.clone(), expected, is });
            }
        }
        Ok(())
    }
}

impl Step {
    fn controls(&self) -> Result<Vec<Control>, String> {
        let mut all = Vec::new();
        let mut touch = |touch: Touch| all.push(Control::Touch(touch));
        let show = |method: &str, value: String| Touch::Show { method: method.to_owned(), value };
        if let Some(jam) = self.jam {
            touch(Touch::Jam(jam));
        }
        if let Some(percent) = self.battery {
            touch(Touch::Battery(percent));
        }
        match self.turn.as_deref() {
            None => {}
            Some("lock") => touch(Touch::Turn(true)),
            Some("unlock") => touch(Touch::Turn(false)),
            Some(other) => return Err(other.to_owned()),
        }
        if let Some(card) = &self.card {
            touch(show("rfid", card.clone()));
        }
        if let Some(pin) = &self.pin {
            touch(show("pin", pin.clone()));
        }
        if let Some(slot) = self.finger {
            touch(show("fingerprint", slot.to_string()));
        }
        match self.door.as_deref() {
            None => {}
            Some(state @ ("open" | "closed")) => touch(Touch::Door { open: state == "open" }),
            Some(other) => return Err(other.to_owned()),
        }
        match self.power.as_deref() {
            None => {}
            Some("off") => all.push(Control::PowerOff),
            Some("on") => all.push(Control::PowerOn),
            Some("reboot") => all.push(Control::Reboot),
            Some(other) => return Err(other.to_owned()),
        }
        Ok(all)
    }
}

fn whole(seen: &super::unit::Seen) -> Value {
    let mut all = seen.face.clone();
    if !all.is_object() {
        all = json!({});
    }
    all["connected"] = json!(seen.connected);
    all["powered"] = json!(seen.powered);
    all["refused"] = json!(seen.refused);
    all["done"] = json!(seen.done);
    all
}

/// Whether all that is expected is there; what is not spoken of may be as it likes.
fn is_as(expected: &Map<String, Value>, is: &Value) -> bool {
    expected.iter().all(|(name, value)| match (value, &is[name]) {
        (Value::Object(inner), found) => is_as(inner, found),
        (value, found) => value == found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_is_read_strictly() {
        let scenario = Scenario::parse(r#"{"steps": [{"device": "front", "jam": true, "power": "reboot"}]}"#).unwrap();
        assert_eq!(scenario.steps[0].controls(), Ok(vec![Control::Touch(Touch::Jam(true)), Control::Reboot]));
        assert!(Scenario::parse(r#"{"steps": [{"device": "front", "jamm": true}]}"#).is_err());
        let step = Step { power: Some("of".into()), ..Step::default() };
        assert_eq!(step.controls(), Err("of".to_owned()));
    }

    #[test]
    fn expectation_speaks_of_what_it_names_alone() {
        let expected = json!({ "state": "locked", "last": { "granted": true } });
        let is = json!({ "state": "locked", "battery": 3, "last": { "granted": true, "reason": "granted" } });
        assert!(is_as(expected.as_object().unwrap(), &is));
        assert!(!is_as(expected.as_object().unwrap(), &json!({ "state": "locked" })));
    }
}
