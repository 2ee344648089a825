//! SQL of people and their groups.

use portico_model::access::Level;
use portico_model::access::people::{Person, PersonGroup, PersonGroupInput, PersonInput};
use portico_model::{DeviceId, OrganizationId, PersonGroupId, PersonId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: PersonId,
    number: i64,
    name: String,
    employee_id: Option<String>,
    email: Option<String>,
    user_id: Option<UserId>,
    user_name: Option<String>,
    level: String,
    is_active: bool,
    credential_count: i64,
    last_access_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for Person {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let level = Level::parse(&row.level);
        Ok(Self {
            id: row.id,
            number: row.number,
            name: row.name,
            employee_id: row.employee_id,
            email: row.email,
            user_id: row.user_id,
            user_name: row.user_name,
            level: level.ok_or_else(|| Error::internal("a person's level in the database is unknown"))?,
            is_active: row.is_active,
            credential_count: row.credential_count,
            last_access_at: row.last_access_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// `$1` the organisation.
macro_rules! select_person {
    ($rest:literal) => {
        concat!(
            "select p.id, p.number, p.name, p.employee_id, p.email, p.user_id, u.username as user_name, p.level, p.is_active,
                    (select count(*) from access_credential c where c.person_id = p.id) as credential_count,
                    p.last_access_at, p.created_at, p.updated_at
             from access_person p
             left join user_account u on u.id = p.user_id and u.organization_id = p.organization_id
             where p.organization_id = $1 ",
            $rest
        )
    };
}

/// Which people to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub search: Option<String>,
    pub level: Option<Level>,
    pub is_active: Option<bool>,
    pub group: Option<PersonGroupId>,
    pub limit: i64,
    pub offset: i64,
}

fn like_pattern(text: &str) -> String {
    let escaped = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: PersonId) -> Result<Option<Person>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_person!("and p.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Person::try_from).transpose()
}

pub async fn find_by_number(tx: &mut Tx, organization: OrganizationId, number: i64) -> Result<Option<Person>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_person!("and p.number = $2"))
        .bind(organization).bind(number).fetch_optional(conn).await)?;
    row.map(Person::try_from).transpose()
}

/// The person of an account.
pub async fn find_by_user(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<Option<Person>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_person!("and p.user_id = $2"))
        .bind(organization).bind(user).fetch_optional(conn).await)?;
    row.map(Person::try_from).transpose()
}

/// Deactivates a person and takes the account away from him.
pub async fn release(tx: &mut Tx, organization: OrganizationId, id: PersonId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_person set user_id = null, is_active = $3, updated_at = $4 where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).bind(false).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// By name.
pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<Vec<Person>> {
    let search = filter.search.as_deref().map(like_pattern);
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_person!(
        "and ($2 is null or p.search_text like $2 escape '!') and ($3 is null or p.level = $3)
         and ($4 is null or p.is_active = $4)
         and ($5 is null or exists (
             select 1 from access_person_group_member m where m.group_id = $5 and m.person_id = p.id))
         order by p.search_text, p.id limit $6 offset $7"
    ))
    .bind(organization).bind(search).bind(filter.level.map(Level::as_str)).bind(filter.is_active).bind(filter.group)
    .bind(filter.limit).bind(filter.offset).fetch_all(conn).await)?;
    rows.into_iter().map(Person::try_from).collect()
}

/// How many there are on all pages.
pub async fn count(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<i64> {
    let search = filter.search.as_deref().map(like_pattern);
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_person p where p.organization_id = $1
         and ($2 is null or p.search_text like $2 escape '!') and ($3 is null or p.level = $3)
         and ($4 is null or p.is_active = $4)
         and ($5 is null or exists (
             select 1 from access_person_group_member m where m.group_id = $5 and m.person_id = p.id))",
    )
    .bind(organization).bind(search).bind(filter.level.map(Level::as_str)).bind(filter.is_active).bind(filter.group)
    .fetch_one(conn).await)?)
}

pub async fn next_number(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select coalesce(max(number), 0) + 1 from access_person where organization_id = $1",
    ).bind(organization).fetch_one(conn).await)?)
}

/// What a search looks through; the name first, because lists are in its order.
fn search_text(number: i64, person: &PersonInput) -> String {
    let employee = person.employee_id.as_deref().unwrap_or_default();
    let email = person.email.as_deref().unwrap_or_default();
    [&person.name, employee, email, &number.to_string()].join("\n").to_lowercase()
}

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    id: PersonId,
    number: i64,
    person: &PersonInput,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_person (id, organization_id, number, name, search_text, employee_id, email, user_id, level,
             is_active, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
    )
    .bind(id).bind(organization).bind(number).bind(&person.name).bind(search_text(number, person))
    .bind(&person.employee_id).bind(&person.email).bind(person.user_id).bind(person.level.as_str())
    .bind(person.is_active).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn update(
    tx: &mut Tx,
    organization: OrganizationId,
    id: PersonId,
    number: i64,
    person: &PersonInput,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_person set name = $3, search_text = $4, employee_id = $5, email = $6, user_id = $7, level = $8,
             is_active = $9, updated_at = $10
         where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(id).bind(&person.name).bind(search_text(number, person)).bind(&person.employee_id)
    .bind(&person.email).bind(person.user_id).bind(person.level.as_str()).bind(person.is_active).bind(now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: PersonId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_person where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn employee_is_taken(
    tx: &mut Tx,
    organization: OrganizationId,
    except: PersonId,
    employee: &str,
) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_person where organization_id = $1 and employee_id = $2 and id <> $3",
    ).bind(organization).bind(employee).bind(except).fetch_one(conn).await)?;
    Ok(found > 0)
}

pub async fn user_exists(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from user_account where organization_id = $1 and id = $2",
    ).bind(organization).bind(user).fetch_one(conn).await)?;
    Ok(found > 0)
}

pub async fn user_is_taken(tx: &mut Tx, organization: OrganizationId, except: PersonId, user: UserId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_person where organization_id = $1 and user_id = $2 and id <> $3",
    ).bind(organization).bind(user).bind(except).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Groups by name. `of`: only those this person is in.
pub async fn groups(tx: &mut Tx, organization: OrganizationId, of: Option<PersonId>) -> Result<Vec<PersonGroup>> {
    let rows: Vec<(PersonGroupId, String, String, Timestamp, i64)> = on_db!(tx, conn => sqlx::query_as(
        "select g.id, g.name, g.description, g.created_at,
                (select count(*) from access_person_group_member m where m.group_id = g.id)
         from access_person_group g
         where g.organization_id = $1 and ($2 is null or exists (
             select 1 from access_person_group_member m where m.group_id = g.id and m.person_id = $2))
         order by g.name, g.id limit 1000",
    ).bind(organization).bind(of).fetch_all(conn).await)?;
    let group = |(id, name, description, created_at, member_count)| PersonGroup {
        id,
        name,
        description,
        member_count,
        created_at,
    };
    Ok(rows.into_iter().map(group).collect())
}

pub async fn find_group(tx: &mut Tx, organization: OrganizationId, id: PersonGroupId) -> Result<Option<PersonGroup>> {
    let row: Option<(String, String, Timestamp, i64)> = on_db!(tx, conn => sqlx::query_as(
        "select g.name, g.description, g.created_at,
                (select count(*) from access_person_group_member m where m.group_id = g.id)
         from access_person_group g where g.organization_id = $1 and g.id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    Ok(row.map(|(name, description, created_at, member_count)| PersonGroup {
        id,
        name,
        description,
        member_count,
        created_at,
    }))
}

pub async fn group_name_is_taken(
    tx: &mut Tx,
    organization: OrganizationId,
    except: PersonGroupId,
    name: &str,
) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_person_group where organization_id = $1 and name = $2 and id <> $3",
    ).bind(organization).bind(name).bind(except).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Makes it, or changes the one of this id.
pub async fn save_group(
    tx: &mut Tx,
    organization: OrganizationId,
    id: PersonGroupId,
    group: &PersonGroupInput,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_person_group (id, organization_id, name, description, created_at) values ($1, $2, $3, $4, $5)
         on conflict (id) do update set name = excluded.name, description = excluded.description",
    ).bind(id).bind(organization).bind(&group.name).bind(&group.description).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_group(tx: &mut Tx, organization: OrganizationId, id: PersonGroupId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_person_group where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// Both are known to be the organisation's.
pub async fn add_member(
    tx: &mut Tx,
    organization: OrganizationId,
    group: PersonGroupId,
    person: PersonId,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_person_group_member (group_id, person_id, organization_id) values ($1, $2, $3)
         on conflict do nothing",
    ).bind(group).bind(person).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn remove_member(
    tx: &mut Tx,
    organization: OrganizationId,
    group: PersonGroupId,
    person: PersonId,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "delete from access_person_group_member where group_id = $1 and person_id = $2 and organization_id = $3",
    ).bind(group).bind(person).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

/// Whether the organisation has this device.
pub async fn device_exists(tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from device where organization_id = $1 and id = $2 and deleted_at is null",
    ).bind(organization).bind(id).fetch_one(conn).await)?;
    Ok(found > 0)
}
