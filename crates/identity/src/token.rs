//! Tokens: the access token (a signed JWT, short-lived) and random secrets of which only the hash is stored.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use portico_model::{OrganizationId, SessionId, Timestamp, UserId};
use portico_platform::secrets::{hex, keyed_hash};
use portico_platform::{Error, Result};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const ISSUER: &str = "portico";

/// What an access token says (RFC 7519). It is believed only while its session lives in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub sub: UserId,
    pub sid: SessionId,
    pub org: OrganizationId,
    /// Seconds since 1970.
    pub iat: i64,
    /// Seconds since 1970.
    pub exp: i64,
    pub iss: String,
}

/// Signs and verifies access tokens; makes the successors of refresh tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    refresh_key: [u8; 32],
}

impl Tokens {
    #[must_use]
    pub fn new(access_key: [u8; 32], refresh_key: [u8; 32]) -> Self {
        Self {
            encoding: EncodingKey::from_secret(&access_key),
            decoding: DecodingKey::from_secret(&access_key),
            refresh_key,
        }
    }

    /// # Errors
    /// Internal, when signing fails.
    pub fn sign(
        &self,
        user: UserId,
        session: SessionId,
        organization: OrganizationId,
        now: Timestamp,
        lifetime_s: i64,
    ) -> Result<String> {
        let iat = now.millis().div_euclid(1000);
        let claims =
            Claims { sub: user, sid: session, org: organization, iat, exp: iat + lifetime_s, iss: ISSUER.to_owned() };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(Error::internal)
    }

    /// # Errors
    /// Unauthenticated: `invalid_token` when it is not ours or was altered, `token_expired` when its time is over.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // The expiry is compared with our own clock below, which tests can move.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|_| Error::unauthenticated("invalid_token", "The access token is not valid. Sign in again."))?
            .claims;
        if claims.exp.saturating_mul(1000) <= now.millis() {
            return Err(Error::unauthenticated(
                "token_expired",
                "The access token has expired. Refresh it or sign in.",
            ));
        }
        Ok(claims)
    }

    /// The token that follows `token`: made anew from it, a random salt and our key, so that the same one can be handed
    /// out again to a request that raced with the first, although only its hash is stored.
    #[must_use]
    pub fn successor(&self, token: &str, salt: &[u8]) -> String {
        hex(&keyed_hash(&self.refresh_key, &[b"successor", token.as_bytes(), salt]))
    }
}

/// 256 random bits, as 64 hexadecimal characters.
#[must_use]
pub fn random_token() -> String {
    hex(&random_bytes())
}

#[must_use]
pub fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// What is stored of a random token.
#[must_use]
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_226_400_000);

    fn tokens(key: u8) -> Tokens {
        Tokens::new([key; 32], [key; 32])
    }

    fn signed(tokens: &Tokens) -> String {
        tokens.sign(UserId::generate(), SessionId::generate(), OrganizationId::generate(), NOW, 900).unwrap()
    }

    #[test]
    fn token_is_valid_until_its_last_second() {
        let tokens = tokens(1);
        let token = signed(&tokens);
        assert!(tokens.verify(&token, NOW.plus_millis(899_999)).is_ok());
        assert_eq!(tokens.verify(&token, NOW.plus_millis(900_000)).unwrap_err().code(), "token_expired");
    }

    #[test]
    fn token_of_another_key_or_altered_is_refused() {
        let token = signed(&tokens(1));
        assert_eq!(tokens(2).verify(&token, NOW).unwrap_err().code(), "invalid_token");
        let altered = token.replacen('.', ".A", 1);
        assert_eq!(tokens(1).verify(&altered, NOW).unwrap_err().code(), "invalid_token");
    }

    #[test]
    fn unsigned_token_is_refused() {
        let token = signed(&tokens(1));
        let payload = token.split('.').nth(1).unwrap();
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
        assert_eq!(tokens(1).verify(&unsigned, NOW).unwrap_err().code(), "invalid_token");
    }

    #[test]
    fn successor_depends_on_token_salt_and_key() {
        let first = tokens(1).successor("a", b"salt");
        assert_eq!(first.len(), 64);
        assert_eq!(first, tokens(1).successor("a", b"salt"));
        assert_ne!(first, tokens(1).successor("b", b"salt"));
        assert_ne!(first, tokens(1).successor("a", b"other"));
        assert_ne!(first, tokens(2).successor("a", b"salt"));
    }
}
