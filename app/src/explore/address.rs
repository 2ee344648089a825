//! What the address of the explore page asks for; every link on it is made here.

use leptos_router::params::ParamsMap;
use portico_model::GroupId;
use portico_model::explore::{MAX_SERIES, SavedView, SeriesRef};
use portico_model::telemetry::Aggregation;

use crate::devices::chart::{PRESETS, Range};

/// Widths to choose from: value and word.
pub const WINDOWS: [(&str, &str); 8] = [
    ("auto", "Automatic"),
    ("10s", "10 s"),
    ("1m", "1 min"),
    ("5m", "5 min"),
    ("15m", "15 min"),
    ("1h", "1 h"),
    ("6h", "6 h"),
    ("1d", "1 day"),
];

/// Ways to put values together: value and word.
pub const AGGREGATIONS: [(Aggregation, &str); 9] = [
    (Aggregation::Mean, "Mean"),
    (Aggregation::Min, "Lowest"),
    (Aggregation::Max, "Highest"),
    (Aggregation::P50, "Median"),
    (Aggregation::P95, "95th percentile"),
    (Aggregation::Sum, "Sum"),
    (Aggregation::Count, "Number of values"),
    (Aggregation::First, "First"),
    (Aggregation::Last, "Last"),
];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub series: Vec<SeriesRef>,
    pub range: Range,
    pub aggregation: Aggregation,
    pub window: String,
    /// What the picker looks for.
    pub find: String,
    pub group: Option<GroupId>,
}

impl Asked {
    #[must_use]
    pub fn read(map: &ParamsMap) -> Self {
        let part = |name| map.get(name).unwrap_or_default();
        let mut series: Vec<SeriesRef> = Vec::new();
        for text in map.get_all("s").unwrap_or_default() {
            if let Some(one) = SeriesRef::parse(&text)
                && !series.contains(&one)
                && series.len() < MAX_SERIES
            {
                series.push(one);
            }
        }
        let window = part("window");
        Self {
            series,
            range: Range::parse(&part("range"), &part("from"), &part("to")),
            aggregation: Aggregation::parse(&part("agg")).unwrap_or(Aggregation::Mean),
            window: if WINDOWS.iter().any(|(value, _)| *value == window) { window } else { "auto".to_owned() },
            find: part("find"),
            group: part("group").parse().ok(),
        }
    }

    /// The page with this choice.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}{}", self.address_without_range(), self.range.query())
    }

    /// The page with this choice, for a range to be put behind it.
    #[must_use]
    pub fn address_without_range(&self) -> String {
        let mut parts: Vec<_> = self.series.iter().map(|series| format!("s={}", encoded(series))).collect();
        parts.push(format!("agg={}", self.aggregation.as_str()));
        parts.push(format!("window={}", self.window));
        if !self.find.is_empty() {
            parts.push(format!("find={}", crate::browser::encode(&self.find)));
        }
        if let Some(group) = self.group {
            parts.push(format!("group={group}"));
        }
        format!("/explore?{}", parts.join("&"))
    }

    /// Every value of the choice as a file.
    #[must_use]
    pub fn csv(&self) -> String {
        let series: Vec<_> = self.series.iter().map(|series| format!("series={}", encoded(series))).collect();
        let bounds = match &self.range {
            Range::Last { name, .. } => format!("start_time=-{name}"),
            Range::Between { from, to } => format!("start_time={}&end_time={}", from.millis(), to.millis()),
        };
        format!("/api/v1/telemetry/query.csv?{}&{bounds}", series.join("&"))
    }

    /// The range as a view keeps it: how far back from now.
    #[must_use]
    pub fn kept_range(&self) -> &'static str {
        match &self.range {
            Range::Last { name, .. } => name,
            Range::Between { from, to } => {
                let length = to.millis_since(*from);
                PRESETS.iter().find(|(.., preset)| *preset >= length).map_or("30d", |(name, ..)| name)
            }
        }
    }
}

fn encoded(series: &SeriesRef) -> String {
    crate::browser::encode(&series.to_text())
}

/// The page that shows the view.
#[must_use]
pub fn address_of(view: &SavedView) -> String {
    let definition = &view.definition;
    let asked = Asked {
        series: definition.series.clone(),
        range: Range::parse(&definition.range, "", ""),
        aggregation: definition.aggregation,
        window: definition.window.clone(),
        find: String::new(),
        group: None,
    };
    asked.address()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_read_as_it_is_written() {
        let id = "0193a0000000700080000000000000ab";
        let mut map = ParamsMap::new();
        for text in [format!("{id}:a b&c"), format!("{id}:a b&c"), format!("{id}:x:y"), "nonsense".to_owned()] {
            map.insert("s", text);
        }
        map.insert("agg", "p95".to_owned());
        map.insert("window", "5m".to_owned());
        map.insert("range", "7d".to_owned());
        let asked = Asked::read(&map);
        assert_eq!(asked.series.len(), 2);
        let expected = format!("/explore?s={id}%3Aa%20b%26c&s={id}%3Ax%3Ay&agg=p95&window=5m&range=7d");
        assert_eq!(asked.address(), expected);
        assert!(asked.csv().ends_with("&start_time=-7d"));
    }

    #[test]
    fn a_view_keeps_a_range_up_to_now() {
        let mut asked = Asked::read(&ParamsMap::new());
        assert_eq!((asked.kept_range(), asked.window.as_str()), ("1h", "auto"));
        asked.range = Range::parse("", "0", "7200000");
        assert_eq!(asked.kept_range(), "24h");
    }
}
