//! Locks and readers that check what they are told as real ones do (`portico-lock-core`), and older firmware that
//! checks nothing ([`legacy`]). [`lock`] and [`reader`] are pure: what a device does when it is told or touched;
//! [`unit`] connects one; [`scenario`] plays a script on several.

pub mod legacy;
pub mod lock;
pub mod people;
pub mod reader;
pub mod scenario;
mod table;
pub mod unit;
pub mod yard;

use portico_lock_core::command::Key;
use serde_json::Value;

pub use lock::Lock;
pub use people::{Person, Visit};
pub use reader::Reader;
pub use unit::{Control, Unit, UnitOptions};

/// What a device has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Say {
    /// The end of a command: members that stand beside `command_id`.
    Ack(Value),
    /// On its event topic.
    Event(Value),
    /// A heartbeat now, because what it says has changed.
    Status,
    /// It asks Portico for what it decides by while nobody answers.
    Fetch,
}

/// What a device is, apart from its connection.
pub trait Body: Send + 'static {
    /// Does a command that has been checked; what it says ends with its `Ack`.
    fn obey(&mut self, name: &str, args: &Value, now_ms: u64) -> Vec<Say>;

    /// Somebody touches it.
    fn touch(&mut self, touch: &Touch, now_ms: u64) -> Vec<Say>;

    /// Time passes; called a few times a second. `connected`: whether anybody would hear it.
    fn pass(&mut self, now_ms: u64, connected: bool) -> Vec<Say>;

    /// Which version it has of what it decides by; 0: none.
    fn version(&self) -> i64 {
        0
    }

    /// Takes the answer of `GET /api/v1/access/sync`, signed with its key; the version that it has now.
    ///
    /// # Errors
    /// Why it does not take it.
    fn take_table(&mut self, _answer: &Value, _key: &Key, _now_ms: u64) -> Result<i64, String> {
        Err("it is no reader".to_owned())
    }

    /// It lost its power: what it had in mind is gone, what is mechanical stays.
    fn restart(&mut self);

    /// What its heartbeat says, and what one who stands before it sees.
    fn face(&self) -> Value;
}

/// What is done to a device by hand.
#[derive(Debug, Clone, PartialEq)]
pub enum Touch {
    /// The bolt sticks from now on, or does not any more.
    Jam(bool),
    /// Percent.
    Battery(f64),
    /// Turned with a key: `true` locks.
    Turn(bool),
    /// A card, a PIN, a finger's slot, a code.
    Show {
        method: String,
        value: String,
    },
    Door {
        open: bool,
    },
}
