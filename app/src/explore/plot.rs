//! Many series on one chart. `public/compare.js` draws (uPlot, an axis for each unit); until it does, and without
//! JavaScript, the server's SVG stands there. The table beneath tells the same in numbers.

use std::collections::BTreeMap;

use leptos::prelude::*;
use portico_model::Timestamp;
use portico_model::explore::{QueriedPoint, QueriedSeries, QueriedTelemetry};

use crate::devices::chart::{gap_ms, width_text};
use crate::devices::row::{key_title, number_text, unit_of};

/// Colours before they come again.
const HUES: usize = 8;

/// How the chart says what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Several keys: each line by device and key.
    DeviceAndKey,
    /// One key of many devices.
    Device,
}

fn label_of(series: &QueriedSeries, naming: Naming) -> String {
    match naming {
        Naming::DeviceAndKey => format!("{}: {}", series.device_name, key_title(&series.key)),
        Naming::Device => series.device_name.clone(),
    }
}

/// The unit of a series: as its device says, or as the usual names mean.
#[must_use]
pub fn unit_of_series(series: &QueriedSeries) -> String {
    series.unit.clone().unwrap_or_else(|| unit_of(&serde_json::Value::Null, &series.key))
}

/// The chart and its table.
#[component]
pub fn ComparePlot(
    answer: QueriedTelemetry,
    naming: Naming,
    /// The page's address; dragging puts a range behind it.
    address: String,
) -> impl IntoView {
    let chart = element::Chart::new();
    let lines: Vec<_> = pictures(&answer)
        .into_iter()
        .enumerate()
        .map(|(number, path)| view! { <path class=format!("compare-line hue-{}", number % HUES + 1) d=path /> })
        .collect();
    let is_empty = answer.series.iter().all(|series| series.points.is_empty());
    let summary = format!("Chart of {} series; the table beneath has their numbers", answer.series.len());
    let note = if is_empty {
        "No values in this range.".to_owned()
    } else if answer.window_ms < 1_000 {
        "Each point is a value as it came. Drag over the chart to zoom in; Back zooms out.".to_owned()
    } else {
        format!(
            "Each point is the {} of {}. Drag over the chart to zoom in; Back zooms out.",
            answer.aggregation.as_str(),
            width_text(answer.window_ms)
        )
    };
    chart.draw(&answer, naming, address);
    view! {
        <div class="compare" node_ref=chart.host role="img" aria-label=summary>
            <svg class="chart-static" viewBox="0 0 600 200" preserveAspectRatio="none" aria-hidden="true">
                {lines}
            </svg>
        </div>
        <p class="chart-note quiet">{note}</p>
        <Numbers answer naming />
    }
}

#[component]
fn Numbers(answer: QueriedTelemetry, naming: Naming) -> impl IntoView {
    let rows: Vec<_> = answer
        .series
        .iter()
        .enumerate()
        .map(|(number, series)| {
            let unit = StoredValue::new(unit_of_series(series));
            let cell = move |value: Option<f64>| {
                view! {
                    <td class="number">
                        {value.map_or_else(|| "–".to_owned(), number_text)}
                        {value.map(|_| view! { <span class="unit">{unit.get_value()}</span> })}
                    </td>
                }
            };
            let values = || series.points.iter().map(|point| point.value);
            view! {
                <tr>
                    <th scope="row" class="cell-name">
                        <span class="compare-name">
                            <svg class="swatch" viewBox="0 0 16 16" aria-hidden="true">
                                <circle class=format!("hue-fill-{}", number % HUES + 1) cx="8" cy="8" r="6" />
                            </svg>
                            <a href=format!("/devices/{}?key={}", series.device_id, crate::browser::encode(&series.key))>
                                {label_of(series, naming)}
                            </a>
                        </span>
                    </th>
                    {cell(values().reduce(f64::min))}
                    {cell(mean(&series.points))}
                    {cell(values().reduce(f64::max))}
                    {cell(series.points.last().map(|point| point.value))}
                </tr>
            }
        })
        .collect();
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label="The series in numbers">
            <table class="table table-dense table-compare">
                <caption class="hidden">"The series in numbers"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Series"</th>
                        <th scope="col">"Lowest"</th>
                        <th scope="col">"Mean"</th>
                        <th scope="col">"Highest"</th>
                        <th scope="col">"Last"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// The mean of the points shown, each weighed by the values in it.
#[allow(clippy::cast_precision_loss)] // counts far below 2^53
fn mean(points: &[QueriedPoint]) -> Option<f64> {
    let count: i64 = points.iter().map(|point| point.count).sum();
    (count > 0).then(|| points.iter().map(|point| point.value * point.count as f64).sum::<f64>() / count as f64)
}

/// Each series as an SVG path on a 600 by 200 grid; those of one unit share a scale.
fn pictures(answer: &QueriedTelemetry) -> Vec<String> {
    let mut scales: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for series in &answer.series {
        for point in &series.points {
            let (low, high) = scales.entry(unit_of_series(series)).or_insert((point.value, point.value));
            (*low, *high) = (low.min(point.value), high.max(point.value));
        }
    }
    let length = answer.to.millis_since(answer.from).max(1);
    #[allow(clippy::cast_precision_loss)] // a picture needs no more
    let x = |ts: Timestamp| ts.millis_since(answer.from) as f64 / length as f64 * 600.0;
    answer
        .series
        .iter()
        .map(|series| {
            let (low, high) = scales.get(&unit_of_series(series)).copied().unwrap_or((0.0, 1.0));
            let height = if high > low { high - low } else { 1.0 };
            let gap_ms = gap_ms(series.points.iter().map(|point| point.ts), answer.window_ms);
            let mut path = String::new();
            let mut before: Option<Timestamp> = None;
            for point in &series.points {
                let joined = before.is_some_and(|before| point.ts.millis_since(before) <= gap_ms);
                let y = 190.0 - (point.value - low) / height * 180.0;
                path.push_str(&format!("{}{:.1} {y:.1}", if joined { 'L' } else { 'M' }, x(point.ts)));
                before = Some(point.ts);
            }
            path
        })
        .collect()
}

#[cfg(feature = "hydrate")]
mod element {
    //! Hands the series to `public/compare.js`, which draws into the host.

    use leptos::html::Div;
    use leptos::prelude::*;
    use portico_model::explore::QueriedTelemetry;
    use web_sys::CustomEvent;

    use super::{Naming, label_of, unit_of_series};

    #[derive(Clone, Copy)]
    pub struct Chart {
        pub host: NodeRef<Div>,
    }

    impl Chart {
        pub fn new() -> Self {
            crate::browser::load_module("/compare.js");
            Self { host: NodeRef::new() }
        }

        pub fn draw(self, answer: &QueriedTelemetry, naming: Naming, address: String) {
            let navigate = leptos_router::hooks::use_navigate();
            let series: Vec<_> = answer
                .series
                .iter()
                .map(|series| {
                    let points: Vec<_> = series.points.iter().map(|point| (point.ts.millis(), point.value)).collect();
                    serde_json::json!({
                        "label": label_of(series, naming), "unit": unit_of_series(series), "points": points,
                    })
                })
                .collect();
            let json = serde_json::json!({
                "from": answer.from.millis(), "to": answer.to.millis(), "windowMs": answer.window_ms, "series": series,
            })
            .to_string();
            Effect::new(move |_| {
                let Some(host) = self.host.get() else { return };
                let Ok(detail) = js_sys::JSON::parse(&json) else { return };
                // For a module that is still on its way, and for one that is there.
                let _ = js_sys::Reflect::set(&host, &"porticoCompare".into(), &detail);
                let init = web_sys::CustomEventInit::new();
                init.set_detail(&detail);
                init.set_bubbles(true);
                if let Ok(event) = CustomEvent::new_with_event_init_dict("portico-compare", &init) {
                    let _ = host.dispatch_event(&event);
                }
                let (navigate, address) = (navigate.clone(), address.clone());
                let zoom = leptos::ev::Custom::<CustomEvent>::new("portico-zoom");
                let handle = leptos::leptos_dom::helpers::window_event_listener(zoom, move |event| {
                    let number = |name: &str| js_sys::Reflect::get(&event.detail(), &name.into()).ok()?.as_f64();
                    if let (Some(from), Some(to)) = (number("from"), number("to")) {
                        let path = format!("{address}&from={from:.0}&to={to:.0}");
                        navigate(&path, leptos_router::NavigateOptions { scroll: false, ..Default::default() });
                    }
                });
                on_cleanup(move || handle.remove());
            });
        }
    }
}

#[cfg(not(feature = "hydrate"))]
mod element {
    use leptos::html::Div;
    use leptos::prelude::*;
    use portico_model::explore::QueriedTelemetry;

    use super::Naming;

    #[derive(Clone, Copy)]
    pub struct Chart {
        pub host: NodeRef<Div>,
    }

    impl Chart {
        pub fn new() -> Self {
            Self { host: NodeRef::new() }
        }
        pub fn draw(self, _answer: &QueriedTelemetry, _naming: Naming, _address: String) {}
    }
}

#[cfg(test)]
mod tests {
    use portico_model::DeviceId;
    use portico_model::telemetry::Aggregation;

    use super::*;

    fn answer(series: Vec<(&str, Vec<(i64, f64)>)>) -> QueriedTelemetry {
        let id: DeviceId = "0193a0000000700080000000000000ab".parse().unwrap();
        let series = series
            .into_iter()
            .map(|(key, points)| QueriedSeries {
                device_id: id,
                device_name: "Meter".into(),
                key: key.into(),
                unit: None,
                points: points
                    .into_iter()
                    .map(|(second, value)| QueriedPoint { ts: Timestamp::from_millis(second * 1_000), value, count: 1 })
                    .collect(),
            })
            .collect();
        QueriedTelemetry {
            from: Timestamp::from_millis(0),
            to: Timestamp::from_millis(100_000),
            aggregation: Aggregation::Mean,
            window_ms: 1_000,
            series,
            missing: Vec::new(),
        }
    }

    #[test]
    fn chart_engine_is_the_installed_one() {
        let package: serde_json::Value = serde_json::from_str(include_str!("../../../frontend/package.json")).unwrap();
        let version = package["devDependencies"]["uplot"].as_str().unwrap();
        let import = format!("import uPlot from \"/pkg/uplot-{version}.js\";");
        assert!(include_str!("../../../public/compare.js").contains(&import), "compare.js should have: {import}");
    }

    #[test]
    fn series_of_one_unit_share_a_scale_and_gaps_break_the_line() {
        let paths = pictures(&answer(vec![
            ("temperature", vec![(0, 0.0), (1, 10.0), (90, 5.0)]),
            ("room_temperature", vec![(0, 5.0)]),
            ("co2", vec![(0, 600.0)]),
            ("empty", vec![]),
        ]));
        assert_eq!(paths[0], "M0.0 190.0L6.0 10.0M540.0 100.0");
        assert_eq!(paths[1], "M0.0 100.0");
        assert_eq!(paths[2], "M0.0 190.0");
        assert_eq!(paths[3], "");
    }

    #[test]
    fn mean_weighs_windows_by_their_values() {
        let point = |value, count| QueriedPoint { ts: Timestamp::default(), value, count };
        assert_eq!(mean(&[point(1.0, 3), point(5.0, 1)]), Some(2.0));
        assert_eq!(mean(&[]), None);
    }
}
