//! Commands: issued by people (and roll-outs), sent when the device is there, sent again until it answers, finished by
//! its own word or by their expiry.

use std::sync::Arc;

use portico_model::audit::AuditRecord;
use portico_model::commands::{Ack, AckResult, Command, CommandState, NewCommand, parse_ack};
use portico_model::devices::{Connection, Device, DeviceStatus};
use portico_model::live::Event;
use portico_model::telemetry::PayloadProblem;
use portico_model::{CommandId, DeviceId, OrganizationId, Page, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::hub::{Delivery, Publication};
use portico_platform::mqtt::TopicKind;
use portico_platform::outbox::MqttMessage;
use portico_platform::{Actor, Error, Principal, Result, Tx};
use serde_json::{Map, Value, json};

use crate::signing::Proof;
use crate::store::command::{self as store, Due};
use crate::{AfterCommit, Devices, Known, channel};

/// Commands of one device that may wait at a time.
const MAX_OPEN: i64 = 100;

/// Most commands on a page.
pub const MAX_PAGE: i64 = 200;

/// Commands that one round of the job takes; the next round follows at once.
const ROUND: i64 = 200;

/// Until the second attempt, milliseconds; doubled each time. A message can be lost between broker and device: with
/// QoS 0 no broker keeps it for later, when it would be late.
const FIRST_REPEAT_MS: i64 = 5_000;
const LONGEST_REPEAT_MS: i64 = 60_000;

/// A command that came further, to be told after the commit.
#[must_use = "announce it after the commit"]
pub struct Step {
    pub command: Command,
    pub(crate) record: Option<AuditRecord>,
    pub(crate) after: Vec<AfterCommit>,
}

fn not_found() -> Error {
    Error::not_found("command_not_found", "Command not found")
}

impl Devices {
    /// Has a device do something. It is sent at once when the device is there, or when it returns before the expiry.
    /// Needs to be the device's owner or `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found, forbidden, invalid fields; conflict when the device is not in use or has too many commands waiting.
    pub async fn send_command(&self, actor: &Actor, device: DeviceId, new: NewCommand) -> Result<Command> {
        let new = new.checked().map_err(Error::fields)?;
        let mut tx = self.0.platform.db.begin().await?;
        let device = self.find_changeable(&mut tx, actor, device).await?;
        self.0.observers.may_command(&mut tx, &device, actor.organization, &new.0).await?;
        let step = self.issue_command(&mut tx, actor, &device, new).await?;
        tx.commit().await?;
        Ok(self.announce_command(actor.organization, step))
    }

    /// As [`Devices::send_command`], in the caller's transaction, which has made sure that the actor may do so. Announce
    /// the step after the commit.
    ///
    /// # Errors
    /// Not found, invalid fields; conflict when the device is not in use or has too many commands waiting.
    pub async fn issue_in(&self, tx: &mut Tx, actor: &Actor, device: DeviceId, new: NewCommand) -> Result<Step> {
        let new = new.checked().map_err(Error::fields)?;
        let device = self.find_in(tx, actor.organization, device).await?;
        self.issue_command(tx, actor, &device, new).await
    }

    /// Withdraws a command that still waits for its device, in the caller's transaction, which has made sure that the actor
    /// may do so. `None`: it was sent already, or is not there. Announce the step after the commit.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn withdraw_in(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        device: DeviceId,
        command: CommandId,
    ) -> Result<Option<Step>> {
        let found = store::lock(tx, actor.organization, device, command).await?;
        let Some(command) = found.filter(|command| command.state == CommandState::Queued) else { return Ok(None) };
        let entry = Entry::success("command.cancelled");
        self.finish(tx, actor, command, CommandState::Cancelled, entry).await.map(Some)
    }

    /// As [`Devices::send_command`], in the caller's transaction and for a device that he may command.
    pub(crate) async fn issue_command(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        device: &Device,
        (name, args, expires_in_s): (String, Value, i64),
    ) -> Result<Step> {
        if device.status != DeviceStatus::Active {
            return Err(Error::conflict("device_not_active", "Only an active device takes commands."));
        }
        let organization = actor.organization;
        let connection = store::lock_connection(tx, organization, device.id).await?.ok_or_else(not_found)?;
        let counter = store::next_counter(tx, organization, device.id).await?;
        if store::count_open(tx, organization, device.id).await? >= MAX_OPEN {
            let message = format!("{MAX_OPEN} commands of this device wait already.");
            return Err(Error::conflict("too_many_commands", message));
        }
        let now = self.now();
        let mut command = Command {
            id: CommandId::generate(),
            device_id: device.id,
            name,
            args,
            state: CommandState::Queued,
            counter,
            issued_by: actor.label(),
            issued_at: now,
            expires_at: now.plus_secs(expires_in_s),
            sent_at: None,
            delivered_at: None,
            finished_at: None,
            attempts: 0,
            error: String::new(),
            response: Value::Object(Map::new()),
        };
        let mut next_attempt_at = None;
        if connection == Connection::Online {
            next_attempt_at = Some(self.hand_over(tx, organization, &mut command).await?);
        }
        store::insert(tx, organization, &command, next_attempt_at).await?;
        let entry = Entry::success("command.issued").target("command", command.id);
        let details = json!({"device": device.id, "name": command.name, "counter": counter});
        let record = self.0.platform.audit.append(tx, actor, entry.details(details)).await?;
        Ok(Step { command, record: Some(record), after: Vec::new() })
    }

    /// Puts the command into the outbox; when it is to be sent again, should the device not answer.
    async fn hand_over(&self, tx: &mut Tx, organization: OrganizationId, command: &mut Command) -> Result<Timestamp> {
        let now = self.now();
        let doublings = u32::try_from(command.attempts.min(8)).unwrap_or_default();
        let pause_ms = (FIRST_REPEAT_MS << doublings).min(LONGEST_REPEAT_MS);
        let again_at = now.plus_millis(pause_ms);
        command.state = CommandState::Sent;
        command.sent_at = Some(now);
        command.attempts += 1;
        let message = MqttMessage {
            topic: self.0.topics.device(command.device_id, TopicKind::Command),
            payload: self.signed_message(tx, organization, command).await?.to_string().into_bytes(),
            qos: 0,
            retain: false,
            // While the broker is away one copy waits, not one of each attempt.
            expires_at: Some(command.expires_at.min(again_at)),
        };
        self.0.platform.outbox.enqueue(tx, &message).await?;
        Ok(again_at)
    }

    /// Tells of a step that is committed.
    pub fn announce_command(&self, organization: OrganizationId, step: Step) -> Command {
        let Step { command, record, after } = step;
        after.into_iter().for_each(|tell| tell());
        self.0.platform.outbox.wake();
        if command.state == CommandState::Sent {
            self.0.observers.command_sent(&command);
        }
        self.0.platform.hub.publish(Publication {
            channels: vec![channel::commands(organization, command.device_id)],
            event: Event::CommandChanged { command: command.clone() },
            delivery: Delivery::Every,
        });
        if let Some(record) = record {
            self.announce_audit(organization, record);
        }
        command
    }

    /// A device's commands, the newest first. Needs to see the device.
    ///
    /// # Errors
    /// Not found, or a cursor that is none of ours.
    pub async fn commands(
        &self,
        actor: &Actor,
        device: DeviceId,
        state: Option<CommandState>,
        cursor: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Page<Command>> {
        let limit = limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let before = cursor
            .map(|cursor| cursor.parse().map_err(|_| Error::invalid("bad_cursor", "The cursor is none of this list.")))
            .transpose()?;
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, device).await?;
        let items = store::list(&mut tx, actor.organization, device, state, before, limit + 1).await?;
        Ok(Page::cut(items, limit, |command| command.id.to_string()))
    }

    /// One command of a device. Needs to see the device.
    ///
    /// # Errors
    /// Not found.
    pub async fn command(&self, actor: &Actor, device: DeviceId, id: CommandId) -> Result<Command> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, device).await?;
        store::find(&mut tx, actor.organization, device, id).await?.ok_or_else(not_found)
    }

    /// Withdraws a command that still waits for its device. Needs to be the device's owner or `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found, forbidden; conflict once it was sent: the device may be doing it.
    pub async fn cancel_command(&self, actor: &Actor, device: DeviceId, id: CommandId) -> Result<Command> {
        let mut tx = self.0.platform.db.begin().await?;
        self.find_changeable(&mut tx, actor, device).await?;
        let command = store::lock(&mut tx, actor.organization, device, id).await?.ok_or_else(not_found)?;
        if command.state != CommandState::Queued {
            let message =
                format!("The command is {}: only one that still waits can be withdrawn.", command.state.as_str());
            return Err(Error::conflict("command_not_queued", message));
        }
        let entry = Entry::success("command.cancelled");
        let step = self.finish(&mut tx, actor, command, CommandState::Cancelled, entry).await?;
        tx.commit().await?;
        Ok(self.announce_command(actor.organization, step))
    }

    async fn finish(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        mut command: Command,
        state: CommandState,
        entry: Entry,
    ) -> Result<Step> {
        command.state = state;
        command.finished_at = Some(self.now());
        store::update(tx, actor.organization, &command, None).await?;
        let details = json!({"device": command.device_id, "name": command.name});
        let entry = entry.target("command", command.id).details(details);
        let record = Some(self.0.platform.audit.append(tx, actor, entry).await?);
        let after = self.0.observers.command_finished(tx, actor.organization, &command).await?;
        Ok(Step { command, record, after })
    }

    /// Takes a device's answer; done after the commit. One that comes twice, too late, or for a command that is not
    /// the device's, changes nothing.
    pub(crate) async fn take_ack(&self, device: &Arc<Known>, ack: Ack) -> Result<()> {
        let actor = Actor { principal: Principal::Device { id: device.id }, ..Actor::system(device.organization) };
        let now = self.now();
        // One that changes nothing costs a read.
        let mut tx = self.0.platform.db.read().await?;
        let found = store::find(&mut tx, device.organization, device.id, ack.command).await?;
        drop(tx);
        if found.is_none_or(|command| command.expires_at <= now || command.state.after(ack.result).is_none()) {
            metrics::counter!("portico_command_acks_ignored_total").increment(1);
            return Ok(());
        }
        let mut tx = self.0.platform.db.begin().await?;
        let found = store::lock(&mut tx, device.organization, device.id, ack.command).await?;
        let next = found.as_ref().filter(|command| command.expires_at > now);
        let next = next.and_then(|command| command.state.after(ack.result));
        let (Some(mut command), Some(state)) = (found, next) else {
            metrics::counter!("portico_command_acks_ignored_total").increment(1);
            return Ok(());
        };
        let step = if state.is_final() {
            command.error = ack.error;
            command.response = ack.response;
            let entry = match ack.result {
                AckResult::Failed => Entry::failed("command.failed"),
                AckResult::Received | AckResult::Ok => Entry::success("command.acknowledged"),
            };
            self.finish(&mut tx, &actor, command, state, entry).await?
        } else {
            command.state = state;
            command.delivered_at = Some(now);
            store::update(&mut tx, device.organization, &command, None).await?;
            Step { command, record: None, after: Vec::new() }
        };
        tx.commit().await?;
        self.announce_command(device.organization, step);
        Ok(())
    }

    /// An answer that came over MQTT or HTTP.
    ///
    /// # Errors
    /// What is wrong with it, in the inner result; when the database does not take it, in the outer.
    pub(crate) async fn read_ack(
        &self,
        device: &Arc<Known>,
        payload: &[u8],
        at: Timestamp,
    ) -> Result<Result<(), PayloadProblem>> {
        match parse_ack(payload) {
            Ok(ack) => self.take_ack(device, ack).await.map(Ok),
            Err(problem) => {
                self.0.presence.problem(device, at, problem.code, &problem.message, payload);
                Ok(Err(problem))
            }
        }
    }

    /// What a device that asks over HTTP has still to do, the oldest first; they count as sent.
    pub(crate) async fn commands_for_device(&self, device: &Arc<Known>) -> Result<Vec<(Command, Proof)>> {
        let organization = device.organization;
        let mut tx = self.0.platform.db.begin().await?;
        let key = self.signing_key(&mut tx, organization, device.id).await?;
        let mut steps = Vec::new();
        for mut command in store::list_to_send(&mut tx, organization, device.id, self.now(), MAX_OPEN).await? {
            command.state = CommandState::Sent;
            command.sent_at = Some(self.now());
            command.attempts += 1;
            let again_at = self.now().plus_millis(LONGEST_REPEAT_MS);
            store::update(&mut tx, organization, &command, Some(again_at)).await?;
            steps.push(Step { command, record: None, after: Vec::new() });
        }
        tx.commit().await?;
        let tell = |step| {
            let command = self.announce_command(organization, step);
            let proof = key.as_ref().map(|key| key.prove(&command)).unwrap_or_default();
            (command, proof)
        };
        Ok(steps.into_iter().map(tell).collect())
    }

    /// Sends what is due and expires what is overdue. Several servers may do so at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dispatch_commands(&self) -> Result<()> {
        loop {
            let now = self.now();
            let mut tx = self.0.platform.db.read().await?;
            let expired = store::to_expire(&mut tx, now, ROUND).await?;
            let due = store::to_send(&mut tx, now, ROUND).await?;
            drop(tx);
            for command in &expired {
                self.expire_command(*command).await?;
            }
            for command in &due {
                self.send_due(*command).await?;
            }
            if expired.len().max(due.len()) < usize::try_from(ROUND).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    async fn expire_command(&self, due: Due) -> Result<()> {
        let actor = Actor::system(due.organization_id);
        let mut tx = self.0.platform.db.begin().await?;
        let found = store::lock(&mut tx, due.organization_id, due.device_id, due.id).await?;
        let Some(command) = found.filter(|command| !command.state.is_final()) else { return Ok(()) };
        let entry = Entry::failed("command.expired");
        let step = self.finish(&mut tx, &actor, command, CommandState::Expired, entry).await?;
        tx.commit().await?;
        self.announce_command(due.organization_id, step);
        Ok(())
    }

    async fn send_due(&self, due: Due) -> Result<()> {
        let mut tx = self.0.platform.db.begin().await?;
        // The device's row first, as who issues a command does: its return and this cannot miss each other.
        let connection = store::lock_connection(&mut tx, due.organization_id, due.device_id).await?;
        if !store::claim(&mut tx, due, self.now()).await? {
            return Ok(());
        }
        let found = store::find(&mut tx, due.organization_id, due.device_id, due.id).await?;
        let is_there = connection == Some(Connection::Online);
        let waits = |command: &Command| matches!(command.state, CommandState::Queued | CommandState::Sent);
        let Some(mut command) = found.filter(|command| is_there && waits(command)) else {
            // Out of the queue until the device returns.
            return tx.commit().await;
        };
        let again_at = self.hand_over(&mut tx, due.organization_id, &mut command).await?;
        store::update(&mut tx, due.organization_id, &command, Some(again_at)).await?;
        tx.commit().await?;
        self.announce_command(due.organization_id, Step { command, record: None, after: Vec::new() });
        Ok(())
    }
}
