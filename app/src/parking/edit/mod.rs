//! What managers do to a lot: its settings, its levels, the plan with its spots, spots from a table.

pub mod import;
pub mod levels;
pub mod lot_form;
pub mod page;
pub mod places;
pub mod spot_form;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::parking::lot::{Level, Lot};
use portico_model::parking::spot::Spot;
use portico_model::{LotId, ParkingLevelId};
use serde::{Deserialize, Serialize};

use super::lot::LotView;
use crate::failure::Failure;
use crate::load::Ask;

/// A lot as its editor shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EditView {
    pub shown: LotView,
    /// Id and name of each door that may be the lot's gate.
    pub doors: Vec<(String, String)>,
    /// Id and name of each tariff.
    pub tariffs: Vec<(String, String)>,
}

/// A lot and what its settings choose from.
#[server(name = GetLotEditor, prefix = "/sfn", endpoint = "parking/lot_editor", input = GetUrl)]
pub async fn get_lot_editor(lot: LotId, #[server(default)] level: String) -> Result<EditView, Failure> {
    use portico_model::identity::Permission;

    use crate::server::{access, actor, failed, parking};

    let actor = actor()?;
    actor.require(Permission::ManageParking).map_err(failed)?;
    let shown = super::lot::look_at(lot, &level).await?;
    let doors = if actor.may(Permission::ReadAccess) {
        let (doors, _) = access()?.policy_doors(&actor).await.map_err(failed)?;
        doors.into_iter().map(|door| (door.id, door.name)).collect()
    } else {
        Vec::new()
    };
    let tariffs = parking()?.tariffs(&actor).await.map_err(failed)?;
    let tariffs = tariffs.into_iter().map(|tariff| (tariff.id.to_string(), tariff.name)).collect();
    Ok(EditView { shown, doors, tariffs })
}

/// The fields of a lot's form, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedLot {
    pub name: String,
    pub address: String,
    pub latitude: String,
    pub longitude: String,
    pub time_zone: String,
    pub tariff_id: String,
    pub gate_door_id: String,
    pub is_public: String,
    pub debounce_s: String,
    pub stale_after_minutes: String,
    pub low_battery_percent: String,
    pub is_bookable: String,
    pub is_walk_up: String,
    pub hold_minutes: String,
    pub early_minutes: String,
    pub no_show_minutes: String,
    pub min_minutes: String,
    pub max_minutes: String,
    pub ahead_days: String,
    pub refund_until_hours: String,
    pub late_refund_percent: String,
    pub grace_minutes: String,
    pub longest_stay_minutes: String,
}

#[cfg(feature = "ssr")]
impl TypedLot {
    fn settings(&self) -> Result<portico_model::parking::lot::LotSettings, Failure> {
        use portico_model::parking::lot::{BookingRules, LotSettings};

        use super::typed::{chosen, given, number, whole};

        let usual = LotSettings::default();
        let rules = BookingRules::default();
        let or = |field, text: &String, usual: i64| Ok::<_, Failure>(whole(field, text)?.unwrap_or(usual));
        Ok(LotSettings {
            name: self.name.clone(),
            address: self.address.clone(),
            latitude: number("latitude", &self.latitude)?,
            longitude: number("longitude", &self.longitude)?,
            time_zone: given(&self.time_zone),
            tariff_id: chosen("tariff_id", &self.tariff_id)?,
            gate_door_id: chosen("gate_door_id", &self.gate_door_id)?,
            is_public: !self.is_public.is_empty(),
            debounce_s: or("debounce_s", &self.debounce_s, usual.debounce_s)?,
            stale_after_minutes: or("stale_after_minutes", &self.stale_after_minutes, usual.stale_after_minutes)?,
            low_battery_percent: or("low_battery_percent", &self.low_battery_percent, usual.low_battery_percent)?,
            booking: BookingRules {
                is_bookable: !self.is_bookable.is_empty(),
                is_walk_up: !self.is_walk_up.is_empty(),
                hold_minutes: or("hold_minutes", &self.hold_minutes, rules.hold_minutes)?,
                early_minutes: or("early_minutes", &self.early_minutes, rules.early_minutes)?,
                no_show_minutes: whole("no_show_minutes", &self.no_show_minutes)?,
                min_minutes: or("min_minutes", &self.min_minutes, rules.min_minutes)?,
                max_minutes: or("max_minutes", &self.max_minutes, rules.max_minutes)?,
                ahead_days: or("ahead_days", &self.ahead_days, rules.ahead_days)?,
                refund_until_hours: or("refund_until_hours", &self.refund_until_hours, rules.refund_until_hours)?,
                late_refund_percent: or("late_refund_percent", &self.late_refund_percent, rules.late_refund_percent)?,
                grace_minutes: or("grace_minutes", &self.grace_minutes, rules.grace_minutes)?,
                longest_stay_minutes: whole("longest_stay_minutes", &self.longest_stay_minutes)?,
            },
        })
    }
}

/// The service names rules of reservations by their path.
#[cfg(feature = "ssr")]
fn of_lot(mut failure: Failure) -> Failure {
    for error in &mut failure.fields {
        if let Some(field) = error.field.strip_prefix("booking.") {
            error.field = field.to_owned();
        }
    }
    super::typed::beside(failure, "name_taken", "name")
}

/// Adds a lot and goes to where its levels are added.
#[server(name = CreateLot, prefix = "/sfn", endpoint = "parking/create_lot")]
pub async fn create_lot(
    name: String,
    #[server(default)] address: String,
    #[server(default)] latitude: String,
    #[server(default)] longitude: String,
    #[server(default)] time_zone: String,
) -> Result<Lot, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::parking::lot::BookingRules;

    use super::typed::refuse;
    use crate::server::{actor, failed, parking};

    let typed = TypedLot { name, address, latitude, longitude, time_zone, ..TypedLot::default() };
    let refused = |failure| refuse(CreateLot::PATH, "/parking", &typed, of_lot(failure));
    let mut settings = typed.settings().map_err(refused)?;
    settings.booking = BookingRules::default();
    let lot = parking()?.create_lot(&actor()?, settings).await.map_err(|error| refused(failed(error)))?;
    leptos_axum::redirect(&format!("/parking/{}/edit", lot.id));
    Ok(lot)
}

/// Changes the settings of a lot.
#[server(name = UpdateLot, prefix = "/sfn", endpoint = "parking/update_lot")]
pub async fn update_lot(lot: LotId, #[server(flatten)] typed: TypedLot) -> Result<Lot, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::refuse;
    use crate::server::{actor, failed, form_done, parking};

    let page = format!("/parking/{lot}/edit");
    let refused = |failure| refuse(UpdateLot::PATH, &page, &typed, of_lot(failure));
    let settings = typed.settings().map_err(refused)?;
    let lot = parking()?.update_lot(&actor()?, lot, settings).await.map_err(|error| refused(failed(error)))?;
    form_done(UpdateLot::PATH, &page, &[]);
    Ok(lot)
}

/// Removes a lot with all of it.
#[server(name = DeleteLot, prefix = "/sfn", endpoint = "parking/delete_lot")]
pub async fn delete_lot(id: LotId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_failed, parking};

    let page = format!("/parking/{id}/edit");
    let refused = |error| form_failed(DeleteLot::PATH, &page, &[], failed(error));
    parking()?.delete_lot(&actor()?, id).await.map_err(refused)?;
    leptos_axum::redirect("/parking");
    Ok(())
}

/// The fields of a level's form, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedLevel {
    pub name: String,
    pub position: String,
    pub width_m: String,
    pub height_m: String,
    pub clearance_m: String,
}

#[cfg(feature = "ssr")]
impl TypedLevel {
    fn settings(&self) -> Result<portico_model::parking::lot::LevelSettings, Failure> {
        use portico_model::parking::lot::LevelSettings;

        use super::typed::{metres, whole};

        let usual = LevelSettings::default();
        Ok(LevelSettings {
            name: self.name.clone(),
            position: whole("position", &self.position)?.unwrap_or(usual.position),
            width_cm: metres("width_m", &self.width_m)?.unwrap_or(usual.width_cm),
            height_cm: metres("height_m", &self.height_m)?.unwrap_or(usual.height_cm),
            clearance_cm: metres("clearance_m", &self.clearance_m)?,
        })
    }
}

/// The service counts in centimetres, people in metres.
#[cfg(feature = "ssr")]
fn of_level(failure: Failure) -> Failure {
    use super::typed::{beside, moved};

    let failure = moved(failure, "width_cm", "width_m", Some("5 to 1000 metres"));
    let failure = moved(failure, "height_cm", "height_m", Some("5 to 1000 metres"));
    let failure = moved(failure, "clearance_cm", "clearance_m", Some("1 to 10 metres"));
    beside(failure, "name_taken", "name")
}

/// Adds a level and goes to it.
#[server(name = CreateLevel, prefix = "/sfn", endpoint = "parking/create_level")]
pub async fn create_level(lot: LotId, #[server(flatten)] typed: TypedLevel) -> Result<Level, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::refuse;
    use crate::server::{actor, failed, parking};

    let page = format!("/parking/{lot}/edit");
    let refused = |failure| refuse(CreateLevel::PATH, &page, &typed, of_level(failure));
    let settings = typed.settings().map_err(refused)?;
    let level = parking()?.create_level(&actor()?, lot, settings).await.map_err(|error| refused(failed(error)))?;
    leptos_axum::redirect(&format!("{page}?level={}", level.id));
    Ok(level)
}

/// Changes a level.
#[server(name = UpdateLevel, prefix = "/sfn", endpoint = "parking/update_level")]
pub async fn update_level(
    lot: LotId,
    level: ParkingLevelId,
    #[server(flatten)] typed: TypedLevel,
) -> Result<Level, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::refuse;
    use crate::server::{actor, failed, form_done, parking};

    let page = format!("/parking/{lot}/edit?level={level}");
    let refused = |failure| refuse(UpdateLevel::PATH, &page, &typed, of_level(failure));
    let settings = typed.settings().map_err(refused)?;
    let level = parking()?.update_level(&actor()?, level, settings).await.map_err(|error| refused(failed(error)))?;
    form_done(UpdateLevel::PATH, &page, &[]);
    Ok(level)
}

/// Removes a level with its spots.
#[server(name = DeleteLevel, prefix = "/sfn", endpoint = "parking/delete_level")]
pub async fn delete_level(lot: LotId, id: ParkingLevelId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_failed, parking};

    let page = format!("/parking/{lot}/edit");
    let refused = |error| form_failed(DeleteLevel::PATH, &page, &[], failed(error));
    parking()?.delete_level(&actor()?, id).await.map_err(refused)?;
    leptos_axum::redirect(&page);
    Ok(())
}

/// The fields of the form that draws rows, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedGrid {
    pub rows: String,
    pub columns: String,
    pub prefix: String,
    pub first: String,
    pub zone_letters: String,
    pub sensor_type: String,
}

#[cfg(feature = "ssr")]
impl TypedGrid {
    fn grid(&self) -> Result<portico_model::parking::spot::Grid, Failure> {
        use portico_model::parking::spot::{Grid, SensorType};

        use super::typed::whole;

        let needed = |field, text: &String| {
            whole(field, text)?.ok_or_else(|| Failure::field(field, "A whole number, at least 1."))
        };
        Ok(Grid {
            rows: needed("rows", &self.rows)?,
            columns: needed("columns", &self.columns)?,
            prefix: self.prefix.clone(),
            first: whole("first", &self.first)?.unwrap_or(1),
            zone_letters: !self.zone_letters.is_empty(),
            sensor_type: SensorType::parse(&self.sensor_type),
        })
    }
}

/// Draws rows of spots on an empty level; how many.
#[server(name = GenerateSpots, prefix = "/sfn", endpoint = "parking/generate_spots")]
pub async fn generate_spots(
    lot: LotId,
    level: ParkingLevelId,
    #[server(flatten)] typed: TypedGrid,
) -> Result<usize, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::{beside, refuse};
    use crate::server::{actor, failed, form_done, parking};

    let page = format!("/parking/{lot}/edit?level={level}");
    let refused = |failure| refuse(GenerateSpots::PATH, &page, &typed, beside(failure, "spot_id_taken", "prefix"));
    let grid = typed.grid().map_err(refused)?;
    let made = parking()?.generate_spots(&actor()?, level, grid).await.map_err(|error| refused(failed(error)))?;
    form_done(GenerateSpots::PATH, &page, &[]);
    Ok(made)
}

/// The fields of a spot's form, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedSpot {
    pub id: String,
    pub level_id: String,
    pub zone: String,
    pub location: String,
    pub sensor_type: String,
    pub size: String,
    pub clearance_m: String,
    pub tariff_id: String,
    pub is_accessible: String,
    pub is_ev: String,
    pub is_disabled: String,
    pub x: String,
    pub y: String,
    pub width: String,
    pub length: String,
    pub angle: String,
}

#[cfg(feature = "ssr")]
impl TypedSpot {
    fn settings(&self) -> Result<portico_model::parking::spot::SpotSettings, Failure> {
        use portico_model::parking::spot::{Outline, SensorType, SpotSettings, SpotSize};

        use super::typed::{chosen, metres, number};

        let usual = Outline::default();
        let (x, y) = (number("x", &self.x)?, number("y", &self.y)?);
        let (width, length) = (number("width", &self.width)?, number("length", &self.length)?);
        let angle = number("angle", &self.angle)?;
        let outline = match (x, y) {
            (Some(x), Some(y)) => Some(Outline {
                x,
                y,
                width: width.unwrap_or(usual.width),
                length: length.unwrap_or(usual.length),
                angle: angle.unwrap_or(usual.angle),
            }),
            // Where there is room.
            (None, None) => None,
            (None, Some(_)) => return Err(Failure::field("x", "Both, or none: then it stands where there is room.")),
            (Some(_), None) => return Err(Failure::field("y", "Both, or none: then it stands where there is room.")),
        };
        Ok(SpotSettings {
            id: self.id.clone(),
            level_id: chosen("level_id", &self.level_id)?,
            lot_id: None,
            level: None,
            location: self.location.clone(),
            zone: self.zone.clone(),
            sensor_type: SensorType::parse(&self.sensor_type),
            is_accessible: !self.is_accessible.is_empty(),
            is_ev: !self.is_ev.is_empty(),
            size: SpotSize::parse(&self.size),
            clearance_cm: metres("clearance_m", &self.clearance_m)?,
            is_disabled: !self.is_disabled.is_empty(),
            tariff_id: chosen("tariff_id", &self.tariff_id)?,
            outline,
        })
    }
}

#[cfg(feature = "ssr")]
fn of_spot(failure: Failure) -> Failure {
    use super::typed::{beside, moved};

    let failure = moved(failure, "clearance_cm", "clearance_m", Some("1 to 10 metres"));
    beside(failure, "spot_id_taken", "id")
}

/// Adds a spot.
#[server(name = CreateSpot, prefix = "/sfn", endpoint = "parking/create_spot")]
pub async fn create_spot(lot: LotId, #[server(flatten)] typed: TypedSpot) -> Result<Spot, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::refuse;
    use crate::server::{actor, failed, form_done, parking};

    let page = format!("/parking/{lot}/edit?level={}", crate::server::percent_encode(&typed.level_id));
    let refused = |failure| refuse(CreateSpot::PATH, &page, &typed, of_spot(failure));
    let settings = typed.settings().map_err(refused)?;
    let spot = parking()?.create_spot(&actor()?, settings).await.map_err(|error| refused(failed(error)))?;
    form_done(CreateSpot::PATH, &page, &[]);
    Ok(spot)
}

/// Changes a spot, named by its key, and goes to its page, which is named by what is written on it.
#[server(name = UpdateSpot, prefix = "/sfn", endpoint = "parking/update_spot")]
pub async fn update_spot(spot: String, #[server(flatten)] typed: TypedSpot) -> Result<Spot, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::refuse;
    use crate::server::{actor, failed, parking, percent_encode};

    let page = format!("/parking/spots/{}", percent_encode(&spot));
    let refused = |failure| refuse(UpdateSpot::PATH, &page, &typed, of_spot(failure));
    let settings = typed.settings().map_err(refused)?;
    let changed = parking()?.update_spot(&actor()?, &spot, settings).await.map_err(|error| refused(failed(error)))?;
    leptos_axum::redirect(&format!("/parking/spots/{}", percent_encode(&changed.id)));
    Ok(changed)
}

/// Removes a spot and goes to its level.
#[server(name = DeleteSpot, prefix = "/sfn", endpoint = "parking/delete_spot")]
pub async fn delete_spot(id: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_failed, parking, percent_encode};

    let page = format!("/parking/spots/{}", percent_encode(&id));
    let refused = |error| form_failed(DeleteSpot::PATH, &page, &[], failed(error));
    let (parking, actor) = (parking()?, actor()?);
    let (spot, _) = parking.spot(&actor, &id).await.map_err(refused)?;
    parking.delete_spot(&actor, &id).await.map_err(refused)?;
    leptos_axum::redirect(&format!("/parking/{}?level={}", spot.lot_id, spot.level_id));
    Ok(())
}

/// Draws spots elsewhere. `places`: a JSON list of keys and outlines.
#[server(name = PlaceSpots, prefix = "/sfn", endpoint = "parking/place_spots")]
pub async fn place_spots(lot: LotId, level: ParkingLevelId, places: String) -> Result<usize, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::parking::spot::Placement;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let page = format!("/parking/{lot}/edit?level={level}");
    let refused = |failure| form_failed(PlaceSpots::PATH, &page, &[], failure);
    let read = serde_json::from_str::<Vec<Placement>>(&places);
    let places = read.map_err(|_| refused(Failure::field("places", "Reload the page and try again.")))?;
    parking()?.place_spots(&actor()?, level, &places).await.map_err(|error| refused(failed(error)))?;
    form_done(PlaceSpots::PATH, &page, &[]);
    Ok(places.len())
}

impl Ask for GetLotEditor {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("lot", self.lot.to_string()), ("level", self.level.clone())]
    }
}
