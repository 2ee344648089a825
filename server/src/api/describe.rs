//! What all operations of the OpenAPI document have in common, added in one place: the errors that any of them can
//! answer, unique operation ids, the idempotency key, examples.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::examples;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// An error answer: its status, its name among the components, the code and text of its example, and what it means.
struct Failure {
    status: &'static str,
    name: &'static str,
    title: &'static str,
    code: &'static str,
    detail: &'static str,
    meaning: &'static str,
}

const fn failure(
    status: &'static str,
    name: &'static str,
    title: &'static str,
    (code, detail): (&'static str, &'static str),
    meaning: &'static str,
) -> Failure {
    Failure { status, name, title, code, detail, meaning }
}

const FAILURES: &[Failure] = &[
    failure(
        "400",
        "BadRequest",
        "Bad Request",
        ("invalid_fields", "limit: invalid digit found in string"),
        "The request does not fit this description; `errors` names the fields",
    ),
    failure(
        "401",
        "Unauthenticated",
        "Unauthorized",
        ("sign_in_required", "Sign in first."),
        "Not signed in, or the credentials are not good (any more)",
    ),
    failure("403", "Forbidden", "Forbidden", ("not_permitted", "You may not do this."), "The caller may not do this"),
    failure(
        "404",
        "NotFound",
        "Not Found",
        ("not_found", "There is nothing here by that id."),
        "There is no such thing, or the caller may not know of it",
    ),
    failure(
        "409",
        "Conflict",
        "Conflict",
        ("idempotency_key_reused", "This Idempotency-Key was used for another request."),
        "Clashes with what is stored, or with an earlier request of the same Idempotency-Key",
    ),
    failure(
        "413",
        "TooLarge",
        "Payload Too Large",
        ("body_too_large", "The request body is too large."),
        "The request body is too large",
    ),
    failure(
        "429",
        "TooManyRequests",
        "Too Many Requests",
        ("rate_limited", "Too many requests. Try again in 3 s."),
        "Too many requests; `Retry-After` says how long to wait",
    ),
    failure(
        "503",
        "Unavailable",
        "Service Unavailable",
        ("unavailable", "Not available at the moment. Try again shortly."),
        "A part that this needs is away; `Retry-After` says when to try again",
    ),
];

/// Completes the document.
pub fn complete(document: &mut Value) {
    let secured_by_default = document.get("security").is_some();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths {
            let operations = item.as_object_mut().into_iter().flatten();
            for (method, operation) in operations.filter(|(method, _)| METHODS.contains(&method.as_str())) {
                if let Some(operation) = operation.as_object_mut() {
                    complete_operation(path, method, operation, secured_by_default);
                }
            }
        }
    }
    tell_apart(document);
    open_parts(document);
    let responses: Map<String, Value> =
        FAILURES.iter().map(|failure| (failure.name.to_owned(), component(failure))).collect();
    document["components"]["responses"] = Value::Object(responses);
    examples::fill(document);
}

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>, secured_by_default: bool) {
    name(operation);
    if method == "post" {
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(idempotency_key());
        }
    }
    let mut possible = vec!["429", "503"];
    let is_offered = |name: &str| operation.get(name).is_some_and(|value| !value.is_null() && value != &json!([]));
    if is_offered("requestBody") {
        possible.push("413");
    }
    if is_offered("requestBody") || is_offered("parameters") {
        possible.push("400");
    }
    if path.contains('{') {
        possible.push("404");
    }
    if method == "post" {
        possible.push("409");
    }
    match operation.get("security").and_then(Value::as_array) {
        None if secured_by_default => possible.extend(["401", "403"]),
        // Anyone may; credentials are not looked at.
        Some(alternatives) if alternatives.as_slice() == [json!({})] => {}
        // Where they may be left out, those that are given must be good.
        Some(_) => possible.extend(["401", "403"]),
        None => {}
    }
    // A page of another site is refused whatever it sends along.
    if method != "get" && !possible.contains(&"403") {
        possible.push("403");
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    for status in possible {
        responses.entry(status).or_insert(Value::Null);
    }
    for (status, response) in responses.iter_mut() {
        complete_response(status, response);
    }
}

/// Clients are generated with a method for each operation: its name says what of.
fn name(operation: &mut Map<String, Value>) {
    let tag = operation.get("tags").and_then(|tags| tags[0].as_str()).unwrap_or_default().replace([' ', '-'], "_");
    let Some(Value::String(id)) = operation.get_mut("operationId") else { return };
    if !tag.is_empty() && !id.starts_with(&format!("{tag}_")) {
        *id = format!("{tag}_{id}");
    }
}

/// A type that refuses unknown fields cannot be a part of another that has more of them: as a part it is described as open.
fn open_parts(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let parts: Vec<String> = schemas
        .values()
        .filter_map(|schema| schema["allOf"].as_array())
        .flatten()
        .filter_map(|part| part["$ref"].as_str()?.rsplit('/').next().map(ToOwned::to_owned))
        .collect();
    for part in parts {
        if let Some(schema) = schemas.get_mut(&part).and_then(Value::as_object_mut) {
            schema.remove("additionalProperties");
        }
    }
}

/// Operations of a tag that have the same function's name are called by their method and path.
fn tell_apart(document: &mut Value) {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for operation in paths.values().filter_map(Value::as_object).flat_map(Map::values) {
        *names.entry(operation["operationId"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let name = operation["operationId"].as_str().unwrap_or_default();
            if names.get(name).is_some_and(|times| *times > 1) {
                let path = path.trim_start_matches("/api/v1/").replace(['{', '}'], "").replace(['/', '-'], "_");
                operation["operationId"] = json!(format!("{method}_{path}"));
            }
        }
    }
}

fn complete_response(status: &str, response: &mut Value) {
    let failure = FAILURES.iter().find(|failure| failure.status == status);
    let description = response.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    match failure {
        Some(failure) if description.is_empty() => {
            *response = json!({ "$ref": format!("#/components/responses/{}", failure.name) });
        }
        Some(failure) => {
            let mut own = component(failure);
            own["description"] = json!(description);
            *response = own;
        }
        None if status.starts_with(['4', '5']) => rarer(status, response),
        None if description.is_empty() => response["description"] = json!("Done"),
        None => {}
    }
}

/// An error that only few operations answer: what it means is theirs to say.
fn rarer(status: &str, response: &mut Value) {
    let title = StatusCode::from_bytes(status.as_bytes()).ok().and_then(|code| code.canonical_reason());
    let title = title.unwrap_or("Error");
    let detail = response["description"].as_str().filter(|text| !text.is_empty()).unwrap_or(title).to_owned();
    let code = title.to_lowercase().replace(' ', "_");
    *response = problem(status, title, &code, &detail, &detail);
}

fn component(failure: &Failure) -> Value {
    let mut response = problem(failure.status, failure.title, failure.code, failure.detail, failure.meaning);
    if matches!(failure.status, "429" | "503") {
        response["headers"] = json!({ "Retry-After": {
            "description": "Seconds to wait",
            "schema": { "type": "integer", "minimum": 0 },
        } });
    }
    response
}

fn problem(status: &str, title: &str, code: &str, detail: &str, meaning: &str) -> Value {
    let example = json!({
        "type": "about:blank",
        "title": title,
        "status": status.parse::<u16>().unwrap_or_default(),
        "code": code,
        "detail": detail,
        "error": detail,
        "request_id": examples::ID,
    });
    json!({
        "description": meaning,
        "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" },
            "example": example,
        } },
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key from the same caller within a day gets the first answer again; what was done is not done twice.",
        "required": false,
        "schema": { "type": "string", "minLength": 1, "maxLength": 200 },
        "example": "5f0c6d0e-register-thermometer",
    })
}
