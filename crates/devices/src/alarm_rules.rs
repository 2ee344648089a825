//! Rules that raise alarms about devices. Who may make rules for all devices needs `ManageAlarmRules`; an owner may make
//! them for a device of his own.

mod evaluate;
mod index;
mod watch;

use portico_model::alarms::rule::{AlarmRule, Condition, NewRule, Preview, Scope, Threshold, simulate};
use portico_model::identity::Permission;
use portico_model::{AlarmRuleId, DeviceId, FieldError, Page, Timestamp, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

pub(crate) use evaluate::{Judge, Reading, What};
pub(crate) use index::{Index, Rule, Snapshot};
pub(crate) use watch::spawn;

use crate::Devices;
use crate::store::alarm_rule as store;
use crate::store::series::{self, Kind};
use crate::store::{group, read};

/// Most rules of an organisation.
const MAX_RULES: i64 = 1_000;

/// Most rules on a page.
const MAX_PAGE: i64 = 200;

/// How far back a preview looks, milliseconds.
const PREVIEW_MS: i64 = 24 * 3_600_000;

/// Devices, and measurements of each, that a preview looks at.
const PREVIEW_DEVICES: i64 = 20;
const PREVIEW_POINTS: i64 = 20_000;

/// Seconds after which an alarm may escalate or be repeated.
const REPEAT_S: std::ops::RangeInclusive<i64> = 60..=7 * 86_400;

fn not_found() -> Error {
    Error::not_found("alarm_rule_not_found", "There is no such rule, or you may not see it.")
}

fn forbidden() -> Error {
    Error::forbidden("not_permitted", "You may make rules only for your own devices, one by one.")
}

impl Devices {
    /// The rules the actor may see, by name: all with `ManageAlarmRules` or `ReadAllAlarms`, else those about one device
    /// of his.
    ///
    /// # Errors
    /// A cursor that is none of ours.
    pub async fn alarm_rules(
        &self,
        actor: &Actor,
        cursor: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Page<AlarmRule>> {
        let limit = limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let owner = self.rules_of(actor)?;
        let mut tx = self.0.platform.db.read().await?;
        let after = match cursor {
            None => None,
            Some(cursor) => {
                let bad = || Error::invalid("bad_cursor", "The cursor is none of this list.");
                let id: AlarmRuleId = cursor.parse().map_err(|_| bad())?;
                Some(store::find(&mut tx, actor.organization, id).await?.ok_or_else(bad)?)
            }
        };
        let after = after.as_ref().map(|rule| (rule.rule.name.as_str(), rule.id));
        let items = store::list(&mut tx, actor.organization, owner, after, limit + 1).await?;
        Ok(Page::cut(items, limit, |rule| rule.id.to_string()))
    }

    /// # Errors
    /// Not found, also when the actor may not know of it.
    pub async fn alarm_rule(&self, actor: &Actor, id: AlarmRuleId) -> Result<AlarmRule> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_rule(&mut tx, actor, id).await
    }

    /// Makes a rule. Needs `ManageAlarmRules`, or to own the one device it is about.
    ///
    /// # Errors
    /// Invalid fields, forbidden, no such device or group, too many rules.
    pub async fn create_alarm_rule(&self, actor: &Actor, new: NewRule) -> Result<AlarmRule> {
        let platform = &self.0.platform;
        let new = checked(new)?;
        let now = platform.clock.now();
        let mut tx = platform.db.begin().await?;
        self.check_scope(&mut tx, actor, &new.scope).await?;
        if store::count(&mut tx, actor.organization).await? >= MAX_RULES {
            return Err(Error::conflict("too_many_alarm_rules", format!("There may be at most {MAX_RULES} rules.")));
        }
        let id = AlarmRuleId::generate();
        let rule = AlarmRule { id, rule: new, scope_name: String::new(), created_at: now, updated_at: now };
        self.save_rule(&mut tx, actor, &rule, "alarm_rule.created").await?;
        self.settle_rules(tx, actor, id).await
    }

    /// Changes a rule. When it looks for something else now, it starts anew, and its open alarms end. Needs what making
    /// it needs, for what it was about and for what it shall be about.
    ///
    /// # Errors
    /// Not found, forbidden, invalid fields.
    pub async fn update_alarm_rule(&self, actor: &Actor, id: AlarmRuleId, new: NewRule) -> Result<AlarmRule> {
        let platform = &self.0.platform;
        let new = checked(new)?;
        let mut tx = platform.db.begin().await?;
        let before = self.find_rule(&mut tx, actor, id).await?;
        self.check_changeable(&mut tx, actor, &before.rule.scope).await?;
        if before.rule.scope != new.scope {
            self.check_scope(&mut tx, actor, &new.scope).await?;
        }
        let mut changes = Vec::new();
        if before.rule.condition != new.condition || (before.rule.is_enabled && !new.is_enabled) {
            let note = if new.is_enabled { "The rule was changed." } else { "The rule was switched off." };
            changes = self.0.alarms.clear_rule(&mut tx, actor.organization, id, note).await?;
            store::delete_states(&mut tx, actor.organization, id).await?;
        }
        let rule = AlarmRule { rule: new, updated_at: platform.clock.now(), ..before };
        self.save_rule(&mut tx, actor, &rule, "alarm_rule.changed").await?;
        let rule = self.settle_rules(tx, actor, id).await?;
        self.0.alarms.announce(changes);
        Ok(rule)
    }

    /// Removes a rule; its open alarms end. Needs what making it needs.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn delete_alarm_rule(&self, actor: &Actor, id: AlarmRuleId) -> Result<()> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let rule = self.find_rule(&mut tx, actor, id).await?;
        self.check_changeable(&mut tx, actor, &rule.rule.scope).await?;
        let changes = self.0.alarms.clear_rule(&mut tx, actor.organization, id, "The rule was deleted.").await?;
        store::delete_states(&mut tx, actor.organization, id).await?;
        store::delete(&mut tx, actor.organization, id).await?;
        store::changed(&mut tx, actor.organization).await?;
        let entry = Entry::success("alarm_rule.deleted").target("alarm_rule", id);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!({"name": rule.rule.name}))).await?;
        tx.commit().await?;
        self.0.judge.index.refresh().await?;
        self.0.alarms.announce(changes);
        self.announce_audit(actor.organization, record);
        Ok(())
    }

    /// How often a condition would have raised an alarm in the last 24 hours. Needs what making the rule needs.
    ///
    /// # Errors
    /// Invalid fields, forbidden, no such device or group.
    pub async fn preview_alarm_rule(&self, actor: &Actor, condition: &Condition, scope: &Scope) -> Result<Preview> {
        let mistakes = condition.mistakes();
        if !mistakes.is_empty() {
            return Err(Error::fields(mistakes));
        }
        let to = self.0.platform.clock.now();
        let from = to.plus_millis(-PREVIEW_MS);
        let mut tx = self.0.platform.db.read().await?;
        self.check_scope(&mut tx, actor, scope).await?;
        let (looked_at, devices) = store::devices_in_scope(&mut tx, actor.organization, scope, PREVIEW_DEVICES).await?;
        let mut preview = Preview {
            from,
            to,
            alarms: condition.watches_telemetry().then_some(0),
            devices_looked_at: i64::try_from(looked_at.len()).unwrap_or(i64::MAX),
            devices,
            is_partial: false,
        };
        let Some(alarms) = &mut preview.alarms else { return Ok(preview) };
        for device in looked_at {
            let (points, is_partial) = self.points_for(&mut tx, actor, device, condition, from, to).await?;
            preview.is_partial |= is_partial;
            let fired = simulate(condition, &points, from, to).len();
            *alarms += i64::try_from(fired).unwrap_or(i64::MAX);
        }
        Ok(preview)
    }

    /// Oldest first, and whether there were more.
    async fn points_for(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        device: DeviceId,
        condition: &Condition,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(Vec<(Timestamp, f64)>, bool)> {
        let absence = matches!(condition, Condition::Absence { .. });
        let mut points = Vec::new();
        let mut is_partial = false;
        for series in series::of_device(tx, actor.organization, device).await? {
            let fits = condition.key().is_none_or(|key| key == series.key);
            if !fits || (series.kind == Kind::Text && !absence) {
                continue;
            }
            let newest = read::newest(tx, &series, from, to, PREVIEW_POINTS).await?;
            is_partial |= i64::try_from(newest.len()).unwrap_or(i64::MAX) >= PREVIEW_POINTS;
            points.extend(newest.into_iter().map(|(ts, value)| (ts, value.number().unwrap_or(0.0))));
        }
        points.sort_by_key(|(ts, _)| *ts);
        Ok((points, is_partial))
    }

    /// The limits that apply to a device now, for those who see it: lines in its chart.
    ///
    /// # Errors
    /// Not found.
    pub async fn thresholds(&self, actor: &Actor, device: DeviceId) -> Result<Vec<Threshold>> {
        self.get(actor, device).await?;
        let index = self.0.judge.index.current();
        Ok(index.of_device(device).iter().filter_map(|rule| store::threshold_of(&rule.rule)).collect())
    }

    /// Whose rules a list shows: `None` for all.
    fn rules_of(&self, actor: &Actor) -> Result<Option<UserId>> {
        if actor.may(Permission::ManageAlarmRules) || actor.may(Permission::ReadAllAlarms) {
            return Ok(None);
        }
        actor.user_id().map(Some).ok_or_else(|| Error::forbidden("not_permitted", "Rules are for people."))
    }

    async fn find_rule(&self, tx: &mut Tx, actor: &Actor, id: AlarmRuleId) -> Result<AlarmRule> {
        let rule = store::find(tx, actor.organization, id).await?.ok_or_else(not_found)?;
        if self.rules_of(actor).map_err(|_| not_found())?.is_none() {
            return Ok(rule);
        }
        match rule.rule.scope {
            Scope::Device { device_id } if self.owns(tx, actor, device_id).await? => Ok(rule),
            _ => Err(not_found()),
        }
    }

    async fn owns(&self, tx: &mut Tx, actor: &Actor, device: DeviceId) -> Result<bool> {
        match self.find_visible(tx, actor, device).await {
            Ok(device) => Ok(actor.user_id() == Some(device.owner_id)),
            Err(error) if error.code() == "device_not_found" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The actor may make rules about this, and it exists.
    async fn check_scope(&self, tx: &mut Tx, actor: &Actor, scope: &Scope) -> Result<()> {
        match scope {
            Scope::Device { device_id } => {
                self.find_visible(tx, actor, *device_id).await?;
            }
            Scope::Group { .. } | Scope::Type { .. } if !actor.may(Permission::ManageAlarmRules) => {
                return Err(forbidden());
            }
            Scope::Group { group_id } => {
                let found = group::find(tx, actor.organization, None, *group_id).await?;
                found.ok_or_else(|| Error::not_found("group_not_found", "Group not found"))?;
            }
            Scope::Type { .. } => {}
        }
        self.check_changeable(tx, actor, scope).await
    }

    async fn check_changeable(&self, tx: &mut Tx, actor: &Actor, scope: &Scope) -> Result<()> {
        if actor.may(Permission::ManageAlarmRules) {
            return Ok(());
        }
        match scope {
            Scope::Device { device_id } if self.owns(tx, actor, *device_id).await? => Ok(()),
            _ => Err(forbidden()),
        }
    }

    async fn save_rule(&self, tx: &mut Tx, actor: &Actor, rule: &AlarmRule, action: &'static str) -> Result<()> {
        store::save(tx, actor.organization, rule).await?;
        store::changed(tx, actor.organization).await?;
        let details =
            json!({"name": rule.rule.name, "condition": rule.rule.condition, "enabled": rule.rule.is_enabled});
        let entry = Entry::success(action).target("alarm_rule", rule.id).details(details);
        self.0.platform.audit.append(tx, actor, entry).await?;
        Ok(())
    }

    /// Commits; the rule counts on this server when this returns.
    async fn settle_rules(&self, mut tx: Tx, actor: &Actor, id: AlarmRuleId) -> Result<AlarmRule> {
        let rule = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.0.judge.index.refresh().await?;
        Ok(rule)
    }
}

/// The rule as it may be stored.
fn checked(mut new: NewRule) -> Result<NewRule> {
    new.name = new.name.trim().to_owned();
    let mut mistakes = new.condition.mistakes();
    if !(1..=100).contains(&new.name.chars().count()) || new.name.contains(char::is_control) {
        mistakes.push(FieldError::new("name", "1 to 100 characters on one line"));
    }
    if let Scope::Type { device_type } = &mut new.scope {
        *device_type = device_type.trim().to_owned();
        if !(1..=100).contains(&device_type.chars().count()) || device_type.contains(char::is_control) {
            mistakes.push(FieldError::new("scope.device_type", "1 to 100 characters on one line"));
        }
    }
    for (field, seconds) in [("escalate_after_s", new.escalate_after_s), ("repeat_every_s", new.repeat_every_s)] {
        if seconds.is_some_and(|seconds| !REPEAT_S.contains(&seconds)) {
            mistakes.push(FieldError::new(field, "60 to 604800 seconds"));
        }
    }
    if mistakes.is_empty() { Ok(new) } else { Err(Error::fields(mistakes)) }
}
