//! Analytics of a lot: how full it is, was and will probably be, how good forecasts have been, and the history of another
//! system to learn from.

mod days;
mod forecast;
mod heat;
mod import;
mod now;
pub mod page;
mod picture;
#[cfg(feature = "ssr")]
mod read;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::parking::analytics::{Day, HourOfWeek, LotForecast, Occupancy};
use portico_model::{LotId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// Path of the page.
pub const PAGE: &str = "/parking/analytics";

/// How full all lots are now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NowView {
    /// The one whose levels and zones are shown; absent when there are no lots, or not this one.
    pub lot: Option<LotId>,
    pub occupancy: Occupancy,
}

/// What is known of a lot's past and future.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LotAnalytics {
    pub lot: LotId,
    pub name: String,
    pub time_zone: String,
    /// Absent: too little is known.
    pub forecast: Option<ForecastView>,
    /// All 168, from Monday at midnight.
    pub hours: Vec<HourOfWeek>,
    /// Without holes, from the first that is known to the last.
    pub days: Vec<ShownDay>,
}

/// A forecast, with its times as the clock of the lot shows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForecastView {
    pub forecast: LotForecast,
    /// Where the past ends and the forecast begins.
    pub begin: Timestamp,
    /// It should have been made anew by now.
    pub is_stale: bool,
    /// Of each step, such as `Sat 21 Nov, 14:15`.
    pub times: Vec<String>,
    /// The day before.
    pub past: Vec<Measured>,
    /// Under the chart.
    pub marks: Vec<Mark>,
}

/// An hour of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its middle.
    pub at: Timestamp,
    /// When it began.
    pub time: String,
    /// Spots, mean; absent: nothing is known.
    pub occupied: Option<f64>,
}

/// A moment that is written under the chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub at: Timestamp,
    pub text: String,
    /// Left out where there is little room.
    pub is_minor: bool,
}

/// A day of the calendar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownDay {
    /// `Sat 21 Nov 2026`.
    pub label: String,
    /// Absent: nothing is known of it.
    pub day: Option<Day>,
}

/// How full all lots are now; levels and zones of the one that is asked for, by default the first.
#[server(name = ReadParkingNow, prefix = "/sfn", endpoint = "parking/now", input = GetUrl)]
pub async fn read_parking_now(#[server(default)] lot: String) -> Result<NowView, Failure> {
    read::now(&lot).await
}

impl Ask for ReadParkingNow {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("lot", &self.lot)])
    }
}

/// Past and future of a lot, by default the first; `None` when there are none. `days` of the past: 7, 28, 90 or 365.
#[server(name = ReadLotAnalytics, prefix = "/sfn", endpoint = "parking/analytics", input = GetUrl)]
pub async fn read_lot_analytics(
    #[server(default)] lot: String,
    #[server(default)] days: String,
) -> Result<Option<LotAnalytics>, Failure> {
    read::lot(&lot, &days).await
}

impl Ask for ReadLotAnalytics {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("lot", &self.lot), ("days", &self.days)])
    }
}

/// Makes the forecast of a lot anew. `days` are those that the page shows.
#[server(name = RenewForecast, prefix = "/sfn", endpoint = "parking/renew_forecast")]
pub async fn renew_forecast(lot: LotId, #[server(default)] days: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};
    use crate::ui::address;

    let text = lot.to_string();
    let page = address(PAGE, [("lot", text.as_str()), ("days", days.as_str())]);
    let refused = |error| form_failed(RenewForecast::PATH, &page, &[], failed(error));
    parking()?.renew_forecast(&actor()?, lot).await.map_err(refused)?;
    form_done(RenewForecast::PATH, &page, &[]);
    Ok(())
}
