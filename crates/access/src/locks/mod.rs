//! Locks: who may see and use them, what they are told, what they say, what became of it.
//!
//! A lock is a device with a row of its own; its owner is the device's. What is known of its bolt follows one pure rule,
//! [`LockState::after`](portico_model::access::lock::LockState::after).

mod compat;
mod jobs;
mod notices;
mod operate;
mod owner;
mod register;
mod reports;
mod rest;
mod settings;
mod sharing;
mod steps;
mod store;
mod store_event;
mod store_grant;
mod topics;

use portico_model::access::Position;
use portico_model::access::lock::{Lock, LockEvent, LockRole, ShownLock};
use portico_model::devices::Connection;
use portico_model::identity::Permission;
use portico_model::{DeviceId, LockEventId, OrganizationId, Page};
use portico_platform::{Actor, Error, Result, Tx};

use crate::Access;
use store::Found;

pub(crate) use compat::router as compat_router;
pub(crate) use operate::AtDoor;
pub use operate::Operation;
pub(crate) use rest::router;
pub(crate) use steps::LockStep;
pub(crate) use topics::LockTopics;

/// Most locks, and most lines of history, on a page.
pub const MAX_PAGE: i64 = 200;

/// Longest text that is searched for, characters.
const MAX_SEARCH_CHARS: usize = 200;

/// Which locks to list.
#[derive(Debug, Clone, Default)]
pub struct LockQuery {
    /// Part of the name, the hardware id, the type or the location.
    pub search: Option<String>,
    pub position: Option<Position>,
    pub connection: Option<Connection>,
    pub cursor: Option<String>,
    /// 1 to 200; absent: 50.
    pub limit: Option<i64>,
}

pub(crate) fn not_found() -> Error {
    Error::not_found("lock_not_found", "Lock not found")
}

fn bad_cursor() -> Error {
    Error::invalid("bad_cursor", "The cursor is none of this list.")
}

/// What somebody may do with a lock: by his role, by owning it, and by what he was given.
pub(crate) fn role_of(actor: &Actor, lock: &Lock, granted: Option<LockRole>) -> Option<LockRole> {
    let owned = actor.user_id().is_some_and(|user| user == lock.owner_id).then_some(LockRole::Manager);
    let by_role = if actor.may(Permission::ManageAllLocks) {
        Some(LockRole::Manager)
    } else if actor.may(Permission::OperateAllLocks) {
        Some(LockRole::Operator)
    } else if actor.may(Permission::ReadAllLocks) {
        Some(LockRole::Viewer)
    } else {
        None
    };
    owned.max(by_role).max(granted)
}

impl Access {
    /// The locks the actor may see, by name: all with `ReadAllLocks`, else his own and those he is given.
    ///
    /// # Errors
    /// Forbidden, for a device; a search or a cursor that is none of ours.
    pub async fn locks(&self, actor: &Actor, query: LockQuery) -> Result<Page<ShownLock>> {
        let limit = query.limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let viewer = if actor.may(Permission::ReadAllLocks) {
            None
        } else {
            let user = actor.user_id();
            Some(user.ok_or_else(|| Error::forbidden("not_permitted", "This key sees no list of locks."))?)
        };
        let search = query.search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if search.as_deref().is_some_and(|text| text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0')) {
            return Err(Error::field("search", format!("at most {MAX_SEARCH_CHARS} characters")));
        }
        let after = query.cursor.as_deref().map(|text| read_cursor(text).ok_or_else(bad_cursor)).transpose()?;
        let filter = store::Filter {
            viewer,
            search,
            position: query.position,
            connection: query.connection,
            after,
            limit: limit + 1,
        };
        let mut tx = self.0.platform.db.read().await?;
        let found = store::list(&mut tx, actor.organization, actor.user_id(), &filter).await?;
        let Page { items, next } = Page::cut(found, limit, |(lock, _)| write_cursor(lock));
        let items = items
            .into_iter()
            .filter_map(|(lock, granted)| {
                let role = role_of(actor, &lock, granted)?;
                Some(ShownLock { lock, role })
            })
            .collect();
        Ok(Page { items, next })
    }

    /// # Errors
    /// Not found, also when the actor may not know of it.
    pub async fn lock(&self, actor: &Actor, id: DeviceId) -> Result<ShownLock> {
        let mut tx = self.0.platform.db.read().await?;
        let (found, role) = self.visible_lock(&mut tx, actor, id).await?;
        Ok(ShownLock { lock: found.lock, role })
    }

    /// The lock that a path names: by the device's id, or by its own hardware id.
    ///
    /// # Errors
    /// Not found.
    pub async fn resolve_lock(&self, organization: OrganizationId, text: &str) -> Result<DeviceId> {
        if text.len() > 64 || text.contains('\0') {
            return Err(not_found());
        }
        self.0.devices.resolve(organization, text).await.map_err(|error| match error.kind() {
            portico_model::ErrorKind::NotFound => not_found(),
            _ => error,
        })
    }

    /// What became of a lock, the newest first. Needs to see the lock.
    ///
    /// # Errors
    /// Not found, or a cursor that is none of ours.
    pub async fn lock_history(
        &self,
        actor: &Actor,
        id: DeviceId,
        cursor: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Page<LockEvent>> {
        let limit = limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let before: Option<LockEventId> = cursor.map(|cursor| cursor.parse().map_err(|_| bad_cursor())).transpose()?;
        let mut tx = self.0.platform.db.read().await?;
        self.visible_lock(&mut tx, actor, id).await?;
        let items = store_event::list(&mut tx, actor.organization, id, before, limit + 1).await?;
        Ok(Page::cut(items, limit, |event| event.id.to_string()))
    }

    /// The lock, if the actor may know of it, and what he may do with it.
    pub(crate) async fn visible_lock(&self, tx: &mut Tx, actor: &Actor, id: DeviceId) -> Result<(Found, LockRole)> {
        let found = store::find(tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let role = self.role_in(tx, actor, &found.lock).await?.ok_or_else(not_found)?;
        Ok((found, role))
    }

    /// As [`Access::visible_lock`], for one who may share, change and remove it.
    pub(crate) async fn manageable_lock(&self, tx: &mut Tx, actor: &Actor, id: DeviceId) -> Result<Found> {
        let (found, role) = self.visible_lock(tx, actor, id).await?;
        if role < LockRole::Manager {
            let message = "Only its owner, and who manages all locks, may do this.";
            return Err(Error::forbidden("not_your_lock", message));
        }
        Ok(found)
    }

    pub(crate) async fn is_lock(&self, tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<bool> {
        store::is_lock(tx, organization, id).await
    }

    pub(crate) async fn role_in(&self, tx: &mut Tx, actor: &Actor, lock: &Lock) -> Result<Option<LockRole>> {
        let granted = match actor.user_id() {
            Some(user) => store_grant::role_of(tx, actor.organization, lock.id, user).await?,
            None => None,
        };
        Ok(role_of(actor, lock, granted))
    }
}

fn write_cursor(lock: &Lock) -> String {
    let hex: String = lock.name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{}{hex}", lock.id)
}

fn read_cursor(cursor: &str) -> Option<(String, DeviceId)> {
    let (id, rest) = cursor.split_at_checked(32)?;
    let bytes: Option<Vec<u8>> = (0..rest.len())
        .step_by(2)
        .map(|at| rest.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let name = String::from_utf8(bytes?).ok().filter(|name| !name.contains('\0'))?;
    Some((name, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use portico_model::access::lock::How;
    use portico_model::identity::Role;
    use portico_model::{SessionId, Timestamp, UserId};
    use portico_platform::Principal;

    use super::*;

    fn lock_of(owner: UserId) -> Lock {
        Lock {
            id: DeviceId::generate(),
            hardware_id: None,
            name: "Front döor".into(),
            location: String::new(),
            owner_id: owner,
            owner_name: String::new(),
            position: Position::Unknown,
            position_at: None,
            last_known: None,
            last_known_at: None,
            wanted: None,
            wanted_until: None,
            changed_by: String::new(),
            changed_how: How::System,
            connection: Connection::Never,
            last_seen_at: None,
            issue: String::new(),
            battery_percent: None,
            rssi_dbm: None,
            firmware_version: String::new(),
            heartbeat_interval_s: 9,
            relock_after_s: None,
            relock_at: None,
            require_step_up: false,
            is_bridged: false,
            notify_on: Vec::new(),
            created_at: Timestamp::default(),
        }
    }

    fn person(id: UserId, role: Role) -> Actor {
        let principal = Principal::User { id, name: "p".into(), role, session: SessionId::generate() };
        Actor { principal, ..Actor::system(OrganizationId::generate()) }
    }

    #[test]
    fn who_may_do_what_with_a_lock() {
        use LockRole::{Manager, Operator, Viewer};
        let (owner, other) = (UserId::generate(), UserId::generate());
        let lock = lock_of(owner);
        let table = [
            (person(owner, Role::User), None, Some(Manager)),
            (person(other, Role::User), None, None),
            (person(other, Role::User), Some(Viewer), Some(Viewer)),
            (person(other, Role::User), Some(Operator), Some(Operator)),
            (person(other, Role::Reception), None, None),
            (person(other, Role::Safety), None, Some(Viewer)),
            (person(other, Role::Safety), Some(Operator), Some(Operator)),
            (person(other, Role::Manager), None, Some(Operator)),
            (person(other, Role::Manager), Some(Viewer), Some(Operator)),
            (person(other, Role::Admin), None, Some(Manager)),
        ];
        for (actor, granted, expected) in table {
            assert_eq!(role_of(&actor, &lock, granted), expected, "{actor:?} {granted:?}");
        }
        let device =
            Actor { principal: Principal::Device { id: lock.id }, ..Actor::system(OrganizationId::generate()) };
        assert_eq!(role_of(&device, &lock, None), None, "a lock commands no lock");
    }

    #[test]
    fn cursor_is_read_as_it_was_written() {
        let lock = lock_of(UserId::generate());
        assert_eq!(read_cursor(&write_cursor(&lock)), Some((lock.name.clone(), lock.id)));
        for bad in ["", "x", "ää", &"0".repeat(33), &format!("{}00", lock.id)] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }
}
