//! Our topics, and what any topic must look like before the broker sees it.

use std::fmt;

use portico_model::{DeviceId, OrganizationId};

/// Deeper topics are refused: matching walks the levels.
pub const MAX_LEVELS: usize = 16;
/// In bytes of UTF-8.
pub const MAX_BYTES: usize = 256;

/// The last level of `devices/{id}/…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TopicKind {
    Telemetry,
    Status,
    Event,
    Ack,
    Reported,
    Command,
    Desired,
}

impl TopicKind {
    pub const ALL: [Self; 7] =
        [Self::Telemetry, Self::Status, Self::Event, Self::Ack, Self::Reported, Self::Command, Self::Desired];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Status => "status",
            Self::Event => "event",
            Self::Ack => "ack",
            Self::Reported => "reported",
            Self::Command => "command",
            Self::Desired => "desired",
        }
    }

    /// The device writes it and the server reads it; otherwise the other way round.
    #[must_use]
    pub const fn is_from_device(self) -> bool {
        match self {
            Self::Telemetry | Self::Status | Self::Event | Self::Ack | Self::Reported => true,
            Self::Command | Self::Desired => false,
        }
    }

    fn parse(level: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == level)
    }
}

/// Why a topic name or filter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicError {
    Empty,
    TooLong,
    TooDeep,
    Wildcard,
    Nul,
    BadShare,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a topic must not be empty",
            Self::TooLong => "a topic has at most 256 bytes",
            Self::TooDeep => "a topic has at most 16 levels",
            Self::Wildcard => "+ and # stand alone in a level of a filter, # last, and never in a topic name",
            Self::Nul => "a topic must not contain the character U+0000",
            Self::BadShare => "a shared subscription is written $share/group/filter",
        })
    }
}

impl std::error::Error for TopicError {}

fn check_size(topic: &str) -> Result<(), TopicError> {
    if topic.is_empty() {
        return Err(TopicError::Empty);
    }
    if topic.len() > MAX_BYTES {
        return Err(TopicError::TooLong);
    }
    if topic.split('/').count() > MAX_LEVELS {
        return Err(TopicError::TooDeep);
    }
    if topic.contains('\0') {
        return Err(TopicError::Nul);
    }
    Ok(())
}

/// Whether something may be published to this topic at all, by anyone.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(topic: &str) -> Result<(), TopicError> {
    check_size(topic)?;
    if topic.contains(['+', '#']) {
        return Err(TopicError::Wildcard);
    }
    Ok(())
}

/// Whether this is a proper topic filter, without a `$share/group/` in front.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), TopicError> {
    check_size(filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let good = match level {
            "+" => true,
            "#" => levels.peek().is_none(),
            other => !other.contains(['+', '#']),
        };
        if !good {
            return Err(TopicError::Wildcard);
        }
    }
    Ok(())
}

/// Splits `$share/group/filter` into the group and the filter; any other filter has no group.
///
/// # Errors
/// When the group or the filter is missing or the group contains a wildcard.
pub fn split_share(filter: &str) -> Result<(Option<&str>, &str), TopicError> {
    let Some(rest) = filter.strip_prefix("$share/") else {
        return if filter == "$share" { Err(TopicError::BadShare) } else { Ok((None, filter)) };
    };
    match rest.split_once('/') {
        Some((group, inner)) if !group.is_empty() && !inner.is_empty() && !group.contains(['+', '#']) => {
            Ok((Some(group), inner))
        }
        _ => Err(TopicError::BadShare),
    }
}

/// The topics of this installation: everything under its prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics {
    /// Empty, or ends in a slash.
    prefix: String,
}

impl Topics {
    /// # Errors
    /// When the prefix is no proper beginning of a topic.
    pub fn new(prefix: &str) -> Result<Self, TopicError> {
        let trimmed = prefix.trim_matches('/');
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        // `devices/{id}/telemetry` behind it still has to fit.
        if trimmed.starts_with('$') {
            return Err(TopicError::BadShare);
        }
        check_name(trimmed)?;
        if trimmed.len() > MAX_BYTES / 2 {
            return Err(TopicError::TooLong);
        }
        if trimmed.split('/').count() > MAX_LEVELS / 2 {
            return Err(TopicError::TooDeep);
        }
        Ok(Self { prefix: format!("{trimmed}/") })
    }

    /// Empty, or ends in a slash.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    #[must_use]
    pub fn device(&self, device: DeviceId, kind: TopicKind) -> String {
        format!("{}devices/{device}/{}", self.prefix, kind.as_str())
    }

    /// The topic on which the servers of one installation tell each other about committed events.
    #[must_use]
    pub fn events(&self, organization: OrganizationId) -> String {
        format!("{}portico/events/{organization}", self.prefix)
    }

    #[must_use]
    pub fn events_filter(&self) -> String {
        format!("{}portico/events/+", self.prefix)
    }

    /// What the servers read, each message by one server of the group.
    #[must_use]
    pub fn ingest_filters(&self, group: &str) -> Vec<String> {
        TopicKind::ALL
            .into_iter()
            .filter(|kind| kind.is_from_device())
            .map(|kind| format!("$share/{group}/{}devices/+/{}", self.prefix, kind.as_str()))
            .collect()
    }

    /// The device and the kind of a topic of ours; only the spelling that [`Self::device`] writes.
    #[must_use]
    pub fn parse(&self, topic: &str) -> Option<(DeviceId, TopicKind)> {
        let rest = topic.strip_prefix(self.prefix.as_str())?.strip_prefix("devices/")?;
        let (id, kind) = rest.split_once('/')?;
        let device = canonical(id)?.parse().ok()?;
        Some((device, TopicKind::parse(kind)?))
    }

    #[must_use]
    pub fn parse_events(&self, topic: &str) -> Option<OrganizationId> {
        let id = topic.strip_prefix(self.prefix.as_str())?.strip_prefix("portico/events/")?;
        canonical(id)?.parse().ok()
    }
}

/// An id has many spellings (upper case, dashes) but only one topic.
fn canonical(id: &str) -> Option<&str> {
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))).then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0193a0000000700080000000000000ab";

    #[test]
    fn device_topic_is_read_as_it_is_written() {
        for prefix in ["", "site-1", "a/b/"] {
            let topics = Topics::new(prefix).unwrap();
            for kind in TopicKind::ALL {
                let topic = topics.device(ID.parse().unwrap(), kind);
                assert!(check_name(&topic).is_ok());
                assert_eq!(topics.parse(&topic), Some((ID.parse().unwrap(), kind)), "{topic}");
            }
        }
    }

    #[test]
    fn only_one_spelling_of_a_device_topic_is_ours() {
        let topics = Topics::new("").unwrap();
        for topic in [
            "devices/0193A0000000700080000000000000AB/telemetry",
            "devices/0193a000-0000-7000-8000-0000000000ab/telemetry",
            "devices/0193a0000000700080000000000000ab/telemetry/",
            "devices/0193a0000000700080000000000000ab/other",
            "devices/0193a0000000700080000000000000ab",
            "/devices/0193a0000000700080000000000000ab/telemetry",
            "devices//telemetry",
            "",
        ] {
            assert_eq!(topics.parse(topic), None, "{topic}");
        }
    }

    #[test]
    fn topic_outside_the_prefix_is_not_ours() {
        let topics = Topics::new("site").unwrap();
        assert_eq!(topics.parse(&format!("devices/{ID}/telemetry")), None);
        assert_eq!(topics.parse(&format!("sitedevices/{ID}/telemetry")), None);
        assert!(topics.parse(&format!("site/devices/{ID}/telemetry")).is_some());
    }

    #[test]
    fn bad_prefix_is_refused() {
        for prefix in ["a+", "#", "$share/x", &"x".repeat(200), &"a/".repeat(12), "a\0b"] {
            assert!(Topics::new(prefix).is_err(), "{prefix:?}");
        }
    }

    #[test]
    fn names_over_the_limits_are_refused() {
        assert_eq!(check_name(""), Err(TopicError::Empty));
        assert_eq!(check_name(&"x".repeat(257)), Err(TopicError::TooLong));
        assert!(check_name(&"x".repeat(256)).is_ok());
        assert_eq!(check_name(&"/".repeat(16)), Err(TopicError::TooDeep));
        assert!(check_name(&"/".repeat(15)).is_ok());
        assert_eq!(check_name("a/+/b"), Err(TopicError::Wildcard));
        assert_eq!(check_name("a/#"), Err(TopicError::Wildcard));
        assert_eq!(check_name("a\0"), Err(TopicError::Nul));
    }

    #[test]
    fn wildcards_stand_alone_in_their_level() {
        for filter in ["#", "+", "a/+/b", "a/#", "+/+/#", "/+"] {
            assert!(check_filter(filter).is_ok(), "{filter}");
        }
        for filter in ["a#", "#/a", "a/+b", "a/#/b", "++"] {
            assert_eq!(check_filter(filter), Err(TopicError::Wildcard), "{filter}");
        }
    }

    #[test]
    fn share_group_is_split_off() {
        assert_eq!(split_share("a/b"), Ok((None, "a/b")));
        assert_eq!(split_share("$share/g/a/b"), Ok((Some("g"), "a/b")));
        assert_eq!(split_share("$shared/g"), Ok((None, "$shared/g")));
        for filter in ["$share", "$share/", "$share/g", "$share//a", "$share/g/", "$share/+/a"] {
            assert_eq!(split_share(filter), Err(TopicError::BadShare), "{filter}");
        }
    }

    #[test]
    fn ingest_filters_are_proper_shared_filters() {
        for filter in Topics::new("site/a").unwrap().ingest_filters("portico") {
            let (group, inner) = split_share(&filter).unwrap();
            assert_eq!(group, Some("portico"));
            assert!(check_filter(inner).is_ok());
        }
    }

    #[test]
    fn events_topic_is_read_as_it_is_written() {
        let topics = Topics::new("x").unwrap();
        let organization: OrganizationId = ID.parse().unwrap();
        assert_eq!(topics.parse_events(&topics.events(organization)), Some(organization));
    }

    proptest! {
        #[test]
        fn nothing_a_stranger_sends_panics(topic in "\\PC{0,300}", prefix in "[a-z/+#$]{0,20}") {
            let _ = check_name(&topic);
            let _ = check_filter(&topic);
            let _ = split_share(&topic);
            if let Ok(topics) = Topics::new(&prefix) {
                let _ = topics.parse(&topic);
                let _ = topics.parse_events(&topic);
            }
        }

        #[test]
        fn parsed_topic_writes_back_to_itself(id in "[0-9a-fA-F-]{30,37}", kind in "[a-z]{3,9}") {
            let topics = Topics::new("p").unwrap();
            let topic = format!("p/devices/{id}/{kind}");
            if let Some((device, kind)) = topics.parse(&topic) {
                prop_assert_eq!(topics.device(device, kind), topic);
            }
        }

        #[test]
        fn good_name_is_a_good_filter(topic in "[a-z/+#]{0,40}") {
            if check_name(&topic).is_ok() {
                prop_assert!(check_filter(&topic).is_ok());
            }
        }
    }
}
