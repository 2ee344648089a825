//! Rights to doors that another domain gives for a time, beside the policies: who has reserved a parking spot comes through
//! the gate of its lot with the card he has.

use std::sync::Arc;

use portico_identity::AfterCommit;
use portico_lock_core::decide::{Reason, Rule};
use portico_model::{DoorId, OrganizationId, PersonId, Timestamp, UserId};
use portico_platform::{BoxFuture, Result, Tx};

use crate::Access;
use crate::people::user_of;

/// What lets somebody in beside the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorRight {
    /// What the log calls it, such as `Reservation P17`.
    pub name: String,
    /// What it is in the domain that gives it.
    pub id: String,
}

impl DoorRight {
    /// As the decision takes it: for every level, but not in a lockdown.
    pub(crate) const RULE: Rule<'static> =
        Rule { hours: None, valid_from_ms: None, valid_until_ms: None, levels: 7, in_lockdown: false };

    /// Whether a right can help one who was refused so. It makes no blocked card good.
    pub(crate) const fn helps(refused: Reason) -> bool {
        matches!(refused, Reason::NoPolicy | Reason::LevelTooLow | Reason::PolicyNotValid | Reason::OutOfHours)
    }
}

/// A domain that gives rights to doors.
pub trait DoorRights: Send + Sync {
    /// What lets this account in at this door at a moment. `None`: nothing of this domain.
    fn find_right<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        door: DoorId,
        user: UserId,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<DoorRight>>>;

    /// Somebody was let in by it. In the transaction of the decision; what is to be told once that is committed.
    fn right_used<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        right: &'a DoorRight,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<AfterCommit>>;
}

impl Access {
    /// Asks this domain too for whom no policy lets in. The first one stays. Call before the server listens.
    pub fn ask_for_rights(&self, rights: Arc<dyn DoorRights>) {
        if self.0.rights.set(rights).is_err() {
            tracing::warn!("rights to doors are asked of one domain already");
        }
    }

    /// What lets this person in at this door beside the policies, and who says so.
    pub(crate) async fn find_right(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        door: DoorId,
        person: PersonId,
        at: Timestamp,
    ) -> Result<Option<DoorRight>> {
        let Some(rights) = self.0.rights.get() else { return Ok(None) };
        let Some(user) = user_of(tx, organization, person).await? else { return Ok(None) };
        rights.find_right(tx, organization, door, user, at).await
    }

    /// Tells the domain that somebody was let in by its right.
    pub(super) async fn right_used(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        right: &DoorRight,
        at: Timestamp,
    ) -> Result<Option<AfterCommit>> {
        match self.0.rights.get() {
            Some(rights) => rights.right_used(tx, organization, right, at).await.map(Some),
            None => Ok(None),
        }
    }
}
