//! Is this a code of this door? The way of a decision, beside that of a person's credential.

use portico_lock_core::decide::{Holder, Rule};
use portico_lock_core::schedule::Window;
use portico_model::{AccessCodeId, DeviceId, DoorId, OrganizationId, PersonId, Timestamp};
use portico_platform::secrets::{hex, keyed_hash};
use portico_platform::{Platform, Result, Tx};

use super::{Changed, store};
use crate::Access;
use crate::policies::rules::stored_windows;

/// All levels: a code is nobody's rank.
const ANY_LEVEL: u8 = 7;

/// A door's code, as far as a decision needs. It brings its own rule with it: the code is for this door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCode {
    pub id: AccessCodeId,
    pub name: String,
    /// Who is taken to come with it.
    pub person: Option<(PersonId, String)>,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub uses_left: Option<u32>,
    /// Absent: at any time.
    pub hours: Option<Vec<Window>>,
}

impl FoundCode {
    /// As the decision sees whoever types it.
    pub fn holder(&self) -> Holder {
        Holder {
            is_active: true,
            level: ANY_LEVEL,
            valid_from_ms: self.valid_from.map(Timestamp::millis),
            valid_until_ms: self.valid_until.map(Timestamp::millis),
            uses_left: self.uses_left,
        }
    }

    /// The one rule that speaks for it.
    pub fn rule(&self) -> Rule<'_> {
        Rule {
            hours: self.hours.as_deref(),
            valid_from_ms: None,
            valid_until_ms: None,
            levels: ANY_LEVEL,
            in_lockdown: false,
        }
    }
}

/// What is stored to find a code by: its digits, at this place, under a key that the database does not have.
pub(super) fn lookup(
    platform: &Platform,
    organization: OrganizationId,
    door: Option<DoorId>,
    lock: Option<DeviceId>,
    digits: &str,
) -> String {
    let place = door.map(DoorId::uuid).or_else(|| lock.map(DeviceId::uuid)).unwrap_or_default();
    let key = platform.secrets.derive("access code lookup");
    hex(&keyed_hash(&key, &[organization.uuid().as_bytes(), place.as_bytes(), digits.as_bytes()]))
}

/// The door's code with these digits, also one that has expired or is used up: the decision says so. `None` for
/// what is no code of this door, and once it is withdrawn.
///
/// # Errors
/// When the database does not answer.
pub async fn find(
    tx: &mut Tx,
    platform: &Platform,
    organization: OrganizationId,
    door: DoorId,
    presented: &str,
) -> Result<Option<FoundCode>> {
    if !portico_model::access::code::is_code(presented) {
        return Ok(None);
    }
    let lookup = lookup(platform, organization, Some(door), None, presented);
    let Some(row) = store::find_by_lookup(tx, organization, door, &lookup).await? else { return Ok(None) };
    found(row).map(Some)
}

/// As [`lookup`], of a door.
#[cfg(test)]
pub(crate) fn lookup_for_test(platform: &Platform, organization: OrganizationId, door: DoorId, digits: &str) -> String {
    lookup(platform, organization, Some(door), None, digits)
}

/// The digits of a code.
pub(crate) fn open(platform: &Platform, id: AccessCodeId, sealed: &[u8]) -> Result<Vec<u8>> {
    platform.secrets.open(super::SEALED_FOR, id.uuid().as_bytes(), sealed)
}

/// As a decision takes it.
pub(crate) fn found(row: store::DoorCode) -> Result<FoundCode> {
    let hours = match (row.has_schedule, row.windows) {
        (false, _) => None,
        // Its schedule is gone: then it is never open.
        (true, None) => Some(Vec::new()),
        (true, Some(windows)) => Some(stored_windows(&windows)?),
    };
    let left = row.max_uses.map(|most| u32::try_from((most - row.uses).max(0)).unwrap_or(u32::MAX));
    Ok(FoundCode {
        id: row.id,
        name: row.name,
        person: row.person_id.zip(row.person_name),
        valid_from: row.valid_from,
        valid_until: row.valid_until,
        uses_left: left,
        hours,
    })
}

/// Counts a use of a code that let somebody in, in the transaction of the decision; false when it was used up
/// meanwhile: then nobody is let in. Hand what it returns to `Access::announce_code_use` after the commit.
///
/// # Errors
/// When the database does not answer.
pub async fn used(tx: &mut Tx, organization: OrganizationId, id: AccessCodeId, now: Timestamp) -> Result<bool> {
    store::count_use(tx, organization, id, now).await
}

/// Counts what a reader let in without network: also more often than it should have.
pub(crate) async fn used_offline(
    tx: &mut Tx,
    organization: OrganizationId,
    id: AccessCodeId,
    now: Timestamp,
) -> Result<()> {
    store::count_use_by_lock(tx, organization, id, now).await
}

impl Access {
    /// Tells the pages of a code that was used, after the commit; a code that is used up by now leaves soon.
    pub(crate) async fn announce_code_use(&self, organization: OrganizationId, id: AccessCodeId) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        let row = store::find(&mut tx, organization, id).await?;
        drop(tx);
        if let Some(row) = row {
            self.announce_code(Changed::new(organization, row));
        }
        self.0.code_work.notify_one();
        Ok(())
    }
}
