use portico_model::identity::{Role, Session};
use portico_model::{OrganizationId, SessionId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

use crate::service::SessionKind;

/// What a new session starts with.
pub struct NewSession<'a> {
    pub id: SessionId,
    pub organization: OrganizationId,
    pub user: UserId,
    pub kind: SessionKind,
    /// How the person proved who he is.
    pub method: &'a str,
    pub user_agent: &'a str,
    pub address: &'a str,
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

pub async fn insert(tx: &mut Tx, session: NewSession<'_>) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into user_session (id, organization_id, user_id, kind, user_agent, address, created_at, last_used_at,
           authenticated_at, expires_at, method) values ($1, $2, $3, $4, $5, $6, $7, $7, $7, $8, $9)",
    )
    .bind(session.id).bind(session.organization).bind(session.user).bind(session.kind.as_str())
    .bind(session.user_agent).bind(session.address).bind(session.now).bind(session.expires_at).bind(session.method)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// Who a live session belongs to.
pub struct Live {
    pub username: String,
    pub role: Role,
    pub last_used_at: Timestamp,
}

/// The session, if it has neither ended nor expired and its account is active.
pub async fn find_live(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<Live>> {
    let row: Option<(String, String, Timestamp)> = on_db!(tx, conn => sqlx::query_as(
        "select u.username, u.role, s.last_used_at
         from user_session s join user_account u on u.id = s.user_id and u.organization_id = s.organization_id
         where s.organization_id = $1 and s.id = $2 and s.user_id = $3 and s.ended_at is null and s.expires_at > $4
           and u.is_active",
    ).bind(organization).bind(session).bind(user).bind(now).fetch_optional(conn).await)?;
    row.map(|(username, role, last_used_at)| Ok(Live { username, role: super::user::parse_role(&role)?, last_used_at }))
        .transpose()
}

/// The session a refresh token belongs to.
#[derive(Debug, Clone)]
pub struct Family {
    pub session: SessionId,
    pub organization: OrganizationId,
    pub user: UserId,
    pub kind: SessionKind,
    /// Neither ended nor expired, and the account is active.
    pub is_live: bool,
    pub token_expires_at: Timestamp,
    pub replaced_at: Option<Timestamp>,
    pub successor_salt: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct FamilyRow {
    session_id: SessionId,
    organization_id: OrganizationId,
    user_id: UserId,
    kind: String,
    ended_at: Option<Timestamp>,
    session_expires_at: Timestamp,
    is_active: bool,
    token_expires_at: Timestamp,
    replaced_at: Option<Timestamp>,
    successor_salt: Option<Vec<u8>>,
}

/// By the token alone: it is 256 random bits, and it is how the organisation is found.
pub async fn find_family(tx: &mut Tx, token_hash: &[u8], now: Timestamp) -> Result<Option<Family>> {
    let row: Option<FamilyRow> = on_db!(tx, conn => sqlx::query_as(
        "select s.id as session_id, s.organization_id, s.user_id, s.kind, s.ended_at,
           s.expires_at as session_expires_at, u.is_active, t.expires_at as token_expires_at, t.replaced_at,
           t.successor_salt
         from refresh_token t
         join user_session s on s.id = t.session_id and s.organization_id = t.organization_id
         join user_account u on u.id = s.user_id and u.organization_id = s.organization_id
         where t.token_hash = $1",
    ).bind(token_hash).fetch_optional(conn).await)?;
    row.map(|row| {
        Ok(Family {
            session: row.session_id,
            organization: row.organization_id,
            user: row.user_id,
            kind: SessionKind::parse(&row.kind).ok_or_else(|| Error::internal("unknown kind of session"))?,
            is_live: row.is_active && row.ended_at.is_none() && row.session_expires_at > now,
            token_expires_at: row.token_expires_at,
            replaced_at: row.replaced_at,
            successor_salt: row.successor_salt,
        })
    })
    .transpose()
}

/// Marks the token as replaced. False when another request has done so already: the row's lock lets one through.
pub async fn replace_token(tx: &mut Tx, token_hash: &[u8], salt: &[u8], now: Timestamp) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update refresh_token set replaced_at = $2, successor_salt = $3 where token_hash = $1 and replaced_at is null",
    ).bind(token_hash).bind(now).bind(salt).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

pub async fn insert_token(
    tx: &mut Tx,
    organization: OrganizationId,
    session: SessionId,
    token_hash: &[u8],
    expires_at: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into refresh_token (token_hash, organization_id, session_id, expires_at) values ($1, $2, $3, $4)",
    ).bind(token_hash).bind(organization).bind(session).bind(expires_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// A refresh prolongs the session.
pub async fn prolong(
    tx: &mut Tx,
    organization: OrganizationId,
    session: SessionId,
    (address, user_agent): (&str, &str),
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update user_session set last_used_at = $3, expires_at = $4, address = $5, user_agent = $6
         where organization_id = $1 and id = $2",
    ).bind(organization).bind(session).bind(now).bind(expires_at).bind(address).bind(user_agent)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn touch(tx: &mut Tx, organization: OrganizationId, session: SessionId, at: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update user_session set last_used_at = $3 where organization_id = $1 and id = $2 and last_used_at < $3",
    ).bind(organization).bind(session).bind(at).execute(conn).await.map(drop))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: SessionId,
    user_agent: String,
    address: String,
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
}

/// The live sessions of a user, the one used last first; at most a hundred.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    current: Option<SessionId>,
    now: Timestamp,
) -> Result<Vec<Session>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, user_agent, address, created_at, last_used_at, expires_at from user_session
         where organization_id = $1 and user_id = $2 and ended_at is null and expires_at > $3
         order by last_used_at desc, id desc limit 100",
    ).bind(organization).bind(user).bind(now).fetch_all(conn).await)?;
    Ok(rows
        .into_iter()
        .map(|row| Session {
            current: Some(row.id) == current,
            id: row.id,
            user_agent: row.user_agent,
            address: row.address,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        })
        .collect())
}

/// Whose session it is, while it lives.
pub async fn find_owner(
    tx: &mut Tx,
    organization: OrganizationId,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<UserId>> {
    let row: Option<(UserId,)> = on_db!(tx, conn => sqlx::query_as(
        "select user_id from user_session
         where organization_id = $1 and id = $2 and ended_at is null and expires_at > $3",
    ).bind(organization).bind(session).bind(now).fetch_optional(conn).await)?;
    Ok(row.map(|(user,)| user))
}

/// False when it had ended already.
pub async fn end(
    tx: &mut Tx,
    organization: OrganizationId,
    session: SessionId,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update user_session set ended_at = $3, end_reason = $4
         where organization_id = $1 and id = $2 and ended_at is null",
    ).bind(organization).bind(session).bind(now).bind(reason)
    .execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

/// Ends the live sessions of this kind beyond the `keep` used last, and tells which.
pub async fn end_beyond(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    kind: SessionKind,
    keep: i64,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let rows: Vec<(SessionId,)> = on_db!(tx, conn => sqlx::query_as(
        "update user_session set ended_at = $4, end_reason = 'too_many_sessions'
         where organization_id = $1 and ended_at is null and id in (
           select id from user_session
           where organization_id = $1 and user_id = $2 and kind = $3 and ended_at is null and expires_at > $4
           order by last_used_at desc, id desc limit 1000 offset $5)
         returning id",
    ).bind(organization).bind(user).bind(kind.as_str()).bind(now).bind(keep).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// When the person of a session last proved who he is.
pub async fn authenticated_at(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    session: SessionId,
) -> Result<Option<Timestamp>> {
    let row: Option<(Timestamp,)> = on_db!(tx, conn => sqlx::query_as(
        "select authenticated_at from user_session where organization_id = $1 and user_id = $2 and id = $3",
    ).bind(organization).bind(user).bind(session).fetch_optional(conn).await)?;
    Ok(row.map(|(at,)| at))
}

pub async fn set_authenticated(
    tx: &mut Tx,
    organization: OrganizationId,
    session: SessionId,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update user_session set authenticated_at = $3 where organization_id = $1 and id = $2",
    ).bind(organization).bind(session).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Ends the sessions of a user but one, and tells which.
pub async fn end_all(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    except: Option<SessionId>,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let rows: Vec<(SessionId,)> = on_db!(tx, conn => sqlx::query_as(
        "update user_session set ended_at = $3, end_reason = $4
         where organization_id = $1 and user_id = $2 and ended_at is null and ($5 is null or id <> $5)
         returning id",
    ).bind(organization).bind(user).bind(now).bind(reason).bind(except).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Removes sessions that ended or expired before `before`, with their tokens, and tokens expired by `now`.
pub async fn delete_stale(tx: &mut Tx, before: Timestamp, now: Timestamp) -> Result<u64> {
    on_db!(&mut *tx, conn => sqlx::query("delete from refresh_token where expires_at < $1")
        .bind(now).execute(conn).await.map(drop))?;
    Ok(on_db!(tx, conn => sqlx::query("delete from user_session where expires_at < $1 or ended_at < $1")
        .bind(before).execute(conn).await.map(|result| result.rows_affected()))?)
}

pub async fn count_live(tx: &mut Tx, organization: OrganizationId, now: Timestamp) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from user_session where organization_id = $1 and ended_at is null and expires_at > $2",
    ).bind(organization).bind(now).fetch_one(conn).await)?)
}
