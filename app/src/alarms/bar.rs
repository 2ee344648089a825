//! The alarm bar: what is open, on every page, live.

use leptos::prelude::*;
use portico_model::alarms::{Alarm, AlarmCounts, AlarmState, Severity};
use portico_model::live::Event;

use super::{AlarmsNow, OpenAlarms, look_of};
use crate::live::{LiveUpdate, follow};
use crate::load::{load, read};
use crate::ui::Icon;

/// What other parts of the page may know of alarms; empty until the page has come alive.
#[derive(Clone, Copy)]
pub struct AlarmsLive {
    pub counts: RwSignal<Option<AlarmCounts>>,
    /// The last that changed.
    pub changed: RwSignal<Option<Alarm>>,
}

/// Made once, by the frame around the pages.
pub fn provide_alarms() {
    provide_context(AlarmsLive { counts: RwSignal::new(None), changed: RwSignal::new(None) });
}

#[must_use]
pub fn use_alarms() -> AlarmsLive {
    use_context::<AlarmsLive>()
        .unwrap_or_else(|| AlarmsLive { counts: RwSignal::default(), changed: RwSignal::default() })
}

/// Puts a changed alarm in its place among the open ones, newest first; one that is over leaves.
pub fn fold_open(open: &mut Vec<Alarm>, alarm: &Alarm) {
    open.retain(|known| known.id != alarm.id);
    if alarm.state.is_open() {
        let place = open.partition_point(|known| known.id > alarm.id);
        open.insert(place, alarm.clone());
    }
}

/// What wants to be seen first: unacknowledged before acknowledged, severe before light, new before old.
#[must_use]
pub fn foremost(open: &[Alarm]) -> Option<&Alarm> {
    open.iter().max_by_key(|alarm| (alarm.state == AlarmState::Raised, alarm.severity, alarm.last_raised_at))
}

/// The bar.
#[component]
pub fn AlarmBar() -> impl IntoView {
    let now = load(|| Some(AlarmsNow {}));
    view! {
        <Transition>
            {move || {
                let open = now.get().and_then(|answer| read::<OpenAlarms>(answer).ok())?;
                Some(view! { <Bar open on_many=move || now.refetch() /> })
            }}
        </Transition>
    }
}

#[component]
fn Bar(
    open: OpenAlarms,
    /// There are more than are known one by one: they must be counted anew.
    on_many: impl Fn() + 'static,
) -> impl IntoView {
    let is_partial = i64::try_from(open.open.len()).is_ok_and(|known| known < open.counts.open());
    let counts = RwSignal::new(open.counts);
    let open = RwSignal::new(open.open);
    let live = use_alarms();
    Effect::new(move |_| live.counts.set(Some(counts.get())));
    follow(
        || Some("alarms".to_owned()),
        move |update| match update {
            LiveUpdate::Snapshot(data) => {
                if let Ok(now) = serde_json::from_value::<OpenAlarms>(data) {
                    open.set(now.open);
                    counts.set(now.counts);
                }
            }
            LiveUpdate::Event(Event::AlarmChanged { alarm }) => {
                open.update(|open| fold_open(open, &alarm));
                if is_partial {
                    on_many();
                } else {
                    counts.set(open.with_untracked(|open| AlarmCounts::of(open)));
                }
                live.changed.set(Some(alarm));
            }
            LiveUpdate::Event(_) => {}
        },
    );
    let class = move || {
        let counts = counts.get();
        match (counts.unacknowledged, counts.critical) {
            (0, _) => "alarm-bar alarm-bar-quiet",
            (_, 0) => "alarm-bar alarm-bar-attention",
            _ => "alarm-bar alarm-bar-danger",
        }
    };
    let parts = move || {
        let counts = counts.get();
        [(Severity::Critical, counts.critical), (Severity::Warning, counts.warning), (Severity::Info, counts.info)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(severity, count)| {
                let (_, glyph, word) = look_of(severity);
                view! {
                    <a class="alarm-count" href=format!("/alarms?severity={}", severity.as_str())>
                        <Icon glyph />
                        <span class="number">{count}</span>
                        " "
                        {word.to_lowercase()}
                    </a>
                }
            })
            .collect_view()
    };
    let newest = move || {
        open.with(|open| foremost(open).cloned()).map(|alarm| {
            view! {
                <a class="alarm-newest" href=format!("/alarms/{}", alarm.id)>
                    <strong>{alarm.subject_name}</strong>
                    ": "
                    {alarm.title}
                </a>
            }
        })
    };
    view! {
        <aside class=class aria-label="Open alarms" hidden=move || counts.get().open() == 0>
            <span class="alarm-counts" role="status">
                {parts}
            </span>
            {newest}
            <a class="alarm-all" href="/alarms">
                "All alarms"
            </a>
        </aside>
    }
}

#[cfg(test)]
mod tests {
    use portico_model::Timestamp;

    use super::*;

    fn alarm(number: u32, severity: Severity, state: AlarmState) -> Alarm {
        let at = Timestamp::from_millis(i64::from(number));
        Alarm {
            id: format!("{number:032x}").parse().unwrap(),
            kind: "threshold".into(),
            severity,
            state,
            title: String::new(),
            text: String::new(),
            subject_kind: "device".into(),
            subject_id: String::new(),
            subject_name: String::new(),
            rule_id: None,
            began_at: at,
            raised_at: at,
            last_raised_at: at,
            times: 1,
            escalated_at: None,
            acknowledged_at: None,
            acknowledged_by: None,
            cleared_at: None,
            cleared_by: None,
        }
    }

    #[test]
    fn changes_find_their_place_and_what_is_over_leaves() {
        use AlarmState::{Acknowledged, Cleared, Raised};
        let mut open = Vec::new();
        for number in [2, 1, 3] {
            fold_open(&mut open, &alarm(number, Severity::Warning, Raised));
        }
        fold_open(&mut open, &alarm(2, Severity::Warning, Acknowledged));
        let shown: Vec<_> = open.iter().map(|alarm| (alarm.raised_at.millis(), alarm.state)).collect();
        assert_eq!(shown, [(3, Raised), (2, Acknowledged), (1, Raised)]);
        fold_open(&mut open, &alarm(3, Severity::Warning, Cleared));
        fold_open(&mut open, &alarm(9, Severity::Warning, Cleared));
        assert_eq!(open.len(), 2);
        let counts = AlarmCounts::of(&open);
        assert_eq!((counts.warning, counts.unacknowledged), (2, 1));
    }

    #[test]
    fn what_nobody_has_taken_on_comes_first() {
        use AlarmState::{Acknowledged, Raised};
        let open = [
            alarm(4, Severity::Info, Raised),
            alarm(3, Severity::Critical, Acknowledged),
            alarm(2, Severity::Warning, Raised),
            alarm(1, Severity::Warning, Raised),
        ];
        assert_eq!(foremost(&open).map(|alarm| alarm.raised_at.millis()), Some(2));
        assert_eq!(foremost(&[]), None);
    }
}
