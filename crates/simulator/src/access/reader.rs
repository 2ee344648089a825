//! A simulated reader: somebody shows a card, types a PIN or lays a finger on it; it asks, and opens when it is told to.

use portico_lock_core::command::Key;
use portico_lock_core::decide::{DoorMode, is_free};
use portico_lock_core::queue::Queue;
use serde_json::{Map, Value, json};

use super::table::{Known, UNAVAILABLE};
use super::{Body, Say, Touch};

/// How long it waits for an answer before it decides by itself.
const ANSWER_WITHIN_MS: u64 = 3_000;

/// What it remembers while it is away.
const MEMORY: usize = 1_024;

/// How long it stays open when it is not said.
const OPEN_S: u64 = 5;

/// After so long it asks again for a table that it has not got, or that is half over.
const FETCH_AGAIN_MS: u64 = 10_000;

pub struct Reader {
    /// Serves the way out.
    leaving: bool,
    asked: Vec<(String, String, String, u64)>,
    next_request: u64,
    open_until_ms: u64,
    /// How its door was last told to work, and until when.
    mode: Option<(DoorMode, u64)>,
    door_open: bool,
    /// What the last who came was told.
    last: Value,
    enrolling: Option<(Value, String, u64)>,
    codes: Map<String, Value>,
    offline: Queue<Value, MEMORY>,
    /// Up to which number the offline events were sent on this connection.
    uploaded: u64,
    known: Known,
    next_fetch_ms: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            leaving: false,
            asked: Vec::new(),
            next_request: 1,
            open_until_ms: 0,
            mode: None,
            door_open: false,
            last: Value::Null,
            enrolling: None,
            codes: Map::new(),
            offline: Queue::new(1),
            uploaded: 0,
            known: Known::default(),
            next_fetch_ms: 0,
        }
    }
}

impl Reader {
    /// A reader on the inside.
    #[must_use]
    pub fn leaving() -> Self {
        Self { leaving: true, ..Self::default() }
    }

    /// Events that nobody has confirmed yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.offline.len()
    }

    fn question(&self, id: &str, method: &str, value: &str) -> Say {
        let mut event = json!({ "type": "access_request", "request_id": id, "method": method });
        let (member, shown) = shown(method, value);
        event[member] = shown;
        if self.leaving {
            event["leaving"] = json!(true);
        }
        Say::Event(event)
    }

    /// Nobody answers: it decides by what it knows, and remembers that it did.
    fn decide_alone(&mut self, method: &str, value: &str, now_ms: u64) {
        let decided = self.known.decide(method, value, self.ordered(now_ms), self.leaving, now_ms);
        // A full queue shows as a gap in the numbers.
        let _ = self.offline.push(decided.event);
        self.told(decided.granted, decided.reason, decided.unlock_s.unwrap_or(OPEN_S), now_ms);
    }

    /// How its door was told to work since its table came.
    fn ordered(&self, now_ms: u64) -> Option<DoorMode> {
        self.mode.map(|(mode, until_ms)| if now_ms < until_ms { mode } else { DoorMode::Normal })
    }

    /// Its own rule for when nobody can decide.
    fn is_free(&self, now_ms: u64) -> bool {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        is_free(self.ordered(now_ms).unwrap_or_else(|| self.known.mode(now)), self.leaving)
    }

    fn told(&mut self, granted: bool, reason: &str, for_s: u64, now_ms: u64) {
        if granted {
            self.open_until_ms = now_ms + for_s * 1_000;
        }
        self.last = json!({ "granted": granted, "reason": reason });
    }

    fn finish_enrolment(&mut self, method: &str, value: &str, now_ms: u64) -> Option<Say> {
        let (id, mode, until) = self.enrolling.take()?;
        if now_ms >= until {
            return Some(Say::Event(json!({ "type": "enrol_failed", "enrolment_id": id, "error": "time is up" })));
        }
        if mode != method {
            self.enrolling = Some((id, mode, until));
            return None;
        }
        Some(Say::Event(json!({ "type": "enrolled", "enrolment_id": id, "value": value })))
    }

    /// It has forgotten how far it had counted: what it still has gets new numbers.
    fn count_from(&mut self, next: u64) {
        if next <= self.offline.next_number() {
            return;
        }
        let mut anew = Queue::new(next);
        for (_, event) in self.offline.iter() {
            let _ = anew.push(event.clone());
        }
        self.offline = anew;
        self.uploaded = 0;
    }

    /// What happened offline, a batch at a time.
    fn upload(&mut self) -> Option<Say> {
        let events: Vec<Value> = self
            .offline
            .iter()
            .filter(|(number, _)| *number > self.uploaded)
            .take(50)
            .map(|(number, event)| {
                let mut event = event.clone();
                event["seq"] = json!(number);
                event
            })
            .collect();
        self.uploaded = events.last()?["seq"].as_u64()?;
        let oldest = self.offline.iter().next().map_or(self.offline.next_number(), |(number, _)| number);
        Some(Say::Event(json!({ "type": "offline_events", "events": events, "oldest_seq": oldest })))
    }
}

/// The member that holds what was shown.
fn shown(method: &str, value: &str) -> (&'static str, Value) {
    match method {
        "pin" => ("pin", json!(value)),
        "code" => ("code", json!(value)),
        "fingerprint" => ("fingerprint_id", value.parse::<i64>().map_or_else(|_| json!(value), |slot| json!(slot))),
        _ => ("rfid_uid", json!(value)),
    }
}

impl Body for Reader {
    fn obey(&mut self, name: &str, args: &Value, now_ms: u64) -> Vec<Say> {
        let done = |more: Value| Say::Ack(more);
        match name {
            "access_decision" => {
                let id = args["request_id"].as_str().unwrap_or_default();
                let Some(at) = self.asked.iter().position(|(asked, ..)| asked == id) else {
                    // Decided already, or asked before a power cut: nobody waits for it any more.
                    return vec![done(json!({ "result": "failed", "error": "nobody waits" }))];
                };
                self.asked.remove(at);
                let reason = args["reason"].as_str().unwrap_or_default().to_owned();
                let granted = match args["granted"].as_bool() {
                    Some(false) if reason == UNAVAILABLE => self.is_free(now_ms),
                    granted => granted.unwrap_or(false),
                };
                self.told(
                    granted,
                    &reason,
                    args["for_s"].as_u64().filter(|for_s| *for_s > 0).unwrap_or(OPEN_S),
                    now_ms,
                );
                vec![done(json!({ "result": "ok" }))]
            }
            "open" => {
                self.open_until_ms = now_ms + args["for_s"].as_u64().unwrap_or(OPEN_S) * 1_000;
                vec![done(json!({ "result": "ok" }))]
            }
            "door_mode" => {
                let mode = match args["mode"].as_str() {
                    Some("lockdown") => DoorMode::Lockdown,
                    Some("evacuation") => DoorMode::Evacuation,
                    Some("unlocked") => DoorMode::Unlocked,
                    _ => DoorMode::Normal,
                };
                self.mode = Some((mode, args["until"].as_u64().unwrap_or(u64::MAX)));
                vec![done(json!({ "result": "ok" }))]
            }
            "enrol" => {
                let mode = args["mode"].as_str().unwrap_or("rfid").to_owned();
                let until = args["expires_at"].as_u64().unwrap_or(now_ms + 60_000);
                self.enrolling = Some((args["enrolment_id"].clone(), mode, until));
                vec![done(json!({ "result": "ok" }))]
            }
            "enrol_cancel" => {
                self.enrolling = None;
                vec![done(json!({ "result": "ok" }))]
            }
            "set_code" | "remove_code" => {
                let id = args["code_id"].as_str().or(args["id"].as_str()).unwrap_or_default().to_owned();
                if name == "set_code" {
                    self.codes.insert(id, args.clone());
                } else {
                    self.codes.remove(&id);
                }
                vec![done(json!({ "result": "ok" }))]
            }
            "offline_taken" => {
                self.offline.acknowledge(args["seq"].as_u64().unwrap_or(0));
                if args["conflicts"].as_array().is_some_and(|conflicts| !conflicts.is_empty()) {
                    self.count_from(args["next_seq"].as_u64().unwrap_or(0));
                }
                vec![done(json!({ "result": "ok" }))]
            }
            "sync" => vec![Say::Fetch],
            _ => vec![done(json!({ "result": "failed", "error": "unknown command" }))],
        }
    }

    fn touch(&mut self, touch: &Touch, now_ms: u64) -> Vec<Say> {
        match touch {
            Touch::Show { method, value } => {
                if let Some(say) = self.finish_enrolment(method, value, now_ms) {
                    return vec![say];
                }
                let id = format!("r{}", self.next_request);
                self.next_request += 1;
                self.asked.push((id.clone(), method.clone(), value.clone(), now_ms));
                self.last = Value::Null;
                vec![self.question(&id, method, value)]
            }
            Touch::Door { open } => {
                self.door_open = *open;
                let state = if *open { "open" } else { "closed" };
                vec![Say::Event(json!({ "type": "door", "state": state, "ts": now_ms }))]
            }
            Touch::Jam(_) | Touch::Battery(_) | Touch::Turn(_) => Vec::new(),
        }
    }

    fn pass(&mut self, now_ms: u64, connected: bool) -> Vec<Say> {
        let late: Vec<_> = self
            .asked
            .extract_if(.., |(_, _, _, at)| !connected || now_ms.saturating_sub(*at) >= ANSWER_WITHIN_MS)
            .collect();
        for (_, method, value, _) in late {
            self.decide_alone(&method, &value, now_ms);
        }
        if !connected {
            // The next connection hears all of it again: what was sent before may be lost.
            self.uploaded = 0;
            self.next_fetch_ms = 0;
            return Vec::new();
        }
        if now_ms >= self.next_fetch_ms {
            self.next_fetch_ms = now_ms + FETCH_AGAIN_MS;
            return vec![Say::Fetch];
        }
        self.upload().into_iter().collect()
    }

    fn version(&self) -> i64 {
        self.known.version()
    }

    fn take_table(&mut self, answer: &Value, key: &Key, now_ms: u64) -> Result<i64, String> {
        let version = self.known.take(answer, key)?;
        // It says how the door works, too.
        self.mode = None;
        self.next_fetch_ms = self.known.half_over_ms().unwrap_or(0).max(now_ms + FETCH_AGAIN_MS);
        self.count_from(answer["next_seq"].as_u64().unwrap_or(0));
        Ok(version)
    }

    fn restart(&mut self) {
        // Table and queue lie in its flash.
        self.asked.clear();
        self.enrolling = None;
        self.open_until_ms = 0;
        self.uploaded = 0;
    }

    fn face(&self) -> Value {
        json!({
            "door": if self.door_open { "open" } else { "closed" },
            "last": self.last,
            "shown": self.next_request - 1,
            "enrolling": self.enrolling.is_some(),
            "codes": self.codes.len(),
            "offline": self.offline.len(),
            "table": self.known.version(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{KEY, START, answer};
    use super::*;

    fn show(value: &str) -> Touch {
        Touch::Show { method: "rfid".into(), value: value.into() }
    }

    #[test]
    fn reader_asks_and_does_what_it_is_told() {
        let mut reader = Reader::default();
        let [Say::Event(question)] = &reader.touch(&show("A1B2C3D4"), 0)[..] else { panic!() };
        assert_eq!(
            *question,
            json!({ "type": "access_request", "request_id": "r1", "method": "rfid", "rfid_uid": "A1B2C3D4" })
        );
        let args = json!({ "request_id": "r1", "granted": true, "reason": "granted", "for_s": 3 });
        assert_eq!(reader.obey("access_decision", &args, 100), [Say::Ack(json!({ "result": "ok" }))]);
        assert_eq!(reader.face()["last"], json!({ "granted": true, "reason": "granted" }));
        assert_eq!(reader.obey("access_decision", &args, 100).len(), 1, "once more changes nothing");
        assert_eq!((reader.pass(10_000, true), reader.waiting()), (vec![Say::Fetch], 0), "nothing was decided alone");
    }

    /// With its table, on a connection.
    fn synchronised() -> Reader {
        let mut reader = Reader::default();
        assert_eq!(reader.pass(START, true), [Say::Fetch]);
        assert_eq!(reader.take_table(&answer(3, 1), &KEY, START), Ok(3));
        assert!(reader.pass(START + 1, true).is_empty(), "it has what it needs");
        reader
    }

    #[test]
    fn without_network_it_decides_by_its_table_and_tells_later_until_it_is_confirmed() {
        let mut reader = synchronised();
        reader.restart();
        reader.touch(&show("GOOD"), START);
        reader.touch(&show("BAD"), START);
        assert!(reader.pass(START + 1, false).is_empty());
        let last = json!({ "granted": false, "reason": "unknown_credential" });
        assert_eq!((reader.waiting(), reader.face()["last"].clone()), (2, last));
        assert_eq!(reader.open_until_ms, START + 1 + 9_000, "as long as the table says");
        assert_eq!(reader.pass(START + 2_000, true), [Say::Fetch], "first what is new");
        let [Say::Event(batch)] = &reader.pass(START + 2_100, true)[..] else { panic!() };
        assert_eq!((batch["events"].as_array().unwrap().len(), &batch["oldest_seq"]), (2, &json!(1)));
        let (good, bad) = (&batch["events"][0], &batch["events"][1]);
        assert_eq!((&good["seq"], &good["granted"], &good["person"]), (&json!(1), &json!(true), &json!(7)));
        assert_eq!((&bad["seq"], &bad["granted"], &bad["person"]), (&json!(2), &json!(false), &Value::Null));
        assert_eq!((good["lookup"].as_str().unwrap().len(), good.get("rfid_uid")), (32, None));
        assert!(reader.pass(START + 2_200, true).is_empty(), "it waits for the confirmation");
        reader.pass(START + 3_000, false);
        reader.pass(START + 4_000, true);
        assert_eq!(reader.pass(START + 4_100, true).len(), 1, "and tells again on the next connection");
        reader.obey("offline_taken", &json!({ "seq": 2 }), 0);
        assert_eq!(reader.waiting(), 0);
    }

    #[test]
    fn it_asks_for_a_table_on_each_connection_and_when_half_of_it_is_over() {
        let mut reader = Reader::default();
        assert_eq!(reader.pass(START, true), [Say::Fetch]);
        assert!(reader.pass(START + FETCH_AGAIN_MS - 1, true).is_empty());
        assert_eq!(reader.pass(START + FETCH_AGAIN_MS, true), [Say::Fetch], "it has got none");
        reader.take_table(&answer(3, 1), &KEY, START).unwrap();
        assert!(reader.pass(START + 43_199_999, true).is_empty());
        assert_eq!(reader.pass(START + 43_200_000, true), [Say::Fetch]);
        assert_eq!(reader.obey("sync", &json!({ "version": 4 }), 0), [Say::Fetch]);
        assert_eq!((reader.version(), reader.face()["table"].clone()), (3, json!(3)));
    }

    #[test]
    fn reader_that_forgot_its_numbers_goes_on_where_portico_says() {
        let mut reader = Reader::default();
        reader.touch(&show("GOOD"), START);
        reader.pass(START, false);
        reader.take_table(&answer(3, 18), &KEY, START).unwrap();
        let [Say::Event(batch)] = &reader.pass(START + 1, true)[..] else { panic!() };
        assert_eq!((&batch["events"][0]["seq"], &batch["oldest_seq"]), (&json!(18), &json!(18)));
        reader.obey("offline_taken", &json!({ "seq": 17, "next_seq": 30, "conflicts": [18] }), START);
        let [Say::Event(batch)] = &reader.pass(START + 2, true)[..] else { panic!() };
        assert_eq!(batch["events"][0]["seq"], 30);
    }

    #[test]
    fn reader_that_knows_nothing_lets_nobody_in() {
        let mut reader = Reader::default();
        reader.touch(&show("GOOD"), 0);
        reader.pass(ANSWER_WITHIN_MS, true);
        assert_eq!(reader.face()["last"], json!({ "granted": false, "reason": "unavailable" }));
    }

    #[test]
    fn when_nobody_can_decide_who_leaves_is_free_and_so_is_an_evacuated_door() {
        let refusal = json!({ "request_id": "r1", "granted": false, "reason": "unavailable", "for_s": 0 });
        let evacuation = json!({ "mode": "evacuation", "until": 50_000 });
        for (mut reader, mode, at, free) in [
            (Reader::default(), None, 1_000, false),
            (Reader::leaving(), None, 1_000, true),
            (Reader::default(), Some(&evacuation), 1_000, true),
            (Reader::default(), Some(&evacuation), 50_000, false),
        ] {
            if let Some(mode) = mode {
                assert_eq!(reader.obey("door_mode", mode, 0), [Say::Ack(json!({ "result": "ok" }))]);
            }
            reader.touch(&show("ANY"), at);
            reader.obey("access_decision", &refusal, at);
            assert_eq!(reader.face()["last"], json!({ "granted": free, "reason": "unavailable" }));
            reader.touch(&show("ANY"), at);
            reader.pass(at, false);
            assert_eq!(reader.face()["last"]["granted"], free, "without network");
        }
        // What Portico does decide holds.
        let mut reader = Reader::leaving();
        reader.touch(&show("ANY"), 0);
        let refusal = json!({ "request_id": "r1", "granted": false, "reason": "unknown_credential" });
        reader.obey("access_decision", &refusal, 0);
        assert_eq!(reader.face()["last"]["granted"], false);
    }

    #[test]
    fn next_card_is_enrolled_when_it_was_told_to() {
        let mut reader = Reader::default();
        let args = json!({ "mode": "rfid", "enrolment_id": "e1", "expires_at": 60_000 });
        reader.obey("enrol", &args, 0);
        let enrolled = json!({ "type": "enrolled", "enrolment_id": "e1", "value": "04AA" });
        assert_eq!(reader.touch(&show("04AA"), 1), [Say::Event(enrolled)]);
        reader.obey("enrol", &args, 0);
        let [Say::Event(failed)] = &reader.touch(&show("04AA"), 60_000)[..] else { panic!() };
        assert_eq!(failed["type"], "enrol_failed");
    }
}
