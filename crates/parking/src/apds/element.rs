//! The classes of the APDS data model that are served, with its names.

use portico_model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Which part of the hierarchy of places an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApdsKind {
    /// A lot.
    ParkingPlace,
    /// A level of it.
    IdentifiedArea,
    /// A spot.
    Space,
}

impl ApdsKind {
    /// Nothing for kinds that there are none of here (`campus`, `subplaceElement`). Published examples of APDS say `place`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "parkingPlace" | "place" => Some(Self::ParkingPlace),
            "identifiedArea" => Some(Self::IdentifiedArea),
            "space" => Some(Self::Space),
            _ => None,
        }
    }

    /// The top of the hierarchy is 0.
    #[must_use]
    pub const fn layer(self) -> i64 {
        match self {
            Self::ParkingPlace => 0,
            Self::IdentifiedArea => 1,
            Self::Space => 2,
        }
    }
}

/// A text in one language, of a `MultilingualString`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"language": "en", "string": "Main garage"}))]
pub struct ApdsText {
    /// ISO 639-1.
    pub language: String,
    pub string: String,
}

/// `VersionedReference`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"id": "0199a0000000700080000000000000a2", "version": 1, "className": "Place"}))]
pub struct ApdsReference {
    pub id: String,
    pub version: i64,
    pub class_name: String,
}

/// `Reference`: what is written on the sign of a spot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"className": "Space", "id": "PARK_001"}))]
pub struct ApdsSpaceId {
    pub class_name: String,
    pub id: String,
}

/// `HierarchyElementRecord`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"creationTime": "2026-11-20T02:00:00.000+00:00"}))]
pub struct ApdsRecord {
    pub creation_time: Timestamp,
}

/// `AddressLine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"order": 0, "type": "street", "text": [{"language": "en", "string": "1 Harbour Street"}]}))]
pub struct ApdsAddressLine {
    pub order: i64,
    #[serde(rename = "type")]
    pub kind: String,
    pub text: Vec<ApdsText>,
}

/// `Address`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "addressLines": [{"order": 0, "type": "street", "text": [{"language": "en", "string": "1 Harbour Street"}]}]
}))]
pub struct ApdsAddress {
    pub address_lines: Vec<ApdsAddressLine>,
}

/// `GeoJsonPoint`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"type": "Point", "coordinates": [13.405, 52.52]}))]
pub struct ApdsPoint {
    #[serde(rename = "type")]
    pub kind: String,
    /// Degrees east, degrees north (WGS 84).
    pub coordinates: Vec<f64>,
}

/// `Characteristics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "accessControlled": true, "disabledAccess": true, "evChargingPoints": 8, "spacesTotal": 120
}))]
pub struct ApdsCharacteristics {
    /// It has a gate.
    pub access_controlled: bool,
    /// It has spots for people with a disability badge.
    pub disabled_access: bool,
    /// Spots with a charger.
    pub ev_charging_points: i64,
    pub spaces_total: i64,
}

/// `LinearDimension`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"measure": 2.5, "unitOfMeasure": "metres"}))]
pub struct ApdsLength {
    pub measure: f64,
    pub unit_of_measure: String,
}

/// `SpaceDimension`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "dimensionLength": {"measure": 5.0, "unitOfMeasure": "metres"},
    "dimensionWidth": {"measure": 2.5, "unitOfMeasure": "metres"}
}))]
pub struct ApdsDimension {
    pub dimension_length: ApdsLength,
    pub dimension_width: ApdsLength,
}

/// `MaximumDimensions`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"maximumHeight": {"measure": 2.1, "unitOfMeasure": "metres"}}))]
pub struct ApdsMaximum {
    pub maximum_height: ApdsLength,
}

/// `Supply`: spots in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"supplyViewType": "spaceView", "supplyQuantity": 119}))]
pub struct ApdsSupply {
    pub supply_view_type: String,
    pub supply_quantity: i64,
}

/// `DemandType`: spots of an area that are occupied.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "count": 80, "percentage": 67.23, "occupancyCalculation": "counted", "recordDateTime": "2026-11-21T02:00:00.000+00:00"
}))]
pub struct ApdsDemand {
    pub count: i64,
    /// Of the spots in use, at most 100.
    pub percentage: f64,
    pub occupancy_calculation: String,
    /// When one of the spots changed last.
    pub record_date_time: Timestamp,
}

/// `DemandSpaceType`: since when a spot is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "detectionUpdateTime": "2026-11-21T02:00:00.000+00:00", "occupancyStartTime": "2026-11-21T02:00:00.000+00:00",
    "spaceId": {"className": "Space", "id": "PARK_001"}
}))]
pub struct ApdsSpaceDemand {
    pub detection_update_time: Timestamp,
    /// Of a spot that is occupied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occupancy_start_time: Option<Timestamp>,
    /// Of a spot that is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occupancy_end_time: Option<Timestamp>,
    pub space_id: ApdsSpaceId,
}

/// `DemandTable`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "timestamp": "2026-11-21T02:00:00.000+00:00", "demandType": [{"count": 80, "percentage": 67.23,
    "occupancyCalculation": "counted", "recordDateTime": "2026-11-21T02:00:00.000+00:00"}]
}))]
pub struct ApdsDemandTable {
    /// Now.
    pub timestamp: Timestamp,
    pub demand_type: Vec<ApdsDemand>,
    /// Of a space alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demand_space_type: Option<Vec<ApdsSpaceDemand>>,
}

/// `HierarchyElementReference`: how many spots there are, and how many are occupied.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "elementId": {"id": "0199a0000000700080000000000000a2", "version": 1, "className": "Place"},
    "supply": [{"supplyViewType": "spaceView", "supplyQuantity": 119}],
    "demandTable": [{"timestamp": "2026-11-21T02:00:00.000+00:00", "demandType": [{"count": 80, "percentage": 67.23,
    "occupancyCalculation": "counted", "recordDateTime": "2026-11-21T02:00:00.000+00:00"}]}]
}))]
pub struct ApdsOccupancy {
    pub element_id: ApdsReference,
    pub supply: Vec<ApdsSupply>,
    /// Absent: nothing is known of any of its spots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demand_table: Option<Vec<ApdsDemandTable>>,
}

/// An element of the hierarchy of places: `Place`, `IdentifiedArea` or `Space`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0199a0000000700080000000000000a2", "version": 1, "type": "parkingPlace", "layer": 0,
    "name": [{"language": "en", "string": "Main garage"}],
    "hierarchyElementRecord": {"creationTime": "2026-11-20T02:00:00.000+00:00"},
    "childIds": [{"id": "0199a0000000700080000000000000a3", "version": 1, "className": "IdentifiedArea"}],
    "timeZone": "Europe/Berlin"
}))]
pub struct ApdsElement {
    pub id: String,
    /// Always 1: versions are not kept.
    pub version: i64,
    #[serde(rename = "type")]
    pub kind: ApdsKind,
    pub layer: i64,
    pub name: Vec<ApdsText>,
    /// Where a spot is, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Vec<ApdsText>>,
    pub hierarchy_element_record: ApdsRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<ApdsReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child_ids: Option<Vec<ApdsReference>>,
    /// Of a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// With `expand=streetAddress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place_street_address: Option<Vec<ApdsAddress>>,
    /// With `expand=pointLocation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indicative_place_point_location: Option<Vec<ApdsPoint>>,
    /// With `expand=characteristics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characteristics: Option<Vec<ApdsCharacteristics>>,
    /// Of a space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space_id: Option<ApdsSpaceId>,
    /// How a space is watched: `spaceSensor` or `imageAnalytics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space_dimension: Option<ApdsDimension>,
    /// Highest vehicle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space_maximum_dims: Option<ApdsMaximum>,
    /// With `expand=occupancy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hierarchy_element_reference: Option<ApdsOccupancy>,
}
