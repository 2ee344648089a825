//! Saved views of the explore page.

use portico_model::explore::SavedView;
use portico_model::{OrganizationId, SavedViewId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: SavedViewId,
    name: String,
    shared: bool,
    owner_id: UserId,
    owner_name: Option<String>,
    definition: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for SavedView {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            shared: row.shared,
            owner_id: row.owner_id,
            owner_name: row.owner_name.unwrap_or_default(),
            definition: serde_json::from_str(&row.definition).map_err(Error::internal)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select_view {
    ($rest:literal) => {
        concat!(
            "select v.id, v.name, v.shared, v.owner_id, u.username as owner_name, v.definition, v.created_at, v.updated_at
             from saved_view v left join user_account u on u.id = v.owner_id and u.organization_id = v.organization_id
             where v.organization_id = $1 ",
            $rest
        )
    };
}

fn text_of(view: &SavedView) -> Result<String> {
    serde_json::to_string(&view.definition).map_err(Error::internal)
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: SavedViewId) -> Result<Option<SavedView>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_view!("and v.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(SavedView::try_from).transpose()
}

/// The person's own and those shared, by name.
pub async fn list(tx: &mut Tx, organization: OrganizationId, person: UserId, limit: i64) -> Result<Vec<SavedView>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_view!(
        "and (v.owner_id = $2 or v.shared) order by v.name, v.id limit $3"
    )).bind(organization).bind(person).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(SavedView::try_from).collect()
}

pub async fn count_of_owner(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from saved_view where organization_id = $1 and owner_id = $2",
    ).bind(organization).bind(owner).fetch_one(conn).await)?)
}

/// Whether the owner has another view of this name.
pub async fn name_is_taken(tx: &mut Tx, organization: OrganizationId, view: &SavedView) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from saved_view where organization_id = $1 and owner_id = $2 and name = $3 and id <> $4",
    ).bind(organization).bind(view.owner_id).bind(&view.name).bind(view.id).fetch_one(conn).await)?;
    Ok(found > 0)
}

pub async fn insert(tx: &mut Tx, organization: OrganizationId, view: &SavedView) -> Result<()> {
    let definition = text_of(view)?;
    on_db!(tx, conn => sqlx::query(
        "insert into saved_view (id, organization_id, owner_id, name, shared, definition, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(view.id).bind(organization).bind(view.owner_id).bind(&view.name).bind(view.shared).bind(definition)
    .bind(view.created_at).bind(view.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn update(tx: &mut Tx, organization: OrganizationId, view: &SavedView) -> Result<()> {
    let definition = text_of(view)?;
    on_db!(tx, conn => sqlx::query(
        "update saved_view set name = $3, shared = $4, definition = $5, updated_at = $6
         where id = $1 and organization_id = $2",
    )
    .bind(view.id).bind(organization).bind(&view.name).bind(view.shared).bind(definition).bind(view.updated_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: SavedViewId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from saved_view where id = $1 and organization_id = $2")
        .bind(id).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

/// All views of a person, for when he is deleted.
pub async fn delete_of_owner(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from saved_view where owner_id = $1 and organization_id = $2")
        .bind(owner).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}
