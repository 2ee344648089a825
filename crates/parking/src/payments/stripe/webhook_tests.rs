use super::*;

const PAYLOAD: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
const TIME_S: i64 = 1_700_000_000;
/// Computed with Python: `hmac.new(secret, b"1700000000." + PAYLOAD, "sha256").hexdigest()`.
const ONE: &str = "fe79aee1a002fffa0e48e9e0419752a55f344c646cc7cba408ff68411d3d7a4e";
const TWO: &str = "b69178dc863611687c43df34b349404ffc7b16692271c89de73b433310b9a39c";

fn secrets(secrets: &[&str]) -> Vec<SecretString> {
    secrets.iter().map(|secret| SecretString::from(*secret)).collect()
}

/// Against `whsec_one`, at the time it was signed.
fn check(header: &str) -> Result<(), SignatureError> {
    verify(header.as_bytes(), PAYLOAD, &secrets(&["whsec_one"]), DEFAULT_TOLERANCE_S, TIME_S)
}

#[test]
fn signatures_are_what_others_compute() {
    assert_eq!(sign(PAYLOAD, "whsec_one", TIME_S), format!("t={TIME_S},v1={ONE}"));
    assert_eq!(sign(PAYLOAD, "whsec_two", TIME_S), format!("t={TIME_S},v1={TWO}"));
    assert_eq!(check(&format!("t={TIME_S},v1={ONE}")), Ok(()));
}

#[test]
fn another_secret_or_body_or_time_does_not_fit() {
    assert_eq!(check(&format!("t={TIME_S},v1={TWO}")), Err(SignatureError::Mismatch));
    assert_eq!(check(&format!("t={},v1={ONE}", TIME_S + 1)), Err(SignatureError::Mismatch));
    assert_eq!(check(&format!("t=0{TIME_S},v1={ONE}")), Err(SignatureError::Mismatch));
    let changed = br#"{"id":"evt_2","object":"event"}"#;
    let header = format!("t={TIME_S},v1={ONE}");
    let found = verify(header.as_bytes(), changed, &secrets(&["whsec_one"]), DEFAULT_TOLERANCE_S, TIME_S);
    assert_eq!(found, Err(SignatureError::Mismatch));
}

#[test]
fn any_signature_and_any_secret_will_do() {
    // The order of the header's parts is not promised, nor are there no others.
    for header in [
        format!("t={TIME_S},v1={TWO},v1={ONE}"),
        format!("v1={ONE},t={TIME_S},v1={TWO}"),
        format!("t={TIME_S},v1=junk,v1={ONE},v0={TWO},v2=x,new="),
        format!("t={TIME_S}, v1={ONE}"),
        format!("t={TIME_S},v1={}", ONE.to_uppercase()),
    ] {
        assert_eq!(check(&header), Ok(()), "{header}");
    }
    let header = format!("t={TIME_S},v1={TWO}");
    for configured in [["whsec_one", "whsec_two"], ["whsec_two", "whsec_one"]] {
        let found = verify(header.as_bytes(), PAYLOAD, &secrets(&configured), DEFAULT_TOLERANCE_S, TIME_S);
        assert_eq!(found, Ok(()));
    }
    let found = verify(header.as_bytes(), PAYLOAD, &secrets(&["a", "b"]), DEFAULT_TOLERANCE_S, TIME_S);
    assert_eq!(found, Err(SignatureError::Mismatch));
}

#[test]
fn times_may_differ_by_the_tolerance_both_ways() {
    let header = format!("t={TIME_S},v1={ONE}");
    let at = |now_s| verify(header.as_bytes(), PAYLOAD, &secrets(&["whsec_one"]), 300, now_s);
    assert_eq!(at(TIME_S + 300), Ok(()));
    assert_eq!(at(TIME_S - 300), Ok(()));
    assert_eq!(at(TIME_S + 301), Err(SignatureError::TooOld { age_s: 301 }));
    assert_eq!(at(TIME_S - 301), Err(SignatureError::InFuture { ahead_s: 301 }));
    assert_eq!(at(i64::MIN), Err(SignatureError::InFuture { ahead_s: TIME_S.abs_diff(i64::MIN) }));
}

#[test]
fn an_old_message_with_a_wrong_signature_is_not_told_its_age() {
    let header = format!("t={},v1={ONE}", TIME_S - 10_000);
    assert_eq!(check(&header), Err(SignatureError::Mismatch));
}

#[test]
fn only_v1_counts() {
    assert_eq!(check(&format!("t={TIME_S}")), Err(SignatureError::NoSignature));
    assert_eq!(check(&format!("t={TIME_S},v0={ONE}")), Err(SignatureError::NoSignature));
    assert_eq!(check(&format!("t={TIME_S},V1={ONE}")), Err(SignatureError::NoSignature));
    for junk in ["", "00", "zz", &ONE[1..], &format!("{ONE}0"), &format!("{ONE}{ONE}"), &"+1".repeat(32)] {
        assert_eq!(check(&format!("t={TIME_S},v1={junk}")), Err(SignatureError::Mismatch), "{junk}");
    }
}

#[test]
fn junk_is_no_header() {
    for junk in ["", ",", "t", "junk", "t=1,v1", &format!("t={TIME_S},v1={ONE},")] {
        assert_eq!(check(junk), Err(SignatureError::Malformed), "{junk:?}");
    }
    for time in ["", "+1700000000", "-1", "1.5", "now", "99999999999999999999"] {
        assert_eq!(check(&format!("t={time},v1={ONE}")), Err(SignatureError::Malformed), "{time:?}");
    }
    assert_eq!(check(&format!("t={TIME_S},t={TIME_S},v1={ONE}")), Err(SignatureError::Malformed));
    assert_eq!(check(&format!("v1={ONE}")), Err(SignatureError::NoTime));
    let found = verify(b"t=1,v1=\xff", PAYLOAD, &secrets(&["whsec_one"]), 300, 1);
    assert_eq!(found, Err(SignatureError::Malformed));
}

#[test]
fn without_a_secret_nothing_is_believed() {
    let header = format!("t={TIME_S},v1={ONE}");
    assert_eq!(verify(header.as_bytes(), PAYLOAD, &[], 300, TIME_S), Err(SignatureError::NoSecret));
}

#[test]
fn bodies_are_bytes() {
    // Computed with Python, as above.
    let expected = "4d3c4abc8a3d1e3080a79a80c82323f814b6a0dac372a1861e13365a534dcfd0";
    let header = sign(b"\xff\xfe", "whsec_one", TIME_S);
    assert_eq!(header, format!("t={TIME_S},v1={expected}"));
    let secrets = secrets(&["whsec_one"]);
    assert_eq!(verify(header.as_bytes(), b"\xff\xfe", &secrets, 300, TIME_S), Ok(()));
    let found = read(header.as_bytes(), b"\xff\xfe", &secrets, 300, TIME_S);
    assert!(matches!(found, Err(WebhookError::Event(EventError::Json { .. }))), "{found:?}");
}

#[test]
fn a_genuine_event_is_read_and_another_is_not() {
    let payload =
        br#"{"id":"evt_1","object":"event","type":"payout.paid","created":1,"data":{"object":{"object":"payout"}}}"#;
    let header = sign(payload, "whsec_one", TIME_S);
    let event = read(header.as_bytes(), payload, &secrets(&["whsec_one"]), 300, TIME_S).unwrap();
    assert_eq!(event.id.as_str(), "evt_1");
    let found = read(header.as_bytes(), payload, &secrets(&["whsec_two"]), 300, TIME_S);
    assert!(matches!(found, Err(WebhookError::Signature(SignatureError::Mismatch))), "{found:?}");
}
