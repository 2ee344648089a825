//! REST of people, their groups and credentials.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::access::Level;
use portico_model::access::people::{
    Credential, CredentialValidity, MadeCredential, NewCredential, Person, PersonDetail, PersonGroup, PersonGroupInput,
    PersonInput,
};
use portico_model::{CredentialId, PersonGroupId, PersonId, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::PersonQuery;
use crate::Access;

pub fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(add_credential))
        .routes(routes!(set_credential, delete_credential))
        .routes(routes!(groups, create_group))
        .routes(routes!(get_group, update_group, delete_group))
        .routes(routes!(add_member, remove_member))
        .merge(super::enrolment_rest::router())
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Part of the name, employee id, e-mail address or number.
    search: Option<String>,
    level: Option<Level>,
    active: Option<bool>,
    /// Only members of this group.
    group_id: Option<PersonGroupId>,
    /// 1 to 500; absent: 100.
    limit: Option<i64>,
    offset: Option<i64>,
}

/// A part of the list of people.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct People {
    items: Vec<Person>,
    /// All, on whichever page.
    #[schema(example = 1)]
    total: i64,
}

/// People who come through doors, by name
#[utoipa::path(get, path = "/api/v1/access/people", tag = "access", params(ListQuery), responses(
    (status = 200, body = People),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn list(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<People>> {
    let query = PersonQuery {
        search: query.search,
        level: query.level,
        is_active: query.active,
        group: query.group_id,
        limit: query.limit,
        offset: query.offset,
    };
    let (items, total) = access.people(&actor, &query).await?;
    Ok(Json(People { items, total }))
}

/// Add a person
///
/// The number that existing readers know him by is given by itself.
#[utoipa::path(post, path = "/api/v1/access/people", tag = "access", request_body = PersonInput, responses(
    (status = 201, body = Person),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "Another person has the employee id or the account"),
))]
pub async fn create(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(new): Json<PersonInput>,
) -> Result<(StatusCode, Json<Person>)> {
    Ok((StatusCode::CREATED, Json(access.create_person(&actor, new).await?)))
}

/// A person with credentials, groups and enrolments
#[utoipa::path(get, path = "/api/v1/access/people/{id}", tag = "access", params(("id" = PersonId, Path)), responses(
    (status = 200, body = PersonDetail),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PersonId>,
) -> Result<Json<PersonDetail>> {
    Ok(Json(access.person(&actor, id).await?))
}

/// Replace what is known of a person
#[utoipa::path(put, path = "/api/v1/access/people/{id}", tag = "access", request_body = PersonInput,
    params(("id" = PersonId, Path)), responses(
    (status = 200, body = Person),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "Another person has the employee id or the account"),
))]
pub async fn update(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PersonId>,
    Json(change): Json<PersonInput>,
) -> Result<Json<Person>> {
    Ok(Json(access.update_person(&actor, id, change).await?))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RemovalQuery {
    /// Also take the name and the numbers of cards out of the access log.
    erase: bool,
}

/// Remove a person
///
/// With credentials, memberships and the policies for this person alone. The access log keeps what happened; with `erase`
/// under a pseudonym.
#[utoipa::path(delete, path = "/api/v1/access/people/{id}", tag = "access",
    params(("id" = PersonId, Path), RemovalQuery), responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PersonId>,
    Query(query): Query<RemovalQuery>,
) -> Result<StatusCode> {
    access.delete_person(&actor, id, query.erase).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a person a card, a PIN or a finger
///
/// What it is is never shown again; a PIN that was made up is in this answer alone.
#[utoipa::path(post, path = "/api/v1/access/people/{id}/credentials", tag = "access", request_body = NewCredential,
    params(("id" = PersonId, Path)), responses(
    (status = 201, body = MadeCredential),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "Somebody has it already"),
))]
pub async fn add_credential(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PersonId>,
    Json(new): Json<NewCredential>,
) -> Result<(StatusCode, Json<MadeCredential>)> {
    Ok((StatusCode::CREATED, Json(access.add_credential(&actor, id, new).await?)))
}

/// Block a credential, or change how long it counts
#[utoipa::path(put, path = "/api/v1/access/credentials/{id}", tag = "access", request_body = CredentialValidity,
    params(("id" = CredentialId, Path)), responses(
    (status = 200, body = Credential),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn set_credential(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<CredentialId>,
    Json(validity): Json<CredentialValidity>,
) -> Result<Json<Credential>> {
    Ok(Json(access.set_credential(&actor, id, validity).await?))
}

/// Take a credential away
#[utoipa::path(delete, path = "/api/v1/access/credentials/{id}", tag = "access",
    params(("id" = CredentialId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete_credential(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<CredentialId>,
) -> Result<StatusCode> {
    access.delete_credential(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All groups of people.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PersonGroups {
    items: Vec<PersonGroup>,
}

/// Groups of people, by name
#[utoipa::path(get, path = "/api/v1/access/person-groups", tag = "access", responses(
    (status = 200, body = PersonGroups),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn groups(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<PersonGroups>> {
    Ok(Json(PersonGroups { items: access.person_groups(&actor).await? }))
}

/// Make a group of people
#[utoipa::path(post, path = "/api/v1/access/person-groups", tag = "access", request_body = PersonGroupInput, responses(
    (status = 201, body = PersonGroup),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "Another group has this name"),
))]
pub async fn create_group(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(group): Json<PersonGroupInput>,
) -> Result<(StatusCode, Json<PersonGroup>)> {
    Ok((StatusCode::CREATED, Json(access.save_person_group(&actor, None, &group).await?)))
}

/// A group of people
#[utoipa::path(get, path = "/api/v1/access/person-groups/{id}", tag = "access",
    params(("id" = PersonGroupId, Path)), responses(
    (status = 200, body = PersonGroup),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get_group(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PersonGroupId>,
) -> Result<Json<PersonGroup>> {
    Ok(Json(access.person_group(&actor, id).await?))
}

/// Rename a group of people
#[utoipa::path(put, path = "/api/v1/access/person-groups/{id}", tag = "access", request_body = PersonGroupInput,
    params(("id" = PersonGroupId, Path)), responses(
    (status = 200, body = PersonGroup),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "Another group has this name"),
))]
pub async fn update_group(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PersonGroupId>,
    Json(group): Json<PersonGroupInput>,
) -> Result<Json<PersonGroup>> {
    Ok(Json(access.save_person_group(&actor, Some(id), &group).await?))
}

/// Dissolve a group of people, with the policies for it; its people stay
#[utoipa::path(delete, path = "/api/v1/access/person-groups/{id}", tag = "access",
    params(("id" = PersonGroupId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete_group(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PersonGroupId>,
) -> Result<StatusCode> {
    access.delete_person_group(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Put a person into a group
#[utoipa::path(put, path = "/api/v1/access/person-groups/{id}/people/{person_id}", tag = "access",
    params(("id" = PersonGroupId, Path), ("person_id" = PersonId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn add_member(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path((id, person)): Path<(PersonGroupId, PersonId)>,
) -> Result<StatusCode> {
    access.set_person_group_member(&actor, id, person, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a person out of a group
#[utoipa::path(delete, path = "/api/v1/access/person-groups/{id}/people/{person_id}", tag = "access",
    params(("id" = PersonGroupId, Path), ("person_id" = PersonId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn remove_member(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path((id, person)): Path<(PersonGroupId, PersonId)>,
) -> Result<StatusCode> {
    access.set_person_group_member(&actor, id, person, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
