//! Pages of an access log in which years have gathered.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portico_simulator::{Api, noise};
use reqwest::Method;
use serde_json::{Value, json};

use super::number;
use crate::measure::Latencies;
use crate::report::{Goal, Report};
use crate::server::Prepared;
use crate::{Arguments, fill, http};

/// Pages of each kind in a repetition.
const PAGES: i64 = 200;
/// Events on a page, when nothing else is asked for.
const PAGE: usize = 50;

/// Fills the log while nothing runs, then reads pages over REST, one after the other.
pub async fn log(arguments: &Arguments, prepared: &Prepared, report: &mut Report) -> Result<()> {
    let database = prepared.database;
    let events = arguments.events;
    eprintln!("{database}: filling the access log with {events} events");
    let began = Instant::now();
    let filled = fill::fill(prepared, events).await.context("filling the access log")?;
    report.add(database, "access log: events", "", None, number(events));
    report.add(database, "access log: filling it", "s", None, began.elapsed().as_secs_f64());
    report.add(database, "access log: database", "MB", None, filled.megabytes);

    let server = prepared.start().await?;
    let api = server.api()?;
    // It learns from a full log when it starts; nobody is kept waiting by that, but it would be measured.
    train(&api).await?;
    let authorization = api.authorization().await?;
    let mut connection = http::Connection::open(&server.http).await?;
    let goal = Some(Goal::AtMost(50.0));
    for run in 0..arguments.runs {
        for (what, goal, query) in &kinds(&filled, goal) {
            let mut latencies = Latencies::default();
            for page in 0..PAGES {
                let draw = |channel: u64, of: i64| {
                    let drawn = noise::mix(run as u64, channel, page) % of.unsigned_abs().max(1);
                    drawn.cast_signed()
                };
                let path = format!("/api/v1/access/events{}", query(&draw));
                let request = http::request("GET", &path, &server.http, ("Authorization", &authorization), "");
                let sent = Instant::now();
                let answer = connection.exchange(&request).await?;
                latencies.add(sent.elapsed());
                let answer: Value = serde_json::from_slice(&answer)?;
                let shown = answer["items"].as_array().map_or(0, Vec::len);
                ensure!((1..=PAGE).contains(&shown), "{path} has {shown} events");
            }
            report.percentiles(database, what, *goal, &mut latencies);
        }
    }
    report.add(database, "memory, with a full log", "MB", None, crate::measure::resident_mb(server.process()));
    server.stop().await
}

/// Draws a number below a limit, from a channel of its own.
type Draw<'a> = dyn Fn(u64, i64) -> i64 + 'a;

type Kind<'a> = (&'static str, Option<Goal>, Box<dyn Fn(&Draw<'_>) -> String + Send + Sync + 'a>);

/// What is asked for, by what it is called; only the first page has a goal.
fn kinds(filled: &fill::Filled, goal: Option<Goal>) -> [Kind<'_>; 7] {
    let person = |draw: &Draw<'_>| fill::person(draw(1, fill::PEOPLE));
    let door = |draw: &Draw<'_>| fill::door(draw(2, fill::DOORS));
    // As the `next` of a page that ends there.
    let cursor = |draw: &Draw<'_>| {
        let at = filled.first_ms + filled.span_ms / 20 + draw(3, filled.span_ms - filled.span_ms / 10);
        format!("{at}-{}", fill::door(0))
    };
    [
        ("access log: first page", goal, Box::new(|_| String::new())),
        ("access log: a page in the depth", None, Box::new(move |draw| format!("?cursor={}", cursor(draw)))),
        ("access log: of one person", None, Box::new(move |draw| format!("?person_id={}", person(draw)))),
        ("access log: of one door", None, Box::new(move |draw| format!("?door_id={}", door(draw)))),
        (
            "access log: of one door, in the depth",
            None,
            Box::new(move |draw| format!("?door_id={}&cursor={}", door(draw), cursor(draw))),
        ),
        (
            "access log: refused at one door",
            None,
            Box::new(move |draw| format!("?result=refused&door_id={}", door(draw))),
        ),
        (
            "access log: part of a name (10 people)",
            None,
            Box::new(move |draw| format!("?who=person%20{:03}", draw(1, fill::PEOPLE) / 10)),
        ),
    ]
}

/// Asks for a model of what is usual and waits until it is in force.
pub async fn train(api: &Api) -> Result<()> {
    const PATH: &str = "/api/v1/access/anomaly-model";
    let deadline = Instant::now() + Duration::from_secs(120);
    api.call(Method::POST, PATH, Some(&json!({}))).await?;
    loop {
        let model = api.call(Method::GET, PATH, None).await?;
        if model["current"].is_object() && model["latest"].is_null() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "no model of what is usual was made: {model}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
