//! Locks: where the bolt is as far as the lock has said, what it was told, who may do what with it.
//!
//! [`LockState::after`] is the one rule of what is known: a position is shown as known only while the lock itself has
//! said it and has been heard of since.

use serde::{Deserialize, Serialize};

use super::{Position, words};
use crate::devices::Connection;
use crate::{CommandId, DeviceId, LockEventId, LockGrantId, PersonGroupId, Timestamp, UserId};

/// A lock that was not heard of for so long is not believed to be as it was, milliseconds.
pub const LOST_AFTER_MS: i64 = 60_000;

/// How often a lock promises to be heard when nothing else is said, seconds.
pub const HEARTBEAT_S: i64 = 9;

/// From which charge down a battery is told to be low, percent.
pub const LOW_BATTERY_PERCENT: f64 = 15.0;

/// Longest time after which a lock locks itself, seconds.
pub const MAX_RELOCK_AFTER_S: i64 = 86_400;

words! {
    /// Where a bolt can be, and be wanted.
    Bolt {
        Locked = "locked",
        Unlocked = "unlocked",
    }
}

impl Bolt {
    /// The command that moves it there.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Locked => "lock",
            Self::Unlocked => "unlock",
        }
    }

    #[must_use]
    pub fn of_command(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bolt| bolt.command() == name)
    }

    #[must_use]
    pub const fn position(self) -> Position {
        match self {
            Self::Locked => Position::Locked,
            Self::Unlocked => Position::Unlocked,
        }
    }

    /// On its way there.
    #[must_use]
    pub const fn on_its_way(self) -> Position {
        match self {
            Self::Locked => Position::Locking,
            Self::Unlocked => Position::Unlocking,
        }
    }
}

words! {
    /// What a lock says of its bolt.
    Said {
        Locked = "locked",
        Unlocked = "unlocked",
        Jammed = "jammed",
        Unknown = "unknown",
    }
}

impl Said {
    #[must_use]
    pub const fn bolt(self) -> Option<Bolt> {
        match self {
            Self::Locked => Some(Bolt::Locked),
            Self::Unlocked => Some(Bolt::Unlocked),
            Self::Jammed | Self::Unknown => None,
        }
    }
}

impl From<Bolt> for Said {
    fn from(bolt: Bolt) -> Self {
        match bolt {
            Bolt::Locked => Self::Locked,
            Bolt::Unlocked => Self::Unlocked,
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The lock did it.
    Done,
    /// The lock could not or would not.
    Failed,
    /// It never left: nothing has happened.
    Unsent,
    /// It was sent and not answered in time: whether it was done is not known.
    Unanswered,
}

/// What happens to a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// It was told to move its bolt.
    Told { want: Bolt, command: CommandId },
    /// A command ended; `said` is where the bolt is, if the lock's answer told.
    Ended { want: Bolt, command: CommandId, how: Ended, said: Option<Said> },
    /// The lock said so by itself, in a heartbeat or because somebody turned the key.
    Said(Said),
    /// It was not heard of for too long; the last time was then.
    Lost { last_heard: Option<Timestamp> },
}

/// What is known of a bolt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockState {
    pub position: Position,
    pub position_at: Option<Timestamp>,
    /// Where the lock last said that the bolt is, and when it last stood by that.
    pub known: Option<(Bolt, Timestamp)>,
    /// Whether that still holds: nothing has happened since that may have moved it.
    pub is_sure: bool,
    /// What it was told and has not answered.
    pub wanted: Option<(Bolt, CommandId)>,
}

impl LockState {
    /// A lock that has not been heard of.
    pub const NEW: Self =
        Self { position: Position::Unknown, position_at: None, known: None, is_sure: false, wanted: None };

    /// What is known after this.
    #[must_use]
    pub fn after(self, happening: Happening, at: Timestamp) -> Self {
        let mut next = self;
        match happening {
            Happening::Told { want, command } => {
                next.wanted = Some((want, command));
                next.position = want.on_its_way();
            }
            Happening::Ended { want, command, how, said } => {
                let is_current = self.wanted.is_some_and(|(_, current)| current == command);
                if is_current {
                    next.wanted = None;
                }
                let said = match how {
                    Ended::Done => said.or(Some(want.into())),
                    Ended::Failed => said,
                    Ended::Unsent | Ended::Unanswered => None,
                };
                match said {
                    Some(said) => next.hear(said, at),
                    None => {
                        if how == Ended::Unanswered {
                            next.is_sure = false;
                        }
                        if next.wanted.is_none() && (is_current || how == Ended::Unanswered) {
                            next.position = next.fallback();
                        }
                    }
                }
            }
            Happening::Said(said) => next.hear(said, at),
            Happening::Lost { last_heard } => {
                if let (Some((bolt, since)), Some(heard)) = (next.known, last_heard)
                    && next.is_sure
                {
                    next.known = Some((bolt, since.max(heard)));
                }
                next.is_sure = false;
                if next.wanted.is_none() {
                    next.position = Position::Unknown;
                }
            }
        }
        if next.position != self.position {
            next.position_at = Some(at);
        }
        next
    }

    fn hear(&mut self, said: Said, at: Timestamp) {
        self.is_sure = said.bolt().is_some();
        if let Some(bolt) = said.bolt() {
            self.known = Some((bolt, at));
        }
        self.position = match (said, self.wanted) {
            (Said::Jammed, _) => Position::Jammed,
            // It has not come to it yet: what it was told is still under way.
            (_, Some((want, _))) => want.on_its_way(),
            (Said::Unknown, None) => Position::Unknown,
            (_, None) => self.fallback(),
        };
    }

    fn fallback(&self) -> Position {
        self.known.filter(|_| self.is_sure).map_or(Position::Unknown, |(bolt, _)| bolt.position())
    }
}

words! {
    /// What somebody may do with a lock; each may what those before may.
    LockRole {
        /// See it and its history.
        Viewer = "viewer",
        /// Lock and unlock.
        Operator = "operator",
        /// Share, change and remove it: its owner, and who manages all locks.
        Manager = "manager",
    }
}

words! {
    /// A change that people can be told of.
    LockNotice {
        Unlocked = "unlocked",
        Locked = "locked",
        Jammed = "jammed",
        /// A command was not done.
        Failed = "failed",
        Offline = "offline",
    }
}

words! {
    /// By which way a lock was acted upon.
    How {
        Page = "page",
        Api = "api",
        /// The interface of the former smart lock.
        SmartLock = "smart_lock",
        /// It locked itself after its time.
        Relock = "relock",
        /// A door let somebody in, or a rule of a door.
        Door = "door",
        Bluetooth = "bluetooth",
        /// The lock told of it: a key, a hand, its own.
        Lock = "lock",
        System = "system",
    }
}

words! {
    /// What a line of a lock's history is about.
    LockEventKind {
        Lock = "lock",
        Unlock = "unlock",
        /// The bolt was found elsewhere than it was left.
        Moved = "moved",
        Jammed = "jammed",
        /// Not heard of for too long: its position is not known any more.
        Lost = "lost",
        Offline = "offline",
        Online = "online",
        Registered = "registered",
        Changed = "changed",
        Shared = "shared",
        Unshared = "unshared",
        Reassigned = "reassigned",
    }
}

words! {
    /// How something that was asked of a lock ended.
    LockResult {
        /// It has not answered yet.
        Pending = "pending",
        Done = "done",
        Failed = "failed",
        Jammed = "jammed",
        /// It did not answer in time.
        Expired = "expired",
        /// Taken back before it was sent.
        Withdrawn = "withdrawn",
        /// Not allowed.
        Denied = "denied",
    }
}

/// A lock, as everyone sees it who may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000ab", "hardware_id": "device-1", "name": "Front door", "location": "Lobby",
    "owner_id": "0199a0000000700080000000000000f1", "owner_name": "ada", "position": "locked",
    "position_at": "2026-11-21T02:00:00.000+00:00", "last_known": "locked",
    "last_known_at": "2026-11-21T02:00:00.000+00:00", "wanted": null, "wanted_until": null, "changed_by": "user:ada",
    "changed_how": "page", "connection": "online", "last_seen_at": "2026-11-21T02:03:00.000+00:00", "issue": "",
    "battery_percent": 71.0, "rssi_dbm": -58.0, "firmware_version": "1.4.0", "heartbeat_interval_s": 9,
    "relock_after_s": 30, "relock_at": null, "require_step_up": false, "is_bridged": false,
    "notify_on": ["jammed", "offline"], "created_at": "2026-11-20T02:00:00.000+00:00"
})))]
pub struct Lock {
    /// The device's.
    pub id: DeviceId,
    pub hardware_id: Option<String>,
    pub name: String,
    pub location: String,
    pub owner_id: UserId,
    pub owner_name: String,
    pub position: Position,
    /// Since when.
    pub position_at: Option<Timestamp>,
    /// Where the lock last said that its bolt is.
    pub last_known: Option<Bolt>,
    /// When it last stood by that.
    pub last_known_at: Option<Timestamp>,
    /// What it was told and has not answered yet.
    pub wanted: Option<Bolt>,
    /// When that is given up.
    pub wanted_until: Option<Timestamp>,
    /// Who moved it last, as in the audit trail.
    pub changed_by: String,
    pub changed_how: How,
    pub connection: Connection,
    pub last_seen_at: Option<Timestamp>,
    /// What the lock complains of, or that its battery is low; else empty.
    pub issue: String,
    pub battery_percent: Option<f64>,
    /// Received signal strength, dBm.
    pub rssi_dbm: Option<f64>,
    pub firmware_version: String,
    pub heartbeat_interval_s: i64,
    /// So long after it was unlocked it is locked again, seconds.
    pub relock_after_s: Option<i64>,
    /// When that will be.
    pub relock_at: Option<Timestamp>,
    /// Whoever has not proved lately who he is must do so before he locks or unlocks.
    pub require_step_up: bool,
    /// It speaks over the bridge for older firmware: nothing proves that its messages are its own.
    pub is_bridged: bool,
    /// What its owner and those it is shared with are told of.
    pub notify_on: Vec<LockNotice>,
    pub created_at: Timestamp,
}

/// A lock, and what the one who asks may do with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct ShownLock {
    #[serde(flatten)]
    pub lock: Lock,
    pub role: LockRole,
}

/// A line of a lock's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000e1", "lock_id": "0199a0000000700080000000000000ab",
    "at": "2026-11-21T02:00:00.000+00:00", "kind": "unlock", "actor": "user:ada", "how": "page", "result": "done",
    "delay_ms": 412, "command_id": "0199a0000000700080000000000000c1", "note": ""
})))]
pub struct LockEvent {
    pub id: LockEventId,
    pub lock_id: DeviceId,
    pub at: Timestamp,
    pub kind: LockEventKind,
    /// Who, as in the audit trail.
    // Or `person:` and a name: somebody who was let in at a door.
    pub actor: String,
    pub how: How,
    pub result: LockResult,
    /// From the command to the lock's answer.
    pub delay_ms: Option<i64>,
    pub command_id: Option<CommandId>,
    pub note: String,
}

/// That somebody else may use a lock: one person with an account, or all members of a group of people that have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000a1", "user_id": "0199a0000000700080000000000000f2", "person_group_id": null,
    "name": "bob", "role": "operator", "granted_by": "user:ada", "created_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct LockGrant {
    pub id: LockGrantId,
    pub user_id: Option<UserId>,
    pub person_group_id: Option<PersonGroupId>,
    /// Of the person or the group.
    pub name: String,
    pub role: LockRole,
    pub granted_by: String,
    pub created_at: Timestamp,
}

/// A lock that is registered: of a device that is there already (`device_id`), or with a device of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"name": "Front door", "hardware_id": "device-1", "location": "Lobby"})))]
pub struct NewLock {
    /// Id or hardware id of a device that is to be a lock; absent: a new device.
    #[serde(default)]
    pub device_id: Option<String>,
    /// 1 to 100 characters; needed for a new device.
    #[serde(default)]
    pub name: Option<String>,
    /// Printed on the lock; for a new device.
    #[serde(default)]
    pub hardware_id: Option<String>,
    #[serde(default)]
    pub location: Option<String>,
    /// User name or id of its owner; absent: who registers it. For another person: `manage_all_devices`.
    #[serde(default)]
    pub owner: Option<String>,
}

/// A lock just registered; a new device's key is shown this once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct RegisteredLock {
    pub lock: ShownLock,
    /// 32 base62 characters; absent for a device that was there.
    #[cfg_attr(feature = "server", schema(example = "k3vQ0sZ8nYpLr5TxBw2HdJ7mAcE9fGuN"))]
    pub api_key: Option<String>,
}

/// What to change of a lock; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"name": "Front door", "relock_after_s": 30, "notify_on": ["jammed"]})))]
#[serde(default)]
pub struct LockChange {
    pub name: Option<String>,
    pub location: Option<String>,
    /// 5 to 86,400 seconds; 0: it stays as it is left.
    pub relock_after_s: Option<i64>,
    pub require_step_up: Option<bool>,
    pub notify_on: Option<Vec<LockNotice>>,
}

/// With whom a lock is shared: `user` or `person_group_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"user": "bob", "role": "operator"})))]
pub struct NewLockGrant {
    /// User name, e-mail address or id.
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub person_group_id: Option<PersonGroupId>,
    /// `viewer` or `operator`.
    pub role: LockRole,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn id(number: u128) -> CommandId {
        CommandId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn ended(want: Bolt, command: u128, how: Ended, said: Option<Said>) -> Happening {
        Happening::Ended { want, command: id(command), how, said }
    }

    fn told(want: Bolt, command: u128) -> Happening {
        Happening::Told { want, command: id(command) }
    }

    fn run(happenings: &[Happening]) -> LockState {
        happenings
            .iter()
            .zip(1..)
            .fold(LockState::NEW, |state, (happening, second)| state.after(*happening, at(second)))
    }

    #[test]
    fn what_is_shown_follows_what_the_lock_said() {
        use Bolt::{Locked, Unlocked};
        use Happening as H;
        let said = |said| H::Said(said);
        let lost = H::Lost { last_heard: Some(at(1)) };
        let done = Ended::Done;
        let table: &[(&str, &[Happening], Position)] = &[
            ("never heard", &[], Position::Unknown),
            ("heartbeat", &[said(Said::Locked)], Position::Locked),
            ("told", &[said(Said::Locked), told(Unlocked, 1)], Position::Unlocking),
            ("told at first", &[told(Locked, 1)], Position::Locking),
            ("done", &[told(Unlocked, 1), ended(Unlocked, 1, done, None)], Position::Unlocked),
            ("done, elsewhere", &[told(Unlocked, 1), ended(Unlocked, 1, done, Some(Said::Jammed))], Position::Jammed),
            ("a late beat while told", &[told(Unlocked, 1), said(Said::Locked)], Position::Unlocking),
            ("jam while told", &[told(Unlocked, 1), said(Said::Jammed)], Position::Jammed),
            (
                "free again while told",
                &[told(Unlocked, 1), said(Said::Jammed), said(Said::Locked)],
                Position::Unlocking,
            ),
            (
                "jam after success",
                &[told(Unlocked, 1), ended(Unlocked, 1, done, None), said(Said::Jammed)],
                Position::Jammed,
            ),
            (
                "answer of one before",
                &[told(Unlocked, 1), told(Locked, 2), ended(Unlocked, 1, done, None)],
                Position::Locking,
            ),
            (
                "end of one before, unsent",
                &[said(Said::Locked), told(Unlocked, 1), told(Locked, 2), ended(Unlocked, 1, Ended::Unsent, None)],
                Position::Locking,
            ),
            (
                "refused",
                &[said(Said::Locked), told(Unlocked, 1), ended(Unlocked, 1, Ended::Failed, None)],
                Position::Locked,
            ),
            (
                "refused with its place",
                &[said(Said::Locked), told(Unlocked, 1), ended(Unlocked, 1, Ended::Failed, Some(Said::Unlocked))],
                Position::Unlocked,
            ),
            (
                "refused, nothing known",
                &[told(Unlocked, 1), ended(Unlocked, 1, Ended::Failed, None)],
                Position::Unknown,
            ),
            (
                "refused after a jam",
                &[said(Said::Locked), said(Said::Jammed), told(Unlocked, 1), ended(Unlocked, 1, Ended::Failed, None)],
                Position::Unknown,
            ),
            (
                "expired unsent",
                &[said(Said::Locked), told(Unlocked, 1), ended(Unlocked, 1, Ended::Unsent, None)],
                Position::Locked,
            ),
            (
                "refused after an expiry",
                &[
                    said(Said::Locked),
                    told(Unlocked, 1),
                    ended(Unlocked, 1, Ended::Unanswered, None),
                    told(Unlocked, 2),
                    ended(Unlocked, 2, Ended::Unsent, None),
                ],
                Position::Unknown,
            ),
            (
                "expired unanswered",
                &[said(Said::Locked), told(Unlocked, 1), ended(Unlocked, 1, Ended::Unanswered, None)],
                Position::Unknown,
            ),
            ("lost", &[said(Said::Locked), lost], Position::Unknown),
            ("lost and told", &[said(Said::Locked), lost, told(Unlocked, 1), lost], Position::Unlocking),
            (
                "lost, told in vain",
                &[said(Said::Locked), told(Unlocked, 1), lost, ended(Unlocked, 1, Ended::Unsent, None)],
                Position::Unknown,
            ),
            ("found again", &[said(Said::Locked), lost, said(Said::Unlocked)], Position::Unlocked),
            ("says it does not know", &[said(Said::Locked), said(Said::Unknown)], Position::Unknown),
        ];
        for (name, happenings, expected) in table {
            assert_eq!(run(happenings).position, *expected, "{name}");
        }
    }

    #[test]
    fn lost_lock_keeps_where_it_was_last_and_when_it_was_heard() {
        let state = LockState::NEW.after(Happening::Said(Said::Locked), at(10));
        let lost = state.after(Happening::Lost { last_heard: Some(at(100)) }, at(160));
        assert_eq!((lost.position, lost.known), (Position::Unknown, Some((Bolt::Locked, at(100)))));
        assert_eq!(lost.position_at, Some(at(160)));
    }

    fn happening() -> impl Strategy<Value = Happening> {
        let bolt = || prop_oneof![Just(Bolt::Locked), Just(Bolt::Unlocked)];
        let said = || proptest::sample::select(Said::ALL.to_vec());
        let how = proptest::sample::select(vec![Ended::Done, Ended::Failed, Ended::Unsent, Ended::Unanswered]);
        prop_oneof![
            (bolt(), 0..4_u128).prop_map(|(want, command)| told(want, command)),
            (bolt(), 0..4_u128, how, proptest::option::of(said())).prop_map(|(w, c, h, s)| ended(w, c, h, s)),
            said().prop_map(Happening::Said),
            Just(Happening::Lost { last_heard: Some(at(0)) }),
        ]
    }

    proptest! {
        /// Never a known position that the lock has not said last.
        #[test]
        fn position_is_known_only_as_the_lock_last_said(happenings in proptest::collection::vec(happening(), 0..40)) {
            let mut state = LockState::NEW;
            let mut last_word = None;
            for (happening, second) in happenings.into_iter().zip(1..) {
                last_word = match happening {
                    Happening::Said(said) => Some(said),
                    Happening::Ended { how: Ended::Done, want, said, .. } => Some(said.unwrap_or(want.into())),
                    Happening::Ended { how: Ended::Failed, said: Some(said), .. } => Some(said),
                    // What it said before may not hold any more.
                    Happening::Ended { how: Ended::Unanswered, .. } | Happening::Lost { .. } => Some(Said::Unknown),
                    _ => last_word,
                };
                let before = state;
                state = state.after(happening, at(second));
                match state.position {
                    Position::Locked | Position::Unlocked => {
                        prop_assert!(state.wanted.is_none());
                        prop_assert_eq!(state.known.map(|(bolt, _)| bolt.position()), Some(state.position));
                        prop_assert_eq!(last_word.and_then(Said::bolt).map(Bolt::position), Some(state.position));
                    }
                    Position::Locking | Position::Unlocking => prop_assert!(state.wanted.is_some()),
                    Position::Jammed => prop_assert!(before.position == Position::Jammed || last_word == Some(Said::Jammed)),
                    Position::Unknown => {}
                }
                if matches!(happening, Happening::Lost { .. }) && state.wanted.is_none() {
                    prop_assert_eq!(state.position, Position::Unknown);
                }
                // The same said twice is the same as once.
                if let Happening::Said(_) = happening {
                    prop_assert_eq!(state.after(happening, at(second)), state);
                }
            }
        }
    }
}
