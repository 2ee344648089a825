//! SQL of permits.

use portico_model::parking::permit::{Permit, PermitState};
use portico_model::parking::session::plate_key;
use portico_model::{LotId, OrganizationId, PermitId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

use crate::search::like;

#[derive(sqlx::FromRow)]
struct Row {
    id: PermitId,
    lot_id: Option<LotId>,
    lot_name: Option<String>,
    time_zone: Option<String>,
    building_zone: Option<String>,
    user_id: Option<UserId>,
    holder: String,
    plate: String,
    label: String,
    valid_from: Timestamp,
    valid_until: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for Permit {
    fn from(row: Row) -> Self {
        let building = row.building_zone.filter(|zone| !zone.is_empty());
        Self {
            id: row.id,
            lot_id: row.lot_id,
            lot_name: row.lot_name,
            time_zone: row.time_zone.or(building).unwrap_or_else(|| "UTC".to_owned()),
            user_id: row.user_id,
            holder: row.holder,
            plate: row.plate,
            label: row.label,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            revoked_at: row.revoked_at,
            state: PermitState::Valid,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Which to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub id: Option<PermitId>,
    pub user: Option<UserId>,
    /// Those that hold in this lot.
    pub lot: Option<LotId>,
    /// Those that have not ended at this moment.
    pub current_at: Option<Timestamp>,
    /// Those that have.
    pub over_at: Option<Timestamp>,
    pub search: Option<String>,
    /// When the last one of the page before was made, and its id.
    pub after: Option<(Timestamp, PermitId)>,
    pub limit: i64,
}

/// The newest first; their state is not worked out.
pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<Vec<Permit>> {
    // A plate is found in any way of writing.
    let search = filter.search.as_deref();
    let plate = search.map(plate_key).filter(|key| !key.is_empty()).map(|key| format!("%{key}%"));
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select m.id, m.lot_id, l.name as lot_name, l.time_zone,
             (select o.time_zone from organization_settings o where o.organization_id = m.organization_id) as building_zone,
             m.user_id, m.holder, m.plate, m.label, m.valid_from, m.valid_until, m.revoked_at, m.created_at, m.updated_at
         from parking_permit m left join parking_lot l on l.id = m.lot_id
         where m.organization_id = $1 and ($2 is null or m.id = $2) and ($3 is null or m.user_id = $3)
             and ($4 is null or m.lot_id is null or m.lot_id = $4)
             and ($5 is null or (m.revoked_at is null and (m.valid_until is null or m.valid_until > $5)))
             and ($6 is null or m.revoked_at is not null or m.valid_until <= $6)
             and ($7 is null or lower(m.holder) like lower($7) escape '\\' or lower(m.label) like lower($7) escape '\\'
                 or m.plate_key like $8)
             and ($9 is null or (m.created_at, m.id) < ($9, $10))
         order by m.created_at desc, m.id desc limit $11",
    )
    .bind(organization).bind(filter.id).bind(filter.user).bind(filter.lot).bind(filter.current_at).bind(filter.over_at)
    .bind(search.map(like)).bind(plate).bind(filter.after.map(|after| after.0))
    .bind(filter.after.map(|after| after.1)).bind(filter.limit).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(Permit::from).collect())
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: PermitId) -> Result<Option<Permit>> {
    let filter = Filter { id: Some(id), limit: 1, ..Filter::default() };
    Ok(list(tx, organization, &filter).await?.pop())
}

/// The permit for a plate that holds in a lot at a moment; of several, the one that holds longest.
pub async fn for_plate(
    tx: &mut Tx,
    organization: OrganizationId,
    lot: LotId,
    plate: &str,
    at: Timestamp,
) -> Result<Option<PermitId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from parking_permit
         where organization_id = $1 and plate_key = $2 and plate_key <> '' and (lot_id is null or lot_id = $3)
             and valid_from <= $4 and (valid_until is null or valid_until > $4) and revoked_at is null
         order by case when valid_until is null then 0 else 1 end, valid_until desc, id limit 1",
    ).bind(organization).bind(plate).bind(lot).bind(at).fetch_optional(conn).await)?)
}

/// Makes it, or changes from when until when it holds.
pub async fn save(tx: &mut Tx, organization: OrganizationId, one: &Permit) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into parking_permit (id, organization_id, lot_id, user_id, holder, plate, plate_key, label, valid_from,
             valid_until, revoked_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (id) do update set valid_from = excluded.valid_from, valid_until = excluded.valid_until,
             revoked_at = excluded.revoked_at, updated_at = excluded.updated_at",
    )
    .bind(one.id).bind(organization).bind(one.lot_id).bind(one.user_id).bind(&one.holder).bind(&one.plate)
    .bind(plate_key(&one.plate)).bind(&one.label).bind(one.valid_from).bind(one.valid_until).bind(one.revoked_at)
    .bind(one.created_at).bind(one.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// A person is gone: his permits end, and do not tell who had them. How many there were.
pub async fn forget_holder(tx: &mut Tx, organization: OrganizationId, user: UserId, now: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update parking_permit set revoked_at = coalesce(revoked_at, $3), user_id = null, holder = '', plate = '',
             plate_key = '', updated_at = $3
         where organization_id = $1 and user_id = $2",
    ).bind(organization).bind(user).bind(now).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// The clock of what belongs to no lot.
pub async fn zone_of_organization(tx: &mut Tx, organization: OrganizationId) -> Result<String> {
    let zone: Option<String> = on_db!(tx, conn => sqlx::query_scalar(
        "select time_zone from organization_settings where organization_id = $1",
    ).bind(organization).fetch_optional(conn).await)?;
    Ok(zone.filter(|zone| !zone.is_empty()).unwrap_or_else(|| "UTC".to_owned()))
}
