//! How long measurements are kept: rules of an organisation, of a device, of a key; the most particular one counts.

use std::collections::HashMap;

use portico_model::identity::Permission;
use portico_model::{DeviceId, FieldError, OrganizationId};
use portico_platform::audit::Entry;
use portico_platform::config::DevicesConfig;
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Devices;
use crate::store::retention::{self, Row, every_device};

/// Ten years: nothing older is accepted from devices.
const MAX_DAYS: i64 = 3_650;

/// A rule. Without a device it is for all of the organisation, without a key for all keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RetentionRule {
    #[serde(default)]
    pub device_id: Option<DeviceId>,
    #[serde(default)]
    pub key: Option<String>,
    /// Days that single points are kept.
    pub raw_days: i64,
    /// Days that one-minute rollups are kept.
    pub minute_days: i64,
    /// Days that one-hour rollups are kept.
    pub hour_days: i64,
}

impl RetentionRule {
    fn row(&self, organization_id: OrganizationId) -> Row {
        Row {
            organization_id,
            device_id: self.device_id.unwrap_or_else(every_device),
            key: self.key.clone().unwrap_or_default(),
            raw_days: self.raw_days,
            minute_days: self.minute_days,
            hour_days: self.hour_days,
        }
    }
}

impl Devices {
    /// The organisation's rules; what no rule covers is as configured. Needs `ReadAllDevices`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn retention(&self, actor: &Actor) -> Result<Vec<RetentionRule>> {
        actor.require(Permission::ReadAllDevices)?;
        let mut tx = self.0.platform.db.read().await?;
        let rows = retention::list(&mut tx, actor.organization).await?;
        Ok(rows
            .into_iter()
            .map(|row| RetentionRule {
                device_id: (row.device_id != every_device()).then_some(row.device_id),
                key: Some(row.key).filter(|key| !key.is_empty()),
                raw_days: row.raw_days,
                minute_days: row.minute_days,
                hour_days: row.hour_days,
            })
            .collect())
    }

    /// How long measurements are kept where no device and no key has a rule of its own. Needs `ReadAllDevices`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn default_retention(&self, actor: &Actor) -> Result<RetentionRule> {
        let rules = self.retention(actor).await?;
        let config = &self.0.platform.config.devices;
        Ok(rules.into_iter().find(|rule| rule.device_id.is_none() && rule.key.is_none()).unwrap_or(RetentionRule {
            device_id: None,
            key: None,
            raw_days: config.raw_retention_days,
            minute_days: config.minute_retention_days,
            hour_days: config.hour_retention_days,
        }))
    }

    /// Adds a rule or replaces the one for the same device and key. Needs `ManageAllDevices`.
    ///
    /// # Errors
    /// Forbidden, not found, or days out of range.
    pub async fn set_retention(&self, actor: &Actor, rule: &RetentionRule) -> Result<()> {
        actor.require(Permission::ManageAllDevices)?;
        let wrong: Vec<FieldError> =
            [("raw_days", rule.raw_days), ("minute_days", rule.minute_days), ("hour_days", rule.hour_days)]
                .into_iter()
                .filter(|(_, days)| !(1..=MAX_DAYS).contains(days))
                .map(|(field, _)| FieldError::new(field, format!("1 to {MAX_DAYS} days")))
                .collect();
        if !wrong.is_empty() {
            return Err(Error::fields(wrong));
        }
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        if let Some(id) = rule.device_id {
            self.find_changeable(&mut tx, actor, id).await?;
        }
        retention::set(&mut tx, &rule.row(actor.organization)).await?;
        let entry = Entry::success("retention.changed").details(json!(rule));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_audit(actor.organization, record);
        Ok(())
    }

    /// Removes a rule. Needs `ManageAllDevices`.
    ///
    /// # Errors
    /// Forbidden, or not found.
    pub async fn delete_retention(&self, actor: &Actor, device: Option<DeviceId>, key: &str) -> Result<()> {
        actor.require(Permission::ManageAllDevices)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        if !retention::delete(&mut tx, actor.organization, device.unwrap_or_else(every_device), key).await? {
            return Err(Error::not_found("retention_rule_not_found", "There is no such rule"));
        }
        let details = json!({"device_id": device, "key": key});
        let record =
            platform.audit.append(&mut tx, actor, Entry::success("retention.deleted").details(details)).await?;
        tx.commit().await?;
        self.announce_audit(actor.organization, record);
        Ok(())
    }
}

/// Days that something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    pub raw: i64,
    pub minute: i64,
    pub hour: i64,
}

/// All rules, to ask which one counts.
pub struct Rules {
    rules: HashMap<(OrganizationId, DeviceId, String), Days>,
    default: Days,
}

impl Rules {
    pub fn new(config: &DevicesConfig, rows: Vec<Row>) -> Self {
        let default = Days {
            raw: config.raw_retention_days,
            minute: config.minute_retention_days,
            hour: config.hour_retention_days,
        };
        let rules = rows
            .into_iter()
            .map(|row| {
                let days = Days { raw: row.raw_days, minute: row.minute_days, hour: row.hour_days };
                ((row.organization_id, row.device_id, row.key), days)
            })
            .collect();
        Self { rules, default }
    }

    /// The key of the device, then the device, then the key of any device, then the organisation, then the configuration.
    pub fn of(&self, organization: OrganizationId, device: DeviceId, key: &str) -> Days {
        if self.rules.is_empty() {
            return self.default;
        }
        [(device, key), (device, ""), (every_device(), key), (every_device(), "")]
            .into_iter()
            .find_map(|(device, key)| self.rules.get(&(organization, device, key.to_owned())))
            .copied()
            .unwrap_or(self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_particular_rule_counts() {
        let (organization, device) = (OrganizationId::generate(), DeviceId::generate());
        let row = |device_id, key: &str, raw_days| Row {
            organization_id: organization,
            device_id,
            key: key.into(),
            raw_days,
            minute_days: 1,
            hour_days: 1,
        };
        let rows =
            vec![row(every_device(), "", 1), row(every_device(), "t", 2), row(device, "", 3), row(device, "t", 4)];
        let rules = Rules::new(&DevicesConfig::default(), rows);
        let other = DeviceId::generate();
        assert_eq!(rules.of(organization, device, "t").raw, 4);
        assert_eq!(rules.of(organization, device, "x").raw, 3);
        assert_eq!(rules.of(organization, other, "t").raw, 2);
        assert_eq!(rules.of(organization, other, "x").raw, 1);
        let default = DevicesConfig::default().raw_retention_days;
        assert_eq!(rules.of(OrganizationId::generate(), device, "t").raw, default);
    }
}
