//! What became of a lock: who, how, with what result, after how long.

use std::collections::BTreeMap;

use leptos::prelude::*;
use portico_model::access::lock::{How, LockEvent, LockEventKind, LockResult};

use super::state::who;
use crate::time::Ago;
use crate::ui::{Badge, Glyph, Tone};

/// Lines that the page keeps.
const KEPT: usize = 200;

/// Puts a line where it belongs, the newest first; one that is there is replaced (it has ended).
pub fn fold_event(events: &mut Vec<LockEvent>, event: LockEvent) {
    match events.iter_mut().find(|known| known.id == event.id) {
        Some(known) => *known = event,
        None => {
            let at = events.partition_point(|known| known.id > event.id);
            events.insert(at, event);
            events.truncate(KEPT);
        }
    }
}

fn what(event: &LockEvent) -> String {
    match event.kind {
        LockEventKind::Lock => "Lock".to_owned(),
        LockEventKind::Unlock => "Unlock".to_owned(),
        LockEventKind::Moved => format!("Found {}", event.note),
        LockEventKind::Jammed => "Jammed".to_owned(),
        LockEventKind::Lost => "Position no longer known".to_owned(),
        LockEventKind::Offline => "Unavailable".to_owned(),
        LockEventKind::Online => "Available".to_owned(),
        LockEventKind::Registered => "Registered".to_owned(),
        LockEventKind::Changed => "Settings changed".to_owned(),
        LockEventKind::Shared => format!("Shared with {}", event.note),
        LockEventKind::Unshared => format!("Taken back from {}", event.note),
        LockEventKind::Reassigned => format!("Given {}", event.note),
    }
}

const fn how_word(how: How) -> &'static str {
    match how {
        How::Page => "on a page",
        How::Api => "over the interface",
        How::SmartLock => "with the former app",
        How::Relock => "after its time",
        How::Door => "at a door",
        How::Bluetooth => "over Bluetooth",
        How::Lock | How::System => "",
    }
}

fn result_badge(result: LockResult) -> AnyView {
    let (tone, glyph, word) = match result {
        LockResult::Pending => (Tone::Attention, Glyph::Clock, "Waiting"),
        LockResult::Done => (Tone::Ok, Glyph::Check, "Done"),
        LockResult::Failed => (Tone::Danger, Glyph::Cross, "Failed"),
        LockResult::Jammed => (Tone::Danger, Glyph::Alert, "Jammed"),
        LockResult::Expired => (Tone::Attention, Glyph::Clock, "Not in time"),
        LockResult::Withdrawn => (Tone::Neutral, Glyph::Cross, "Withdrawn"),
        LockResult::Denied => (Tone::Danger, Glyph::Shield, "Not allowed"),
    };
    view! { <Badge tone glyph word /> }.into_any()
}

/// `0.4 s`.
fn delay_text(delay_ms: i64) -> String {
    let tenths = (delay_ms + 50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// The table.
#[component]
pub fn History(events: RwSignal<Vec<LockEvent>>) -> impl IntoView {
    let by_id = Memo::new(move |_| {
        events.with(|events| events.iter().map(|event| (event.id, event.clone())).collect::<BTreeMap<_, _>>())
    });
    let ids = move || events.with(|events| events.iter().map(|event| event.id).collect::<Vec<_>>());
    view! {
        <section class="card" aria-labelledby="history-title">
            <h2 id="history-title">"History"</h2>
            <div class="table-wrap">
                <table class="table table-locks">
                    <caption class="hidden">"History of the lock"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            <th scope="col">"What"</th>
                            <th scope="col">"Who"</th>
                            <th scope="col">"Result"</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=ids key=|id| *id let:id>
                            {move || by_id.with(|by_id| by_id.get(&id).cloned()).map(|event| view! { <Line event /> })}
                        </For>
                    </tbody>
                </table>
            </div>
        </section>
    }
}

#[component]
fn Line(event: LockEvent) -> impl IntoView {
    let is_asked = matches!(event.kind, LockEventKind::Lock | LockEventKind::Unlock | LockEventKind::Jammed);
    let why = Some(event.note.clone()).filter(|note| is_asked && !note.is_empty());
    view! {
        <tr class="row">
            <td class="cell-seen">
                <Ago at=Signal::stored(Some(event.at)) />
            </td>
            <td>{what(&event)}</td>
            <td>
                {who(&event.actor)} " " <span class="sub">{how_word(event.how)}</span>
            </td>
            <td>
                <span class="lock-result">
                    {is_asked.then(|| result_badge(event.result))}
                    {event.delay_ms.map(|delay| view! { <span class="sub number">{delay_text(delay)}</span> })}
                    {why.map(|why| view! { <span class="sub">{why}</span> })}
                </span>
            </td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use portico_model::{DeviceId, LockEventId, Timestamp};

    use super::*;

    fn event(number: u128, result: LockResult) -> LockEvent {
        LockEvent {
            id: format!("{number:032x}").parse::<LockEventId>().unwrap(),
            lock_id: DeviceId::nil(),
            at: Timestamp::from_millis(0),
            kind: LockEventKind::Lock,
            actor: String::new(),
            how: How::Page,
            result,
            delay_ms: None,
            command_id: None,
            note: String::new(),
        }
    }

    #[test]
    fn line_is_replaced_when_it_ends_and_the_newest_comes_first() {
        let mut events = vec![event(2, LockResult::Pending)];
        fold_event(&mut events, event(3, LockResult::Pending));
        fold_event(&mut events, event(1, LockResult::Done));
        fold_event(&mut events, event(2, LockResult::Done));
        let number = |event: &LockEvent| u128::from_str_radix(&event.id.to_string(), 16).unwrap();
        let shown: Vec<_> = events.iter().map(|event| (number(event), event.result)).collect();
        assert_eq!(shown, [(3, LockResult::Pending), (2, LockResult::Done), (1, LockResult::Done)]);
    }

    #[test]
    fn delays_are_told_in_tenths_of_seconds() {
        assert_eq!(
            (delay_text(412), delay_text(49), delay_text(12_960)),
            ("0.4 s".into(), "0.0 s".into(), "13.0 s".into())
        );
    }
}
