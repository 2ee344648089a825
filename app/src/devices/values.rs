//! The latest value of each key, changing in place; choosing one shows its chart.

use leptos::prelude::*;
use portico_model::telemetry::{LatestValue, Value};
use portico_model::{DeviceId, Timestamp};

use super::row::{key_title, unit_of, value_text};
use crate::time::{Ago, use_now};
use crate::ui::{EmptyState, Glyph};

/// A value is old after this many of the device's own intervals.
const STALE_AFTER_INTERVALS: i64 = 3;

/// One tile per key.
#[component]
pub fn ValueTiles(
    id: DeviceId,
    values: RwSignal<Vec<LatestValue>>,
    #[prop(into)] metadata: Signal<serde_json::Value>,
    #[prop(into)] interval_s: Signal<i64>,
    /// The key whose chart is shown.
    #[prop(into)]
    chosen: Signal<String>,
    /// The query of the chart's range, to stay in it when another key is chosen.
    #[prop(into)]
    range_query: Signal<String>,
) -> impl IntoView {
    let keys =
        Memo::new(move |_| values.with(|values| values.iter().map(|value| value.key.clone()).collect::<Vec<_>>()));
    view! {
        <Show
            when=move || keys.with(|keys| !keys.is_empty())
            fallback=|| {
                view! {
                    <EmptyState
                        glyph=Glyph::Clock
                        title="Nothing measured yet"
                        text="The first value appears here by itself the moment it arrives. An example to paste is further down this page."
                    />
                }
            }
        >
            <ul class="tiles">
                <For each=move || keys.get() key=Clone::clone let(key)>
                    <ValueTile id key values metadata interval_s chosen range_query />
                </For>
            </ul>
        </Show>
    }
}

#[component]
fn ValueTile(
    id: DeviceId,
    key: String,
    values: RwSignal<Vec<LatestValue>>,
    metadata: Signal<serde_json::Value>,
    interval_s: Signal<i64>,
    chosen: Signal<String>,
    range_query: Signal<String>,
) -> impl IntoView {
    let key = StoredValue::new(key);
    let latest = Memo::new(move |_| {
        values.with(|values| key.with_value(|key| values.iter().find(|value| value.key == *key).cloned()))
    });
    let text = Memo::new(move |_| {
        latest.with(|latest| latest.as_ref().map(|latest| value_text(&latest.value)).unwrap_or_default())
    });
    let unit = move || {
        let is_number = latest.with(|latest| matches!(latest, Some(LatestValue { value: Value::Number(_), .. })));
        if is_number { key.with_value(|key| metadata.with(|metadata| unit_of(metadata, key))) } else { String::new() }
    };
    let at = Memo::new(move |_| latest.with(|latest| latest.as_ref().map(|latest| latest.ts)));
    let now = use_now();
    let stale = Memo::new(move |_| match (now.get(), at.get()) {
        (Some(now), Some(at)) => is_stale(now, at, interval_s.get()),
        _ => false,
    });
    let changes = RwSignal::new(0_u32);
    Effect::new(move |before: Option<Option<Timestamp>>| {
        let at = at.get();
        if before.is_some_and(|before| before != at) {
            changes.update(|changes| *changes += 1);
        }
        at
    });
    let is_chosen = Memo::new(move |_| key.with_value(|key| chosen.with(|chosen| chosen == key)));
    let href = move || {
        let key = key.with_value(|key| crate::browser::encode(key));
        range_query.with(|range| format!("/devices/{id}?key={key}{range}"))
    };
    view! {
        <li
            class="tile"
            class:chosen=move || is_chosen.get()
            class:stale=move || stale.get()
            class:glow-odd=move || changes.get() % 2 == 1
            class:glow-even=move || { changes.get() > 0 && changes.get().is_multiple_of(2) }
        >
            <a href=href attr:data-noscroll="" aria-current=move || is_chosen.get().then_some("true")>
                <span class="tile-key">{key.with_value(|key| key_title(key))}</span>
                <span class="tile-value">
                    <span class="number" data-testid="value">{move || text.get()}</span>
                    <span class="unit">{unit}</span>
                </span>
                <span class="tile-age">
                    <Ago at />
                </span>
            </a>
        </li>
    }
}

/// Whether a value is so old that it should not be taken for the present.
#[must_use]
pub fn is_stale(now: Timestamp, at: Timestamp, interval_s: i64) -> bool {
    now.millis_since(at) > interval_s.saturating_mul(STALE_AFTER_INTERVALS * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_old_after_three_intervals() {
        let at = Timestamp::from_millis(0);
        assert!(!is_stale(at.plus_secs(30), at, 10));
        assert!(is_stale(at.plus_secs(31), at, 10));
    }
}
