//! Alarms: the bar on every page, the list, one alarm with its course; and the rules that raise them.

pub mod bar;
pub mod detail;
pub mod edit;
pub mod list;
pub mod rules;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::alarms::rule::{AlarmRule, Threshold};
use portico_model::alarms::{Alarm, AlarmCounts, AlarmCourse, AlarmState, Severity};
use portico_model::{AlarmId, AlarmRuleId, DeviceId, Page};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};
use crate::ui::{Badge, Glyph, Tone};

/// How many rows a page of a list has.
#[cfg(feature = "ssr")]
const PAGE_SIZE: i64 = 50;

/// Most open alarms that the bar knows one by one.
#[cfg(feature = "ssr")]
const BAR_SIZE: i64 = 200;

/// What is open now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenAlarms {
    /// Newest first; not all, when there are very many.
    pub open: Vec<Alarm>,
    pub counts: AlarmCounts,
}

/// What is open now, for the bar.
#[server(name = AlarmsNow, prefix = "/sfn", endpoint = "alarms/now", input = GetUrl)]
pub async fn alarms_now() -> Result<OpenAlarms, Failure> {
    use portico_alarms::AlarmQuery;

    use crate::server::{actor, alarms, failed};

    let (alarms, actor) = (alarms()?, actor()?);
    let query = AlarmQuery { limit: Some(BAR_SIZE), ..AlarmQuery::default() };
    let open = alarms.list(&actor, query).await.map_err(failed)?.items;
    Ok(OpenAlarms { open, counts: alarms.counts(&actor).await.map_err(failed)? })
}

/// A page of the list. Empty texts mean no restriction, an empty state the open ones.
#[server(name = ListAlarms, prefix = "/sfn", endpoint = "alarms/list", input = GetUrl)]
pub async fn list_alarms(
    #[server(default)] search: String,
    #[server(default)] severity: String,
    #[server(default)] state: String,
    #[server(default)] subject: String,
    #[server(default)] cursor: String,
) -> Result<Page<Alarm>, Failure> {
    use portico_alarms::{AlarmQuery, StateFilter};

    use crate::server::{actor, alarms, failed};

    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let query = AlarmQuery {
        state: StateFilter::parse(&state).unwrap_or_default(),
        severity: Severity::parse(&severity),
        subject_id: some(subject),
        search: some(search),
        cursor: some(cursor),
        limit: Some(PAGE_SIZE),
        ..AlarmQuery::default()
    };
    alarms()?.list(&actor()?, query).await.map_err(failed)
}

/// One alarm with its course.
#[server(name = GetAlarm, prefix = "/sfn", endpoint = "alarms/get", input = GetUrl)]
pub async fn get_alarm(id: AlarmId) -> Result<AlarmCourse, Failure> {
    use crate::server::{actor, alarms, failed};

    alarms()?.get(&actor()?, id).await.map_err(failed)
}

/// Takes an alarm on.
#[server(name = AcknowledgeAlarm, prefix = "/sfn", endpoint = "alarms/acknowledge")]
pub async fn acknowledge_alarm(id: AlarmId, #[server(default)] note: String) -> Result<Alarm, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, alarms, failed, form_done, form_failed};

    let page = format!("/alarms/{id}");
    let done = alarms()?.acknowledge(&actor()?, id, &note).await;
    let refuse = |error| form_failed(AcknowledgeAlarm::PATH, &page, &[("note", &note)], failed(error));
    let alarm = done.map_err(refuse)?;
    form_done(AcknowledgeAlarm::PATH, &page, &[]);
    Ok(alarm)
}

/// Ends an alarm by hand.
#[server(name = ClearAlarm, prefix = "/sfn", endpoint = "alarms/clear")]
pub async fn clear_alarm(id: AlarmId, #[server(default)] note: String) -> Result<Alarm, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, alarms, failed, form_done, form_failed};

    let page = format!("/alarms/{id}");
    let done = alarms()?.clear_by_hand(&actor()?, id, &note).await;
    let refuse = |error| form_failed(ClearAlarm::PATH, &page, &[("note", &note)], failed(error));
    let alarm = done.map_err(refuse)?;
    form_done(ClearAlarm::PATH, &page, &[]);
    Ok(alarm)
}

/// Adds a note to an alarm's course.
#[server(name = NoteAlarm, prefix = "/sfn", endpoint = "alarms/note")]
pub async fn note_alarm(id: AlarmId, #[server(default)] note: String) -> Result<AlarmCourse, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, alarms, failed, form_done, form_failed};

    let page = format!("/alarms/{id}");
    let done = alarms()?.add_note(&actor()?, id, &note).await;
    let refuse = |error| form_failed(NoteAlarm::PATH, &page, &[("note", &note)], failed(error));
    let course = done.map_err(refuse)?;
    form_done(NoteAlarm::PATH, &page, &[]);
    Ok(course)
}

/// A page of the rules.
#[server(name = ListRules, prefix = "/sfn", endpoint = "alarm_rules/list", input = GetUrl)]
pub async fn list_rules(#[server(default)] cursor: String) -> Result<Page<AlarmRule>, Failure> {
    use crate::server::{actor, devices, failed};

    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    devices()?.alarm_rules(&actor()?, cursor.as_deref(), Some(PAGE_SIZE)).await.map_err(failed)
}

/// Removes a rule; its open alarms end.
#[server(name = DeleteRule, prefix = "/sfn", endpoint = "alarm_rules/delete")]
pub async fn delete_rule(id: AlarmRuleId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_failed};

    let page = format!("/alarms/rules/{id}");
    let refuse = |error| form_failed(DeleteRule::PATH, &page, &[], failed(error));
    devices()?.delete_alarm_rule(&actor()?, id).await.map_err(refuse)?;
    leptos_axum::redirect("/alarms/rules");
    Ok(())
}

/// The limits that apply to a device: lines in its chart.
#[server(name = DeviceThresholds, prefix = "/sfn", endpoint = "alarm_rules/of_device", input = GetUrl)]
pub async fn device_thresholds(id: DeviceId) -> Result<Vec<Threshold>, Failure> {
    use crate::server::{actor, devices, failed};

    devices()?.thresholds(&actor()?, id).await.map_err(failed)
}

impl Ask for AlarmsNow {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl Ask for ListAlarms {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("search", &self.search),
            ("severity", &self.severity),
            ("state", &self.state),
            ("subject", &self.subject),
            ("cursor", &self.cursor),
        ])
    }
}

impl Ask for GetAlarm {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

impl Ask for ListRules {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("cursor", &self.cursor)])
    }
}

impl Ask for DeviceThresholds {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

/// How a severity looks: colour, icon and word.
const fn look_of(severity: Severity) -> (Tone, Glyph, &'static str) {
    match severity {
        Severity::Critical => (Tone::Danger, Glyph::Alert, "Critical"),
        Severity::Warning => (Tone::Attention, Glyph::Alert, "Warning"),
        Severity::Info => (Tone::Neutral, Glyph::Unknown, "Info"),
    }
}

#[component]
fn SeverityBadge(severity: Severity) -> impl IntoView {
    let (tone, glyph, word) = look_of(severity);
    view! { <Badge tone glyph word /> }
}

const fn state_word(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Raised => "Not acknowledged",
        AlarmState::Acknowledged => "Acknowledged",
        AlarmState::Cleared => "Over",
    }
}

/// `user:anna` as people say it.
fn who(actor: &str) -> String {
    match actor.split_once(':') {
        Some(("user", name)) => name.to_owned(),
        Some(("service", name)) => format!("service {name}"),
        _ if actor == "system" => "Portico".to_owned(),
        _ => actor.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_named_as_people_say_it() {
        let names = ["user:anna", "service:erp", "system", "admin_token"].map(who);
        assert_eq!(names, ["anna", "service erp", "Portico", "admin token"]);
    }
}
