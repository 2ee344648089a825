//! Body, query and path as typed values; what does not fit is a 400 that says which part is wrong.

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Path as ErrorPath;

use crate::error::Error;

/// As [`axum::Json`], with our errors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if !is_json(request.headers()) {
            return Err(Error::invalid("invalid_content_type", "Content-Type must be application/json"));
        }
        let Raw(body) = Raw::from_request(request, state).await?;
        parse_json(&body).map(Self)
    }
}

/// The body as it came, such as a picture; what it is says the route.
#[derive(Debug, Clone, Default)]
pub struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Error::too_large("body_too_large", "The request body is too large.")
            } else {
                Error::invalid("unreadable_body", "The request body could not be read.")
            }
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Error> {
        if request.headers().get(header::CONTENT_TYPE).is_none() {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Reads a JSON text; the error names the field.
///
/// # Errors
/// Invalid, when the text is not JSON or does not fit the type.
pub fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            let message = error.inner().to_string();
            field_error(error.path(), without_position(&message))
        } else {
            not_json(error.inner())
        }
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let position = if line == 0 { String::new() } else { format!(" (line {line}, column {column})") };
    Error::invalid("invalid_json", format!("Request body must contain valid JSON{position}"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// As [`axum::extract::Query`], with our errors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or_default();
        let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(deserializer)
            .map(Self)
            .map_err(|error| field_error(error.path(), &error.inner().to_string()))
    }
}

/// As [`axum::extract::Path`]; a path that cannot be read names nothing that exists.
#[derive(Debug, Clone, Copy, Default)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_: PathRejection| Error::not_found("not_found", "There is nothing here by that id."))
    }
}

/// serde says what is wrong, and the path where. A field that is missing or unknown is named in the text alone.
fn field_error(path: &ErrorPath, message: &str) -> Error {
    let mut field = path.to_string();
    if field == "." {
        field.clear();
    }
    let mut message = message.to_owned();
    for (start, meaning) in [("missing field `", "is required"), ("unknown field `", "is not known here")] {
        if let Some((name, _)) = message.strip_prefix(start).and_then(|rest| rest.split_once('`')) {
            // The path of an unknown field ends with it already.
            if !(field == name || field.ends_with(&format!(".{name}"))) {
                field = if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
            }
            message = meaning.to_owned();
            break;
        }
    }
    if field.is_empty() { Error::invalid("invalid_body", message) } else { Error::field(&field, message) }
}

fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code)]
        name: String,
        #[allow(dead_code)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[allow(dead_code)]
        count: u8,
    }

    fn error(text: &str) -> (String, String) {
        let error = parse_json::<Outer>(text.as_bytes()).unwrap_err();
        let field = error.field_errors().first().map(|error| error.field.clone()).unwrap_or_default();
        (field, error.message().to_owned())
    }

    #[test]
    fn error_names_the_field() {
        assert_eq!(error(r#"{"inner": []}"#), ("name".into(), "name: is required".into()));
        assert_eq!(error(r#"{"name": "a", "inner": [{"count": 1}, {}]}"#).0, "inner[1].count");
        let (field, message) = error(r#"{"name": "a", "inner": [{"count": 300}]}"#);
        assert_eq!((field.as_str(), message.contains("300")), ("inner[0].count", true));
        assert!(!message.contains("line"), "{message}");
        assert_eq!(error(r#"{"name": "a", "inner": [], "nam": 1}"#), ("nam".into(), "nam: is not known here".into()));
        assert_eq!(error(r#"{"name": 5, "inner": []}"#).0, "name");
        assert_eq!(error("[]").0, "");
    }

    #[test]
    fn what_is_not_json_says_where() {
        for text in ["", "{", "{} {}", r#"{"name": "a", "inner": []} x"#] {
            assert_eq!(
                parse_json::<Outer>(text.as_bytes()).unwrap_err().field_errors().len(),
                usize::from(text == "{} {}"),
                "{text}"
            );
        }
        assert!(error(r#"{"name": "a", "inner": []} x"#).1.contains("line 1"));
    }

    #[test]
    fn json_is_recognised_by_its_type() {
        let is = |kind: &str| is_json(&[(header::CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect());
        assert!(is("application/json"));
        assert!(is("Application/JSON; charset=utf-8"));
        assert!(is("application/merge-patch+json"));
        assert!(!is("text/plain"));
        assert!(!is("application/jsonp"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
