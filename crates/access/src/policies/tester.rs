//! "Would this person get in at this door, then, and why?" The same decision as at the door, without its consequences.

use portico_lock_core::decide::{Decision, DoorMode as CoreMode, Holder, Passback, Reason, Rule, decide};
use portico_lock_core::schedule::LocalTime;
use portico_model::access::policies::{AccessAnswer, AccessQuestion, Choice, Policy, PolicyOpinion, PolicyVerdict};
use portico_model::access::{AccessReason, DoorMode};
use portico_model::identity::Permission;
use portico_model::{PolicyId, Timestamp};
use portico_platform::{Actor, Error, Result};

use super::rules::{OwnedRule, rules_for};
use super::store;
use crate::Access;
use crate::doors::DoorRight;
use crate::local_time::local_time;
use crate::people::{credential_holder, find_person};
use portico_identity::local_time::{Wall, moment_of, zone_of};

impl Access {
    /// A moment by the building's clock, as a form writes it (`2026-11-23T08:30`).
    ///
    /// # Errors
    /// Invalid, beside `field`.
    pub async fn building_moment(&self, actor: &Actor, field: &str, text: &str) -> Result<Timestamp> {
        let mut tx = self.0.platform.db.read().await?;
        let zone = zone_of(&mut tx, actor.organization).await?;
        moment_of(&zone, text.trim()).ok_or_else(|| Error::field(field, "a day and a time such as 2026-11-23T08:30"))
    }

    /// What the building's clock shows at a moment, as a form writes it (`2026-11-23T08:30`).
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn building_text(&self, actor: &Actor, at: Timestamp) -> Result<String> {
        let mut tx = self.0.platform.db.read().await?;
        let zone = zone_of(&mut tx, actor.organization).await?;
        Ok(Wall::of(&zone, at).text().replace(' ', "T"))
    }

    /// Doors and groups of doors by name: what a policy may be for. Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn policy_doors(&self, actor: &Actor) -> Result<(Vec<Choice>, Vec<Choice>)> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::door_choices(&mut tx, actor.organization).await
    }

    /// Answers without opening anything or writing anything down. Where a person was seen before (anti-passback) is not
    /// asked: it says nothing of another time. Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found, for a person, door or credential that is not the organisation's.
    pub async fn would_get_in(&self, actor: &Actor, question: &AccessQuestion) -> Result<AccessAnswer> {
        actor.require(Permission::ReadAccess)?;
        let organization = actor.organization;
        let now = self.0.platform.clock.now();
        let at = question.at.unwrap_or(now);
        let mut tx = self.0.platform.db.read().await?;
        let person = find_person(&mut tx, organization, question.person_id)
            .await?
            .ok_or_else(|| Error::not_found("person_not_found", "There is no such person."))?;
        let door = store::find_door(&mut tx, organization, question.door_id)
            .await?
            .ok_or_else(|| Error::not_found("door_not_found", "There is no such door."))?;
        let holder = match question.credential_id {
            None => person.holder(),
            Some(id) => credential_holder(&mut tx, organization, &person, id).await?.ok_or_else(|| {
                Error::not_found("credential_not_found", "This person has no such card, PIN or finger.")
            })?,
        };
        let mode = question.mode.unwrap_or_else(|| door.mode_at(at));
        let rules = rules_for(&mut tx, organization, person.id, question.door_id).await?;
        let local = local_time(&mut tx, organization, at).await?;
        let wall = Wall::of(&zone_of(&mut tx, organization).await?, at);
        let all = store::list(&mut tx, organization, None).await?;
        let with_person = store::naming_person(&mut tx, organization, person.id).await?;

        let asked = Asked { at, local, mode: mode.into(), leaving: question.leaving, holder };
        let mut decision = asked.decide(rules.iter().map(OwnedRule::rule));
        let mut right = None;
        if DoorRight::helps(decision.reason)
            && let Some(found) = self.find_right(&mut tx, organization, question.door_id, person.id, at).await?
        {
            decision = asked.decide(rules.iter().map(OwnedRule::rule).chain([DoorRight::RULE]));
            right = Some(found.name);
        }
        let deciding = decision.rule.and_then(|index| rules.get(index));
        let reason = AccessReason::from(decision.reason);
        Ok(AccessAnswer {
            granted: decision.granted,
            reason: reason.as_str().to_owned(),
            sentence: reason.sentence().to_owned(),
            person_name: person.name,
            door_name: door.name,
            at,
            local_time: wall.text(),
            is_holiday: local.holiday,
            mode,
            policy_id: deciding.map(|rule| rule.policy),
            policy_name: deciding.map(|rule| rule.name.clone()).or(right).unwrap_or_default(),
            policies: opinions(&asked, &rules, &all, &with_person),
        })
    }
}

struct Asked {
    at: Timestamp,
    local: LocalTime,
    mode: CoreMode,
    leaving: bool,
    holder: Holder,
}

impl Asked {
    fn decide<'a>(&self, rules: impl IntoIterator<Item = Rule<'a>>) -> Decision {
        decide(self.at.millis(), self.local, self.mode, self.leaving, Some(self.holder), rules, Passback::Clear)
    }

    /// What one rule says by itself, to a holder whose credential counts.
    fn verdict(&self, rule: &OwnedRule) -> PolicyVerdict {
        let holder =
            Holder { is_active: true, valid_from_ms: None, valid_until_ms: None, uses_left: None, ..self.holder };
        let ask = |mode| {
            let rules = [rule.rule()];
            decide(self.at.millis(), self.local, mode, self.leaving, Some(holder), rules, Passback::Clear).reason
        };
        // In a lockdown that is all one is told: what else is wrong shows on an ordinary day.
        match ask(CoreMode::Normal) {
            Reason::LevelTooLow => PolicyVerdict::LevelTooLow,
            Reason::PolicyNotValid => PolicyVerdict::NotValid,
            Reason::OutOfHours => PolicyVerdict::OutOfHours,
            _ if self.mode == CoreMode::Lockdown && ask(self.mode) == Reason::Lockdown => PolicyVerdict::NotInLockdown,
            _ => PolicyVerdict::LetsIn,
        }
    }
}

/// What each policy says: first those that concern the person and the door, in the order they are asked.
fn opinions(asked: &Asked, rules: &[OwnedRule], all: &[Policy], with_person: &[PolicyId]) -> Vec<PolicyOpinion> {
    let opinion = |policy_id, policy_name: &str, verdict: PolicyVerdict| PolicyOpinion {
        policy_id,
        policy_name: policy_name.to_owned(),
        verdict,
        sentence: verdict.sentence().to_owned(),
    };
    let mut opinions: Vec<_> = rules.iter().map(|rule| opinion(rule.policy, &rule.name, asked.verdict(rule))).collect();
    for policy in all.iter().filter(|policy| !rules.iter().any(|rule| rule.policy == policy.id)) {
        let verdict = if !with_person.contains(&policy.id) {
            PolicyVerdict::OtherPerson
        } else if policy.terms.is_active {
            PolicyVerdict::OtherDoor
        } else {
            PolicyVerdict::Inactive
        };
        opinions.push(opinion(policy.id, &policy.terms.name, verdict));
    }
    opinions
}

/// A door, as far as the question needs.
pub(super) struct TestedDoor {
    pub name: String,
    pub mode: DoorMode,
    pub mode_until: Option<Timestamp>,
}

impl TestedDoor {
    /// How it works at a moment, as far as is known now.
    fn mode_at(&self, at: Timestamp) -> DoorMode {
        if self.mode_until.is_some_and(|until| until <= at) { DoorMode::Normal } else { self.mode }
    }
}
