//! Lots, levels and spots in the APDS data model, version 4.0 (Alliance for Parking Data Standards, taken up by ISO/TS
//! 5206-1), as its REST binding has them (<https://github.com/parkingdata/spec>, `api/`).
//!
//! Served: reading and listing of places with their occupancy. A lot is a `parkingPlace`, a level an `identifiedArea`, a
//! spot a `space`. A level is no `subplaceElement`: in the published schema no value of that one's `type` is right, since
//! two lists without a common word hold for it at once. Not served: writing, versions (each element is version 1),
//! `modified_since`, areas and outlines, opening times, contacts, rates, rights, sessions, quotes and observations.

mod element;
pub(crate) mod rest;

use std::sync::Arc;

use portico_model::identity::Permission;
use portico_model::parking::SpotCounts;
use portico_model::parking::lot::{Level, Lot, distance_m};
use portico_model::parking::spot::{SensorType, Spot, SpotState};
use portico_model::{LotId, ParkingLevelId, SpotId, Timestamp};
use portico_platform::{Actor, Error, Result};
use uuid::Uuid;

use crate::Parking;
use crate::analytics::two_decimals;
use crate::memory::Held;
use element::{
    ApdsAddress, ApdsAddressLine, ApdsCharacteristics, ApdsDemand, ApdsDemandTable, ApdsDimension, ApdsLength,
    ApdsMaximum, ApdsOccupancy, ApdsPoint, ApdsRecord, ApdsReference, ApdsSpaceDemand, ApdsSpaceId, ApdsSupply,
    ApdsText,
};

pub use element::{ApdsElement, ApdsKind};

/// Most elements of an answer.
pub const MAX_PAGE: usize = 5_000;

/// What is told of an element beyond what it must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApdsExpand {
    pub occupancy: bool,
    pub point_location: bool,
    pub street_address: bool,
    pub characteristics: bool,
}

/// Which elements to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApdsQuery {
    /// Absent: all.
    pub kinds: Option<Vec<ApdsKind>>,
    /// The lowest layer.
    pub layer: Option<i64>,
    /// Of the element.
    pub name: Option<String>,
    /// Degrees north and east, and metres: only in lots that are not further away.
    pub near: Option<(f64, f64, f64)>,
    pub expand: ApdsExpand,
    pub offset: usize,
    /// Absent: as many as there may be.
    pub limit: Option<usize>,
}

impl ApdsQuery {
    fn takes(&self, kind: ApdsKind, name: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
            && self.layer.is_none_or(|lowest| kind.layer() <= lowest)
            && self.name.as_deref().is_none_or(|wanted| wanted == name)
    }

    fn takes_lot(&self, lot: &Lot) -> bool {
        self.near.is_none_or(|(latitude, longitude, radius)| {
            lot.latitude.zip(lot.longitude).is_some_and(|place| distance_m((latitude, longitude), place) <= radius)
        })
    }
}

/// What an element is made of.
enum Part<'h> {
    Lot(&'h Lot),
    Level(&'h Level),
    Spot(&'h Arc<Spot>),
}

impl Parking {
    /// Elements of the hierarchy of places that fit, each lot before its levels, each level before its spots; and how many
    /// fit on all pages. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn apds_places(&self, actor: &Actor, query: &ApdsQuery) -> Result<(Vec<ApdsElement>, usize)> {
        actor.require(Permission::UseParking)?;
        let (held, now) = (self.held(actor.organization).await?, self.0.platform.clock.now());
        let mut parts = Vec::new();
        for lot in held.lots.iter().filter(|lot| query.takes_lot(lot)) {
            if query.takes(ApdsKind::ParkingPlace, &lot.name) {
                parts.push(Part::Lot(lot));
            }
            for level in held.levels.iter().filter(|level| level.lot_id == lot.id) {
                if query.takes(ApdsKind::IdentifiedArea, &level.name) {
                    parts.push(Part::Level(level));
                }
                let spots = held.spots.iter().filter(|spot| spot.level_id == level.id);
                parts.extend(spots.filter(|spot| query.takes(ApdsKind::Space, &spot.id)).map(Part::Spot));
            }
        }
        let total = parts.len();
        let view = View { held: &held, now, expand: query.expand };
        let limit = query.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let page = parts.iter().skip(query.offset).take(limit);
        Ok((page.map(|part| view.element(part)).collect(), total))
    }

    /// One of them, by the id of a lot, a level or a spot. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn apds_place(&self, actor: &Actor, id: &str, expand: ApdsExpand) -> Result<ApdsElement> {
        actor.require(Permission::UseParking)?;
        let (held, now) = (self.held(actor.organization).await?, self.0.platform.clock.now());
        let lot = || id.parse::<LotId>().ok().and_then(|id| held.lot(id)).map(Part::Lot);
        let level = || id.parse::<ParkingLevelId>().ok().and_then(|id| held.level(id)).map(Part::Level);
        let spot = || id.parse::<SpotId>().ok().and_then(|id| held.spot(id)).map(Part::Spot);
        let part = lot().or_else(level).or_else(spot);
        let part = part.ok_or_else(|| Error::not_found("place_not_found", "There is no such place"))?;
        Ok(View { held: &held, now, expand }.element(&part))
    }
}

fn texts(text: &str) -> Vec<ApdsText> {
    // Nobody says in which language names are; English is that of the rest of Portico.
    vec![ApdsText { language: "en".to_owned(), string: text.to_owned() }]
}

fn reference(class_name: &str, id: impl ToString) -> ApdsReference {
    ApdsReference { id: id.to_string(), version: 1, class_name: class_name.to_owned() }
}

fn metres(centimetres: f64) -> ApdsLength {
    ApdsLength { measure: centimetres / 100.0, unit_of_measure: "metres".to_owned() }
}

/// When the id was made: it is a `UUIDv7`.
fn made_at(id: Uuid) -> Timestamp {
    let seconds = id.get_timestamp().map_or(0, |at| at.to_unix().0);
    Timestamp::from_millis(0).plus_secs(i64::try_from(seconds).unwrap_or_default())
}

/// Everything as it is now.
struct View<'h> {
    held: &'h Held,
    now: Timestamp,
    expand: ApdsExpand,
}

impl View<'_> {
    fn element(&self, part: &Part<'_>) -> ApdsElement {
        match part {
            Part::Lot(lot) => self.lot(lot),
            Part::Level(level) => self.level(level),
            Part::Spot(spot) => self.spot(spot),
        }
    }

    fn lot(&self, lot: &Lot) -> ApdsElement {
        let id = lot.id;
        let spots = move || self.held.spots.iter().filter(move |spot| spot.lot_id == id);
        let children = self.held.levels.iter().filter(|level| level.lot_id == lot.id);
        let count = |is: fn(&Spot) -> bool| i64::try_from(spots().filter(|spot| is(spot)).count()).unwrap_or(i64::MAX);
        let line = || ApdsAddressLine { order: 0, kind: "street".to_owned(), text: texts(&lot.address) };
        let place = lot.longitude.zip(lot.latitude).filter(|_| self.expand.point_location);
        ApdsElement {
            child_ids: Some(children.map(|level| reference("IdentifiedArea", level.id)).collect()),
            time_zone: Some(lot.time_zone_in_force.clone()),
            place_street_address: (self.expand.street_address && !lot.address.is_empty())
                .then(|| vec![ApdsAddress { address_lines: vec![line()] }]),
            indicative_place_point_location: place.map(|(longitude, latitude)| {
                vec![ApdsPoint { kind: "Point".to_owned(), coordinates: vec![longitude, latitude] }]
            }),
            characteristics: self.expand.characteristics.then(|| {
                vec![ApdsCharacteristics {
                    access_controlled: lot.gate_door_id.is_some(),
                    disabled_access: count(|spot| spot.is_accessible) > 0,
                    ev_charging_points: count(|spot| spot.is_ev),
                    spaces_total: count(|_| true),
                }]
            }),
            hierarchy_element_reference: self.area(reference("Place", lot.id), spots()),
            ..general(ApdsKind::ParkingPlace, lot.id, &lot.name, lot.created_at)
        }
    }

    fn level(&self, level: &Level) -> ApdsElement {
        let id = level.id;
        let spots = move || self.held.spots.iter().filter(move |spot| spot.level_id == id);
        ApdsElement {
            parent_id: Some(reference("Place", level.lot_id)),
            child_ids: Some(spots().map(|spot| reference("Space", spot.key)).collect()),
            hierarchy_element_reference: self.area(reference("IdentifiedArea", level.id), spots()),
            ..general(ApdsKind::IdentifiedArea, level.id, &level.name, made_at(level.id.uuid()))
        }
    }

    fn spot(&self, spot: &Arc<Spot>) -> ApdsElement {
        let space_id = ApdsSpaceId { class_name: "Space".to_owned(), id: spot.id.clone() };
        let detection = spot.sensor_type.map(|sensor| match sensor {
            SensorType::Camera => "imageAnalytics",
            SensorType::Ultrasonic | SensorType::Magnetic | SensorType::Infrared => "spaceSensor",
        });
        let level_cm = || self.held.level(spot.level_id).and_then(|level| level.clearance_cm);
        #[allow(clippy::cast_precision_loss)] // at most ten metres
        let clearance = spot.clearance_cm.or_else(level_cm).map(|height| metres(height as f64));
        let mut occupancy = self.area(reference("Space", spot.key), std::iter::once(spot));
        let tables = occupancy.as_mut().and_then(|occupancy| occupancy.demand_table.as_mut());
        if let (Some(table), Some(since)) = (tables.and_then(|tables| tables.first_mut()), spot.last_updated) {
            table.demand_space_type = Some(vec![ApdsSpaceDemand {
                detection_update_time: since,
                occupancy_start_time: (spot.state == SpotState::Occupied).then_some(since),
                occupancy_end_time: (spot.state == SpotState::Free).then_some(since),
                space_id: space_id.clone(),
            }]);
        }
        ApdsElement {
            description: (!spot.location.is_empty()).then(|| texts(&spot.location)),
            parent_id: Some(reference("IdentifiedArea", spot.level_id)),
            space_id: Some(space_id),
            detection: detection.map(str::to_owned),
            space_dimension: Some(ApdsDimension {
                dimension_length: metres(spot.outline.length),
                dimension_width: metres(spot.outline.width),
            }),
            space_maximum_dims: clearance.map(|maximum_height| ApdsMaximum { maximum_height }),
            hierarchy_element_reference: occupancy,
            ..general(ApdsKind::Space, spot.key, &spot.id, made_at(spot.key.uuid()))
        }
    }

    /// Supply and demand of some spots, if they were asked for.
    fn area<'s>(
        &self,
        element_id: ApdsReference,
        spots: impl Iterator<Item = &'s Arc<Spot>> + Clone,
    ) -> Option<ApdsOccupancy> {
        if !self.expand.occupancy {
            return None;
        }
        let counts: SpotCounts = self.held.count(spots.clone(), self.now);
        let usable = counts.total - counts.disabled;
        // Spots out of use are no supply, whoever stands there.
        let in_use = spots.filter(|spot| !spot.is_disabled && spot.state != SpotState::Unknown);
        let occupied = in_use.clone().filter(|spot| spot.state == SpotState::Occupied).count();
        let last = in_use.filter_map(|spot| spot.last_updated).max();
        let count = i64::try_from(occupied).unwrap_or(i64::MAX);
        #[allow(clippy::cast_precision_loss)] // spots are counted in thousands
        let percentage = if usable > 0 { two_decimals(count as f64 * 100.0 / usable as f64) } else { 0.0 };
        let demand = last.map(|record_date_time| {
            let occupancy_calculation = "counted".to_owned();
            let demand_type = vec![ApdsDemand { count, percentage, occupancy_calculation, record_date_time }];
            vec![ApdsDemandTable { timestamp: self.now, demand_type, demand_space_type: None }]
        });
        let supply = vec![ApdsSupply { supply_view_type: "spaceView".to_owned(), supply_quantity: usable }];
        Some(ApdsOccupancy { element_id, supply, demand_table: demand })
    }
}

/// What every element has.
fn general(kind: ApdsKind, id: impl ToString, name: &str, creation_time: Timestamp) -> ApdsElement {
    ApdsElement {
        id: id.to_string(),
        version: 1,
        kind,
        layer: kind.layer(),
        name: texts(name),
        description: None,
        hierarchy_element_record: ApdsRecord { creation_time },
        parent_id: None,
        child_ids: None,
        time_zone: None,
        place_street_address: None,
        indicative_place_point_location: None,
        characteristics: None,
        space_id: None,
        detection: None,
        space_dimension: None,
        space_maximum_dims: None,
        hierarchy_element_reference: None,
    }
}
