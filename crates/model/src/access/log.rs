//! What to look for in the access log, and whether an event that comes live belongs to it.

use serde::{Deserialize, Serialize};

use super::{AccessEvent, AccessKind, AccessReason, Method};
use crate::{DoorId, PersonId, Timestamp};

/// Which events: what is absent (or empty) restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSearch {
    pub person: Option<PersonId>,
    /// Part of a person's name.
    pub who: String,
    pub door: Option<DoorId>,
    /// Let in, or refused.
    pub granted: Option<bool>,
    pub reason: Option<AccessReason>,
    pub method: Option<Method>,
    pub kind: Option<AccessKind>,
    /// Unusual ones (false alarms among them), or the others.
    pub anomaly: Option<bool>,
    /// Decided by the reader without network, or by Portico.
    pub offline: Option<bool>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// At or before.
    pub to: Option<Timestamp>,
}

impl EventSearch {
    /// Whether the event is one of those looked for.
    #[must_use]
    pub fn finds(&self, event: &AccessEvent) -> bool {
        let who = self.who.trim().to_lowercase();
        (who.is_empty() || event.person_name.to_lowercase().contains(&who))
            && self.person.is_none_or(|person| event.person_id == Some(person))
            && self.door.is_none_or(|door| event.door_id == Some(door))
            && self.granted.is_none_or(|granted| event.granted == Some(granted))
            && self.reason.is_none_or(|reason| event.reason == reason.as_str())
            && self.method.is_none_or(|method| event.method == method)
            && self.kind.is_none_or(|kind| event.kind == kind)
            && self.anomaly.is_none_or(|anomaly| event.is_anomaly == anomaly)
            && self.offline.is_none_or(|offline| event.is_offline == offline)
            && self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at <= to)
    }
}

/// A place in the log, which runs from the newest event to the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventCursor {
    pub at: Timestamp,
    pub id: crate::AccessEventId,
}

impl EventCursor {
    /// Reads what [`EventCursor::to_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('-')?;
        let is_number = !at.is_empty() && at.len() <= 15 && at.bytes().all(|byte| byte.is_ascii_digit());
        let at = is_number.then(|| at.parse().ok()).flatten()?;
        Some(Self { at: Timestamp::from_millis(at), id: id.parse().ok()? })
    }

    #[must_use]
    pub fn to_text(self) -> String {
        format!("{}-{}", self.at.millis().max(0), self.id)
    }
}

/// Puts an event where it belongs in a list that runs from the newest to the oldest, or in the place of what was known
/// of it. False: it is older than what the list shows, and there are further pages.
pub fn place(shown: &mut Vec<AccessEvent>, event: AccessEvent, has_more: bool) -> bool {
    if let Some(known) = shown.iter_mut().find(|known| known.id == event.id) {
        *known = event;
        return true;
    }
    let key = |event: &AccessEvent| (event.at, event.id);
    let index = shown.partition_point(|known| key(known) > key(&event));
    if index == shown.len() && has_more {
        return false;
    }
    shown.insert(index, event);
    true
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::AccessEventId;

    pub(crate) fn event(number: u128, at: i64) -> AccessEvent {
        AccessEvent {
            id: AccessEventId::from_uuid(uuid::Uuid::from_u128(number)),
            at: Timestamp::from_millis(at),
            received_at: Timestamp::from_millis(at),
            kind: AccessKind::Request,
            door_id: None,
            door_name: "Main entrance".into(),
            reader_id: None,
            person_id: None,
            person_name: "Ann Archer".into(),
            credential_id: None,
            credential_hint: String::new(),
            method: Method::Rfid,
            granted: Some(true),
            reason: "granted".into(),
            policy_id: None,
            policy_name: String::new(),
            leaving: false,
            is_offline: false,
            is_untrusted: false,
            note: String::new(),
            score: None,
            score_reasons: Vec::new(),
            is_anomaly: false,
            is_false_alarm: false,
        }
    }

    #[test]
    fn event_is_found_by_each_of_its_parts_and_by_no_other() {
        let search = EventSearch::default;
        let one = event(1, 1_000);
        assert!(search().finds(&one));
        assert!(EventSearch { who: " archer ".into(), granted: Some(true), ..search() }.finds(&one));
        assert!(!EventSearch { who: "bob".into(), ..search() }.finds(&one));
        assert!(!EventSearch { granted: Some(false), ..search() }.finds(&one));
        let opened = AccessEvent { granted: None, kind: AccessKind::DoorOpened, ..event(2, 1_000) };
        assert!(!EventSearch { granted: Some(false), ..search() }.finds(&opened), "nobody was refused");
        assert!(EventSearch { kind: Some(AccessKind::DoorOpened), ..search() }.finds(&opened));
        assert!(!EventSearch { reason: Some(AccessReason::Lockdown), ..search() }.finds(&one));
        assert!(!EventSearch { method: Some(Method::Pin), ..search() }.finds(&one));
        assert!(!EventSearch { person: Some(PersonId::nil()), ..search() }.finds(&one));
        assert!(!EventSearch { anomaly: Some(true), ..search() }.finds(&one));
        assert!(EventSearch { offline: Some(false), ..search() }.finds(&one));
        assert!(EventSearch { from: Some(one.at), to: Some(one.at), ..search() }.finds(&one));
        assert!(!EventSearch { from: Some(one.at.plus_millis(1)), ..search() }.finds(&one));
    }

    #[test]
    fn cursor_is_read_as_it_is_written() {
        let cursor = EventCursor { at: Timestamp::from_millis(1_795_226_400_000), id: event(7, 0).id };
        assert_eq!(EventCursor::parse(&cursor.to_text()), Some(cursor));
        for wrong in ["", "-", "5", "x-00000000000000000000000000000007", "-5-00000000000000000000000000000007", "1-2"]
        {
            assert_eq!(EventCursor::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn event_takes_its_place_once() {
        let mut shown = vec![event(5, 50), event(3, 30), event(2, 30)];
        let ids = |shown: &[AccessEvent]| shown.iter().map(|one| one.id.uuid().as_u128()).collect::<Vec<_>>();
        assert!(place(&mut shown, event(6, 60), true));
        assert!(place(&mut shown, event(4, 40), true), "late, in its place");
        assert_eq!(ids(&shown), [6, 5, 4, 3, 2]);
        assert!(!place(&mut shown, event(1, 10), true), "on a later page");
        assert!(place(&mut shown, event(1, 10), false));
        let scored = AccessEvent { is_anomaly: true, ..event(4, 40) };
        assert!(place(&mut shown, scored, true));
        assert_eq!(ids(&shown), [6, 5, 4, 3, 2, 1]);
        assert!(shown[2].is_anomaly);
    }
}
