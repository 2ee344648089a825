//! `/explore`: any keys of any devices on one chart.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use portico_model::Timestamp;
use portico_model::explore::{QueriedTelemetry, SavedView, SeriesChoice, SeriesRef};
use portico_model::groups::Group;
use portico_model::telemetry::Aggregation;

use super::address::Asked;
use super::picker::Picker;
use super::plot::{ComparePlot, Naming};
use super::views::{SaveDialog, ViewChips, ViewForms};
use super::{ListViews, QuerySeries, SeriesChoices};
use crate::devices::chart::{MAX_BUCKETS, PRESETS, Range};
use crate::groups::ListGroups;
use crate::live::use_live;
use crate::load::{load, read};
use crate::ui::toast::use_toasts;
use crate::ui::{EmptyState, Glyph, Icon, ProblemView};

/// How often a chart that goes up to now is drawn anew, milliseconds.
const REFRESH_MS: u64 = 30_000;

/// The question behind a chart of these series.
#[must_use]
pub fn question(series: &[SeriesRef], range: &Range, aggregation: Aggregation, window: &str) -> QuerySeries {
    let (last_ms, from, to) = match range {
        Range::Last { length_ms, .. } => (*length_ms, Timestamp::default(), Timestamp::default()),
        Range::Between { from, to } => (0, *from, *to),
    };
    let series: Vec<_> = series.iter().map(SeriesRef::to_text).collect();
    QuerySeries {
        series: series.join("\n"),
        last_ms,
        from,
        to,
        aggregation: aggregation.as_str().to_owned(),
        window: window.to_owned(),
        max_windows: MAX_BUCKETS,
    }
}

/// Draws anew now and then, and when the line comes back, as long as the range goes up to now.
pub fn keep_fresh(answer: Resource<crate::load::Loaded>, is_live: impl Fn() -> bool + Send + Sync + 'static) {
    let live = use_live();
    let returns = live.returns;
    let is_live = StoredValue::new(is_live);
    Effect::new(move |seen: Option<u32>| {
        let now = returns.get();
        if seen.is_some_and(|seen| seen != now) {
            answer.refetch();
        }
        now
    });
    Effect::new(move |_| {
        crate::browser::every(REFRESH_MS, move || {
            if is_live.with_value(|is_live| is_live()) {
                answer.refetch();
            }
        });
    });
}

/// The page.
#[component]
pub fn ExplorePage() -> impl IntoView {
    let map = use_query_map();
    let asked = Memo::new(move |_| map.with(Asked::read));
    let forms = ViewForms::new();
    let answer = load(move || {
        asked.with(|asked| {
            let Asked { series, range, aggregation, window, .. } = asked;
            (!series.is_empty()).then(|| question(series, range, *aggregation, window))
        })
    });
    let choices = load(move || {
        asked.with(|asked| {
            let group = asked.group.map(|group| group.to_string()).unwrap_or_default();
            Some(SeriesChoices { find: asked.find.clone(), group })
        })
    });
    let groups = load(|| Some(ListGroups {}));
    let views = load(|| Some(ListViews {}));
    Effect::new(move |before: Option<u32>| {
        let changes = forms.save.successes.get() + forms.delete.successes.get();
        if before.is_some_and(|before| before != changes) {
            views.refetch();
        }
        changes
    });
    let toast = use_toasts();
    Effect::new(move |_| {
        if let Some(view) = forms.save.answer::<SavedView>() {
            toast(format!("View “{}” saved", view.name));
        }
    });
    keep_fresh(answer, move || asked.with_untracked(|asked| !asked.series.is_empty() && asked.range.is_live()));
    let nothing_chosen = Memo::new(move |_| asked.with(|asked| asked.series.is_empty()));
    view! {
        <Title text="Explore" />
        <div class="page-head">
            <h1>"Explore"</h1>
            {move || {
                (!nothing_chosen.get())
                    .then(|| {
                        view! {
                            <div class="page-actions">
                                <a class="button" href=move || asked.with(Asked::csv) rel="external" download="telemetry.csv">
                                    <Icon glyph=Glyph::Download />
                                    <span>"CSV"</span>
                                </a>
                                {move || view! { <SaveDialog asked=asked.get() forms /> }}
                            </div>
                        }
                    })
            }}
        </div>
        <Transition>
            {move || {
                let views = read::<Vec<SavedView>>(views.get()?).unwrap_or_default();
                Some(view! { <ViewChips views asked=asked.get() forms /> })
            }}
        </Transition>
        {move || {
            if nothing_chosen.get() {
                view! {
                    <EmptyState
                        glyph=Glyph::Explore
                        title="Compare what devices measure"
                        text="Choose keys of one or of many devices below: they are drawn on one chart, each unit with its own axis. A choice you need again can be saved as a view."
                    />
                }
                    .into_any()
            } else {
                view! {
                    <section class="card chart-card" aria-labelledby="compare-title">
                        <div class="card-head">
                            <h2 id="compare-title">"Chart"</h2>
                            <RangeLinks asked />
                        </div>
                        <Transition fallback=|| view! { <div class="chart-space" role="status">"Loading chart"</div> }>
                            {move || {
                                Some(
                                    match read::<QueriedTelemetry>(answer.get()?) {
                                        Ok(answer) => {
                                            let address = asked.with_untracked(Asked::address_without_range);
                                            let missing = answer.missing.len();
                                            view! {
                                                {(missing > 0)
                                                    .then(|| {
                                                        view! {
                                                            <p class="note note-attention">
                                                                <Icon glyph=Glyph::Alert />
                                                                <span>
                                                                    {format!(
                                                                        "{missing} series cannot be shown: the device is gone, or you may not see it.",
                                                                    )}
                                                                </span>
                                                            </p>
                                                        }
                                                    })}
                                                <ComparePlot answer naming=Naming::DeviceAndKey address />
                                            }
                                                .into_any()
                                        }
                                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                                    },
                                )
                            }}
                        </Transition>
                    </section>
                }
                    .into_any()
            }
        }}
        <section class="card" aria-labelledby="picker-title">
            <h2 id="picker-title">"Devices and keys"</h2>
            <Transition fallback=|| view! { <p class="loading" role="status">"Loading devices"</p> }>
                {move || {
                    let groups = read::<Vec<Group>>(groups.get()?).unwrap_or_default();
                    Some(
                        match read::<Vec<SeriesChoice>>(choices.get()?) {
                            Ok(choices) => view! { <Picker asked=asked.get() choices groups /> }.into_any(),
                            Err(failure) => view! { <ProblemView failure /> }.into_any(),
                        },
                    )
                }}
            </Transition>
        </section>
    }
}

/// The presets, and any range.
#[component]
fn RangeLinks(asked: Memo<Asked>) -> impl IntoView {
    let base = Memo::new(move |_| asked.with(Asked::address_without_range));
    let range = Signal::derive(move || asked.with(|asked| asked.range.clone()));
    let hidden = move || {
        asked.with(|asked| {
            let series = asked.series.iter().map(|one| view! { <input type="hidden" name="s" value=one.to_text() /> });
            view! {
                {series.collect_view()}
                <input type="hidden" name="agg" value=asked.aggregation.as_str() />
                <input type="hidden" name="window" value=asked.window.clone() />
            }
        })
    };
    view! { <RangeBar base range action="/explore".to_owned() hidden=ViewFn::from(hidden) /> }
}

/// Links to the presets behind `base`, and a form for any other range.
#[component]
pub fn RangeBar(
    #[prop(into)] base: Signal<String>,
    #[prop(into)] range: Signal<Range>,
    action: String,
    /// What else the form sends.
    hidden: ViewFn,
) -> impl IntoView {
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
                            href=move || base.with(|base| format!("{base}&range={name}"))
                            aria-current=move || is_on().then_some("true")
                        >
                            {label}
                        </a>
                    }
                })}
            <details class="dialog range-custom">
                <summary class="range-choice" aria-current=move || is_custom().then_some("true")>"Custom"</summary>
                <div class="dialog-panel">
                    <Form method="GET" action=action attr:class="form">
                        {move || hidden.run()}
                        <div class="field">
                            <label for="range-from">"From (UTC)"</label>
                            <input id="range-from" name="from" type="datetime-local" required=true value=move || bound(true) />
                        </div>
                        <div class="field">
                            <label for="range-to">"To (UTC)"</label>
                            <input id="range-to" name="to" type="datetime-local" required=true value=move || bound(false) />
                        </div>
                        <button class="button button-primary" type="submit">"Show this range"</button>
                    </Form>
                </div>
            </details>
        </div>
    }
}
