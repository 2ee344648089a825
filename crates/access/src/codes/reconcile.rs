//! A lock is told of its codes until it has said that it knows, within bounds; and codes come to their end.

use std::time::Duration;

use portico_devices::Known;
use portico_model::access::code::{ATTEMPT_S, Attempt, CodeTask, pause_ms};
use portico_model::commands::{Command, CommandState, NewCommand};
use portico_model::telemetry::PayloadProblem;
use portico_model::{AccessCodeId, ErrorKind, OrganizationId, Timestamp};
use portico_platform::secrets::hex;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Changed, store};
use crate::{Access, sync};

/// How often it is looked what is due.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Codes that one round takes.
const ROUND: i64 = 100;

/// How long a code that is over is still listed, seconds.
const KEPT_S: i64 = 30 * 86_400;

/// Longest reason kept, characters.
const MAX_REASON: usize = 200;

/// Begins to look after codes.
pub(crate) fn spawn(access: &Access) {
    let codes = access.clone();
    // Without a lease: a code that is due is taken by one server only.
    access.0.platform.tasks.spawn("access codes", move |cancel| look(codes.clone(), cancel));
}

async fn look(access: Access, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = access.0.code_work.notified() => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = access.reconcile_codes().await {
            tracing::warn!(error = %error, "codes not reconciled; trying again");
        }
    }
}

impl Access {
    /// Tells locks what is due, and takes codes out of use whose time is over. Called by a task; tests call it themselves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reconcile_codes(&self) -> Result<()> {
        let now = self.now();
        let mut tx = self.0.platform.db.read().await?;
        let ended = store::ended(&mut tx, now, ROUND).await?;
        let due = store::due(&mut tx, now, ROUND).await?;
        drop(tx);
        for (organization, id) in ended {
            self.end_due_code(organization, id).await?;
        }
        for (organization, id) in due {
            self.tell_due_code(organization, id).await?;
        }
        let mut tx = self.0.platform.db.begin().await?;
        store::delete_over(&mut tx, now.plus_secs(-KEPT_S)).await?;
        tx.commit().await
    }

    async fn end_due_code(&self, organization: OrganizationId, id: AccessCodeId) -> Result<()> {
        let now = self.now();
        let mut tx = self.0.platform.db.begin().await?;
        let Some(row) = store::lock(&mut tx, organization, id).await? else { return Ok(()) };
        let has_expired = row.code.valid_until.is_some_and(|until| until <= now);
        let is_used_up = row.code.max_uses.is_some_and(|most| row.code.uses >= most);
        if !row.course.wanted || !(has_expired || is_used_up) {
            return Ok(());
        }
        let reason = if is_used_up { "Used as often as it may be" } else { "Expired" };
        let changed = self.end_code(&mut tx, organization, row, reason).await?;
        tx.commit().await?;
        self.announce_code(changed);
        Ok(())
    }

    async fn tell_due_code(&self, organization: OrganizationId, id: AccessCodeId) -> Result<()> {
        let mut tx = self.0.platform.db.begin().await?;
        let Some(row) = store::lock(&mut tx, organization, id).await? else { return Ok(()) };
        // Another server was faster.
        if row.code.next_attempt_at.is_none_or(|at| at > self.now()) {
            return Ok(());
        }
        let changed = self.advance(&mut tx, organization, row).await?;
        tx.commit().await?;
        self.announce_code(changed);
        Ok(())
    }

    /// Tells the lock what it is to do now, if anything, and stores the code.
    pub(super) async fn advance(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        mut row: store::Row,
    ) -> Result<Changed> {
        let now = self.now();
        let mut step = None;
        row.code.next_attempt_at = None;
        if let (Some(task), Some(lock)) = (row.course.task(), row.code.lock_id) {
            let command = NewCommand {
                name: task.as_str().to_owned(),
                args: Some(self.args(&row, task)?),
                expires_in_s: Some(self.patience(&row, task)),
            };
            match self.0.devices.issue_in(tx, &Actor::system(organization), lock, command).await {
                Ok(issued) => {
                    row.course = row.course.told(task);
                    row.command = Some(issued.command.id);
                    step = Some(issued);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                    row.course = row.course.told(task);
                    Self::attempt_ended(&mut row, Attempt::NoAnswer, error.message(), now);
                }
                Err(error) => return Err(error),
            }
        }
        self.store(tx, organization, row, step).await
    }

    async fn store(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        mut row: store::Row,
        step: Option<portico_devices::CommandStep>,
    ) -> Result<Changed> {
        row.code.updated_at = self.now();
        row.code.wanted = row.course.wanted;
        row.code.state = row.course.state;
        row.code.attempts = row.course.attempts;
        store::update(tx, organization, &row).await?;
        Ok(Changed { command: step, ..Changed::new(organization, row) })
    }

    /// What the lock is told. Not the digits: it compares their keyed hash, so that they stand in no command's history.
    fn args(&self, row: &store::Row, task: CodeTask) -> Result<Value> {
        let code = &row.code;
        if task == CodeTask::Remove {
            return Ok(json!({ "code_id": code.id }));
        }
        let digits = super::open(&self.0.platform, code.id, &row.sealed)?;
        let lock = code.lock_id.ok_or_else(|| Error::internal("a door's code is told to nobody"))?;
        let lookup = sync::lookup(&sync::lookup_key(&self.0.platform, lock), "code", &digits);
        Ok(json!({
            "code_id": code.id,
            "lookup": hex(&lookup),
            "digits": code.digits,
            "valid_from": code.valid_from.map(Timestamp::millis),
            "valid_until": code.valid_until.map(Timestamp::millis),
            "uses_left": code.max_uses.map(|most| (most - code.uses).max(0)),
        }))
    }

    /// How long an attempt waits, seconds: no longer than the code itself is good for.
    fn patience(&self, row: &store::Row, task: CodeTask) -> i64 {
        let until = row.code.valid_until.filter(|_| task == CodeTask::Set);
        until.map_or(ATTEMPT_S, |until| (until.millis_since(self.now()) / 1_000).clamp(1, ATTEMPT_S))
    }

    fn attempt_ended(row: &mut store::Row, attempt: Attempt, reason: &str, now: Timestamp) {
        row.course = row.course.ended(attempt);
        row.command = None;
        if attempt == Attempt::Done {
            // Why it was taken out of use stays.
            if row.course.wanted {
                row.code.reason.clear();
            }
        } else if row.course.attempts > 0 {
            row.code.reason = reason.chars().take(MAX_REASON).collect();
        }
        let pause = if row.course.attempts == 0 { 0 } else { pause_ms(row.course.attempts) };
        row.code.next_attempt_at = row.course.task().map(|_| now.plus_millis(pause));
    }

    /// A command to a lock is over: was it about a code?
    pub(crate) async fn code_command_finished(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        command: &Command,
    ) -> Result<Option<Changed>> {
        if CodeTask::parse(&command.name).is_none() {
            return Ok(None);
        }
        let Some(id) = store::of_command(tx, organization, command.id).await? else { return Ok(None) };
        let Some(mut row) = store::lock(tx, organization, id).await? else { return Ok(None) };
        if row.command != Some(command.id) {
            return Ok(None);
        }
        let (attempt, reason) = match command.state {
            CommandState::Acknowledged => (Attempt::Done, ""),
            CommandState::Failed if command.error.is_empty() => (Attempt::Refused, "The lock refused without a reason"),
            CommandState::Failed => (Attempt::Refused, command.error.as_str()),
            CommandState::Cancelled => (Attempt::NoAnswer, "The command was cancelled"),
            _ => (Attempt::NoAnswer, "The lock did not answer in time"),
        };
        Self::attempt_ended(&mut row, attempt, reason, self.now());
        self.store(tx, organization, row, None).await.map(Some)
    }

    /// Tells of it after the commit; what is due next is done soon.
    pub(crate) fn announce_code_and_go_on(&self, changed: Changed) {
        self.announce_code(changed);
        self.0.code_work.notify_one();
    }

    /// A lock says that somebody came in with a code: `{"type": "code_used", "code_id", "seq"?, "ts"?}`. With a `seq` a
    /// message that comes twice counts once.
    pub(crate) async fn take_code_used(
        &self,
        device: &Known,
        body: &Value,
        at: Timestamp,
    ) -> Result<Result<bool, PayloadProblem>> {
        let wrong = |message: &str| Ok(Err(PayloadProblem::new("bad_event", message)));
        let Some(id) = body.get("code_id").and_then(Value::as_str).and_then(|id| id.parse().ok()) else {
            return wrong("`code_id` must be the id of a code");
        };
        let seq = match body.get("seq") {
            None | Some(Value::Null) => None,
            Some(seq) => match seq.as_i64().filter(|seq| *seq > 0) {
                Some(seq) => Some(seq),
                None => return wrong("`seq` must be a number from 1"),
            },
        };
        let when = body.get("ts").and_then(Value::as_i64).map_or(at, Timestamp::from_millis).min(at);
        let organization = device.organization;
        let mut tx = self.0.platform.db.begin().await?;
        let row = store::lock(&mut tx, organization, id).await?;
        let Some(row) = row.filter(|row| row.code.lock_id == Some(device.id)) else {
            return wrong("this lock has no such code");
        };
        let event = super::log_use(&row.code, device.id, when, at);
        let Some(logged) = self.append_event(&mut tx, organization, event, "", seq).await? else {
            return Ok(Ok(true));
        };
        store::count_use_by_lock(&mut tx, organization, id, self.now()).await?;
        let row = store::find(&mut tx, organization, id).await?.ok_or_else(super::not_found)?;
        tx.commit().await?;
        self.announce_event(logged);
        self.announce_code_and_go_on(Changed::new(organization, row));
        Ok(Ok(true))
    }
}
