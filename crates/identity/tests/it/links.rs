use portico_identity::UserChange;
use portico_model::identity::Role;
use portico_platform::config::Signup;

use crate::{OTHER_PASSWORD, PASSWORD, code, each, each_with, from, here};

const RESET: &str = "/reset-password";
const VERIFY: &str = "/verify-email";

#[tokio::test]
async fn forgotten_password_is_set_anew_with_a_link_once() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let session = world.sign_in("berta").await;
        world.identity.request_password_reset("BERTA@example.org", &here()).await.unwrap();
        let token = world.last_link("berta@example.org", RESET).await;
        let reset =
            async |token: &str, password: &str| code(world.identity.reset_password(token, password, &here()).await);
        assert_eq!(reset(&token, "short").await, "invalid_fields");
        assert_eq!(reset("made up", OTHER_PASSWORD).await, "link_invalid");
        assert_eq!(code(world.identity.check_reset_link(&token).await), "ok");
        assert_eq!(reset(&token, OTHER_PASSWORD).await, "ok");
        assert_eq!(reset(&token, PASSWORD).await, "link_invalid");
        assert_eq!(code(world.identity.check_reset_link(&token).await), "link_invalid");
        assert_eq!(code(world.identity.authenticate(&session.access_token, &here()).await), "session_ended");
        assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "invalid_credentials");
        assert_eq!(world.try_sign_in("berta", OTHER_PASSWORD, &here()).await, "ok");
        let mails = world.mails().await;
        assert_eq!(mails.last().unwrap().subject, "A new password was set");
        let trail = world.trail().await;
        assert!(trail.contains(&"auth.password_reset success".to_owned()), "{trail:?}");
    })
    .await;
}

#[tokio::test]
async fn reset_link_is_good_for_half_an_hour_and_only_its_hash_is_stored() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        world.identity.request_password_reset("berta", &here()).await.unwrap();
        let token = world.last_link("berta@example.org", RESET).await;
        let mut tx = world.test.platform.db.read().await.unwrap();
        let (hash,): (Vec<u8>,) = portico_platform::on_db!(&mut tx, conn =>
            sqlx::query_as("select token_hash from account_link").fetch_one(conn).await)
        .unwrap();
        assert!(hash.len() == 32 && !token.as_bytes().starts_with(&hash));
        drop(tx);
        world.clock.advance_ms(30 * 60_000);
        assert_eq!(code(world.identity.reset_password(&token, OTHER_PASSWORD, &here()).await), "link_invalid");
    })
    .await;
}

#[tokio::test]
async fn asking_for_a_reset_tells_nothing_and_floods_nobody() {
    each(|world| async move {
        let gone = world.user("gone", Role::User).await;
        world.identity.set_user_active(&world.admin, gone.id, false).await.unwrap();
        for login in ["nobody", "nobody@example.org", "gone"] {
            assert_eq!(code(world.identity.request_password_reset(login, &here()).await), "ok");
        }
        assert!(world.mails().await.is_empty());
        world.user("berta", Role::User).await;
        for address in 1..=10 {
            let ctx = from(&format!("203.0.113.{address}"));
            world.identity.request_password_reset("berta", &ctx).await.unwrap();
        }
        assert_eq!(world.mails().await.len(), 3);
        world.clock.advance_ms(3_600_001);
        world.identity.request_password_reset("berta", &here()).await.unwrap();
        assert_eq!(world.mails().await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn changed_password_makes_reset_links_worthless_and_a_reset_lifts_the_lock() {
    each_with(
        |config| config.identity.account_failures = 6,
        |world| async move {
            world.user("berta", Role::User).await;
            let berta = world.actor("berta").await;
            world.identity.request_password_reset("berta", &here()).await.unwrap();
            let old = world.last_link("berta@example.org", RESET).await;
            world.identity.change_password(&berta, PASSWORD, OTHER_PASSWORD).await.unwrap();
            assert_eq!(code(world.identity.reset_password(&old, PASSWORD, &here()).await), "link_invalid");
            for address in 1..=6 {
                let ctx = from(&format!("203.0.113.{address}"));
                assert_eq!(world.try_sign_in("berta", "wrong", &ctx).await, "invalid_credentials");
            }
            assert_eq!(world.try_sign_in("berta", OTHER_PASSWORD, &here()).await, "locked_out");
            world.identity.request_password_reset("berta", &here()).await.unwrap();
            let token = world.last_link("berta@example.org", RESET).await;
            world.identity.reset_password(&token, PASSWORD, &here()).await.unwrap();
            assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "ok");
        },
    )
    .await;
}

#[tokio::test]
async fn address_is_confirmed_by_the_link_sent_to_it() {
    each_with(
        |config| config.signup = Signup::Open,
        |world| async move {
            world.identity.sign_up("dora", "dora@example.org", PASSWORD, &here()).await.unwrap();
            let dora = world.actor("dora").await;
            assert_eq!(world.identity.current_user(&dora).await.unwrap().email_verified_at, None);
            let token = world.last_link("dora@example.org", VERIFY).await;
            assert_eq!(code(world.identity.verify_email("made up", &here()).await), "link_invalid");
            assert_eq!(code(world.identity.verify_email(&token, &here()).await), "ok");
            assert_eq!(code(world.identity.verify_email(&token, &here()).await), "link_invalid");
            assert!(world.identity.current_user(&dora).await.unwrap().email_verified_at.is_some());
            assert_eq!(code(world.identity.resend_verification(&dora).await), "email_already_verified");

            // Another address is to be confirmed anew, and the owner of the old one is told.
            let change = UserChange { email: Some("dora@example.net".to_owned()), ..UserChange::default() };
            let changed = world.identity.update_user(&dora, dora.user_id().unwrap(), change).await.unwrap();
            assert_eq!(changed.email_verified_at, None);
            let subjects: Vec<_> =
                world.mails().await.into_iter().map(|mail| format!("{} {}", mail.to, mail.subject)).collect();
            assert!(subjects.contains(&"dora@example.org Your e-mail address was changed".to_owned()), "{subjects:?}");
            let second = world.last_link("dora@example.net", VERIFY).await;
            assert_eq!(code(world.identity.resend_verification(&dora).await), "ok");
            assert_eq!(code(world.identity.resend_verification(&dora).await), "ok");
            assert_eq!(code(world.identity.resend_verification(&dora).await), "too_many_links");
            // A link to an address that the account no longer has confirms nothing.
            let back = UserChange { email: Some("dora@example.com".to_owned()), ..UserChange::default() };
            world.identity.update_user(&dora, dora.user_id().unwrap(), back).await.unwrap();
            assert_eq!(code(world.identity.verify_email(&second, &here()).await), "link_invalid");
        },
    )
    .await;
}

#[tokio::test]
async fn unconfirmed_address_can_be_kept_out() {
    each_with(
        |config| {
            config.signup = Signup::Open;
            config.identity.require_verified_email = true;
        },
        |world| async move {
            world.identity.sign_up("dora", "dora@example.org", PASSWORD, &here()).await.unwrap();
            assert_eq!(world.try_sign_in("dora", OTHER_PASSWORD, &here()).await, "invalid_credentials");
            assert_eq!(world.try_sign_in("dora", PASSWORD, &here()).await, "email_not_verified");
            assert_eq!(world.mails().await.len(), 2, "the link was sent again");
            let token = world.last_link("dora@example.org", VERIFY).await;
            world.identity.verify_email(&token, &here()).await.unwrap();
            assert_eq!(world.try_sign_in("dora", PASSWORD, &here()).await, "ok");
        },
    )
    .await;
}

#[tokio::test]
async fn reset_does_not_get_around_the_second_factor() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        crate::second_factor::enrol(&world, &berta).await;
        world.identity.request_password_reset("berta", &here()).await.unwrap();
        let token = world.last_link("berta@example.org", RESET).await;
        world.identity.reset_password(&token, OTHER_PASSWORD, &here()).await.unwrap();
        assert_eq!(world.try_sign_in("berta", OTHER_PASSWORD, &here()).await, "second_factor_required");
    })
    .await;
}
