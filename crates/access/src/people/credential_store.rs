//! SQL of credentials.

use portico_model::access::people::{Credential, CredentialKind, CredentialValidity};
use portico_model::{CredentialId, DeviceId, OrganizationId, PersonId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: CredentialId,
    person_id: PersonId,
    kind: String,
    hint: String,
    reader_id: Option<DeviceId>,
    reader_name: Option<String>,
    is_active: bool,
    valid_from: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl TryFrom<Row> for Credential {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let kind = CredentialKind::parse(&row.kind);
        Ok(Self {
            id: row.id,
            person_id: row.person_id,
            kind: kind.ok_or_else(|| Error::internal("a credential's kind in the database is unknown"))?,
            hint: row.hint,
            reader_id: row.reader_id,
            reader_name: row.reader_name,
            is_active: row.is_active,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
        })
    }
}

/// `$1` the organisation.
macro_rules! select_credential {
    ($rest:literal) => {
        concat!(
            "select c.id, c.person_id, c.kind, c.hint, c.reader_id, d.name as reader_name, c.is_active, c.valid_from,
                    c.valid_until, c.last_used_at, c.created_at
             from access_credential c
             left join device d on d.id = c.reader_id and d.organization_id = c.organization_id
             where c.organization_id = $1 ",
            $rest
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: CredentialId) -> Result<Option<Credential>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_credential!("and c.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Credential::try_from).transpose()
}

/// The newest first.
pub async fn of_person(tx: &mut Tx, organization: OrganizationId, person: PersonId) -> Result<Vec<Credential>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_credential!(
        "and c.person_id = $2 order by c.id desc limit 100"
    )).bind(organization).bind(person).fetch_all(conn).await)?;
    rows.into_iter().map(Credential::try_from).collect()
}

/// Whose it is already.
pub async fn holder_of(
    tx: &mut Tx,
    organization: OrganizationId,
    kind: CredentialKind,
    lookup: &str,
    reader: Option<DeviceId>,
) -> Result<Option<(CredentialId, PersonId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, person_id from access_credential
         where organization_id = $1 and kind = $2 and lookup = $3
           and (reader_id = $4 or ($4 is null and reader_id is null))",
    ).bind(organization).bind(kind.as_str()).bind(lookup).bind(reader).fetch_optional(conn).await)?)
}

/// What of a credential is stored beside what is shown.
pub async fn insert(tx: &mut Tx, organization: OrganizationId, credential: &Credential, lookup: &str) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_credential (id, organization_id, person_id, kind, lookup, hint, reader_id, is_active, valid_from,
             valid_until, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
    )
    .bind(credential.id).bind(organization).bind(credential.person_id).bind(credential.kind.as_str()).bind(lookup)
    .bind(&credential.hint).bind(credential.reader_id).bind(credential.is_active).bind(credential.valid_from)
    .bind(credential.valid_until).bind(credential.created_at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_validity(
    tx: &mut Tx,
    organization: OrganizationId,
    id: CredentialId,
    validity: CredentialValidity,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_credential set is_active = $3, valid_from = $4, valid_until = $5, updated_at = $6
         where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(id).bind(validity.is_active).bind(validity.valid_from).bind(validity.valid_until).bind(now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: CredentialId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_credential where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_of_person(tx: &mut Tx, organization: OrganizationId, person: PersonId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_credential where organization_id = $1 and person_id = $2")
        .bind(organization).bind(person).execute(conn).await.map(drop))?;
    Ok(())
}
