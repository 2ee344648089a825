use portico_identity::{Proof, RequestContext, SecondFactorChallenge, SessionKind, SignIn};
use portico_model::identity::{Factor, Role};
use portico_platform::Actor;
use totp_rs::{Builder, Secret};

use crate::{OTHER_PASSWORD, PASSWORD, World, code, each, each_with, from, here};

/// An authenticator app.
pub struct App(Secret);

impl App {
    pub fn new(secret: &str) -> Self {
        Self(Secret::try_from_base32(secret).unwrap())
    }

    /// The code it shows.
    pub fn code(&self, world: &World) -> String {
        let totp = Builder::new().with_secret(self.0.as_bytes()).build().unwrap();
        totp.generate(u64::try_from(world.clock.now().millis() / 1000).unwrap()).to_string()
    }
}

/// Sets an app up; the next code is good for the next step only.
pub async fn enrol(world: &World, actor: &Actor) -> (App, Vec<String>) {
    let app = App::new(&world.identity.begin_totp(actor).await.unwrap().secret);
    let codes = world.identity.confirm_totp(actor, &app.code(world)).await.unwrap();
    world.clock.advance_ms(30_000);
    (app, codes)
}

pub async fn first_step(world: &World, login: &str, ctx: &RequestContext) -> SecondFactorChallenge {
    match world.identity.begin_sign_in(login, PASSWORD, SessionKind::Browser, ctx).await.unwrap() {
        SignIn::SecondFactor(challenge) => challenge,
        SignIn::Done(_) => panic!("no second factor was asked for"),
    }
}

async fn second_step(world: &World, token: &str, proof: Proof, ctx: &RequestContext) -> &'static str {
    code(world.identity.sign_in_second_factor(token, &proof, ctx).await)
}

fn totp(text: &str) -> Proof {
    Proof::Totp(text.to_owned())
}

#[tokio::test]
async fn password_alone_opens_nothing_once_an_app_is_set_up() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let begun = world.identity.begin_totp(&berta).await.unwrap();
        assert!(begun.url.starts_with("otpauth://totp/Portico:berta?") && begun.qr_svg.starts_with("<svg"));
        // Begun, but not confirmed: nothing has changed.
        assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "ok");
        let wrong = world.identity.confirm_totp(&berta, "000000").await.unwrap_err();
        assert_eq!(wrong.field_errors()[0].field, "code");
        let (app, codes) = enrol(&world, &berta).await;
        assert_eq!(codes.len(), 10);

        assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "second_factor_required");
        let challenge = first_step(&world, "berta", &here()).await;
        assert_eq!(challenge.factors, [Factor::Totp, Factor::RecoveryCode]);
        assert_eq!(second_step(&world, &challenge.token, totp("000000"), &here()).await, "invalid_second_factor");
        let proof = totp(&app.code(&world));
        let signed_in = world.identity.sign_in_second_factor(&challenge.token, &proof, &here()).await.unwrap();
        let actor = world.identity.authenticate(&signed_in.access_token, &here()).await.unwrap();
        assert_eq!(actor.user_id(), berta.user_id());
        // Neither the challenge nor its token is good for more.
        assert_eq!(second_step(&world, &challenge.token, proof, &here()).await, "challenge_expired");
        let trail = world.trail().await;
        for entry in ["auth.totp_enabled success", "auth.second_factor_failed failed", "auth.signed_in success"] {
            assert!(trail.contains(&entry.to_owned()), "{entry}: {trail:?}");
        }
        assert!(world.mails().await.iter().any(|mail| mail.subject == "An authenticator app was set up"));
    })
    .await;
}

#[tokio::test]
async fn code_works_once_and_so_does_a_recovery_code() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (app, codes) = enrol(&world, &berta).await;
        let seen = app.code(&world);
        let first = first_step(&world, "berta", &here()).await;
        assert_eq!(second_step(&world, &first.token, totp(&seen), &here()).await, "ok");
        // Someone who looked over the shoulder, knowing the password, is late.
        let again = first_step(&world, "berta", &here()).await;
        assert_eq!(second_step(&world, &again.token, totp(&seen), &here()).await, "invalid_second_factor");
        let recovery = Proof::RecoveryCode(codes[3].to_uppercase());
        assert_eq!(second_step(&world, &again.token, recovery.clone(), &here()).await, "ok");
        let third = first_step(&world, "berta", &here()).await;
        assert_eq!(second_step(&world, &third.token, recovery, &here()).await, "invalid_second_factor");
        assert_eq!(world.identity.factors(&berta).await.unwrap().recovery_codes_left, 9);
        // New codes make the old ones worthless.
        let renewed = world.identity.renew_recovery_codes(&berta).await.unwrap();
        let old = Proof::RecoveryCode(codes[4].clone());
        assert_eq!(second_step(&world, &third.token, old, &here()).await, "invalid_second_factor");
        let new = Proof::RecoveryCode(renewed[0].clone());
        assert_eq!(second_step(&world, &third.token, new, &here()).await, "ok");
    })
    .await;
}

#[tokio::test]
async fn two_requests_with_one_code_open_one_session() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (app, _) = enrol(&world, &berta).await;
        let (first, second) = (first_step(&world, "berta", &here()).await, first_step(&world, "berta", &here()).await);
        let proof = totp(&app.code(&world));
        let here = here();
        let (one, other) = tokio::join!(
            world.identity.sign_in_second_factor(&first.token, &proof, &here),
            world.identity.sign_in_second_factor(&second.token, &proof, &here),
        );
        assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1);
    })
    .await;
}

#[tokio::test]
async fn challenge_is_over_after_five_minutes_or_a_new_password() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (app, _) = enrol(&world, &berta).await;
        let old = first_step(&world, "berta", &here()).await;
        world.clock.advance_ms(300_000);
        assert_eq!(second_step(&world, &old.token, totp(&app.code(&world)), &here()).await, "challenge_expired");
        let challenge = first_step(&world, "berta", &here()).await;
        world.identity.change_password(&berta, PASSWORD, OTHER_PASSWORD).await.unwrap();
        assert_eq!(second_step(&world, &challenge.token, totp(&app.code(&world)), &here()).await, "challenge_expired");
        let (_, stranger) = world.stranger().await;
        assert_ne!(Some(stranger), berta.user_id());
        assert_eq!(second_step(&world, "made up", totp("123456"), &here()).await, "challenge_expired");
    })
    .await;
}

#[tokio::test]
async fn guessing_the_second_factor_locks_the_guesser_not_the_owner() {
    each_with(
        |config| config.identity.account_failures = 12,
        |world| async move {
            world.user("berta", Role::User).await;
            let berta = world.actor("berta").await;
            let (app, _) = enrol(&world, &berta).await;
            let known = first_step(&world, "berta", &here()).await;
            let proof = totp(&app.code(&world));
            let owner = world.identity.sign_in_second_factor(&known.token, &proof, &here()).await.unwrap();
            world.clock.advance_ms(30_000);
            // Who has the password guesses codes: five from one address …
            let guesser = from("203.0.113.1");
            let challenge = first_step(&world, "berta", &guesser).await;
            for guess in 0..5 {
                let answer = second_step(&world, &challenge.token, totp(&format!("00000{guess}")), &guesser).await;
                assert_eq!(answer, "invalid_second_factor");
            }
            let right = totp(&app.code(&world));
            assert_eq!(second_step(&world, &challenge.token, right, &guesser).await, "locked_out");
            // … and then from others, until all unknown devices have to wait.
            for address in 2..=8 {
                let guesser = from(&format!("203.0.113.{address}"));
                let challenge = first_step(&world, "berta", &guesser).await;
                assert_eq!(
                    second_step(&world, &challenge.token, totp("000000"), &guesser).await,
                    "invalid_second_factor"
                );
            }
            let elsewhere = from("198.51.100.7");
            let challenge = first_step(&world, "berta", &elsewhere).await;
            let right = totp(&app.code(&world));
            assert_eq!(second_step(&world, &challenge.token, right.clone(), &elsewhere).await, "locked_out");
            // The owner's browser gets in all the same.
            let known = RequestContext { device_token: owner.device_token, ..from("203.0.113.1") };
            let challenge = first_step(&world, "berta", &known).await;
            assert_eq!(second_step(&world, &challenge.token, right, &known).await, "ok");
        },
    )
    .await;
}

#[tokio::test]
async fn removing_the_app_ends_the_second_step() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        enrol(&world, &berta).await;
        assert_eq!(code(world.identity.begin_totp(&berta).await), "totp_exists");
        world.identity.remove_totp(&berta).await.unwrap();
        assert_eq!(world.identity.factors(&berta).await.unwrap(), Default::default());
        assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "ok");
        assert_eq!(code(world.identity.remove_totp(&berta).await), "totp_not_found");
        assert_eq!(code(world.identity.renew_recovery_codes(&berta).await), "no_second_factor");
    })
    .await;
}

#[tokio::test]
async fn deactivated_account_does_not_pass_the_second_step() {
    each(|world| async move {
        let user = world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (app, _) = enrol(&world, &berta).await;
        let challenge = first_step(&world, "berta", &here()).await;
        world.identity.set_user_active(&world.admin, user.id, false).await.unwrap();
        let right = totp(&app.code(&world));
        assert_eq!(second_step(&world, &challenge.token, right, &here()).await, "account_inactive");
    })
    .await;
}

#[tokio::test]
async fn secrets_are_not_in_the_database_as_they_are() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let begun = world.identity.begin_totp(&berta).await.unwrap();
        let app = App::new(&begun.secret);
        let codes = world.identity.confirm_totp(&berta, &app.code(&world)).await.unwrap();
        let mut tx = world.test.platform.db.read().await.unwrap();
        let (stored,): (Vec<u8>,) = portico_platform::on_db!(&mut tx, conn =>
            sqlx::query_as("select secret from totp_factor").fetch_one(conn).await)
        .unwrap();
        let hashes: Vec<(Vec<u8>,)> = portico_platform::on_db!(&mut tx, conn =>
            sqlx::query_as("select code_hash from recovery_code").fetch_all(conn).await)
        .unwrap();
        let secret = Secret::try_from_base32(&begun.secret).unwrap();
        assert!(!stored.windows(secret.as_bytes().len()).any(|part| part == secret.as_bytes()));
        let plain = codes[0].replace('-', "");
        assert!(hashes.iter().all(|(hash,)| hash.len() == 32 && !hash.starts_with(plain.as_bytes())));
    })
    .await;
}
