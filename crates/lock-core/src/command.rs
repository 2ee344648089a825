//! Commands as a lock checks them: from Portico, for this device, in their order, once, and not late.
//!
//! What is signed (HMAC-SHA-256 under the device's signing key) is this text, each part on a line of its own, `args`
//! being the bytes of that value as they stand in the message:
//!
//! ```text
//! portico-command-1
//! {device id}
//! {id}
//! {counter}
//! {issued_at}
//! {expires_at}
//! {name}
//! {args}
//! ```
//!
//! `signature` is the result in lowercase hexadecimal; `key_id` names the key: a device that has another fetches its
//! key anew.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{hex, json};

/// A device's signing key.
pub type Key = [u8; 32];

/// Characters of a command's and a device's id.
pub const ID_CHARS: usize = 32;

/// A command that was taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    pub id: &'a str,
    pub name: &'a str,
    /// A JSON object, as it came.
    pub args: &'a [u8],
    pub counter: u64,
    /// Epoch milliseconds.
    pub issued_at_ms: u64,
    /// Epoch milliseconds; from then on it is not to be done.
    pub expires_at_ms: u64,
}

/// A command and what is to prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    pub command: Command<'a>,
    pub key_id: &'a str,
    pub signature: [u8; 32],
}

/// How a command ended that was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Failed,
}

/// Why a command is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<E> {
    /// No command, or one without a signature.
    Unreadable,
    /// Signed with another key: fetch the key anew, and take the command when it comes again.
    OtherKey,
    BadSignature,
    /// The device does not know what time it is.
    NoClock,
    Expired,
    /// It was admitted before: do not do it again, answer again. `None`: the power went while it was done.
    Repeated(Option<Outcome>),
    /// Older than one that was admitted.
    Replayed,
    /// What must survive a power cut could not be kept.
    Flash(E),
}

impl<E> Refusal<E> {
    /// As it stands in the answer to a command.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::OtherKey => "other_key",
            Self::BadSignature => "bad_signature",
            Self::NoClock => "no_clock",
            Self::Expired => "expired",
            Self::Repeated(_) => "repeated",
            Self::Replayed => "replayed",
            Self::Flash(_) => "flash",
        }
    }
}

/// What a device must remember without power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Of the last command that was admitted.
    pub counter: u64,
    /// The latest time that Portico has vouched for: it is not earlier now, whatever the device's clock says.
    pub issued_at_ms: u64,
    /// How that command ended.
    pub outcome: Option<Outcome>,
}

/// Where a device keeps its [`Memory`].
pub trait Flash {
    type Error;

    /// What was saved last; `None` at the first start.
    ///
    /// # Errors
    /// When it cannot be read: the device then does nothing it is told.
    fn load(&mut self) -> Result<Option<Memory>, Self::Error>;

    /// Done when it survives a power cut.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn save(&mut self, memory: &Memory) -> Result<(), Self::Error>;
}

/// Checks what comes on the command topic of one device.
pub struct Guard<F> {
    device: [u8; ID_CHARS],
    key: Key,
    flash: F,
    memory: Memory,
}

impl<F: Flash> Guard<F> {
    /// After each start.
    ///
    /// # Errors
    /// When the memory cannot be read.
    pub fn new(device: [u8; ID_CHARS], key: Key, mut flash: F) -> Result<Self, F::Error> {
        let memory = flash.load()?.unwrap_or_default();
        Ok(Self { device, key, flash, memory })
    }

    /// The key that was fetched anew; `counter`: those up to it are done with. A device that has lost its memory is
    /// protected by it from what was sent before.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn set_key(&mut self, key: Key, counter: u64) -> Result<(), F::Error> {
        self.key = key;
        if counter > self.memory.counter {
            let memory = Memory { counter, outcome: None, ..self.memory };
            self.flash.save(&memory)?;
            self.memory = memory;
        }
        Ok(())
    }

    #[must_use]
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    pub const fn flash_mut(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Whether the message is a command to do now. It counts as admitted before it is done: after a power cut it is
    /// not done a second time.
    ///
    /// # Errors
    /// Why not.
    pub fn admit<'a>(&mut self, message: &'a [u8], clock_ms: Option<u64>) -> Result<Command<'a>, Refusal<F::Error>> {
        let signed = parse(message).ok_or(Refusal::Unreadable)?;
        if signed.key_id.as_bytes() != key_id(&self.key) {
            return Err(Refusal::OtherKey);
        }
        let device = core::str::from_utf8(&self.device).unwrap_or_default();
        if !verify(&self.key, device, &signed) {
            return Err(Refusal::BadSignature);
        }
        let command = signed.command;
        if command.counter == self.memory.counter {
            return Err(Refusal::Repeated(self.memory.outcome));
        }
        if command.counter < self.memory.counter {
            return Err(Refusal::Replayed);
        }
        // Portico vouches for its own time: a clock that is slow does not make an old command young.
        let now = clock_ms.ok_or(Refusal::NoClock)?.max(self.memory.issued_at_ms);
        if now >= command.expires_at_ms {
            return Err(Refusal::Expired);
        }
        let memory = Memory {
            counter: command.counter,
            issued_at_ms: self.memory.issued_at_ms.max(command.issued_at_ms),
            outcome: None,
        };
        self.flash.save(&memory).map_err(Refusal::Flash)?;
        self.memory = memory;
        Ok(command)
    }

    /// The admitted command has ended; what is answered when it comes again.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn finish(&mut self, outcome: Outcome) -> Result<(), F::Error> {
        self.memory.outcome = Some(outcome);
        self.flash.save(&self.memory)
    }
}

/// Takes a message apart; `None` when it is no signed command.
#[must_use]
pub fn parse(message: &[u8]) -> Option<Signed<'_>> {
    let [mut id, mut name, mut args, mut counter, mut issued_at, mut expires_at, mut key, mut signature] = [None; 8];
    for member in json::members(message) {
        let (found, value) = member.ok()?;
        let place = match found {
            "id" => &mut id,
            "name" => &mut name,
            "args" => &mut args,
            "counter" => &mut counter,
            "issued_at" => &mut issued_at,
            "expires_at" => &mut expires_at,
            "key_id" => &mut key,
            "signature" => &mut signature,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    let command = Command {
        id: json::text(id?).filter(|id| id.len() == ID_CHARS)?,
        name: json::text(name?).filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()))?,
        args: args.filter(|args| args.starts_with(b"{"))?,
        counter: json::number(counter?)?,
        issued_at_ms: json::number(issued_at?)?,
        expires_at_ms: json::number(expires_at?)?,
    };
    Some(Signed { command, key_id: json::text(key?)?, signature: hex::parse(json::text(signature?)?.as_bytes())? })
}

/// Names a key without telling it: eight hexadecimal characters.
#[must_use]
pub fn key_id(key: &Key) -> [u8; 8] {
    let mut id = [0; 8];
    hex::write(&finish(mac(key).chain_update(b"portico-key-id"))[..4], &mut id);
    id
}

/// The signature of a command for that device.
#[must_use]
pub fn sign(key: &Key, device: &str, command: &Command<'_>) -> [u8; 32] {
    finish(signed_text(key, device, command))
}

/// Whether the signature is that command's, for that device; takes as long whatever is wrong with it.
#[must_use]
pub fn verify(key: &Key, device: &str, signed: &Signed<'_>) -> bool {
    signed_text(key, device, &signed.command).verify_slice(&signed.signature).is_ok()
}

fn signed_text(key: &Key, device: &str, command: &Command<'_>) -> Hmac<Sha256> {
    let mut digits = [0; 20];
    let mut text = mac(key).chain_update(b"portico-command-1\n").chain_update(device).chain_update(b"\n");
    text = text.chain_update(command.id).chain_update(b"\n");
    for number in [command.counter, command.issued_at_ms, command.expires_at_ms] {
        text = text.chain_update(decimal(number, &mut digits)).chain_update(b"\n");
    }
    text.chain_update(command.name).chain_update(b"\n").chain_update(command.args)
}

pub(crate) fn mac(key: &Key) -> Hmac<Sha256> {
    // HMAC fills a short key up with zeros to the block's size (RFC 2104, section 2).
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(key);
    Hmac::<Sha256>::new(&block.into())
}

fn finish(mac: Hmac<Sha256>) -> [u8; 32] {
    mac.finalize().into_bytes().into()
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        // A remainder of ten is below ten.
        #[allow(clippy::cast_possible_truncation)]
        let digit = (number % 10) as u8;
        digits[at] = b'0' + digit;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests;
