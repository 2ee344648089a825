//! Codes for keypads, of doors and of locks.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::code::AccessCode;
use portico_model::access::policies::{Choice, Schedule};
use portico_model::{AccessCodeId, Page};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodesView {
    pub codes: Page<AccessCode>,
    /// Where the asker may make codes: `door:ID` and `lock:ID`.
    pub places: Vec<Choice>,
    pub schedules: Vec<Schedule>,
}

/// A code with its digits, which are shown this once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MadeCode {
    pub name: String,
    pub digits: String,
}

/// Locks that are offered for a new code.
#[cfg(feature = "ssr")]
const OFFERED: i64 = 200;

#[cfg(feature = "ssr")]
async fn places(
    access: &portico_access::Access,
    actor: &portico_platform::Actor,
    manages: bool,
) -> Result<Vec<Choice>, Failure> {
    use portico_access::LockQuery;
    use portico_model::access::lock::LockRole;

    use crate::server::failed;

    let doors = if manages { access.policy_doors(actor).await.map_err(failed)?.0 } else { Vec::new() };
    let doors =
        doors.into_iter().map(|door| Choice { id: format!("door:{}", door.id), name: format!("Door: {}", door.name) });
    let query = LockQuery { limit: Some(OFFERED), ..LockQuery::default() };
    let locks = access.locks(actor, query).await.map_err(failed)?.items;
    let locks = locks
        .into_iter()
        .filter(|shown| manages || shown.role == LockRole::Manager)
        .map(|shown| Choice { id: format!("lock:{}", shown.lock.id), name: format!("Lock: {}", shown.lock.name) });
    Ok(doors.chain(locks).collect())
}

/// What the page shows. `place` is `door:ID` or `lock:ID`; `show` is empty (in use) or `ended`.
#[server(name = ListCodes, prefix = "/sfn", endpoint = "access/codes", input = GetUrl)]
pub async fn list_codes(
    #[server(default)] place: String,
    #[server(default)] show: String,
    #[server(default)] cursor: String,
) -> Result<CodesView, Failure> {
    use portico_access::CodeQuery;
    use portico_model::identity::Permission;

    use crate::server::{access, actor, failed};

    let (access, actor) = (access()?, actor()?);
    let query = CodeQuery {
        door: place.strip_prefix("door:").and_then(|id| id.parse().ok()),
        lock: place.strip_prefix("lock:").and_then(|id| id.parse().ok()),
        wanted: Some(show != "ended"),
        cursor: Some(cursor).filter(|cursor| !cursor.is_empty()),
        ..CodeQuery::default()
    };
    let manages = actor.may(Permission::ManageAccess);
    Ok(CodesView {
        codes: access.codes(&actor, &query).await.map_err(failed)?,
        places: places(&access, &actor, manages).await?,
        schedules: if manages { access.schedules(&actor).await.map_err(failed)? } else { Vec::new() },
    })
}

#[cfg(feature = "ssr")]
fn beside_field(mut failure: Failure) -> Failure {
    for field in &mut failure.fields {
        if field.field == "door_id" || field.field == "lock_id" {
            "place".clone_into(&mut field.field);
        }
    }
    if failure.code == "code_taken" {
        failure.fields.push(portico_model::FieldError::new("code", failure.message.clone()));
    }
    failure
}

/// Makes a code. Times are by the building's clock; without digits six are drawn.
#[server(name = CreateCode, prefix = "/sfn", endpoint = "access/create_code")]
#[allow(clippy::too_many_arguments)] // the fields of the form
pub async fn create_code(
    name: String,
    #[server(default)] place: String,
    #[server(default)] code: String,
    #[server(default)] schedule: String,
    #[server(default)] valid_from: String,
    #[server(default)] valid_until: String,
    #[server(default)] max_uses: String,
) -> Result<MadeCode, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::code::NewCode;

    use crate::server::{access, actor, failed, form_done, form_failed};

    // The digits are not left in a cookie.
    let values =
        [("name", name.as_str()), ("valid_from", &valid_from), ("valid_until", &valid_until), ("max_uses", &max_uses)];
    let refuse = |failure| form_failed(CreateCode::PATH, "/codes", &values, beside_field(failure));
    let (access, actor) = (access()?, actor()?);
    let mut moments = [None, None];
    for (slot, (field, text)) in moments.iter_mut().zip([("valid_from", &valid_from), ("valid_until", &valid_until)]) {
        if !text.trim().is_empty() {
            *slot = Some(access.building_moment(&actor, field, text).await.map_err(|error| refuse(failed(error)))?);
        }
    }
    let max_uses = match max_uses.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| refuse(Failure::field("max_uses", "A number from 1 to 10,000.")))?),
    };
    let new = NewCode {
        name: name.clone(),
        door_id: place.strip_prefix("door:").and_then(|id| id.parse().ok()),
        lock_id: place.strip_prefix("lock:").and_then(|id| id.parse().ok()),
        person_id: None,
        code: Some(code.trim().to_owned()).filter(|code| !code.is_empty()),
        schedule_id: schedule.parse().ok(),
        valid_from: moments[0],
        valid_until: moments[1],
        max_uses,
    };
    let made = access.create_code(&actor, new).await.map_err(|error| refuse(failed(error)))?;
    form_done(CreateCode::PATH, "/codes", &[("made", &made.code.name), ("digits", &made.digits)]);
    Ok(MadeCode { name: made.code.name, digits: made.digits })
}

/// Withdraws a code.
#[server(name = WithdrawCode, prefix = "/sfn", endpoint = "access/withdraw_code")]
pub async fn withdraw_code(id: AccessCodeId) -> Result<AccessCode, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let code = access()?
        .withdraw_code(&actor()?, id)
        .await
        .map_err(|error| form_failed(WithdrawCode::PATH, "/codes", &[], failed(error)))?;
    form_done(WithdrawCode::PATH, "/codes", &[]);
    Ok(code)
}

/// Has the lock told once more.
#[server(name = RetryCode, prefix = "/sfn", endpoint = "access/retry_code")]
pub async fn retry_code(id: AccessCodeId) -> Result<AccessCode, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let code = access()?
        .retry_code(&actor()?, id)
        .await
        .map_err(|error| form_failed(RetryCode::PATH, "/codes", &[], failed(error)))?;
    form_done(RetryCode::PATH, "/codes", &[]);
    Ok(code)
}

impl Ask for ListCodes {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("place", &self.place), ("show", &self.show), ("cursor", &self.cursor)])
    }
}
