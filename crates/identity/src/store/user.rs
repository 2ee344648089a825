use portico_model::identity::{CurrentUser, Role, User};
use portico_model::{OrganizationId, SessionId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

use crate::input::{Email, Username, name_key};

/// An account with what only the server may see.
#[derive(Debug, Clone)]
pub struct Account {
    pub organization: OrganizationId,
    pub password_hash: String,
    pub user: User,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: UserId,
    organization_id: OrganizationId,
    username: String,
    email: String,
    role: String,
    password_hash: String,
    is_active: bool,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
    email_verified_at: Option<Timestamp>,
}

impl Row {
    fn into_account(self) -> Result<Account> {
        Ok(Account {
            organization: self.organization_id,
            password_hash: self.password_hash,
            user: User {
                id: self.id,
                username: self.username,
                email: self.email,
                role: parse_role(&self.role)?,
                is_active: self.is_active,
                created_at: self.created_at,
                last_login_at: self.last_login_at,
                email_verified_at: self.email_verified_at,
            },
        })
    }
}

pub(crate) fn parse_role(text: &str) -> Result<Role> {
    Role::parse(text).ok_or_else(|| Error::internal(format!("unknown role {text} in the database")))
}

/// By user name or e-mail, in whatever organisation: signing in is how the organisation is found.
pub async fn find_by_login(tx: &mut Tx, login_key: &str) -> Result<Option<Account>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, username, email, role, password_hash, is_active, created_at, last_login_at,
           email_verified_at
         from user_account where username_key = $1 or email_key = $1",
    ).bind(login_key).fetch_optional(conn).await)?;
    row.map(Row::into_account).transpose()
}

/// By id, in whatever organisation: a trusted proxy names no other.
pub async fn find_anywhere(tx: &mut Tx, id: UserId) -> Result<Option<Account>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, username, email, role, password_hash, is_active, created_at, last_login_at,
           email_verified_at
         from user_account where id = $1",
    ).bind(id).fetch_optional(conn).await)?;
    row.map(Row::into_account).transpose()
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: UserId) -> Result<Option<Account>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, username, email, role, password_hash, is_active, created_at, last_login_at,
           email_verified_at
         from user_account where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Row::into_account).transpose()
}

/// Which of the slice of a list is wanted.
pub struct Slice<'a> {
    /// Part of user name or e-mail, lower case.
    pub search: Option<&'a str>,
    /// Only those whose name comes after this one.
    pub after: Option<&'a str>,
    pub offset: i64,
    pub limit: i64,
}

/// By user name.
pub async fn list(tx: &mut Tx, organization: OrganizationId, slice: Slice<'_>) -> Result<Vec<User>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, username, email, role, password_hash, is_active, created_at, last_login_at,
           email_verified_at
         from user_account
         where organization_id = $1 and username_key > $2
           and ($3 is null or username_key like $3 escape '\\' or email_key like $3 escape '\\')
         order by username_key limit $4 offset $5",
    )
    .bind(organization).bind(slice.after.unwrap_or_default()).bind(slice.search.map(contains))
    .bind(slice.limit).bind(slice.offset)
    .fetch_all(conn).await)?;
    rows.into_iter().map(|row| row.into_account().map(|account| account.user)).collect()
}

/// Everyone with this role who may sign in.
pub async fn active_of_role(tx: &mut Tx, organization: OrganizationId, role: Role) -> Result<Vec<User>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, username, email, role, password_hash, is_active, created_at, last_login_at,
           email_verified_at
         from user_account where organization_id = $1 and role = $2 and is_active order by username_key",
    ).bind(organization).bind(role.as_str()).fetch_all(conn).await)?;
    rows.into_iter().map(|row| row.into_account().map(|account| account.user)).collect()
}

pub async fn count(tx: &mut Tx, organization: OrganizationId, search: Option<&str>) -> Result<i64> {
    let (count,): (i64,) = on_db!(tx, conn => sqlx::query_as(
        "select count(*) from user_account where organization_id = $1
           and ($2 is null or username_key like $2 escape '\\' or email_key like $2 escape '\\')",
    ).bind(organization).bind(search.map(contains)).fetch_one(conn).await)?;
    Ok(count)
}

/// A `like` pattern that finds the text anywhere, its own wildcards taken literally.
fn contains(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Whether there is any administrator, in any organisation.
pub async fn any_admin(tx: &mut Tx) -> Result<bool> {
    let row: Option<(bool,)> = on_db!(tx, conn =>
        sqlx::query_as("select is_active from user_account where role = 'admin' limit 1").fetch_optional(conn).await)?;
    Ok(row.is_some())
}

pub async fn count_admins(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    let (count,): (i64,) = on_db!(tx, conn => sqlx::query_as(
        "select count(*) from user_account where organization_id = $1 and role = 'admin' and is_active",
    ).bind(organization).fetch_one(conn).await)?;
    Ok(count)
}

/// Conflict, when another account of the instance has one of the names.
pub async fn check_free(tx: &mut Tx, username: &Username, email: &Email, except: Option<UserId>) -> Result<()> {
    let taken: Vec<(UserId, String)> = on_db!(tx, conn => sqlx::query_as(
        "select id, username_key from user_account where username_key = $1 or email_key = $2",
    ).bind(name_key(username.as_str())).bind(name_key(email.as_str())).fetch_all(conn).await)?;
    let mut others = taken.into_iter().filter(|(id, _)| Some(*id) != except).peekable();
    if others.peek().is_none() {
        return Ok(());
    }
    if others.any(|(_, key)| key == name_key(username.as_str())) {
        let message = format!("User with username '{}' already exists", username.as_str());
        return Err(Error::conflict("username_taken", message).titled("Username already exists"));
    }
    let message = format!("User with email '{}' already exists", email.as_str());
    Err(Error::conflict("email_taken", message).titled("Email already exists"))
}

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    id: UserId,
    (username, email): (&Username, &Email),
    role: Role,
    password_hash: &str,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into user_account (id, organization_id, username, username_key, email, email_key, role, password_hash,
           is_active, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
    )
    .bind(id).bind(organization)
    .bind(username.as_str()).bind(name_key(username.as_str())).bind(email.as_str()).bind(name_key(email.as_str()))
    .bind(role.as_str()).bind(password_hash).bind(true).bind(now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn update(
    tx: &mut Tx,
    organization: OrganizationId,
    id: UserId,
    (username, email): (&Username, &Email),
    role: Role,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update user_account set username = $3, username_key = $4, email = $5, email_key = $6, role = $7,
           updated_at = $8, email_verified_at = case when email_key = $6 then email_verified_at end
         where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(id)
    .bind(username.as_str()).bind(name_key(username.as_str())).bind(email.as_str()).bind(name_key(email.as_str()))
    .bind(role.as_str()).bind(now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_active(
    tx: &mut Tx,
    organization: OrganizationId,
    id: UserId,
    is_active: bool,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update user_account set is_active = $3, updated_at = $4 where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).bind(is_active).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_password(
    tx: &mut Tx,
    organization: OrganizationId,
    id: UserId,
    password_hash: &str,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update user_account set password_hash = $3, updated_at = $4 where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).bind(password_hash).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// The owner has proved that this is his address. False when the account has another by now.
pub async fn set_email_verified(
    tx: &mut Tx,
    organization: OrganizationId,
    id: UserId,
    email: &str,
    now: Timestamp,
) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update user_account set email_verified_at = coalesce(email_verified_at, $4)
         where organization_id = $1 and id = $2 and email_key = $3",
    ).bind(organization).bind(id).bind(name_key(email)).bind(now)
    .execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

pub async fn set_last_login(tx: &mut Tx, organization: OrganizationId, id: UserId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update user_account set last_login_at = $3 where organization_id = $1 and id = $2")
        .bind(organization).bind(id).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Removes the account with its sessions. False while other domains hold things of this user.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: UserId) -> Result<bool> {
    let result = on_db!(tx, conn => sqlx::query("delete from user_account where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop));
    match result {
        Ok(()) => Ok(true),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[derive(sqlx::FromRow)]
struct CurrentRow {
    organization_name: String,
    username: String,
    email: String,
    role: String,
    email_verified_at: Option<Timestamp>,
}

pub async fn find_current(
    tx: &mut Tx,
    organization: OrganizationId,
    id: UserId,
    session: SessionId,
) -> Result<Option<CurrentUser>> {
    let row: Option<CurrentRow> = on_db!(tx, conn => sqlx::query_as(
        "select o.name as organization_name, u.username, u.email, u.role, u.email_verified_at
         from user_account u join organization o on o.id = u.organization_id
         where u.organization_id = $1 and u.id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(|row| {
        Ok(CurrentUser {
            id,
            organization_id: organization,
            organization_name: row.organization_name,
            username: row.username,
            email: row.email,
            role: parse_role(&row.role)?,
            session_id: session,
            email_verified_at: row.email_verified_at,
        })
    })
    .transpose()
}

/// Role, whether active, how many.
pub async fn counts(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<(String, bool, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select role, is_active, count(*) from user_account where organization_id = $1 group by role, is_active",
    ).bind(organization).fetch_all(conn).await)?)
}

/// Sign-ins on record that failed or were refused since then.
pub async fn count_failed_sign_ins(tx: &mut Tx, organization: OrganizationId, since: Timestamp) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from audit where organization_id = $1 and at >= $2
           and action in ('auth.sign_in_failed', 'auth.refused_while_locked', 'auth.sign_in_inactive')",
    ).bind(organization).bind(since).fetch_one(conn).await)?)
}
