//! What a reader decided by itself, told later. Each event has a number; Portico says up to which it has all, and the
//! reader keeps the rest. So none is lost, and what comes twice is there once.

use std::collections::BTreeMap;

use portico_devices::Known;
use portico_lock_core::offline::LOOKUP_BYTES;
use portico_model::access::sync::advance;
use portico_model::access::{AccessEvent, AccessKind, AccessReason, Method};
use portico_model::commands::NewCommand;
use portico_model::telemetry::PayloadProblem;
use portico_model::{AccessCodeId, AccessEventId, DeviceId, OrganizationId, Timestamp};
use portico_platform::secrets::hex;
use portico_platform::{Actor, Error, Platform, Result, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::store::{self, Place};
use crate::{Access, codes, people};

/// Most events of one message.
pub const MAX_EVENTS: usize = 500;

/// Highest number of an event; far more than a reader will ever count to.
const MAX_SEQ: i64 = 1 << 52;

/// Numbers looked at when it is counted how far a reader has come.
const WINDOW: i64 = 20_000;

/// How long an acknowledgement over MQTT waits, seconds.
const ACK_WITHIN_S: i64 = 60;

/// Something that a reader decided by itself.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"seq": 18, "ts": 1_795_226_400_000_i64, "method": "rfid",
    "lookup": "8f2c3d4e5f60718293a4b5c6d7e8f901", "person": 7, "granted": true, "reason": "granted"}))]
pub struct OfflineEvent {
    /// The reader's own number for it, from 1, each one more than the last.
    #[schema(minimum = 1, maximum = 4_503_599_627_370_496_i64)]
    pub seq: i64,
    /// When it happened, epoch milliseconds.
    #[schema(minimum = 0)]
    pub ts: i64,
    /// `rfid`, `fingerprint`, `code` or `pin`.
    #[serde(default)]
    pub method: String,
    /// The keyed hash of what was shown: 32 hexadecimal characters.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-fA-F]{32}$")]
    pub lookup: Option<String>,
    /// The card's number, from a reader that tells it instead of its hash.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub rfid_uid: Option<String>,
    /// The finger's slot, likewise.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1_000)]
    pub fingerprint_id: Option<i64>,
    /// The number of the person, as in the reader's table; 0: nobody's.
    #[serde(default)]
    pub person: Option<i64>,
    pub granted: bool,
    /// One of `AccessReason`; another word counts as `unavailable`.
    #[serde(default)]
    pub reason: String,
}

/// Events of one reader.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
pub struct OfflineEvents {
    /// At most 500, in any order.
    #[schema(max_items = 500)]
    pub events: Vec<OfflineEvent>,
    /// The lowest number that the reader still has, or will give next when it has none: what is missing below it is lost.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 4_503_599_627_370_496_i64)]
    pub oldest_seq: Option<i64>,
}

/// How far a reader's events have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"acked_seq": 18, "next_seq": 19, "stored": 1, "duplicates": 0, "conflicts": [], "lost": 0}))]
pub struct Taken {
    /// All up to this number are there (or known to be lost): the reader forgets them.
    pub acked_seq: i64,
    /// The number for the reader's next event, should it have forgotten.
    pub next_seq: i64,
    pub stored: i64,
    /// That were there already.
    pub duplicates: i64,
    /// Numbers under which another event is there already: the reader has counted anew, and sends these again, with numbers
    /// from `next_seq` on.
    pub conflicts: Vec<i64>,
    /// How many of its events are lost by now.
    pub lost: i64,
}

fn checked(body: &OfflineEvents) -> Result<(), String> {
    if body.events.len() > MAX_EVENTS {
        return Err(format!("at most {MAX_EVENTS} events at a time"));
    }
    let is_seq = |seq: i64| (1..=MAX_SEQ).contains(&seq);
    if !body.oldest_seq.is_none_or(is_seq) || !body.events.iter().all(|event| is_seq(event.seq)) {
        return Err(format!("`seq` is a number from 1 to {MAX_SEQ}"));
    }
    Ok(())
}

/// What is known of the one who came.
#[derive(Default)]
struct Who {
    person: Option<(portico_model::PersonId, String)>,
    credential: Option<portico_model::CredentialId>,
    hint: String,
    code: Option<AccessCodeId>,
}

impl Access {
    /// Takes what a reader decided by itself.
    ///
    /// # Errors
    /// Invalid events: then none is taken. Unavailable when the database does not take them.
    pub async fn take_offline_events(&self, device: &Known, body: OfflineEvents, address: &str) -> Result<Taken> {
        checked(&body).map_err(|message| Error::field("events", message))?;
        let platform = &self.0.platform;
        let (organization, now) = (device.organization, platform.clock.now());
        let mut tx = platform.db.begin().await?;
        let before = store::lock_reader(&mut tx, organization, device.id).await?;
        let place = store::place_of(&mut tx, organization, device.id).await?;
        let key = super::lookup_key(platform, device.id);
        let codes = match &place {
            Some(place) => codes_of(&mut tx, platform, organization, place, &key).await?,
            None => BTreeMap::new(),
        };
        let mut events: Vec<&OfflineEvent> = body.events.iter().collect();
        events.sort_by_key(|event| event.seq);
        let mut logged = Vec::new();
        let mut used_codes = Vec::new();
        let mut taken = Taken {
            acked_seq: before.last_seq,
            next_seq: before.last_seq + 1,
            stored: 0,
            duplicates: 0,
            conflicts: Vec::new(),
            lost: before.lost,
        };
        for said in events {
            let at = Timestamp::from_millis(said.ts.max(0)).min(now);
            if let Some((there, heard)) = store::time_of_event(&mut tx, device.id, said.seq).await? {
                // A time ahead of the clock here was cut to when it was heard.
                if there == at || (there == heard && said.ts > there.millis()) {
                    taken.duplicates += 1;
                } else {
                    taken.conflicts.push(said.seq);
                }
                continue;
            }
            let who = match shown(said) {
                Some((method, text)) => self.who_showed(&mut tx, organization, device.id, method, &text).await?,
                None => who(&mut tx, organization, said, &key, &codes).await?,
            };
            let event = event_of(device.id, place.as_ref(), said, &who, at, now);
            let granted = said.granted;
            if let Some(one) = self.append_event(&mut tx, organization, event, address, Some(said.seq)).await? {
                taken.stored += 1;
                logged.push(one);
                if let (true, Some((person, _))) = (granted, &who.person) {
                    people::used(&mut tx, organization, *person, who.credential, at).await?;
                }
                if let (true, Some(code)) = (granted, who.code) {
                    codes::used_offline(&mut tx, organization, code, now).await?;
                    used_codes.push(code);
                }
            }
        }
        let there = store::numbers_after(&mut tx, device.id, before.last_seq, WINDOW).await?;
        let (reached, lost) = advance(before.last_seq, &there, body.oldest_seq);
        taken.acked_seq = reached;
        taken.next_seq = there.last().copied().unwrap_or_default().max(reached) + 1;
        taken.lost += lost;
        if lost > 0 {
            let event = lost_event(device.id, place.as_ref(), lost, now);
            logged.extend(self.append_event(&mut tx, organization, event, address, None).await?);
        }
        store::set_reached(&mut tx, organization, device.id, reached, taken.lost).await?;
        tx.commit().await?;
        for one in logged {
            self.announce_event(one);
        }
        used_codes.dedup();
        for code in used_codes {
            self.announce_code_use(organization, code).await?;
        }
        self.announce_readers(organization);
        Ok(taken)
    }

    /// Whose it is, from a reader that tells what was shown.
    async fn who_showed(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        reader: DeviceId,
        method: Method,
        text: &str,
    ) -> Result<Who> {
        let platform = &self.0.platform;
        let found = people::find_credential(tx, platform, organization, Some(reader), method, text).await?;
        Ok(found.map_or_else(Who::default, |found| Who {
            person: Some((found.person.id, found.person.name)),
            credential: Some(found.credential),
            hint: found.hint,
            code: None,
        }))
    }

    /// The same over MQTT: `{"type": "offline_events", "events": […], "oldest_seq"?}`, answered by the command
    /// `offline_taken`.
    pub(crate) async fn take_offline_message(
        &self,
        device: &Known,
        body: &Value,
    ) -> Result<Result<bool, PayloadProblem>> {
        let wrong = |message: String| Ok(Err(PayloadProblem::new("bad_event", message)));
        let events = match OfflineEvents::deserialize(body) {
            Ok(events) => events,
            Err(error) => return wrong(error.to_string()),
        };
        if let Err(message) = checked(&events) {
            return wrong(message);
        }
        let taken = self.take_offline_events(device, events, "").await?;
        let organization = device.organization;
        let command = NewCommand {
            name: "offline_taken".to_owned(),
            args: Some(json!({
                "seq": taken.acked_seq, "next_seq": taken.next_seq, "conflicts": taken.conflicts,
            })),
            expires_in_s: Some(ACK_WITHIN_S),
        };
        let mut tx = self.0.platform.db.begin().await?;
        match self.0.devices.issue_in(&mut tx, &Actor::system(organization), device.id, command).await {
            Ok(step) => {
                tx.commit().await?;
                self.0.devices.announce_command(organization, step);
            }
            // The events are there; the reader hears of it when it asks again.
            Err(error) => tracing::debug!(device = %device.id, error = %error, "offline events not acknowledged"),
        }
        Ok(Ok(true))
    }
}

/// What was shown, when the reader tells it.
fn shown(said: &OfflineEvent) -> Option<(Method, String)> {
    match (&said.rfid_uid, said.fingerprint_id) {
        (Some(card), _) => Some((Method::Rfid, card.clone())),
        (None, Some(slot)) => Some((Method::Fingerprint, slot.to_string())),
        (None, None) => None,
    }
}

/// Codes by what they hash to at a reader: each code, its name and its person.
type CodesByLookup = BTreeMap<[u8; LOOKUP_BYTES], (AccessCodeId, String, Option<(portico_model::PersonId, String)>)>;

/// The door's codes by what they hash to at this reader.
async fn codes_of(
    tx: &mut Tx,
    platform: &Platform,
    organization: OrganizationId,
    place: &Place,
    key: &[u8; 32],
) -> Result<CodesByLookup> {
    let mut known = BTreeMap::new();
    for row in codes::of_door(tx, organization, place.door).await? {
        let digits = codes::open(platform, row.id, &row.sealed)?;
        let found = codes::found(row)?;
        known.insert(super::lookup(key, "code", &digits), (found.id, found.name, found.person));
    }
    Ok(known)
}

async fn who(
    tx: &mut Tx,
    organization: OrganizationId,
    said: &OfflineEvent,
    key: &[u8; 32],
    codes: &CodesByLookup,
) -> Result<Who> {
    let lookup = said.lookup.as_deref().map(str::to_ascii_lowercase).filter(|text| text.len() == 2 * LOOKUP_BYTES);
    let mut who = Who::default();
    let by_code = lookup.as_ref().and_then(|text| codes.iter().find(|(hash, _)| hex(&hash[..]) == *text));
    if let Some((_, (id, name, person))) = by_code {
        return Ok(Who { person: person.clone(), hint: name.clone(), code: Some(*id), credential: None });
    }
    let Some(number) = said.person.filter(|number| *number > 0) else { return Ok(who) };
    who.person = store::person_of(tx, organization, number).await?;
    if let (Some((person, _)), Some(text)) = (&who.person, &lookup) {
        for (id, stored, hint) in store::credentials_of(tx, organization, *person, &said.method).await? {
            if hex(&super::lookup(key, &said.method, stored.as_bytes())) == *text {
                (who.credential, who.hint) = (Some(id), hint);
            }
        }
    }
    Ok(who)
}

fn event_of(
    reader: DeviceId,
    place: Option<&Place>,
    said: &OfflineEvent,
    who: &Who,
    at: Timestamp,
    now: Timestamp,
) -> AccessEvent {
    let method = match (who.code, Method::parse(&said.method)) {
        (Some(_), _) => Method::Code,
        (None, Some(method @ (Method::Rfid | Method::Pin | Method::Fingerprint | Method::Code))) => method,
        _ => Method::Other,
    };
    let reason = AccessReason::parse(&said.reason).unwrap_or(AccessReason::Unavailable);
    let is_ahead = said.ts > now.millis();
    AccessEvent {
        reason: reason.as_str().to_owned(),
        person_id: who.person.as_ref().map(|(id, _)| *id),
        person_name: who.person.as_ref().map(|(_, name)| name.clone()).unwrap_or_default(),
        credential_id: who.credential,
        credential_hint: who.hint.clone(),
        granted: Some(said.granted),
        note: if is_ahead { "The reader's clock was ahead".to_owned() } else { String::new() },
        ..blank(reader, place, method, at, now)
    }
}

/// Some events of a reader are not to be had any more.
fn lost_event(reader: DeviceId, place: Option<&Place>, lost: i64, now: Timestamp) -> AccessEvent {
    let note = match lost {
        1 => "One event of this reader was lost while it had no network".to_owned(),
        lost => format!("{lost} events of this reader were lost while it had no network"),
    };
    AccessEvent { note, ..blank(reader, place, Method::System, now, now) }
}

fn blank(reader: DeviceId, place: Option<&Place>, method: Method, at: Timestamp, now: Timestamp) -> AccessEvent {
    AccessEvent {
        id: AccessEventId::generate(),
        at,
        received_at: now,
        kind: AccessKind::Request,
        door_id: place.map(|place| place.door),
        door_name: place.map(|place| place.door_name.clone()).unwrap_or_default(),
        reader_id: Some(reader),
        person_id: None,
        person_name: String::new(),
        credential_id: None,
        credential_hint: String::new(),
        method,
        granted: None,
        reason: String::new(),
        policy_id: None,
        policy_name: String::new(),
        leaving: place.is_some_and(|place| place.leaving),
        is_offline: true,
        is_untrusted: false,
        note: String::new(),
        score: None,
        score_reasons: Vec::new(),
        is_anomaly: false,
        is_false_alarm: false,
    }
}
