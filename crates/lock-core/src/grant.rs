//! Permission to open one lock over Bluetooth, without network: signed by Portico (Ed25519), short-lived, for one lock
//! and one holder, who proves with a key of his own that it is he.
//!
//! A grant is [`GRANT_BYTES`] bytes, all numbers big-endian:
//!
//! ```text
//! offset  bytes
//!      0      1  version, 1
//!      1     16  id of the grant
//!     17     16  id of the lock
//!     33     16  id of the person's account
//!     49     32  the holder's public key (Ed25519)
//!     81      8  issued at, epoch milliseconds
//!     89      8  expires at, epoch milliseconds
//!     97     64  signature of the bytes before, under Portico's key
//! ```
//!
//! The lock gives 32 random bytes. The holder signs [`PROOF_PREFIX`], the lock's id, those bytes, the id of the grant and one
//! byte for what to do (0 lock, 1 unlock) with his own key. So neither a grant nor a proof that somebody overhears is
//! of any use.

use ed25519_dalek::{Signature, VerifyingKey};

/// Length of a grant.
pub const GRANT_BYTES: usize = 161;

/// Length of what a holder signs.
pub const PROOF_TEXT_BYTES: usize = PROOF_PREFIX.len() + 16 + 32 + 16 + 1;

/// What a proof begins with.
pub const PROOF_PREFIX: &[u8; 15] = b"portico-proof-1";

const SIGNED_BYTES: usize = GRANT_BYTES - 64;
const VERSION: u8 = 1;

/// What a grant says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub id: [u8; 16],
    pub lock: [u8; 16],
    pub user: [u8; 16],
    pub holder: [u8; 32],
    pub issued_at_ms: u64,
    pub expires_at_ms: u64,
}

/// What the holder wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Lock,
    Unlock,
}

/// Why the lock does not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// No grant.
    Unreadable,
    /// Not signed by Portico.
    Forged,
    /// For another lock.
    OtherLock,
    /// The lock does not know what time it is.
    NoClock,
    Expired,
    Revoked,
    /// The holder has not signed this challenge.
    NotProven,
}

impl Denial {
    /// As the lock reports it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Forged => "forged",
            Self::OtherLock => "other_lock",
            Self::NoClock => "no_clock",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::NotProven => "not_proven",
        }
    }
}

/// Grants that no longer count although they have not expired. A lock that has no room for another raises the floor:
/// then every grant up to that moment has to be fetched anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked<const N: usize> {
    /// Ids, and when they would expire in any case.
    ids: [Option<([u8; 16], u64)>; N],
    /// Grants issued before do not count.
    floor_ms: u64,
}

impl<const N: usize> Default for Revoked<N> {
    fn default() -> Self {
        Self { ids: [None; N], floor_ms: 0 }
    }
}

impl<const N: usize> Revoked<N> {
    /// The grant of that id no longer counts.
    pub fn add(&mut self, id: [u8; 16], expires_at_ms: u64, now_ms: u64) {
        if self.ids.iter().flatten().any(|(known, _)| *known == id) {
            return;
        }
        let is_free = |place: &&mut Option<([u8; 16], u64)>| place.is_none_or(|(_, expiry)| expiry <= now_ms);
        match self.ids.iter_mut().find(is_free) {
            Some(place) => *place = Some((id, expires_at_ms)),
            None => self.floor_ms = self.floor_ms.max(now_ms.saturating_add(1)),
        }
    }

    /// No grant issued before counts any more.
    pub fn add_all_before(&mut self, at_ms: u64) {
        self.floor_ms = self.floor_ms.max(at_ms);
    }

    #[must_use]
    pub fn contains(&self, grant: &Grant) -> bool {
        grant.issued_at_ms < self.floor_ms || self.ids.iter().flatten().any(|(id, _)| *id == grant.id)
    }
}

impl Grant {
    /// What Portico signs.
    #[must_use]
    pub fn to_signed(&self) -> [u8; SIGNED_BYTES] {
        let mut bytes = [0; SIGNED_BYTES];
        bytes[0] = VERSION;
        bytes[1..17].copy_from_slice(&self.id);
        bytes[17..33].copy_from_slice(&self.lock);
        bytes[33..49].copy_from_slice(&self.user);
        bytes[49..81].copy_from_slice(&self.holder);
        bytes[81..89].copy_from_slice(&self.issued_at_ms.to_be_bytes());
        bytes[89..97].copy_from_slice(&self.expires_at_ms.to_be_bytes());
        bytes
    }

    /// The grant with its signature.
    #[must_use]
    pub fn with_signature(&self, signature: &[u8; 64]) -> [u8; GRANT_BYTES] {
        let mut bytes = [0; GRANT_BYTES];
        bytes[..SIGNED_BYTES].copy_from_slice(&self.to_signed());
        bytes[SIGNED_BYTES..].copy_from_slice(signature);
        bytes
    }

    /// Reads a grant that Portico has signed.
    ///
    /// # Errors
    /// Unreadable or forged.
    pub fn read(bytes: &[u8], portico: &[u8; 32]) -> Result<Self, Denial> {
        let bytes: &[u8; GRANT_BYTES] = bytes.try_into().map_err(|_| Denial::Unreadable)?;
        let (signed, signature) = bytes.split_at(SIGNED_BYTES);
        if bytes[0] != VERSION {
            return Err(Denial::Unreadable);
        }
        if !is_signed(portico, signed, signature) {
            return Err(Denial::Forged);
        }
        let part = |from: usize| <[u8; 16]>::try_from(&bytes[from..from + 16]).unwrap_or_default();
        let number = |from: usize| u64::from_be_bytes(<[u8; 8]>::try_from(&bytes[from..from + 8]).unwrap_or_default());
        let holder = <[u8; 32]>::try_from(&bytes[49..81]).unwrap_or_default();
        Ok(Self {
            id: part(1),
            lock: part(17),
            user: part(33),
            holder,
            issued_at_ms: number(81),
            expires_at_ms: number(89),
        })
    }

    /// What the holder signs to have this lock do as he wishes, once.
    #[must_use]
    pub fn proof_text(&self, challenge: &[u8; 32], wish: Wish) -> [u8; PROOF_TEXT_BYTES] {
        let mut text = [0; PROOF_TEXT_BYTES];
        let (prefix, rest) = text.split_at_mut(PROOF_PREFIX.len());
        prefix.copy_from_slice(PROOF_PREFIX);
        rest[..16].copy_from_slice(&self.lock);
        rest[16..48].copy_from_slice(challenge);
        rest[48..64].copy_from_slice(&self.id);
        rest[64] = u8::from(wish == Wish::Unlock);
        text
    }
}

/// What a lock knows when somebody comes with a grant.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a, const N: usize> {
    /// Portico's public key.
    pub portico: &'a [u8; 32],
    /// The lock's own id.
    pub lock: &'a [u8; 16],
    pub revoked: &'a Revoked<N>,
    /// Epoch milliseconds; absent: it does not know the time.
    pub now_ms: Option<u64>,
}

impl<const N: usize> Verifier<'_, N> {
    /// Whether the lock does it. A challenge is good for one try: the lock makes another after it, however it ended.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, grant: &[u8], challenge: &[u8; 32], wish: Wish, proof: &[u8]) -> Result<Grant, Denial> {
        let grant = Grant::read(grant, self.portico)?;
        if grant.lock != *self.lock {
            return Err(Denial::OtherLock);
        }
        // A lock whose clock was never set cannot tell an old grant from a new one.
        let now = self.now_ms.ok_or(Denial::NoClock)?;
        if now >= grant.expires_at_ms {
            return Err(Denial::Expired);
        }
        if self.revoked.contains(&grant) {
            return Err(Denial::Revoked);
        }
        if !is_signed(&grant.holder, &grant.proof_text(challenge, wish), proof) {
            return Err(Denial::NotProven);
        }
        Ok(grant)
    }
}

fn is_signed(key: &[u8; 32], text: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    // Strict: a weak key, for which anything passes, is refused.
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(text, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    extern crate std;

    use ed25519_dalek::{Signer as _, SigningKey};
    use proptest::prelude::*;

    use super::*;

    const LOCK: [u8; 16] = [1; 16];
    const CHALLENGE: [u8; 32] = [9; 32];

    fn portico() -> SigningKey {
        SigningKey::from_bytes(&[3; 32])
    }

    fn holder() -> SigningKey {
        SigningKey::from_bytes(&[4; 32])
    }

    fn grant() -> Grant {
        Grant {
            id: [7; 16],
            lock: LOCK,
            user: [8; 16],
            holder: holder().verifying_key().to_bytes(),
            issued_at_ms: 1_000,
            expires_at_ms: 2_000,
        }
    }

    fn signed(grant: &Grant) -> [u8; GRANT_BYTES] {
        grant.with_signature(&portico().sign(&grant.to_signed()).to_bytes())
    }

    fn prove(grant: &Grant, challenge: &[u8; 32], wish: Wish) -> [u8; 64] {
        holder().sign(&grant.proof_text(challenge, wish)).to_bytes()
    }

    fn check(now_ms: Option<u64>, revoked: &Revoked<2>, grant: &[u8], proof: &[u8]) -> Result<Grant, Denial> {
        let portico = portico().verifying_key().to_bytes();
        let verifier = Verifier { portico: &portico, lock: &LOCK, revoked, now_ms };
        verifier.check(grant, &CHALLENGE, Wish::Unlock, proof)
    }

    #[test]
    #[allow(clippy::type_complexity)] // a table
    fn holder_of_a_good_grant_gets_in_and_nobody_else() {
        let none = Revoked::default();
        let good = grant();
        let proof = prove(&good, &CHALLENGE, Wish::Unlock);
        assert_eq!(check(Some(1_500), &none, &signed(&good), &proof), Ok(good));

        let mut revoked = Revoked::default();
        revoked.add(good.id, good.expires_at_ms, 1_100);
        let other_lock = Grant { lock: [2; 16], ..good };
        let stranger = SigningKey::from_bytes(&[5; 32]);
        let forged = good.with_signature(&stranger.sign(&good.to_signed()).to_bytes());
        let other_challenge = prove(&good, &[0; 32], Wish::Unlock);
        let other_wish = prove(&good, &CHALLENGE, Wish::Lock);
        let not_his = stranger.sign(&good.proof_text(&CHALLENGE, Wish::Unlock)).to_bytes();
        let good = signed(&good);
        let table: [(Option<u64>, &Revoked<2>, &[u8], &[u8], Denial); 9] = [
            (Some(2_000), &none, &good, &proof, Denial::Expired),
            (None, &none, &good, &proof, Denial::NoClock),
            (Some(1_500), &revoked, &good, &proof, Denial::Revoked),
            (Some(1_500), &none, &forged, &proof, Denial::Forged),
            (Some(1_500), &none, &signed(&other_lock), &proof, Denial::OtherLock),
            (Some(1_500), &none, &good[..160], &proof, Denial::Unreadable),
            (Some(1_500), &none, &good, &other_challenge, Denial::NotProven),
            (Some(1_500), &none, &good, &other_wish, Denial::NotProven),
            (Some(1_500), &none, &good, &not_his, Denial::NotProven),
        ];
        for (now, revoked, grant, proof, denial) in table {
            assert_eq!(check(now, revoked, grant, proof), Err(denial));
        }
    }

    #[test]
    fn list_that_is_full_revokes_all_grants_so_far() {
        let mut revoked: Revoked<2> = Revoked::default();
        for id in 1..=3 {
            revoked.add([id; 16], 5_000, 1_200);
        }
        assert!(revoked.contains(&Grant { id: [3; 16], ..grant() }));
        assert!(revoked.contains(&grant()), "issued before");
        assert!(!revoked.contains(&Grant { issued_at_ms: 1_300, ..grant() }));
        revoked.add([4; 16], 9_000, 6_000);
        assert!(
            revoked.contains(&Grant { id: [4; 16], issued_at_ms: 8_000, ..grant() }),
            "in the place of an expired one"
        );
        revoked.add_all_before(10_000);
        assert!(revoked.contains(&Grant { issued_at_ms: 9_999, ..grant() }));
    }

    proptest! {
        // The curve is slow without optimisation.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn one_changed_byte_and_it_is_no_grant(at in 0..GRANT_BYTES, by in 1_u8..) {
            let mut bytes = signed(&grant());
            bytes[at] = bytes[at].wrapping_add(by);
            let proof = prove(&grant(), &CHALLENGE, Wish::Unlock);
            prop_assert!(check(Some(1_500), &Revoked::default(), &bytes, &proof).is_err());
        }

        #[test]
        fn nothing_that_strangers_send_makes_it_fail(grant in prop::collection::vec(any::<u8>(), 0..200), proof in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(check(Some(1), &Revoked::default(), &grant, &proof).is_err());
        }
    }
}
