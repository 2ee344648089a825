use portico_model::alarms::Severity;
use portico_model::identity::Role;
use portico_model::notifications::Audience;
use portico_platform::on_db;
use portico_platform::testing::eventually;

use crate::{about, code, each};

#[tokio::test]
async fn browser_is_listed_without_what_it_could_be_pushed_with_and_removed_by_its_owner_alone() {
    each(async |world| {
        let (_, anna) = world.user("anna", Role::User).await;
        let new = world.new_browser(" Anna's\nphone ");
        let endpoint = new.endpoint.clone();
        let browser = world.notifications.subscribe(&anna, new, "Firefox").await.unwrap();
        assert_eq!(browser.name, "Anna'sphone");
        assert!(endpoint.contains(&browser.service) && !browser.service.contains("push"), "{browser:?}");
        let unnamed = world.notifications.subscribe(&anna, world.new_browser(""), "Firefox").await.unwrap();
        assert_eq!(unnamed.name, "Firefox");
        let listed = world.notifications.my_browsers(&anna).await.unwrap();
        assert_eq!(listed, [unnamed, browser.clone()]);
        assert_eq!(world.notifications.my_browsers(&world.admin).await.unwrap(), []);
        let mut tx = world.test.platform.db.read().await.unwrap();
        let kept: Vec<(Vec<u8>,)> = on_db!(&mut tx, conn => sqlx::query_as("select sealed from push_subscription")
            .fetch_all(conn).await)
        .unwrap();
        drop(tx);
        for (sealed,) in kept {
            assert!(!sealed.windows(4).any(|part| part == b"http"), "the endpoint is kept encrypted");
        }

        let gone = world.notifications.unsubscribe(&world.admin, browser.id).await;
        assert_eq!(code(gone), "push_subscription_not_found");
        world.notifications.unsubscribe(&anna, browser.id).await.unwrap();
        assert_eq!(code(world.notifications.unsubscribe(&anna, browser.id).await), "push_subscription_not_found");
        assert_eq!(world.notifications.my_browsers(&anna).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn browser_subscribed_by_another_is_no_longer_the_first_ones() {
    each(async |world| {
        let (anna_user, anna) = world.user("anna", Role::User).await;
        let (bert_user, bert) = world.user("bert", Role::User).await;
        let shared = world.new_browser("Kiosk");
        world.notifications.subscribe(&anna, shared.clone(), "").await.unwrap();
        world.notifications.subscribe(&anna, shared.clone(), "").await.unwrap();
        assert_eq!(world.notifications.my_browsers(&anna).await.unwrap().len(), 1, "the same browser once");
        world.notifications.subscribe(&bert, shared, "").await.unwrap();
        assert_eq!(world.notifications.my_browsers(&anna).await.unwrap(), []);
        world.notify(&about("alarm.raised", Severity::Warning), &Audience::Users(vec![anna_user.id])).await;
        world.notify(&about("alarm.escalated", Severity::Warning), &Audience::Users(vec![bert_user.id])).await;
        world.settled().await;
        world.push.next().await;
        assert!(world.push.is_empty().await, "only bert's");
        world.mail.next_to("bert@example.org").await;
    })
    .await;
}

#[tokio::test]
async fn browser_that_its_push_service_does_not_know_any_more_is_forgotten() {
    each(async |world| {
        let (user, anna) = world.user("anna", Role::User).await;
        world.browser(&anna).await;
        world.push.answer(410);
        world.notify(&about("alarm.raised", Severity::Warning), &Audience::Users(vec![user.id])).await;
        eventually("it is forgotten", || async { world.notifications.my_browsers(&anna).await.unwrap().is_empty() })
            .await;
        world.push.answer(201);
    })
    .await;
}

#[tokio::test]
async fn one_person_has_at_most_twenty_browsers_and_a_bad_endpoint_is_refused() {
    each(async |world| {
        let (_, anna) = world.user("anna", Role::User).await;
        let first = world.browser(&anna).await;
        for _ in 0..20 {
            world.browser(&anna).await;
        }
        let all = world.notifications.my_browsers(&anna).await.unwrap();
        assert_eq!((all.len(), all.contains(&first)), (20, false));
        for endpoint in ["", "ftp://example.org/x", "not an address"] {
            let mut bad = world.new_browser("");
            bad.endpoint = endpoint.to_owned();
            assert_eq!(code(world.notifications.subscribe(&anna, bad, "").await), "invalid_fields", "{endpoint}");
        }
        let mut bad = world.new_browser("");
        bad.keys.auth = "AAAA".to_owned();
        assert_eq!(code(world.notifications.subscribe(&anna, bad, "").await), "invalid_fields");
    })
    .await;
}
