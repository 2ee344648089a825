use proptest::prelude::*;

use super::*;

const fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

fn above(limit: f64, hysteresis: f64, for_s: i64) -> Condition {
    Condition::Threshold { key: "t".into(), side: Side::Above, limit, hysteresis, for_s }
}

fn rate(trend: Trend, change: f64, window_s: i64) -> Condition {
    Condition::Rate { key: "t".into(), trend, change, window_s }
}

fn points(values: &[(i64, f64)]) -> Vec<(Timestamp, f64)> {
    values.iter().map(|(second, value)| (at(*second), *value)).collect()
}

/// (raised, cleared) in seconds.
fn fired(condition: &Condition, values: &[(i64, f64)], to: i64) -> Vec<(i64, Option<i64>)> {
    simulate(condition, &points(values), at(0), at(to))
        .into_iter()
        .map(|firing| (firing.raised_at.millis() / 1_000, firing.cleared_at.map(|at| at.millis() / 1_000)))
        .collect()
}

#[test]
fn thresholds_raise_and_clear() {
    for (condition, values, expected) in [
        (above(30.0, 0.0, 0), vec![(1, 29.0), (2, 31.0), (3, 32.0), (4, 30.0)], vec![(2, Some(4))]),
        // The limit itself is still good.
        (above(30.0, 0.0, 0), vec![(1, 30.0)], vec![]),
        // Hysteresis: it must come back by two degrees.
        (above(30.0, 2.0, 0), vec![(1, 31.0), (2, 29.0), (3, 31.0), (4, 28.0)], vec![(1, Some(4))]),
        // Debounce: a short peak is none, a long one is.
        (above(30.0, 0.0, 10), vec![(1, 31.0), (5, 29.0), (6, 31.0), (12, 31.0), (16, 31.0)], vec![(16, None)]),
        // What was measured last holds: no second message is needed.
        (above(30.0, 0.0, 10), vec![(1, 31.0)], vec![(11, None)]),
        (
            Condition::Threshold { key: "t".into(), side: Side::Below, limit: 5.0, hysteresis: 1.0, for_s: 0 },
            vec![(1, 4.9), (2, 5.5), (3, 6.0), (4, 4.0)],
            vec![(1, Some(3)), (4, None)],
        ),
    ] {
        assert_eq!(fired(&condition, &values, 60), expected, "{condition}: {values:?}");
    }
}

#[test]
fn absence_raises_after_silence_and_clears_with_the_next_message() {
    let condition = Condition::Absence { key: None, after_s: 30 };
    assert_eq!(fired(&condition, &[(10, 1.0), (35, 1.0)], 60), []);
    assert_eq!(fired(&condition, &[(10, 1.0), (90, 1.0), (100, 1.0)], 120), [(40, Some(90))]);
    assert_eq!(fired(&condition, &[], 60), [(30, None)], "never heard");
}

#[test]
fn rates_look_back_over_their_window() {
    let slow = [(0, 10.0), (30, 12.0), (60, 14.0), (90, 16.0)];
    let fast = [(0, 10.0), (10, 13.0), (20, 16.0), (30, 16.0), (60, 16.0)];
    assert_eq!(fired(&rate(Trend::Rise, 5.0, 30), &slow, 200), []);
    assert_eq!(fired(&rate(Trend::Rise, 5.0, 60), &slow, 80), [], "4 within 60 seconds");
    assert_eq!(fired(&rate(Trend::Rise, 5.0, 30), &fast, 200), [(20, Some(60))]);
    assert_eq!(fired(&rate(Trend::Fall, 5.0, 30), &fast, 200), []);
    assert_eq!(
        fired(&rate(Trend::Either, 5.0, 30), &[(0, 16.0), (10, 10.0)], 100),
        [(10, Some(40))],
        "silence ends it"
    );
}

#[test]
fn connection_may_be_away_for_a_moment() {
    let condition = Condition::Connection { after_s: 10 };
    let mut state = RuleState::new(&condition, at(0));
    assert_eq!(state.connection(&condition, false, at(1), at(3)), None);
    assert_eq!(state.time_passed(&condition, at(12)), None);
    assert_eq!(state.connection(&condition, true, at(12), at(12)), None);
    assert_eq!(state.time_passed(&condition, at(60)), None, "it came back in time");
    state.connection(&condition, false, at(70), at(70));
    assert_eq!(state.time_passed(&condition, at(80)), Some(Verdict::Raise { since: at(70), value: None }));
    assert_eq!(state.connection(&condition, false, at(81), at(81)), None, "raised already");
    assert_eq!(state.connection(&condition, true, at(90), at(90)), Some(Verdict::Clear { value: None }));
    let at_once = Condition::Connection { after_s: 0 };
    let mut state = RuleState::new(&at_once, at(0));
    assert!(matches!(state.connection(&at_once, false, at(1), at(1)), Some(Verdict::Raise { .. })));
}

#[test]
fn late_and_repeated_measurements_change_nothing() {
    let condition = above(30.0, 0.0, 0);
    let mut state = RuleState::new(&condition, at(0));
    assert!(state.measured(&condition, at(10), 31.0, &[], at(10)).is_some());
    assert!(state.measured(&condition, at(11), 20.0, &[], at(11)).is_some());
    for late in [3, 10, 11] {
        assert_eq!(state.measured(&condition, at(late), 40.0, &[], at(12)), None);
    }
    assert_eq!(state.phase, Phase::Normal);
}

#[test]
fn a_device_whose_clock_is_behind_is_not_judged_early() {
    let condition = above(30.0, 0.0, 60);
    let mut state = RuleState::new(&condition, at(0));
    state.measured(&condition, at(10), 31.0, &[], at(4_000));
    assert_eq!(state.time_passed(&condition, at(4_030)), None);
    assert!(state.time_passed(&condition, at(4_060)).is_some());
}

#[test]
fn wrong_conditions_name_the_field() {
    for (condition, field) in [
        (above(f64::NAN, 0.0, 0), "condition.limit"),
        (above(1.0, -1.0, 0), "condition.hysteresis"),
        (above(1.0, 0.0, MAX_DELAY_S + 1), "condition.for_s"),
        (Condition::Absence { key: Some(String::new()), after_s: 60 }, "condition.key"),
        (Condition::Absence { key: None, after_s: 1 }, "condition.after_s"),
        (rate(Trend::Rise, 0.0, 60), "condition.change"),
        (rate(Trend::Rise, 1.0, 3_601), "condition.window_s"),
        (Condition::Connection { after_s: -1 }, "condition.after_s"),
    ] {
        let fields: Vec<_> = condition.mistakes().into_iter().map(|mistake| mistake.field).collect();
        assert_eq!(fields, [field], "{condition:?}");
    }
    assert_eq!(above(1.0, 0.5, 60).mistakes(), []);
}

#[test]
fn conditions_read_as_a_sentence() {
    for (condition, text) in [
        (above(-15.0, 1.0, 90), "t above -15 for 90 s"),
        (above(30.5, 1.0, 0), "t above 30.5"),
        (Condition::Absence { key: None, after_s: 86_400 }, "no data for 1 d"),
        (Condition::Absence { key: Some("t".into()), after_s: 7_200 }, "no t for 2 h"),
        (rate(Trend::Either, 2.0, 300), "t changes by 2 within 5 min"),
        (Condition::Connection { after_s: 0 }, "offline"),
    ] {
        assert_eq!(condition.to_string(), text);
    }
}

#[test]
fn what_was_seen_is_told_in_a_sentence() {
    let raise = |value: f64| Verdict::Raise { since: at(0), value: Some(value) };
    for (condition, verdict, text) in [
        (above(-15.0, 0.0, 0), raise(-11.200_000_3), "t is -11.2, above -15."),
        (above(30.0, 0.0, 0), Verdict::Clear { value: Some(29.0) }, "t is 29 again."),
        (rate(Trend::Either, 2.0, 60), raise(-3.5), "t fell by 3.5 within 1 min."),
        (Condition::Absence { key: None, after_s: 90 }, raise(0.0), "No data came for 90 s."),
        (Condition::Connection { after_s: 0 }, Verdict::Clear { value: None }, "The device is online again."),
    ] {
        assert_eq!(condition.sentence(&verdict), text);
    }
}

#[test]
fn rule_is_written_flat_and_read_back() {
    let text = r#"{"id":"0193a0000000700080000000000000ab","name":"Warm","condition":{"kind":"threshold","key":"t","side":"above","limit":30.0},"scope":{"kind":"type","device_type":"freezer"},"severity":"critical","scope_name":"freezer","created_at":"2026-11-21T00:00:00.000Z","updated_at":"2026-11-21T00:00:00.000Z"}"#;
    let rule: AlarmRule = serde_json::from_str(text).unwrap();
    assert!(rule.rule.is_enabled);
    assert_eq!(rule.rule.condition, above(30.0, 0.0, 0));
    let again: AlarmRule = serde_json::from_str(&serde_json::to_string(&rule).unwrap()).unwrap();
    assert_eq!(again, rule);
    let unknown = r#"{"kind":"threshold","key":"t","side":"above","limit":30.0,"hysteresys":1.0}"#;
    assert!(serde_json::from_str::<Condition>(unknown).is_err(), "a misspelt field must not be passed over");
}

fn conditions() -> impl Strategy<Value = Condition> {
    prop_oneof![
        (-20.0..20.0, 0.0..5.0, 0_i64..30).prop_map(|(limit, hysteresis, for_s)| above(limit, hysteresis, for_s)),
        (5_i64..60).prop_map(|after_s| Condition::Absence { key: None, after_s }),
        (1.0..30.0, 5_i64..60).prop_map(|(change, window_s)| rate(Trend::Either, change, window_s)),
    ]
}

fn courses() -> impl Strategy<Value = Vec<(i64, f64)>> {
    prop::collection::vec((1_i64..20, -30.0..30.0), 0..60).prop_map(|steps| {
        let mut now = 0;
        steps
            .into_iter()
            .map(|(step, value)| {
                now += step;
                (now, value)
            })
            .collect()
    })
}

proptest! {
    /// An alarm is cleared before it is raised again, and only the last may be open.
    #[test]
    fn firings_never_overlap(condition in conditions(), course in courses()) {
        let firings = fired(&condition, &course, 2_000);
        for pair in firings.windows(2) {
            let cleared = pair[0].1;
            prop_assert!(cleared.is_some_and(|cleared| pair[0].0 <= cleared && cleared <= pair[1].0), "{firings:?}");
        }
    }

    /// Every measurement sent twice, and old ones again at the end: the same state and the same alarms.
    #[test]
    fn repeated_data_is_judged_once(condition in conditions(), course in courses()) {
        let course = points(&course);
        let (mut once, mut twice) = (RuleState::new(&condition, at(0)), RuleState::new(&condition, at(0)));
        for (number, (ts, value)) in course.iter().enumerate() {
            let first = once.measured(&condition, *ts, *value, &course[..number], *ts);
            prop_assert_eq!(twice.measured(&condition, *ts, *value, &course[..number], *ts), first);
            prop_assert_eq!(twice.measured(&condition, *ts, *value, &course[..number], *ts), None);
            if let Some((ts, value)) = course.first() {
                prop_assert_eq!(twice.measured(&condition, *ts, *value, &[], *ts), None);
            }
            prop_assert_eq!(once, twice);
        }
    }

    /// A raised threshold was exceeded for as long as it must be, by every measurement in between.
    #[test]
    fn no_threshold_alarm_without_cause(limit in -20.0..20.0, for_s in 0_i64..30, course in courses()) {
        for (raised, _) in fired(&above(limit, 0.0, for_s), &course, 2_000) {
            let first_good = course.iter().rev().find(|(second, value)| *second < raised && *value <= limit);
            let since = course.iter().find(|(second, _)| first_good.is_none_or(|(good, _)| second > good));
            prop_assert!(since.is_some_and(|(since, _)| raised - since >= for_s), "raised at {raised}");
        }
    }

    /// Looking more often than needed changes nothing.
    #[test]
    fn looking_too_often_does_no_harm(condition in conditions(), course in courses()) {
        let mut state = RuleState::new(&condition, at(0));
        for (number, (ts, value)) in points(&course).iter().enumerate() {
            state.measured(&condition, *ts, *value, &points(&course)[..number], *ts);
            let before = state;
            if before.due_at.is_none_or(|due| due > *ts) {
                prop_assert_eq!(state.time_passed(&condition, *ts), None);
                prop_assert_eq!(state, before);
            }
        }
    }
}
