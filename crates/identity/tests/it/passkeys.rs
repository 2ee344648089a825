use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico_identity::{Proof, SessionKind};
use portico_model::identity::{Factor, Role};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::second_factor::first_step;
use crate::{OTHER_PASSWORD, PASSWORD, World, code, each, each_with, here};

const ORIGIN: &str = "http://localhost:3000";

/// What a browser and its authenticator do (WebAuthn, sections 6.3 and 6.5), with a key in memory.
struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    user: Vec<u8>,
    counter: u32,
    origin: &'static str,
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Authenticator {
    fn new(options: &Value) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let id = Sha256::digest(key.public_key().as_ref())[..16].to_vec();
        let user = URL_SAFE_NO_PAD.decode(options["user"]["id"].as_str().unwrap()).unwrap();
        Self { key, id, user, counter: 0, origin: ORIGIN }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data =
            json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false });
        data.to_string().into_bytes()
    }

    /// User present and verified; `attested` adds the key.
    fn authenticator_data(&mut self, attested: bool) -> Vec<u8> {
        let mut data = Sha256::digest(b"localhost").to_vec();
        data.push(if attested { 0x45 } else { 0x05 });
        self.counter += 1;
        data.extend(self.counter.to_be_bytes());
        if attested {
            data.extend([0; 16]);
            data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
            data.extend(&self.id);
            // COSE key (RFC 9053): {1: 2, 3: -7, -1: 1, -2: x, -3: y}
            let point = self.key.public_key().as_ref();
            data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
            data.extend(&point[1..33]);
            data.extend([0x22, 0x58, 0x20]);
            data.extend(&point[33..]);
        }
        data
    }

    fn create(&mut self, options: &Value) -> Value {
        let data = self.authenticator_data(true);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x58");
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(&data);
        json!({
            "id": base64(&self.id), "rawId": base64(&self.id), "type": "public-key", "extensions": {},
            "response": {
                "attestationObject": base64(&object),
                "clientDataJSON": base64(&self.client_data("webauthn.create", options)),
            },
        })
    }

    fn get(&mut self, options: &Value) -> Value {
        let data = self.authenticator_data(false);
        let client_data = self.client_data("webauthn.get", options);
        let signed = [data.as_slice(), Sha256::digest(&client_data).as_slice()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": base64(&self.id), "rawId": base64(&self.id), "type": "public-key", "extensions": {},
            "response": {
                "authenticatorData": base64(&data), "clientDataJSON": base64(&client_data),
                "signature": base64(signature.as_ref()), "userHandle": base64(&self.user),
            },
        })
    }
}

/// A passkey on the account, and its recovery codes.
async fn add(world: &World, actor: &portico_platform::Actor) -> (Authenticator, Vec<String>) {
    let begun = world.identity.begin_passkey(actor).await.unwrap();
    assert_eq!(begun.public_key["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(begun.public_key["rp"]["id"], "localhost");
    let mut authenticator = Authenticator::new(&begun.public_key);
    let credential = authenticator.create(&begun.public_key);
    let (_, codes) = world.identity.add_passkey(actor, &begun.challenge_token, "Phone", &credential).await.unwrap();
    (authenticator, codes)
}

async fn sign_in(world: &World, authenticator: &mut Authenticator) -> &'static str {
    let begun = world.identity.begin_passkey_sign_in().await.unwrap();
    let answer = authenticator.get(&begun.public_key);
    code(world.identity.sign_in_with_passkey(&begun.challenge_token, &answer, SessionKind::Browser, &here()).await)
}

#[tokio::test]
async fn passkey_alone_signs_in_and_each_ceremony_works_once() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (mut key, codes) = add(&world, &berta).await;
        assert_eq!(codes.len(), 10, "with the first second factor come recovery codes");
        let here = here();
        let begun = world.identity.begin_passkey_sign_in().await.unwrap();
        assert_eq!(begun.public_key["allowCredentials"], json!([]));
        let answer = key.get(&begun.public_key);
        let finish = world.identity.sign_in_with_passkey(&begun.challenge_token, &answer, SessionKind::Browser, &here);
        let signed_in = finish.await.unwrap();
        assert_eq!(Some(signed_in.user.id), berta.user_id());
        let replay = world.identity.sign_in_with_passkey(&begun.challenge_token, &answer, SessionKind::Browser, &here);
        assert_eq!(code(replay.await), "challenge_expired");
        // The answer to another challenge.
        let other = world.identity.begin_passkey_sign_in().await.unwrap();
        let replay = world.identity.sign_in_with_passkey(&other.challenge_token, &answer, SessionKind::Browser, &here);
        assert_eq!(code(replay.await), "invalid_passkey");
        let used = world.identity.passkeys(&berta).await.unwrap();
        assert!(used[0].last_used_at.is_some());
        assert!(world.trail().await.contains(&"auth.passkey_failed failed".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn passkey_is_a_second_factor_and_proves_a_stale_session_anew() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (mut key, _) = add(&world, &berta).await;
        let challenge = first_step(&world, "berta", &here()).await;
        assert_eq!(challenge.factors, [Factor::Passkey, Factor::RecoveryCode]);
        let finish = async |proof: Value| {
            code(world.identity.sign_in_second_factor(&challenge.token, &Proof::Passkey(proof), &here()).await)
        };
        // Without a ceremony there is nothing to answer.
        let nothing = json!({ "challenge": "AAAA" });
        assert_eq!(finish(key.get(&nothing)).await, "invalid_second_factor");
        let options = world.identity.begin_second_factor_passkey(&challenge.token).await.unwrap();
        assert_eq!(options["allowCredentials"][0]["id"], base64(&key.id));
        assert_eq!(finish(key.get(&options)).await, "ok");

        world.clock.advance_ms(601_000);
        assert_eq!(code(world.identity.require_fresh_authentication(&berta).await), "step_up_required");
        let begun = world.identity.begin_step_up_passkey(&berta).await.unwrap();
        let proof = Proof::Passkey(key.get(&begun.public_key));
        // Another session's ceremony is not his.
        let admin = world.identity.step_up(&world.admin, &proof, Some(&begun.challenge_token)).await;
        assert_eq!(code(admin), "challenge_expired");
        let begun = world.identity.begin_step_up_passkey(&berta).await.unwrap();
        let proof = Proof::Passkey(key.get(&begun.public_key));
        assert_eq!(code(world.identity.step_up(&berta, &proof, Some(&begun.challenge_token)).await), "ok");
        assert_eq!(code(world.identity.require_fresh_authentication(&berta).await), "ok");
    })
    .await;
}

#[tokio::test]
async fn foreign_pages_copied_keys_and_other_peoples_keys_are_refused() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (mut key, _) = add(&world, &berta).await;
        assert_eq!(sign_in(&world, &mut key).await, "ok");
        key.origin = "http://evil.example";
        assert_eq!(sign_in(&world, &mut key).await, "invalid_passkey");
        key.origin = ORIGIN;
        // A copy counts on from where it was made: its counter is behind.
        key.counter -= 2;
        assert_eq!(sign_in(&world, &mut key).await, "invalid_passkey");
        key.counter += 2;
        assert_eq!(sign_in(&world, &mut key).await, "ok");
        // Whose the authenticator says it is must be whose it is.
        let own = std::mem::replace(&mut key.user, world.admin.user_id().unwrap().uuid().as_bytes().to_vec());
        assert_eq!(sign_in(&world, &mut key).await, "invalid_passkey");
        key.user = own;
        // The administrator's second step does not take Berta's passkey.
        let (_, _) = add(&world, &world.admin).await;
        let challenge = first_step(&world, "admin", &here()).await;
        let options = world.identity.begin_second_factor_passkey(&challenge.token).await.unwrap();
        let proof = Proof::Passkey(key.get(&options));
        let answer = world.identity.sign_in_second_factor(&challenge.token, &proof, &here()).await;
        assert_eq!(code(answer), "invalid_second_factor");
        // Nonsense is refused without a record.
        let begun = world.identity.begin_passkey_sign_in().await.unwrap();
        let nonsense = json!({ "id": 5 });
        let answer =
            world.identity.sign_in_with_passkey(&begun.challenge_token, &nonsense, SessionKind::Api, &here()).await;
        assert_eq!(code(answer), "invalid_passkey");
    })
    .await;
}

#[tokio::test]
async fn passkeys_are_named_and_deleted_by_their_owner_alone() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (mut key, _) = add(&world, &berta).await;
        let id = world.identity.passkeys(&berta).await.unwrap()[0].id;
        assert_eq!(code(world.identity.rename_passkey(&world.admin, id, "Mine").await), "passkey_not_found");
        assert_eq!(code(world.identity.delete_passkey(&world.admin, id).await), "passkey_not_found");
        assert_eq!(code(world.identity.rename_passkey(&berta, id, "  ").await), "invalid_fields");
        assert_eq!(world.identity.rename_passkey(&berta, id, " Blue key ").await.unwrap().name, "Blue key");
        // The same authenticator is not registered twice.
        let begun = world.identity.begin_passkey(&berta).await.unwrap();
        assert_eq!(begun.public_key["excludeCredentials"][0]["id"], base64(&key.id));
        let again = key.create(&begun.public_key);
        let answer = world.identity.add_passkey(&berta, &begun.challenge_token, "Twice", &again).await;
        assert!(matches!(code(answer), "passkey_exists" | "invalid_fields"));
        world.clock.advance_ms(601_000);
        assert_eq!(code(world.identity.delete_passkey(&berta, id).await), "step_up_required");
        world.identity.step_up_with_password(&berta, PASSWORD).await.unwrap();
        world.identity.delete_passkey(&berta, id).await.unwrap();
        assert_eq!(sign_in(&world, &mut key).await, "invalid_passkey");
        assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "ok");
        assert_eq!(world.identity.factors(&berta).await.unwrap().recovery_codes_left, 0);
    })
    .await;
}

#[tokio::test]
async fn passkey_of_a_deactivated_account_opens_nothing() {
    each(|world| async move {
        let user = world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (mut key, _) = add(&world, &berta).await;
        world.identity.set_user_active(&world.admin, user.id, false).await.unwrap();
        assert_eq!(sign_in(&world, &mut key).await, "account_inactive");
        assert_eq!(world.try_sign_in("berta", OTHER_PASSWORD, &here()).await, "invalid_credentials");
    })
    .await;
}

#[tokio::test]
async fn where_there_is_no_host_name_there_are_no_passkeys() {
    each_with(
        |config| config.public_url = Some("http://192.0.2.7:3000".to_owned()),
        |world| async move {
            assert!(!world.identity.passkeys_available());
            assert_eq!(code(world.identity.begin_passkey_sign_in().await), "passkeys_unavailable");
        },
    )
    .await;
}
