//! Plans of the building: pictures that doors are placed on.

use portico_devices::Check;
use portico_model::access::door::{Plan, PlanSettings};
use portico_model::identity::Permission;
use portico_model::{OrganizationId, PlanId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx, on_db};
use serde_json::json;

use super::picture::inspect;
use crate::Access;

/// Most plans of an organisation.
const MAX_PLANS: usize = 50;

fn no_plan() -> Error {
    Error::not_found("plan_not_found", "There is no such plan")
}

impl Access {
    /// All plans, by name. Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn plans(&self, actor: &Actor) -> Result<Vec<Plan>> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        list(&mut tx, actor.organization).await
    }

    /// Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn plan(&self, actor: &Actor, id: PlanId) -> Result<Plan> {
        self.plans(actor).await?.into_iter().find(|plan| plan.id == id).ok_or_else(no_plan)
    }

    /// The picture's kind and bytes. Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn plan_picture(&self, actor: &Actor, id: PlanId) -> Result<(String, Vec<u8>)> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        let found: Option<(String, Vec<u8>)> = on_db!(&mut tx, conn => sqlx::query_as(
            "select media_type, content from access_plan where organization_id = $1 and id = $2",
        ).bind(actor.organization).bind(id).fetch_optional(conn).await)?;
        found.ok_or_else(no_plan)
    }

    /// Takes in a picture. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, invalid fields, no picture; conflict when the name is in use or there are too many.
    pub async fn create_plan(&self, actor: &Actor, settings: PlanSettings, picture: &[u8]) -> Result<Plan> {
        actor.require(Permission::ManageAccess)?;
        let name = checked_name(&settings)?;
        let (now, found) = (self.0.platform.clock.now(), inspect(picture)?);
        let plan = Plan {
            id: PlanId::generate(),
            name,
            width: found.width,
            height: found.height,
            media_type: found.media_type.to_owned(),
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.0.platform.db.begin().await?;
        let known = list(&mut tx, actor.organization).await?;
        if known.len() >= MAX_PLANS {
            return Err(Error::conflict("too_many_plans", format!("There may be at most {MAX_PLANS} plans.")));
        }
        name_is_free(&known, &plan)?;
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_plan (id, organization_id, name, width, height, media_type, content, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        )
        .bind(plan.id).bind(actor.organization).bind(&plan.name).bind(plan.width).bind(plan.height)
        .bind(&plan.media_type).bind(picture).bind(now).execute(conn).await.map(drop))?;
        self.plan_changed(tx, actor, "plan.created", plan).await
    }

    /// Gives a plan another name. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the name is in use.
    pub async fn rename_plan(&self, actor: &Actor, id: PlanId, settings: PlanSettings) -> Result<Plan> {
        actor.require(Permission::ManageAccess)?;
        let name = checked_name(&settings)?;
        let mut tx = self.0.platform.db.begin().await?;
        let known = list(&mut tx, actor.organization).await?;
        let before = known.iter().find(|plan| plan.id == id).cloned().ok_or_else(no_plan)?;
        let plan = Plan { name, ..before };
        name_is_free(&known, &plan)?;
        on_db!(&mut tx, conn => sqlx::query("update access_plan set name = $3 where organization_id = $1 and id = $2")
            .bind(actor.organization).bind(id).bind(&plan.name).execute(conn).await.map(drop))?;
        self.plan_changed(tx, actor, "plan.renamed", plan).await
    }

    /// Shows a plan with another picture; doors stay where they are on it. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found, no picture.
    pub async fn replace_plan_picture(&self, actor: &Actor, id: PlanId, picture: &[u8]) -> Result<Plan> {
        actor.require(Permission::ManageAccess)?;
        let found = inspect(picture)?;
        let mut tx = self.0.platform.db.begin().await?;
        let known = list(&mut tx, actor.organization).await?;
        let before = known.into_iter().find(|plan| plan.id == id).ok_or_else(no_plan)?;
        let plan = Plan {
            width: found.width,
            height: found.height,
            media_type: found.media_type.to_owned(),
            updated_at: self.0.platform.clock.now(),
            ..before
        };
        on_db!(&mut tx, conn => sqlx::query(
            "update access_plan set width = $3, height = $4, media_type = $5, content = $6, updated_at = $7
             where organization_id = $1 and id = $2",
        )
        .bind(actor.organization).bind(id).bind(plan.width).bind(plan.height).bind(&plan.media_type).bind(picture)
        .bind(plan.updated_at).execute(conn).await.map(drop))?;
        self.plan_changed(tx, actor, "plan.redrawn", plan).await
    }

    /// Removes a plan; its doors are on none afterwards. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn delete_plan(&self, actor: &Actor, id: PlanId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let organization = actor.organization;
        let mut tx = self.0.platform.db.begin().await?;
        let known = list(&mut tx, organization).await?;
        let plan = known.into_iter().find(|plan| plan.id == id).ok_or_else(no_plan)?;
        for text in [
            "update access_door set plan_id = null, plan_x = null, plan_y = null
             where organization_id = $1 and plan_id = $2",
            "delete from access_plan where organization_id = $1 and id = $2",
        ] {
            on_db!(&mut tx, conn => sqlx::query(text).bind(organization).bind(id).execute(conn).await.map(drop))?;
        }
        self.plan_changed(tx, actor, "plan.deleted", plan).await.map(drop)
    }

    async fn plan_changed(&self, tx: Tx, actor: &Actor, action: &'static str, plan: Plan) -> Result<Plan> {
        let entry = Entry::success(action).target("plan", plan.id).details(json!({"name": plan.name}));
        self.area_changed(tx, actor, entry).await?;
        Ok(plan)
    }
}

#[derive(sqlx::FromRow)]
struct PlanRow {
    id: PlanId,
    name: String,
    width: i64,
    height: i64,
    media_type: String,
    created_at: portico_model::Timestamp,
    updated_at: portico_model::Timestamp,
}

async fn list(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Plan>> {
    let rows: Vec<PlanRow> = on_db!(tx, conn => sqlx::query_as(
        "select id, name, width, height, media_type, created_at, updated_at from access_plan
         where organization_id = $1 order by name, id",
    ).bind(organization).fetch_all(conn).await)?;
    let plan = |row: PlanRow| Plan {
        id: row.id,
        name: row.name,
        width: row.width,
        height: row.height,
        media_type: row.media_type,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(rows.into_iter().map(plan).collect())
}

fn checked_name(settings: &PlanSettings) -> Result<String> {
    let mut check = Check::default();
    let name = check.required("name", &settings.name, 100);
    check.done(name)
}

fn name_is_free(known: &[Plan], plan: &Plan) -> Result<()> {
    if known.iter().any(|other| other.name == plan.name && other.id != plan.id) {
        return Err(Error::conflict("name_taken", "There is a plan of this name already."));
    }
    Ok(())
}
