//! Groups of devices: made by a person, to see and handle devices together. A device may be in many.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, GroupId, GroupMemberId, Timestamp, UserId};

/// A group as shown to those who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0193a0000000700080000000000000ab", "name": "Living Room Sensors",
    "description": "All sensors in living room", "color": "#FF5733",
    "owner_id": "0193a0000000700080000000000000cd", "owner_name": "john_doe", "device_count": 3,
    "created_at": "2026-11-21T02:00:00.000+00:00", "updated_at": "2026-11-21T02:00:00.000+00:00",
})))]
pub struct Group {
    pub id: GroupId,
    pub name: String,
    pub description: Option<String>,
    /// As `#FF5733` or a CSS colour name of at most 7 letters.
    pub color: Option<String>,
    pub owner_id: UserId,
    pub owner_name: String,
    /// Members that the asker may see.
    pub device_count: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a new group is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "Living Room Sensors", "description": "All sensors in living room", "color": "#FF5733",
})))]
pub struct NewGroup {
    /// 1 to 100 characters; unique among its owner's groups.
    pub name: String,
    /// At most 1,000 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// `#FF5733`, `#F53` or a CSS colour name of at most 7 letters.
    #[serde(default)]
    pub color: Option<String>,
}

/// What to change; absent fields stay. An empty description or colour takes it away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"name": "Ground floor", "color": "#00796B"})))]
pub struct GroupChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub color: Option<String>,
}

/// That a device is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Membership {
    pub id: GroupMemberId,
    pub group_id: GroupId,
    pub device_id: DeviceId,
    pub added_at: Timestamp,
}

/// A group that a device is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct GroupOfDevice {
    pub id: GroupId,
    pub name: String,
    pub color: Option<String>,
    pub added_at: Timestamp,
}

/// Whether a text is a colour that a group may have: `#` and three or six hexadecimal digits, or a name of letters.
#[must_use]
pub fn is_color(text: &str) -> bool {
    text.strip_prefix('#').map_or_else(
        || (1..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
        |digits| matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_hexadecimal_or_names() {
        for good in ["#FF5733", "#f53", "red", "magenta"] {
            assert!(is_color(good), "{good}");
        }
        for bad in ["", "#", "#ff57", "#gggggg", "#FF573399", "url(x)", "lavender", "a;b"] {
            assert!(!is_color(bad), "{bad}");
        }
    }
}
