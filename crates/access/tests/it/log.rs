//! The access log: pages, filters, the export, what becomes of old events and of erased people, and the wire.

use axum::Router;
use axum::body::Body;
use axum::http::response::Parts;
use axum::http::{Request, header};
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use portico_access::EventQuery;
use portico_identity::{ErasedLabels, NewUser, RequestContext, SessionKind, UserDependents as _, browser};
use portico_model::access::log::EventSearch;
use portico_model::access::{AccessEvent, AccessKind, AccessReason, Method};
use portico_model::identity::Role;
use portico_model::{AccessEventId, DoorId, PersonId, Timestamp};
use portico_platform::http::ClientAddress;
use portico_platform::testing::START;
use portico_platform::{Actor, on_db};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{World, each};

const PASSWORD: &str = "copper lantern under fjord";

/// Somebody was let in, so many seconds after the start.
pub fn event(seconds: i64) -> AccessEvent {
    let at = START.plus_secs(seconds);
    AccessEvent {
        id: AccessEventId::generate(),
        at,
        received_at: at,
        kind: AccessKind::Request,
        door_id: None,
        door_name: "Main entrance".into(),
        reader_id: None,
        person_id: None,
        person_name: "Ann Archer".into(),
        credential_id: None,
        credential_hint: "…C3D4".into(),
        method: Method::Rfid,
        granted: Some(true),
        reason: "granted".into(),
        policy_id: None,
        policy_name: "Office hours".into(),
        leaving: false,
        is_offline: false,
        is_untrusted: false,
        note: String::new(),
        score: None,
        score_reasons: Vec::new(),
        is_anomaly: false,
        is_false_alarm: false,
    }
}

impl World {
    pub async fn log(&self, events: impl IntoIterator<Item = AccessEvent>) {
        let mut tx = self.platform.db.begin().await.unwrap();
        let mut logged = Vec::new();
        for event in events {
            let one = self.access.append_event(&mut tx, self.organization, event, "192.0.2.7", None).await.unwrap();
            logged.push(one.unwrap());
        }
        tx.commit().await.unwrap();
        for one in logged {
            self.access.announce_event(one);
        }
    }

    async fn seconds(&self, query: EventQuery) -> Vec<i64> {
        let page = self.access.events(&self.manager, &query).await.unwrap();
        page.items.iter().map(|event| event.at.millis_since(START) / 1_000).collect()
    }
}

pub struct Client {
    app: Router,
    token: String,
}

impl Client {
    pub async fn new(world: &World, name: &str, role: Role) -> Self {
        let identity = world.identity.clone();
        let new =
            NewUser { username: name.into(), email: format!("{name}@example.com"), password: PASSWORD.into(), role };
        identity.create_user(&Actor::system(world.organization), new).await.unwrap();
        let context = RequestContext {
            address: "192.0.2.1".into(),
            user_agent: "test".into(),
            request_id: "request-1".into(),
            device_token: None,
        };
        let signed_in = identity.sign_in(name, PASSWORD, SessionKind::Api, &context).await.unwrap();
        let (router, _) = portico_access::rest::router(world.access.clone()).split_for_parts();
        Self { app: browser::session_layer(router, identity), token: signed_in.access_token }
    }

    pub async fn answer(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> (Parts, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, kind)
            .extension(ClientAddress("192.0.2.1".parse().unwrap()))
            .body(Body::from(body));
        let (parts, body) = self.app.clone().oneshot(request.unwrap()).await.unwrap().into_parts();
        (parts, body.collect().await.unwrap().to_bytes().to_vec())
    }

    pub async fn text(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let (parts, body) = self.answer(method, path, "application/json", body.into_bytes()).await;
        (parts.status.as_u16(), String::from_utf8(body).unwrap())
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let (status, text) = self.text(method, path, body).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_double_also_at_the_same_time() {
    each(|world| async move {
        // Three at each second, and one that came late.
        let mut events: Vec<_> = (0..30).map(|number| event(number / 3)).collect();
        events.push(event(4));
        world.log(events).await;
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let query = EventQuery { cursor, limit: Some(7), ..EventQuery::default() };
            let page = world.access.events(&world.manager, &query).await.unwrap();
            seen.extend(page.items);
            // What happens meanwhile goes on top and moves nothing.
            world.log([event(1_000)]).await;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 31);
        assert!(seen.windows(2).all(|pair| (pair[0].at, pair[0].id) > (pair[1].at, pair[1].id)));
    })
    .await;
}

#[tokio::test]
async fn each_filter_finds_its_own() {
    each(|world| async move {
        let (person, door) = (PersonId::generate(), DoorId::generate());
        insert_person(&world, person, "Bob Änger 50%").await;
        world
            .log([
                AccessEvent { person_id: Some(person), person_name: "Bob Änger 50%".into(), ..event(1) },
                AccessEvent { door_id: Some(door), ..event(2) },
                AccessEvent { granted: Some(false), reason: "out_of_hours".into(), ..event(3) },
                AccessEvent { kind: AccessKind::ForcedOpen, granted: None, reason: String::new(), ..event(4) },
                AccessEvent { method: Method::Pin, ..event(5) },
                AccessEvent { is_anomaly: true, score: Some(0.8), score_reasons: vec!["Odd".into()], ..event(6) },
                AccessEvent { is_offline: true, ..event(7) },
            ])
            .await;
        let any = EventQuery::default;
        let who = |text: &str| EventQuery { who: Some(text.into()), ..any() };
        let granted = serde_json::from_str("\"granted\"").unwrap();
        let refused = serde_json::from_str("\"refused\"").unwrap();
        for (query, expected) in [
            (any(), vec![7, 6, 5, 4, 3, 2, 1]),
            (EventQuery { person_id: Some(person), ..any() }, vec![1]),
            (who(" bob "), vec![1]),
            (who("50%"), vec![1]),
            (who("_"), vec![]),
            (EventQuery { door_id: Some(door), ..any() }, vec![2]),
            (EventQuery { result: Some(refused), ..any() }, vec![3]),
            (EventQuery { result: Some(granted), ..any() }, vec![7, 6, 5, 2, 1]),
            (EventQuery { reason: Some(AccessReason::OutOfHours), ..any() }, vec![3]),
            (EventQuery { kind: Some(AccessKind::ForcedOpen), ..any() }, vec![4]),
            (EventQuery { kind: Some(AccessKind::Request), ..any() }, vec![7, 6, 5, 3, 2, 1]),
            (EventQuery { method: Some(Method::Pin), ..any() }, vec![5]),
            (EventQuery { anomaly: Some(true), ..any() }, vec![6]),
            (EventQuery { offline: Some(true), ..any() }, vec![7]),
            (EventQuery { from: Some(START.plus_secs(6)), ..any() }, vec![7, 6]),
            (EventQuery { to: Some(START.plus_secs(2)), ..any() }, vec![2, 1]),
            (EventQuery { person_id: Some(PersonId::nil()), ..any() }, vec![]),
        ] {
            assert_eq!(world.seconds(query.clone()).await, expected, "{query:?}");
        }
        let found = world.access.events(&world.manager, &EventQuery { anomaly: Some(true), ..any() }).await.unwrap();
        assert_eq!((found.items[0].score, found.items[0].score_reasons.clone()), (Some(0.8), vec!["Odd".to_owned()]));
        let again = world.access.access_event(&world.manager, found.items[0].id).await.unwrap();
        assert_eq!(again, found.items[0]);
    })
    .await;
}

/// Their events come from different parts of the index, and are one list all the same.
#[tokio::test]
async fn part_of_a_name_finds_the_events_of_all_who_have_it_page_by_page() {
    each(|world| async move {
        let people: Vec<PersonId> = (0..5).map(|_| PersonId::generate()).collect();
        for (person, name) in people.iter().zip(["Ann Archer", "Bo Archer", "Cy Archer", "Di Dyer", "Ed Archer"]) {
            insert_person(&world, *person, name).await;
        }
        // Ed never comes; two come at the same second each time.
        let visit = |number: usize, second: i64| AccessEvent {
            person_id: Some(people[number]),
            method: if number == 0 { Method::Pin } else { Method::Rfid },
            ..event(second)
        };
        world.log((0..40).map(|second| visit(usize::try_from(second).unwrap() % 4, second))).await;
        world.log((0..40).map(|second| visit(2, second))).await;
        let mut query = EventQuery { who: Some("archer".into()), limit: Some(9), ..EventQuery::default() };
        let mut seen = Vec::new();
        loop {
            let page = world.access.events(&world.manager, &query).await.unwrap();
            seen.extend(page.items);
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 70, "30 of the three who come by turns, and 40 of Cy");
        assert!(seen.windows(2).all(|pair| (pair[0].at, pair[0].id) > (pair[1].at, pair[1].id)));
        assert!(seen.iter().all(|event| event.person_id != Some(people[3])));
        let pins = EventQuery { method: Some(Method::Pin), cursor: None, limit: None, ..query };
        assert_eq!(world.access.events(&world.manager, &pins).await.unwrap().items.len(), 10);
        let ann = EventQuery { person_id: Some(people[0]), method: None, ..pins };
        assert_eq!(world.access.events(&world.manager, &ann).await.unwrap().items.len(), 10);
    })
    .await;
}

async fn insert_person(world: &World, id: PersonId, name: &str) {
    let mut tx = world.platform.db.begin().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query(
        "insert into access_person (id, organization_id, number, name, search_text, level, is_active, created_at,
             updated_at) select $1, $2, count(*) + 1, $3, $3, 'basic', true, 0, 0 from access_person",
    ).bind(id).bind(world.organization).bind(name).execute(conn).await.map(drop))
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn log_is_for_those_who_may_read_it_and_of_one_organisation() {
    each(|world| async move {
        world.log([event(1)]).await;
        let id = world.access.events(&world.manager, &EventQuery::default()).await.unwrap().items[0].id;
        for role in [Role::User, Role::Reception] {
            let somebody = world.user("somebody", role).await;
            assert_eq!(world.access.events(&somebody, &EventQuery::default()).await.unwrap_err().status(), 403);
            assert_eq!(world.access.access_event(&somebody, id).await.unwrap_err().status(), 403);
            assert!(world.access.events_csv(&somebody, EventQuery::default()).await.is_err());
        }
        let stranger = Actor { organization: world.test.other_organization().await, ..world.manager.clone() };
        assert!(world.access.events(&stranger, &EventQuery::default()).await.unwrap().items.is_empty());
        assert_eq!(world.access.access_event(&stranger, id).await.unwrap_err().status(), 404);
    })
    .await;
}

#[tokio::test]
async fn export_holds_every_page_and_is_itself_recorded() {
    each(|world| async move {
        world.log((0..1_203).map(event)).await;
        world.log([AccessEvent { person_name: "=HYPERLINK(\"x\")".into(), method: Method::Pin, ..event(2_000) }]).await;
        let rows: Vec<String> = world
            .access
            .events_csv(&world.manager, EventQuery { limit: Some(3), ..EventQuery::default() })
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let csv = rows.concat();
        assert_eq!(csv.lines().count(), 1 + 1_204);
        assert!(csv.contains("\"'=HYPERLINK(\"\"x\"\")\""));
        let pins = EventQuery { method: Some(Method::Pin), ..EventQuery::default() };
        let rows: Vec<String> =
            world.access.events_csv(&world.manager, pins).await.unwrap().try_collect().await.unwrap();
        assert_eq!(rows.concat().lines().count(), 2);
        let mut tx = world.platform.db.read().await.unwrap();
        let recorded: i64 = on_db!(&mut tx, conn => sqlx::query_scalar(
            "select count(*) from audit where action = 'access_log.exported'").fetch_one(conn).await)
        .unwrap();
        assert_eq!(recorded, 2);
    })
    .await;
}

#[tokio::test]
async fn old_events_go_and_the_others_stay() {
    each(|world| async move {
        world.log((0..2_500).map(|number| event(number - 400 * 86_400 - 10_000))).await;
        world.log([event(-400 * 86_400 + 60), event(0)]).await;
        world.access.clean_up_log().await.unwrap();
        assert_eq!(world.seconds(EventQuery::default()).await, [0, -400 * 86_400 + 60]);
    })
    .await;
}

#[tokio::test]
async fn erased_person_is_a_pseudonym_everywhere_in_the_log() {
    each(|world| async move {
        let (ann, bob) = (PersonId::generate(), PersonId::generate());
        let of = |person: PersonId, name: &str| AccessEvent {
            person_id: Some(person),
            person_name: name.into(),
            ..event(1)
        };
        world.log([of(ann, "Ann Archer"), of(bob, "Bob")]).await;
        world
            .log([AccessEvent {
                method: Method::Remote,
                person_name: "ann".into(),
                note: "by user:ann".into(),
                ..event(2)
            }])
            .await;
        let mut tx = world.platform.db.begin().await.unwrap();
        let changed = world.access.pseudonymise_person(&mut tx, world.organization, ann, "person-17").await.unwrap();
        let erased = ErasedLabels { labels: vec!["user:ann".into()], pseudonym: "user:erased-1".into() };
        world.access.user_erased(&mut tx, world.organization, &erased).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(changed, 1);
        let items = world.access.events(&world.manager, &EventQuery::default()).await.unwrap().items;
        let text = serde_json::to_string(&items).unwrap();
        assert!(!text.to_lowercase().contains("ann"), "{text}");
        let named: Vec<_> = items.iter().map(|event| event.person_name.as_str()).collect();
        assert_eq!(named.len(), 3);
        for name in ["person-17", "user:erased-1", "Bob"] {
            assert!(named.contains(&name), "{name}: {named:?}");
        }
        let hints: Vec<_> =
            items.iter().filter(|event| event.person_id == Some(ann)).map(|e| &e.credential_hint).collect();
        assert_eq!(hints, [""]);
    })
    .await;
}

#[tokio::test]
async fn wire_shows_pages_and_refuses_what_does_not_fit() {
    each(|world| async move {
        world.log((0..3).map(event)).await;
        let client = Client::new(&world, "mona", Role::Manager).await;
        let (status, page) = client.send("GET", "/api/v1/access/events?limit=2&result=granted", None).await;
        assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 2));
        let cursor = page["next"].as_str().unwrap();
        let (status, last) = client.send("GET", &format!("/api/v1/access/events?limit=2&cursor={cursor}"), None).await;
        assert_eq!((status, last["items"].as_array().unwrap().len(), &last["next"]), (200, 1, &Value::Null));
        assert_eq!(last["items"][0]["at"], "2026-11-21T02:00:00.000+00:00");
        let id = last["items"][0]["id"].as_str().unwrap();
        let (status, one) = client.send("GET", &format!("/api/v1/access/events/{id}"), None).await;
        assert_eq!((status, &one), (200, &last["items"][0]));
        let (status, csv) = client.text("GET", "/api/v1/access/events.csv?method=rfid", None).await;
        assert_eq!((status, csv.lines().count()), (200, 4));
        for (path, expected) in [
            ("?cursor=x", 400),
            ("?cursor=99999999999999999999-00000000000000000000000000000007", 400),
            ("?result=maybe", 400),
            ("?reason=whim", 400),
            ("?method=telepathy", 400),
            ("?kind=x", 400),
            ("?anomaly=7", 400),
            ("?from=yesterday", 400),
            ("?limit=x", 400),
            ("?person_id=5", 400),
            ("?who=a%00b", 400),
            ("?limit=-4", 200),
            ("?limit=9223372036854775807", 200),
            ("/nonsense", 404),
            ("/00000000000000000000000000000000", 404),
        ] {
            let (status, answer) = client.send("GET", &format!("/api/v1/access/events{path}"), None).await;
            assert_eq!(status, expected, "{path}: {answer}");
        }
        let long = "x".repeat(101);
        let (status, _) = client.send("GET", &format!("/api/v1/access/events.csv?who={long}"), None).await;
        assert_eq!(status, 400);
    })
    .await;
}

/// Every filter is served in order by an index, on both databases: no sort, no walk over the whole log.
#[tokio::test]
async fn every_filter_is_served_by_an_index() {
    each(|world| async move {
        world.log((0..50).map(event)).await;
        let (person, door) = (Some(PersonId::generate()), Some(DoorId::generate()));
        let any = EventSearch::default;
        let mut tx = world.platform.db.begin().await.unwrap();
        if world.platform.db.is_postgres() {
            // Of a few rows it would read all; what matters is which index can serve.
            on_db!(&mut tx, conn => sqlx::query("set local enable_seqscan = off").execute(conn).await.map(drop))
                .unwrap();
            on_db!(&mut tx, conn => sqlx::query("set local enable_sort = off").execute(conn).await.map(drop)).unwrap();
            on_db!(&mut tx, conn => sqlx::query("set local enable_bitmapscan = off").execute(conn).await.map(drop))
                .unwrap();
        }
        for (search, index) in [
            (any(), "access_event_by_time"),
            (
                EventSearch { from: Some(START), to: Some(Timestamp::from_millis(i64::MAX)), ..any() },
                "access_event_by_time",
            ),
            (EventSearch { person, ..any() }, "access_event_by_person"),
            (EventSearch { door, ..any() }, "access_event_by_door"),
            (EventSearch { granted: Some(false), ..any() }, "access_event_by_re"),
            (EventSearch { reason: Some(AccessReason::NoPolicy), ..any() }, "access_event_by_reason"),
            (EventSearch { offline: Some(true), ..any() }, "access_event_by_offline"),
            (EventSearch { method: Some(Method::Pin), ..any() }, "access_event_by_method"),
            (EventSearch { kind: Some(AccessKind::ForcedOpen), ..any() }, "access_event_by_kind"),
            (EventSearch { anomaly: Some(true), ..any() }, "access_event_by_anomaly"),
            // Of several the one that leads to the fewest events.
            (EventSearch { person, door, ..any() }, "access_event_by_person"),
            (EventSearch { person, method: Some(Method::Rfid), ..any() }, "access_event_by_person"),
            (
                EventSearch { person, granted: Some(false), reason: Some(AccessReason::NoPolicy), ..any() },
                "access_event_by_person",
            ),
            (EventSearch { door, method: Some(Method::Rfid), ..any() }, "access_event_by_door"),
            (EventSearch { door, kind: Some(AccessKind::ForcedOpen), ..any() }, "access_event_by_kind"),
            (EventSearch { anomaly: Some(true), method: Some(Method::Rfid), ..any() }, "access_event_by_anomaly"),
        ] {
            let plan = world.access.explain_events(&mut tx, world.organization, &search).await.unwrap();
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{search:?}: {plan}");
            // PostgreSQL chooses among those that fit by what it knows of the rows.
            assert!(world.platform.db.is_postgres() || plan.contains(index), "{search:?}: {plan}");
            assert!(plan.contains("access_event_by_"), "{search:?}: {plan}");
        }
    })
    .await;
}
