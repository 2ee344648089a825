//! The demo's locks, doors and people: simulated devices, made known over the REST interface as a person would do it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use portico_simulator::access::UnitOptions;
use portico_simulator::access::yard::{Yard, YardOptions};
use portico_simulator::{Api, ApiError, Credentials};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const DOORS: usize = 4;
const PEOPLE: usize = 16;

/// Both floors, and where the doors are on them.
const PLAN: &str = include_str!("plan.svg");
const PLACES: [(f64, f64); DOORS] = [(0.0335, 0.74), (0.662, 0.515), (0.837, 0.515), (0.467, 0.74)];

/// How long a day of theirs takes: short enough that somebody comes while one looks.
const DAY: Duration = Duration::from_secs(20 * 60);

/// Plugs in locks and readers and lets people come and go, until `stop`.
pub async fn run(
    url: String,
    mqtt: String,
    credentials: Credentials,
    state_file: PathBuf,
    stop: CancellationToken,
) -> Result<(), ApiError> {
    let api = Arc::new(Api::new(&url, credentials)?);
    let (host, port) = mqtt.rsplit_once(':').unwrap_or((&mqtt, "1883"));
    let options = YardOptions {
        api: Arc::clone(&api),
        unit: UnitOptions { motor: Duration::from_millis(400), ..UnitOptions::new(host, port.parse().unwrap_or(1883)) },
        seed: 1,
        doors: DOORS,
        people: PEOPLE,
        state_file: Some(state_file),
    };
    let yard = Yard::start(options, &stop).await?;
    make_known(&api, &yard).await;
    yard.live(DAY, &stop).await;
    yard.wait().await;
    Ok(())
}

/// What is there already is refused as a conflict, and stays as it is.
async fn make_known(api: &Api, yard: &Yard) {
    // Nobody leaves by a reader: whoever came in counts as inside for a while.
    let building = make(api, "/api/v1/zones", json!({ "name": "Building", "reset_after_s": 300 })).await;
    let building = id_of(building.as_ref());
    let upstairs = json!({ "name": "1st floor", "parent_id": building, "reset_after_s": 300 });
    let upstairs = id_of(make(api, "/api/v1/zones", upstairs).await.as_ref());
    let plan = api.upload("/api/v1/plans?name=Both+floors", PLAN.into()).await.ok();
    let mut outer = Vec::new();
    for (door, (x, y)) in yard.doors.iter().zip(PLACES) {
        make(api, "/api/v1/locks", json!({ "device_id": door.lock })).await;
        let is_outer = door.location.starts_with("Ground floor");
        let zone = if is_outer { &building } else { &upstairs };
        let body = json!({ "name": door.name, "location": door.location, "reader_id": door.reader, "lock_id": door.lock,
                           "contact_id": door.reader, "into_zone_id": zone });
        let Some(made) = make(api, "/api/v1/doors", body).await else { continue };
        let (door, plan) = (id_of(Some(&made)), id_of(plan.as_ref()));
        let path = format!("/api/v1/doors/{}/place", door.as_str().unwrap_or_default());
        let place = json!({ "plan_id": plan, "x": x, "y": y });
        if let Err(error) = api.call(Method::PUT, &path, Some(&place)).await {
            tracing::debug!(%error, "the demo goes on without it");
        }
        outer.extend(is_outer.then_some(door));
    }
    if !outer.is_empty() {
        make(api, "/api/v1/door-groups", json!({ "name": "Outer doors", "door_ids": outer })).await;
    }
    let mut is_new = false;
    for (index, person) in yard.people.iter().enumerate() {
        let level = if index == 0 { "admin" } else { "basic" };
        let body = json!({ "name": person.name, "employee_id": format!("D-{:03}", index + 1), "level": level });
        let Some(made) = make(api, "/api/v1/access/people", body).await else { continue };
        is_new = true;
        let id = made.pointer("/person/id").or(made.get("id")).and_then(Value::as_str).unwrap_or_default().to_owned();
        let card = json!({ "kind": "rfid", "value": person.card });
        make(api, &format!("/api/v1/access/people/{id}/credentials"), card).await;
    }
    if !is_new {
        return;
    }
    let hours = json!({ "name": "Opening hours", "windows": [{ "days": [0, 1, 2, 3, 4, 5, 6], "from": "05:00", "until": "23:00" }] });
    let schedule = make(api, "/api/v1/access/schedules", hours).await;
    let schedule = id_of(schedule.as_ref());
    let levels = json!(["basic", "admin"]);
    let staff = json!({ "name": "Staff in opening hours", "schedule_id": schedule, "levels": levels });
    make(api, "/api/v1/access/policies", staff).await;
    let guard = json!({ "name": "Caretaker at any time", "levels": ["admin"], "in_lockdown": true });
    make(api, "/api/v1/access/policies", guard).await;
}

/// Null when it was not made.
fn id_of(made: Option<&Value>) -> Value {
    made.and_then(|made| made.get("id")).cloned().unwrap_or(Value::Null)
}

async fn make(api: &Api, path: &str, body: Value) -> Option<Value> {
    match api.post(path, &body).await {
        Ok(made) => Some(made),
        Err(error) => {
            tracing::debug!(%error, "the demo goes on without it");
            None
        }
    }
}
