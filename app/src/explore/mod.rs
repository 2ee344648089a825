//! Exploring: any keys of any devices on one chart, saved views, and the files of both.

pub mod address;
pub mod page;
pub mod picker;
pub mod plot;
pub mod views;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::explore::{QueriedTelemetry, SavedView, SeriesChoice};
use portico_model::{SavedViewId, Timestamp};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// Devices that the picker shows at a time.
#[cfg(feature = "ssr")]
const SHOWN_DEVICES: i64 = 40;

/// The series (`ID:key`, a line each) over the last `last_ms`, or over a given range when that is 0.
#[server(name = QuerySeries, prefix = "/sfn", endpoint = "explore/query", input = GetUrl)]
pub async fn query_series(
    series: String,
    last_ms: i64,
    from: Timestamp,
    to: Timestamp,
    aggregation: String,
    window: String,
    max_windows: i64,
) -> Result<QueriedTelemetry, Failure> {
    use portico_devices::TelemetryQuery;
    use portico_model::explore::SeriesRef;
    use portico_model::telemetry::{Aggregation, parse_duration_ms};

    use crate::server::{actor, devices, failed, now};

    let (from, to) = if last_ms > 0 { (now().plus_millis(-last_ms), now()) } else { (from, to) };
    let query = TelemetryQuery {
        series: series.lines().filter_map(SeriesRef::parse).collect(),
        from,
        to,
        aggregation: Aggregation::parse(&aggregation).unwrap_or(Aggregation::Mean),
        window_ms: parse_duration_ms(&window).ok(),
        max_windows: max_windows.clamp(10, 2_000),
    };
    devices()?.query(&actor()?, &query).await.map_err(failed)
}

/// Devices with what can be drawn of them: those that fit the search, or those of a group.
#[server(name = SeriesChoices, prefix = "/sfn", endpoint = "explore/choices", input = GetUrl)]
pub async fn series_choices(
    #[server(default)] find: String,
    #[server(default)] group: String,
) -> Result<Vec<SeriesChoice>, Failure> {
    use crate::server::{actor, devices, failed};

    devices()?.choices(&actor()?, Some(find), group.parse().ok(), SHOWN_DEVICES).await.map_err(failed)
}

/// One's own views and those shared.
#[server(name = ListViews, prefix = "/sfn", endpoint = "explore/views", input = GetUrl)]
pub async fn list_views() -> Result<Vec<SavedView>, Failure> {
    use crate::server::{actor, devices, failed};

    devices()?.views(&actor()?).await.map_err(failed)
}

/// Keeps what the page shows. With a name that one of the own views has, that view is replaced.
#[server(name = SaveView, prefix = "/sfn", endpoint = "explore/save_view")]
pub async fn save_view(
    name: String,
    #[server(default)] shared: String,
    series: String,
    range: String,
    aggregation: String,
    window: String,
    /// The page to go back to.
    page: String,
) -> Result<SavedView, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::explore::{NewView, SeriesRef, ViewDefinition};
    use portico_model::telemetry::Aggregation;

    use crate::server::{actor, devices, failed, form_done, form_failed, local_path};

    let page = local_path(&page).to_owned();
    let refuse = |failure: Failure| form_failed(SaveView::PATH, &page, &[("name", &name)], failure);
    let definition = ViewDefinition {
        series: series.lines().filter_map(SeriesRef::parse).collect(),
        range,
        aggregation: Aggregation::parse(&aggregation).unwrap_or(Aggregation::Mean),
        window,
    };
    let new = NewView { name: name.clone(), shared: !shared.is_empty(), definition };
    let (devices, actor) = (devices()?, actor()?);
    let own = devices.views(&actor).await.map_err(|error| refuse(failed(error)))?;
    let same = own.iter().find(|view| Some(view.owner_id) == actor.user_id() && view.name == name.trim());
    let saved = match same {
        Some(view) => devices.update_view(&actor, view.id, new).await,
        None => devices.create_view(&actor, new).await,
    };
    let saved = saved.map_err(|error| refuse(failed(error)))?;
    form_done(SaveView::PATH, &page, &[]);
    Ok(saved)
}

/// Removes a view of one's own.
#[server(name = DeleteView, prefix = "/sfn", endpoint = "explore/delete_view")]
pub async fn delete_view(id: SavedViewId, page: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_done, form_failed, local_path};

    let page = local_path(&page).to_owned();
    devices()?
        .delete_view(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteView::PATH, &page, &[], failed(error)))?;
    form_done(DeleteView::PATH, &page, &[]);
    Ok(())
}

impl Ask for QuerySeries {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![
            ("series", self.series.clone()),
            ("last_ms", self.last_ms.to_string()),
            ("from", self.from.to_iso()),
            ("to", self.to.to_iso()),
            ("aggregation", self.aggregation.clone()),
            ("window", self.window.clone()),
            ("max_windows", self.max_windows.to_string()),
        ]
    }
}

impl Ask for SeriesChoices {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("find", &self.find), ("group", &self.group)])
    }
}

impl Ask for ListViews {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
