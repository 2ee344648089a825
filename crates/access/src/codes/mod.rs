//! Time-bound and limited-use codes for keypads. A door's code is checked by Portico; a lock keeps its codes itself and is
//! told of them until it has said that it knows ([`reconcile`]).

mod find;
mod input;
mod reconcile;
pub mod rest;
mod store;

#[cfg(test)]
pub(crate) use find::lookup_for_test;
pub use find::{FoundCode, find, used};
pub(crate) use find::{found, open, used_offline};
pub(crate) use reconcile::spawn;
pub(crate) use store::of_door;

use portico_devices::CommandStep;
use portico_model::access::code::{AccessCode, CodeState, Course, NewCode};
use portico_model::access::{AccessEvent, AccessKind, AccessReason, Method};
use portico_model::audit::AuditRecord;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{AccessCodeId, AccessEventId, DeviceId, DoorId, OrganizationId, Page, Timestamp, UserId};
use portico_platform::audit::Entry;
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::{Access, version};

/// Most codes on a page.
pub const MAX_PAGE: i64 = 200;

/// Most codes of a door or a lock that are in use.
pub const MAX_CODES: i64 = 200;

/// How often digits are drawn anew when another code of the place has them.
const DRAWS: usize = 20;

/// What the digits are sealed for.
const SEALED_FOR: &str = "access code";

/// Which codes to list.
#[derive(Debug, Clone, Default)]
pub struct CodeQuery {
    pub door: Option<DoorId>,
    pub lock: Option<DeviceId>,
    pub state: Option<CodeState>,
    /// Only those that are to be there (`true`), or are not any more.
    pub wanted: Option<bool>,
    pub cursor: Option<String>,
    /// 1 to 200; absent: 50.
    pub limit: Option<i64>,
}

/// A code that was made, with its digits: they are shown this once.
pub struct Created {
    pub code: AccessCode,
    pub digits: String,
}

/// A code that has changed; tell of it after the commit.
#[must_use = "announce it after the commit"]
pub(crate) struct Changed {
    organization: OrganizationId,
    code: AccessCode,
    /// The owner of the lock, who follows his own codes.
    owner: Option<UserId>,
    command: Option<CommandStep>,
    record: Option<AuditRecord>,
}

impl Changed {
    fn new(organization: OrganizationId, row: store::Row) -> Self {
        Self { organization, code: row.code, owner: row.owner, command: None, record: None }
    }
}

fn not_found() -> Error {
    Error::not_found("code_not_found", "Code not found")
}

/// Who sees codes without being allowed to see all: the owner of the locks.
fn viewer(actor: &Actor) -> Result<Option<UserId>> {
    if actor.may(Permission::ReadAccess) {
        return Ok(None);
    }
    actor.user_id().map(Some).ok_or_else(|| actor.require(Permission::ReadAccess).err().unwrap_or_else(not_found))
}

/// The channel of all codes, or of one person's.
pub(crate) fn channel(organization: OrganizationId, viewer: Option<UserId>) -> Channel {
    viewer.map_or_else(
        || Channel::all(organization, "access_codes"),
        |owner| Channel::owned(organization, "access_codes", owner),
    )
}

/// The channel that the topic means for this actor.
pub(crate) fn channel_for(actor: &Actor) -> Result<Channel> {
    Ok(channel(actor.organization, viewer(actor)?))
}

impl Access {
    /// Makes a code of a door or of a lock. Needs `ManageAccess`, or to be the lock's owner.
    ///
    /// # Errors
    /// Forbidden, invalid fields, a place that is unknown; conflict when the digits are in use there.
    pub async fn create_code(&self, actor: &Actor, new: NewCode) -> Result<Created> {
        let manages = actor.may(Permission::ManageAccess);
        if !manages && (actor.user_id().is_none() || new.lock_id.is_none()) {
            actor.require(Permission::ManageAccess)?;
        }
        let platform = &self.0.platform;
        let (organization, now) = (actor.organization, platform.clock.now());
        let given = input::checked(new, now)?;
        let mut tx = platform.db.begin().await?;
        let owner = store::find_place(&mut tx, organization, &given).await?;
        if !manages && (owner.is_none() || owner != actor.user_id()) {
            // Another's lock is as unknown as none.
            return Err(Error::field("lock_id", "There is no such lock"));
        }
        store::check_references(&mut tx, organization, &given).await?;
        if store::count_wanted(&mut tx, organization, given.door_id, given.lock_id).await? >= MAX_CODES {
            return Err(Error::conflict("too_many_codes", format!("At most {MAX_CODES} codes of one place")));
        }
        let (id, digits) = (AccessCodeId::generate(), given.code.clone());
        let course = if given.lock_id.is_some() {
            Course::begin()
        } else {
            Course { state: CodeState::Set, is_absent: false, ..Course::begin() }
        };
        let mut taken = None;
        for _ in 0..if digits.is_some() { 1 } else { DRAWS } {
            let digits = digits.clone().unwrap_or_else(input::draw);
            let new = store::New {
                id,
                given: &given,
                course,
                digits: i64::try_from(digits.len()).unwrap_or_default(),
                lookup: find::lookup(platform, organization, given.door_id, given.lock_id, &digits),
                sealed: platform.secrets.seal(SEALED_FOR, id.uuid().as_bytes(), digits.as_bytes())?,
                created_by: actor.label(),
                now,
            };
            if store::insert(&mut tx, organization, new).await? {
                taken = Some(digits);
                break;
            }
        }
        let Some(digits) = taken else {
            return Err(Error::conflict("code_taken", "Another code of this place has these digits."));
        };
        let row = store::lock(&mut tx, organization, id).await?.ok_or_else(not_found)?;
        let mut changed = self.advance(&mut tx, organization, row).await?;
        let entry = Entry::success("code.created").target("access_code", id).details(json!({
            "name": changed.code.name, "door": given.door_id, "lock": given.lock_id,
        }));
        changed.record = Some(platform.audit.append(&mut tx, actor, entry).await?);
        version::bump(&mut tx, organization).await?;
        tx.commit().await?;
        Ok(Created { code: self.announce_code(changed), digits })
    }

    /// Codes that the actor may see, the newest first: all with `ReadAccess`, else those of his own locks.
    ///
    /// # Errors
    /// Forbidden for a device, or a cursor that is none of ours.
    pub async fn codes(&self, actor: &Actor, query: &CodeQuery) -> Result<Page<AccessCode>> {
        let viewer = viewer(actor)?;
        let limit = query.limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let before = query.cursor.as_deref().map(str::parse).transpose();
        let before: Option<AccessCodeId> =
            before.map_err(|_| Error::invalid("bad_cursor", "The cursor is none of this list."))?;
        let mut tx = self.0.platform.db.read().await?;
        let items = store::list(&mut tx, actor.organization, viewer, query, before, limit + 1).await?;
        Ok(Page::cut(items, limit, |code| code.id.to_string()))
    }

    /// One code that the actor may see.
    ///
    /// # Errors
    /// Not found, also when he may not know of it.
    pub async fn code(&self, actor: &Actor, id: AccessCodeId) -> Result<AccessCode> {
        let viewer = viewer(actor)?;
        let mut tx = self.0.platform.db.read().await?;
        let row = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        if viewer.is_some() && row.owner != viewer {
            return Err(not_found());
        }
        Ok(row.code)
    }

    /// Withdraws a code: at once at a door; a lock is told to forget it. Twice changes nothing. Needs `ManageAccess`, or
    /// to be the lock's owner.
    ///
    /// # Errors
    /// Not found, forbidden.
    pub async fn withdraw_code(&self, actor: &Actor, id: AccessCodeId) -> Result<AccessCode> {
        let mut tx = self.0.platform.db.begin().await?;
        let row = self.lock_changeable_code(&mut tx, actor, id).await?;
        if !row.course.wanted {
            return Ok(row.code);
        }
        let mut changed = self.end_code(&mut tx, actor.organization, row, "Withdrawn").await?;
        let entry = Entry::success("code.withdrawn").target("access_code", id);
        let entry = entry.details(json!({"name": changed.code.name}));
        changed.record = Some(self.0.platform.audit.append(&mut tx, actor, entry).await?);
        tx.commit().await?;
        Ok(self.announce_code(changed))
    }

    /// Has the lock told again at once, however often that was in vain. Needs `ManageAccess`, or to be the lock's owner.
    ///
    /// # Errors
    /// Not found, forbidden; conflict when there is nothing to tell.
    pub async fn retry_code(&self, actor: &Actor, id: AccessCodeId) -> Result<AccessCode> {
        let mut tx = self.0.platform.db.begin().await?;
        let mut row = self.lock_changeable_code(&mut tx, actor, id).await?;
        row.course = row.course.again();
        if row.course.task().is_none() {
            let message = format!("The code is {}: there is nothing to tell the lock.", row.code.state.as_str());
            return Err(Error::conflict("nothing_to_retry", message));
        }
        let mut changed = self.advance(&mut tx, actor.organization, row).await?;
        let entry = Entry::success("code.retried").target("access_code", id);
        let entry = entry.details(json!({"name": changed.code.name}));
        changed.record = Some(self.0.platform.audit.append(&mut tx, actor, entry).await?);
        tx.commit().await?;
        Ok(self.announce_code(changed))
    }

    async fn lock_changeable_code(&self, tx: &mut Tx, actor: &Actor, id: AccessCodeId) -> Result<store::Row> {
        let row = store::lock(tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let owns = actor.user_id().is_some() && row.owner == actor.user_id();
        if owns || actor.may(Permission::ManageAccess) {
            return Ok(row);
        }
        if actor.may(Permission::ReadAccess) {
            actor.require(Permission::ManageAccess)?;
        }
        Err(not_found())
    }

    /// Takes it out of use, for this reason.
    async fn end_code(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        mut row: store::Row,
        reason: &str,
    ) -> Result<Changed> {
        row.course = row.course.withdrawn();
        reason.clone_into(&mut row.code.reason);
        if row.code.lock_id.is_none() {
            row.course = Course { state: CodeState::Unset, is_absent: true, ..row.course };
        }
        version::bump(tx, organization).await?;
        self.advance(tx, organization, row).await
    }

    /// Tells of a code that has changed, after the commit.
    pub(crate) fn announce_code(&self, changed: Changed) -> AccessCode {
        let Changed { organization, code, owner, command, record } = changed;
        if let Some(step) = command {
            self.0.devices.announce_command(organization, step);
        }
        let mut channels = vec![channel(organization, None)];
        channels.extend(owner.map(|owner| channel(organization, Some(owner))));
        let event = Event::AccessCodeChanged { code: code.clone() };
        self.0.platform.hub.publish(Publication { channels, event, delivery: Delivery::Every });
        if let Some(record) = record {
            self.0.platform.hub.publish(Publication {
                channels: vec![Channel::all(organization, "audit")],
                event: Event::AuditAppended { record },
                delivery: Delivery::Every,
            });
        }
        code
    }

    fn now(&self) -> Timestamp {
        self.0.platform.clock.now()
    }
}

/// A lock let somebody in by a code.
fn log_use(code: &AccessCode, lock: DeviceId, at: Timestamp, received_at: Timestamp) -> AccessEvent {
    AccessEvent {
        id: AccessEventId::generate(),
        at,
        received_at,
        kind: AccessKind::Request,
        door_id: None,
        door_name: code.lock_name.clone(),
        reader_id: Some(lock),
        person_id: code.person_id,
        person_name: code.person_name.clone(),
        credential_id: None,
        credential_hint: code.name.clone(),
        method: Method::Code,
        granted: Some(true),
        reason: AccessReason::Granted.as_str().to_owned(),
        policy_id: None,
        policy_name: String::new(),
        leaving: false,
        is_offline: true,
        is_untrusted: false,
        note: String::new(),
        score: None,
        score_reasons: Vec::new(),
        is_anomaly: false,
        is_false_alarm: false,
    }
}
