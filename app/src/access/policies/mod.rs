//! Who may go where and when: policies, schedules, holidays, and "would this person get in".

pub mod calendar;
pub mod page;
pub mod tester;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::people::PersonGroup;
use portico_model::access::policies::{AccessAnswer, Choice, Holiday, Policy, Schedule};
use portico_model::{HolidayId, PolicyId, ScheduleId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoliciesView {
    pub policies: Vec<Policy>,
    pub schedules: Vec<Schedule>,
    pub holidays: Vec<Holiday>,
    pub person_groups: Vec<PersonGroup>,
    pub doors: Vec<Choice>,
    pub door_groups: Vec<Choice>,
    /// Some people, to be suggested: `#7 Ann Archer`.
    pub people: Vec<String>,
    /// The policy that is being changed.
    pub editing: Option<Editing>,
}

/// A policy as its form shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Editing {
    pub policy: Policy,
    /// `#7 Ann Archer`; empty when it is for no single person.
    pub person: String,
    /// By the building's clock, as `2026-11-23T08:30`; empty when absent.
    pub valid_from: String,
    pub valid_until: String,
}

/// People that are suggested.
#[cfg(feature = "ssr")]
const SUGGESTED: i64 = 200;

#[cfg(feature = "ssr")]
fn suggestion(person: &portico_model::access::people::Person) -> String {
    format!("#{} {}", person.number, person.name)
}

#[cfg(feature = "ssr")]
async fn editing(
    access: &portico_access::Access,
    actor: &portico_platform::Actor,
    id: PolicyId,
) -> Result<Editing, Failure> {
    use crate::server::failed;

    let policy = access.policy(actor, id).await.map_err(failed)?;
    let person = match policy.terms.person_id {
        Some(id) => suggestion(&access.person(actor, id).await.map_err(failed)?.person),
        None => String::new(),
    };
    let mut limits = [String::new(), String::new()];
    for (text, limit) in limits.iter_mut().zip([policy.terms.valid_from, policy.terms.valid_until]) {
        if let Some(at) = limit {
            *text = access.building_text(actor, at).await.map_err(failed)?;
        }
    }
    let [valid_from, valid_until] = limits;
    Ok(Editing { policy, person, valid_from, valid_until })
}

/// What the page shows; `edit` is the policy that is being changed.
#[server(name = GetPolicies, prefix = "/sfn", endpoint = "access/policies", input = GetUrl)]
pub async fn get_policies(#[server(default)] edit: String) -> Result<PoliciesView, Failure> {
    use portico_access::PersonQuery;

    use crate::server::{access, actor, failed};

    let (access, actor) = (access()?, actor()?);
    let query = PersonQuery { limit: Some(SUGGESTED), ..PersonQuery::default() };
    let (people, _) = access.people(&actor, &query).await.map_err(failed)?;
    let (doors, door_groups) = access.policy_doors(&actor).await.map_err(failed)?;
    Ok(PoliciesView {
        policies: access.policies(&actor).await.map_err(failed)?,
        schedules: access.schedules(&actor).await.map_err(failed)?,
        holidays: access.holidays(&actor).await.map_err(failed)?,
        person_groups: access.person_groups(&actor).await.map_err(failed)?,
        doors,
        door_groups,
        people: people.iter().map(suggestion).collect(),
        editing: match edit.parse() {
            Ok(id) => Some(editing(&access, &actor, id).await?),
            Err(_) => None,
        },
    })
}

/// The person that a text means: an id, a number (`#7 …`), or what only one person matches.
#[cfg(feature = "ssr")]
async fn person_meant(
    access: &portico_access::Access,
    actor: &portico_platform::Actor,
    text: &str,
) -> Result<portico_model::access::people::Person, Failure> {
    use portico_access::PersonQuery;

    use crate::server::failed;

    let text = text.trim();
    if let Ok(id) = text.parse() {
        return Ok(access.person(actor, id).await.map_err(failed)?.person);
    }
    let number = text.strip_prefix('#').map(|rest| rest.split(' ').next().unwrap_or_default());
    let number: Option<i64> = number.unwrap_or(text).parse().ok();
    let search = number.map_or_else(|| text.to_owned(), |number| number.to_string());
    let query = PersonQuery { search: Some(search), limit: Some(500), ..PersonQuery::default() };
    let (mut found, _) = access.people(actor, &query).await.map_err(failed)?;
    if let Some(number) = number {
        found.retain(|person| person.number == number);
    }
    match (text.is_empty(), found.len()) {
        (false, 1) => found.pop().ok_or_else(|| Failure::field("person", "Nobody matches.")),
        (true, _) => Err(Failure::field("person", "Say who.")),
        (_, 0) => Err(Failure::field("person", "Nobody matches.")),
        _ => Err(Failure::field("person", "Several people match: choose one of the suggestions.")),
    }
}

/// "Would this person get in?"
#[server(name = TestAccess, prefix = "/sfn", endpoint = "access/test", input = GetUrl)]
pub async fn test_access(
    #[server(default)] person: String,
    #[server(default)] door: String,
    #[server(default)] at: String,
    #[server(default)] leaving: bool,
) -> Result<AccessAnswer, Failure> {
    use portico_model::access::policies::AccessQuestion;

    use crate::server::{access, actor, failed};

    let (access, actor) = (access()?, actor()?);
    let person = person_meant(&access, &actor, &person).await?;
    let door_id = door.parse().map_err(|_| Failure::field("door", "Choose a door."))?;
    let at = match at.trim() {
        "" => None,
        text => Some(access.building_moment(&actor, "at", text).await.map_err(failed)?),
    };
    let question = AccessQuestion { person_id: person.id, door_id, at, credential_id: None, mode: None, leaving };
    access.would_get_in(&actor, &question).await.map_err(failed)
}

/// Makes a policy, or changes one (`id`). `who` is empty (everyone), `person` or a group's id; `place` is empty (all doors), `door:ID` or
/// `group:ID`.
#[server(name = SavePolicy, prefix = "/sfn", endpoint = "access/save_policy")]
#[allow(clippy::too_many_arguments)] // the fields of the form
pub async fn save_policy(
    #[server(default)] id: Option<PolicyId>,
    name: String,
    #[server(default)] who: String,
    #[server(default)] person: String,
    #[server(default)] place: String,
    #[server(default)] schedule: String,
    #[server(default)] levels: Vec<String>,
    #[server(default)] valid_from: String,
    #[server(default)] valid_until: String,
    #[server(default)] in_lockdown: bool,
) -> Result<Policy, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::Level;
    use portico_model::access::policies::PolicyInput;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let values =
        [("name", name.as_str()), ("person", &person), ("valid_from", &valid_from), ("valid_until", &valid_until)];
    let page = id.map_or_else(|| "/policies".to_owned(), |id| format!("/policies?edit={id}"));
    let refuse = |failure| form_failed(SavePolicy::PATH, &page, &values, failure);
    let (access, actor) = (access()?, actor()?);
    let person_id = match who.as_str() {
        "person" => Some(person_meant(&access, &actor, &person).await.map_err(refuse)?.id),
        _ => None,
    };
    let mut moments = [None, None];
    for (slot, (field, text)) in moments.iter_mut().zip([("valid_from", &valid_from), ("valid_until", &valid_until)]) {
        if !text.trim().is_empty() {
            *slot = Some(access.building_moment(&actor, field, text).await.map_err(|error| refuse(failed(error)))?);
        }
    }
    let is_active = match id {
        Some(id) => access.policy(&actor, id).await.map_err(|error| refuse(failed(error)))?.terms.is_active,
        None => true,
    };
    let terms = PolicyInput {
        name: name.clone(),
        person_id,
        person_group_id: who.parse().ok(),
        door_id: place.strip_prefix("door:").and_then(|id| id.parse().ok()),
        door_group_id: place.strip_prefix("group:").and_then(|id| id.parse().ok()),
        schedule_id: schedule.parse().ok(),
        levels: levels.iter().filter_map(|level| Level::parse(level)).collect(),
        valid_from: moments[0],
        valid_until: moments[1],
        in_lockdown,
        is_active,
    };
    let policy = access.save_policy(&actor, id, terms).await.map_err(|error| refuse(failed(error)))?;
    form_done(SavePolicy::PATH, "/policies", &[]);
    if id.is_some() {
        leptos_axum::redirect("/policies");
    }
    Ok(policy)
}

/// Switches a policy on or off.
#[server(name = SwitchPolicy, prefix = "/sfn", endpoint = "access/switch_policy")]
pub async fn switch_policy(id: PolicyId, active: bool) -> Result<Policy, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let refuse = |error| form_failed(SwitchPolicy::PATH, "/policies", &[], failed(error));
    let (access, actor) = (access()?, actor()?);
    let mut terms = access.policy(&actor, id).await.map_err(refuse)?.terms;
    terms.is_active = active;
    let policy = access.save_policy(&actor, Some(id), terms).await.map_err(refuse)?;
    form_done(SwitchPolicy::PATH, "/policies", &[]);
    Ok(policy)
}

/// Removes a policy.
#[server(name = DeletePolicy, prefix = "/sfn", endpoint = "access/delete_policy")]
pub async fn delete_policy(id: PolicyId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    access()?
        .delete_policy(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeletePolicy::PATH, "/policies", &[], failed(error)))?;
    form_done(DeletePolicy::PATH, "/policies", &[]);
    Ok(())
}

/// Makes a schedule of one window; the REST interface takes more.
#[server(name = CreateSchedule, prefix = "/sfn", endpoint = "access/create_schedule")]
pub async fn create_schedule(
    name: String,
    #[server(default)] days: Vec<u8>,
    from: String,
    until: String,
) -> Result<Schedule, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::policies::ScheduleInput;
    use portico_model::access::schedule::Hours;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let values = [("name", name.as_str()), ("from", &from), ("until", &until)];
    let refuse = |failure| form_failed(CreateSchedule::PATH, "/policies", &values, failure);
    let windows = vec![Hours { days, from: from.clone(), until: until.clone() }];
    let input = ScheduleInput { name: name.clone(), windows };
    let schedule = access()?.save_schedule(&actor()?, None, input).await.map_err(|error| refuse(failed(error)))?;
    form_done(CreateSchedule::PATH, "/policies", &[]);
    Ok(schedule)
}

/// Removes a schedule that nothing uses.
#[server(name = DeleteSchedule, prefix = "/sfn", endpoint = "access/delete_schedule")]
pub async fn delete_schedule(id: ScheduleId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    access()?
        .delete_schedule(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteSchedule::PATH, "/policies", &[], failed(error)))?;
    form_done(DeleteSchedule::PATH, "/policies", &[]);
    Ok(())
}

/// Adds a holiday.
#[server(name = AddHoliday, prefix = "/sfn", endpoint = "access/add_holiday")]
pub async fn add_holiday(date: String, name: String) -> Result<Holiday, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::policies::NewHoliday;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let values = [("date", date.as_str()), ("name", &name)];
    let new = NewHoliday { date: date.clone(), name: name.clone() };
    let holiday = access()?
        .add_holiday(&actor()?, new)
        .await
        .map_err(|error| form_failed(AddHoliday::PATH, "/policies", &values, failed(error)))?;
    form_done(AddHoliday::PATH, "/policies", &[]);
    Ok(holiday)
}

/// Removes a holiday.
#[server(name = DeleteHoliday, prefix = "/sfn", endpoint = "access/delete_holiday")]
pub async fn delete_holiday(id: HolidayId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    access()?
        .delete_holiday(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteHoliday::PATH, "/policies", &[], failed(error)))?;
    form_done(DeleteHoliday::PATH, "/policies", &[]);
    Ok(())
}

impl Ask for GetPolicies {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("edit", &self.edit)])
    }
}

impl Ask for TestAccess {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = given([("person", &self.person), ("door", &self.door), ("at", &self.at)]);
        if self.leaving {
            query.push(("leaving", "true".to_owned()));
        }
        query
    }
}
