use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_226_850_153);

fn parse(text: &str) -> Result<ParsedPayload, PayloadProblem> {
    parse_payload(text.as_bytes(), NOW, &PayloadLimits::DEFAULT)
}

fn problem(text: &str) -> &'static str {
    parse(text).unwrap_err().code
}

#[test]
fn a_single_object_keeps_numbers_booleans_texts_and_metadata() {
    let parsed = parse(r#"{"data":{"t":21.5,"n":-3,"open":true,"mode":"eco"},"metadata":{"a":{"b":1}}}"#).unwrap();
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.untimed, [0]);
    let sample = &parsed.samples[0];
    assert_eq!(sample.ts, NOW);
    assert_eq!(sample.data["t"], Value::Number(21.5));
    assert_eq!(sample.data["n"], Value::Number(-3.0));
    assert_eq!(sample.data["open"], Value::Boolean(true));
    assert_eq!(sample.data["mode"], Value::Text("eco".into()));
    assert_eq!(sample.metadata, Some(json!({"a":{"b":1}})));
}

#[test]
fn arrays_and_the_samples_form_are_the_same() {
    let array = parse(r#"[{"ts":1795226850,"data":{"t":1}},{"ts":1795226851,"data":{"t":2}}]"#).unwrap();
    let form = parse(r#"{"samples":[{"ts":1795226850,"data":{"t":1}},{"ts":1795226851,"data":{"t":2}}]}"#).unwrap();
    assert_eq!(array, form);
    assert_eq!(array.samples.len(), 2);
    assert!(array.untimed.is_empty());
}

#[test]
fn each_form_of_time_is_read() {
    for (ts, expected_ms) in [
        ("1795226850", 1_795_226_850_000),
        ("1795226850.25", 1_795_226_850_250),
        ("1795226850153", 1_795_226_850_153),
        ("\"1795226850\"", 1_795_226_850_000),
        ("\"2026-11-21T02:07:30.153+00:00\"", 1_795_226_850_153),
        ("\"2026-11-21T02:07:30\"", 1_795_226_850_000),
        ("null", NOW.millis()),
    ] {
        let parsed = parse(&format!(r#"{{"ts":{ts},"data":{{"t":1}}}}"#)).unwrap();
        assert_eq!(parsed.samples[0].ts.millis(), expected_ms, "{ts}");
        let parsed = parse(&format!(r#"{{"data":{{"t":1}},"timestamp":{ts}}}"#)).unwrap();
        assert_eq!(parsed.samples[0].ts.millis(), expected_ms, "{ts}");
    }
}

#[test]
fn seconds_since_boot_are_no_time_and_are_told() {
    for ts in ["0", "12345", "\"17\"", "-5"] {
        let parsed = parse(&format!(r#"{{"ts":{ts},"data":{{"t":1}}}}"#)).unwrap();
        assert_eq!(parsed.samples[0].ts, NOW);
        assert_eq!(parsed.problems[0].code, "clock_not_set", "{ts}");
    }
}

#[test]
fn samples_without_time_in_one_message_stay_apart() {
    let parsed = parse(r#"[{"data":{"t":1}},{"ts":1795226000,"data":{"t":9}},{"data":{"t":2}}]"#).unwrap();
    assert_eq!(parsed.untimed, [0, 2]);
    assert_eq!(parsed.samples[0].ts, NOW);
    assert_eq!(parsed.samples[2].ts, NOW.plus_millis(1));
}

#[test]
fn bad_messages_have_their_code() {
    for (text, code) in [
        ("", "not_json"),
        ("hello", "not_json"),
        ("{\"data\":{\"t\":NaN}}", "not_json"),
        ("{\"data\":{\"t\":1}} trailing", "not_json"),
        ("\u{0}\u{1}", "not_json"),
        ("{\"data\":{\"t\":1e999}}", "number_out_of_range"),
        ("42", "wrong_type"),
        ("null", "wrong_type"),
        ("[1,2]", "wrong_type"),
        ("{\"data\":[1]}", "wrong_type"),
        ("{\"data\":\"x\"}", "wrong_type"),
        ("{\"data\":{\"t\":{\"v\":1}}}", "wrong_type"),
        ("{\"data\":{\"t\":[1]}}", "wrong_type"),
        ("{\"data\":{\"t\":null}}", "wrong_type"),
        ("{\"data\":{\"t\":\"a\\u0000b\"}}", "bad_text"),
        ("{\"data\":{\"\":1}}", "bad_key"),
        ("{\"data\":{\"a\\nb\":1}}", "bad_key"),
        ("{\"data\":{}}", "no_data"),
        ("{}", "no_data"),
        ("[]", "no_data"),
        ("{\"t\":1}", "no_data"),
        ("{\"data\":{\"t\":1},\"metadata\":[1]}", "bad_metadata"),
        ("{\"data\":{\"t\":1},\"ts\":\"yesterday\"}", "bad_time"),
        ("{\"data\":{\"t\":1},\"ts\":true}", "bad_time"),
        ("{\"data\":{\"t\":1},\"ts\":{\"a\":1}}", "bad_time"),
        ("{\"data\":{\"t\":1},\"ts\":\"1970-01-01T00:00:10Z\"}", "time_out_of_range"),
        ("{\"data\":{\"t\":1},\"ts\":4102444800}", "time_out_of_range"),
        ("{\"data\":{\"t\":1},\"ts\":\"2100-01-01T00:00:00Z\"}", "time_out_of_range"),
        ("{\"data\":{\"t\":1},\"ts\":1e300}", "time_out_of_range"),
        ("[[[[[[[[[1]]]]]]]]]", "too_deep"),
    ] {
        assert_eq!(problem(text), code, "{text:?}");
    }
}

#[test]
fn limits_hold() {
    let many_keys: serde_json::Map<_, _> = (0..10_000).map(|i| (format!("k{i}"), json!(i))).collect();
    assert_eq!(problem(&json!({ "data": many_keys }).to_string()), "too_many_keys");
    assert_eq!(problem(&json!({"data": {"k".repeat(101): 1}}).to_string()), "bad_key");
    assert!(parse(&json!({"data": {"ü".repeat(100): 1}}).to_string()).is_ok());
    assert_eq!(problem(&json!({"data": {"t": "x".repeat(1025)}}).to_string()), "text_too_long");
    assert!(parse(&json!({"data": {"t": "x".repeat(1024)}}).to_string()).is_ok());
    assert_eq!(problem(&" ".repeat(1 << 20)), "payload_too_large");
    let sample = r#"{"data":{"t":1}},"#;
    let samples = format!("[{}{{\"data\":{{\"t\":1}}}}]", sample.repeat(10_000));
    assert_eq!(problem(&samples), "too_many_samples");
    assert_eq!(problem(&"[".repeat(200_000)), "too_deep");
    assert_eq!(problem(&json!({"data": {"t": 1}, "metadata": {"a": "x".repeat(5000)}}).to_string()), "bad_metadata");
}

#[test]
fn brackets_inside_texts_are_no_nesting() {
    assert!(parse(r#"{"data":{"t":"[[[[[[[[[[{{{{{{\"[[["}}"#).is_ok());
}

#[test]
fn good_values_survive_bad_neighbours() {
    let parsed = parse(
        r#"[{"data":{"t":1,"bad":[1]}},7,{"data":"x"},{"ts":"2100-01-01T00:00:00Z","data":{"t":2}},{"data":{"t":3}}]"#,
    );
    let parsed = parsed.unwrap();
    let values: Vec<_> = parsed.samples.iter().map(|sample| sample.data["t"].clone()).collect();
    assert_eq!(values, [Value::Number(1.0), Value::Number(3.0)]);
    let codes: Vec<_> = parsed.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["wrong_type", "wrong_type", "wrong_type", "time_out_of_range"]);
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    let name = prop_oneof![
        Just("ts".to_owned()),
        Just("data".into()),
        Just("samples".into()),
        Just("metadata".into()),
        "\\PC{0,4}"
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn assert_sound(outcome: Result<ParsedPayload, PayloadProblem>) {
    let Ok(parsed) = outcome else { return };
    assert!(!parsed.samples.is_empty());
    assert!(parsed.problems.len() <= MAX_PROBLEMS);
    for sample in &parsed.samples {
        assert!(!sample.data.is_empty());
        assert!(is_plausible(sample.ts, NOW));
        for (key, value) in &sample.data {
            assert!(!key.is_empty() && key.chars().count() <= 100);
            assert!(value.number().is_none_or(f64::is_finite));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        assert_sound(parse_payload(&bytes, NOW, &PayloadLimits::DEFAULT));
    }

    #[test]
    fn whatever_json_comes_only_finite_values_at_plausible_times_are_accepted(json in any_json()) {
        assert_sound(parse(&json.to_string()));
    }

    #[test]
    fn what_a_sample_says_is_what_is_read(
        values in prop::collection::btree_map("[a-z]{1,8}", -1e300..1e300_f64, 1..8),
        age_ms in -NEWEST_SAMPLE_MS..OLDEST_SAMPLE_MS,
    ) {
        let ts = NOW.plus_millis(-age_ms);
        let parsed = parse(&json!({"ts": ts, "data": values}).to_string()).unwrap();
        prop_assert_eq!(parsed.samples[0].ts, ts);
        let read: BTreeMap<_, _> = parsed.samples[0].data.iter().map(|(k, v)| (k.clone(), v.number().unwrap())).collect();
        prop_assert_eq!(read, values);
    }
}
