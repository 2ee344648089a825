//! Somebody asks to be let in. The decision, what it rests on and what follows from it are one transaction: when that
//! cannot be written, nobody is let in.

use portico_identity::AfterCommit;
use portico_lock_core::decide::{Holder, Passback, Reason, Rule, decide};
use portico_model::access::door::Verdict;
use portico_model::access::{AccessEvent, AccessKind, AccessReason, Method};
use portico_model::{AccessCodeId, AccessEventId, CredentialId, DeviceId, PolicyId, Timestamp};
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::announce::DoorStep;
use super::asked;
use super::passback::{self, Crossing};
use super::rights::DoorRight;
use super::store::{self, Gate};
use crate::codes::{self, FoundCode};
use crate::log::Logged;
use crate::people::{FoundPerson, find_credential, find_person, used};
use crate::policies::{OwnedRule, rules_for};
use crate::{Access, local_time};

/// Longest text of a card, PIN, code or finger, bytes.
pub const MAX_PRESENTED: usize = 100;

/// Wrong PINs and codes at the readers of one door within [`WRONG_WITHIN_S`]; then none is looked at for a while.
const MAX_WRONG: i64 = 10;
const WRONG_WITHIN_S: i64 = 300;

/// A question that took longer on its way is not answered with an open door: who asked may be gone.
const LATE_MS: i64 = 10_000;

/// An answer or an order to a lock waits so long for its device, seconds.
pub const ANSWER_WITHIN_S: i64 = 10;

/// How the question came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedBy {
    /// Over HTTP: the answer is that of the request.
    Http,
    /// Over MQTT: the answer is a command.
    Mqtt { request_id: Option<String> },
}

/// Somebody at a reader.
#[derive(Debug, Clone)]
pub struct Ask {
    pub reader: DeviceId,
    pub method: Method,
    /// The card's number, the PIN or code, the finger's slot.
    pub presented: String,
    /// What the reader says of the side; counts only where it serves both.
    pub leaving: bool,
    /// When it was asked.
    pub at: Timestamp,
    pub by: AskedBy,
    /// It came over a bridge for older firmware, which proves nothing of who sent it.
    pub is_untrusted: bool,
}

/// What a decision rests on.
#[derive(Default)]
struct Grounds {
    /// Who it is, as readers know him.
    person: Option<FoundPerson>,
    code: Option<FoundCode>,
    credential: Option<CredentialId>,
    hint: String,
    policy: Option<(PolicyId, String)>,
    /// Of another domain, where no policy lets in.
    right: Option<DoorRight>,
    crossing: Crossing,
    /// A keypad cannot know whether digits are a PIN or a code.
    method: Option<Method>,
}

/// What is written down of a decision, and told of once that is certain.
struct Decided {
    verdict: Verdict,
    steps: Vec<DoorStep>,
    logged: Option<Logged>,
    /// That was used.
    code: Option<AccessCodeId>,
    /// What the domain says whose right let in.
    after: Option<AfterCommit>,
}

impl Access {
    /// Decides whether to let somebody in, writes it down, and has the door open. `actor` is the reader.
    ///
    /// # Errors
    /// Invalid `presented`; unavailable when the database does not take it: then nobody is let in.
    pub async fn check(&self, actor: &Actor, ask: Ask) -> Result<Verdict> {
        if ask.presented.len() > MAX_PRESENTED || ask.presented.contains('\0') {
            return Err(Error::field("presented", format!("at most {MAX_PRESENTED} bytes, without NUL characters")));
        }
        let (access, reader) = (self.clone(), actor.clone());
        let db = &self.0.platform.db;
        let decided = db.together(move |tx| Box::pin(async move { access.decide_and_write(tx, &reader, &ask).await }));
        let Decided { verdict, steps, logged, code, after } = decided.await?;
        let outcome = if verdict.granted { "granted" } else { "denied" };
        metrics::counter!("portico_access_decisions_total", "outcome" => outcome, "reason" => verdict.reason.as_str())
            .increment(1);
        for step in steps {
            self.announce_step(actor.organization, step);
        }
        if let Some(logged) = logged {
            self.announce_event(logged);
        }
        if let Some(after) = after {
            after.await;
        }
        if let Some(code) = code
            && let Err(error) = self.announce_code_use(actor.organization, code).await
        {
            // He is let in; the pages see it later.
            tracing::warn!(error = %error, "the use of a code is not shown");
        }
        Ok(verdict)
    }

    async fn decide_and_write(&self, tx: &mut Tx, actor: &Actor, ask: &Ask) -> Result<Decided> {
        let organization = actor.organization;
        let now = self.0.platform.clock.now();
        let is_refused = self.is_refused(ask);
        let gate = store::lock_by_reader(tx, organization, ask.reader).await?;
        let leaving = gate.as_ref().is_some_and(|gate| is_leaving(gate, ask));
        let mut grounds = Grounds::default();
        let (granted, reason) = match &gate {
            None => (false, AccessReason::NoDoor),
            Some(_) if is_refused || now.millis_since(ask.at) > LATE_MS => (false, AccessReason::Unavailable),
            Some(gate) => self.decide_at(tx, gate, ask, leaving, now, &mut grounds).await?,
        };
        let Grounds { person, code, credential, hint, policy, right, crossing, method } = grounds;
        let (policy_id, policy_name) = match (policy, &right) {
            (Some((id, name)), _) => (Some(id), name),
            (None, Some(right)) => (None, right.name.clone()),
            (None, None) => (None, String::new()),
        };
        let event = AccessEvent {
            id: AccessEventId::generate(),
            at: ask.at.min(now),
            received_at: now,
            kind: AccessKind::Request,
            door_id: gate.as_ref().map(|gate| gate.id),
            door_name: gate.as_ref().map(|gate| gate.name.clone()).unwrap_or_default(),
            reader_id: Some(ask.reader),
            person_id: person.as_ref().map(|person| person.id),
            person_name: person.as_ref().map(|person| person.name.clone()).unwrap_or_default(),
            credential_id: credential,
            credential_hint: hint,
            method: method.unwrap_or(ask.method),
            granted: Some(granted),
            reason: reason.as_str().to_owned(),
            policy_id,
            policy_name: policy_name.clone(),
            leaving,
            is_offline: false,
            is_untrusted: ask.is_untrusted,
            note: code.as_ref().map(|code| code.name.clone()).unwrap_or_default(),
            score: None,
            score_reasons: Vec::new(),
            is_anomaly: false,
            is_false_alarm: false,
        };
        let event_id = event.id;
        let logged = self.append_event(tx, organization, event, &actor.address, None).await?;
        if let Some(person) = &person {
            used(tx, organization, person.id, credential, now).await?;
        }
        let shown = person.filter(|person| person.is_active);
        let verdict = Verdict {
            granted,
            reason,
            sentence: reason.sentence().to_owned(),
            at: now,
            event_id,
            door_id: gate.as_ref().map(|gate| gate.id),
            door_name: gate.as_ref().map(|gate| gate.name.clone()).unwrap_or_default(),
            person_id: shown.as_ref().map(|person| person.id),
            person_number: shown.as_ref().map(|person| person.number),
            person_name: shown.as_ref().map(|person| person.name.clone()),
            method: method.unwrap_or(ask.method),
            policy_name,
            leaving,
            unlock_s: if granted { gate.as_ref().map_or(0, |gate| gate.unlock_s) } else { 0 },
        };
        let mut steps: Vec<DoorStep> = Vec::new();
        if let (true, Some(gate)) = (granted, &gate) {
            store::set_granted(tx, gate, now).await?;
            if let Some(person) = &shown {
                passback::passed(tx, gate, person.id, leaving, &crossing, now).await?;
            }
            if let Some(lock) = gate.lock_id {
                let who = match (&shown, &code) {
                    (Some(person), _) => format!("person:{}", person.name),
                    (None, Some(code)) => format!("person:{}", code.name),
                    (None, None) => "person:somebody".to_owned(),
                };
                let (operation, at) = gate.let_in(&who, now);
                steps.extend(self.tell_lock(tx, actor, lock, operation, at).await?);
            }
        }
        if let AskedBy::Mqtt { request_id } = &ask.by
            && !is_refused
        {
            let args = json!({
                "request_id": request_id, "granted": granted, "reason": reason.as_str(),
                "person": verdict.person_name, "person_number": verdict.person_number, "for_s": verdict.unlock_s,
            });
            steps.extend(self.tell_device(tx, actor, ask.reader, "access_decision", args, ANSWER_WITHIN_S).await?);
        }
        if granted && self.is_refused(ask) {
            // It took too long: the reader was told meanwhile that nobody can decide, and nobody stands there any more.
            return Err(Error::unavailable("too_late", "The reader does not wait any more."));
        }
        let after = match &right {
            Some(right) if granted => self.right_used(tx, organization, right, now).await?,
            _ => None,
        };
        Ok(Decided { verdict, steps, logged, code: code.filter(|_| granted).map(|code| code.id), after })
    }

    /// Whether the reader was told already that nobody can decide this.
    fn is_refused(&self, ask: &Ask) -> bool {
        match &ask.by {
            AskedBy::Http => false,
            AskedBy::Mqtt { request_id } => {
                self.0.asked.is_refused(ask.reader, &asked::name(request_id.as_deref(), ask.at))
            }
        }
    }

    async fn decide_at(
        &self,
        tx: &mut Tx,
        gate: &Gate,
        ask: &Ask,
        leaving: bool,
        now: Timestamp,
        grounds: &mut Grounds,
    ) -> Result<(bool, AccessReason)> {
        let organization = gate.organization;
        // What can be guessed is not looked at any more after so many wrong tries; cards and fingers still are.
        if matches!(ask.method, Method::Pin | Method::Code) {
            let since = now.plus_secs(-WRONG_WITHIN_S);
            if store::count_wrong(tx, organization, gate.id, since).await? >= MAX_WRONG {
                return Ok((false, AccessReason::TooManyTries));
            }
        }
        let holder = self.find_holder(tx, gate, ask, grounds).await?;
        let rules = match (&grounds.person, &grounds.code) {
            (Some(person), None) => rules_for(tx, organization, person.id, gate.id).await?,
            _ => Vec::new(),
        };
        let local = local_time::local_time(tx, organization, now).await?;
        let mut says = Passback::Clear;
        if let Some(person) = &grounds.person {
            (says, grounds.crossing) = passback::look(tx, gate, person.id, leaving, now).await?;
        }
        // A code brings its own rule.
        let own = rules.iter().map(OwnedRule::rule).chain(grounds.code.iter().map(FoundCode::rule));
        let ask = |rules: &mut dyn Iterator<Item = Rule<'_>>| {
            decide(now.millis(), local, gate.core_mode(now), leaving, holder, rules, says)
        };
        let mut decision = ask(&mut own.clone());
        if let (true, Some(person), None) = (DoorRight::helps(decision.reason), &grounds.person, &grounds.code)
            && let Some(right) = self.find_right(tx, organization, gate.id, person.id, now).await?
        {
            decision = ask(&mut own.chain([DoorRight::RULE]));
            grounds.right = Some(right);
        }
        if decision.granted
            && let Some(code) = &grounds.code
            && matches!(decision.reason, Reason::Granted | Reason::GrantedDespitePassback)
            && !codes::used(tx, organization, code.id, now).await?
        {
            return Ok((false, AccessReason::UsedUp));
        }
        let rule = decision.rule.and_then(|index| rules.get(index));
        grounds.policy = rule.map(|rule| (rule.policy, rule.name.clone()));
        Ok((decision.granted, decision.reason.into()))
    }

    /// Who it is, as the decision sees it.
    async fn find_holder(&self, tx: &mut Tx, gate: &Gate, ask: &Ask, grounds: &mut Grounds) -> Result<Option<Holder>> {
        let (platform, organization) = (&self.0.platform, gate.organization);
        let found = find_credential(tx, platform, organization, Some(ask.reader), ask.method, &ask.presented).await?;
        if let Some(found) = found {
            let holder = found.holder();
            grounds.credential = Some(found.credential);
            grounds.hint = found.hint;
            grounds.person = Some(found.person);
            return Ok(Some(holder));
        }
        if !matches!(ask.method, Method::Pin | Method::Code) {
            return Ok(None);
        }
        let Some(code) = codes::find(tx, platform, organization, gate.id, &ask.presented).await? else {
            return Ok(None);
        };
        let mut holder = code.holder();
        if let Some((person, _)) = &code.person {
            grounds.person = find_person(tx, organization, *person).await?;
            holder.is_active = grounds.person.as_ref().is_some_and(|person| person.is_active);
        }
        grounds.method = Some(Method::Code);
        grounds.code = Some(code);
        Ok(Some(holder))
    }
}

/// The side is that of the reader; one that serves both sides says which it was.
fn is_leaving(gate: &Gate, ask: &Ask) -> bool {
    let (outside, inside) = (gate.reader_id == Some(ask.reader), gate.exit_reader_id == Some(ask.reader));
    if outside && inside { ask.leaving } else { inside }
}
