//! Times on a page. The server and the first render in the browser show UTC, so that both make the same HTML; after
//! that the browser shows the building's time zone, or its own where that is not set, and ages that grow.

use leptos::prelude::*;
use portico_model::Timestamp;

/// The browser's clock, ticking once a second; absent on the server and until the page has come alive.
#[derive(Clone, Copy)]
pub struct Now(RwSignal<Option<Timestamp>>);

pub(crate) fn provide_now() {
    let now = RwSignal::new(None);
    provide_context(Now(now));
    Effect::new(move |_| {
        now.set(Some(crate::browser::now()));
        crate::browser::every(1_000, move || now.set(Some(crate::browser::now())));
    });
}

/// The ticking clock; absent until the component that asks has come alive. A page comes alive later than the frame around
/// it, and what it shows then must be what the server has rendered.
#[must_use]
pub fn use_now() -> Signal<Option<Timestamp>> {
    let Some(Now(now)) = use_context::<Now>() else { return Signal::stored(None) };
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    Signal::derive(move || if alive.get() { now.get() } else { None })
}

/// `2026-11-21 02:07:30 UTC`.
#[must_use]
pub fn utc_text(at: Timestamp) -> String {
    let iso = at.to_iso();
    match (iso.get(..10), iso.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => iso,
    }
}

/// `just now`, `42 s ago`, `3 min ago`, `5 h ago`, `12 d ago`; the future (a device's clock ahead) as `in 3 min`.
#[must_use]
pub fn relative_text(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.millis_since(at) / 1_000;
    let (ago, distance) = (seconds >= 0, seconds.unsigned_abs());
    let amount = match distance {
        0..=4 => return "just now".to_owned(),
        5..=59 => format!("{distance} s"),
        60..=3_599 => format!("{} min", distance / 60),
        3_600..=86_399 => format!("{} h", distance / 3_600),
        _ => format!("{} d", distance / 86_400),
    };
    if ago { format!("{amount} ago") } else { format!("in {amount}") }
}

fn exact_text(now: Option<Timestamp>, at: Timestamp, zone: Option<&str>) -> String {
    if now.is_some() { crate::browser::local_time(at, zone) } else { utc_text(at) }
}

/// The building's time zone, if it is set.
fn use_zone() -> StoredValue<Option<String>> {
    StoredValue::new(crate::viewer::use_viewer().and_then(|viewer| viewer.time_zone))
}

/// A time in full.
#[component]
pub fn Moment(#[prop(into)] at: Signal<Timestamp>) -> impl IntoView {
    let now = use_now();
    let alive = Memo::new(move |_| now.get().is_some());
    let zone = use_zone();
    let local = move || zone.with_value(|zone| crate::browser::local_time(at.get(), zone.as_deref()));
    view! {
        <time datetime=move || at.get().to_iso()>
            {move || if alive.get() { local() } else { utc_text(at.get()) }}
        </time>
    }
}

/// How long ago, with the exact time on hover. `never` is what an absent time means.
#[component]
pub fn Ago(
    #[prop(into)] at: Signal<Option<Timestamp>>,
    #[prop(default = "never")] never: &'static str,
) -> impl IntoView {
    let now = use_now();
    let text = Memo::new(move |_| match (at.get(), now.get()) {
        (None, _) => never.to_owned(),
        (Some(at), None) => utc_text(at),
        (Some(at), Some(now)) => relative_text(now, at),
    });
    let zone = use_zone();
    view! {
        <time
            class="ago"
            datetime=move || at.get().map(Timestamp::to_iso)
            title=move || {
                at.get().map(|at| zone.with_value(|zone| exact_text(now.get_untracked(), at, zone.as_deref())))
            }
        >
            {move || text.get()}
        </time>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_use_the_largest_unit() {
        let now = Timestamp::from_millis(1_795_226_850_000);
        for (seconds, text) in [
            (0, "just now"),
            (42, "42 s ago"),
            (60, "1 min ago"),
            (7_199, "1 h ago"),
            (200_000, "2 d ago"),
            (-180, "in 3 min"),
        ] {
            assert_eq!(relative_text(now, now.plus_secs(-seconds)), text);
        }
    }

    #[test]
    fn utc_text_has_no_milliseconds() {
        assert_eq!(utc_text(Timestamp::from_millis(1_795_226_850_153)), "2026-11-21 02:07:30 UTC");
    }
}
