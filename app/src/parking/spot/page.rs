//! `/parking/spots/:id`: how a spot is and was, its sensor, its settings.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::parking::sensor::{Reading, Sensor};
use portico_model::parking::spot::SpotState;
use portico_model::{LotId, SpotId, Timestamp};

use super::{GetSpot, SpotView, Stay};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, read, reload_when};
use crate::parking::edit::spot_form::{SPOT_FIELDS, SpotFields};
use crate::parking::edit::{DeleteSpot, UpdateSpot};
use crate::parking::reservations::reserve::page::ReserveButton;
use crate::parking::sensors::page::Battery;
use crate::parking::sensors::{sensor_look, signal_text};
use crate::parking::{StatusBadge, attributes, refetch_gently};
use crate::time::{Ago, Moment};
use crate::ui::list::asked;
use crate::ui::{Badge, Dialog, ErrorSummary, Glyph, Icon, SubmitButton, Tone};
use crate::viewer::viewer_may;

/// A page of the history is full.
const FULL: usize = 100;

/// What sensors measure comes without an event of its own: the page asks for it so often, milliseconds.
const ASK_AGAIN_MS: u64 = 20_000;

/// The page.
#[component]
pub fn SpotPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let before = asked("before");
    let (update, delete) = (FormState::of::<UpdateSpot>(), FormState::of::<DeleteSpot>());
    let page = load(move || Some(GetSpot { id: id.get(), before: before.get() }));
    let found = Memo::new(move |_: Option<&Option<(LotId, SpotId)>>| {
        let shown = read::<SpotView>(page.get()?).ok()?;
        Some((shown.spot.lot_id, shown.spot.key))
    });
    let gently = refetch_gently(page);
    follow(
        move || found.get().map(|(lot, _)| format!("parking:{lot}")),
        move |update| {
            let shown = found.get_untracked().map(|(_, key)| key);
            if let LiveUpdate::Event(event) = update {
                match event {
                    Event::SpotStatusChanged { key, .. } if Some(key) == shown => page.refetch(),
                    Event::SpotChanged { spot } if Some(spot.key) == shown => gently(),
                    _ => {}
                }
            }
        },
    );
    Effect::new(move |_| crate::browser::every(ASK_AGAIN_MS, move || page.refetch()));
    let live = use_live();
    reload_when(page, move || live.returns.get() + update.successes.get());
    let body = move |shown: Memo<SpotView>| view! { <SpotBody shown update delete /> }.into_any();
    view! {
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading spot"</p> }
        }>{in_place(page, |view: &SpotView| view.spot.key, body)}</Transition>
    }
}

#[component]
fn SpotBody(shown: Memo<SpotView>, update: FormState, delete: FormState) -> impl IntoView {
    let may_manage = viewer_may(Permission::ManageParking);
    let spot = Memo::new(move |_| shown.with(|shown| shown.spot.clone()));
    let status = Memo::new(move |_| spot.with(|spot| spot.status));
    let sensor = Memo::new(move |_| shown.with(|shown| shown.sensor.clone()));
    let readings = Memo::new(move |_| shown.with(|shown| shown.readings.clone()));
    let history = Memo::new(move |_| shown.with(|shown| shown.history.clone()));
    let level = move || spot.with(|spot| format!("/parking/{}?level={}", spot.lot_id, spot.level_id));
    view! {
        <Title text=move || spot.try_with(|spot| spot.id.clone()).unwrap_or_default() />
        <nav class="crumbs park-crumbs" aria-label="Breadcrumb">
            <a href="/parking">"Parking"</a>
            <a href=level>
                {move || shown.with(|shown| format!("{}, {}", shown.lot.name, shown.spot.level))}
            </a>
        </nav>
        <div class="page-head">
            <div class="title-line">
                <h1>{move || spot.with(|spot| spot.id.clone())}</h1>
                <StatusBadge status />
                <span class="quiet">
                    {move || spot.with(|spot| spot.last_updated.is_some()).then_some("since ")}
                    {move || {
                        let at = spot.with(|spot| spot.last_updated);
                        at.map(|at| view! { <Ago at=Signal::stored(Some(at)) /> })
                    }}
                </span>
            </div>
            <div class="page-actions">
                {move || {
                    let (lot, spot, is_disabled) = shown
                        .with(|shown| (shown.lot.clone(), shown.spot.id.clone(), shown.spot.is_disabled));
                    (!is_disabled).then(|| view! { <ReserveButton lot spot /> })
                }}
                {may_manage
                    .then(|| {
                        let code = move || {
                            spot.with(|spot| {
                                let path = format!("/parking/{}/codes", spot.lot_id);
                                crate::ui::address(&path, [("spot", spot.id.as_str())])
                            })
                        };
                        view! {
                            <a class="button" href=code>
                                "QR code"
                            </a>
                            <Manage shown update delete />
                        }
                    })}
            </div>
        </div>
        <div class="columns">
            <About shown />
            {move || {
                // Who may see sensors sees also that there is none.
                history.with(Option::is_some).then(|| view! { <SensorCard sensor may_manage /> })
            }}
            <Readings readings />
            {move || history.get().map(|stays| view! { <History stays /> })}
        </div>
    }
}

#[component]
fn About(shown: Memo<SpotView>) -> impl IntoView {
    let spot = Memo::new(move |_| shown.with(|shown| shown.spot.clone()));
    let words = move || {
        let words: Vec<_> = spot.with(|spot| attributes(spot).into_iter().map(|(_, word)| word).collect());
        if words.is_empty() { "Nothing special".to_owned() } else { words.join(", ") }
    };
    let or_none = |text: String| if text.is_empty() { "None".to_owned() } else { text };
    let clearance = move || {
        shown.with(|shown| {
            let level = shown.levels.iter().find(|level| level.id == shown.spot.level_id);
            shown.spot.clearance_cm.or_else(|| level?.clearance_cm)
        })
    };
    view! {
        <section class="card" aria-labelledby="about-title">
            <h2 id="about-title">"About this spot"</h2>
            <dl class="facts">
                <dt>"Place"</dt>
                <dd>{move || spot.with(|spot| or_none(spot.location.clone()))}</dd>
                <dt>"Level"</dt>
                <dd>{move || spot.with(|spot| spot.level.clone())}</dd>
                <dt>"Zone"</dt>
                <dd>{move || spot.with(|spot| or_none(spot.zone.clone()))}</dd>
                <dt>"Kind"</dt>
                <dd>{words}</dd>
                <dt>"Highest vehicle"</dt>
                <dd>
                    {move || match clearance() {
                        None => view! { <span class="quiet">"No limit known"</span> }.into_any(),
                        Some(cm) => {
                            view! {
                                <span class="number">{metres_text(cm)}<span class="unit">"m"</span></span>
                            }
                                .into_any()
                        }
                    }}
                </dd>
                {move || {
                    let (from, until) = spot.with(|spot| (spot.reserved_from, spot.reserved_until));
                    from.zip(until)
                        .map(|(from, until)| {
                            view! {
                                <dt>"Reserved"</dt>
                                <dd>
                                    <Moment at=Signal::stored(from) /> " to " <Moment at=Signal::stored(until) />
                                </dd>
                            }
                        })
                }}
            </dl>
        </section>
    }
}

/// `2.1` of 210.
fn metres_text(centimetres: i64) -> String {
    let text = format!("{}.{:02}", centimetres / 100, centimetres % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[component]
fn SensorCard(sensor: Memo<Option<Sensor>>, may_manage: bool) -> impl IntoView {
    move || {
        let inner = match sensor.get() {
            None => view! {
                <p class="quiet">
                    "None stands here, so nothing is known of this spot. "
                    {may_manage.then(|| view! { <a href="/parking/sensors">"Choose among new sensors"</a> })}
                </p>
            }
            .into_any(),
            Some(sensor) => {
                let (tone, glyph, word) = sensor_look(&sensor);
                let signal = signal_text(&sensor);
                let (heard, name, device) = (sensor.heard_at, sensor.sensor_id.clone(), sensor.device_id);
                let firmware = sensor.firmware_version.clone();
                view! {
                    <dl class="facts">
                        <dt>"Name"</dt>
                        <dd>
                            {match device {
                                Some(id) => view! { <a href=format!("/devices/{id}")>{name}</a> }.into_any(),
                                None => name.into_any(),
                            }}
                        </dd>
                        <dt>"Says"</dt>
                        <dd>
                            <Badge tone glyph word />
                            {sensor
                                .is_bridged
                                .then(|| view! { <span class="sub">"Over the bridge for older firmware: not proved"</span> })}
                        </dd>
                        <dt>"Last heard"</dt>
                        <dd>
                            <Ago at=Signal::stored(Some(heard)) />
                        </dd>
                        <dt>"Battery"</dt>
                        <dd>
                            {if sensor.battery_percent.is_some() {
                                view! { <Battery sensor /> }.into_any()
                            } else {
                                view! { <span class="quiet">"Does not say"</span> }.into_any()
                            }}
                        </dd>
                        <dt>"Signal"</dt>
                        <dd>
                            {match signal {
                                Some(dbm) => view! { <span class="number">{dbm}<span class="unit">"dBm"</span></span> }.into_any(),
                                None => view! { <span class="quiet">"Does not say"</span> }.into_any(),
                            }}
                        </dd>
                        {(!firmware.is_empty()).then(|| view! { <dt>"Firmware"</dt> <dd>{firmware}</dd> })}
                    </dl>
                }
                    .into_any()
            }
        };
        view! {
            <section class="card" aria-labelledby="sensor-title">
                <h2 id="sensor-title">"Sensor"</h2>
                {inner}
            </section>
        }
    }
}

#[component]
fn Readings(readings: Memo<Vec<Reading>>) -> impl IntoView {
    let rows = move || {
        readings
            .get()
            .into_iter()
            .map(|reading| {
                let number = |value: Option<f64>| value.map(|value| format!("{value:.0}"));
                let word = if reading.occupied { "Occupied" } else { "Free" };
                view! {
                    <tr>
                        <th scope="row">{word}</th>
                        <td class="number">{number(reading.distance_cm)}</td>
                        <td class="number">{number(reading.battery_percent)}</td>
                        <td class="number">{number(reading.rssi_dbm)}</td>
                        <td class="cell-seen"><Ago at=Signal::stored(Some(reading.at)) /></td>
                    </tr>
                }
            })
            .collect_view()
    };
    view! {
        <section class="card" aria-labelledby="readings-title">
            <h2 id="readings-title">"Recent measurements"</h2>
            <p class="quiet" hidden=move || !readings.with(Vec::is_empty)>"None yet."</p>
            <div class="park-scroll" hidden=move || readings.with(Vec::is_empty) tabindex="0" role="region" aria-label="Table of measurements">
                <table class="table table-dense">
                    <caption class="hidden">"The newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Says"</th>
                            <th scope="col">"Distance, cm"</th>
                            <th scope="col">"Battery, %"</th>
                            <th scope="col">"Signal, dBm"</th>
                            <th scope="col">"When"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

pub(crate) const fn state_look(state: SpotState) -> (Tone, Glyph, &'static str) {
    match state {
        SpotState::Free => (Tone::Ok, Glyph::Check, "Free"),
        SpotState::Occupied => (Tone::Neutral, Glyph::Car, "Occupied"),
        SpotState::Unknown => (Tone::Unknown, Glyph::Unknown, "Unknown"),
    }
}

/// `42 s`, `7 min`, `3 h 5 min`, `2 d 4 h`.
fn lasted(from: Timestamp, until: Timestamp) -> String {
    let seconds = until.millis_since(from).max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[component]
fn History(stays: Vec<Stay>) -> impl IntoView {
    let params = use_params_map();
    let path = params.with_untracked(|params| format!("/parking/spots/{}", params.get("id").unwrap_or_default()));
    let is_earlier = !asked("before").get_untracked().is_empty();
    let earlier = stays.last().filter(|_| stays.len() >= FULL).map(|stay| stay.from.millis());
    let older = earlier.map(|before| format!("{path}?before={before}"));
    let is_empty = stays.is_empty();
    view! {
        <section class="card" aria-labelledby="history-title">
            <h2 id="history-title">"History"</h2>
            {is_empty
                .then(|| {
                    view! { <p class="quiet">"Nothing yet: it begins with the first word of a sensor."</p> }
                })}
            {(!is_empty)
                .then(|| {
                    view! {
                        <div class="park-scroll" tabindex="0" role="region" aria-label="Table of the history">
                            <table class="table table-dense">
                                <caption class="hidden">"How it was, the newest first"</caption>
                                <thead>
                                    <tr>
                                        <th scope="col">"State"</th>
                                        <th scope="col">"From"</th>
                                        <th scope="col">"For"</th>
                                    </tr>
                                </thead>
                                <tbody>
                                    {stays
                                        .into_iter()
                                        .map(|stay| {
                                            let (tone, glyph, word) = state_look(stay.state);
                                            let length = stay.until.map(|until| lasted(stay.from, until));
                                            view! {
                                                <tr>
                                                    <td><Badge tone glyph word /></td>
                                                    <td class="cell-seen"><Moment at=Signal::stored(stay.from) /></td>
                                                    <td class="number">{length.unwrap_or_else(|| "now".to_owned())}</td>
                                                </tr>
                                            }
                                        })
                                        .collect_view()}
                                </tbody>
                            </table>
                        </div>
                    }
                })}
            {(is_earlier || older.is_some())
                .then(|| {
                    view! {
                        <nav class="pages" aria-label="Pages of the history">
                            {is_earlier.then(|| view! { <a class="button" href=path>"Newest"</a> })}
                            {older.map(|href| view! { <a class="button" href=href>"Earlier" <Icon glyph=Glyph::Next /></a> })}
                        </nav>
                    }
                })}
        </section>
    }
}

#[component]
fn Manage(shown: Memo<SpotView>, update: FormState, delete: FormState) -> impl IntoView {
    let first = shown.get_untracked();
    let updated = Signal::derive(move || update.successes.get() > 0);
    let (key, name) = (first.spot.key.to_string(), first.spot.id.clone());
    let target = key.clone();
    view! {
        <Dialog label="Edit" glyph=Glyph::Edit open=update.came_back() done=updated>
            <PostForm form=update id="edit-spot">
                <ErrorSummary form=update shown=SPOT_FIELDS />
                <input type="hidden" name="spot" value=target />
                <SpotFields form=update levels=first.levels spot=first.spot />
                <SubmitButton label="Save changes" pending=update.pending() />
            </PostForm>
        </Dialog>
        <Dialog label="Remove" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
            <PostForm form=delete id="delete-spot">
                <ErrorSummary form=delete shown=&[] />
                <input type="hidden" name="id" value=key />
                <p>{format!("Removes {name} with its history. Its sensor is listed among the new ones again.")}</p>
                <SubmitButton
                    label="Remove spot"
                    glyph=Glyph::Trash
                    class="button button-danger"
                    pending=delete.pending()
                />
            </PostForm>
        </Dialog>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_are_told_in_their_two_largest_units() {
        let from = Timestamp::from_millis(1_795_226_850_000);
        for (seconds, text) in [(42, "42 s"), (420, "7 min"), (11_100, "3 h 5 min"), (187_200, "2 d 4 h"), (-5, "0 s")]
        {
            assert_eq!(lasted(from, from.plus_secs(seconds)), text);
        }
    }

    #[test]
    fn heights_have_no_needless_zeros() {
        assert_eq!([210, 200, 205].map(metres_text), ["2.1", "2", "2.05"]);
    }
}
