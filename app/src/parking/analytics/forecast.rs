//! The forecast of a lot as a chart and as a table, how it was made, and how good such forecasts have been.

use leptos::prelude::*;
use portico_model::identity::Permission;
use portico_model::parking::analytics::{ForecastMethod, ForecastReason, ForecastScore, LotForecast};

use super::picture::Picture;
use super::{ForecastView, LotAnalytics};
use crate::form::{FormState, PostForm};
use crate::time::Ago;
use crate::ui::{Badge, EmptyState, ErrorSummary, Glyph, Icon, SubmitButton, Tone};
use crate::viewer::viewer_may;

/// Height of the chart without the hours below it, pixels, as its SVG has it.
const AREA_PX: f64 = 220.0;

/// Height of a number in it, pixels.
const TEXT_PX: f64 = 13.0;

/// As a manager would call it.
#[must_use]
pub const fn method_word(method: ForecastMethod) -> &'static str {
    match method {
        ForecastMethod::LastValue => "It stays as it is",
        ForecastMethod::WeekMean => "Same time in the last three weeks",
        ForecastMethod::Model => "Usual week, corrected by today",
    }
}

/// How it was made and why so.
fn reason_text(forecast: &LotForecast) -> String {
    let method = method_word(forecast.method);
    match forecast.reason {
        ForecastReason::ModelBetter => {
            format!("Made by the model, “{method}”: in the test below it was better than the simple methods.")
        }
        ForecastReason::BaselineBetter => {
            format!(
                "Made by a simple method, “{method}”: in the test below the model was not better, so it is not used."
            )
        }
        ForecastReason::TooFewData => {
            format!("Made by a simple method, “{method}”: less than three weeks are known, too few for the model.")
        }
    }
}

/// What the chart shows, in a sentence.
fn summary(view: &ForecastView) -> String {
    let steps = view.forecast.steps.iter().zip(&view.times);
    match steps.reduce(|most, one| if one.0.expected > most.0.expected { one } else { most }) {
        Some((step, time)) => format!(
            "Fullest on {time}: {:.0} of {} spots are expected then, and in four of five cases {:.0} to {:.0}.",
            step.expected, view.forecast.capacity, step.low_80, step.high_80
        ),
        None => "Nothing is forecast.".to_owned(),
    }
}

/// The forecast, or what is needed for one.
#[component]
pub fn ForecastCard(
    shown: Memo<LotAnalytics>,
    renew: FormState,
    /// Of the past that the page shows.
    days: Memo<String>,
) -> impl IntoView {
    let may_manage = viewer_may(Permission::ManageParking);
    let lot = shown.with_untracked(|shown| shown.lot);
    let forecast = Memo::new(move |_| shown.with(|shown| shown.forecast.clone()));
    view! {
        <section class="card" aria-labelledby="forecast-title">
            <div class="card-head">
                <h2 id="forecast-title">"The next 24 hours"</h2>
                {may_manage
                    .then(|| {
                        view! {
                            <div hidden=move || forecast.with(Option::is_none)>
                                <PostForm form=renew id="renew-forecast" class="inline">
                                    <input type="hidden" name="lot" value=lot.to_string() />
                                    <input type="hidden" name="days" value=move || days.get() />
                                    <SubmitButton
                                        label="Make anew"
                                        glyph=Glyph::Statistics
                                        class="button button-small"
                                        pending=renew.pending()
                                    />
                                </PostForm>
                            </div>
                        }
                    })}
            </div>
            <ErrorSummary form=renew shown=&[] />
            {move || match forecast.get() {
                Some(view) => view! { <Forecast view /> }.into_any(),
                None => view! { <TooFew may_manage /> }.into_any(),
            }}
        </section>
    }
}

#[component]
fn TooFew(may_manage: bool) -> impl IntoView {
    let text = "A forecast needs a day of this lot at least, and the last day among it; from three weeks on the model is used. Its sensors note by themselves how full it is, every minute.";
    view! {
        <EmptyState glyph=Glyph::Clock title="Too little is known for a forecast" text>
            {may_manage
                .then(|| {
                    view! {
                        <a class="button" href="#history">
                            "Import a history"
                        </a>
                    }
                })}
        </EmptyState>
    }
}

#[component]
fn Forecast(view: ForecastView) -> impl IntoView {
    let made = Signal::stored(Some(view.forecast.made_at));
    view! {
        <p class="forecast-text">{reason_text(&view.forecast)}</p>
        {view
            .is_stale
            .then(|| {
                view! {
                    <p class="note note-attention">
                        <Icon glyph=Glyph::Alert />
                        <span>"This forecast is old: no newer one could be made. Perhaps its sensors are silent."</span>
                    </p>
                }
            })}
        <Chart view=view.clone() />
        <p class="forecast-text">{summary(&view)}</p>
        <p class="quiet chart-note">"Made " <Ago at=made /> "; the scale counts spots, and times are those of the lot’s clock."</p>
        <Numbers view />
    }
}

#[component]
fn Chart(view: ForecastView) -> impl IntoView {
    let picture = Picture::of(&view);
    let label = format!("Chart of the day before and the next 24 hours. {}", summary(&view));
    let levels = picture.levels.into_iter().map(|(level, from_top)| {
        // Above its line; the topmost below it.
        let above = AREA_PX * from_top / 100.0 - 4.0;
        let y = format!("{:.1}", if above < TEXT_PX { above + 4.0 + TEXT_PX } else { above });
        view! {
            <text class="forecast-level" x="4" y=y>
                {level}
            </text>
        }
    });
    let marks = view.marks.into_iter().zip(picture.marks).filter(|(_, place)| (3.0..=97.0).contains(place));
    let marks = marks.map(|(mark, place)| {
        let class = if mark.is_minor { "forecast-mark forecast-mark-minor" } else { "forecast-mark" };
        let x = format!("{place:.2}%");
        view! {
            <g class=class>
                <line x1=x.clone() x2=x.clone() y1="220" y2="225" />
                <text x=x y="240" text-anchor="middle">
                    {mark.text}
                </text>
            </g>
        }
    });
    view! {
        <div class="forecast" role="img" aria-label=label>
            <svg class="forecast-chart" aria-hidden="true" focusable="false">
                <svg width="100%" height="220" viewBox="0 0 1000 1000" preserveAspectRatio="none">
                    <path class="forecast-grid" d=picture.grid />
                    <path class="forecast-band-95" d=picture.band_95 />
                    <path class="forecast-band-80" d=picture.band_80 />
                    <path class="forecast-capacity" d=picture.capacity />
                    <path class="forecast-now" d="M500 0V1000" />
                    <path class="forecast-measured" d=picture.measured />
                    <path class="forecast-expected" d=picture.expected />
                </svg>
                {levels.collect_view()}
                {marks.collect_view()}
            </svg>
        </div>
        <ul class="forecast-legend">
            <Key class="forecast-measured" d="M0 6H28" text="measured, mean of the hour" />
            <Key class="forecast-expected" d="M0 6H28" text="expected" />
            <Key class="forecast-band-80" d="M0 0H28V12H0Z" text="four of five cases (80 %)" />
            <Key class="forecast-band-95" d="M0 0H28V12H0Z" text="nineteen of twenty (95 %)" />
            <Key class="forecast-capacity" d="M0 6H28" text="all spots" />
        </ul>
    }
}

#[component]
fn Key(class: &'static str, d: &'static str, text: &'static str) -> impl IntoView {
    view! {
        <li>
            <svg class="forecast-key" viewBox="0 0 28 12" aria-hidden="true" focusable="false">
                <path class=class d=d />
            </svg>
            {text}
        </li>
    }
}

/// The chart as a table.
#[component]
fn Numbers(view: ForecastView) -> impl IntoView {
    let past = view.past.into_iter().map(|hour| {
        let occupied = hour.occupied.map_or_else(|| "not known".to_owned(), |occupied| format!("{occupied:.1}"));
        view! {
            <tr>
                <th scope="row">{hour.time}</th>
                <td class="number">{occupied}</td>
                <td></td>
                <td></td>
                <td></td>
            </tr>
        }
    });
    let ahead = view.forecast.steps.into_iter().zip(view.times).map(|(step, time)| {
        view! {
            <tr>
                <th scope="row">{time}</th>
                <td></td>
                <td class="number">{format!("{:.1}", step.expected)}</td>
                <td class="number">{format!("{:.1} – {:.1}", step.low_80, step.high_80)}</td>
                <td class="number">{format!("{:.1} – {:.1}", step.low_95, step.high_95)}</td>
            </tr>
        }
    });
    view! {
        <details class="chart-table">
            <summary>"The numbers as a table"</summary>
            <div class="table-wrap" tabindex="0" role="region" aria-label="The numbers of the forecast">
                <table class="table table-dense">
                    <caption class="hidden">"Occupied spots, measured and forecast"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"From"</th>
                            <th scope="col">"Measured"</th>
                            <th scope="col">"Expected"</th>
                            <th scope="col">"80 %"</th>
                            <th scope="col">"95 %"</th>
                        </tr>
                    </thead>
                    <tbody>{past.collect_view()} {ahead.collect_view()}</tbody>
                </table>
            </div>
        </details>
    }
}

/// How good each method would have been.
#[component]
pub fn Backtest(shown: Memo<LotAnalytics>) -> impl IntoView {
    let tested = Memo::new(move |_| {
        let of = |view: &ForecastView| (view.forecast.scores.clone(), view.forecast.method);
        shown.with(|shown| shown.forecast.as_ref().map(of))
    });
    view! {
        <section class="card" aria-labelledby="backtest-title">
            <h2 id="backtest-title">"How good such forecasts have been"</h2>
            {move || match tested.get() {
                Some((scores, method)) if !scores.is_empty() => view! { <Scores scores method /> }.into_any(),
                _ => {
                    view! {
                        <p class="quiet">
                            "Not tested yet: for that some more days must be known than a forecast needs."
                        </p>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

/// `81 %` of 0.81.
fn share(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

#[component]
fn Scores(scores: Vec<ForecastScore>, method: ForecastMethod) -> impl IntoView {
    let (origins, points) = scores.first().map_or((0, 0), |score| (score.origins, score.points));
    let row = |score: ForecastScore| {
        let is_chosen = score.method == method;
        view! {
            <tr class:is-chosen=is_chosen>
                <th scope="row">
                    {method_word(score.method)}
                    {is_chosen
                        .then(|| {
                            view! {
                                " "
                                <Badge tone=Tone::Ok glyph=Glyph::Check word="In use" />
                            }
                        })}
                </th>
                <td class="number">{format!("{:.1}", score.mean_absolute_error)}</td>
                <td class="number">{format!("{:.2}", score.pinball)}</td>
                <td class="number">{share(score.coverage_80)}</td>
                <td class="number">{share(score.coverage_95)}</td>
            </tr>
        }
    };
    view! {
        <p class="quiet">
            {format!(
                "The last two weeks were forecast again, {origins} times, each time from what was known before, and {points} values compared with what came.",
            )}
        </p>
        <div class="table-wrap" tabindex="0" role="region" aria-label="Methods and their errors">
            <table class="table table-dense table-backtest">
                <caption class="hidden">"Methods and their errors"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Method"</th>
                        <th scope="col">"Off by"</th>
                        <th scope="col">"Penalty"</th>
                        <th scope="col">"80 % held"</th>
                        <th scope="col">"95 % held"</th>
                    </tr>
                </thead>
                <tbody>{scores.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
        <dl class="facts backtest-words">
            <dt>"Off by"</dt>
            <dd>"So many spots the expected number was wrong on average (mean absolute error). Less is better."</dd>
            <dt>"Penalty"</dt>
            <dd>
                "Counts the ranges too: one that misses costs, and so does one that is wide for nothing (pinball loss, spots). Less is better; the least is in use."
            </dd>
            <dt>"80 % held"</dt>
            <dd>"So often what came lay within the range that should hold four of five cases. Right is near 80 %; for the other range, near 95 %."</dd>
        </dl>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parking::analytics::picture::tests::view;

    #[test]
    fn baseline_is_told_in_words() {
        let text = |method, reason| reason_text(&view(method, reason).forecast);
        let model = text(ForecastMethod::Model, ForecastReason::ModelBetter);
        assert!(model.starts_with("Made by the model") && model.contains("corrected by today"), "{model}");
        let simple = text(ForecastMethod::WeekMean, ForecastReason::BaselineBetter);
        assert!(simple.contains("simple method") && simple.contains("Same time in the last three weeks"), "{simple}");
        let few = text(ForecastMethod::LastValue, ForecastReason::TooFewData);
        assert!(few.contains("less than three weeks"), "{few}");
    }

    #[test]
    fn fullest_moment_is_told_with_its_range() {
        let view = view(ForecastMethod::Model, ForecastReason::ModelBetter);
        assert_eq!(
            summary(&view),
            "Fullest on time 2: 60 of 100 spots are expected then, and in four of five cases 55 to 65."
        );
    }
}
