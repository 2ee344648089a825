//! Whether doors stand open: what their contacts say, and what follows from it.

use portico_alarms::{Change, Reach, Report, Subject};
use portico_model::access::door::DoorState;
use portico_model::access::{AccessEvent, AccessKind, DoorMode, Method};
use portico_model::alarms::Severity;
use portico_model::{AccessEventId, DeviceId, OrganizationId, Timestamp};
use portico_platform::{Result, Tx};

use super::store::{self, Gate};
use crate::Access;
use crate::log::Logged;

/// After the lock has fallen shut again a door may still be opened for so long by who was let in, seconds.
const GRACE_S: i64 = 5;

/// How far back a device's own clock is believed, milliseconds.
const OLDEST_MS: i64 = 86_400_000;

/// What happens to a door with an announcement of its contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It was so already, or the word is older than what is known.
    Nothing,
    Opened,
    /// Open although nobody was let in.
    Forced,
    Closed,
}

/// What an announcement means. `exit`: somebody used the handle on the inside.
pub fn turn(gate: &Gate, said: DoorState, exit: bool, at: Timestamp) -> Turn {
    if gate.state == said || gate.state_at.is_some_and(|known| at < known) {
        return Turn::Nothing;
    }
    match said {
        DoorState::Closed => Turn::Closed,
        DoorState::Unknown => Turn::Nothing,
        DoorState::Open => {
            let is_free = matches!(gate.mode_at(at), DoorMode::Evacuation | DoorMode::Unlocked);
            let expected = gate.granted_at.is_some_and(|granted| at <= granted.plus_secs(gate.unlock_s + GRACE_S));
            // The first word after a start says how it is, not that somebody opened it.
            if exit || is_free || expected || gate.state == DoorState::Unknown { Turn::Opened } else { Turn::Forced }
        }
    }
}

impl Access {
    /// A device says whether its door is open. False when it belongs to no door.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn door_state(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        said: DoorState,
        exit: bool,
        said_at: Option<Timestamp>,
    ) -> Result<bool> {
        let now = self.0.platform.clock.now();
        let at = said_at.filter(|at| (0..=OLDEST_MS).contains(&now.millis_since(*at))).unwrap_or(now);
        let mut tx = self.0.platform.db.begin().await?;
        let gates = store::lock_by_contact(&mut tx, organization, device).await?;
        let (mut logged, mut changes, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        let any = !gates.is_empty();
        for mut gate in gates {
            let turn = turn(&gate, said, exit, at);
            let kind = match turn {
                Turn::Nothing => continue,
                Turn::Opened => AccessKind::DoorOpened,
                Turn::Forced => AccessKind::ForcedOpen,
                Turn::Closed => AccessKind::DoorClosed,
            };
            gate.state = said;
            gate.state_at = Some(at);
            match turn {
                Turn::Forced => {
                    gate.forced_at = Some(at);
                    let text = format!("{} was opened although nobody was let in.", gate.name);
                    let report = report(&gate, "forced", Severity::Critical, "Door forced open", text, at);
                    changes.extend(self.0.alarms.raise(&mut tx, organization, &report).await?);
                }
                Turn::Closed => {
                    (gate.forced_at, gate.held_at) = (None, None);
                    changes.extend(self.end_alarms(&mut tx, &gate, "The door is closed again.").await?);
                }
                Turn::Opened | Turn::Nothing => {}
            }
            store::update_state(&mut tx, &gate, None, now).await?;
            let event = event_of(&gate, kind, Some(device), at, now, String::new());
            logged.extend(self.append_event(&mut tx, organization, event, "", None).await?);
            changed.push(gate.id);
        }
        tx.commit().await?;
        self.told(organization, changed, logged, changes).await;
        Ok(any)
    }

    /// Doors that have stood open for too long.
    pub(crate) async fn find_held(&self, tx: &mut Tx, now: Timestamp) -> Result<(Vec<Gate>, Vec<Logged>, Vec<Change>)> {
        let (mut gates, mut logged, mut changes) = (store::lock_held(tx, now).await?, Vec::new(), Vec::new());
        for gate in &mut gates {
            gate.held_at = Some(now);
            let text = format!("{} has been open for more than {} s.", gate.name, gate.held_after_s);
            let began = gate.state_at.unwrap_or(now);
            let report = report(gate, "held", Severity::Warning, "Door held open", text, began);
            changes.extend(self.0.alarms.raise(tx, gate.organization, &report).await?);
            store::update_state(tx, gate, None, now).await?;
            let event = event_of(gate, AccessKind::HeldOpen, None, now, now, String::new());
            logged.extend(self.append_event(tx, gate.organization, event, "", None).await?);
        }
        Ok((gates, logged, changes))
    }

    /// Ends what was reported of a door.
    pub(crate) async fn end_alarms(&self, tx: &mut Tx, gate: &Gate, note: &str) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for what in ["forced", "held"] {
            changes.extend(self.0.alarms.clear(tx, gate.organization, &cause(gate, what), note).await?);
        }
        Ok(changes)
    }

    /// After the commit.
    pub(crate) async fn told(
        &self,
        organization: OrganizationId,
        doors: Vec<portico_model::DoorId>,
        logged: Vec<Logged>,
        changes: Vec<Change>,
    ) {
        self.0.alarms.announce(changes);
        for one in logged {
            self.announce_event(one);
        }
        if !doors.is_empty() {
            self.show_doors(organization, doors).await;
        }
    }
}

fn cause(gate: &Gate, what: &str) -> String {
    format!("door:{}:{what}", gate.id)
}

fn report(gate: &Gate, what: &str, severity: Severity, title: &str, text: String, began_at: Timestamp) -> Report {
    Report {
        cause: cause(gate, what),
        kind: if what == "forced" { "door_forced" } else { "door_held" },
        severity,
        title: title.to_owned(),
        text,
        subject: Subject { kind: "door", id: gate.id.to_string(), name: gate.name.clone() },
        began_at,
        reach: Reach::default(),
    }
}

/// Something that happened at a door without anybody asking.
pub(crate) fn event_of(
    gate: &Gate,
    kind: AccessKind,
    reader: Option<DeviceId>,
    at: Timestamp,
    now: Timestamp,
    note: String,
) -> AccessEvent {
    AccessEvent {
        id: AccessEventId::generate(),
        at,
        received_at: now,
        kind,
        door_id: Some(gate.id),
        door_name: gate.name.clone(),
        reader_id: reader,
        person_id: None,
        person_name: String::new(),
        credential_id: None,
        credential_hint: String::new(),
        method: Method::System,
        granted: None,
        reason: String::new(),
        policy_id: None,
        policy_name: String::new(),
        leaving: false,
        is_offline: false,
        is_untrusted: false,
        note,
        score: None,
        score_reasons: Vec::new(),
        is_anomaly: false,
        is_false_alarm: false,
    }
}
