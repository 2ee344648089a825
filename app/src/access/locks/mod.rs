//! Locks: the list with its big buttons, and one lock with history, sharing and settings; all of it live.

pub mod detail;
pub mod history;
pub mod list;
pub mod manage;
pub mod state;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::lock::{Lock, LockEvent, LockGrant, LockNotice, LockRole, RegisteredLock, ShownLock};
use portico_model::{DeviceId, LockGrantId, Page, PersonGroupId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// Locks on a page of the list, and lines of a history.
#[cfg(feature = "ssr")]
const SHOWN: i64 = 60;

/// One lock, with what the asker may know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LockView {
    pub shown: ShownLock,
    pub events: Vec<LockEvent>,
    /// With whom it is shared; empty for those who may not know.
    pub grants: Vec<LockGrant>,
    /// Groups of people to share it with; empty for those who may not know.
    pub groups: Vec<(PersonGroupId, String)>,
}

/// The locks the asker sees, by name.
#[server(name = ListLocks, prefix = "/sfn", endpoint = "locks/list", input = GetUrl)]
pub async fn list_locks(
    #[server(default)] search: String,
    #[server(default)] position: String,
    #[server(default)] connection: String,
    #[server(default)] cursor: String,
) -> Result<Page<ShownLock>, Failure> {
    use portico_access::LockQuery;
    use portico_model::access::Position;
    use portico_model::devices::Connection;

    use crate::server::{access, actor, failed};

    let query = LockQuery {
        search: Some(search),
        position: Position::parse(&position),
        connection: Connection::parse(&connection),
        cursor: Some(cursor).filter(|cursor| !cursor.is_empty()),
        limit: Some(SHOWN),
    };
    access()?.locks(&actor()?, query).await.map_err(failed)
}

/// One lock.
#[server(name = GetLock, prefix = "/sfn", endpoint = "locks/get", input = GetUrl)]
pub async fn get_lock(id: DeviceId) -> Result<LockView, Failure> {
    use portico_model::identity::Permission;

    use crate::server::{access, actor, failed};

    let (access, actor) = (access()?, actor()?);
    let shown = access.lock(&actor, id).await.map_err(failed)?;
    let events = access.lock_history(&actor, id, None, Some(SHOWN)).await.map_err(failed)?.items;
    let manages = shown.role == LockRole::Manager;
    let grants = if manages { access.lock_grants(&actor, id).await.map_err(failed)? } else { Vec::new() };
    let groups = if manages && actor.may(Permission::ReadAccess) {
        access.person_groups(&actor).await.map_err(failed)?
    } else {
        Vec::new()
    };
    let groups = groups.into_iter().map(|group| (group.id, group.name)).collect();
    Ok(LockView { shown, events, grants, groups })
}

/// The page that a form was on.
#[cfg(feature = "ssr")]
fn page_of(id: DeviceId, from: &str) -> String {
    if from == "list" { "/locks".to_owned() } else { format!("/locks/{id}") }
}

#[cfg(feature = "ssr")]
async fn operate(
    form: &'static str,
    id: DeviceId,
    from: &str,
    want: portico_model::access::lock::Bolt,
) -> Result<Lock, Failure> {
    use portico_access::LockOperation;
    use portico_model::access::lock::How;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = page_of(id, from);
    let told = access()?.operate_lock(&actor()?, id, LockOperation::new(want, How::Page)).await;
    let lock = told.map_err(|error| form_failed(form, &page, &[], failed(error)))?;
    form_done(form, &page, &[]);
    Ok(lock)
}

/// Tells a lock to lock.
#[server(name = LockIt, prefix = "/sfn", endpoint = "locks/lock")]
pub async fn lock_it(id: DeviceId, #[server(default)] from: String) -> Result<Lock, Failure> {
    use leptos::server_fn::ServerFn as _;

    operate(LockIt::PATH, id, &from, portico_model::access::lock::Bolt::Locked).await
}

/// Tells a lock to unlock.
#[server(name = UnlockIt, prefix = "/sfn", endpoint = "locks/unlock")]
pub async fn unlock_it(id: DeviceId, #[server(default)] from: String) -> Result<Lock, Failure> {
    use leptos::server_fn::ServerFn as _;

    operate(UnlockIt::PATH, id, &from, portico_model::access::lock::Bolt::Unlocked).await
}

/// Registers a lock with a device of its own; the key is shown this once.
#[server(name = RegisterLock, prefix = "/sfn", endpoint = "locks/register")]
pub async fn register_lock(
    name: String,
    #[server(default)] location: String,
    #[server(default)] hardware_id: String,
) -> Result<RegisteredLock, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::lock::NewLock;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let values = [("name", name.as_str()), ("location", &location), ("hardware_id", &hardware_id)];
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let new = NewLock {
        name: Some(name.clone()),
        location: given(&location),
        hardware_id: given(&hardware_id),
        ..NewLock::default()
    };
    let made = access()?
        .register_lock(&actor()?, new)
        .await
        .map_err(|error| form_failed(RegisterLock::PATH, "/locks", &values, failed(error)))?;
    let (id, key) = (made.lock.lock.id.to_string(), made.api_key.clone().unwrap_or_default());
    form_done(RegisterLock::PATH, "/locks", &[("id", &id), ("name", &name), ("api_key", &key)]);
    Ok(made)
}

/// Changes a lock's name, place and rules.
#[server(name = ChangeLock, prefix = "/sfn", endpoint = "locks/change")]
pub async fn change_lock(
    id: DeviceId,
    name: String,
    #[server(default)] location: String,
    #[server(default)] relock_after_s: String,
    #[server(default)] require_step_up: bool,
    #[server(default)] notify_on: Vec<LockNotice>,
) -> Result<ShownLock, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::lock::LockChange;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/locks/{id}");
    let values = [("name", name.as_str()), ("location", &location), ("relock_after_s", &relock_after_s)];
    let refuse = |failure| form_failed(ChangeLock::PATH, &page, &values, failure);
    let seconds = match relock_after_s.trim() {
        "" => 0,
        text => text.parse().map_err(|_| refuse(Failure::field("relock_after_s", "a whole number of seconds")))?,
    };
    let (access, actor) = (access()?, actor()?);
    let before = access.lock(&actor, id).await.map_err(|error| refuse(failed(error)))?.lock;
    let differs = |new: &str, old: &str| Some(new.trim().to_owned()).filter(|new| new != old);
    let change = LockChange {
        name: differs(&name, &before.name),
        location: differs(&location, &before.location),
        relock_after_s: Some(seconds),
        require_step_up: Some(require_step_up).filter(|required| *required != before.require_step_up),
        notify_on: Some(notify_on),
    };
    let shown = access.change_lock(&actor, id, change).await.map_err(|error| refuse(failed(error)))?;
    form_done(ChangeLock::PATH, &page, &[]);
    Ok(shown)
}

/// Shares a lock with a person, or with a group of people.
#[server(name = ShareLock, prefix = "/sfn", endpoint = "locks/share")]
pub async fn share_lock(
    id: DeviceId,
    #[server(default)] user: String,
    #[server(default)] group: String,
    role: LockRole,
) -> Result<LockGrant, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::lock::NewLockGrant;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/locks/{id}");
    let refuse = |failure| form_failed(ShareLock::PATH, &page, &[("user", user.as_str())], failure);
    let person_group_id = match group.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| refuse(Failure::field("user", "Choose one of the list.")))?),
    };
    // Only groups: an empty name is a field that was left out.
    let name = Some(user.clone()).filter(|name| person_group_id.is_none() || !name.trim().is_empty());
    let new = NewLockGrant { user: name, person_group_id, role };
    let grant = access()?.share_lock(&actor()?, id, new).await.map_err(|error| refuse(failed(error)))?;
    form_done(ShareLock::PATH, &page, &[]);
    Ok(grant)
}

/// Takes a lock back.
#[server(name = UnshareLock, prefix = "/sfn", endpoint = "locks/unshare")]
pub async fn unshare_lock(id: DeviceId, grant: LockGrantId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/locks/{id}");
    access()?
        .unshare_lock(&actor()?, id, grant)
        .await
        .map_err(|error| form_failed(UnshareLock::PATH, &page, &[], failed(error)))?;
    form_done(UnshareLock::PATH, &page, &[]);
    Ok(())
}

/// Gives a lock to another person.
#[server(name = ReassignLock, prefix = "/sfn", endpoint = "locks/reassign")]
pub async fn reassign_lock(id: DeviceId, owner: String) -> Result<ShownLock, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/locks/{id}");
    let shown = access()?
        .reassign_lock(&actor()?, id, &owner)
        .await
        .map_err(|error| form_failed(ReassignLock::PATH, &page, &[("owner", owner.as_str())], failed(error)))?;
    form_done(ReassignLock::PATH, &page, &[]);
    Ok(shown)
}

/// Removes a lock; its device stays.
#[server(name = RemoveLock, prefix = "/sfn", endpoint = "locks/remove")]
pub async fn remove_lock(id: DeviceId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_failed};

    access()?
        .remove_lock(&actor()?, id)
        .await
        .map_err(|error| form_failed(RemoveLock::PATH, &format!("/locks/{id}"), &[], failed(error)))?;
    leptos_axum::redirect("/locks");
    Ok(())
}

impl Ask for ListLocks {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("search", &self.search),
            ("position", &self.position),
            ("connection", &self.connection),
            ("cursor", &self.cursor),
        ])
    }
}

impl Ask for GetLock {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}
