//! Codes for keypads: for a time, for so many uses; of a door, which asks Portico, or of a lock, which keeps them itself.

use serde::{Deserialize, Serialize};

use super::words;
use crate::{AccessCodeId, DeviceId, DoorId, PersonId, ScheduleId, Timestamp};

/// How often a lock is told of a code before Portico gives up and says why.
pub const MAX_ATTEMPTS: i64 = 5;

/// How long one attempt waits for the lock, seconds: also for one that sleeps for most of the day.
pub const ATTEMPT_S: i64 = 86_400;

/// Fewest and most digits.
pub const DIGITS: std::ops::RangeInclusive<usize> = 4..=8;

words! {
    /// What the lock has of a code, as far as it has said. A door has every code at once: Portico answers for it.
    CodeState {
        /// It is not there.
        Unset = "unset",
        /// The lock was told of it and has not answered.
        Setting = "setting",
        Set = "set",
        /// The lock was told to forget it and has not answered.
        Removing = "removing",
    }
}

words! {
    /// What a lock is to do with a code.
    CodeTask {
        Set = "set_code",
        Remove = "remove_code",
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    Done,
    /// The lock said no.
    Refused,
    /// It did not answer in time: it may have done it.
    NoAnswer,
}

/// Where a code is on its way between Portico and the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// Portico wants it to be there.
    pub wanted: bool,
    pub state: CodeState,
    /// How often the lock was told in vain, since what is wanted last changed.
    pub attempts: i64,
    /// The lock has never been told of it, or has said that it does not have it.
    pub is_absent: bool,
}

impl Course {
    /// Of a code that is new.
    #[must_use]
    pub const fn begin() -> Self {
        Self { wanted: true, state: CodeState::Unset, attempts: 0, is_absent: true }
    }

    /// What the lock is to be told now, if anything: nothing while it is being told, and nothing after too many attempts.
    #[must_use]
    pub const fn task(self) -> Option<CodeTask> {
        if self.attempts >= MAX_ATTEMPTS {
            return None;
        }
        match (self.wanted, self.state) {
            (true, CodeState::Unset) => Some(CodeTask::Set),
            (false, CodeState::Set) => Some(CodeTask::Remove),
            (false, CodeState::Unset) if !self.is_absent => Some(CodeTask::Remove),
            _ => None,
        }
    }

    /// The lock was told.
    #[must_use]
    pub const fn told(self, task: CodeTask) -> Self {
        match task {
            CodeTask::Set => Self { state: CodeState::Setting, is_absent: false, ..self },
            CodeTask::Remove => Self { state: CodeState::Removing, ..self },
        }
    }

    /// The attempt is over. One that does not belong to the state (a late answer) changes nothing.
    #[must_use]
    pub const fn ended(self, attempt: Attempt) -> Self {
        let failed = self.attempts.saturating_add(1);
        match (self.state, attempt) {
            (CodeState::Setting, Attempt::Done) => Self { state: CodeState::Set, attempts: 0, ..self },
            (CodeState::Setting, Attempt::Refused) => {
                Self { state: CodeState::Unset, attempts: failed, is_absent: true, ..self }
            }
            (CodeState::Setting, Attempt::NoAnswer) => Self { state: CodeState::Unset, attempts: failed, ..self },
            (CodeState::Removing, Attempt::Done) => {
                Self { state: CodeState::Unset, attempts: 0, is_absent: true, ..self }
            }
            (CodeState::Removing, Attempt::Refused | Attempt::NoAnswer) => {
                Self { state: CodeState::Set, attempts: failed, ..self }
            }
            (CodeState::Unset | CodeState::Set, _) => self,
        }
    }

    /// It is no longer wanted. What is being told comes to its end first.
    #[must_use]
    pub const fn withdrawn(self) -> Self {
        if self.wanted { Self { wanted: false, attempts: 0, ..self } } else { self }
    }

    /// Somebody asks for another try.
    #[must_use]
    pub const fn again(self) -> Self {
        Self { attempts: 0, ..self }
    }

    /// Nothing is left to do, and the code is not there.
    #[must_use]
    pub const fn is_over(self) -> bool {
        !self.wanted && self.is_absent && matches!(self.state, CodeState::Unset)
    }
}

/// Until the next attempt after so many in vain, milliseconds: a minute, doubled each time, at most an hour.
#[must_use]
pub fn pause_ms(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 7) - 1).unwrap_or_default();
    (60_000_i64 << doublings).min(3_600_000)
}

/// Whether a text is a code: 4 to 8 digits.
#[must_use]
pub fn is_code(text: &str) -> bool {
    DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A code as it is shown; the digits themselves are shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000b1", "name": "Plumber", "door_id": null, "door_name": "",
    "lock_id": "0199a0000000700080000000000000ab", "lock_name": "Front door", "person_id": null, "person_name": "",
    "digits": 6, "schedule_id": null, "schedule_name": "", "valid_from": null,
    "valid_until": "2026-11-22T18:00:00.000+00:00", "max_uses": 3, "uses": 1, "wanted": true, "state": "set",
    "attempts": 0, "next_attempt_at": null, "reason": "", "created_by": "user:ada",
    "created_at": "2026-11-21T02:00:00.000+00:00", "updated_at": "2026-11-21T02:00:01.000+00:00"
})))]
pub struct AccessCode {
    pub id: AccessCodeId,
    pub name: String,
    /// The door it opens, or `lock_id`.
    pub door_id: Option<DoorId>,
    pub door_name: String,
    pub lock_id: Option<DeviceId>,
    pub lock_name: String,
    /// Who is taken to come with it, if it is somebody's.
    pub person_id: Option<PersonId>,
    pub person_name: String,
    /// How many digits it has.
    pub digits: i64,
    /// Only at these hours (of a door's code).
    pub schedule_id: Option<ScheduleId>,
    pub schedule_name: String,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub max_uses: Option<i64>,
    pub uses: i64,
    /// False once it was withdrawn, has expired or is used up.
    pub wanted: bool,
    pub state: CodeState,
    /// How often the lock was told in vain.
    pub attempts: i64,
    /// When the lock is told again.
    pub next_attempt_at: Option<Timestamp>,
    /// Why it is not there, or not gone: what the lock said, or that it has expired.
    pub reason: String,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl AccessCode {
    /// It should be there or gone, and is not; nobody tries any more.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.attempts >= MAX_ATTEMPTS && self.wanted != (self.state == CodeState::Set)
    }
}

/// What a new code is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = NewAccessCode, example = json!({
    "name": "Plumber", "lock_id": "0199a0000000700080000000000000ab", "valid_until": "2026-11-22T18:00:00.000+00:00",
    "max_uses": 3
})))]
pub struct NewCode {
    /// 1 to 100 characters: whom or what it is for.
    pub name: String,
    /// The door it opens. Either this or `lock_id`.
    pub door_id: Option<DoorId>,
    /// The lock it opens.
    pub lock_id: Option<DeviceId>,
    pub person_id: Option<PersonId>,
    /// 4 to 8 digits; absent: six that Portico draws.
    #[cfg_attr(feature = "server", schema(pattern = "^[0-9]{4,8}$"))]
    pub code: Option<String>,
    /// Only for a door: its hours.
    pub schedule_id: Option<ScheduleId>,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    /// 1 to 10,000; absent: as often as one likes.
    #[cfg_attr(feature = "server", schema(minimum = 1, maximum = 10_000))]
    pub max_uses: Option<i64>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn course(wanted: bool, state: CodeState, attempts: i64, is_absent: bool) -> Course {
        Course { wanted, state, attempts, is_absent }
    }

    #[test]
    fn lock_is_told_what_it_lacks() {
        use CodeState::{Removing, Set, Setting, Unset};
        let table = [
            (course(true, Unset, 0, true), Some(CodeTask::Set)),
            (course(true, Unset, 4, false), Some(CodeTask::Set)),
            (course(true, Unset, MAX_ATTEMPTS, true), None),
            (course(true, Setting, 0, false), None),
            (course(true, Set, 0, false), None),
            (course(false, Set, 0, false), Some(CodeTask::Remove)),
            (course(false, Set, MAX_ATTEMPTS, false), None),
            (course(false, Removing, 0, false), None),
            (course(false, Unset, 0, true), None),
            // It did not answer when it was told: it may have the code.
            (course(false, Unset, 0, false), Some(CodeTask::Remove)),
        ];
        for (course, task) in table {
            assert_eq!(course.task(), task, "{course:?}");
        }
    }

    #[test]
    fn refused_code_is_not_there_and_unanswered_one_may_be() {
        let told = Course::begin().told(CodeTask::Set);
        let refused = told.ended(Attempt::Refused);
        assert_eq!(refused, course(true, CodeState::Unset, 1, true));
        assert!(refused.withdrawn().is_over());
        let silent = told.ended(Attempt::NoAnswer).withdrawn();
        assert!(!silent.is_over());
        assert_eq!(silent.task(), Some(CodeTask::Remove));
        let gone = silent.told(CodeTask::Remove).ended(Attempt::Done);
        assert!(gone.is_over());
    }

    #[test]
    fn code_that_cannot_be_removed_still_counts_as_set() {
        let set = Course::begin().told(CodeTask::Set).ended(Attempt::Done).withdrawn();
        let kept = set.told(CodeTask::Remove).ended(Attempt::Refused);
        assert_eq!(kept, course(false, CodeState::Set, 1, false));
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        assert_eq!([1, 2, 3, 99].map(pause_ms), [60_000, 120_000, 240_000, 3_600_000]);
        assert_eq!(pause_ms(-1), 60_000);
    }

    proptest! {
        /// Whatever is answered and asked for, attempts are bounded and the state says what the lock last said.
        #[test]
        fn attempts_are_bounded(steps in proptest::collection::vec(0_u8..5, 0..200)) {
            let mut course = Course::begin();
            let (mut told, mut has_it) = (0, false);
            for step in steps {
                match step {
                    0 | 1 => {
                        if let Some(task) = course.task() {
                            told += 1;
                            course = course.told(task);
                            let attempt = if step == 0 { Attempt::Done } else { Attempt::Refused };
                            if attempt == Attempt::Done { has_it = task == CodeTask::Set; told = 0; }
                            course = course.ended(attempt);
                        }
                    }
                    2 => { if let Some(task) = course.task() { told += 1; course = course.told(task).ended(Attempt::NoAnswer); } }
                    3 => { if course.wanted { told = 0; } course = course.withdrawn(); }
                    _ => course = course.ended(Attempt::Done),
                }
                prop_assert!(told <= MAX_ATTEMPTS);
                if course.state == CodeState::Set { prop_assert!(has_it || course.attempts > 0); }
                if course.is_over() { prop_assert!(!has_it); }
            }
        }
    }
}
