//! Enrolling a card or a finger at a reader: begun by a person, finished by the reader it was begun at, and by no other.

use portico_devices::{AfterCommit, Known, Taken};
use portico_model::access::people::{
    Credential, CredentialKind, ENROLMENT_S, Enrolment, EnrolmentMode, EnrolmentState, NewCredential, NewEnrolment,
    ReaderName,
};
use portico_model::access::{AccessEvent, AccessKind};
use portico_model::commands::{Command, CommandState, NewCommand};
use portico_model::identity::Permission;
use portico_model::{AccessEventId, DeviceId, EnrolmentId, OrganizationId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Principal, Result, Tx};
use serde_json::{Value, json};

use super::credentials::{MAX_CREDENTIALS, Wanted, method};
use super::enrolment_store::{self as store, Found};
use super::{credential_store, lookup};
use crate::log::Logged;
use crate::{Access, version};

fn not_found() -> Error {
    Error::not_found("enrolment_not_found", "There is no such enrolment.")
}

/// Nothing is open at the reader for this person.
fn none_open() -> Error {
    Error::forbidden("no_enrolment", "No registration of this user is open at this reader")
}

/// Which enrolment a reader means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Claim {
    Id(EnrolmentId),
    /// Of the person with this number: older readers know nothing else.
    Number(i64),
}

impl Claim {
    fn means(self, found: &Found) -> bool {
        match self {
            Self::Id(id) => found.enrolment.id == id,
            Self::Number(number) => found.number == number,
        }
    }
}

fn is_open(found: &Found, now: Timestamp) -> bool {
    found.enrolment.state == EnrolmentState::Waiting && found.enrolment.expires_at > now
}

pub(super) fn reader_actor(reader: &Known) -> Actor {
    Actor { principal: Principal::Device { id: reader.id }, ..Actor::system(reader.organization) }
}

impl Access {
    /// Where cards and fingers can be enrolled, by name. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn enrolment_readers(&self, actor: &Actor) -> Result<Vec<ReaderName>> {
        actor.require(Permission::ManageAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::readers(&mut tx, actor.organization).await
    }

    /// Has a reader take the next card or finger for a person; it waits for a minute. Permission:
    /// [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found; Conflict while another is open at the reader, or when the reader is not in use.
    pub async fn start_enrolment(&self, actor: &Actor, new: &NewEnrolment) -> Result<Enrolment> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let organization = actor.organization;
        let reader = self.0.devices.resolve(organization, new.reader.trim()).await?;
        let now = platform.clock.now();
        let mut tx = platform.db.begin().await?;
        // First: two who begin at the same reader at the same time take turns.
        version::bump(&mut tx, organization).await?;
        let person = super::store::find(&mut tx, organization, new.person_id).await?.ok_or_else(super::not_found)?;
        if person.credential_count >= MAX_CREDENTIALS {
            let message = format!("A person may have at most {MAX_CREDENTIALS} cards, PINs and fingers.");
            return Err(Error::conflict("too_many_credentials", message));
        }
        if let Some(before) = store::latest_at(&mut tx, organization, reader).await? {
            if is_open(&before, now) {
                let message =
                    format!("This reader waits for a card or finger of {} already.", before.enrolment.person_name);
                return Err(Error::conflict("enrolment_open", message));
            }
            store::finish(&mut tx, organization, before.enrolment.id, EnrolmentState::Expired, None, "", now).await?;
        }
        let id = EnrolmentId::generate();
        let expires_at = now.plus_secs(ENROLMENT_S);
        let args = json!({
            "enrolment_id": id, "mode": new.mode, "person": person.number, "expires_at": expires_at,
        });
        let command = NewCommand { name: "enrol".to_owned(), args: Some(args), expires_in_s: Some(ENROLMENT_S) };
        let step = self.0.devices.issue_in(&mut tx, actor, reader, command).await?;
        let enrolment = Enrolment {
            id,
            reader_id: reader,
            reader_name: String::new(),
            person_id: person.id,
            person_name: person.name,
            mode: new.mode,
            state: EnrolmentState::Waiting,
            started_by: actor.label(),
            started_at: now,
            expires_at,
            finished_at: None,
            credential_id: None,
            error: String::new(),
        };
        store::insert(&mut tx, organization, &enrolment).await?;
        let details = json!({"enrolment": id, "reader": reader, "mode": new.mode});
        let entry = Entry::success("enrolment.started").target("person", person.id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let found = store::find(&mut tx, organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.0.devices.announce_command(organization, step);
        self.announce_person(organization, person.id, record);
        Ok(found.enrolment)
    }

    /// As [`Access::start_enrolment`], for the person of a number; at the only reader when none is named.
    pub(super) async fn start_registration(
        &self,
        actor: &Actor,
        number: i64,
        reader: Option<&str>,
        mode: EnrolmentMode,
    ) -> Result<Enrolment> {
        actor.require(Permission::ManageAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        let person = super::store::find_by_number(&mut tx, actor.organization, number).await?;
        let person = person.ok_or_else(|| Error::not_found("person_not_found", "User not found"))?;
        let readers = store::readers(&mut tx, actor.organization).await?;
        drop(tx);
        let reader = match (reader, readers.as_slice()) {
            (Some(reader), _) => reader.to_owned(),
            (None, [only]) => only.id.to_string(),
            (None, _) => {
                let message = "device_id required: say at which reader";
                return Err(Error::field("device_id", message).with_message("missing_field", message));
            }
        };
        self.start_enrolment(actor, &NewEnrolment { reader, person_id: person.id, mode }).await
    }

    /// Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn enrolment(&self, actor: &Actor, id: EnrolmentId) -> Result<Enrolment> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        let found = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        Ok(self.seen_now(found.enrolment))
    }

    /// One that is overdue is over, also before the job has said so.
    pub(super) fn seen_now(&self, mut enrolment: Enrolment) -> Enrolment {
        if enrolment.state == EnrolmentState::Waiting && enrolment.expires_at <= self.0.platform.clock.now() {
            enrolment.state = EnrolmentState::Expired;
        }
        enrolment
    }

    /// The reader takes nothing any more. What has ended already stays as it is. Permission:
    /// [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn cancel_enrolment(&self, actor: &Actor, id: EnrolmentId) -> Result<Enrolment> {
        actor.require(Permission::ManageAccess)?;
        let mut tx = self.0.platform.db.begin().await?;
        let found = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let reader = found.enrolment.reader_id;
        let Some(enrolment) = self.end_in(tx, actor, found, EnrolmentState::Cancelled, "").await? else {
            return self.enrolment(actor, id).await;
        };
        let mut tx = self.0.platform.db.begin().await?;
        let args = Some(json!({"enrolment_id": id}));
        let command = NewCommand { name: "enrol_cancel".to_owned(), args, expires_in_s: Some(ENROLMENT_S) };
        match self.0.devices.issue_in(&mut tx, actor, reader, command).await {
            Ok(step) => {
                tx.commit().await?;
                self.0.devices.announce_command(actor.organization, step);
            }
            // A reader that is gone or out of use takes nothing in any case.
            Err(error) => tracing::debug!(error = %error, "reader not told that an enrolment was cancelled"),
        }
        Ok(enrolment)
    }

    /// Ends a waiting enrolment without a credential and commits; `None` when it had ended already.
    async fn end_in(
        &self,
        mut tx: Tx,
        actor: &Actor,
        found: Found,
        state: EnrolmentState,
        error: &str,
    ) -> Result<Option<Enrolment>> {
        let organization = actor.organization;
        let Found { enrolment, .. } = found;
        let now = self.0.platform.clock.now();
        if !store::finish(&mut tx, organization, enrolment.id, state, None, error, now).await? {
            return Ok(None);
        }
        let action = match state {
            EnrolmentState::Failed => "enrolment.failed",
            EnrolmentState::Expired => "enrolment.expired",
            _ => "enrolment.cancelled",
        };
        let details = json!({"enrolment": enrolment.id, "reader": enrolment.reader_id, "error": error});
        let entry = Entry::success(action).target("person", enrolment.person_id).details(details);
        let record = self.0.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_person(organization, enrolment.person_id, record);
        let error = error.to_owned();
        Ok(Some(Enrolment { state, finished_at: Some(now), error, ..enrolment }))
    }

    /// What a reader that asks is to enrol.
    pub(super) async fn poll_enrolment(&self, reader: &Known) -> Result<Option<Found>> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let found = store::latest_at(&mut tx, reader.organization, reader.id).await?;
        Ok(found.filter(|found| is_open(found, now)))
    }

    /// The reader gives up, or is done.
    pub(super) async fn clear_enrolment(&self, reader: &Known) -> Result<()> {
        let mut tx = self.0.platform.db.begin().await?;
        let found = store::latest_at(&mut tx, reader.organization, reader.id).await?;
        if let Some(found) = found.filter(|found| found.enrolment.state == EnrolmentState::Waiting) {
            self.end_in(tx, &reader_actor(reader), found, EnrolmentState::Cancelled, "").await?;
        }
        Ok(())
    }

    /// Takes what a reader has enrolled. The same once more changes nothing: the answer may have been lost.
    pub(super) async fn finish_enrolment(
        &self,
        reader: &Known,
        claim: Claim,
        kind: CredentialKind,
        value: &str,
    ) -> Result<()> {
        let platform = &self.0.platform;
        let organization = reader.organization;
        let now = platform.clock.now();
        let lookup = lookup::lookup_of(platform, organization, method(kind), value).ok_or_else(|| {
            let message = match kind {
                CredentialKind::Fingerprint => "Fingerprint ID must be a slot from 1 to 1000",
                _ => "RFID UID must be 1 to 50 letters and digits",
            };
            Error::field("value", message).with_message("invalid_credential", message)
        })?;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, organization).await?;
        if let Claim::Number(number) = claim
            && super::store::find_by_number(&mut tx, organization, number).await?.is_none()
        {
            return Err(Error::not_found("person_not_found", "User not found"));
        }
        let found = store::latest_at(&mut tx, organization, reader.id).await?;
        let found = found.filter(|found| claim.means(found)).ok_or_else(none_open)?;
        let enrolment = &found.enrolment;
        let of_reader = (kind == CredentialKind::Fingerprint).then_some(reader.id);
        let holder = credential_store::holder_of(&mut tx, organization, kind, &lookup, of_reader).await?;
        let own = holder.filter(|(_, person)| *person == enrolment.person_id).map(|(credential, _)| credential);
        if enrolment.state == EnrolmentState::Done && own.is_some() && own == enrolment.credential_id {
            return Ok(());
        }
        if !is_open(&found, now) {
            return Err(none_open());
        }
        if !enrolment.mode.takes(kind) {
            let message = format!("The registration waits for another kind: {}", enrolment.mode.as_str());
            return Err(Error::invalid("wrong_kind", message));
        }
        let new = NewCredential { kind, value: None, reader_id: of_reader, valid_from: None, valid_until: None };
        let credential = match own {
            // A card that he has already: nothing is new, and the enrolment is done.
            Some(id) => credential_store::find(&mut tx, organization, id).await?.ok_or_else(none_open)?,
            None => {
                let wanted = Wanted { person: enrolment.person_id, new: &new, value };
                self.insert_credential(&mut tx, organization, &wanted).await?
            }
        };
        let done = EnrolmentState::Done;
        store::finish(&mut tx, organization, enrolment.id, done, Some(credential.id), "", now).await?;
        let actor = reader_actor(reader);
        let details = json!({"credential": credential.id, "kind": kind, "reader": reader.id});
        let entry = Entry::success("enrolment.finished").target("person", enrolment.person_id).details(details);
        let record = platform.audit.append(&mut tx, &actor, entry).await?;
        let logged = self.log_enrolled(&mut tx, reader, enrolment, &credential, now).await?;
        tx.commit().await?;
        if let Some(logged) = logged {
            self.announce_event(logged);
        }
        self.announce_person(organization, found.enrolment.person_id, record);
        Ok(())
    }

    async fn log_enrolled(
        &self,
        tx: &mut Tx,
        reader: &Known,
        enrolment: &Enrolment,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<Option<Logged>> {
        let door = store::door_of(tx, reader.organization, reader.id).await?;
        let event = AccessEvent {
            id: AccessEventId::generate(),
            at: now,
            received_at: now,
            kind: AccessKind::Enrolled,
            door_id: door.as_ref().map(|(id, _)| *id),
            door_name: door.map(|(_, name)| name).unwrap_or_default(),
            reader_id: Some(reader.id),
            person_id: Some(enrolment.person_id),
            person_name: enrolment.person_name.clone(),
            credential_id: Some(credential.id),
            credential_hint: credential.hint.clone(),
            method: method(credential.kind),
            granted: None,
            reason: String::new(),
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
        };
        self.append_event(tx, reader.organization, event, "", None).await
    }

    /// Ends what was not finished in time. Several servers may do so at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn expire_enrolments(&self) -> Result<()> {
        let platform = &self.0.platform;
        let mut tx = platform.db.read().await?;
        let overdue = store::overdue(&mut tx, platform.clock.now()).await?;
        drop(tx);
        for (organization, id) in overdue {
            let mut tx = platform.db.begin().await?;
            if let Some(found) = store::find(&mut tx, organization, id).await? {
                self.end_in(tx, &Actor::system(organization), found, EnrolmentState::Expired, "").await?;
            }
        }
        Ok(())
    }

    /// An `enrolled` or `enrol_failed` of a reader on its `event` topic.
    pub(crate) async fn take_enrolled(&self, reader: &Known, body: &Value) -> Result<Taken> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let Ok(id) = text("enrolment_id").parse::<EnrolmentId>() else { return Ok(Ok(true)) };
        if text("type") == "enrol_failed" {
            self.fail_enrolment(reader.organization, reader.id, id, text("error")).await?;
            return Ok(Ok(true));
        }
        let slot = body.get("value").and_then(Value::as_u64).map(|slot| slot.to_string());
        let value = slot.as_deref().unwrap_or_else(|| text("value"));
        let kind = match text("method") {
            "fingerprint" => CredentialKind::Fingerprint,
            "rfid" => CredentialKind::Rfid,
            _ => self.kind_awaited(reader, id, slot.is_some()).await?,
        };
        match self.finish_enrolment(reader, Claim::Id(id), kind, value).await {
            Ok(()) => {}
            Err(error) if matches!(error.status().as_u16(), 400 | 409) => {
                self.fail_enrolment(reader.organization, reader.id, id, error.message()).await?;
            }
            // Too late, or not this reader's: it changes nothing.
            Err(error) if matches!(error.status().as_u16(), 403 | 404) => {}
            Err(error) => return Err(error),
        }
        Ok(Ok(true))
    }

    /// What a reader that does not say it must mean: a number is a finger's slot.
    async fn kind_awaited(&self, reader: &Known, id: EnrolmentId, is_number: bool) -> Result<CredentialKind> {
        let mut tx = self.0.platform.db.read().await?;
        let mode = store::find(&mut tx, reader.organization, id).await?.map(|found| found.enrolment.mode);
        Ok(match mode {
            Some(EnrolmentMode::Fingerprint) => CredentialKind::Fingerprint,
            Some(EnrolmentMode::Any) if is_number => CredentialKind::Fingerprint,
            _ => CredentialKind::Rfid,
        })
    }

    async fn fail_enrolment(
        &self,
        organization: OrganizationId,
        reader: DeviceId,
        id: EnrolmentId,
        error: &str,
    ) -> Result<()> {
        let mut tx = self.0.platform.db.begin().await?;
        let Some(found) = store::find(&mut tx, organization, id).await? else { return Ok(()) };
        if found.enrolment.reader_id != reader {
            return Ok(());
        }
        let error: String = error.chars().filter(|character| !character.is_control()).take(200).collect();
        let error = if error.is_empty() { "The reader could not.".to_owned() } else { error };
        let actor = Actor { principal: Principal::Device { id: reader }, ..Actor::system(organization) };
        self.end_in(tx, &actor, found, EnrolmentState::Failed, &error).await?;
        Ok(())
    }

    /// A reader that refuses the command to enrol ends the enrolment, in the transaction that says so.
    pub(crate) async fn enrol_command_finished(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        command: &Command,
    ) -> Result<Option<AfterCommit>> {
        if command.name != "enrol" || command.state != CommandState::Failed {
            return Ok(None);
        }
        let id = command.args.get("enrolment_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let Some(id) = id else { return Ok(None) };
        let Some(found) = store::find(tx, organization, id).await? else { return Ok(None) };
        let now = self.0.platform.clock.now();
        let error: String = command.error.chars().take(200).collect();
        if !store::finish(tx, organization, id, EnrolmentState::Failed, None, &error, now).await? {
            return Ok(None);
        }
        let (access, person) = (self.clone(), found.enrolment.person_id);
        Ok(Some(Box::new(move || access.announce_person_only(organization, person))))
    }
}
