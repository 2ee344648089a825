use std::collections::HashMap;

use portico_identity::{RequestContext, SessionKind};
use portico_model::identity::Role;

use crate::{OTHER_PASSWORD, PASSWORD, World, each, each_with, from, here};

/// So many wrong passwords, each answered as such.
async fn fail(world: &World, login: &str, ctx: &RequestContext, times: usize) {
    for _ in 0..times {
        assert_eq!(world.try_sign_in(login, OTHER_PASSWORD, ctx).await, "invalid_credentials");
    }
}

#[tokio::test]
async fn five_failures_lock_that_address_for_fifteen_minutes() {
    each(|world| async move {
        fail(&world, "admin", &here(), 5).await;
        assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "locked_out");
        world.clock.advance_ms(15 * 60_000 - 1);
        assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "locked_out");
        world.clock.advance_ms(1);
        assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "ok");
    })
    .await;
}

#[tokio::test]
async fn right_password_clears_the_count() {
    each(|world| async move {
        fail(&world, "admin", &here(), 4).await;
        assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "ok");
        fail(&world, "admin", &here(), 4).await;
        assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "ok");
    })
    .await;
}

#[tokio::test]
async fn other_addresses_and_other_accounts_are_not_locked() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        fail(&world, "admin", &here(), 5).await;
        assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "ok");
        assert_eq!(world.try_sign_in("admin", PASSWORD, &from("198.51.100.7")).await, "ok");
        assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "locked_out");
    })
    .await;
}

#[tokio::test]
async fn neighbours_in_an_ipv6_network_share_a_count() {
    each(|world| async move {
        for host in 1..=5 {
            fail(&world, "admin", &from(&format!("2001:db8:1:2::{host}")), 1).await;
        }
        assert_eq!(world.try_sign_in("admin", PASSWORD, &from("2001:db8:1:2::99")).await, "locked_out");
        assert_eq!(world.try_sign_in("admin", PASSWORD, &from("2001:db8:1:3::1")).await, "ok");
    })
    .await;
}

#[tokio::test]
async fn unknown_names_lock_like_known_ones() {
    each(|world| async move {
        fail(&world, "nobody", &here(), 5).await;
        assert_eq!(world.try_sign_in("nobody", PASSWORD, &here()).await, "locked_out");
        assert_eq!(world.try_sign_in("NOBODY ", PASSWORD, &here()).await, "locked_out");
    })
    .await;
}

#[tokio::test]
async fn guesses_at_the_same_moment_are_counted_one_by_one() {
    each(|world| async move {
        let ctx = here();
        let attempts = (0..20).map(|_| world.try_sign_in("admin", OTHER_PASSWORD, &ctx));
        let mut answers: HashMap<&str, usize> = HashMap::new();
        for answer in futures::future::join_all(attempts).await {
            *answers.entry(answer).or_default() += 1;
        }
        assert_eq!(answers.get("invalid_credentials"), Some(&5), "{answers:?}");
        assert_eq!(answers.get("locked_out"), Some(&15), "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn attackers_from_many_addresses_cannot_lock_out_a_known_device() {
    each_with(
        |config| config.identity.account_failures = 12,
        |world| async move {
            let owner = world.identity.sign_in("admin", PASSWORD, SessionKind::Browser, &here()).await.unwrap();
            let known = RequestContext { device_token: owner.device_token, ..here() };
            for address in 1..=12 {
                fail(&world, "admin", &from(&format!("203.0.113.{address}")), 1).await;
            }
            // From everywhere else the account is locked, for longer than a single address would be …
            assert_eq!(world.try_sign_in("admin", PASSWORD, &from("198.51.100.7")).await, "locked_out");
            // … but the owner's browser gets in, even from an address that is locked itself.
            fail(&world, "nobody", &here(), 1).await;
            assert_eq!(world.try_sign_in("admin", PASSWORD, &known).await, "ok");
            world.clock.advance_ms(15 * 60_000);
            assert_eq!(world.try_sign_in("admin", PASSWORD, &from("198.51.100.7")).await, "locked_out");
            world.clock.advance_ms(45 * 60_000);
            assert_eq!(world.try_sign_in("admin", PASSWORD, &from("198.51.100.7")).await, "ok");
        },
    )
    .await;
}

#[tokio::test]
async fn administrator_unlocks_with_a_new_password() {
    each_with(
        |config| config.identity.account_failures = 6,
        |world| async move {
            let berta = world.user("berta", Role::User).await;
            for address in 1..=6 {
                fail(&world, "berta", &from(&format!("203.0.113.{address}")), 1).await;
            }
            assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "locked_out");
            let change =
                portico_identity::UserChange { password: Some(OTHER_PASSWORD.to_owned()), ..Default::default() };
            world.identity.update_user(&world.admin, berta.id, change).await.unwrap();
            assert_eq!(world.try_sign_in("berta", OTHER_PASSWORD, &here()).await, "ok");
        },
    )
    .await;
}

#[tokio::test]
async fn guesses_at_unknown_names_are_seen_by_the_administrators() {
    each(|world| async move {
        fail(&world, "nobody", &here(), 1).await;
        assert_eq!(world.trail().await[0], "auth.sign_in_failed failed");
    })
    .await;
}

#[tokio::test]
async fn known_device_gets_in_although_its_own_address_is_locked() {
    each(|world| async move {
        let owner = world.identity.sign_in("admin", PASSWORD, SessionKind::Browser, &here()).await.unwrap();
        let known = RequestContext { device_token: owner.device_token, ..here() };
        fail(&world, "admin", &here(), 5).await;
        assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "locked_out");
        assert_eq!(world.try_sign_in("admin", PASSWORD, &known).await, "ok");
    })
    .await;
}

#[tokio::test]
async fn known_device_may_not_guess_for_ever_nor_at_other_accounts() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let owner = world.identity.sign_in("admin", PASSWORD, SessionKind::Browser, &here()).await.unwrap();
        let known = RequestContext { device_token: owner.device_token, ..here() };
        fail(&world, "admin", &known, 5).await;
        assert_eq!(world.try_sign_in("admin", PASSWORD, &known).await, "locked_out");
        // It is known to the administrator's account only.
        fail(&world, "berta", &from("192.0.2.1"), 5).await;
        assert_eq!(world.try_sign_in("berta", PASSWORD, &known).await, "locked_out");
    })
    .await;
}

#[tokio::test]
async fn made_up_device_token_opens_nothing() {
    each(|world| async move {
        fail(&world, "admin", &here(), 5).await;
        let forged = RequestContext { device_token: Some("a".repeat(64)), ..here() };
        assert_eq!(world.try_sign_in("admin", PASSWORD, &forged).await, "locked_out");
        // Signing in with one elsewhere gives a new one instead of making it known.
        let forged = RequestContext { device_token: Some("a".repeat(64)), ..from("198.51.100.7") };
        let signed_in = world.identity.sign_in("admin", PASSWORD, SessionKind::Browser, &forged).await.unwrap();
        assert_ne!(signed_in.device_token, forged.device_token);
    })
    .await;
}

#[tokio::test]
async fn failures_and_locks_are_on_record_without_what_was_typed() {
    each(|world| async move {
        fail(&world, "admin", &here(), 5).await;
        for _ in 0..10 {
            assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "locked_out");
        }
        let trail = world.trail().await;
        let count = |action: &str| trail.iter().filter(|entry| *entry == action).count();
        assert_eq!(count("auth.sign_in_failed failed"), 5);
        assert_eq!(count("auth.refused_while_locked denied"), 1, "a flood is summed up by the minute");
        world.clock.advance_ms(60_000);
        assert_eq!(world.try_sign_in("admin", PASSWORD, &here()).await, "locked_out");
        let page = world.identity.audit_records(&world.admin, portico_identity::AuditQuery::default()).await.unwrap();
        assert_eq!(page.items[0].details["attempts"], 10);
        let text = serde_json::to_string(&page.items).unwrap();
        assert!(!text.contains(PASSWORD) && !text.contains(OTHER_PASSWORD));
    })
    .await;
}

#[tokio::test]
async fn name_and_address_of_one_account_count_together() {
    each(|world| async move {
        fail(&world, "admin", &here(), 3).await;
        fail(&world, "admin@example.org", &here(), 2).await;
        assert_eq!(world.try_sign_in("ADMIN", PASSWORD, &here()).await, "locked_out");
        assert_eq!(world.try_sign_in("admin@example.org", PASSWORD, &here()).await, "locked_out");
    })
    .await;
}
