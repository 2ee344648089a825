use portico_model::identity::Role;
use portico_model::notifications::{KINDS, Preference, Wish};
use portico_notifications::TestChannel;
use portico_platform::Actor;

use crate::{code, each, each_with};

#[tokio::test]
async fn preferences_are_ones_own_and_kinds_that_are_not_named_stay() {
    each(async |world| {
        let (_, anna) = world.user("anna", Role::User).await;
        let notifications = &world.notifications;
        let start = notifications.my_preferences(&anna).await.unwrap();
        assert_eq!(start.preferences.len(), KINDS.len());
        assert_eq!((start.email.as_str(), start.mail_available), ("anna@example.org", true));
        assert_eq!(start.push_key, world.test.platform.deliveries.push_key().unwrap().public());

        let choice = |kind: &str, push, mail| Preference { kind: kind.to_owned(), push, mail };
        let first = choice("alarm.raised", Wish::Never, Wish::Everything);
        notifications.set_my_preferences(&anna, std::slice::from_ref(&first)).await.unwrap();
        let second = choice("alarm.cleared", Wish::Everything, Wish::Warning);
        let now = notifications.set_my_preferences(&anna, std::slice::from_ref(&second)).await.unwrap();
        let changed: Vec<_> = now.preferences.iter().filter(|now| !start.preferences.contains(now)).collect();
        assert_eq!(changed, [&first, &second]);
        assert_eq!(notifications.my_preferences(&world.admin).await.unwrap().preferences, start.preferences);
        assert_eq!(world.trail().await[0], "notification.preferences_changed");

        let unknown = choice("alarm.exploded", Wish::Never, Wish::Never);
        let error =
            notifications.set_my_preferences(&anna, &[first.clone(), unknown, first.clone()]).await.unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["preferences[1].kind", "preferences[2].kind"]);
        let system = Actor::system(world.test.organization);
        assert_eq!(code(notifications.my_preferences(&system).await), "needs_a_person");
    })
    .await;
}

#[tokio::test]
async fn test_message_comes_by_the_channel_asked_for() {
    each(async |world| {
        let (_, anna) = world.user("anna", Role::User).await;
        let notifications = &world.notifications;
        assert_eq!(code(notifications.send_test(&anna, TestChannel::Push).await), "no_push_subscription");
        world.browser(&anna).await;
        world.browser(&anna).await;
        assert_eq!(notifications.send_test(&anna, TestChannel::Push).await.unwrap(), 2);
        for _ in 0..2 {
            assert!(world.push.next().await.payload.contains("Portico reaches you here"));
        }
        assert_eq!(notifications.send_test(&anna, TestChannel::Mail).await.unwrap(), 1);
        assert_eq!(world.mail.next_to("anna@example.org").await.subject, "Portico reaches you here");
        assert_eq!(world.trail().await[0], "notification.tested");
    })
    .await;
    each_with(
        |config| config.mail.host = None,
        async |world| {
            let sent = world.notifications.send_test(&world.admin, TestChannel::Mail).await;
            assert_eq!(code(sent), "mail_not_configured");
        },
    )
    .await;
}
