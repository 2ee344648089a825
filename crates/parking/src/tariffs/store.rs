//! SQL of tariffs.

use portico_model::parking::tariff::{Tariff, TariffRules};
use portico_model::{OrganizationId, TariffId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: TariffId,
    name: String,
    version: i64,
    rules: String,
    created_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for Tariff {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            version: row.version,
            rules: serde_json::from_str(&row.rules).map_err(Error::internal)?,
            changed_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// As they are now, by name.
pub async fn list(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Tariff>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select t.id, t.name, t.version, v.rules, v.created_by, t.created_at, t.updated_at
         from parking_tariff t join parking_tariff_version v on v.tariff_id = t.id and v.version = t.version
         where t.organization_id = $1 and t.removed_at is null order by t.name, t.id",
    ).bind(organization).fetch_all(conn).await)?;
    rows.into_iter().map(Tariff::try_from).collect()
}

/// The version in force, with its rules.
pub async fn current(tx: &mut Tx, organization: OrganizationId, id: TariffId) -> Result<Option<(i64, TariffRules)>> {
    let row: Option<(i64, String)> = on_db!(tx, conn => sqlx::query_as(
        "select t.version, v.rules from parking_tariff t
         join parking_tariff_version v on v.tariff_id = t.id and v.version = t.version
         where t.organization_id = $1 and t.id = $2 and t.removed_at is null",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(|(version, rules)| Ok((version, serde_json::from_str(&rules).map_err(Error::internal)?))).transpose()
}

/// As it was in a version.
pub async fn version(
    tx: &mut Tx,
    organization: OrganizationId,
    id: TariffId,
    version: i64,
) -> Result<Option<TariffRules>> {
    let rules: Option<String> = on_db!(tx, conn => sqlx::query_scalar(
        "select rules from parking_tariff_version where organization_id = $1 and tariff_id = $2 and version = $3",
    ).bind(organization).bind(id).bind(version).fetch_optional(conn).await)?;
    rules.map(|rules| serde_json::from_str(&rules).map_err(Error::internal)).transpose()
}

/// Makes it, or its name and version what they are here.
pub async fn save(tx: &mut Tx, organization: OrganizationId, tariff: &Tariff) -> Result<()> {
    let rules = serde_json::to_string(&tariff.rules).map_err(Error::internal)?;
    on_db!(&mut *tx, conn => sqlx::query(
        "insert into parking_tariff (id, organization_id, name, version, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (id) do update set name = excluded.name, version = excluded.version, updated_at = excluded.updated_at",
    )
    .bind(tariff.id).bind(organization).bind(&tariff.name).bind(tariff.version).bind(tariff.created_at)
    .bind(tariff.updated_at).execute(conn).await.map(drop))?;
    on_db!(tx, conn => sqlx::query(
        "insert into parking_tariff_version (tariff_id, version, organization_id, rules, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(tariff.id).bind(tariff.version).bind(organization).bind(rules).bind(&tariff.changed_by)
    .bind(tariff.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// Whether a lot or a spot has it.
pub async fn is_used(tx: &mut Tx, organization: OrganizationId, id: TariffId) -> Result<bool> {
    let used: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select (select count(*) from parking_lot where organization_id = $1 and tariff_id = $2)
              + (select count(*) from parking_spot where organization_id = $1 and tariff_id = $2)",
    ).bind(organization).bind(id).fetch_one(conn).await)?;
    Ok(used > 0)
}

/// No longer to be had; its versions stay.
pub async fn remove(tx: &mut Tx, organization: OrganizationId, id: TariffId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update parking_tariff set removed_at = $3 where organization_id = $1 and id = $2")
        .bind(organization).bind(id).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}
