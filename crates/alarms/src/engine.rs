//! One alarm for one cause. Domains report in their own transactions what began and what ended; an alarm that comes back
//! shortly after it cleared is the same one. People are told when it begins, again while nobody acknowledges it, when it
//! escalates, and when it has been over for a while.

use portico_model::alarms::rule::Tell;
use portico_model::alarms::{Alarm, AlarmState, AlarmStepKind, Severity};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::notifications::{Audience, Notification};
use portico_model::{AlarmId, AlarmRuleId, OrganizationId, Timestamp, UserId};
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Error, Result, Tx};

use crate::Alarms;
use crate::store::{self, Row, Told};

/// An alarm must have been over for so long before people are told: what flaps does not ring every time.
pub(crate) const SETTLE_MS: i64 = 60_000;

/// Who did what nobody did.
pub(crate) const BY_ITSELF: &str = "system";

/// What an alarm is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `device`, …
    pub kind: &'static str,
    pub id: String,
    pub name: String,
}

/// Something is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Names the cause within the organisation: there is at most one open alarm of it.
    pub cause: String,
    /// What kind of thing happened, for programs.
    pub kind: &'static str,
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// One sentence.
    pub text: String,
    pub subject: Subject,
    /// Since when it is so.
    pub began_at: Timestamp,
    pub reach: Reach,
}

/// Whom an alarm concerns, and how insistently they are told. By default: everyone who watches alarms, once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The rule that wants it so.
    pub rule: Option<AlarmRuleId>,
    /// Sees and handles the alarm, whatever his role.
    pub owner: Option<UserId>,
    pub tell: Tell,
    /// Escalates when nobody acknowledges it for so long, seconds.
    pub escalate_after_s: Option<i64>,
    /// People are told again until somebody acknowledges it, seconds.
    pub repeat_every_s: Option<i64>,
}

/// An alarm that changed; to be announced after the commit.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "announce it after the commit"]
pub struct Change {
    pub(crate) organization: OrganizationId,
    pub(crate) owner: Option<UserId>,
    pub alarm: Alarm,
}

pub(crate) fn all(organization: OrganizationId) -> Channel {
    Channel::all(organization, "alarms")
}

pub(crate) fn owned(organization: OrganizationId, owner: UserId) -> Channel {
    Channel::owned(organization, "alarms", owner)
}

impl Alarms {
    /// Reports in the caller's transaction that something is wrong. `None`: that is known already.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn raise(&self, tx: &mut Tx, organization: OrganizationId, report: &Report) -> Result<Option<Change>> {
        let now = self.0.platform.clock.now();
        let same_within_ms = self.0.platform.config.alarms.same_within_s.saturating_mul(1_000);
        // Twice: another server may be the first to report the cause.
        for _ in 0..2 {
            let known = store::find_newest_of_cause(tx, organization, &report.cause).await?;
            let recent = known
                .filter(|row| row.alarm.cleared_at.is_none_or(|cleared| now.millis_since(cleared) <= same_within_ms));
            match recent {
                Some(row) if row.alarm.state.is_open() => return Ok(None),
                Some(row) => return self.raise_again(tx, row, report, now).await.map(Some),
                None => {
                    let row = Row::new(organization, report, now);
                    if store::insert(tx, &row, &report.cause).await? {
                        let note = row.alarm.text.clone();
                        store::add_step(tx, &row, AlarmStepKind::Raised, BY_ITSELF, &note, now).await?;
                        self.tell(tx, &row, "alarm.raised", &row.alarm.title, row.tell == Tell::Everyone).await?;
                        metrics::counter!("portico_alarms_raised_total", "severity" => report.severity.as_str())
                            .increment(1);
                        return Ok(Some(row.into_change()));
                    }
                }
            }
        }
        Err(Error::internal("an alarm can neither be found nor made"))
    }

    /// Within the settling time people were not told that it was over: for them it never was.
    async fn raise_again(&self, tx: &mut Tx, mut row: Row, report: &Report, now: Timestamp) -> Result<Change> {
        let was_over = row.told == Told::Cleared;
        let alarm = &mut row.alarm;
        alarm.times += 1;
        alarm.last_raised_at = now;
        alarm.began_at = report.began_at;
        alarm.text.clone_from(&report.text);
        alarm.severity = alarm.severity.max(report.severity);
        (alarm.cleared_at, alarm.cleared_by) = (None, None);
        if was_over {
            (alarm.acknowledged_at, alarm.acknowledged_by) = (None, None);
        }
        let is_acknowledged = alarm.acknowledged_at.is_some();
        alarm.state = if is_acknowledged { AlarmState::Acknowledged } else { AlarmState::Raised };
        let later = |seconds: Option<i64>| seconds.filter(|_| !is_acknowledged).map(|seconds| now.plus_secs(seconds));
        row.notify_at = later(row.repeat_every_s);
        row.escalate_at = later(row.escalate_after_s.filter(|_| row.alarm.escalated_at.is_none()));
        row.told = Told::Raised;
        store::update(tx, &row).await?;
        store::add_step(tx, &row, AlarmStepKind::RaisedAgain, BY_ITSELF, &row.alarm.text, now).await?;
        if was_over {
            self.tell(tx, &row, "alarm.raised", &row.alarm.title, row.tell == Tell::Everyone).await?;
        }
        Ok(row.into_change())
    }

    /// Reports in the caller's transaction that the cause has ended. `None`: there was no open alarm of it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn clear(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        cause: &str,
        note: &str,
    ) -> Result<Option<Change>> {
        match store::find_open_of_cause(tx, organization, cause).await? {
            Some(row) => self.end(tx, row, BY_ITSELF, note).await.map(Some),
            None => Ok(None),
        }
    }

    /// What the alarms were about is gone: ends all of them.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn clear_subject(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        kind: &str,
        id: &str,
        note: &str,
    ) -> Result<Vec<Change>> {
        let rows = store::list_open_of_subject(tx, organization, kind, id).await?;
        self.end_all(tx, rows, note).await
    }

    /// The rule that raised them is gone or another: ends all of them.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn clear_rule(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        rule: AlarmRuleId,
        note: &str,
    ) -> Result<Vec<Change>> {
        let rows = store::list_open_of_rule(tx, organization, rule).await?;
        self.end_all(tx, rows, note).await
    }

    /// What the alarms are about belongs to somebody else now: he sees them, the old owner no longer does.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn change_owner(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        kind: &str,
        id: &str,
        owner: UserId,
    ) -> Result<Vec<Change>> {
        store::change_owner(tx, organization, kind, id, owner).await?;
        let rows = store::list_open_of_subject(tx, organization, kind, id).await?;
        Ok(rows.into_iter().map(Row::into_change).collect())
    }

    async fn end_all(&self, tx: &mut Tx, rows: Vec<Row>, note: &str) -> Result<Vec<Change>> {
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            changes.push(self.end(tx, row, BY_ITSELF, note).await?);
        }
        Ok(changes)
    }

    /// Ends an open alarm.
    pub(crate) async fn end(&self, tx: &mut Tx, mut row: Row, by: &str, note: &str) -> Result<Change> {
        let now = self.0.platform.clock.now();
        row.alarm.state = AlarmState::Cleared;
        row.alarm.cleared_at = Some(now);
        row.alarm.cleared_by = Some(by.to_owned());
        row.escalate_at = None;
        row.notify_at = Some(now.plus_millis(SETTLE_MS));
        store::update(tx, &row).await?;
        store::add_step(tx, &row, AlarmStepKind::Cleared, by, note, now).await?;
        Ok(row.into_change())
    }

    /// Puts messages to those whom the alarm concerns into the transaction.
    pub(crate) async fn tell(&self, tx: &mut Tx, row: &Row, kind: &str, title: &str, everyone: bool) -> Result<()> {
        let alarm = &row.alarm;
        let notification = Notification {
            kind: kind.to_owned(),
            severity: alarm.severity,
            title: format!("{title}: {}", alarm.subject_name),
            body: alarm.text.clone(),
            link: format!("/alarms/{}", alarm.id),
            tag: format!("alarm:{}", alarm.id),
        };
        let audience = match (row.owner_id, everyone) {
            (Some(owner), true) => Audience::Both(vec![owner], Permission::ReadAllAlarms),
            (Some(owner), false) => Audience::Users(vec![owner]),
            (None, _) => Audience::Permitted(Permission::ReadAllAlarms),
        };
        // In one call: webhooks are told once a call.
        self.0.notifications.notify(tx, row.organization_id, &notification, &audience).await
    }

    /// Shows the changes to everyone who watches, and sends what they made to be sent. After the commit.
    pub fn announce(&self, changes: impl IntoIterator<Item = Change>) {
        let mut any = false;
        for change in changes {
            any = true;
            let mut channels = vec![all(change.organization)];
            channels.extend(change.owner.map(|owner| owned(change.organization, owner)));
            self.0.platform.hub.publish(Publication {
                channels,
                event: Event::AlarmChanged { alarm: change.alarm },
                delivery: Delivery::Every,
            });
        }
        if any {
            self.0.platform.deliveries.wake();
        }
    }
}

impl Row {
    fn new(organization: OrganizationId, report: &Report, now: Timestamp) -> Self {
        let later = |seconds: Option<i64>| seconds.map(|seconds| now.plus_secs(seconds));
        Self {
            organization_id: organization,
            owner_id: report.reach.owner,
            tell: report.reach.tell,
            escalate_after_s: report.reach.escalate_after_s,
            repeat_every_s: report.reach.repeat_every_s,
            told: Told::Raised,
            notify_at: later(report.reach.repeat_every_s),
            escalate_at: later(report.reach.escalate_after_s),
            alarm: Alarm {
                id: AlarmId::generate(),
                kind: report.kind.to_owned(),
                severity: report.severity,
                state: AlarmState::Raised,
                title: report.title.clone(),
                text: report.text.clone(),
                subject_kind: report.subject.kind.to_owned(),
                subject_id: report.subject.id.clone(),
                subject_name: report.subject.name.clone(),
                rule_id: report.reach.rule,
                began_at: report.began_at,
                raised_at: now,
                last_raised_at: now,
                times: 1,
                escalated_at: None,
                acknowledged_at: None,
                acknowledged_by: None,
                cleared_at: None,
                cleared_by: None,
            },
        }
    }

    pub(crate) fn into_change(self) -> Change {
        Change { organization: self.organization_id, owner: self.owner_id, alarm: self.alarm }
    }
}
