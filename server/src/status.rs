//! `/status` and `/health?detailed=true`, as the former IoT system had them, and the figures of `/admin` over REST.
//!
//! Whether the server is sound is for everyone; what machine it runs on, and how much there is, is for administrators.

use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use portico_identity::{Auth, MaybeAuth};
use portico_model::Problem;
use portico_model::identity::Permission;
use portico_model::statistics::Statistics;
use portico_platform::http::Json;
use portico_platform::{Actor, Platform, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Domains;

/// Between the two looks at the processor.
const SAMPLE: Duration = Duration::from_millis(200);
const KIB: u64 = 1024;

#[derive(Clone)]
struct Shared {
    platform: Platform,
    domains: Domains,
}

/// `/status`, and what `/health` answers when it is asked for details.
pub fn router(platform: &Platform, domains: &Domains, health: Router) -> Router {
    let shared = Shared { platform: platform.clone(), domains: domains.clone() };
    let health = health.layer(from_fn_with_state(shared.clone(), detailed));
    Router::new().route("/status", get(status)).with_state(shared).merge(health)
}

/// The route of the API.
pub fn api(domains: Domains) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(statistics)).with_state(domains)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HealthQuery {
    detailed: Option<String>,
}

async fn detailed(
    State(shared): State<Shared>,
    Query(query): Query<HealthQuery>,
    auth: MaybeAuth,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path() == "/health" && query.detailed.as_deref() == Some("true") {
        return status(State(shared), auth).await;
    }
    next.run(request).await
}

async fn status(State(shared): State<Shared>, MaybeAuth(actor): MaybeAuth) -> Response {
    let Shared { platform, domains } = shared;
    let began = std::time::Instant::now();
    let healthy = platform.db.ping().await.is_ok();
    let took_ms = began.elapsed().as_secs_f64() * 1000.0;
    let mut answer = json!({
        "status": if healthy { "healthy" } else { "degraded" },
        "timestamp": platform.clock.now(),
        "checks": { "database": {
            "healthy": healthy,
            "response_time_ms": (took_ms * 100.0).round() / 100.0,
            "status": if healthy { "connected" } else { "disconnected" },
        } },
    });
    if let Some(actor) = actor.filter(|actor| healthy && actor.may(Permission::ManageOrganization)) {
        match metrics(&platform, &domains, &actor).await {
            Ok(metrics) => answer["metrics"] = metrics,
            Err(error) => return error.into_response(),
        }
    }
    (StatusCode::OK, axum::Json(answer)).into_response()
}

async fn metrics(platform: &Platform, domains: &Domains, actor: &Actor) -> Result<Value> {
    let devices = domains.devices.statistics(actor).await?;
    let before = Machine::read(&platform.config.data_dir);
    tokio::time::sleep(SAMPLE).await;
    let after = Machine::read(&platform.config.data_dir);
    Ok(json!({
        "system": {
            "cpu_percent": after.cpu_percent_since(&before),
            "memory_percent": after.memory_percent(),
            "memory_available_mb": after.memory_available_kib / KIB,
            "disk_usage_percent": after.disk_percent,
            "load_average": after.load,
        },
        "application": { "flask_env": "production", "debug_mode": false, "testing_mode": false },
        "devices": {
            "total_devices": devices.total,
            "active_devices": devices.by_status.get("active").copied().unwrap_or_default(),
            "online_devices": devices.online,
            "offline_devices": devices.total - devices.online,
            "telemetry_last_hour": devices.points_last_hour,
            "telemetry_last_day": devices.points_last_day,
        },
    }))
}

/// How busy the machine is (proc(5)); zeros where the system does not tell.
#[derive(Debug, Default, PartialEq)]
struct Machine {
    /// Time spent, and of it idle, in the kernel's unit.
    cpu: (u64, u64),
    memory_total_kib: u64,
    memory_available_kib: u64,
    load: Vec<f64>,
    disk_percent: f64,
}

impl Machine {
    fn read(data_dir: &std::path::Path) -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            disk_percent: disk_percent(data_dir),
            ..Self::parse(&text("/proc/stat"), &text("/proc/meminfo"), &text("/proc/loadavg"))
        }
    }

    fn parse(stat: &str, meminfo: &str, loadavg: &str) -> Self {
        let times: Vec<u64> = stat
            .lines()
            .find_map(|line| line.strip_prefix("cpu "))
            .unwrap_or_default()
            .split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect();
        // user nice system idle iowait irq softirq steal; guest time is part of user time already.
        let total = times.iter().take(8).sum();
        let idle = times.iter().skip(3).take(2).sum();
        let kib = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        Self {
            cpu: (total, idle),
            memory_total_kib: kib("MemTotal:"),
            memory_available_kib: kib("MemAvailable:"),
            load: loadavg.split_whitespace().take(3).map_while(|number| number.parse().ok()).collect(),
            disk_percent: 0.0,
        }
    }

    fn cpu_percent_since(&self, before: &Self) -> f64 {
        let (total, idle) = (self.cpu.0.saturating_sub(before.cpu.0), self.cpu.1.saturating_sub(before.cpu.1));
        percent(total.saturating_sub(idle), total)
    }

    fn memory_percent(&self) -> f64 {
        percent(self.memory_total_kib.saturating_sub(self.memory_available_kib), self.memory_total_kib)
    }
}

/// With one digit.
#[allow(clippy::cast_precision_loss)] // shown with one digit
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1000.0).round() / 10.0 }
}

/// How full the disk is that holds the data.
fn disk_percent(data_dir: &std::path::Path) -> f64 {
    rustix::fs::statvfs(data_dir).map_or(0.0, |disk| percent(disk.f_blocks.saturating_sub(disk.f_bfree), disk.f_blocks))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StatisticsAnswer {
    status: &'static str,
    statistics: Statistics,
}

/// Statistics
///
/// How many people, devices and measurements there are, what waits, and how the server fares.
#[utoipa::path(get, path = "/api/v1/admin/statistics", tag = "admin", responses(
    (status = 200, body = StatisticsAnswer),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
async fn statistics(State(domains): State<Domains>, Auth(actor): Auth) -> Result<Json<StatisticsAnswer>> {
    let statistics = Statistics {
        server: domains.identity.server_statistics(&actor).await?,
        people: domains.identity.statistics(&actor).await?,
        devices: domains.devices.statistics(&actor).await?,
    };
    Ok(Json(StatisticsAnswer { status: "success", statistics }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_is_read_from_what_the_kernel_tells() {
        let stat = "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n";
        let meminfo = "MemTotal:        4000 kB\nMemFree: 1 kB\nMemAvailable:    1000 kB\n";
        let before = Machine::parse(stat, meminfo, "0.50 0.25 0.10 1/100 42\n");
        assert_eq!((before.cpu, before.load.as_slice()), ((1_000, 850), [0.5, 0.25, 0.1].as_slice()));
        assert!((before.memory_percent() - 75.0).abs() < f64::EPSILON);
        let after = Machine::parse("cpu  150 0 50 850 50 0 0 0 0 0\n", meminfo, "");
        assert!((after.cpu_percent_since(&before) - 50.0).abs() < f64::EPSILON);
        assert_eq!(Machine::parse("", "", ""), Machine::default());
    }
}
