//! Who may publish and subscribe what. One pure function; the embedded broker asks it, and so does an external broker
//! through `/internal/mqtt/acl`.

use std::fmt;

use portico_model::{DeviceId, OrganizationId};

use super::topic::{Topics, check_filter, check_name, split_share};

/// Who is connected to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MqttPrincipal {
    Device {
        organization: OrganizationId,
        device: DeviceId,
    },
    /// A server of this installation.
    Server,
}

/// The broker carries the principal as a text; this one is also read back.
impl fmt::Display for MqttPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { organization, device } => write!(f, "device:{organization}:{device}"),
            Self::Server => f.write_str("server"),
        }
    }
}

impl MqttPrincipal {
    /// Reads what `Display` writes.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        if text == "server" {
            return Some(Self::Server);
        }
        let (organization, device) = text.strip_prefix("device:")?.split_once(':')?;
        Some(Self::Device { organization: organization.parse().ok()?, device: device.parse().ok()? })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Also for a last will.
    Publish,
    Subscribe,
}

/// A device publishes and subscribes under its own `devices/{id}/` alone, only the topics meant for it, and without
/// wildcards or share groups. A server may use everything under the prefix.
#[must_use]
pub fn authorize(topics: &Topics, principal: &MqttPrincipal, action: Action, topic: &str) -> bool {
    match (principal, action) {
        (MqttPrincipal::Device { device, .. }, Action::Publish) => {
            check_name(topic).is_ok()
                && topics.parse(topic).is_some_and(|(owner, kind)| owner == *device && kind.is_from_device())
        }
        (MqttPrincipal::Device { device, .. }, Action::Subscribe) => {
            check_name(topic).is_ok()
                && topics.parse(topic).is_some_and(|(owner, kind)| owner == *device && !kind.is_from_device())
        }
        (MqttPrincipal::Server, Action::Publish) => check_name(topic).is_ok() && is_under(topics, topic),
        (MqttPrincipal::Server, Action::Subscribe) => {
            split_share(topic).is_ok_and(|(_, filter)| check_filter(filter).is_ok() && is_under(topics, filter))
        }
    }
}

fn is_under(topics: &Topics, topic: &str) -> bool {
    topic.starts_with(topics.prefix()) && !topic.starts_with('$')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "0193a0000000700080000000000000aa";
    const B: &str = "0193a0000000700080000000000000bb";

    fn device(id: &str) -> MqttPrincipal {
        MqttPrincipal::Device { organization: B.parse().unwrap(), device: id.parse().unwrap() }
    }

    #[test]
    fn device_uses_its_own_topics_in_their_direction_only() {
        use Action::{Publish, Subscribe};
        let topics = Topics::default();
        let cases = [
            (Publish, format!("devices/{A}/telemetry"), true),
            (Publish, format!("devices/{A}/status"), true),
            (Publish, format!("devices/{A}/event"), true),
            (Publish, format!("devices/{A}/ack"), true),
            (Publish, format!("devices/{A}/reported"), true),
            (Publish, format!("devices/{A}/command"), false),
            (Publish, format!("devices/{A}/desired"), false),
            (Publish, format!("devices/{B}/telemetry"), false),
            (Publish, format!("devices/{A}/telemetry/x"), false),
            (Publish, format!("devices/{A}/+"), false),
            (Publish, "portico/events/x".to_owned(), false),
            (Publish, "$SYS/x".to_owned(), false),
            (Publish, String::new(), false),
            (Subscribe, format!("devices/{A}/command"), true),
            (Subscribe, format!("devices/{A}/desired"), true),
            (Subscribe, format!("devices/{A}/telemetry"), false),
            (Subscribe, format!("devices/{B}/command"), false),
            (Subscribe, format!("devices/{A}/+"), false),
            (Subscribe, format!("devices/{A}/#"), false),
            (Subscribe, "#".to_owned(), false),
            (Subscribe, "+/+/+".to_owned(), false),
            (Subscribe, format!("$share/g/devices/{A}/command"), false),
            (Subscribe, "$SYS/#".to_owned(), false),
        ];
        for (action, topic, allowed) in cases {
            assert_eq!(authorize(&topics, &device(A), action, &topic), allowed, "{action:?} {topic}");
        }
    }

    #[test]
    fn server_uses_everything_under_the_prefix() {
        use Action::{Publish, Subscribe};
        let topics = Topics::new("site").unwrap();
        let cases = [
            (Publish, "site/devices/x/command", true),
            (Publish, "site/portico/events/x", true),
            (Publish, "other/x", false),
            (Publish, "site/+", false),
            (Subscribe, "site/#", true),
            (Subscribe, "$share/portico/site/devices/+/telemetry", true),
            (Subscribe, "$share/portico/other/devices/+/telemetry", false),
            (Subscribe, "$share/portico", false),
            (Subscribe, "#", false),
            (Subscribe, "$SYS/#", false),
        ];
        for (action, topic, allowed) in cases {
            assert_eq!(authorize(&topics, &MqttPrincipal::Server, action, topic), allowed, "{action:?} {topic}");
        }
    }

    #[test]
    fn principal_is_read_as_it_is_written() {
        for principal in [device(A), MqttPrincipal::Server] {
            assert_eq!(MqttPrincipal::from_text(&principal.to_string()), Some(principal));
        }
        for text in ["", "device", "device:x:y", "Server"] {
            assert_eq!(MqttPrincipal::from_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_device_may_use_names_that_device(topic in "(devices/(0193a0000000700080000000000000(aa|bb)|\\+|#)/(telemetry|command|\\+|#|x)|\\PC{0,40})") {
            for action in [Action::Publish, Action::Subscribe] {
                if authorize(&Topics::default(), &device(A), action, &topic) {
                    let own = format!("devices/{A}/");
                    prop_assert!(topic.starts_with(&own));
                    prop_assert!(!topic.contains(['+', '#']));
                }
            }
        }
    }
}
