//! What a device does with firmware: what it keeps over a power cut, what it refuses, and how it fetches an image.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use portico_model::CommandId;
use portico_model::firmware::{compare_versions, parse_hex, signed_text};
use reqwest::StatusCode;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::api::Api;

/// An image that begins with this does not start: the device goes back to the one before.
pub const BROKEN_IMAGE: &[u8] = b"does not start";

/// Between two attempts of a download that broke off; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Attempts in a row without a byte before the device gives up.
const MOST_ATTEMPTS: u32 = 8;

/// The arguments of the command `firmware_update`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Offer {
    pub device_type: String,
    pub version: String,
    pub size: i64,
    pub sha256: String,
    pub signature: String,
    pub url: String,
    #[serde(default)]
    pub force: bool,
}

/// What a device keeps when its power is cut.
#[derive(Debug, Clone, Default)]
pub struct Flash {
    /// The version it runs.
    pub version: String,
    /// Of the update under way: its command, its offer, and what has come of the image.
    pub update: Option<(CommandId, Offer)>,
    pub image: Vec<u8>,
    /// A new image did not start.
    pub rolled_back: Option<CommandId>,
    /// Publishers whose signature it trusts, put in at the factory.
    pub publishers: Vec<[u8; 32]>,
    /// Cut the power once, when so many bytes of an image have come.
    pub cut_at: Option<usize>,
}

/// Shared by a device's session and its download.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Flash>>);

impl Memory {
    #[must_use]
    pub fn new(flash: Flash) -> Self {
        Self(Arc::new(Mutex::new(flash)))
    }

    /// Whole at any time: each change is one assignment or one append, as on a journalled flash.
    pub fn lock(&self) -> MutexGuard<'_, Flash> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn version(&self) -> String {
        self.lock().version.clone()
    }
}

/// What an update has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// On `devices/{id}/event`.
    Event(Value),
    /// On `devices/{id}/ack`.
    Ack(Value),
    /// The power is gone.
    PowerCut,
    /// The image is good: restart into it.
    Restart,
}

/// Why an offer is refused; `None` when it is good.
#[must_use]
pub fn refusal(flash: &Flash, device_type: &str, offer: &Offer) -> Option<&'static str> {
    if offer.device_type != device_type {
        return Some("image is for another type of device");
    }
    let signed = parse_hex::<64>(&offer.signature).is_some_and(|signature| {
        let text = signed_text(&offer.device_type, &offer.version, offer.size, &offer.sha256);
        let is_good =
            |key: &[u8; 32]| UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok();
        flash.publishers.iter().any(is_good)
    });
    if !signed {
        return Some("bad signature");
    }
    if !offer.force && compare_versions(&offer.version, &flash.version) == Some(Ordering::Less) {
        return Some("downgrade refused");
    }
    None
}

fn event(command: CommandId, state: &str, progress: usize, error: &str) -> Step {
    Step::Event(json!({
        "type": "firmware", "command_id": command, "state": state, "progress": progress, "error": error,
    }))
}

pub(crate) fn failed(command: CommandId, error: &str) -> Step {
    Step::Ack(json!({ "command_id": command, "result": "failed", "error": error }))
}

/// What a device that has just started says of the start before.
#[must_use]
pub fn after_start(memory: &Memory) -> Option<Step> {
    let command = memory.lock().rolled_back.take()?;
    Some(event(command, "rolled_back", 100, "the new version did not start"))
}

/// Fetches the image that the memory names, from where it broke off, checks it and installs it.
pub(crate) async fn fetch(api: Arc<Api>, api_key: String, memory: Memory, out: mpsc::Sender<Step>) {
    let Some((command, offer)) = memory.lock().update.clone() else { return };
    let size = usize::try_from(offer.size).unwrap_or(usize::MAX);
    let say = async |step: Step| {
        // Nobody listens any more when the device has ended.
        let _ = out.send(step).await;
    };
    let mut told = usize::MAX;
    let mut attempts = 0;
    let mut pause = FIRST_PAUSE;
    loop {
        let have = memory.lock().image.len();
        if have >= size {
            break;
        }
        if attempts >= MOST_ATTEMPTS {
            memory.lock().update = None;
            say(failed(command, "the image cannot be downloaded")).await;
            return;
        }
        let response = api.range(&offer.url, &api_key, have, &offer.sha256).await;
        let mut body = match response {
            Ok(response) if response.status() == StatusCode::PARTIAL_CONTENT => response.bytes_stream(),
            Ok(response) if response.status() == StatusCode::OK => {
                // All of it, from the beginning: it is another image, or the server knows no ranges.
                memory.lock().image.clear();
                response.bytes_stream()
            }
            Ok(response)
                if response.status().is_client_error() && response.status() != StatusCode::TOO_MANY_REQUESTS =>
            {
                memory.lock().update = None;
                say(failed(command, "the server refuses the image")).await;
                return;
            }
            _ => {
                attempts += 1;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        while let Some(Ok(piece)) = body.next().await {
            attempts = 0;
            pause = FIRST_PAUSE;
            let (have, cut) = {
                let mut flash = memory.lock();
                let room = size.saturating_sub(flash.image.len());
                flash.image.extend_from_slice(&piece[..piece.len().min(room)]);
                let have = flash.image.len();
                let cut = flash.cut_at.is_some_and(|at| have >= at);
                if cut {
                    flash.cut_at = None;
                }
                (have, cut)
            };
            if cut {
                say(Step::PowerCut).await;
                return;
            }
            let tenth = have * 10 / size.max(1);
            if tenth != told {
                told = tenth;
                say(event(command, "downloading", tenth * 10, "")).await;
            }
        }
        attempts += 1;
    }
    say(event(command, "verifying", 100, "")).await;
    let good = {
        let mut flash = memory.lock();
        let is_good = parse_hex::<32>(&offer.sha256).is_some_and(|sum| digest(&SHA256, &flash.image).as_ref() == sum);
        flash.update = None;
        let image = std::mem::take(&mut flash.image);
        if is_good {
            if image.starts_with(BROKEN_IMAGE) {
                flash.rolled_back = Some(command);
            } else {
                flash.version = offer.version;
            }
        }
        is_good
    };
    if good {
        say(Step::Ack(json!({ "command_id": command, "result": "ok" }))).await;
        say(Step::Restart).await;
    } else {
        say(failed(command, "bad checksum")).await;
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn device_refuses_what_is_not_signed_not_for_it_or_older() {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let publisher = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let flash = Flash {
            version: "1.4.0".into(),
            publishers: vec![[7; 32], publisher.public_key().as_ref().try_into().unwrap()],
            ..Flash::default()
        };
        let offer = |version: &str, force| {
            let text = signed_text("lock", version, 3, "ab");
            Offer {
                device_type: "lock".into(),
                version: version.into(),
                size: 3,
                sha256: "ab".into(),
                signature: hex(publisher.sign(text.as_bytes()).as_ref()),
                url: "/x".into(),
                force,
            }
        };
        assert_eq!(refusal(&flash, "lock", &offer("1.5.0", false)), None);
        assert_eq!(refusal(&flash, "lock", &offer("1.3.0", false)), Some("downgrade refused"));
        assert_eq!(refusal(&flash, "lock", &offer("1.3.0", true)), None);
        assert_eq!(refusal(&flash, "door", &offer("1.5.0", false)), Some("image is for another type of device"));
        let relabelled = Offer { version: "1.6.0".into(), ..offer("1.5.0", false) };
        assert_eq!(refusal(&flash, "lock", &relabelled), Some("bad signature"));
        let unsigned = Offer { signature: "00".repeat(64), ..offer("1.5.0", false) };
        assert_eq!(refusal(&flash, "lock", &unsigned), Some("bad signature"));
        let nobody = Flash { publishers: Vec::new(), ..flash };
        assert_eq!(refusal(&nobody, "lock", &offer("1.5.0", false)), Some("bad signature"));
    }
}
