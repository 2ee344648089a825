//! The shadow of a device: what people want of it (desired), what it says it is (reported), and what is missing
//! (delta). Both documents are changed by JSON merge patch (RFC 7396).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::commands::check_object;
use crate::{DeviceId, Timestamp};

/// Largest document, bytes of JSON.
pub const MAX_BYTES: usize = 8 * 1024;

/// A device's shadow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "device_id": "0199a0000000700080000000000000ab", "version": 3,
    "desired": {"interval_s": 30, "led": {"on": true}}, "reported": {"interval_s": 30, "led": {"on": false}},
    "delta": {"led": {"on": true}}, "desired_at": "2026-11-21T02:00:00.000+00:00",
    "reported_at": "2026-11-21T02:00:01.000+00:00"
})))]
pub struct Shadow {
    pub device_id: DeviceId,
    /// Counts the changes of `desired`; 0 before the first.
    pub version: i64,
    /// What people want; an object.
    #[cfg_attr(feature = "server", schema(value_type = Object))]
    pub desired: Value,
    /// What the device says it is; an object.
    #[cfg_attr(feature = "server", schema(value_type = Object))]
    pub reported: Value,
    /// The part of `desired` that `reported` does not show.
    #[cfg_attr(feature = "server", schema(value_type = Object))]
    pub delta: Value,
    pub desired_at: Option<Timestamp>,
    pub reported_at: Option<Timestamp>,
}

impl Shadow {
    /// Of a device that nobody has wanted anything of.
    #[must_use]
    pub fn empty(device_id: DeviceId) -> Self {
        let nothing = Value::Object(Map::new());
        Self {
            device_id,
            version: 0,
            desired: nothing.clone(),
            reported: nothing.clone(),
            delta: nothing,
            desired_at: None,
            reported_at: None,
        }
    }

    /// With the delta of its two documents.
    #[must_use]
    pub fn compared(mut self) -> Self {
        self.delta = delta(&self.desired, &self.reported);
        self
    }
}

/// What to change of `desired`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"desired": {"interval_s": 30, "led": null}, "version": 2})))]
pub struct ShadowChange {
    /// An object of at most 8 KiB, at most 8 levels deep.
    #[cfg_attr(feature = "server", schema(value_type = Object))]
    pub desired: Value,
    /// The version that the change was made for: refused when it is another one by now. Absent: whichever.
    #[serde(default)]
    pub version: Option<i64>,
}

/// Applies a merge patch (RFC 7396): members that are null are removed, objects are merged, anything else replaces.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge_patch(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// What is in `desired` and not, or otherwise, in `reported`: the merge patch that would bring the device there.
#[must_use]
pub fn delta(desired: &Value, reported: &Value) -> Value {
    let nothing = Map::new();
    let (Value::Object(desired), reported) = (desired, reported.as_object().unwrap_or(&nothing)) else {
        return Value::Object(Map::new());
    };
    let mut missing = Map::new();
    for (name, wanted) in desired {
        match (wanted, reported.get(name)) {
            (_, Some(is)) if same(wanted, is) => {}
            (Value::Object(_), Some(is @ Value::Object(_))) => {
                let inner = delta(wanted, is);
                if inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                    missing.insert(name.clone(), inner);
                }
            }
            _ => {
                missing.insert(name.clone(), wanted.clone());
            }
        }
    }
    Value::Object(missing)
}

/// 1 and 1.0 are the same: small devices know one kind of number.
fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        #[allow(clippy::float_cmp)] // the same number, not a near one
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

/// A document without members that are null: what is not there is not wanted.
#[must_use]
pub fn without_nulls(document: &Value) -> Value {
    let mut clean = Value::Object(Map::new());
    merge_patch(&mut clean, document);
    clean
}

/// The document after the patch.
///
/// # Errors
/// What the patch, or the document that it would make, must be.
pub fn patched(document: &Value, patch: &Value) -> Result<Value, String> {
    check_object(patch, MAX_BYTES)?;
    let mut after = document.clone();
    merge_patch(&mut after, patch);
    check_object(&after, MAX_BYTES)?;
    Ok(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn patches_of_the_rfc_give_its_results() {
        // RFC 7396, appendix A.
        for (original, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut target = original.clone();
            merge_patch(&mut target, &patch);
            assert_eq!(target, result, "{original} {patch}");
        }
    }

    #[test]
    fn delta_is_what_the_device_still_has_to_do() {
        let desired = json!({"interval": 30, "led": {"on": true, "colour": "red"}, "modes": [1, 2], "new": {}});
        for (reported, missing) in [
            (json!({}), desired.clone()),
            (json!({"interval": 30.0, "led": {"on": true, "colour": "red"}, "modes": [1, 2], "new": {}}), json!({})),
            (
                json!({"interval": 10, "led": {"on": true}, "modes": [1], "new": {}, "own": 1}),
                json!({"interval": 30, "led": {"colour": "red"}, "modes": [1, 2]}),
            ),
            (
                json!({"interval": 30, "led": "broken", "modes": [1, 2], "new": {}}),
                json!({"led": {"on": true, "colour": "red"}}),
            ),
        ] {
            assert_eq!(delta(&desired, &reported), missing, "{reported}");
        }
    }

    #[test]
    fn too_large_and_too_deep_documents_are_refused() {
        assert!(patched(&json!({}), &json!([])).is_err());
        assert!(patched(&json!({}), &json!({"a": "x".repeat(MAX_BYTES)})).is_err());
        let half = json!({"a": "x".repeat(MAX_BYTES / 2)});
        assert!(patched(&half, &json!({"b": "x".repeat(MAX_BYTES / 2)})).is_err(), "together too large");
        let deep = (0..9).fold(json!(1), |inner, _| json!({ "a": inner }));
        assert!(patched(&json!({}), &deep).is_err());
        assert_eq!(patched(&json!({"a": 1, "b": 2}), &json!({"a": null})), Ok(json!({"b": 2})));
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z]{0,3}".prop_map(Value::from),
        ];
        let inner = leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-c]", inner, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn device_that_follows_the_delta_has_none_left(desired in documents(), reported in documents()) {
            let mut after = reported.clone();
            merge_patch(&mut after, &delta(&desired, &reported));
            prop_assert_eq!(delta(&desired, &after), json!({}));
        }

        #[test]
        fn patch_applied_twice_changes_nothing_more(document in documents(), patch in documents()) {
            let mut once = document;
            merge_patch(&mut once, &patch);
            let mut twice = once.clone();
            merge_patch(&mut twice, &patch);
            prop_assert_eq!(once, twice);
        }
    }
}
