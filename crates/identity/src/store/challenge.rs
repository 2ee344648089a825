use portico_model::{OrganizationId, SessionId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

/// Something begun that wants an answer.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Challenge {
    pub organization_id: Option<OrganizationId>,
    pub user_id: Option<UserId>,
    pub session_id: Option<SessionId>,
    /// JSON of what the one who began it must know again.
    pub state: String,
}

/// As [`insert`] wants it.
pub struct NewChallenge<'a> {
    pub token_hash: &'a [u8],
    pub organization: Option<OrganizationId>,
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub purpose: &'static str,
    pub state: &'a str,
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

pub async fn insert(tx: &mut Tx, challenge: NewChallenge<'_>) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into sign_in_challenge (token_hash, organization_id, user_id, session_id, purpose, state, created_at,
           expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(challenge.token_hash).bind(challenge.organization).bind(challenge.user).bind(challenge.session)
    .bind(challenge.purpose).bind(challenge.state).bind(challenge.now).bind(challenge.expires_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// By its token alone: 256 random bits.
pub async fn find(tx: &mut Tx, token_hash: &[u8], purpose: &str, now: Timestamp) -> Result<Option<Challenge>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, user_id, session_id, state from sign_in_challenge
         where token_hash = $1 and purpose = $2 and expires_at > $3",
    ).bind(token_hash).bind(purpose).bind(now).fetch_optional(conn).await)?)
}

pub async fn set_state(tx: &mut Tx, token_hash: &[u8], state: &str) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update sign_in_challenge set state = $2 where token_hash = $1")
        .bind(token_hash).bind(state).execute(conn).await.map(drop))?;
    Ok(())
}

/// Takes it away. Of two answers at once, one finds it.
pub async fn take(tx: &mut Tx, token_hash: &[u8], purpose: &str, now: Timestamp) -> Result<Option<Challenge>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "delete from sign_in_challenge where token_hash = $1 and purpose = $2 and expires_at > $3
         returning organization_id, user_id, session_id, state",
    ).bind(token_hash).bind(purpose).bind(now).fetch_optional(conn).await)?)
}

/// What a user has begun is void, such as after a new password.
pub async fn delete_of_user(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from sign_in_challenge where organization_id = $1 and user_id = $2")
        .bind(organization).bind(user).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query("delete from sign_in_challenge where expires_at < $1")
        .bind(now).execute(conn).await.map(|result| result.rows_affected()))?)
}
