//! What happened at doors, live, and what was unusual in it.

pub mod analytics;
pub mod detail;
mod figures;
pub mod list;
mod row;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::anomaly::{AnomalyModel, Insights, ModelStatus};
use portico_model::access::log::EventSearch;
use portico_model::access::{AccessEvent, AccessKind, AccessReason, Method};
use portico_model::{AccessEventId, DoorId, Page, Timestamp};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// Events in one page.
#[cfg(feature = "ssr")]
const PAGE_SIZE: i64 = 50;

/// A page of the log, newest first. Empty texts mean no restriction; the times are those of the form, in UTC.
#[server(name = ListAccessEvents, prefix = "/sfn", endpoint = "access_log/list", input = GetUrl)]
pub async fn list_access_events(
    #[server(default)] who: String,
    #[server(default)] person: String,
    #[server(default)] door: String,
    #[server(default)] result: String,
    #[server(default)] reason: String,
    #[server(default)] method: String,
    #[server(default)] kind: String,
    #[server(default)] unusual: String,
    #[server(default)] from: String,
    #[server(default)] to: String,
    #[server(default)] cursor: String,
) -> Result<Page<AccessEvent>, Failure> {
    use portico_access::EventQuery;

    use crate::server::{access, actor, failed};

    let search = search_of([&who, &person, &door, &result, &reason, &method, &kind, &unusual, &from, &to]);
    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    access()?.events(&actor()?, &EventQuery::of(search, cursor, PAGE_SIZE)).await.map_err(failed)
}

/// What the texts of the form ask for.
fn search_of([who, person, door, result, reason, method, kind, unusual, from, to]: [&String; 10]) -> EventSearch {
    EventSearch {
        who: who.trim().to_owned(),
        person: person.parse().ok(),
        door: door.parse().ok(),
        granted: match result.as_str() {
            "granted" => Some(true),
            "refused" => Some(false),
            _ => None,
        },
        reason: AccessReason::parse(reason),
        method: Method::parse(method),
        kind: AccessKind::parse(kind),
        anomaly: (unusual == "yes").then_some(true),
        offline: None,
        from: Timestamp::parse_iso(from),
        // The minute named is meant whole.
        to: Timestamp::parse_iso(to).map(|to| to.plus_millis(59_999)),
    }
}

impl Ask for ListAccessEvents {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("who", &self.who),
            ("person", &self.person),
            ("door", &self.door),
            ("result", &self.result),
            ("reason", &self.reason),
            ("method", &self.method),
            ("kind", &self.kind),
            ("unusual", &self.unusual),
            ("from", &self.from),
            ("to", &self.to),
            ("cursor", &self.cursor),
        ])
    }
}

/// One event.
#[server(name = GetAccessEvent, prefix = "/sfn", endpoint = "access_log/get", input = GetUrl)]
pub async fn get_access_event(id: AccessEventId) -> Result<AccessEvent, Failure> {
    use crate::server::{access, actor, failed};

    access()?.access_event(&actor()?, id).await.map_err(failed)
}

impl Ask for GetAccessEvent {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

/// Id and name of the doors.
#[server(name = LogDoors, prefix = "/sfn", endpoint = "access_log/doors", input = GetUrl)]
pub async fn log_doors() -> Result<Vec<(DoorId, String)>, Failure> {
    use crate::server::{access, actor, failed};

    access()?.doors_of_log(&actor()?).await.map_err(failed)
}

impl Ask for LogDoors {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// Calls an event a false alarm (`is` = `yes`), or takes that back; `page` is where the form stands.
#[server(name = MarkFalseAlarm, prefix = "/sfn", endpoint = "access_log/false_alarm")]
pub async fn mark_false_alarm(
    id: AccessEventId,
    is: String,
    #[server(default)] page: String,
) -> Result<AccessEvent, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = if page == "analytics" { "/analytics".to_owned() } else { format!("/access_logs/{id}") };
    let done = access()?.mark_false_alarm(&actor()?, id, is == "yes").await;
    let event = done.map_err(|error| form_failed(MarkFalseAlarm::PATH, &page, &[], failed(error)))?;
    form_done(MarkFalseAlarm::PATH, &page, &[]);
    Ok(event)
}

/// What `/analytics` shows.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Analytics {
    pub insights: Insights,
    pub model: ModelStatus,
    /// The newest unusual events of the last 30 days, false alarms among them.
    pub unusual: Vec<AccessEvent>,
}

/// Figures, the model, and the newest unusual events.
#[server(name = ReadAnalytics, prefix = "/sfn", endpoint = "access_log/analytics", input = GetUrl)]
pub async fn read_analytics(#[server(default)] days: String) -> Result<Analytics, Failure> {
    use portico_access::EventQuery;

    use crate::server::{access, actor, failed, now};

    let (access, actor) = (access()?, actor()?);
    let days = if days == "30" { 30 } else { 7 };
    let query = EventQuery {
        anomaly: Some(true),
        from: Some(now().plus_secs(-30 * 86_400)),
        limit: Some(20),
        ..EventQuery::default()
    };
    Ok(Analytics {
        insights: access.insights(&actor, days).await.map_err(failed)?,
        model: access.model_status(&actor).await.map_err(failed)?,
        unusual: access.events(&actor, &query).await.map_err(failed)?.items,
    })
}

impl Ask for ReadAnalytics {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("days", &self.days)])
    }
}

/// Asks for a new model.
#[server(name = TrainModel, prefix = "/sfn", endpoint = "access_log/train")]
pub async fn train_model() -> Result<AnomalyModel, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let done = access()?.request_training(&actor()?).await;
    let model = done.map_err(|error| form_failed(TrainModel::PATH, "/analytics", &[], failed(error)))?;
    form_done(TrainModel::PATH, "/analytics", &[]);
    Ok(model)
}

/// What kind of thing it was, in words.
const fn kind_word(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Request => "Access",
        AccessKind::DoorOpened => "Door opened",
        AccessKind::DoorClosed => "Door closed",
        AccessKind::ForcedOpen => "Forced open",
        AccessKind::HeldOpen => "Held open",
        AccessKind::ModeChanged => "Mode changed",
        AccessKind::Enrolled => "Enrolled",
    }
}

const fn method_word(method: Method) -> &'static str {
    match method {
        Method::Rfid => "Card",
        Method::Pin => "PIN",
        Method::Fingerprint => "Finger",
        Method::Code => "Code",
        Method::Remote => "Remote",
        Method::Bluetooth => "Bluetooth",
        Method::System => "System",
        Method::Other => "Other",
    }
}

/// Why, in a sentence; empty when nobody asked for anything.
fn reason_sentence(event: &AccessEvent) -> String {
    match AccessReason::parse(&event.reason) {
        Some(reason) => reason.sentence().to_owned(),
        None => event.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_asks_for_what_it_says_and_nonsense_for_nothing() {
        let text = |value: &str| value.to_owned();
        let empty = text("");
        let (who, refused, reason, yes, minute) =
            (text(" ann "), text("refused"), text("out_of_hours"), text("yes"), text("2026-11-21T02:00"));
        let found = search_of([&who, &empty, &empty, &refused, &reason, &empty, &empty, &yes, &minute, &minute]);
        assert_eq!((found.who.as_str(), found.granted, found.anomaly), ("ann", Some(false), Some(true)));
        assert_eq!(found.reason, Some(AccessReason::OutOfHours));
        assert_eq!(found.to.unwrap().millis_since(found.from.unwrap()), 59_999);
        let odd = text("x");
        assert_eq!(search_of([&empty, &odd, &odd, &odd, &odd, &odd, &odd, &odd, &odd, &odd]), EventSearch::default());
    }
}
