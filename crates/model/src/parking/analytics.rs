//! How full lots are, were, and will probably be.

use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{LotId, Timestamp};

/// How full something is now, with the fields of the former system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "total_spots": 120, "occupied_spots": 80, "reserved_spots": 6, "available_spots": 31, "unknown_spots": 2,
    "occupancy_rate": 67.23
})))]
pub struct Fill {
    pub total_spots: i64,
    pub occupied_spots: i64,
    pub reserved_spots: i64,
    pub available_spots: i64,
    pub unknown_spots: i64,
    /// Occupied spots of a hundred in use, two decimals.
    pub occupancy_rate: f64,
}

/// As [`Fill`], of a lot, a level or a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "lot_id": "0199a0000000700080000000000000a2", "lot": "Main garage", "level": "L1", "zone": null, "total_spots": 60,
    "occupied_spots": 45, "reserved_spots": 2, "available_spots": 12, "unknown_spots": 1, "occupancy_rate": 75.0
})))]
pub struct PartFill {
    pub lot_id: LotId,
    pub lot: String,
    /// Absent: the whole lot.
    pub level: Option<String>,
    /// Absent: the whole level.
    pub zone: Option<String>,
    #[serde(flatten)]
    pub fill: Fill,
}

/// How full everything is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Occupancy {
    pub overall: Fill,
    pub by_lot: Vec<PartFill>,
    pub by_level: Vec<PartFill>,
    /// Of levels that have zones.
    pub by_zone: Vec<PartFill>,
    pub timestamp: Timestamp,
}

/// An hour of the week.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"weekday": 0, "hour": 9, "occupancy_rate": 82.5, "arrivals": 14.0})))]
pub struct HourOfWeek {
    /// 0: Monday.
    pub weekday: u8,
    /// 0 to 23, by the clock of the lot.
    pub hour: u8,
    /// Mean, percent; absent: nothing is known of it.
    pub occupancy_rate: Option<f64>,
    /// Vehicles that came, mean.
    pub arrivals: f64,
}

/// A day by the clock of the lot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "date": "2026-11-20", "occupancy_rate": 61.0, "peak_rate": 92.5, "arrivals": 310, "departures": 308, "turnover": 2.6,
    "mean_stay_minutes": 131.0, "revenue": [{"currency": "EUR", "amount_minor": 42150}]
})))]
pub struct Day {
    pub date: String,
    /// Mean, percent.
    pub occupancy_rate: Option<f64>,
    /// Of the fullest quarter of an hour, percent.
    pub peak_rate: Option<f64>,
    pub arrivals: i64,
    pub departures: i64,
    /// Vehicles a spot.
    pub turnover: Option<f64>,
    /// Of the vehicles that left.
    pub mean_stay_minutes: Option<f64>,
    /// Of reservations that began that day: paid, less what was given back.
    pub revenue: Vec<Money>,
}

/// An amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"currency": "EUR", "amount_minor": 42150})))]
pub struct Money {
    pub currency: String,
    pub amount_minor: i64,
}

/// How a lot was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Trends {
    pub lot_id: LotId,
    pub time_zone: String,
    pub from: Timestamp,
    pub until: Timestamp,
    /// All 168, from Monday at midnight.
    pub hours: Vec<HourOfWeek>,
    /// Those of which something is known.
    pub days: Vec<Day>,
}

words! {
    /// How a forecast was made.
    ForecastMethod {
        /// As it is now.
        LastValue = "last_value",
        /// The mean of the same quarter of an hour of the last three weeks.
        WeekMean = "week_mean",
        /// What is usual at that time of the week, corrected by how it differs at present.
        Model = "model",
    }
}

words! {
    /// Why it was made so.
    ForecastReason {
        /// In the backtest nothing was better.
        ModelBetter = "model_better",
        /// In the backtest the simple method was better than the model.
        BaselineBetter = "baseline_better",
        /// Less than three weeks are known.
        TooFewData = "too_few_data",
    }
}

/// How many spots will be occupied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "at": "2026-11-21T02:15:00.000+00:00", "expected": 80.5, "low_80": 74.0, "high_80": 88.0, "low_95": 68.0, "high_95": 93.0
})))]
pub struct ForecastStep {
    /// Beginning of the quarter of an hour.
    pub at: Timestamp,
    pub expected: f64,
    /// In four of five cases it is between these.
    pub low_80: f64,
    pub high_80: f64,
    /// In nineteen of twenty.
    pub low_95: f64,
    pub high_95: f64,
}

/// How well a method did in the backtest: many forecasts of the last two weeks, each from what was known before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "method": "model", "mean_absolute_error": 7.5, "pinball": 1.75, "coverage_80": 0.81, "coverage_95": 0.95, "origins": 50,
    "points": 4800
})))]
pub struct ForecastScore {
    pub method: ForecastMethod,
    /// Spots.
    pub mean_absolute_error: f64,
    /// Mean pinball loss over the quantiles of the intervals and the median, spots.
    pub pinball: f64,
    /// How much of what came was within the interval, 0 to 1.
    pub coverage_80: f64,
    pub coverage_95: f64,
    /// Forecasts made.
    pub origins: u32,
    /// Values compared.
    pub points: u32,
}

/// How full a lot will probably be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct LotForecast {
    pub lot_id: LotId,
    pub made_at: Timestamp,
    /// Spots in use.
    pub capacity: i64,
    pub method: ForecastMethod,
    pub reason: ForecastReason,
    /// The next 24 hours, in quarters of an hour.
    pub steps: Vec<ForecastStep>,
    pub scores: Vec<ForecastScore>,
}
