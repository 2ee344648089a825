//! An example for each request and each success answer, made from the examples of its fields: a type's own
//! `#[schema(example = …)]` goes before, then a field's, then what a field of that name is in `examples.json`. So the same
//! thing looks the same everywhere, and an example cannot have another form than its schema.

use std::cell::RefCell;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// What every opaque id is in the examples.
pub(super) const ID: &str = "01a1fd01707275349933cdbe54b3fb79";
const TIME: &str = "2026-03-02T08:15:30.000+00:00";

/// Deeper than any type of the API; a type that holds itself ends here.
const DEEPEST: usize = 12;

static FIELDS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default());

/// Gives an example to whatever has none.
pub(super) fn fill(document: &mut Value) {
    let composer = Composer { schemas: document["components"]["schemas"].clone(), missing: RefCell::default() };
    let items = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    for operation in items.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            composer.parameter(parameter);
        }
        if let Some(content) = operation.pointer_mut("/requestBody/content") {
            composer.content(content);
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            if status.starts_with('2')
                && let Some(content) = response.get_mut("content")
            {
                composer.content(content);
            }
        }
    }
}

struct Composer {
    schemas: Value,
    /// Required fields of which there is no example, the innermost first.
    missing: RefCell<Vec<String>>,
}

impl Composer {
    fn parameter(&self, parameter: &mut Value) {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        if parameter.get("example").is_some() || parameter.get("examples").is_some() {
            return;
        }
        if let Some(example) = self.compose(&parameter["schema"], &name, 0).filter(|example| !example.is_null()) {
            parameter["example"] = example;
        }
    }

    fn content(&self, content: &mut Value) {
        for (kind, media) in content.as_object_mut().into_iter().flatten() {
            let has_one = media.get("example").is_some() || media.get("examples").is_some();
            if !kind.ends_with("json") || has_one {
                continue;
            }
            self.missing.borrow_mut().clear();
            match self.compose(&media["schema"], "", 0) {
                Some(example) => media["example"] = example,
                // For who wonders why: a test finds it.
                None => media["x-no-example-of"] = json!(*self.missing.borrow()),
            }
        }
    }

    /// A value of the schema, if one can be made.
    fn compose(&self, schema: &Value, field: &str, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return self.compose(self.schemas.get(name)?, field, depth + 1);
        }
        let own = schema.get("example").or_else(|| schema.get("examples").map(|examples| &examples[0]));
        let only = schema.get("const").or_else(|| schema.get("enum").map(|values| &values[0]));
        if let Some(value) = own.or(only) {
            return Some(value.clone());
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in parts {
                whole.extend(self.compose(part, field, depth + 1)?.as_object()?.clone());
            }
            return Some(Value::Object(whole));
        }
        if let Some(alternatives) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
            let is_null = |schema: &&Value| schema["type"] == "null";
            let of_value = alternatives.iter().filter(|schema| !is_null(schema));
            return of_value.filter_map(|schema| self.compose(schema, field, depth + 1)).next();
        }
        let of_name = || FIELDS.get(field).cloned();
        match type_of(schema) {
            "object" => self.object(schema, field, depth),
            // `device_ids` has a `device_id` in it.
            "array" => {
                Some(json!([self.compose(&schema["items"], field.strip_suffix('s').unwrap_or(field), depth + 1)?]))
            }
            "string" if schema["pattern"] == "^[0-9a-f]{32}$" => Some(json!(ID)),
            "string" if schema["format"] == "date-time" => Some(json!(TIME)),
            "string" if field == "id" || field.ends_with("_id") && FIELDS.get(field).is_none() => Some(json!(ID)),
            "string" => of_name().filter(|value| value.is_string() || value.is_null() && is_nullable(schema)),
            "integer" => of_name().filter(Value::is_i64).or_else(|| {
                Some(schema.get("minimum").filter(|least| least.as_i64() != Some(0)).cloned().unwrap_or(json!(1)))
            }),
            "number" => of_name().filter(Value::is_number).or_else(|| Some(json!(21.5))),
            "boolean" => Some(json!(true)),
            "null" => Some(Value::Null),
            // Anything at all.
            _ => of_name(),
        }
    }

    fn object(&self, schema: &Value, field: &str, depth: usize) -> Option<Value> {
        let Some(properties) = schema["properties"].as_object() else {
            return Some(FIELDS.get(field).filter(|value| value.is_object()).cloned().unwrap_or_else(|| json!({})));
        };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut object = Map::new();
        for (name, property) in properties {
            match self.compose(property, name, depth + 1) {
                Some(value) => drop(object.insert(name.clone(), value)),
                None if required.contains(&name.as_str()) => {
                    self.missing.borrow_mut().push(name.clone());
                    return None;
                }
                None => {}
            }
        }
        Some(Value::Object(object))
    }
}

/// The type that is not `null`.
fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ => "",
    }
}

fn is_nullable(schema: &Value) -> bool {
    schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("null")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_fields_can_be_read() {
        assert!(FIELDS.len() > 50);
    }

    #[test]
    fn examples_follow_the_schema() {
        let schemas = json!({
            "Id": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
            "Thing": {
                "type": "object",
                "required": ["id", "name"],
                "properties": {
                    "id": { "$ref": "#/components/schemas/Id" },
                    "name": { "type": "string" },
                    "kind": { "oneOf": [{ "type": "null" }, { "type": "string", "enum": ["a", "b"] }] },
                    "unheard_of": { "type": ["string", "null"] },
                    "part": { "$ref": "#/components/schemas/Thing" },
                },
            },
        });
        let composer = Composer { schemas, missing: RefCell::default() };
        let list = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Thing" } });
        let example = composer.compose(&list, "", 8).unwrap();
        let thing = &example[0];
        assert_eq!(thing["id"], ID);
        assert_eq!(thing["name"], "Thermometer 2.07");
        assert_eq!(thing["kind"], "a");
        assert_eq!(thing.get("unheard_of"), None);
        let nameless = json!({ "type": "object", "required": ["unheard_of"],
            "properties": { "unheard_of": { "type": "string" } } });
        assert_eq!(composer.compose(&nameless, "", 0), None);
    }
}
