//! `/alarms/rules/new` and `/alarms/rules/:id`: one rule, with what it would have done in the last 24 hours.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use portico_model::AlarmRuleId;
use portico_model::alarms::rule::{AlarmRule, Condition, Scope};
#[cfg(feature = "ssr")]
use portico_model::alarms::rule::{Side, Tell, Trend};
use serde::{Deserialize, Serialize};

use super::DeleteRule;
use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::load::{Ask, given, load, read};
use crate::ui::{Choice, Dialog, ErrorSummary, Glyph, Icon, ProblemView, SelectField, SubmitButton, TextField};

/// What the form offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleOffer {
    /// Absent: a new one.
    pub rule: Option<AlarmRule>,
    /// (value, name), by kind.
    pub devices: Vec<(String, String)>,
    pub groups: Vec<(String, String)>,
    pub types: Vec<(String, String)>,
    pub may_change: bool,
}

/// The rule and what it can apply to. An empty id: for a new one.
#[server(name = OfferRule, prefix = "/sfn", endpoint = "alarm_rules/offer", input = GetUrl)]
pub async fn offer_rule(#[server(default)] id: String) -> Result<RuleOffer, Failure> {
    use portico_devices::{DeviceQuery, GroupQuery};
    use portico_model::identity::Permission;
    use portico_platform::Error;

    use crate::server::{actor, devices, failed};

    let (devices, actor) = (devices()?, actor()?);
    let rule = if id.is_empty() {
        None
    } else {
        let id = id.parse().map_err(|_| {
            failed(Error::not_found("alarm_rule_not_found", "There is no such rule, or you may not see it."))
        })?;
        Some(devices.alarm_rule(&actor, id).await.map_err(failed)?)
    };
    let for_all = actor.may(Permission::ManageAlarmRules);
    let query = DeviceQuery { limit: Some(200), ..DeviceQuery::default() };
    let all = devices.list(&actor, query).await.map_err(failed)?.items;
    let owns = |device: &&portico_model::devices::Device| for_all || actor.user_id() == Some(device.owner_id);
    let mut choices: Vec<_> =
        all.iter().filter(owns).map(|device| (format!("device:{}", device.id), device.name.clone())).collect();
    let (mut groups, mut types) = (Vec::new(), Vec::new());
    if for_all {
        let (found, _) = devices.groups(&actor, &GroupQuery::default()).await.map_err(failed)?;
        groups = found.into_iter().map(|group| (format!("group:{}", group.id), group.name)).collect();
        let mut names: Vec<_> = all.iter().map(|device| device.device_type.clone()).collect();
        names.sort_unstable();
        names.dedup();
        types = names.into_iter().map(|name| (format!("type:{name}"), name)).collect();
    }
    let mut may_change = true;
    if let Some(rule) = &rule {
        // What the rule applies to now is always among the choices.
        let value = scope_value(&rule.rule.scope);
        let list = match rule.rule.scope {
            Scope::Device { .. } => &mut choices,
            Scope::Group { .. } => &mut groups,
            Scope::Type { .. } => &mut types,
        };
        let is_offered = list.iter().any(|(known, _)| *known == value);
        may_change = for_all || is_offered;
        if !is_offered {
            list.push((value, rule.scope_name.clone()));
        }
    }
    Ok(RuleOffer { rule, devices: choices, groups, types, may_change })
}

impl Ask for OfferRule {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("id", &self.id)])
    }
}

/// What came of sending the form: what the rule would have done, or where the saved one is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSent {
    pub preview: String,
}

/// Saves a rule, or only tells what it would have done (`act`: `preview`). An empty id makes a new one.
#[server(name = SaveRule, prefix = "/sfn", endpoint = "alarm_rules/save")]
pub async fn save_rule(
    #[server(default)] id: String,
    #[server(default)] act: String,
    #[server(default)] name: String,
    kind: String,
    #[server(default)] key: String,
    #[server(default)] side: String,
    #[server(default)] limit: String,
    #[server(default)] hysteresis: String,
    #[server(default)] seconds: String,
    #[server(default)] trend: String,
    #[server(default)] change: String,
    #[server(default)] scope: String,
    #[server(default)] severity: String,
    #[server(default)] tell: String,
    #[server(default)] escalate_min: String,
    #[server(default)] repeat_min: String,
    #[server(default)] enabled: String,
) -> Result<RuleSent, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::alarms::Severity;
    use portico_model::alarms::rule::NewRule;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = if id.is_empty() {
        format!("/alarms/rules/new?kind={kind}")
    } else {
        format!("/alarms/rules/{id}?kind={kind}")
    };
    let values = [
        ("name", name.as_str()),
        ("key", &key),
        ("side", &side),
        ("limit", &limit),
        ("hysteresis", &hysteresis),
        ("seconds", &seconds),
        ("trend", &trend),
        ("change", &change),
        ("scope", &scope),
        ("severity", &severity),
        ("tell", &tell),
        ("escalate_min", &escalate_min),
        ("repeat_min", &repeat_min),
        ("enabled", &enabled),
    ];
    let refuse = |failure: Failure| form_failed(SaveRule::PATH, &page, &values, beside_field(failure));
    let typed = Typed {
        kind: &kind,
        key: &key,
        side: &side,
        limit: &limit,
        hysteresis: &hysteresis,
        seconds: &seconds,
        trend: &trend,
        change: &change,
    };
    let condition = typed.condition().map_err(&refuse)?;
    let scope =
        parse_scope(&scope).ok_or_else(|| refuse(Failure::field("scope", "Choose what the rule applies to.")))?;
    let (devices, actor) = (devices()?, actor()?);
    if act == "preview" {
        let preview = devices.preview_alarm_rule(&actor, &condition, &scope).await;
        let preview = preview_text(&preview.map_err(|error| refuse(failed(error)))?);
        let mut values = values.to_vec();
        values.push(("preview", &preview));
        form_done(SaveRule::PATH, &page, &values);
        return Ok(RuleSent { preview });
    }
    let new = NewRule {
        name: name.clone(),
        condition,
        scope,
        severity: Severity::parse(&severity).unwrap_or(Severity::Warning),
        is_enabled: enabled == "on",
        tell: Tell::parse(&tell).unwrap_or_default(),
        escalate_after_s: minutes("escalate_min", &escalate_min).map_err(&refuse)?,
        repeat_every_s: minutes("repeat_min", &repeat_min).map_err(&refuse)?,
    };
    let saved = if id.is_empty() {
        devices.create_alarm_rule(&actor, new).await
    } else {
        let id = id.parse().map_err(|_| refuse(Failure::new(404, "not_found", "There is no such rule.")))?;
        devices.update_alarm_rule(&actor, id, new).await
    };
    saved.map_err(|error| refuse(failed(error)))?;
    leptos_axum::redirect("/alarms/rules");
    Ok(RuleSent::default())
}

/// The fields of the condition as they came.
#[cfg(feature = "ssr")]
struct Typed<'a> {
    kind: &'a str,
    key: &'a str,
    side: &'a str,
    limit: &'a str,
    hysteresis: &'a str,
    seconds: &'a str,
    trend: &'a str,
    change: &'a str,
}

#[cfg(feature = "ssr")]
impl Typed<'_> {
    fn condition(&self) -> Result<Condition, Failure> {
        let number = |field: &str, text: &str, empty: Option<f64>| match text.trim().replace(',', ".").as_str() {
            "" => empty.ok_or_else(|| Failure::field(field, "Give a number.")),
            text => text.parse().map_err(|_| Failure::field(field, "Give a number, such as 21.5.")),
        };
        let seconds = |empty: Option<i64>| match self.seconds.trim() {
            "" => empty.ok_or_else(|| Failure::field("seconds", "Give whole seconds, such as 60.")),
            text => text.parse().map_err(|_| Failure::field("seconds", "Give whole seconds, such as 60.")),
        };
        let key = self.key.trim().to_owned();
        Ok(match self.kind {
            "absence" => Condition::Absence { key: Some(key).filter(|key| !key.is_empty()), after_s: seconds(None)? },
            "rate" => Condition::Rate {
                key,
                trend: match self.trend {
                    "rise" => Trend::Rise,
                    "fall" => Trend::Fall,
                    _ => Trend::Either,
                },
                change: number("change", self.change, None)?,
                window_s: seconds(None)?,
            },
            "connection" => Condition::Connection { after_s: seconds(Some(0))? },
            _ => Condition::Threshold {
                key,
                side: if self.side == "below" { Side::Below } else { Side::Above },
                limit: number("limit", self.limit, None)?,
                hysteresis: number("hysteresis", self.hysteresis, Some(0.0))?,
                for_s: seconds(Some(0))?,
            },
        })
    }
}

/// The service's fields under the names they have in the form.
#[cfg(feature = "ssr")]
fn beside_field(mut failure: Failure) -> Failure {
    for error in &mut failure.fields {
        let field = match error.field.as_str() {
            "condition.for_s" | "condition.after_s" | "condition.window_s" => "seconds",
            "escalate_after_s" => "escalate_min",
            "repeat_every_s" => "repeat_min",
            "scope.device_type" => "scope",
            other => other.strip_prefix("condition.").unwrap_or(other),
        };
        error.field = field.to_owned();
    }
    failure
}

#[cfg(feature = "ssr")]
fn minutes(field: &str, text: &str) -> Result<Option<i64>, Failure> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse::<i64>() {
            Ok(minutes) if (1..=10_080).contains(&minutes) => Ok(Some(minutes * 60)),
            _ => Err(Failure::field(field, "Give whole minutes, 1 to 10080.")),
        },
    }
}

fn scope_value(scope: &Scope) -> String {
    match scope {
        Scope::Device { device_id } => format!("device:{device_id}"),
        Scope::Group { group_id } => format!("group:{group_id}"),
        Scope::Type { device_type } => format!("type:{device_type}"),
    }
}

#[cfg(feature = "ssr")]
fn parse_scope(text: &str) -> Option<Scope> {
    let (kind, value) = text.split_once(':')?;
    Some(match kind {
        "device" => Scope::Device { device_id: value.parse().ok()? },
        "group" => Scope::Group { group_id: value.parse().ok()? },
        "type" if !value.is_empty() => Scope::Type { device_type: value.to_owned() },
        _ => return None,
    })
}

#[cfg(feature = "ssr")]
fn preview_text(preview: &portico_model::alarms::rule::Preview) -> String {
    let of = match (preview.devices_looked_at, preview.devices) {
        (_, 0) => return "It applies to no device yet.".to_owned(),
        (1, 1) => "on 1 device".to_owned(),
        (looked_at, all) if looked_at == all => format!("on {all} devices"),
        (looked_at, all) => format!("on the {looked_at} of {all} devices looked at"),
    };
    let partial = if preview.is_partial { " (only the newest measurements were looked at)" } else { "" };
    match preview.alarms {
        None => format!("When devices came and went in the past is not kept: it applies {of}."),
        Some(0) => format!("It would not have fired in the last 24 hours, {of}{partial}."),
        Some(1) => format!("It would have fired once in the last 24 hours, {of}{partial}."),
        Some(count) => format!("It would have fired {count} times in the last 24 hours, {of}{partial}."),
    }
}

const KINDS: [(&str, &str, &str); 4] = [
    ("threshold", "Limit", "A value is beyond a limit."),
    ("absence", "Silence", "Nothing comes for some time."),
    ("rate", "Sudden change", "A value changes too much in a short time."),
    ("connection", "Connection", "The device is offline."),
];

const FIELDS: &[&str] = &[
    "name",
    "key",
    "side",
    "limit",
    "hysteresis",
    "seconds",
    "trend",
    "change",
    "scope",
    "severity",
    "tell",
    "escalate_min",
    "repeat_min",
];

/// The page.
#[component]
pub fn RulePage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let asked = Memo::new(move |_| {
        query.with(|query| (query.get("kind").unwrap_or_default(), query.get("scope").unwrap_or_default()))
    });
    let forms = (FormState::of::<SaveRule>(), FormState::of::<DeleteRule>());
    let offer = load(move || Some(OfferRule { id: id.get() }));
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/alarms">"Alarms"</a>
            <a href="/alarms/rules">"Rules"</a>
        </nav>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading rule"</p> }>
            {move || {
                let asked = asked.get();
                offer
                    .get()
                    .map(|answer| match read::<RuleOffer>(answer) {
                        Ok(offer) => view! { <RuleView offer asked forms /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

/// What stands in the form before anything is typed.
#[derive(Default)]
struct Initial {
    key: String,
    side: &'static str,
    limit: String,
    hysteresis: String,
    seconds: String,
    trend: &'static str,
    change: String,
}

impl Initial {
    fn of(condition: Option<&Condition>, kind: &str) -> Self {
        match condition.filter(|condition| condition.kind() == kind) {
            Some(Condition::Threshold { key, side, limit, hysteresis, for_s }) => Self {
                key: key.clone(),
                side: side.as_str(),
                limit: limit.to_string(),
                hysteresis: hysteresis.to_string(),
                seconds: for_s.to_string(),
                ..Self::default()
            },
            Some(Condition::Absence { key, after_s }) => {
                Self { key: key.clone().unwrap_or_default(), seconds: after_s.to_string(), ..Self::default() }
            }
            Some(Condition::Rate { key, trend, change, window_s }) => Self {
                key: key.clone(),
                trend: trend.as_str(),
                change: change.to_string(),
                seconds: window_s.to_string(),
                ..Self::default()
            },
            Some(Condition::Connection { after_s }) => Self { seconds: after_s.to_string(), ..Self::default() },
            None => Self {
                seconds: match kind {
                    "absence" => "600",
                    "rate" => "300",
                    "connection" => "60",
                    _ => "0",
                }
                .to_owned(),
                ..Self::default()
            },
        }
    }
}

#[component]
fn RuleView(offer: RuleOffer, asked: (String, String), forms: (FormState, FormState)) -> impl IntoView {
    let (form, delete) = forms;
    let (asked_kind, asked_scope) = asked;
    let known = offer.rule.as_ref();
    let id: Option<AlarmRuleId> = known.map(|rule| rule.id);
    let rule = known.map(|rule| rule.rule.clone());
    let condition = rule.as_ref().map(|rule| rule.condition.clone());
    let wanted =
        if asked_kind.is_empty() { condition.as_ref().map_or("threshold", Condition::kind) } else { &asked_kind };
    let (kind, _, explanation) = KINDS.into_iter().find(|(kind, ..)| *kind == wanted).unwrap_or(KINDS[0]);
    let initial = Initial::of(condition.as_ref(), kind);
    let title = rule.as_ref().map_or_else(|| "New alarm rule".to_owned(), |rule| rule.name.clone());
    let scope = rule.as_ref().map_or(asked_scope.clone(), |rule| scope_value(&rule.scope));
    let base = id.map_or_else(|| "/alarms/rules/new".to_owned(), |id| format!("/alarms/rules/{id}"));
    let kept =
        if asked_scope.is_empty() { String::new() } else { format!("&scope={}", crate::browser::encode(&asked_scope)) };
    let in_minutes = |seconds: Option<i64>| seconds.map(|seconds| (seconds / 60).to_string()).unwrap_or_default();
    let severity = rule.as_ref().map_or("warning", |rule| rule.severity.as_str());
    let tell = rule.as_ref().map_or("everyone", |rule| rule.tell.as_str());
    let escalate = in_minutes(rule.as_ref().and_then(|rule| rule.escalate_after_s));
    let repeat = in_minutes(rule.as_ref().and_then(|rule| rule.repeat_every_s));
    let is_enabled = match form.typed("name") {
        Some(_) => form.typed("enabled").is_some_and(|typed| typed == "on"),
        None => rule.as_ref().is_none_or(|rule| rule.is_enabled),
    };
    let name = rule.as_ref().map(|rule| rule.name.clone()).unwrap_or_default();
    let preview = move || match form.answer::<RuleSent>() {
        Some(sent) => Some(sent.preview),
        None => form.outcome("preview"),
    };
    let may_change = offer.may_change;
    view! {
        <Title text=title.clone() />
        <div class="page-head">
            <h1>{title}</h1>
            {id
                .filter(|_| may_change)
                .map(|id| {
                    view! {
                        <div class="page-actions">
                            <Dialog
                                label="Delete"
                                glyph=Glyph::Trash
                                class="button button-danger"
                                open=delete.came_back()
                            >
                                <PostForm form=delete id="delete-rule">
                                    <ErrorSummary form=delete shown=&[] />
                                    <input type="hidden" name="id" value=id.to_string() />
                                    <p>"The rule is gone for good, and its open alarms end."</p>
                                    <SubmitButton
                                        label="Delete rule"
                                        glyph=Glyph::Trash
                                        class="button button-danger"
                                        pending=delete.pending()
                                    />
                                </PostForm>
                            </Dialog>
                        </div>
                    }
                })}
        </div>
        <nav class="tabs" aria-label="What the rule looks for">
            {KINDS
                .map(|(value, label, _)| {
                    view! {
                        <a href=format!("{base}?kind={value}{kept}") aria-current=(value == kind).then_some("page")>
                            {label}
                        </a>
                    }
                })}
        </nav>
        <section class="card card-form">
            <p class="quiet">{explanation}</p>
            <PostForm form id="rule">
                <ErrorSummary form shown=FIELDS />
                <input type="hidden" name="id" value=id.map(|id| id.to_string()).unwrap_or_default() />
                <input type="hidden" name="kind" value=kind />
                <TextField
                    form
                    name="name"
                    label="Name"
                    required=true
                    maxlength=100
                    value=name
                    help="The title of its alarms, such as “Freezer too warm”."
                />
                <ScopeField form chosen=scope offer />
                {(kind != "connection")
                    .then(|| {
                        view! {
                            <TextField
                                form
                                name="key"
                                label="Measured value"
                                required=kind != "absence"
                                maxlength=128
                                value=initial.key
                                autocomplete="off"
                                help=if kind == "absence" {
                                    "Its key, such as temperature. Empty: anything at all from the device."
                                } else {
                                    "Its key as the device sends it, such as temperature."
                                }
                            />
                        }
                    })}
                {(kind == "threshold")
                    .then(|| {
                        view! {
                            <div class="field-row">
                                <SelectField
                                    form
                                    name="side"
                                    label="Is wrong when"
                                    value=initial.side
                                    choices=vec![
                                        Choice { value: "above", label: "above" },
                                        Choice { value: "below", label: "below" },
                                    ]
                                />
                                <TextField form name="limit" label="Limit" required=true value=initial.limit autocomplete="off" />
                                <TextField
                                    form
                                    name="hysteresis"
                                    label="Over when back by"
                                    value=initial.hysteresis
                                    autocomplete="off"
                                />
                            </div>
                        }
                    })}
                {(kind == "rate")
                    .then(|| {
                        view! {
                            <div class="field-row">
                                <SelectField
                                    form
                                    name="trend"
                                    label="Is wrong when it"
                                    value=initial.trend
                                    choices=vec![
                                        Choice { value: "rise", label: "rises" },
                                        Choice { value: "fall", label: "falls" },
                                        Choice { value: "either", label: "rises or falls" },
                                    ]
                                />
                                <TextField form name="change" label="By" required=true value=initial.change autocomplete="off" />
                            </div>
                        }
                    })}
                <TextField
                    form
                    name="seconds"
                    label=match kind {
                        "rate" => "Within seconds",
                        "absence" => "After seconds",
                        _ => "For at least seconds",
                    }
                    kind="number"
                    min="0"
                    required=true
                    value=initial.seconds
                    help=match kind {
                        "threshold" => "Shorter peaks raise nothing; 0 raises at once.",
                        "rate" => "5 to 3600.",
                        "absence" => "5 seconds to 30 days.",
                        _ => "A device that comes back sooner raises nothing.",
                    }
                />
                <div class="field-row">
                    <SelectField
                        form
                        name="severity"
                        label="Severity"
                        value=severity
                        choices=vec![
                            Choice { value: "critical", label: "Critical" },
                            Choice { value: "warning", label: "Warning" },
                            Choice { value: "info", label: "Info" },
                        ]
                    />
                    <SelectField
                        form
                        name="tell"
                        label="Tell"
                        value=tell
                        choices=vec![
                            Choice { value: "everyone", label: "Owner and all who watch alarms" },
                            Choice { value: "owner", label: "The owner alone" },
                        ]
                    />
                </div>
                <div class="field-row">
                    <TextField
                        form
                        name="escalate_min"
                        label="Escalate after minutes"
                        kind="number"
                        min="1"
                        value=escalate
                        help="Nobody acknowledged it: more severe, and everyone is told."
                    />
                    <TextField
                        form
                        name="repeat_min"
                        label="Remind every … minutes"
                        kind="number"
                        min="1"
                        value=repeat
                        help="Until somebody acknowledges it."
                    />
                </div>
                <label class="check">
                    <input type="checkbox" name="enabled" value="on" checked=is_enabled />
                    <span>"Switched on"</span>
                </label>
                <p class="note" role="status" hidden=move || preview().is_none_or(|text| text.is_empty())>
                    <Icon glyph=Glyph::Clock />
                    <span>{move || preview().unwrap_or_default()}</span>
                </p>
                {may_change
                    .then(|| {
                        view! {
                            <div class="form-actions">
                                <SubmitButton label="Save rule" pending=form.pending() />
                                <SubmitButton
                                    label="Try on the last 24 hours"
                                    class="button"
                                    name="act"
                                    value="preview"
                                    pending=form.pending()
                                />
                            </div>
                        }
                    })}
            </PostForm>
        </section>
    }
}

#[component]
fn ScopeField(form: FormState, chosen: String, offer: RuleOffer) -> impl IntoView {
    let error = form.error("scope");
    let chosen = form.value("scope", &chosen);
    let options = |label: &'static str, list: Vec<(String, String)>| {
        let chosen = chosen.clone();
        (!list.is_empty()).then(|| {
            let options = list.into_iter().map(move |(value, name)| {
                let selected = value == chosen;
                let name = if name.is_empty() { "(gone)".to_owned() } else { name };
                view! {
                    <option value=value selected=selected>
                        {name}
                    </option>
                }
            });
            view! { <optgroup label=label>{options.collect_view()}</optgroup> }
        })
    };
    view! {
        <div class="field">
            <label for="scope">"Applies to"</label>
            <select
                id="scope"
                name="scope"
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                aria-describedby=move || error.with(Option::is_some).then_some("scope-error")
            >
                <option value="">"Choose"</option>
                {options("One device", offer.devices)}
                {options("All devices of a group", offer.groups)}
                {options("All devices of a type", offer.types)}
            </select>
            <p class="field-error" id="scope-error" aria-live="polite" hidden=move || error.with(Option::is_none)>
                <Icon glyph=Glyph::Alert />
                <span>{move || error.get().unwrap_or_default()}</span>
            </p>
        </div>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn typed<'a>(kind: &'a str, limit: &'a str, seconds: &'a str) -> Typed<'a> {
        Typed { kind, key: " t ", side: "below", limit, hysteresis: "", seconds, trend: "", change: "1,5" }
    }

    #[test]
    fn what_is_typed_becomes_a_condition() {
        let limit = Condition::Threshold { key: "t".into(), side: Side::Below, limit: -2.5, hysteresis: 0.0, for_s: 0 };
        assert_eq!(typed("threshold", "-2,5", "").condition(), Ok(limit));
        let rate = Condition::Rate { key: "t".into(), trend: Trend::Either, change: 1.5, window_s: 60 };
        assert_eq!(typed("rate", "", "60").condition(), Ok(rate));
        let field = |typed: Typed| typed.condition().unwrap_err().fields.remove(0).field;
        assert_eq!(field(typed("threshold", "warm", "")), "limit");
        assert_eq!(field(typed("absence", "", "")), "seconds");
        assert_eq!(field(typed("connection", "", "soon")), "seconds");
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for text in ["device:0193a0000000700080000000000000ab", "group:0193a0000000700080000000000000ab", "type:a:b c"]
        {
            assert_eq!(parse_scope(text).map(|scope| scope_value(&scope)).as_deref(), Some(text));
        }
        for text in ["", "type:", "device:x", "all"] {
            assert_eq!(parse_scope(text), None, "{text}");
        }
    }

    #[test]
    fn errors_stand_beside_the_field_of_the_form() {
        for (theirs, ours) in [("condition.after_s", "seconds"), ("condition.limit", "limit"), ("name", "name")] {
            assert_eq!(beside_field(Failure::field(theirs, "no")).fields[0].field, ours);
        }
    }
}
