use portico_model::alarms::Severity;
use portico_model::notifications::{Webhook, WebhookInput};
use portico_model::{OrganizationId, Timestamp, WebhookId};
use portico_platform::{Error, Result, Tx, on_db};

/// A webhook with what messages to it are signed with, encrypted.
pub struct WithSecrets {
    pub webhook: Webhook,
    pub secret: Vec<u8>,
    pub previous_secret: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: WebhookId,
    name: String,
    url: String,
    kinds: String,
    min_severity: String,
    is_active: bool,
    secret: Vec<u8>,
    previous_secret: Option<Vec<u8>>,
    previous_secret_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Row {
    fn into_webhook(self) -> Result<WithSecrets> {
        let webhook = Webhook {
            id: self.id,
            name: self.name,
            url: self.url,
            kinds: serde_json::from_str(&self.kinds).map_err(Error::internal)?,
            min_severity: Severity::parse(&self.min_severity)
                .ok_or_else(|| Error::internal("unknown severity in the database"))?,
            is_active: self.is_active,
            created_at: self.created_at,
            updated_at: self.updated_at,
            previous_secret_until: self.previous_secret_until,
        };
        Ok(WithSecrets { webhook, secret: self.secret, previous_secret: self.previous_secret })
    }
}

/// By name, then age.
pub async fn list(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<WithSecrets>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, name, url, kinds, min_severity, is_active, secret, previous_secret, previous_secret_until, created_at,
           updated_at
         from webhook where organization_id = $1 order by lower(name), id",
    ).bind(organization).fetch_all(conn).await)?;
    rows.into_iter().map(Row::into_webhook).collect()
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: WebhookId) -> Result<Option<WithSecrets>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, name, url, kinds, min_severity, is_active, secret, previous_secret, previous_secret_until, created_at,
           updated_at
         from webhook where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Row::into_webhook).transpose()
}

/// How many there are. Locks the organisation, so that two at the same time cannot pass the limit together.
pub async fn count_locked(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    on_db!(&mut *tx, conn => sqlx::query("update organization set name = name where id = $1")
        .bind(organization).execute(conn).await.map(drop))?;
    let (count,): (i64,) = on_db!(tx, conn => sqlx::query_as("select count(*) from webhook where organization_id = $1")
        .bind(organization).fetch_one(conn).await)?;
    Ok(count)
}

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    id: WebhookId,
    input: &WebhookInput,
    secret: &[u8],
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into webhook (id, organization_id, name, url, kinds, min_severity, is_active, secret, created_at,
           updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
    )
    .bind(id).bind(organization).bind(&input.name).bind(&input.url).bind(kinds(input))
    .bind(input.min_severity.as_str()).bind(input.is_active).bind(secret).bind(now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn update(
    tx: &mut Tx,
    organization: OrganizationId,
    id: WebhookId,
    input: &WebhookInput,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update webhook set name = $3, url = $4, kinds = $5, min_severity = $6, is_active = $7, updated_at = $8
         where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(id).bind(&input.name).bind(&input.url).bind(kinds(input))
    .bind(input.min_severity.as_str()).bind(input.is_active).bind(now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// Makes the secret the previous one and sets a new one.
pub async fn rotate(
    tx: &mut Tx,
    organization: OrganizationId,
    id: WebhookId,
    secret: &[u8],
    previous_until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update webhook set previous_secret = secret, secret = $3, previous_secret_until = $4, updated_at = $5
         where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).bind(secret).bind(previous_until).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: WebhookId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from webhook where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

fn kinds(input: &WebhookInput) -> String {
    serde_json::json!(input.kinds).to_string()
}
