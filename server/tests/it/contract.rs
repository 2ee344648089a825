//! What the OpenAPI document must hold, whatever is added to it.

use std::collections::BTreeMap;

use portico_platform::{Clock, Platform};
use portico_server::{Domains, api};
use serde_json::Value;

use crate::harness::config;

async fn document() -> Value {
    let dir = tempfile::tempdir().unwrap();
    let platform = Platform::open(config(dir.path()), Clock::system()).await.unwrap();
    let document = api::document(Domains::new(&platform).unwrap());
    platform.db.close().await;
    document
}

/// Method, path and description of each operation.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((method.clone(), path.clone(), operation));
        }
    }
    assert!(operations.len() > 50);
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_has_a_summary_a_name_of_its_own_and_the_errors_it_can_answer() {
    let document = document().await;
    let mut faults = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (method, path, operation) in operations(&document) {
        let label = format!("{method} {path}");
        let mut check = |kept: bool, fault: &str| faults.extend((!kept).then(|| format!("{label}: {fault}")));
        check(operation["summary"].as_str().is_some_and(|summary| summary.len() > 3), "no summary");
        check(operation["tags"][0].is_string(), "no tag");
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        check(!name.is_empty(), "no operation id");
        let responses = operation["responses"].as_object().unwrap();
        let has = |status: &str| responses.contains_key(status);
        check(responses.keys().any(|status| status.starts_with('2') || status.starts_with('3')), "no success");
        check(has("429") && has("503"), "no 429 or 503");
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        check(has("400") || (parameters.is_empty() && operation.get("requestBody").is_none()), "no 400");
        check(has("404") || !path.contains('{'), "no 404");
        let security = operation.get("security").unwrap_or(&document["security"]);
        let everyone = security.as_array().unwrap().iter().all(|way| way.as_object().unwrap().is_empty());
        check(everyone || (has("401") && has("403")), "no 401 or 403");
        for parameter in parameters {
            let is_known = !parameter["name"].as_str().unwrap().is_empty() && parameter["schema"].is_object();
            check(is_known, "a parameter without a name or a schema");
        }
        if let Some(other) = names.insert(name.clone(), label.clone()) {
            faults.push(format!("{label}: the operation id {name} is that of {other}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn published_document_is_current() {
    let published: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    assert!(published == document().await, "docs/openapi.json is out of date: run scripts/openapi.sh");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_with_an_example() {
    let document = document().await;
    let mut faults = Vec::new();
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            if !status.starts_with(['4', '5']) {
                continue;
            }
            let response = match response["$ref"].as_str() {
                Some(path) => document.pointer(path.trim_start_matches('#')).unwrap(),
                None => response,
            };
            let problem = &response["content"]["application/problem+json"];
            let is_whole = problem["schema"].is_object()
                && problem["example"]["status"].as_u64() == status.parse().ok()
                && response["description"].as_str().is_some_and(|text| !text.is_empty());
            faults.extend((!is_whole).then(|| format!("{method} {path}: {status}: {response}")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Where one is missing, `x-no-example-of` names the fields: give them `#[schema(example = …)]`, or add their name to
/// `server/src/api/examples.json`. An answer without a type needs an example of its own.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_and_every_success_has_an_example_that_fits() {
    let document = document().await;
    let mut faults = Vec::new();
    for (method, path, operation) in operations(&document) {
        let mut check = |what: &str, content: &Value| {
            for (kind, media) in content.as_object().into_iter().flatten() {
                if !kind.ends_with("json") {
                    continue;
                }
                match media.get("example") {
                    None => faults.push(format!("{method} {path}: {what} has no example: {media}")),
                    Some(example) => faults.extend(
                        misfit(&document, &media["schema"], example, what)
                            .map(|misfit| format!("{method} {path}: {misfit}")),
                    ),
                }
            }
        };
        check("the request", &operation["requestBody"]["content"]);
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.starts_with('2') {
                check(status, &response["content"]);
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Of two types with one name, the document would show one for both: give the other `#[schema(as = …)]`.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_domains_have_different_types_of_one_name() {
    let dir = tempfile::tempdir().unwrap();
    let platform = Platform::open(config(dir.path()), Clock::system()).await.unwrap();
    let Domains { identity, notifications, alarms, devices, access, parking } = Domains::new(&platform).unwrap();
    let domains = [
        ("identity", portico_identity::rest::router(identity).into_openapi()),
        ("notifications", portico_notifications::rest::router(notifications).into_openapi()),
        ("alarms", portico_alarms::rest::router(alarms).into_openapi()),
        ("devices", portico_devices::rest::router(devices).into_openapi()),
        ("access", portico_access::rest::router(access).into_openapi()),
        ("parking", portico_parking::rest::router(parking).into_openapi()),
    ];
    let mut seen: BTreeMap<String, (&str, Value)> = BTreeMap::new();
    let mut faults = Vec::new();
    for (domain, document) in domains {
        for (name, schema) in document.components.unwrap_or_default().schemas {
            let schema = serde_json::to_value(schema).unwrap();
            match seen.get(&name) {
                Some((other, first)) if *first != schema => faults.push(format!("{name}: {other} and {domain}")),
                _ => drop(seen.insert(name, (domain, schema))),
            }
        }
    }
    platform.db.close().await;
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What of the value does not fit the schema; the parts of JSON Schema that the document uses.
fn misfit(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(path) = schema["$ref"].as_str() {
        return misfit(document, document.pointer(path.trim_start_matches('#'))?, value, at);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().find_map(|part| misfit(document, part, value, at));
    }
    if let Some(ways) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
        let fits = ways.iter().any(|way| misfit(document, way, value, at).is_none());
        return (!fits).then(|| format!("{at}: {value} fits none of {schema}"));
    }
    if let Some(values) = schema["enum"].as_array() {
        return (!values.contains(value)).then(|| format!("{at}: {value} is none of {values:?}"));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let is_of = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    };
    if !kinds.into_iter().any(is_of) {
        return Some(format!("{at}: {value} is not of type {}", schema["type"]));
    }
    match value {
        Value::Object(members) => {
            let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
            let missing = required.iter().filter_map(Value::as_str).find(|name| !members.contains_key(*name));
            if let Some(name) = missing {
                return Some(format!("{at}: `{name}` is missing"));
            }
            members.iter().find_map(|(name, member)| {
                misfit(document, schema["properties"].get(name)?, member, &format!("{at}.{name}"))
            })
        }
        Value::Array(items) => {
            items.iter().find_map(|item| misfit(document, &schema["items"], item, &format!("{at}[]")))
        }
        _ => None,
    }
}
