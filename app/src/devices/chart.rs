//! The chart of one key. The range is part of the address, so that it can be linked, works without JavaScript and Back
//! zooms out. `public/chart.js` draws (uPlot); until it does, and without JavaScript, the server's SVG stands there.

use leptos::prelude::*;
use leptos_router::components::Form;
use portico_model::alarms::rule::Threshold;
use portico_model::telemetry::{Bucket, ChartSeries, Sample, Value};
use portico_model::{DeviceId, Timestamp};

use super::row::{key_title, number_text, unit_of};
use crate::load::{Loaded, read};
use crate::time::utc_text;
use crate::ui::{Glyph, Icon, ProblemView};

/// What the browser's chart can show side by side.
pub const MAX_BUCKETS: i64 = 600;
const DEFAULT_RANGE: &str = "1h";
/// Narrower buckets hold one value each.
const RAW_BELOW_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// The choices; anything else is `from` and `to`.
pub const PRESETS: [(&str, &str, i64); 4] = [
    ("1h", "1 h", HOUR_MS),
    ("24h", "24 h", 24 * HOUR_MS),
    ("7d", "7 d", 168 * HOUR_MS),
    ("30d", "30 d", 720 * HOUR_MS),
];

/// What part of time the chart shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// Up to now, and growing.
    Last {
        name: &'static str,
        length_ms: i64,
    },
    Between {
        from: Timestamp,
        to: Timestamp,
    },
}

impl Range {
    /// Reads `range`, `from` and `to` of the address. A time without offset is UTC.
    #[must_use]
    pub fn parse(range: &str, from: &str, to: &str) -> Self {
        let parse = |text: &str| text.parse().ok().map(Timestamp::from_millis).or_else(|| Timestamp::parse_iso(text));
        match (parse(from), parse(to)) {
            (Some(from), Some(to)) if from < to => Self::Between { from, to },
            _ => {
                let preset = |wanted: &str| PRESETS.iter().find(|(name, ..)| *name == wanted);
                let (name, _, length_ms) = preset(range).or_else(|| preset(DEFAULT_RANGE)).unwrap_or(&PRESETS[0]);
                Self::Last { name, length_ms: *length_ms }
            }
        }
    }

    /// For links: `&range=24h` or `&from=…&to=…`.
    #[must_use]
    pub fn query(&self) -> String {
        match self {
            Self::Last { name, .. } => format!("&range={name}"),
            Self::Between { from, to } => format!("&from={}&to={}", from.millis(), to.millis()),
        }
    }

    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Last { .. })
    }
}

/// `10 s`, `5 min`, `2 h`.
#[must_use]
pub fn width_text(bucket_ms: i64) -> String {
    match bucket_ms {
        ..1_000 => format!("{bucket_ms} ms"),
        1_000..60_000 => format!("{} s", bucket_ms / 1_000),
        60_000..HOUR_MS => format!("{} min", bucket_ms / 60_000),
        _ => format!("{} h", bucket_ms / HOUR_MS),
    }
}

/// The numbers of a key in these samples, for the live end of the chart.
#[must_use]
pub fn points_of(samples: &[Sample], key: &str) -> Vec<(Timestamp, f64)> {
    samples.iter().filter_map(|sample| Some((sample.ts, sample.data.get(key).and_then(Value::number)?))).collect()
}

/// The chart with its range, export and table.
#[component]
pub fn ChartPanel(
    id: DeviceId,
    series: Resource<Loaded>,
    #[prop(into)] range: Signal<Range>,
    #[prop(into)] key: Signal<String>,
    #[prop(into)] metadata: Signal<serde_json::Value>,
    /// New numbers of the key.
    points: RwSignal<Vec<(Timestamp, f64)>>,
    /// Limits of the device's keys: lines in the chart.
    thresholds: Resource<Loaded>,
) -> impl IntoView {
    let title = move || key.with(|key| if key.is_empty() { "Chart".to_owned() } else { key_title(key) });
    let unit = Signal::derive(move || key.with(|key| metadata.with(|metadata| unit_of(metadata, key))));
    let csv = move || {
        let bounds = match range.get() {
            Range::Last { name, .. } => format!("start_time=-{name}"),
            Range::Between { from, to } => format!("start_time={}&end_time={}", from.millis(), to.millis()),
        };
        format!("/api/v1/telemetry/{id}.csv?{bounds}")
    };
    view! {
        <section class="card chart-card" aria-labelledby="chart-title" id="chart">
            <div class="card-head">
                <h2 id="chart-title">
                    {title} <span class="unit">{move || unit.get()}</span>
                </h2>
                <RangeChoice id range key />
                <a class="button button-small" href=csv rel="external" download>
                    <Icon glyph=Glyph::Download />
                    <span>"CSV"</span>
                </a>
            </div>
            <Transition fallback=|| view! { <div class="chart-space" role="status">"Loading chart"</div> }>
                {move || {
                    let limits = thresholds.get()?;
                    series
                        .get()
                        .map(|series| match read::<Option<ChartSeries>>(series) {
                            Ok(Some(series)) => {
                                let live = range.with_untracked(Range::is_live);
                                let mut limits = read::<Vec<Threshold>>(limits).unwrap_or_default();
                                limits.retain(|limit| limit.key == series.key);
                                view! { <ChartView id series unit=unit.get_untracked() live points limits /> }.into_any()
                            }
                            Ok(None) => {
                                view! { <p class="chart-space quiet">"There are no numbers to draw yet."</p> }.into_any()
                            }
                            Err(failure) => view! { <ProblemView failure /> }.into_any(),
                        })
                }}
            </Transition>
        </section>
    }
}

#[component]
fn RangeChoice(id: DeviceId, range: Signal<Range>, key: Signal<String>) -> impl IntoView {
    let key_query = move || key.with(|key| crate::browser::encode(key));
    let is_custom = move || range.with(|range| !range.is_live());
    let bound = move |start: bool| {
        range.with(|range| match range {
            Range::Between { from, to } => {
                let iso = if start { from } else { to }.to_iso();
                iso.get(..16).map(ToOwned::to_owned)
            }
            Range::Last { .. } => None,
        })
    };
    view! {
        <div class="range" role="group" aria-label="Time range">
            {PRESETS
                .map(|(name, label, _)| {
                    let is_on = move || range.with(|range| matches!(range, Range::Last { name: on, .. } if *on == name));
                    view! {
                        <a
                            class="range-choice"
                            href=move || format!("/devices/{id}?key={}&range={name}", key_query())
                            aria-current=move || is_on().then_some("true")
                        >
                            {label}
                        </a>
                    }
                })}
            <details class="dialog range-custom">
                <summary class="range-choice" aria-current=move || is_custom().then_some("true")>"Custom"</summary>
                <div class="dialog-panel">
                    <Form method="GET" action=format!("/devices/{id}") attr:class="form">
                        <input type="hidden" name="key" value=move || key.get() />
                        <div class="field">
                            <label for="range-from">"From (UTC)"</label>
                            <input
                                id="range-from"
                                name="from"
                                type="datetime-local"
                                required=true
                                value=move || bound(true)
                            />
                        </div>
                        <div class="field">
                            <label for="range-to">"To (UTC)"</label>
                            <input
                                id="range-to"
                                name="to"
                                type="datetime-local"
                                required=true
                                value=move || bound(false)
                            />
                        </div>
                        <button class="button button-primary" type="submit">"Show this range"</button>
                    </Form>
                </div>
            </details>
        </div>
    }
}

#[component]
fn ChartView(
    id: DeviceId,
    series: ChartSeries,
    unit: String,
    live: bool,
    points: RwSignal<Vec<(Timestamp, f64)>>,
    /// Of this key.
    limits: Vec<Threshold>,
) -> impl IntoView {
    let chart = element::Chart::new();
    let picture = fallback_picture(&series);
    let lines = limit_lines(&series, &limits);
    let summary = summary(&series, &unit);
    let width = width_text(series.bucket_ms);
    let table = series.clone();
    chart.draw(series.clone(), unit.clone(), live, id, limits.clone());
    if live {
        chart.append_from(points);
    }
    view! {
        <div class="chart" node_ref=chart.host role="img" aria-label=summary.clone()>
            <svg class="chart-static" viewBox="0 0 600 200" preserveAspectRatio="none" aria-hidden="true">
                <path class="chart-band" d=picture.band />
                <path class="chart-line" d=picture.line />
                <path class="chart-threshold" d=lines />
            </svg>
        </div>
        {(!limits.is_empty())
            .then(|| {
                view! {
                    <ul class="chart-limits" aria-label="Limits">
                        {limits
                            .into_iter()
                            .map(|limit| {
                                view! {
                                    <li>
                                        <a href=format!("/alarms/rules/{}", limit.rule_id)>{limit.name}</a>
                                        {format!(": {} {} {unit}", limit.side.as_str(), number_text(limit.limit))}
                                    </li>
                                }
                            })
                            .collect_view()}
                    </ul>
                }
            })}
        <p class="chart-note quiet">
            {if series.buckets.is_empty() {
                "No values in this range.".to_owned()
            } else if series.bucket_ms < RAW_BELOW_MS {
                "Each point is a value as it came. Drag over the chart to zoom in; Back zooms out.".to_owned()
            } else {
                format!("Each point is the mean of {width}; the band is its lowest and highest value. Drag over the chart to zoom in; Back zooms out.")
            }}
        </p>
        <details class="chart-table">
            <summary>"The numbers as a table"</summary>
            <div class="table-wrap" tabindex="0" role="region" aria-label="The numbers of the chart">
                <table class="table table-dense">
                    <thead>
                        <tr>
                            <th scope="col">"From"</th>
                            <th scope="col">"Mean"</th>
                            <th scope="col">"Lowest"</th>
                            <th scope="col">"Highest"</th>
                            <th scope="col">"Values"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {newest_buckets(&table)
                            .map(|bucket| {
                                view! {
                                    <tr>
                                        <td>{utc_text(bucket.ts)}</td>
                                        <td class="number">{number_text(bucket.mean)}</td>
                                        <td class="number">{number_text(bucket.min)}</td>
                                        <td class="number">{number_text(bucket.max)}</td>
                                        <td class="number">{bucket.count}</td>
                                    </tr>
                                }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </div>
        </details>
    }
}

/// How many rows the table of a chart shows; all of them are in the CSV file.
const TABLE_ROWS: usize = 60;

fn newest_buckets(series: &ChartSeries) -> impl Iterator<Item = Bucket> + '_ {
    series.buckets.iter().rev().take(TABLE_ROWS).copied()
}

fn bounds(series: &ChartSeries) -> Option<(f64, f64)> {
    series.buckets.iter().fold(None, |bounds, bucket| match bounds {
        None => Some((bucket.min, bucket.max)),
        Some((low, high)) => Some((bucket.min.min(low), bucket.max.max(high))),
    })
}

fn summary(series: &ChartSeries, unit: &str) -> String {
    let name = key_title(&series.key);
    match (bounds(series), series.buckets.last()) {
        (Some((low, high)), Some(last)) => format!(
            "Chart of {name}: between {} and {} {unit}, last {} {unit}",
            number_text(low),
            number_text(high),
            number_text(last.last)
        ),
        _ => format!("Chart of {name}: no values in this range"),
    }
}

/// The chart as two SVG paths on a 600 by 200 grid.
#[derive(Debug, Default, PartialEq)]
struct Picture {
    line: String,
    band: String,
}

fn fallback_picture(series: &ChartSeries) -> Picture {
    use std::fmt::Write as _;

    let Some((low, high)) = bounds(series) else { return Picture::default() };
    let length = series.to.millis_since(series.from).max(1);
    let height = if high > low { high - low } else { 1.0 };
    #[allow(clippy::cast_precision_loss)] // a picture needs no more
    let x = |ts: Timestamp| ts.millis_since(series.from) as f64 / length as f64 * 600.0;
    let y = |value: f64| 190.0 - (value - low) / height * 180.0;
    let mut picture = Picture::default();
    let gap_ms = gap_ms(series.buckets.iter().map(|bucket| bucket.ts), series.bucket_ms);
    for run in runs(&series.buckets, gap_ms) {
        for (number, bucket) in run.iter().enumerate() {
            let command = if number == 0 { 'M' } else { 'L' };
            let _ = write!(picture.line, "{command}{:.1} {:.1}", x(bucket.ts), y(bucket.mean));
            let _ = write!(picture.band, "{command}{:.1} {:.1}", x(bucket.ts), y(bucket.max));
        }
        for bucket in run.iter().rev() {
            let _ = write!(picture.band, "L{:.1} {:.1}", x(bucket.ts), y(bucket.min));
        }
        picture.band.push('Z');
    }
    picture
}

/// The limits as lines on the same grid; those beyond the picture are left out.
fn limit_lines(series: &ChartSeries, limits: &[Threshold]) -> String {
    use std::fmt::Write as _;

    let Some((low, high)) = bounds(series) else { return String::new() };
    let height = if high > low { high - low } else { 1.0 };
    limits.iter().filter(|limit| (low..=high).contains(&limit.limit)).fold(String::new(), |mut lines, limit| {
        let _ = write!(lines, "M0 {0:.1}L600 {0:.1}", 190.0 - (limit.limit - low) / height * 180.0);
        lines
    })
}

/// Moments further apart than this have a gap between them: nothing came in three times the usual distance, which is at
/// least the width of a bucket. Of two distances the smaller is usual. `public/chart.js` and `compare.js` count alike.
pub fn gap_ms(moments: impl IntoIterator<Item = Timestamp>, bucket_ms: i64) -> i64 {
    let moments: Vec<_> = moments.into_iter().collect();
    let mut distances: Vec<_> =
        moments.windows(2).filter_map(|pair| Some(pair.get(1)?.millis_since(*pair.first()?))).collect();
    distances.sort_unstable();
    let usual = distances.get(distances.len().saturating_sub(1) / 2).copied().unwrap_or(0);
    usual.max(bucket_ms).saturating_mul(3)
}

fn runs(buckets: &[Bucket], gap_ms: i64) -> Vec<&[Bucket]> {
    buckets.chunk_by(|before, after| after.ts.millis_since(before.ts) <= gap_ms).collect()
}

#[cfg(feature = "hydrate")]
mod element {
    //! Hands the series to `public/chart.js`, which draws into the host.

    use leptos::html::Div;
    use leptos::prelude::*;
    use portico_model::alarms::rule::Threshold;
    use portico_model::telemetry::ChartSeries;
    use portico_model::{DeviceId, Timestamp};
    use wasm_bindgen::JsValue;
    use web_sys::CustomEvent;

    #[derive(Clone, Copy)]
    pub struct Chart {
        pub host: NodeRef<Div>,
    }

    impl Chart {
        pub fn new() -> Self {
            crate::browser::load_module("/chart.js");
            Self { host: NodeRef::new() }
        }

        fn tell(self, name: &str, detail: &JsValue) {
            let Some(host) = self.host.get_untracked() else { return };
            let init = web_sys::CustomEventInit::new();
            init.set_detail(detail);
            init.set_bubbles(true);
            if let Ok(event) = CustomEvent::new_with_event_init_dict(name, &init) {
                let _ = host.dispatch_event(&event);
            }
        }

        pub fn draw(self, series: ChartSeries, unit: String, live: bool, id: DeviceId, limits: Vec<Threshold>) {
            let navigate = leptos_router::hooks::use_navigate();
            let key = crate::browser::encode(&series.key);
            Effect::new(move |_| {
                let Some(host) = self.host.get() else { return };
                let json =
                    serde_json::json!({"series": series, "unit": unit, "live": live, "limits": limits}).to_string();
                let Ok(detail) = js_sys::JSON::parse(&json) else { return };
                // For a module that is still on its way, and for one that is there.
                let _ = js_sys::Reflect::set(&host, &"porticoChart".into(), &detail);
                self.tell("portico-chart", &detail);
                let (navigate, key) = (navigate.clone(), key.clone());
                let zoom = leptos::ev::Custom::<CustomEvent>::new("portico-zoom");
                let handle = leptos::leptos_dom::helpers::window_event_listener(zoom, move |event| {
                    let number = |name: &str| js_sys::Reflect::get(&event.detail(), &name.into()).ok()?.as_f64();
                    if let (Some(from), Some(to)) = (number("from"), number("to")) {
                        let path = format!("/devices/{id}?key={key}&from={from:.0}&to={to:.0}");
                        navigate(&path, leptos_router::NavigateOptions { scroll: false, ..Default::default() });
                    }
                });
                on_cleanup(move || handle.remove());
            });
        }

        pub fn append_from(self, points: RwSignal<Vec<(Timestamp, f64)>>) {
            Effect::new(move |started: Option<()>| {
                let points = points.get();
                if started.is_none() || points.is_empty() {
                    return;
                }
                let list = js_sys::Array::new();
                for (ts, value) in points {
                    #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are exact in a double
                    let pair = js_sys::Array::of2(&JsValue::from_f64(ts.millis() as f64), &JsValue::from_f64(value));
                    list.push(&pair);
                }
                self.tell("portico-points", &list);
            });
        }
    }
}

#[cfg(not(feature = "hydrate"))]
mod element {
    use leptos::html::Div;
    use leptos::prelude::*;
    use portico_model::alarms::rule::Threshold;
    use portico_model::telemetry::ChartSeries;
    use portico_model::{DeviceId, Timestamp};

    #[derive(Clone, Copy)]
    pub struct Chart {
        pub host: NodeRef<Div>,
    }

    impl Chart {
        pub fn new() -> Self {
            Self { host: NodeRef::new() }
        }
        pub fn draw(self, _series: ChartSeries, _unit: String, _live: bool, _id: DeviceId, _limits: Vec<Threshold>) {}
        pub fn append_from(self, _points: RwSignal<Vec<(Timestamp, f64)>>) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(second: i64, mean: f64) -> Bucket {
        let ts = Timestamp::from_millis(second * 1_000);
        Bucket { ts, count: 1, mean, min: mean - 1.0, max: mean + 1.0, last: mean }
    }

    fn series(buckets: Vec<Bucket>) -> ChartSeries {
        let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(100_000));
        ChartSeries { key: "t".into(), from, to, bucket_ms: 1_000, buckets }
    }

    #[test]
    fn chart_engine_is_the_installed_one() {
        let package: serde_json::Value = serde_json::from_str(include_str!("../../../frontend/package.json")).unwrap();
        let version = package["devDependencies"]["uplot"].as_str().unwrap();
        let import = format!("import uPlot from \"/pkg/uplot-{version}.js\";");
        assert!(include_str!("../../../public/chart.js").contains(&import), "public/chart.js should have: {import}");
    }

    #[test]
    fn range_of_the_address_is_read_and_written_back() {
        assert_eq!(Range::parse("24h", "", ""), Range::Last { name: "24h", length_ms: 24 * HOUR_MS });
        assert_eq!(Range::parse("nonsense", "", ""), Range::parse("1h", "", ""));
        let between = Range::parse("", "1000", "2000");
        assert_eq!(between.query(), "&from=1000&to=2000");
        assert_eq!(Range::parse("", "1970-01-01T00:00:01", "1970-01-01T00:00:02"), between);
        assert!(Range::parse("", "2000", "1000").is_live(), "a range that ends before it begins");
    }

    #[test]
    fn gaps_break_the_line() {
        let series = series(vec![bucket(0, 1.0), bucket(2, 2.0), bucket(4, 3.0), bucket(90, 4.0)]);
        let picture = fallback_picture(&series);
        assert_eq!(picture.line.matches('M').count(), 2, "{}", picture.line);
        assert_eq!(picture.band.matches('Z').count(), 2);
    }

    #[test]
    fn the_usual_distance_of_two_is_the_smaller() {
        let moments = [0, 1_000, 90_000].map(Timestamp::from_millis);
        assert_eq!(gap_ms(moments, 10), 3_000);
        assert_eq!(gap_ms(moments, 2_000), 6_000, "never less than a bucket");
        assert_eq!(gap_ms([], 10), 30);
    }

    #[test]
    fn limits_are_lines_where_the_picture_shows_them() {
        let limit = |limit| Threshold {
            rule_id: "0".repeat(32).parse().unwrap(),
            name: "Warm".into(),
            key: "t".into(),
            side: portico_model::alarms::rule::Side::Above,
            limit,
            severity: portico_model::alarms::Severity::Warning,
        };
        let series = series(vec![bucket(0, 1.0), bucket(2, 3.0)]);
        assert_eq!(limit_lines(&series, &[limit(2.0), limit(40.0)]), "M0 100.0L600 100.0");
    }

    #[test]
    fn empty_and_flat_series_are_drawn_without_dividing_by_zero() {
        assert_eq!(fallback_picture(&series(Vec::new())), Picture::default());
        let mut flat = bucket(1, 5.0);
        (flat.min, flat.max) = (5.0, 5.0);
        assert!(!fallback_picture(&series(vec![flat])).line.contains("NaN"));
    }

    #[test]
    fn widths_use_the_largest_unit() {
        assert_eq!([500, 10_000, 300_000, 7_200_000].map(width_text), ["500 ms", "10 s", "5 min", "2 h"]);
    }
}
