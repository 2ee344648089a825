//! How the states and values of a device are worded, the same on every page.

use leptos::prelude::*;
use portico_model::devices::{Connection, Device, DeviceStatus};
use portico_model::telemetry::{LatestValue, Value};

use crate::ui::{Badge, Glyph, Tone};

/// Whether we hear from the device.
#[component]
pub fn ConnectionBadge(#[prop(into)] device: Signal<Device>) -> impl IntoView {
    let state = Memo::new(move |_| device.with(|device| (device.status, device.connection)));
    move || match state.get() {
        (DeviceStatus::Inactive, _) => view! { <Badge tone=Tone::Neutral glyph=Glyph::Pause word="Inactive" /> },
        (DeviceStatus::Maintenance, _) => {
            view! { <Badge tone=Tone::Attention glyph=Glyph::Wrench word="Maintenance" /> }
        }
        (DeviceStatus::Active, Connection::Online) => {
            view! { <Badge tone=Tone::Ok glyph=Glyph::Online word="Online" /> }
        }
        (DeviceStatus::Active, Connection::Offline) => {
            view! { <Badge tone=Tone::Danger glyph=Glyph::Offline word="Offline" /> }
        }
        (DeviceStatus::Active, Connection::Never) => {
            view! { <Badge tone=Tone::Unknown glyph=Glyph::Unknown word="Never seen" /> }
        }
    }
}

/// Words that are not written as they sound.
const WORDS: [(&str, &str); 9] = [
    ("co2", "CO₂"),
    ("co", "CO"),
    ("tvoc", "TVOC"),
    ("pm25", "PM2.5"),
    ("pm10", "PM10"),
    ("rssi", "RSSI"),
    ("uv", "UV"),
    ("ph", "pH"),
    ("id", "ID"),
];

/// Ends of keys that only name the unit, which stands beside the value anyway.
const UNIT_ENDS: [&str; 14] =
    ["_kwh", "_kw", "_wh", "_w", "_l_min", "_m3", "_c", "_percent", "_pct", "_ppm", "_hpa", "_lx", "_dbm", "_ms"];

/// `soil_moisture` as `Soil moisture`, `energy_kwh` as `Energy`, `co2` as `CO₂`.
#[must_use]
pub fn key_title(key: &str) -> String {
    let bare = UNIT_ENDS.iter().find_map(|end| key.strip_suffix(end)).filter(|bare| !bare.is_empty()).unwrap_or(key);
    let words: Vec<_> = bare
        .split(['_', '.', '-', ' '])
        .filter(|word| !word.is_empty())
        .map(|word| {
            WORDS.iter().find(|(plain, _)| word.eq_ignore_ascii_case(plain)).map_or(word, |(_, written)| written)
        })
        .collect();
    let text = words.join(" ");
    if words.first().is_some_and(|first| WORDS.iter().any(|(_, written)| written == first)) {
        return text;
    }
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What people look for first.
const FOREMOST: [&str; 6] = ["temperature", "co2", "power", "flow", "humidity", "pressure"];

/// Where a key stands when there is room for a few only: what people look for first, then other numbers, then the rest.
#[must_use]
pub fn rank(latest: &LatestValue) -> usize {
    match rank_of_key(&latest.key) {
        position if position < FOREMOST.len() => position,
        _ if matches!(latest.value, Value::Number(_)) => FOREMOST.len(),
        _ => FOREMOST.len() + 1,
    }
}

/// Where the name of a key stands: what people look for first, then the rest.
#[must_use]
pub fn rank_of_key(key: &str) -> usize {
    let key = key.to_ascii_lowercase();
    let is_named = |word: &&str| key.split(['_', '.', '-']).any(|part| part == *word);
    FOREMOST.iter().position(is_named).unwrap_or(FOREMOST.len())
}

/// The `count` values that matter most.
#[must_use]
pub fn foremost(values: &[LatestValue], count: usize) -> Vec<&LatestValue> {
    let mut sorted: Vec<_> = values.iter().collect();
    sorted.sort_by_key(|latest| rank(latest));
    sorted.truncate(count);
    sorted
}

/// The unit of a key: what the device's metadata says (`{"units": {key: unit}}`), or what the usual names mean.
#[must_use]
pub fn unit_of(metadata: &serde_json::Value, key: &str) -> String {
    if let Some(unit) = metadata.get("units").and_then(|units| units.get(key)).and_then(serde_json::Value::as_str) {
        return unit.to_owned();
    }
    let known = [
        ("temperature", "°C"),
        ("humidity", "%"),
        ("moisture", "%"),
        ("battery", "%"),
        ("co2", "ppm"),
        ("tvoc", "ppb"),
        ("pm25", "µg/m³"),
        ("pm10", "µg/m³"),
        ("pressure", "hPa"),
        ("illuminance", "lx"),
        ("light", "lx"),
        ("lux", "lx"),
        ("noise", "dB"),
        ("rssi", "dBm"),
        ("voltage", "V"),
        ("current", "A"),
        ("power", "W"),
        ("energy", "kWh"),
        ("flow", "l/min"),
        ("distance", "cm"),
        ("uptime", "s"),
    ];
    let key = key.to_ascii_lowercase();
    let part_is = |part: &str| key.split(['_', '.', '-']).any(|word| word == part);
    known.iter().find(|(part, _)| part_is(part)).map(|(_, unit)| (*unit).to_owned()).unwrap_or_default()
}

/// A number with as many decimals as matter, always the same for the same size, so that it changes in place.
#[must_use]
pub fn number_text(number: f64) -> String {
    let size = number.abs();
    if number.fract() == 0.0 && size < 1e15 {
        format!("{number:.0}")
    } else if !(0.001..1e9).contains(&size) {
        format!("{number:.2e}")
    } else if size >= 1_000.0 {
        format!("{number:.0}")
    } else if size >= 100.0 {
        format!("{number:.1}")
    } else if size >= 1.0 {
        format!("{number:.2}")
    } else {
        format!("{number:.3}")
    }
}

/// A value as text, without its unit.
#[must_use]
pub fn value_text(value: &Value) -> String {
    match value {
        Value::Boolean(true) => "yes".to_owned(),
        Value::Boolean(false) => "no".to_owned(),
        Value::Number(number) => number_text(*number),
        Value::Text(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn units_come_from_the_device_before_the_usual_names() {
        assert_eq!(unit_of(&json!({"units": {"temperature": "°F"}}), "temperature"), "°F");
        assert_eq!(unit_of(&json!({}), "supply_temperature"), "°C");
        assert_eq!(unit_of(&json!(null), "CO2"), "ppm");
        assert_eq!(unit_of(&json!(null), "currently_open"), "", "a part of a word is not the word");
    }

    #[test]
    fn numbers_keep_their_width_while_they_change() {
        for (number, text) in [
            (21.0, "21"),
            (21.456, "21.46"),
            (421.26, "421.3"),
            (1013.25, "1013"),
            (0.12345, "0.123"),
            (-3.5, "-3.50"),
            (0.000_01, "1.00e-5"),
            (0.0, "0"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn keys_read_as_words() {
        assert_eq!(key_title("soil_moisture"), "Soil moisture");
        assert_eq!(key_title("supply_air_c"), "Supply air");
        assert_eq!(key_title("energy_kwh"), "Energy");
        assert_eq!(key_title("co2"), "CO₂");
        assert_eq!(key_title("indoor_co2"), "Indoor CO₂");
        assert_eq!(key_title("_w"), "W");
        assert_eq!(key_title(""), "");
    }

    #[test]
    fn what_people_look_for_comes_first() {
        let latest = |key: &str, value| LatestValue { key: key.into(), value, ts: portico_model::Timestamp::default() };
        let values = [
            latest("age", Value::Number(1.0)),
            latest("door", Value::Boolean(true)),
            latest("humidity", Value::Number(40.0)),
            latest("room_temperature", Value::Number(21.0)),
        ];
        let keys: Vec<_> = foremost(&values, 4).iter().map(|latest| latest.key.as_str()).collect();
        assert_eq!(keys, ["room_temperature", "humidity", "age", "door"]);
    }
}
