extern crate std;

use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const DEVICE: &str = "0199a0000000700080000000000000ab";
const ID: &str = "0199a0000000700080000000000000c1";
const KEY: Key = [7; 32];

/// Flash that a test looks into, and that can be broken.
#[derive(Default)]
struct Chip {
    kept: Option<Memory>,
    broken: bool,
}

impl Flash for &mut Chip {
    type Error = ();

    fn load(&mut self) -> Result<Option<Memory>, ()> {
        Ok(self.kept)
    }

    fn save(&mut self, memory: &Memory) -> Result<(), ()> {
        if self.broken {
            return Err(());
        }
        self.kept = Some(*memory);
        Ok(())
    }
}

fn guard(chip: &mut Chip) -> Guard<&mut Chip> {
    Guard::new(DEVICE.as_bytes().try_into().unwrap(), KEY, chip).unwrap()
}

fn message_of(key: &Key, device: &str, counter: u64, issued_at_ms: u64, expires_at_ms: u64) -> String {
    let args = r#"{"for_s":5}"#;
    let command = Command { id: ID, name: "unlock", args: args.as_bytes(), counter, issued_at_ms, expires_at_ms };
    let (mut text, mut id) = ([0; 64], [0; 8]);
    id.copy_from_slice(&key_id(key));
    let signature = hex::write(&sign(key, device, &command), &mut text);
    let id = core::str::from_utf8(&id).unwrap();
    format!(
        r#"{{"args":{args},"counter":{counter},"expires_at":{expires_at_ms},"id":"{ID}","issued_at":{issued_at_ms},"key_id":"{id}","name":"unlock","signature":"{signature}"}}"#
    )
}

fn message(counter: u64, issued_at_ms: u64, expires_at_ms: u64) -> String {
    message_of(&KEY, DEVICE, counter, issued_at_ms, expires_at_ms)
}

/// The example of docs/firmware.md: an implementation in another language must come to the same.
#[test]
fn signature_is_that_of_the_documentation() {
    let command = Command {
        id: ID,
        name: "unlock",
        args: br#"{"for_s":5}"#,
        counter: 7,
        issued_at_ms: 1_795_226_400_000,
        expires_at_ms: 1_795_226_460_000,
    };
    let key: Key = core::array::from_fn(|at| u8::try_from(at).unwrap());
    let mut out = [0; 64];
    assert_eq!(
        hex::write(&sign(&key, DEVICE, &command), &mut out),
        "1ecf9efba5c9bbe0cd363d65812f799506cc78b2a414b79a17b5d40808713065"
    );
    assert_eq!(core::str::from_utf8(&key_id(&key)).unwrap(), "0c71cb94");
}

#[test]
fn command_is_done_once_and_answered_again() {
    let mut chip = Chip::default();
    let mut guard = guard(&mut chip);
    let first = message(1, 1_000, 61_000);
    let command = guard.admit(first.as_bytes(), Some(1_100)).unwrap();
    assert_eq!((command.name, command.args, command.counter), ("unlock", &br#"{"for_s":5}"#[..], 1));
    assert_eq!(guard.admit(first.as_bytes(), Some(1_100)), Err(Refusal::Repeated(None)), "still under way");
    guard.finish(Outcome::Done).unwrap();
    assert_eq!(guard.admit(first.as_bytes(), Some(99_000)), Err(Refusal::Repeated(Some(Outcome::Done))));
}

#[test]
fn replayed_reordered_expired_and_forged_commands_are_refused() {
    let mut chip = Chip::default();
    let mut guard = guard(&mut chip);
    guard.admit(message(5, 1_000, 61_000).as_bytes(), Some(1_100)).unwrap();
    guard.admit(message(7, 2_000, 62_000).as_bytes(), Some(2_100)).unwrap();
    let other_key = message_of(&[8; 32], DEVICE, 9, 3_000, 63_000);
    let other_device = message_of(&KEY, ID, 9, 3_000, 63_000);
    let table = [
        (message(5, 1_000, 61_000), Some(2_200), Refusal::Replayed),
        (message(6, 2_000, 62_000), Some(2_200), Refusal::Replayed),
        (message(8, 3_000, 63_000), Some(63_000), Refusal::Expired),
        (message(8, 3_000, 63_000), None, Refusal::NoClock),
        (other_key, Some(3_100), Refusal::OtherKey),
        (other_device, Some(3_100), Refusal::BadSignature),
        (message(8, 3_000, 63_000).replace("\"counter\":8", "\"counter\":9"), Some(3_100), Refusal::BadSignature),
        (message(8, 3_000, 63_000).replace("63000", "99000"), Some(3_100), Refusal::BadSignature),
        (message(8, 3_000, 63_000).replace("\"for_s\":5", "\"for_s\":6"), Some(3_100), Refusal::BadSignature),
        (message(8, 3_000, 63_000).replace("\"unlock\"", "\"lock\""), Some(3_100), Refusal::BadSignature),
        (
            message(8, 3_000, 63_000).replacen("{\"args\"", "{\"counter\":8,\"args\"", 1),
            Some(3_100),
            Refusal::Unreadable,
        ),
        (r#"{"command":"UNLOCK","device":"device-1"}"#.into(), Some(3_100), Refusal::Unreadable),
        (String::new(), Some(3_100), Refusal::Unreadable),
    ];
    for (message, clock, refusal) in table {
        assert_eq!(guard.admit(message.as_bytes(), clock), Err(refusal), "{message}");
    }
    assert!(guard.admit(message(8, 3_000, 63_000).as_bytes(), Some(3_100)).is_ok(), "and the right one is done");
}

#[test]
fn reboot_does_not_make_an_old_command_new() {
    let mut chip = Chip::default();
    let first = message(3, 1_000, 61_000);
    guard(&mut chip).admit(first.as_bytes(), Some(1_100)).unwrap();
    let mut guard = guard(&mut chip);
    assert_eq!(guard.admit(first.as_bytes(), Some(1_200)), Err(Refusal::Repeated(None)), "power went meanwhile");
    assert_eq!(guard.admit(message(2, 1_000, 61_000).as_bytes(), Some(1_200)), Err(Refusal::Replayed));
}

#[test]
fn lost_memory_is_made_good_by_what_the_server_says() {
    let mut chip = Chip::default();
    let mut guard = guard(&mut chip);
    guard.set_key(KEY, 9).unwrap();
    assert_eq!(guard.admit(message(8, 1_000, 61_000).as_bytes(), Some(1_100)), Err(Refusal::Replayed));
    guard.set_key(KEY, 2).unwrap();
    assert_eq!(guard.memory().counter, 9, "never backwards");
    assert!(guard.admit(message(10, 1_000, 61_000).as_bytes(), Some(1_100)).is_ok());
}

#[test]
fn slow_clock_does_not_make_an_old_command_young() {
    let mut chip = Chip::default();
    let mut guard = guard(&mut chip);
    guard.admit(message(1, 500_000, 560_000).as_bytes(), Some(1_000)).unwrap();
    assert_eq!(guard.admit(message(2, 400_000, 460_000).as_bytes(), Some(1_000)), Err(Refusal::Expired));
}

#[test]
fn without_a_memory_that_holds_nothing_is_done() {
    let mut chip = Chip { broken: true, ..Chip::default() };
    let mut guard = guard(&mut chip);
    let message = message(1, 1_000, 61_000);
    assert_eq!(guard.admit(message.as_bytes(), Some(1_100)), Err(Refusal::Flash(())));
    guard.flash_mut().broken = false;
    assert!(guard.admit(message.as_bytes(), Some(1_100)).is_ok());
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_order_each_counter_is_done_once_and_rising(
        counters in prop::collection::vec((1_u64..12, any::<bool>()), 0..40),
    ) {
        let mut chip = Chip::default();
        let mut done = Vec::new();
        for (counter, reboots) in counters {
            let mut guard = guard(&mut chip);
            if guard.admit(message(counter, 1_000, 61_000).as_bytes(), Some(1_100)).is_ok() {
                done.push(counter);
                if !reboots {
                    guard.finish(Outcome::Done).unwrap();
                }
            }
        }
        prop_assert!(done.is_sorted_by(|a, b| a < b), "{done:?}");
    }

    #[test]
    fn one_changed_byte_and_it_is_not_done(at in 0_usize..260, by in 1_u8..) {
        let mut bytes = message(1, 1_000, 61_000).into_bytes();
        let at = at % bytes.len();
        bytes[at] = bytes[at].wrapping_add(by);
        let mut chip = Chip::default();
        // Space between members, and names that are none of ours, are nothing that is signed.
        let same = parse(&bytes) == parse(message(1, 1_000, 61_000).as_bytes());
        prop_assert!(same || guard(&mut chip).admit(&bytes, Some(1_100)).is_err());
    }

    #[test]
    fn nothing_that_strangers_send_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut chip = Chip::default();
        prop_assert!(guard(&mut chip).admit(&bytes, Some(1)).is_err());
    }
}
