use portico_model::identity::{Invitation, InvitationState, Role};
use portico_model::{InvitationId, OrganizationId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

use super::user::parse_role;

/// As [`insert`] wants it.
pub struct NewInvitation<'a> {
    pub id: InvitationId,
    pub organization: OrganizationId,
    pub email: &'a str,
    pub email_key: &'a str,
    pub role: Role,
    pub token_hash: &'a [u8],
    pub invited_by: Option<UserId>,
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: InvitationId,
    organization_id: OrganizationId,
    email: String,
    role: String,
    invited_by: Option<String>,
    created_at: Timestamp,
    sent_at: Timestamp,
    expires_at: Timestamp,
    accepted_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl Row {
    fn into_invitation(self, now: Timestamp) -> Result<(OrganizationId, Invitation)> {
        let state = match (self.accepted_at, self.revoked_at) {
            (Some(_), _) => InvitationState::Accepted,
            (None, Some(_)) => InvitationState::Revoked,
            (None, None) if self.expires_at <= now => InvitationState::Expired,
            (None, None) => InvitationState::Open,
        };
        let role = parse_role(&self.role)?;
        let invitation = Invitation {
            id: self.id,
            email: self.email,
            role,
            state,
            invited_by: self.invited_by,
            created_at: self.created_at,
            sent_at: self.sent_at,
            expires_at: self.expires_at,
        };
        Ok((self.organization_id, invitation))
    }
}

pub async fn insert(tx: &mut Tx, new: NewInvitation<'_>) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into invitation (id, organization_id, email, email_key, role, token_hash, invited_by, created_at,
           sent_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
    )
    .bind(new.id).bind(new.organization).bind(new.email).bind(new.email_key).bind(new.role.as_str())
    .bind(new.token_hash).bind(new.invited_by).bind(new.now).bind(new.expires_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// The newest first, only those before `before`.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    before: Option<InvitationId>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Invitation>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select i.id, i.organization_id, i.email, i.role, u.username as invited_by, i.created_at, i.sent_at,
           i.expires_at, i.accepted_at, i.revoked_at
         from invitation i left join user_account u on u.id = i.invited_by
         where i.organization_id = $1 and ($2 is null or i.id < $2) order by i.id desc limit $3",
    ).bind(organization).bind(before).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(|row| row.into_invitation(now).map(|(_, invitation)| invitation)).collect()
}

pub async fn find(
    tx: &mut Tx,
    organization: OrganizationId,
    id: InvitationId,
    now: Timestamp,
) -> Result<Option<Invitation>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select i.id, i.organization_id, i.email, i.role, u.username as invited_by, i.created_at, i.sent_at,
           i.expires_at, i.accepted_at, i.revoked_at
         from invitation i left join user_account u on u.id = i.invited_by
         where i.organization_id = $1 and i.id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(|row| row.into_invitation(now).map(|(_, invitation)| invitation)).transpose()
}

/// The open invitation of a link. By its token alone: 256 random bits.
pub async fn find_open(tx: &mut Tx, token_hash: &[u8], now: Timestamp) -> Result<Option<(OrganizationId, Invitation)>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select i.id, i.organization_id, i.email, i.role, u.username as invited_by, i.created_at, i.sent_at,
           i.expires_at, i.accepted_at, i.revoked_at
         from invitation i left join user_account u on u.id = i.invited_by
         where i.token_hash = $1 and i.accepted_at is null and i.revoked_at is null and i.expires_at > $2",
    ).bind(token_hash).bind(now).fetch_optional(conn).await)?;
    row.map(|row| row.into_invitation(now)).transpose()
}

/// How many are open.
pub async fn count_open(tx: &mut Tx, organization: OrganizationId, now: Timestamp) -> Result<i64> {
    let (count,): (i64,) = on_db!(tx, conn => sqlx::query_as(
        "select count(*) from invitation
         where organization_id = $1 and accepted_at is null and revoked_at is null and expires_at > $2",
    ).bind(organization).bind(now).fetch_one(conn).await)?;
    Ok(count)
}

/// Whether this address has an open one.
pub async fn is_invited(tx: &mut Tx, organization: OrganizationId, email_key: &str, now: Timestamp) -> Result<bool> {
    let row: Option<(InvitationId,)> = on_db!(tx, conn => sqlx::query_as(
        "select id from invitation where organization_id = $1 and email_key = $2 and accepted_at is null
           and revoked_at is null and expires_at > $3 limit 1",
    ).bind(organization).bind(email_key).bind(now).fetch_optional(conn).await)?;
    Ok(row.is_some())
}

/// Marks it as accepted. Of two at once, one does so.
pub async fn accept(tx: &mut Tx, organization: OrganizationId, id: InvitationId, now: Timestamp) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update invitation set accepted_at = $3 where organization_id = $1 and id = $2 and accepted_at is null
           and revoked_at is null and expires_at > $3",
    ).bind(organization).bind(id).bind(now).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

pub async fn revoke(tx: &mut Tx, organization: OrganizationId, id: InvitationId, now: Timestamp) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update invitation set revoked_at = $3 where organization_id = $1 and id = $2 and accepted_at is null
           and revoked_at is null",
    ).bind(organization).bind(id).bind(now).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

/// A new link in place of the old one. False when it was accepted or revoked.
pub async fn renew(
    tx: &mut Tx,
    organization: OrganizationId,
    id: InvitationId,
    token_hash: &[u8],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update invitation set token_hash = $3, sent_at = $4, expires_at = $5
         where organization_id = $1 and id = $2 and accepted_at is null and revoked_at is null",
    ).bind(organization).bind(id).bind(token_hash).bind(now).bind(expires_at)
    .execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

/// Removes what has been over for long.
pub async fn delete_stale(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from invitation where expires_at < $1 or accepted_at < $1 or revoked_at < $1",
    ).bind(before).execute(conn).await.map(|result| result.rows_affected()))?)
}
