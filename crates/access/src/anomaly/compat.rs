//! The figures in the form of the former door-lock system, now with permission
//! (`/api/analytics/insights`, `/api/security/…`, `/ml/train`).

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use portico_identity::Auth;
use portico_model::access::AccessEvent;
use portico_model::access::anomaly::AnomalyModel;
use portico_model::identity::Permission;
use portico_model::{Problem, Timestamp};
use portico_platform::http::{Json, Query};
use portico_platform::{Actor, Result};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::insights::{MAX_DAYS, peak_hours};
use super::store;
use crate::{Access, EventQuery};
use portico_identity::local_time::{Wall, zone_of};

const DAY_MS: i64 = 86_400_000;

/// Days that `insights` tells of.
const INSIGHT_DAYS: i64 = 7;

/// Most security alerts.
const ALERTS: i64 = 50;

/// Most incidents counted.
const INCIDENTS: i64 = 100_000;

pub fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(insights))
        .routes(routes!(status))
        .routes(routes!(anomalies))
        .routes(routes!(trends))
        .routes(routes!(train))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "total_access_attempts": 812, "failed_attempts": 31, "anomalies_detected": 4, "peak_hours": [9, 8, 17],
    "most_active_users": [{"name": "Ann Archer", "attempts": 42}],
    "security_alerts": [{"timestamp": "2026-11-21T02:00:00.000+00:00", "user_id": 7,
        "reason": "02:00 is an unusual time of day for this person", "confidence": 0.71}]
}))]
pub struct DoorInsights {
    total_access_attempts: i64,
    failed_attempts: i64,
    anomalies_detected: i64,
    /// At most three, in the building's time.
    peak_hours: Vec<u8>,
    /// At most five.
    most_active_users: Vec<ActiveUser>,
    /// The newest 50.
    security_alerts: Vec<SecurityAlert>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"name": "Ann Archer", "attempts": 42}))]
pub struct ActiveUser {
    name: String,
    attempts: i64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"timestamp": "2026-11-21T02:00:00.000+00:00", "user_id": 7,
    "reason": "02:00 is an unusual time of day for this person", "confidence": 0.71}))]
pub struct SecurityAlert {
    timestamp: String,
    /// The person's number.
    user_id: Option<i64>,
    /// Joined by `; `.
    reason: String,
    confidence: f64,
}

/// What the last seven days at the doors were like
///
/// The form of the former system. A device's key no longer opens it: it needs `read_access_log`.
#[utoipa::path(get, path = "/api/v1/analytics/insights", tag = "access log", responses(
    (status = 200, body = DoorInsights),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn insights(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<DoorInsights>> {
    let found = access.insights(&actor, INSIGHT_DAYS).await?;
    let mut security_alerts = Vec::new();
    for (event, user_id) in access.unusual(&actor, Some(found.from), ALERTS).await? {
        security_alerts.push(SecurityAlert {
            timestamp: event.at.to_iso(),
            user_id,
            reason: event.score_reasons.join("; "),
            confidence: event.score.unwrap_or_default(),
        });
    }
    Ok(Json(DoorInsights {
        total_access_attempts: found.attempts,
        failed_attempts: found.refused,
        anomalies_detected: found.unusual,
        peak_hours: peak_hours(&found.by_hour),
        most_active_users: found
            .people
            .into_iter()
            .map(|person| ActiveUser { name: person.name, attempts: person.attempts })
            .collect(),
        security_alerts,
    }))
}

impl Access {
    /// Unusual events that nobody called a false alarm, newest first, with the person's number.
    async fn unusual(
        &self,
        actor: &Actor,
        from: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<(AccessEvent, Option<i64>)>> {
        let query = EventQuery { anomaly: Some(true), from, limit: Some(limit), ..EventQuery::default() };
        let page = self.events(actor, &query).await?;
        let mut tx = self.0.platform.db.read().await?;
        let mut found = Vec::new();
        for event in page.items.into_iter().filter(|event| !event.is_false_alarm) {
            let number = match event.person_id {
                Some(person) => store::number_of(&mut tx, actor.organization, person).await?,
                None => None,
            };
            found.push((event, number));
        }
        Ok(found)
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "0199a0000000700080000000000000e1", "timestamp": "2026-11-21T02:00:00.000+00:00", "user_info": "Ann Archer",
    "user_id": 7, "method": "rfid", "success": true, "duration": 0.0, "location": "Main entrance",
    "risk_level": "HIGH", "risk_score": 71, "description": "02:00 is an unusual time of day for this person",
    "recommendations": ["Ask the person whether it was them."]
}))]
pub struct SecurityAnomaly {
    id: String,
    timestamp: String,
    user_info: String,
    /// The person's number.
    user_id: Option<i64>,
    method: String,
    success: bool,
    /// Always 0: doors do not say how long it took.
    duration: f64,
    location: String,
    /// From a score of 80 `CRITICAL`, 60 `HIGH`, 40 `MEDIUM`, else `LOW`.
    risk_level: &'static str,
    /// 0 to 100.
    risk_score: i64,
    description: String,
    recommendations: Vec<&'static str>,
}

const fn risk_level(score: i64) -> &'static str {
    match score {
        80.. => "CRITICAL",
        60.. => "HIGH",
        40.. => "MEDIUM",
        _ => "LOW",
    }
}

#[allow(clippy::cast_possible_truncation)] // 0 to 100
fn anomaly((event, user_id): (AccessEvent, Option<i64>)) -> SecurityAnomaly {
    let risk_score = (event.score.unwrap_or_default().clamp(0.0, 1.0) * 100.0).round() as i64;
    let mut recommendations = Vec::new();
    if event.person_id.is_some() {
        recommendations.push("Ask the person whether it was them.");
    }
    match event.granted {
        Some(true) => recommendations.push("Look who came through the door at that time."),
        _ => recommendations.push("Look who stood at the door at that time."),
    }
    SecurityAnomaly {
        id: event.id.to_string(),
        timestamp: event.at.to_iso(),
        user_info: if event.person_name.is_empty() { "Unknown".to_owned() } else { event.person_name },
        user_id,
        method: event.method.as_str().to_owned(),
        success: event.granted == Some(true),
        duration: 0.0,
        location: event.door_name,
        risk_level: risk_level(risk_score),
        risk_score,
        description: event.score_reasons.join("; "),
        recommendations,
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "security_score": 93, "total_access_24h": 120, "failed_access_24h": 4, "success_rate": 96.7, "active_users": 64,
    "anomalies": [], "security_events_count": 5, "last_updated": "2026-11-21 02:00:00"
}))]
pub struct SecurityStatus {
    /// 50 to 100; less for refusals and unusual events of the last 24 hours.
    security_score: i64,
    total_access_24h: i64,
    failed_access_24h: i64,
    /// Percent.
    success_rate: f64,
    active_users: i64,
    /// The newest ten of the last 24 hours.
    anomalies: Vec<SecurityAnomaly>,
    /// Refusals, doors forced or held open, of the last 24 hours.
    security_events_count: i64,
    /// UTC.
    last_updated: String,
}

/// How the last 24 hours at the doors were
#[utoipa::path(get, path = "/api/v1/security/status", tag = "access log", responses(
    (status = 200, body = SecurityStatus),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // counts of a day; 0 to 50
pub async fn status(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<SecurityStatus>> {
    let found = access.insights(&actor, 1).await?;
    let unusual = access.unusual(&actor, Some(found.from), 10).await?;
    let mut tx = access.0.platform.db.read().await?;
    let active_users = store::count_active_people(&mut tx, actor.organization).await?;
    let incidents = store::incidents(&mut tx, actor.organization, found.from, INCIDENTS).await?;
    drop(tx);
    let failed = found.refused as f64 / found.attempts.max(1) as f64;
    let lost = (failed * 100.0).min(25.0) + (found.unusual as f64 * 5.0).min(25.0);
    let now = found.to.to_iso();
    Ok(Json(SecurityStatus {
        security_score: 100 - lost.round() as i64,
        total_access_24h: found.attempts,
        failed_access_24h: found.refused,
        success_rate: ((1.0 - failed) * 1_000.0).round() / 10.0,
        active_users,
        anomalies: unusual.into_iter().map(anomaly).collect(),
        security_events_count: i64::try_from(incidents.len()).unwrap_or(i64::MAX),
        last_updated: now.get(..19).unwrap_or(&now).replace('T', " "),
    }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AnomalyQuery {
    /// 1 to 500; absent: 50.
    #[param(example = 50)]
    limit: Option<i64>,
}

/// Unusual events at doors, newest first
///
/// Without those that somebody called false alarms.
#[utoipa::path(get, path = "/api/v1/security/anomalies", tag = "access log", params(AnomalyQuery), responses(
    (status = 200, body = [SecurityAnomaly]),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn anomalies(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<AnomalyQuery>,
) -> Result<Json<Vec<SecurityAnomaly>>> {
    let found = access.unusual(&actor, None, query.limit.unwrap_or(50)).await?;
    Ok(Json(found.into_iter().map(anomaly).collect()))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TrendQuery {
    /// 1 to 90; absent: 30.
    #[param(example = 30)]
    days: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "daily_access": {"2026-11-21": {"total": 120, "failed": 4, "success": 116}},
    "security_events": {"2026-11-21": {"access_denied": 4, "forced_open": 1}}, "period": "2026-10-22 to 2026-11-21"
}))]
pub struct SecurityTrends {
    daily_access: BTreeMap<String, DailyAccess>,
    security_events: BTreeMap<String, BTreeMap<String, i64>>,
    period: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"total": 120, "failed": 4, "success": 116}))]
pub struct DailyAccess {
    total: i64,
    failed: i64,
    success: i64,
}

/// Attempts and security events of each day
#[utoipa::path(get, path = "/api/v1/security/trends", tag = "access log", params(TrendQuery), responses(
    (status = 200, body = SecurityTrends),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn trends(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<TrendQuery>,
) -> Result<Json<SecurityTrends>> {
    let days = query.days.unwrap_or(30);
    let found = access.insights(&actor, days).await?;
    let mut tx = access.0.platform.db.read().await?;
    let zone = zone_of(&mut tx, actor.organization).await?;
    let since = found.to.plus_millis(-days.clamp(1, MAX_DAYS) * DAY_MS);
    let incidents = store::incidents(&mut tx, actor.organization, since, INCIDENTS).await?;
    drop(tx);
    let mut security_events: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for (at, kind) in incidents {
        *security_events.entry(Wall::of(&zone, at).date()).or_default().entry(kind).or_default() += 1;
    }
    let dates: Vec<&str> = found.by_day.iter().map(|day| day.date.as_str()).collect();
    let period =
        format!("{} to {}", dates.first().copied().unwrap_or_default(), dates.last().copied().unwrap_or_default());
    let daily_access = found
        .by_day
        .into_iter()
        .map(|day| {
            let success = day.attempts - day.refused;
            (day.date, DailyAccess { total: day.attempts, failed: day.refused, success })
        })
        .collect();
    Ok(Json(SecurityTrends { daily_access, security_events, period }))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TrainingBegun {
    #[schema(example = "ML models are being trained")]
    message: &'static str,
    model: AnomalyModel,
}

/// Train the model anew
///
/// The form of the former system: a browser is sent to `/analytics`, a program gets what was begun. Permission:
/// `manage_access`.
#[utoipa::path(post, path = "/ml/train", tag = "access log", responses(
    (status = 202, body = TrainingBegun),
    (status = 302, description = "For browsers: to `/analytics`"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "`too_few_events`: fewer than 50 in the log"),
    (status = 429, body = Problem),
))]
pub async fn train(State(access): State<Access>, Auth(actor): Auth, headers: HeaderMap) -> Result<Response> {
    actor.require(Permission::ManageAccess)?;
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let begun = access.request_training(&actor).await;
    if accepts.contains("text/html") {
        return match begun {
            // The page says why.
            Err(error) if error.status() != StatusCode::CONFLICT => Err(error),
            _ => Ok((StatusCode::FOUND, [(header::LOCATION, "/analytics")]).into_response()),
        };
    }
    let body = TrainingBegun { message: "ML models are being trained", model: begun? };
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}
