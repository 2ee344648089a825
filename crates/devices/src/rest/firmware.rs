//! Publishers' keys and images: for people; and an image's bytes for a device.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use portico_identity::Auth;
use portico_model::firmware::{Firmware, NewPublisherKey, PublisherKey};
use portico_model::{FirmwareId, Page, Problem, PublisherKeyId};
use portico_platform::http::{Json, Path, Query, etag};
use portico_platform::{Error, Result};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::caller::ActiveDevice;
use crate::NewFirmware;
use crate::{Devices, Known};

/// Trusted publishers' keys, the newest first
#[utoipa::path(get, path = "/api/v1/firmware/keys", tag = "firmware", responses(
    (status = 200, description = "Keys, the revoked ones too", body = Vec<PublisherKey>),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn keys(State(devices): State<Devices>, Auth(actor): Auth) -> Result<Json<Vec<PublisherKey>>> {
    Ok(Json(devices.publisher_keys(&actor).await?))
}

/// Trust a publisher's key
///
/// An image is taken in only with a signature of such a key. The secret half stays with the publisher.
#[utoipa::path(post, path = "/api/v1/firmware/keys", tag = "firmware", request_body = NewPublisherKey, responses(
    (status = 201, description = "Trusted", body = PublisherKey),
    (status = 400, description = "Invalid fields", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 409, description = "Trusted already, or 20 keys are", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn add_key(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Json(new): Json<NewPublisherKey>,
) -> Result<(StatusCode, Json<PublisherKey>)> {
    Ok((StatusCode::CREATED, Json(devices.add_publisher_key(&actor, new).await?)))
}

/// Trust a key no more
///
/// It makes no new image good. Images that are there stay.
#[utoipa::path(delete, path = "/api/v1/firmware/keys/{key_id}", tag = "firmware", params(("key_id" = PublisherKeyId, Path)),
    responses(
    (status = 204, description = "Revoked"),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such key, or revoked before", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn revoke_key(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<PublisherKeyId>,
) -> Result<StatusCode> {
    devices.revoke_publisher_key(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only images for this type of device.
    device_type: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

/// Images, the newest first
#[utoipa::path(get, path = "/api/v1/firmware", tag = "firmware", params(ListQuery), responses(
    (status = 200, description = "A page of them", body = Page<Firmware>),
    (status = 400, description = "A bad query", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn list(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Firmware>>> {
    let page =
        devices.firmware_list(&actor, query.device_type.as_deref(), query.cursor.as_deref(), query.limit).await?;
    Ok(Json(page))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// The type of device it is for, 1 to 50 characters.
    #[param(example = "thermometer")]
    device_type: String,
    /// Semantic version.
    #[param(example = "1.4.0")]
    version: String,
    /// Ed25519 signature, 128 hexadecimal digits, over the five lines `portico firmware 1`, `type: …`, `version: …`,
    /// `size: …` (bytes), `sha256: …` (64 lower case hexadecimal digits), each ended by a line feed.
    signature: String,
    /// What is new, at most 2,000 characters.
    #[serde(default)]
    #[param(required = false)]
    notes: String,
}

/// Upload an image
///
/// The body is the image. It is taken in when its signature is that of a trusted publisher and covers the type, the
/// version and what came.
#[utoipa::path(post, path = "/api/v1/firmware", tag = "firmware", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The image"), responses(
    (status = 201, description = "Taken in", body = Firmware),
    (status = 400, description = "Invalid parameters, or not signed by a trusted publisher", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 409, description = "There is one of this type and version already", body = Problem),
    (status = 413, description = "Larger than allowed", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
    (status = 503, description = "It cannot be stored at the moment", body = Problem),
))]
pub async fn upload(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<(StatusCode, Json<Firmware>)> {
    let UploadQuery { device_type, version, signature, notes } = query;
    let new = NewFirmware { device_type, version, notes, signature };
    let firmware = devices.upload_firmware(&actor, new, request.into_body().into_data_stream()).await?;
    Ok((StatusCode::CREATED, Json(firmware)))
}

/// An image's description
#[utoipa::path(get, path = "/api/v1/firmware/{firmware_id}", tag = "firmware", params(("firmware_id" = FirmwareId, Path)),
    responses(
    (status = 200, description = "The image", body = Firmware),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such image", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn get(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<FirmwareId>,
) -> Result<Json<Firmware>> {
    Ok(Json(devices.firmware(&actor, id).await?))
}

/// Delete an image
#[utoipa::path(delete, path = "/api/v1/firmware/{firmware_id}", tag = "firmware", params(("firmware_id" = FirmwareId, Path)),
    responses(
    (status = 204, description = "Deleted"),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such image", body = Problem),
    (status = 409, description = "A roll-out of it is under way", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn delete(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<FirmwareId>,
) -> Result<StatusCode> {
    devices.delete_firmware(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An image's bytes, for the device
///
/// Of the device's own type. One range at a time (`Range: bytes=…`), so that a download that broke off goes on where it
/// was; with `If-Range` it begins anew should the image be another one.
#[utoipa::path(get, path = "/api/v1/devices/firmware/{firmware_id}", tag = "firmware", security(("api_key" = [])),
    params(("firmware_id" = FirmwareId, Path),
        ("Range" = Option<String>, Header, description = "`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-LENGTH`"),
        ("If-Range" = Option<String>, Header, description = "The ETag of the download that is to go on")),
    responses(
    (status = 200, description = "All of it", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 206, description = "The range", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 304, description = "As `If-None-Match` says"),
    (status = 401, description = "No key, or a wrong one", body = Problem),
    (status = 403, description = "The device is not in use", body = Problem),
    (status = 404, description = "No such image for this device", body = Problem),
    (status = 416, description = "The range is beyond the image", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
    (status = 503, description = "It cannot be read at the moment", body = Problem),
))]
pub async fn download(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
    Path(id): Path<FirmwareId>,
    headers: HeaderMap,
) -> Result<Response> {
    serve(&devices, &device, id, &headers).await
}

async fn serve(devices: &Devices, device: &Arc<Known>, id: FirmwareId, headers: &HeaderMap) -> Result<Response> {
    let firmware = devices.firmware_for_device(device, id).await?;
    let size = u64::try_from(firmware.size_bytes).unwrap_or_default();
    let etag = format!("\"{}\"", firmware.sha256);
    let given = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if etag::is_known(headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    // A download that went on with other bytes would be garbage: all of it, then.
    let goes_on = given(header::IF_RANGE).is_none_or(|tag| tag.trim() == etag);
    let range = match given(header::RANGE).filter(|_| goes_on).map(|text| parse_range(text, size)) {
        None | Some(Asked::Everything) => None,
        Some(Asked::Part { first, last }) => Some((first, last)),
        Some(Asked::Beyond) => {
            let mut response = Error::invalid("range_not_satisfiable", "The range is beyond the image.")
                .with_status(StatusCode::RANGE_NOT_SATISFIABLE)
                .into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Ok(response);
        }
    };
    let (first, last) = range.unwrap_or((0, size.saturating_sub(1)));
    let length = (last + 1).saturating_sub(first);
    let mut file = devices.files().open(id).await?;
    file.seek(std::io::SeekFrom::Start(first)).await.map_err(Error::internal)?;
    let body = Body::from_stream(tokio_util::io::ReaderStream::with_capacity(file.take(length), 64 * 1024));
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, body).into_response();
    let fields = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, etag),
        // The key of one device gives it; no cache may give it to another.
        (header::CACHE_CONTROL, "private, no-transform".to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            fields.insert(name, value);
        }
    }
    if range.is_some()
        && let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{last}/{size}"))
    {
        fields.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// What a `Range` asks for (RFC 9110, section 14).
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range that we know: as if there were none.
    Everything,
    Part {
        first: u64,
        last: u64,
    },
    Beyond,
}

fn parse_range(text: &str, size: u64) -> Asked {
    let Some(spec) = text.trim().strip_prefix("bytes=") else { return Asked::Everything };
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u64>().unwrap_or(u64::MAX))
    };
    // Several ranges may be answered with everything.
    match spec.trim().split_once('-') {
        Some(("", length)) => match number(length) {
            Some(0) => Asked::Beyond,
            Some(_) if size == 0 => Asked::Beyond,
            Some(length) => Asked::Part { first: size.saturating_sub(length), last: size - 1 },
            None => Asked::Everything,
        },
        Some((first, last)) => {
            let last = if last.is_empty() { Some(u64::MAX) } else { number(last) };
            match (number(first), last) {
                (Some(first), Some(last)) if first > last => Asked::Everything,
                (Some(first), Some(_)) if first >= size => Asked::Beyond,
                (Some(first), Some(last)) => Asked::Part { first, last: last.min(size - 1) },
                _ => Asked::Everything,
            }
        }
        None => Asked::Everything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let part = |first, last| Asked::Part { first, last };
        for (text, asked) in [
            ("bytes=0-99", part(0, 99)),
            ("bytes=500-", part(500, 999)),
            ("bytes=990-2000", part(990, 999)),
            ("bytes=-100", part(900, 999)),
            ("bytes=-5000", part(0, 999)),
            ("bytes=999-999", part(999, 999)),
            ("bytes=1000-", Asked::Beyond),
            ("bytes=1000-1001", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=5-4", Asked::Everything),
            ("bytes=0-1,5-6", Asked::Everything),
            ("bytes=a-b", Asked::Everything),
            ("bytes=+1-5", Asked::Everything),
            ("lines=0-5", Asked::Everything),
            ("bytes=99999999999999999999-", Asked::Beyond),
        ] {
            assert_eq!(parse_range(text, 1000), asked, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Asked::Beyond);
        assert_eq!(parse_range("bytes=-5", 0), Asked::Beyond);
    }
}
