//! What people say about a spot, checked once at the edge.

use portico_devices::Check;
use portico_model::SpotId;
use portico_model::parking::lot::Level;
use portico_model::parking::spot::{Outline, Spot, SpotSettings, SpotSize, SpotState, SpotStatus};
use portico_platform::{Error, Result};

use crate::memory::Held;

/// Longest id, as in the former system.
const MAX_ID: usize = 50;

/// The level that the settings name.
pub fn level_of<'h>(held: &'h Held, settings: &SpotSettings) -> Result<&'h Level> {
    if let Some(id) = settings.level_id {
        return held.level(id).ok_or_else(|| Error::field("level_id", "There is no such level"));
    }
    let name = settings.level.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Error::field("level_id", "is required, or the name of a level in `level`"))?;
    let lot = match (settings.lot_id, held.lots.as_slice()) {
        (Some(id), _) => held.lot(id).ok_or_else(|| Error::field("lot_id", "There is no such lot"))?,
        (None, [only]) => only,
        (None, []) => return Err(Error::field("level", "There is no lot yet: make one with its levels first.")),
        (None, _) => return Err(Error::field("lot_id", "is required: there are several lots")),
    };
    let found = held.levels.iter().find(|level| level.lot_id == lot.id && level.name == name);
    found.ok_or_else(|| Error::field("level", format!("The lot {} has no level {name}.", lot.name)))
}

pub fn new_spot(settings: SpotSettings, level: &Level, place: Outline) -> Result<Spot> {
    let spot = Spot {
        id: String::new(),
        key: SpotId::generate(),
        lot_id: level.lot_id,
        level_id: level.id,
        location: String::new(),
        level: String::new(),
        zone: String::new(),
        is_occupied: false,
        is_reserved: false,
        status: SpotStatus::Unknown,
        state: SpotState::Unknown,
        last_updated: None,
        reserved_from: None,
        reserved_until: None,
        reservation_id: None,
        sensor_type: None,
        sensor_id: None,
        is_accessible: false,
        is_ev: false,
        size: SpotSize::Standard,
        clearance_cm: None,
        is_disabled: false,
        tariff_id: None,
        outline: place,
    };
    changed(spot, settings, level)
}

/// The spot with these settings, all of them, on this level.
pub fn changed(mut spot: Spot, settings: SpotSettings, level: &Level) -> Result<Spot> {
    let mut check = Check::default();
    spot.id = settings.id.trim().to_owned();
    let printable = spot.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if spot.id.is_empty() || spot.id.len() > MAX_ID || !printable {
        check.problem("id", format!("1 to {MAX_ID} letters, digits, '-', '_' or '.'"));
    } else if spot.id.parse::<SpotId>().is_ok() || spot.id == "available" {
        check.problem("id", "must not look like an id of Portico");
    }
    (spot.lot_id, spot.level_id) = (level.lot_id, level.id);
    spot.level.clone_from(&level.name);
    spot.location = check.text("location", &settings.location, 200);
    spot.zone = check.text("zone", &settings.zone, 50);
    spot.sensor_type = settings.sensor_type;
    spot.is_accessible = settings.is_accessible;
    spot.is_ev = settings.is_ev;
    spot.size = settings.size.unwrap_or(SpotSize::Standard);
    spot.clearance_cm = settings.clearance_cm;
    if spot.clearance_cm.is_some_and(|height| !(100..=1_000).contains(&height)) {
        check.problem("clearance_cm", "100 to 1000 centimetres");
    }
    spot.is_disabled = settings.is_disabled;
    spot.tariff_id = settings.tariff_id;
    let outline = settings.outline.map_or(Ok(spot.outline), |wanted| outline(wanted, level));
    match outline {
        Ok(outline) => spot.outline = outline,
        Err(error) => check.problem("outline", error.message()),
    }
    check.done(spot)
}

/// A place on the plan of a level, rounded to millimetres.
pub fn outline(outline: Outline, level: &Level) -> Result<Outline> {
    let round = |value: f64| (value * 10.0).round() / 10.0;
    let angle = outline.angle;
    let fits = |value: f64, least: f64, most: f64| (least..=most).contains(&value);
    #[allow(clippy::cast_precision_loss)] // at most a kilometre
    let on_plan = fits(outline.x, 0.0, level.width_cm as f64) && fits(outline.y, 0.0, level.height_cm as f64);
    let is_sized = fits(outline.width, 50.0, 3_000.0) && fits(outline.length, 50.0, 3_000.0);
    if !on_plan || !is_sized || !fits(angle, -360.0, 360.0) {
        let message = "a place on the plan, 50 to 3000 cm wide and long, turned by -360 to 360 degrees";
        return Err(Error::field("outline", message));
    }
    Ok(Outline {
        x: round(outline.x),
        y: round(outline.y),
        width: round(outline.width),
        length: round(outline.length),
        angle: round(angle.rem_euclid(360.0)),
    })
}
