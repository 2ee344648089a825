//! What is unusual: learned, judged, told, excused, learned again; and the former system's figures.

use std::ops::Range;

use portico_access::EventQuery;
use portico_alarms::{AlarmQuery, StateFilter};
use portico_model::access::anomaly::ModelState;
use portico_model::access::{AccessEvent, AccessKind, Method};
use portico_model::identity::Role;
use portico_model::{AccessEventId, DoorId, PersonId};
use portico_platform::{Actor, on_db};
use serde_json::{Value, json};

use crate::log::{Client, event};
use crate::{World, each};

const DAY_S: i64 = 86_400;

struct Office {
    ann: PersonId,
    door: DoorId,
}

impl Office {
    fn new() -> Self {
        Self { ann: PersonId::generate(), door: DoorId::generate() }
    }

    /// Ann at the door, so many seconds after the start (02:00 on a Saturday).
    fn ann_at(&self, seconds: i64) -> AccessEvent {
        AccessEvent { person_id: Some(self.ann), door_id: Some(self.door), ..event(seconds) }
    }

    /// Eight weeks before the start: Ann at nine and at five on working days.
    fn past(&self) -> Vec<AccessEvent> {
        self.days(-56..0)
    }

    /// Ann at nine and at five on the working days among these, counted from the start.
    fn days(&self, days: Range<i64>) -> Vec<AccessEvent> {
        // The start is a Saturday.
        days.filter(|day| !matches!(day.rem_euclid(7), 0 | 1))
            .flat_map(|day| {
                let morning = day * DAY_S + 7 * 3_600 + (day.rem_euclid(5)) * 240;
                [self.ann_at(morning), self.ann_at(morning + 8 * 3_600)]
            })
            .collect()
    }
}

impl World {
    async fn trained(&self) {
        self.access.request_training(&self.manager).await.unwrap();
        self.access.train_waiting().await.unwrap();
    }

    async fn judged(&self, event: AccessEvent) -> AccessEvent {
        let id = event.id;
        self.log([event]).await;
        self.access.judge(&[(self.organization, id)]).await.unwrap();
        self.access.access_event(&self.manager, id).await.unwrap()
    }

    async fn open_alarms(&self) -> Vec<String> {
        let query = AlarmQuery { state: StateFilter::Open, ..AlarmQuery::default() };
        self.alarms.list(&self.manager, query).await.unwrap().items.into_iter().map(|alarm| alarm.text).collect()
    }
}

#[tokio::test]
async fn log_too_short_to_learn_from_says_so() {
    each(|world| async move {
        world.log((0..49).map(event)).await;
        world.log([AccessEvent { kind: AccessKind::DoorOpened, granted: None, ..event(60) }]).await;
        let error = world.access.request_training(&world.manager).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (409, "too_few_events"));
        assert!(error.message().contains("49 of at least 50"), "{}", error.message());
        let status = world.access.model_status(&world.manager).await.unwrap();
        assert_eq!((status.current, status.latest, status.events, status.events_needed), (None, None, 49, 50));
        // Nothing was learned: nothing is judged.
        let one = world.judged(event(100)).await;
        assert_eq!((one.score, one.is_anomaly), (None, false));
        assert!(world.access.request_training(&world.manager).await.is_ok(), "now they are fifty");
    })
    .await;
}

#[tokio::test]
async fn night_visit_is_found_told_excused_and_learned() {
    each(|world| async move {
        let office = Office::new();
        world.log(office.past()).await;
        world.trained().await;
        let status = world.access.model_status(&world.manager).await.unwrap();
        let model = status.current.unwrap();
        assert_eq!((model.version, model.state, model.trained_on), (1, ModelState::Done, 80));
        assert!(model.threshold.is_some() && status.latest.is_none());

        let usual = world.judged(office.ann_at(2 * DAY_S + 7 * 3_600 + 300)).await;
        assert!(usual.score.is_some() && !usual.is_anomaly, "{usual:?}");
        let night = world.judged(office.ann_at(60)).await;
        assert!(night.is_anomaly && night.score > usual.score, "{night:?}");
        assert!(night.score_reasons.join("; ").contains("unusual time of day for this person"), "{night:?}");
        let alarms = world.open_alarms().await;
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(alarms[0].contains("Ann Archer at Main entrance: "), "{alarms:?}");
        // Judged once: the same again changes nothing.
        world.access.judge(&[(world.organization, night.id)]).await.unwrap();
        assert_eq!(world.access.access_event(&world.manager, night.id).await.unwrap(), night);

        let excused = world.access.mark_false_alarm(&world.manager, night.id, true).await.unwrap();
        assert!(excused.is_false_alarm && excused.is_anomaly);
        assert!(world.open_alarms().await.is_empty());
        let insights = world.access.insights(&world.manager, 7).await.unwrap();
        assert_eq!(insights.unusual, 0);
        assert!(world.access.mark_false_alarm(&world.manager, night.id, true).await.unwrap().is_false_alarm);
        // The week after, at the same time and after as long an absence: only what was learned differs.
        world.log(office.days(3..7)).await;
        world.trained().await;
        let model = world.access.model_status(&world.manager).await.unwrap().current.unwrap();
        assert_eq!((model.version, model.false_alarms), (2, 1));
        let again = world.judged(office.ann_at(7 * DAY_S + 60)).await;
        assert!(again.score < night.score, "{again:?} {night:?}");
        let back = world.access.mark_false_alarm(&world.manager, night.id, false).await.unwrap();
        assert!(!back.is_false_alarm);
    })
    .await;
}

#[tokio::test]
async fn what_was_missed_is_judged_later_and_old_models_lose_their_content() {
    each(|world| async move {
        let office = Office::new();
        world.log(office.past()).await;
        for _ in 0..5 {
            world.trained().await;
        }
        let mut tx = world.platform.db.read().await.unwrap();
        let kept: i64 = on_db!(&mut tx, conn => sqlx::query_scalar(
            "select count(*) from access_model where content is not null").fetch_one(conn).await)
        .unwrap();
        drop(tx);
        assert_eq!(kept, 3);
        world.log([office.ann_at(-60)]).await;
        world.access.judge_missed().await.unwrap();
        let newest = world.access.events(&world.manager, &EventQuery::default()).await.unwrap().items.remove(0);
        assert!(newest.score.is_some());
    })
    .await;
}

#[tokio::test]
async fn schedule_asks_once_a_day_and_a_request_under_way_is_the_answer() {
    each(|world| async move {
        let office = Office::new();
        world.access.request_due_training().await.unwrap();
        let latest = world.access.model_status(&world.manager).await.unwrap().latest;
        assert_eq!(latest, None, "nothing to learn from");
        world.log(office.past()).await;
        world.access.request_due_training().await.unwrap();
        let waiting = world.access.model_status(&world.manager).await.unwrap().latest.unwrap();
        assert_eq!((waiting.state, waiting.requested_by.as_str()), (ModelState::Waiting, "system"));
        assert_eq!(world.access.request_training(&world.manager).await.unwrap().id, waiting.id);
        world.access.train_waiting().await.unwrap();
        world.advance_s(DAY_S - 10);
        world.access.request_due_training().await.unwrap();
        assert_eq!(world.access.model_status(&world.manager).await.unwrap().latest, None, "not yet");
        world.advance_s(20);
        world.access.request_due_training().await.unwrap();
        let next = world.access.model_status(&world.manager).await.unwrap().latest.unwrap();
        assert_eq!(next.version, 2);
    })
    .await;
}

#[tokio::test]
async fn training_that_died_with_its_server_has_failed() {
    each(|world| async move {
        let office = Office::new();
        world.log(office.past()).await;
        let model = world.access.request_training(&world.manager).await.unwrap();
        let mut tx = world.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query("update access_model set state = 'training' where id = $1")
            .bind(model.id).execute(conn).await.map(drop))
        .unwrap();
        tx.commit().await.unwrap();
        world.advance_s(3_600);
        world.access.train_waiting().await.unwrap();
        let latest = world.access.model_status(&world.manager).await.unwrap().latest.unwrap();
        assert_eq!(latest.state, ModelState::Failed);
        assert!(!latest.error.is_empty());
        world.trained().await;
    })
    .await;
}

#[tokio::test]
async fn only_who_may_asks_marks_and_reads_and_only_in_the_own_organisation() {
    each(|world| async move {
        let office = Office::new();
        world.log(office.past()).await;
        world.log([AccessEvent { is_anomaly: true, score: Some(0.8), ..office.ann_at(5) }]).await;
        let query = EventQuery { anomaly: Some(true), ..EventQuery::default() };
        let id = world.access.events(&world.manager, &query).await.unwrap().items[0].id;
        let (safety, user) = (world.user("sam", Role::Safety).await, world.user("ursula", Role::User).await);
        assert_eq!(world.access.request_training(&safety).await.unwrap_err().status(), 403);
        assert!(world.access.mark_false_alarm(&safety, id, true).await.is_ok());
        assert_eq!(world.access.mark_false_alarm(&user, id, true).await.unwrap_err().status(), 403);
        assert_eq!(world.access.insights(&user, 7).await.unwrap_err().status(), 403);
        assert_eq!(world.access.model_status(&user).await.unwrap_err().status(), 403);
        let stranger = Actor { organization: world.test.other_organization().await, ..world.manager.clone() };
        assert_eq!(world.access.mark_false_alarm(&stranger, id, false).await.unwrap_err().status(), 404);
        assert_eq!(world.access.insights(&stranger, 7).await.unwrap().attempts, 0);
        let query = EventQuery { anomaly: Some(false), ..EventQuery::default() };
        let usual = world.access.events(&world.manager, &query).await.unwrap().items[0].id;
        assert_eq!(world.access.mark_false_alarm(&world.manager, usual, true).await.unwrap_err().status(), 409);
    })
    .await;
}

async fn insert_person(world: &World, id: PersonId, number: i64) {
    let mut tx = world.platform.db.begin().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query(
        "insert into access_person (id, organization_id, number, name, search_text, level, is_active, created_at,
             updated_at) values ($1, $2, $3, 'Ann Archer', 'ann archer', 'basic', true, 0, 0)",
    ).bind(id).bind(world.organization).bind(number).execute(conn).await.map(drop))
    .unwrap();
    tx.commit().await.unwrap();
}

/// Exactly what the former system answered (contracts, 1.2).
#[tokio::test]
async fn former_system_s_figures_have_its_form() {
    each(|world| async move {
        let office = Office::new();
        insert_person(&world, office.ann, 7).await;
        let refused = AccessEvent { granted: Some(false), reason: "out_of_hours".into(), ..office.ann_at(-3_600) };
        let odd = AccessEvent {
            is_anomaly: true,
            score: Some(0.71),
            score_reasons: vec!["Odd hour".into(), "Odd door".into()],
            ..office.ann_at(-60)
        };
        let forced = AccessEvent { kind: AccessKind::ForcedOpen, granted: None, method: Method::System, ..event(-30) };
        world.log([office.ann_at(-3 * DAY_S), refused, odd.clone(), forced, office.ann_at(-20 * DAY_S)]).await;
        let client = Client::new(&world, "mona", Role::Manager).await;
        let (status, body) = client.send("GET", "/api/v1/analytics/insights", None).await;
        assert_eq!(status, 200);
        assert_eq!(
            body,
            json!({
                "total_access_attempts": 3, "failed_attempts": 1, "anomalies_detected": 1, "peak_hours": [1, 2],
                "most_active_users": [{"name": "Ann Archer", "attempts": 3}],
                "security_alerts": [{"timestamp": odd.at.to_iso(), "user_id": 7, "reason": "Odd hour; Odd door",
                    "confidence": 0.71}],
            })
        );
        let (status, body) = client.send("GET", "/api/v1/security/status", None).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!((&body["total_access_24h"], &body["failed_access_24h"]), (&json!(2), &json!(1)));
        assert_eq!((&body["security_score"], &body["success_rate"]), (&json!(70), &json!(50.0)));
        assert_eq!((&body["active_users"], &body["security_events_count"]), (&json!(1), &json!(2)));
        assert_eq!(body["last_updated"], "2026-11-21 02:00:00");
        let (status, list) = client.send("GET", "/api/v1/security/anomalies?limit=5", None).await;
        assert_eq!((status, list.as_array().unwrap().len(), &body["anomalies"]), (200, 1, &list));
        let one = &list[0];
        for (field, value) in [
            ("user_info", json!("Ann Archer")),
            ("user_id", json!(7)),
            ("method", json!("rfid")),
            ("success", json!(true)),
            ("duration", json!(0.0)),
            ("location", json!("Main entrance")),
            ("risk_level", json!("HIGH")),
            ("risk_score", json!(71)),
            ("description", json!("Odd hour; Odd door")),
        ] {
            assert_eq!(one[field], value, "{field}");
        }
        let (status, trends) = client.send("GET", "/api/v1/security/trends?days=7", None).await;
        assert_eq!((status, &trends["period"]), (200, &json!("2026-11-14 to 2026-11-21")));
        assert_eq!(trends["daily_access"]["2026-11-21"], json!({"total": 2, "failed": 1, "success": 1}));
        assert_eq!(trends["daily_access"]["2026-11-20"], json!({"total": 0, "failed": 0, "success": 0}));
        assert_eq!(trends["security_events"]["2026-11-21"], json!({"access_denied": 1, "forced_open": 1}));
    })
    .await;
}

#[tokio::test]
async fn wire_of_models_and_marks() {
    each(|world| async move {
        let office = Office::new();
        let client = Client::new(&world, "mona", Role::Manager).await;
        let (status, answer) = client.send("POST", "/ml/train", None).await;
        assert_eq!((status, &answer["code"]), (409, &json!("too_few_events")));
        world.log(office.past()).await;
        let (status, answer) = client.send("POST", "/ml/train", None).await;
        assert_eq!((status, &answer["model"]["state"]), (202, &json!("waiting")));
        world.access.train_waiting().await.unwrap();
        let (status, answer) = client.send("POST", "/api/v1/access/anomaly-model", None).await;
        assert_eq!((status, &answer["version"]), (202, &json!(2)));
        let (status, answer) = client.send("GET", "/api/v1/access/anomaly-model", None).await;
        assert_eq!((status, &answer["current"]["version"], &answer["latest"]["version"]), (200, &json!(1), &json!(2)));
        let night = world.judged(office.ann_at(60)).await;
        let path = format!("/api/v1/access/events/{}/false-alarm", night.id);
        let (status, answer) = client.send("PUT", &path, None).await;
        assert_eq!((status, &answer["is_false_alarm"]), (200, &Value::Bool(true)));
        let (status, answer) = client.send("DELETE", &path, None).await;
        assert_eq!((status, &answer["is_false_alarm"]), (200, &Value::Bool(false)));
        for (method, path, expected) in [
            ("GET", "/api/v1/access/insights", 200),
            ("GET", "/api/v1/access/insights?days=90", 200),
            ("GET", "/api/v1/access/insights?days=0", 400),
            ("GET", "/api/v1/access/insights?days=9223372036854775807", 400),
            ("GET", "/api/v1/access/insights?days=x", 400),
            ("GET", "/api/v1/security/trends?days=-1", 400),
            ("GET", "/api/v1/security/trends?days=9223372036854775807", 400),
            ("GET", "/api/v1/security/anomalies?limit=-9223372036854775808", 200),
            ("PUT", "/api/v1/access/events/nonsense/false-alarm", 404),
        ] {
            let (status, answer) = client.send(method, path, None).await;
            assert_eq!(status, expected, "{method} {path}: {answer}");
        }
        let id = AccessEventId::generate();
        let (status, _) = client.send("PUT", &format!("/api/v1/access/events/{id}/false-alarm"), None).await;
        assert_eq!(status, 404);
    })
    .await;
}
