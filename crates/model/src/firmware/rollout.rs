//! The distribution of an image: to whom, how fast, and when to stop.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::telemetry::PayloadProblem;
use crate::{CommandId, DeviceId, FieldError, FirmwareId, GroupId, RolloutId, Timestamp};

/// How far a roll-out has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum RolloutState {
    Running,
    /// A person holds it; devices that have begun go on.
    Paused,
    /// Too many failed: it waits for a person.
    Stopped,
    /// Ended by a person.
    Aborted,
    /// Every device has finished.
    Finished,
}

impl RolloutState {
    pub const ALL: [Self; 5] = [Self::Running, Self::Paused, Self::Stopped, Self::Aborted, Self::Finished];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Aborted => "aborted",
            Self::Finished => "finished",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Nothing changes it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Aborted | Self::Finished)
    }
}

/// How far one device has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum UpdateState {
    /// Its turn has not come, or it is away.
    Pending,
    /// Told of the image.
    Notified,
    Downloading,
    /// It checks the image, installs it and restarts; done when it reports the new version.
    Verifying,
    /// Its own heartbeat names the new version.
    Installed,
    Failed,
    /// The new version did not work and the device went back to the old one.
    RolledBack,
}

impl UpdateState {
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Notified,
        Self::Downloading,
        Self::Verifying,
        Self::Installed,
        Self::Failed,
        Self::RolledBack,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Notified => "notified",
            Self::Downloading => "downloading",
            Self::Verifying => "verifying",
            Self::Installed => "installed",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Installed | Self::Failed | Self::RolledBack)
    }

    /// The state after the device's report; `None` when that changes nothing. A device that begins the download anew
    /// (after a power cut) goes back to it.
    #[must_use]
    pub const fn after(self, reported: Self) -> Option<Self> {
        match (self, reported) {
            (Self::Notified | Self::Downloading | Self::Verifying, Self::Downloading) => Some(Self::Downloading),
            (Self::Notified | Self::Downloading | Self::Verifying, Self::Verifying) => Some(Self::Verifying),
            (Self::Notified | Self::Downloading | Self::Verifying, Self::Failed) => Some(Self::Failed),
            (Self::Notified | Self::Downloading | Self::Verifying, Self::RolledBack) => Some(Self::RolledBack),
            _ => None,
        }
    }
}

/// Which devices get an image; only those of its type that are in use, whichever way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Selection {
    /// Every device of the image's type.
    Type,
    Group {
        group_id: GroupId,
    },
    Devices {
        device_ids: Vec<DeviceId>,
    },
}

/// Most devices named one by one.
pub const MAX_LISTED: usize = 1_000;

/// A roll-out to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "firmware_id": "0199a0000000700080000000000000f1", "selection": {"kind": "type"}, "stages": [5, 25, 100],
    "per_minute": 20, "at_once": 10, "max_failed_percent": 10, "force": false, "timeout_s": 3600
})))]
pub struct NewRollout {
    pub firmware_id: FirmwareId,
    pub selection: Selection,
    /// Growing percentages of the devices, the last 100; the next stage begins when one is done. Absent: `[10, 100]`.
    #[serde(default)]
    pub stages: Option<Vec<i64>>,
    /// Devices told in a minute, 1 to 10,000; absent: 60.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(minimum = 1, maximum = 10_000))]
    pub per_minute: Option<i64>,
    /// Devices at work at a time, 1 to 10,000; absent: 20.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(minimum = 1, maximum = 10_000))]
    pub at_once: Option<i64>,
    /// Stops when more of the devices of the stages begun have failed, percent; absent: 10. 0 stops at the first.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(minimum = 0, maximum = 100))]
    pub max_failed_percent: Option<i64>,
    /// Also to devices with a newer version; else they are left out.
    #[serde(default)]
    pub force: bool,
    /// How long a device may take, from when it is told to its first heartbeat with the new version, seconds; 60 to
    /// 604,800, absent: 3,600.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(minimum = 60, maximum = 604_800))]
    pub timeout_s: Option<i64>,
}

/// A roll-out as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000e1", "firmware_id": "0199a0000000700080000000000000f1",
    "device_type": "thermometer", "version": "1.4.0", "state": "running", "selection": {"kind": "type"},
    "stages": [5, 25, 100], "stage": 0, "per_minute": 20, "at_once": 10, "max_failed_percent": 10, "force": false,
    "timeout_s": 3600, "reason": "", "created_by": "ada", "created_at": "2026-11-21T02:00:00.000+00:00",
    "finished_at": null,
    "counts": {"pending": 38, "notified": 1, "downloading": 1, "verifying": 0, "installed": 0, "failed": 0, "rolled_back": 0}
})))]
pub struct Rollout {
    pub id: RolloutId,
    pub firmware_id: FirmwareId,
    pub device_type: String,
    pub version: String,
    pub state: RolloutState,
    pub selection: Selection,
    pub stages: Vec<i64>,
    /// The stage that is under way, from 0.
    pub stage: i64,
    pub per_minute: i64,
    pub at_once: i64,
    pub max_failed_percent: i64,
    pub force: bool,
    pub timeout_s: i64,
    /// Why it was stopped; else empty.
    pub reason: String,
    pub created_by: String,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub counts: RolloutCounts,
}

/// How many devices are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct RolloutCounts {
    pub pending: i64,
    pub notified: i64,
    pub downloading: i64,
    pub verifying: i64,
    pub installed: i64,
    pub failed: i64,
    pub rolled_back: i64,
}

impl RolloutCounts {
    /// Adds devices in a state.
    pub const fn add(&mut self, state: UpdateState, count: i64) {
        match state {
            UpdateState::Pending => self.pending += count,
            UpdateState::Notified => self.notified += count,
            UpdateState::Downloading => self.downloading += count,
            UpdateState::Verifying => self.verifying += count,
            UpdateState::Installed => self.installed += count,
            UpdateState::Failed => self.failed += count,
            UpdateState::RolledBack => self.rolled_back += count,
        }
    }

    #[must_use]
    pub const fn total(&self) -> i64 {
        self.pending + self.active() + self.installed + self.failed + self.rolled_back
    }

    /// Told and not finished.
    #[must_use]
    pub const fn active(&self) -> i64 {
        self.notified + self.downloading + self.verifying
    }
}

/// One device of a roll-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "device_id": "0199a0000000700080000000000000ab", "device_name": "Lobby", "state": "downloading", "stage": 0,
    "progress": 40, "error": "", "from_version": "1.3.2", "command_id": "0199a0000000700080000000000000c1",
    "notified_at": "2026-11-21T02:00:00.000+00:00", "updated_at": "2026-11-21T02:00:05.000+00:00"
})))]
pub struct DeviceUpdate {
    pub device_id: DeviceId,
    pub device_name: String,
    pub state: UpdateState,
    /// The stage it belongs to, from 0.
    pub stage: i64,
    /// Of the download, percent.
    pub progress: i64,
    /// Why it failed, in the device's words; else empty.
    pub error: String,
    /// What it ran when the roll-out began.
    pub from_version: String,
    pub command_id: Option<CommandId>,
    pub notified_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

impl NewRollout {
    /// With its defaults in place.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn checked(mut self) -> Result<Self, Vec<FieldError>> {
        let mut problems = Vec::new();
        let stages = self.stages.take().unwrap_or_else(|| vec![10, 100]);
        let grows = stages.windows(2).all(|pair| pair[0] < pair[1]);
        let first_is_good = stages.first().is_some_and(|first| *first >= 1);
        if !(grows && first_is_good && stages.last() == Some(&100) && stages.len() <= 10) {
            problems.push(FieldError::new("stages", "1 to 10 growing percentages, the last 100"));
        }
        let mut number = |name: &'static str, given: Option<i64>, default: i64, least: i64, most: i64| {
            let number = given.unwrap_or(default);
            if !(least..=most).contains(&number) {
                problems.push(FieldError::new(name, format!("{least} to {most}")));
            }
            Some(number)
        };
        self.per_minute = number("per_minute", self.per_minute, 60, 1, 10_000);
        self.at_once = number("at_once", self.at_once, 20, 1, 10_000);
        self.max_failed_percent = number("max_failed_percent", self.max_failed_percent, 10, 0, 100);
        self.timeout_s = number("timeout_s", self.timeout_s, 3_600, 60, 604_800);
        self.stages = Some(stages);
        if let Selection::Devices { device_ids } = &self.selection
            && !(1..=MAX_LISTED).contains(&device_ids.len())
        {
            problems.push(FieldError::new("selection", format!("1 to {MAX_LISTED} devices")));
        }
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }
}

/// The stage of the device that is `index`th (from 0) of `total`: the first whose share reaches beyond it. Every stage
/// has at least one device where there are enough.
#[must_use]
pub fn stage_of(index: usize, total: usize, stages: &[i64]) -> i64 {
    let reaches = |percent: &i64| {
        let percent = usize::try_from(*percent).unwrap_or(100);
        index < (total * percent).div_ceil(100)
    };
    let stage = stages.iter().position(reaches).unwrap_or_else(|| stages.len().saturating_sub(1));
    i64::try_from(stage).unwrap_or_default()
}

/// Where a running roll-out stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Devices of the stages begun.
    pub devices: i64,
    /// Devices of later stages that have not finished.
    pub later: i64,
    /// Failed or rolled back, without those a person has seen and gone on.
    pub failed: i64,
    pub installed: i64,
    pub active: i64,
    /// Of the stages begun, not told yet, and there.
    pub waiting: i64,
    /// Of the stages begun, not told yet, and away.
    pub away: i64,
    pub told_last_minute: i64,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Too many have failed.
    Stop,
    NextStage,
    Finish,
    /// Tell so many more.
    Tell(i64),
    Wait,
}

/// What a running roll-out does next. A stage is done when all its devices that are there have finished; while none has
/// been installed, devices that are away hold it up: nothing is known of the image then.
#[must_use]
pub const fn decide(at_once: i64, per_minute: i64, max_failed_percent: i64, facts: &Facts) -> Decision {
    if facts.failed * 100 > max_failed_percent * facts.devices {
        return Decision::Stop;
    }
    if facts.waiting == 0 && facts.active == 0 {
        if facts.later > 0 && (facts.away == 0 || facts.installed > 0) {
            return Decision::NextStage;
        }
        return if facts.later == 0 && facts.away == 0 { Decision::Finish } else { Decision::Wait };
    }
    let room = at_once - facts.active;
    let pace = per_minute - facts.told_last_minute;
    let mut tell = if room < pace { room } else { pace };
    if facts.waiting < tell {
        tell = facts.waiting;
    }
    if tell > 0 { Decision::Tell(tell) } else { Decision::Wait }
}

/// What a device says of its update on `devices/{id}/event`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateReport {
    pub command: CommandId,
    pub state: UpdateState,
    /// Percent.
    pub progress: i64,
    pub error: String,
}

/// Largest event of a device, bytes.
const MAX_EVENT_BYTES: usize = 8 * 1024;

/// Reads `{"type": "firmware", "command_id", "state": "downloading"|"verifying"|"failed"|"rolled_back", "progress"?,
/// "error"?}`. An event of another type is `None`: it is none of firmware's.
///
/// # Errors
/// What is wrong with it.
pub fn parse_update_report(bytes: &[u8]) -> Result<Option<UpdateReport>, PayloadProblem> {
    if bytes.len() > MAX_EVENT_BYTES {
        let message = format!("{} bytes sent, {MAX_EVENT_BYTES} allowed", bytes.len());
        return Err(PayloadProblem::new("payload_too_large", message));
    }
    let json: Value =
        serde_json::from_slice(bytes).map_err(|error| PayloadProblem::new("not_json", format!("not JSON: {error}")))?;
    if json.get("type").and_then(Value::as_str) != Some("firmware") {
        return Ok(None);
    }
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let command = text("command_id")
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| PayloadProblem::new("bad_event", "`command_id` must be the id of a command"))?;
    let state = text("state")
        .and_then(UpdateState::parse)
        .filter(|state| !matches!(state, UpdateState::Pending | UpdateState::Notified | UpdateState::Installed))
        .ok_or_else(|| {
            PayloadProblem::new("bad_event", "`state` must be downloading, verifying, failed or rolled_back")
        })?;
    let progress = json.get("progress").and_then(Value::as_i64).unwrap_or(0).clamp(0, 100);
    let error = text("error").unwrap_or_default();
    let error = error.chars().filter(|letter| !letter.is_control()).take(500).collect();
    Ok(Some(UpdateReport { command, state, progress, error }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn new() -> NewRollout {
        NewRollout {
            firmware_id: "0193a0000000700080000000000000ab".parse().unwrap(),
            selection: Selection::Type,
            stages: None,
            per_minute: None,
            at_once: None,
            max_failed_percent: None,
            force: false,
            timeout_s: None,
        }
    }

    #[test]
    fn every_mistake_in_a_rollout_is_told_at_once() {
        for stages in
            [vec![], vec![10], vec![0, 100], vec![50, 50, 100], vec![100, 50], (1..=10).chain([100]).collect()]
        {
            let error = NewRollout { stages: Some(stages), ..new() }.checked().unwrap_err();
            assert_eq!(error[0].field, "stages");
        }
        let bad = NewRollout {
            per_minute: Some(0),
            at_once: Some(0),
            max_failed_percent: Some(101),
            timeout_s: Some(1),
            selection: Selection::Devices { device_ids: Vec::new() },
            ..new()
        };
        let fields: Vec<_> = bad.checked().unwrap_err().into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["per_minute", "at_once", "max_failed_percent", "timeout_s", "selection"]);
        let good = new().checked().unwrap();
        assert_eq!((good.stages, good.per_minute, good.at_once), (Some(vec![10, 100]), Some(60), Some(20)));
    }

    #[test]
    fn stages_take_their_share_and_at_least_one() {
        let stages = |total| (0..total).map(|index| stage_of(index, total, &[5, 25, 100])).collect::<Vec<_>>();
        assert_eq!(stages(4), [0, 2, 2, 2], "5 % of 4 is one; 25 % is that same one");
        assert_eq!(stages(8), [0, 1, 2, 2, 2, 2, 2, 2]);
        let hundred = stages(100);
        let count = |stage| hundred.iter().filter(|of| **of == stage).count();
        assert_eq!((count(0), count(1), count(2)), (5, 20, 75));
    }

    #[test]
    fn decisions() {
        let facts = Facts { devices: 10, later: 90, waiting: 10, ..Facts::default() };
        for (why, facts, decision) in [
            ("as many as may be at work", facts, Decision::Tell(5)),
            ("room", Facts { active: 3, waiting: 7, ..facts }, Decision::Tell(2)),
            ("no room", Facts { active: 5, waiting: 5, ..facts }, Decision::Wait),
            ("pace", Facts { told_last_minute: 7, ..facts }, Decision::Tell(1)),
            ("pace is used up", Facts { told_last_minute: 8, ..facts }, Decision::Wait),
            ("20 % failed", Facts { failed: 2, waiting: 1, ..facts }, Decision::Tell(1)),
            ("30 % failed", Facts { failed: 3, ..facts }, Decision::Stop),
            ("stage done", Facts { waiting: 0, installed: 10, ..facts }, Decision::NextStage),
            ("the rest is away", Facts { waiting: 0, installed: 1, away: 9, ..facts }, Decision::NextStage),
            ("all are away", Facts { waiting: 0, away: 10, ..facts }, Decision::Wait),
            ("last are at work", Facts { waiting: 0, active: 1, installed: 9, ..facts }, Decision::Wait),
            ("all done", Facts { waiting: 0, later: 0, installed: 10, ..facts }, Decision::Finish),
            ("one is away", Facts { waiting: 0, later: 0, installed: 9, away: 1, ..facts }, Decision::Wait),
        ] {
            assert_eq!(decide(5, 8, 20, &facts), decision, "{why}");
        }
        let one_failed = Facts { devices: 100, failed: 1, ..Facts::default() };
        assert_eq!(decide(5, 8, 0, &one_failed), Decision::Stop, "0 stops at the first");
    }

    #[test]
    fn reports_move_a_device_that_was_told_and_no_other() {
        use UpdateState as S;
        for (before, reported, after) in [
            (S::Notified, S::Downloading, Some(S::Downloading)),
            (S::Verifying, S::Downloading, Some(S::Downloading)),
            (S::Downloading, S::Verifying, Some(S::Verifying)),
            (S::Verifying, S::RolledBack, Some(S::RolledBack)),
            (S::Downloading, S::Failed, Some(S::Failed)),
            (S::Pending, S::Downloading, None),
            (S::Installed, S::RolledBack, None),
            (S::Failed, S::Downloading, None),
            (S::Downloading, S::Installed, None),
        ] {
            assert_eq!(before.after(reported), after, "{before:?} {reported:?}");
        }
    }

    #[test]
    fn only_firmware_events_are_read_and_only_what_a_device_can_know() {
        let id = "0193a0000000700080000000000000ab";
        let event = |rest: &str| format!(r#"{{"type":"firmware","command_id":"{id}",{rest}}}"#);
        let report = parse_update_report(event(r#""state":"downloading","progress":140"#).as_bytes()).unwrap().unwrap();
        assert_eq!((report.state, report.progress), (UpdateState::Downloading, 100));
        assert_eq!(parse_update_report(br#"{"type":"card","uid":"04"}"#), Ok(None));
        for payload in [
            "x".to_owned(),
            event(r#""state":"installed""#),
            event(r#""state":"great""#),
            r#"{"type":"firmware"}"#.to_owned(),
        ] {
            assert!(parse_update_report(payload.as_bytes()).is_err(), "{payload}");
        }
    }

    proptest! {
        #[test]
        fn never_more_than_allowed_are_told(
            at_once in 1_i64..50, per_minute in 1_i64..50, active in 0_i64..60, told in 0_i64..60, waiting in 0_i64..60,
        ) {
            let facts = Facts { devices: 100, active, told_last_minute: told, waiting, ..Facts::default() };
            if let Decision::Tell(count) = decide(at_once, per_minute, 100, &facts) {
                prop_assert!(count >= 1 && count + active <= at_once && count + told <= per_minute && count <= waiting);
            }
        }
    }
}
