//! Groups of devices, with the fields and texts of the former system.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use portico_identity::Auth;
use portico_model::groups::{Group, GroupChange, GroupOfDevice, NewGroup};
use portico_model::{DeviceId, GroupId, Problem, UserId};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DeviceBody, check_content_type, fields_of, flag, parse_user};
use crate::groups::MAX_PAGE;
use crate::{Devices, GroupQuery, MemberQuery};

/// Most groups of a list that shows their devices, and most devices in all of it.
const MOST_GROUPS_WITH_DEVICES: i64 = 100;
const MOST_DEVICES: usize = 10_000;

/// A group in JSON.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = GroupAnswer)]
pub struct GroupBody {
    #[serde(flatten)]
    group: Group,
    /// The same as `owner_id`.
    user_id: UserId,
    /// Its devices that the caller may see, by name, the first 1,000; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Vec<DeviceBody>>,
}

impl From<Group> for GroupBody {
    fn from(group: Group) -> Self {
        Self { user_id: group.owner_id, devices: None, group }
    }
}

/// A group, and how it went.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct GroupDone {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    group: GroupBody,
}

impl GroupDone {
    fn new(message: Option<&str>, group: GroupBody) -> Json<Self> {
        Json(Self { status: "success", message: message.map(ToOwned::to_owned), group })
    }
}

/// How it went.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"status": "success", "message": "Device removed from group successfully"}))]
pub struct Message {
    status: &'static str,
    message: String,
}

impl Message {
    fn new(message: impl Into<String>) -> Json<Self> {
        Json(Self { status: "success", message: message.into() })
    }
}

/// Which part of a list this is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"total": 1, "limit": 100, "offset": 0}))]
pub struct GroupsMeta {
    /// All, on whichever page.
    total: i64,
    limit: i64,
    offset: i64,
}

fn group_id(text: &str) -> Result<GroupId> {
    text.parse().map_err(|_| Error::not_found("group_not_found", "Group not found"))
}

/// The body as a JSON object that says something.
fn body_object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>> {
    let required = || Error::invalid("body_required", "Request body required");
    if body.is_empty() {
        return Err(required());
    }
    check_content_type(headers)?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) if !object.is_empty() => Ok(object),
        Ok(_) => Err(required()),
        Err(_) => Err(Error::invalid("invalid_json", "Bad Request")),
    }
}

async fn with_devices(devices: &Devices, actor: &Actor, group: Group, most: usize) -> Result<GroupBody> {
    let query = MemberQuery { limit: Some(MAX_PAGE), ..MemberQuery::default() };
    let (_, members, _) = devices.group_members(actor, group.id, &query).await?;
    let members = members.into_iter().take(most).map(|(device, _)| device.into()).collect();
    Ok(GroupBody { devices: Some(members), ..group.into() })
}

/// Make a group of one's own
#[utoipa::path(post, path = "/api/v1/groups", tag = "groups", request_body = NewGroup, responses(
    (status = 201, body = GroupDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "One of one's own groups has this name, or there are too many"),
))]
pub async fn create(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<GroupDone>)> {
    let object = body_object(&headers, &body)?;
    if matches!(object.get("name"), None | Some(Value::Null)) {
        return Err(Error::field("name", "is required").with_message("missing_name", "Group name is required"));
    }
    let group = devices.create_group(&actor, fields_of(object)?).await?;
    Ok((StatusCode::CREATED, GroupDone::new(Some("Group created successfully"), group.into())))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Whether each group shows its devices (then at most 100 groups, and 10,000 devices in all); absent: false.
    #[param(value_type = Option<bool>)]
    include_devices: Option<String>,
    /// Only this person's groups.
    #[param(value_type = Option<UserId>)]
    owner: Option<String>,
    /// 1 to 1,000; absent: 100.
    limit: Option<i64>,
    offset: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Groups {
    status: &'static str,
    groups: Vec<GroupBody>,
    meta: GroupsMeta,
}

/// Groups that the caller may see, by name
///
/// One's own; those who see all devices of the organisation see all its groups.
#[utoipa::path(get, path = "/api/v1/groups", tag = "groups", params(ListQuery), responses(
    (status = 200, body = Groups),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn list(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Groups>> {
    let include = flag("include_devices", query.include_devices.as_deref(), false)?;
    let limit = query.limit.unwrap_or(100).clamp(1, if include { MOST_GROUPS_WITH_DEVICES } else { MAX_PAGE });
    let offset = query.offset.unwrap_or(0).max(0);
    let owner = query.owner.as_deref().map(parse_user).transpose()?;
    let query = GroupQuery { owner, limit: Some(limit), offset: Some(offset) };
    let (found, total) = devices.groups(&actor, &query).await?;
    let mut groups = Vec::with_capacity(found.len());
    let mut room = MOST_DEVICES;
    for group in found {
        if include {
            let body = with_devices(&devices, &actor, group, room).await?;
            room -= body.devices.as_ref().map_or(0, Vec::len);
            groups.push(body);
        } else {
            groups.push(group.into());
        }
    }
    Ok(Json(Groups { status: "success", groups, meta: GroupsMeta { total, limit, offset } }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct GetQuery {
    /// Whether to show its devices; absent: true.
    #[param(value_type = Option<bool>)]
    include_devices: Option<String>,
}

/// A group
#[utoipa::path(get, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = GroupId, Path), GetQuery), responses(
    (status = 200, body = GroupDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Query(query): Query<GetQuery>,
) -> Result<Json<GroupDone>> {
    let group = devices.group(&actor, group_id(&id)?).await?;
    let body = if flag("include_devices", query.include_devices.as_deref(), true)? {
        with_devices(&devices, &actor, group, MOST_DEVICES).await?
    } else {
        group.into()
    };
    Ok(GroupDone::new(None, body))
}

/// Change a group
///
/// Absent fields stay; an empty description or colour takes it away.
#[utoipa::path(put, path = "/api/v1/groups/{id}", tag = "groups", request_body = GroupChange,
    params(("id" = GroupId, Path)), responses(
    (status = 200, body = GroupDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub async fn update(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<GroupDone>> {
    let id = group_id(&id)?;
    devices.group(&actor, id).await?;
    let change = fields_of(body_object(&headers, &body)?)?;
    let group = devices.update_group(&actor, id, change).await?;
    Ok(GroupDone::new(Some("Group updated successfully"), group.into()))
}

/// Dissolve a group; its devices stay
#[utoipa::path(delete, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = GroupId, Path)), responses(
    (status = 200, body = Message),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<Message>> {
    let group = devices.delete_group(&actor, group_id(&id)?).await?;
    Ok(Message::new(format!("Group '{}' deleted successfully", group.name)))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct MembersQuery {
    /// `active`, `inactive` or `maintenance`.
    status: Option<portico_model::devices::DeviceStatus>,
    device_type: Option<String>,
    /// 1 to 1,000; absent: 100.
    limit: Option<i64>,
    offset: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Members {
    status: &'static str,
    group_id: GroupId,
    group_name: String,
    devices: Vec<Member>,
    meta: GroupsMeta,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = GroupMember)]
pub struct Member {
    #[serde(flatten)]
    device: DeviceBody,
    added_to_group_at: portico_model::Timestamp,
}

/// The devices of a group that the caller may see, by name
#[utoipa::path(get, path = "/api/v1/groups/{id}/devices", tag = "groups",
    params(("id" = GroupId, Path), MembersQuery), responses(
    (status = 200, body = Members),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn members(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Query(query): Query<MembersQuery>,
) -> Result<Json<Members>> {
    let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
    let offset = query.offset.unwrap_or(0).max(0);
    let query =
        MemberQuery { status: query.status, device_type: query.device_type, limit: Some(limit), offset: Some(offset) };
    let (group, found, total) = devices.group_members(&actor, group_id(&id)?, &query).await?;
    let members = found
        .into_iter()
        .map(|(device, added_to_group_at)| Member { device: device.into(), added_to_group_at })
        .collect();
    Ok(Json(Members {
        status: "success",
        group_id: group.id,
        group_name: group.name,
        devices: members,
        meta: GroupsMeta { total, limit, offset },
    }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"device_id": "0193a0000000700080000000000000ab"}))]
#[allow(dead_code)] // describes the body, which is read by hand for the former system's texts
pub struct AddDevice {
    /// Id or hardware id.
    device_id: String,
}

/// That a device is in a group now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Added {
    status: &'static str,
    message: &'static str,
    membership: portico_model::groups::Membership,
}

async fn add_device(devices: &Devices, actor: &Actor, group: &str, device: &str) -> Result<(StatusCode, Json<Added>)> {
    let membership = devices.add_to_group(actor, group_id(group)?, device).await?;
    let added = Added { status: "success", message: "Device added to group successfully", membership };
    Ok((StatusCode::CREATED, Json(added)))
}

/// Put a device into a group
#[utoipa::path(post, path = "/api/v1/groups/{id}/devices", tag = "groups", request_body = AddDevice,
    params(("id" = GroupId, Path)), responses(
    (status = 201, body = Added),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The device is in the group already, or the group is full"),
))]
pub async fn add(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Added>)> {
    devices.group(&actor, group_id(&id)?).await?;
    let object = body_object(&headers, &body)?;
    match object.get("device_id") {
        None | Some(Value::Null) => {
            Err(Error::field("device_id", "is required").with_message("missing_device_id", "device_id is required"))
        }
        Some(Value::String(device)) => add_device(&devices, &actor, &id, device).await,
        Some(_) => Err(Error::field("device_id", "an id as text: 32 hexadecimal characters, or a hardware id")),
    }
}

/// Put a device into a group, by its path
#[utoipa::path(post, path = "/api/v1/groups/{id}/devices/{device_id}", tag = "groups", params(
    ("id" = GroupId, Path),
    ("device_id" = String, Path, description = "Id or hardware id"),
), responses(
    (status = 201, body = Added),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The device is in the group already, or the group is full"),
))]
pub async fn add_by_path(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path((id, device)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Added>)> {
    add_device(&devices, &actor, &id, &device).await
}

/// Take a device out of a group
#[utoipa::path(delete, path = "/api/v1/groups/{id}/devices/{device_id}", tag = "groups", params(
    ("id" = GroupId, Path),
    ("device_id" = String, Path, description = "Id or hardware id"),
), responses(
    (status = 200, body = Message),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn remove(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path((id, device)): Path<(String, String)>,
) -> Result<Json<Message>> {
    devices.remove_from_group(&actor, group_id(&id)?, &device).await?;
    Ok(Message::new("Device removed from group successfully"))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"device_ids": ["0193a0000000700080000000000000ab", "0193a0000000700080000000000000cd"]}))]
#[allow(dead_code)] // describes the body, which is read by hand for the former system's texts
pub struct AddDevices {
    /// Ids or hardware ids, at most 1,000.
    device_ids: Vec<String>,
}

/// What became of each device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BulkDone {
    status: &'static str,
    message: String,
    added: usize,
    skipped: usize,
    details: BulkDetails,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BulkDetails {
    added_device_ids: Vec<DeviceId>,
    /// As they were named: unknown, another's, or in the group already.
    skipped_device_ids: Vec<String>,
}

/// Put many devices into a group
///
/// Those that cannot be put into it are passed over and named.
#[utoipa::path(post, path = "/api/v1/groups/{id}/devices/bulk", tag = "groups", request_body = AddDevices,
    params(("id" = GroupId, Path)), responses(
    (status = 201, body = BulkDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The group would be too large"),
))]
pub async fn add_many(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<BulkDone>)> {
    let id = group_id(&id)?;
    devices.group(&actor, id).await?;
    let wrong = |message: &str| Error::field("device_ids", message).with_message("bad_device_ids", message);
    let object = body_object(&headers, &body)?;
    let ids = match object.get("device_ids") {
        None | Some(Value::Null) => return Err(wrong("device_ids array is required")),
        Some(Value::Array(ids)) => ids,
        Some(_) => return Err(wrong("device_ids must be an array")),
    };
    let ids: Option<Vec<String>> = ids.iter().map(|id| id.as_str().map(ToOwned::to_owned)).collect();
    let ids = ids.ok_or_else(|| Error::field("device_ids", "ids as text, or hardware ids"))?;
    let done = devices.add_many_to_group(&actor, id, &ids).await?;
    let answer = BulkDone {
        status: "success",
        message: format!("{} devices added to group", done.added.len()),
        added: done.added.len(),
        skipped: done.skipped.len(),
        details: BulkDetails { added_device_ids: done.added, skipped_device_ids: done.skipped },
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The groups a device is in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct GroupsOfDevice {
    status: &'static str,
    device_id: DeviceId,
    device_name: String,
    groups: Vec<GroupOfDevice>,
    total_groups: usize,
}

/// The groups a device is in, as far as the caller may see them
#[utoipa::path(get, path = "/api/v1/devices/{id}/groups", tag = "groups",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = GroupsOfDevice),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn of_device(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<GroupsOfDevice>> {
    let id = devices.resolve(actor.organization, &id).await?;
    let (device, groups) = devices.groups_of_device(&actor, id).await?;
    Ok(Json(GroupsOfDevice {
        status: "success",
        device_id: device.id,
        device_name: device.name,
        total_groups: groups.len(),
        groups,
    }))
}
