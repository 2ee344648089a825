//! The figures, as JSON and as a table.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::measure::{Latencies, median};

#[derive(Debug, Serialize)]
pub struct Report {
    version: &'static str,
    machine: BTreeMap<&'static str, String>,
    /// What decides the figures, by database.
    settings: BTreeMap<String, Value>,
    /// Bytes of site files after brotli.
    site_brotli_bytes: BTreeMap<String, u64>,
    figures: Vec<Figure>,
}

#[derive(Debug, Serialize)]
struct Figure {
    database: &'static str,
    name: Cow<'static, str>,
    unit: &'static str,
    median: f64,
    min: f64,
    max: f64,
    runs: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    pub fn new(machine: BTreeMap<&'static str, String>, site_brotli_bytes: BTreeMap<String, u64>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            machine,
            settings: BTreeMap::new(),
            site_brotli_bytes,
            figures: Vec::new(),
        }
    }

    pub fn settings(&mut self, database: &str, settings: &Value) {
        self.settings.insert(database.to_owned(), settings.clone());
    }

    /// One repetition's value of a figure.
    pub fn add(
        &mut self,
        database: &'static str,
        name: impl Into<Cow<'static, str>>,
        unit: &'static str,
        goal: Option<Goal>,
        value: f64,
    ) {
        let name = name.into();
        let known = self.figures.iter().position(|figure| figure.database == database && figure.name == name);
        let index = known.unwrap_or_else(|| {
            self.figures.push(Figure { database, name, unit, median: 0.0, min: 0.0, max: 0.0, runs: Vec::new(), goal });
            self.figures.len() - 1
        });
        let figure = &mut self.figures[index];
        figure.runs.push(value);
        figure.median = median(&figure.runs);
        figure.min = figure.runs.iter().copied().fold(f64::INFINITY, f64::min);
        figure.max = figure.runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    }

    /// p50, p95 and p99 of one repetition; the goal is for the p99.
    pub fn percentiles(&mut self, database: &'static str, what: &str, goal: Option<Goal>, latencies: &mut Latencies) {
        for (percent, goal) in [(50.0, None), (95.0, None), (99.0, goal)] {
            let value = latencies.percentile_ms(percent);
            self.add(database, format!("{what}: p{percent}"), "ms", goal, value);
        }
    }

    /// Fails when points that were acknowledged are not in the database.
    pub fn losses(&self) -> anyhow::Result<()> {
        let lost: f64 =
            self.figures.iter().filter(|figure| figure.name.ends_with("lost")).map(|figure| figure.max).sum();
        anyhow::ensure!(lost <= 0.0, "{lost} acknowledged points are not in the database");
        Ok(())
    }
}

impl Figure {
    fn verdict(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::AtLeast(goal)) => {
                format!("≥ {}{}", shown(goal), if self.median >= goal { "" } else { "  MISSED" })
            }
            Some(Goal::AtMost(goal)) => {
                format!("≤ {}{}", shown(goal), if self.median <= goal { "" } else { "  MISSED" })
            }
        }
    }
}

fn shown(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 => {
            let digits = format!("{value:.0}");
            let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            format!("{sign}{grouped}")
        }
        middle if middle >= 10.0 || middle == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Portico {}, load and server on one machine; what is stored and pushed is counted after the commit.",
            self.version
        )?;
        for (name, value) in &self.machine {
            writeln!(f, "  {name:<12} {value}")?;
        }
        for (database, settings) in &self.settings {
            writeln!(f, "  {database:<12} {settings}")?;
        }
        for (file, bytes) in &self.site_brotli_bytes {
            writeln!(f, "  brotli       {:>9} B  {file}", shown_u64(*bytes))?;
        }
        writeln!(f, "\n{:<9} {:<42} {:>10} {:>21} {:<6} goal", "database", "what", "median", "min – max", "unit")?;
        for figure in &self.figures {
            let spread = format!("{} – {}", shown(figure.min), shown(figure.max));
            let line = format!(
                "{:<9} {:<42} {:>10} {:>21} {:<6} {}",
                figure.database,
                figure.name,
                shown(figure.median),
                spread,
                figure.unit,
                figure.verdict()
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss)] // file sizes
fn shown_u64(value: u64) -> String {
    shown(value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(shown(1_234_567.0), "1,234,567");
        assert_eq!(shown(999.6), "1000");
        assert_eq!(shown(12.3), "12");
        assert_eq!(shown(1.234), "1.23");
        assert_eq!(shown(0.0), "0");
    }

    #[test]
    fn loss_fails_the_run() {
        let mut report = Report::new(BTreeMap::new(), BTreeMap::new());
        report.add("sqlite", "arrays: points lost", "", None, 0.0);
        assert!(report.losses().is_ok());
        report.add("sqlite", "arrays: points lost", "", None, 1.0);
        assert!(report.losses().is_err());
    }

    #[test]
    fn percentiles_are_three_figures_and_the_goal_is_for_the_last() {
        let mut report = Report::new(BTreeMap::new(), BTreeMap::new());
        for _ in 0..2 {
            let mut latencies = Latencies::default();
            (1..=100).for_each(|ms| latencies.add(std::time::Duration::from_millis(ms)));
            report.percentiles("sqlite", "page", Some(Goal::AtMost(98.0)), &mut latencies);
        }
        let names: Vec<&str> = report.figures.iter().map(|figure| figure.name.as_ref()).collect();
        assert_eq!(names, ["page: p50", "page: p95", "page: p99"]);
        let runs: Vec<usize> = report.figures.iter().map(|figure| figure.runs.len()).collect();
        assert_eq!(runs, [2, 2, 2]);
        assert_eq!(report.to_string().matches("MISSED").count(), 1);
    }

    #[test]
    fn missed_goal_is_marked() {
        let mut report = Report::new(BTreeMap::new(), BTreeMap::new());
        report.add("sqlite", "speed", "/s", Some(Goal::AtLeast(10.0)), 9.0);
        assert!(report.to_string().contains("MISSED"));
    }
}
