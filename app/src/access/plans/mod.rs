//! Plans of the building with the doors on them, live.

pub mod manage;
pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::door::{Door, Plan};
use portico_model::access::policies::Choice;
use portico_model::{DoorId, PlanId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    pub plans: Vec<Plan>,
    /// The one that is shown; absent when there are none.
    pub plan: Option<Plan>,
    /// The doors on it.
    pub doors: Vec<Door>,
    /// All doors, to be placed.
    pub all_doors: Vec<Choice>,
}

#[cfg(feature = "ssr")]
const MOST_DOORS: i64 = 500;

/// A plan, by default the first, with its doors.
#[server(name = GetPlan, prefix = "/sfn", endpoint = "access/plan", input = GetUrl)]
pub async fn get_plan(#[server(default)] plan: String) -> Result<PlanView, Failure> {
    use portico_access::doors::DoorQuery;

    use crate::server::{access, actor, failed};

    let (access, actor) = (access()?, actor()?);
    let plans = access.plans(&actor).await.map_err(failed)?;
    let shown = match plan.parse::<PlanId>() {
        Ok(id) => Some(access.plan(&actor, id).await.map_err(failed)?),
        Err(_) => plans.first().cloned(),
    };
    let doors = match &shown {
        Some(plan) => {
            let query = DoorQuery { plan: Some(plan.id), limit: Some(MOST_DOORS), ..DoorQuery::default() };
            access.doors(&actor, query).await.map_err(failed)?.items
        }
        None => Vec::new(),
    };
    let (all_doors, _) = access.policy_doors(&actor).await.map_err(failed)?;
    Ok(PlanView { plans, plan: shown, doors, all_doors })
}

/// Places a door on a plan, by hundredths from the left and from the top.
#[server(name = PlaceDoor, prefix = "/sfn", endpoint = "access/place_door")]
pub async fn place_door(
    #[server(default)] door: String,
    plan: PlanId,
    #[server(default)] x: String,
    #[server(default)] y: String,
) -> Result<Door, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/doors/plan?plan={plan}");
    let values = [("door", door.as_str()), ("x", &x), ("y", &y)];
    let refuse = |failure| form_failed(PlaceDoor::PATH, &page, &values, failure);
    let id = door.parse::<DoorId>().map_err(|_| refuse(Failure::field("door", "Choose a door.")))?;
    let part = |field, text: &str| {
        let number = text.trim().parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
        number.map(|number| number / 100.0).ok_or_else(|| refuse(Failure::field(field, "0 to 100.")))
    };
    let place = (plan, part("x", &x)?, part("y", &y)?);
    let door = access()?.place_door(&actor()?, id, Some(place)).await.map_err(|error| refuse(failed(error)))?;
    form_done(PlaceDoor::PATH, &page, &[]);
    Ok(door)
}

/// Takes a door off its plan.
#[server(name = UnplaceDoor, prefix = "/sfn", endpoint = "access/unplace_door")]
pub async fn unplace_door(door: DoorId, plan: PlanId) -> Result<Door, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/doors/plan?plan={plan}");
    let door = access()?
        .place_door(&actor()?, door, None)
        .await
        .map_err(|error| form_failed(UnplaceDoor::PATH, &page, &[], failed(error)))?;
    form_done(UnplaceDoor::PATH, &page, &[]);
    Ok(door)
}

/// Gives a plan another name.
#[server(name = RenamePlan, prefix = "/sfn", endpoint = "access/rename_plan")]
pub async fn rename_plan(id: PlanId, name: String) -> Result<Plan, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::door::PlanSettings;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/doors/plan?plan={id}");
    let settings = PlanSettings { name: name.clone() };
    let plan = access()?
        .rename_plan(&actor()?, id, settings)
        .await
        .map_err(|error| form_failed(RenamePlan::PATH, &page, &[("name", &name)], failed(error)))?;
    form_done(RenamePlan::PATH, &page, &[]);
    Ok(plan)
}

/// Removes a plan.
#[server(name = DeletePlan, prefix = "/sfn", endpoint = "access/delete_plan")]
pub async fn delete_plan(id: PlanId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_failed};

    let page = format!("/doors/plan?plan={id}");
    access()?
        .delete_plan(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeletePlan::PATH, &page, &[], failed(error)))?;
    leptos_axum::redirect("/doors/plan");
    Ok(())
}

impl Ask for GetPlan {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("plan", &self.plan)])
    }
}
