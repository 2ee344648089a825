//! Which rules apply to which device: in memory, because each message asks for it. A change made here counts at once,
//! one made on another server within the time between two looks at the version.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use portico_model::alarms::rule::AlarmRule;
use portico_model::{AlarmRuleId, DeviceId, OrganizationId};
use portico_platform::{Db, Result};
use tokio::sync::Mutex;

use crate::store::alarm_rule as store;

/// A rule in use.
#[derive(Debug, PartialEq)]
pub struct Rule {
    pub organization: OrganizationId,
    pub rule: AlarmRule,
}

/// What was known at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    by_device: HashMap<DeviceId, Vec<Arc<Rule>>>,
    rules: HashMap<AlarmRuleId, Arc<Rule>>,
    versions: HashMap<OrganizationId, i64>,
}

impl Snapshot {
    pub fn of_device(&self, device: DeviceId) -> &[Arc<Rule>] {
        self.by_device.get(&device).map_or(&[], Vec::as_slice)
    }

    pub fn rule(&self, id: AlarmRuleId) -> Option<&Arc<Rule>> {
        self.rules.get(&id)
    }
}

/// Cheap to clone; all clones are one index.
#[derive(Clone)]
pub struct Index {
    db: Db,
    current: Arc<RwLock<Arc<Snapshot>>>,
    /// One reading at a time, so that an older one never overtakes a newer.
    refreshing: Arc<Mutex<()>>,
}

impl Index {
    pub fn new(db: Db) -> Self {
        Self { db, current: Arc::default(), refreshing: Arc::default() }
    }

    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads anew what has changed. The organisations whose changes have not been put into effect yet.
    pub async fn refresh(&self) -> Result<Vec<OrganizationId>> {
        let _one_at_a_time = self.refreshing.lock().await;
        let known = self.current();
        let mut tx = self.db.read().await?;
        let versions = store::versions(&mut tx).await?;
        let unsettled = versions.iter().filter(|(_, version, done)| done < version).map(|(id, _, _)| *id).collect();
        let changed: Vec<(OrganizationId, i64)> = versions
            .into_iter()
            .filter(|(organization, version, _)| known.versions.get(organization) != Some(version))
            .map(|(organization, version, _)| (organization, version))
            .collect();
        if changed.is_empty() {
            return Ok(unsettled);
        }
        let is_changed = |id: OrganizationId| changed.iter().any(|(organization, _)| *organization == id);
        let mut next = Snapshot { versions: known.versions.clone(), ..Snapshot::default() };
        for (device, rules) in &known.by_device {
            if rules.first().is_some_and(|rule| !is_changed(rule.organization)) {
                next.by_device.insert(*device, rules.clone());
            }
        }
        let kept = known.rules.iter().filter(|(_, rule)| !is_changed(rule.organization));
        next.rules.extend(kept.map(|(id, rule)| (*id, Arc::clone(rule))));
        for (organization, version) in changed {
            for rule in store::list_enabled(&mut tx, organization).await? {
                next.rules.insert(rule.id, Arc::new(Rule { organization, rule }));
            }
            for applies in store::applies(&mut tx, organization).await? {
                if let Some(rule) = next.rules.get(&applies.rule_id) {
                    next.by_device.entry(applies.device_id).or_default().push(Arc::clone(rule));
                }
            }
            next.versions.insert(organization, version);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(unsettled)
    }
}
