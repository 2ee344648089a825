use portico_model::alarms::Severity;
use portico_model::identity::{Permission, Role};
use portico_model::notifications::{Audience, Preference, Wish};
use serde_json::{Value, json};

use crate::{about, each, each_with};

#[tokio::test]
async fn audience_is_told_once_by_what_each_has_chosen() {
    each(async |world| {
        let (anna, anna_actor) = world.user("anna", Role::Manager).await;
        let (bert, bert_actor) = world.user("bert", Role::User).await;
        world.user("cleo", Role::User).await;
        world.browser(&anna_actor).await;
        world.browser(&bert_actor).await;
        let quiet = [Preference { kind: "alarm.raised".into(), push: Wish::Never, mail: Wish::Everything }];
        world.notifications.set_my_preferences(&bert_actor, &quiet).await.unwrap();

        let audience = Audience::Both(vec![anna.id, bert.id, bert.id], Permission::ReadAllAlarms);
        world.notify(&about("alarm.raised", Severity::Warning), &audience).await;
        world.settled().await;
        let push = world.push.next().await;
        let payload: Value = serde_json::from_str(&push.payload).unwrap();
        assert_eq!(
            payload,
            json!({
                "title": "Pump 3 is off", "body": "It has not answered for five minutes.", "link": "/alarms/1",
                "tag": "alarm-1", "severity": "warning",
            })
        );
        assert_eq!(push.urgency, "normal");
        assert!(world.push.is_empty().await, "bert wants no pushes, the admin has no browser");
        let mail = world.mail.next_to("bert@example.org").await;
        assert_eq!(mail.subject, "Warning: Pump 3 is off");
        assert_eq!(mail.link(), "https://portico.example/alarms/1");
        assert_eq!(world.mail.mails(), [], "by default a warning sends no mail, and cleo is not concerned");

        world.notify(&about("alarm.raised", Severity::Critical), &Audience::Permitted(Permission::ReadAllAlarms)).await;
        world.settled().await;
        world.mail.next_to("admin@example.org").await;
        world.mail.next_to("anna@example.org").await;
        assert_eq!(world.push.next().await.urgency, "high");
        assert!(world.push.is_empty().await && world.mail.mails().is_empty());
    })
    .await;
}

#[tokio::test]
async fn whoever_cannot_sign_in_or_belongs_elsewhere_is_not_told() {
    each(async |world| {
        let (anna, _) = world.user("anna", Role::Manager).await;
        let stranger = world.stranger().await;
        world.identity.set_user_active(&world.admin, anna.id, false).await.unwrap();
        let audience = Audience::Both(vec![anna.id, stranger.user_id().unwrap()], Permission::ReadAllAlarms);
        world.notify(&about("alarm.raised", Severity::Critical), &audience).await;
        world.settled().await;
        world.mail.next_to("admin@example.org").await;
        assert_eq!(world.mail.mails(), []);
    })
    .await;
}

#[tokio::test]
async fn nothing_leaves_when_what_it_tells_of_is_rolled_back() {
    each(async |world| {
        let platform = &world.test.platform;
        let mut tx = platform.db.begin().await.unwrap();
        let everyone = Audience::Permitted(Permission::ReadAllAlarms);
        world
            .notifications
            .notify(&mut tx, world.test.organization, &about("alarm.raised", Severity::Critical), &everyone)
            .await
            .unwrap();
        tx.rollback().await.unwrap();
        world.notify(&about("alarm.escalated", Severity::Critical), &everyone).await;
        world.settled().await;
        world.mail.next_to("admin@example.org").await;
        assert_eq!(world.mail.mails(), []);
    })
    .await;
}

#[tokio::test]
async fn without_a_mail_server_mails_are_not_even_written() {
    each_with(
        |config| config.mail.host = None,
        async |world| {
            let everyone = Audience::Permitted(Permission::ReadAllAlarms);
            world.notify(&about("alarm.raised", Severity::Critical), &everyone).await;
            let all = world.notifications.deliveries(&world.admin, Default::default()).await.unwrap();
            assert_eq!(all.items, []);
        },
    )
    .await;
}

#[tokio::test]
async fn where_anyone_may_sign_up_an_unproved_address_gets_no_mail() {
    each_with(
        |config| config.signup = portico_platform::config::Signup::Open,
        async |world| {
            let (anna, _) = world.user("anna", Role::User).await;
            assert_eq!(anna.email_verified_at, None);
            world.notify(&about("alarm.raised", Severity::Critical), &Audience::Users(vec![anna.id])).await;
            let all = world.notifications.deliveries(&world.admin, Default::default()).await.unwrap();
            assert_eq!(all.items, []);
        },
    )
    .await;
}

#[tokio::test]
async fn deleted_person_gets_nothing_that_still_waits() {
    each(async |world| {
        let (anna, actor) = world.user("anna", Role::User).await;
        world.browser(&actor).await;
        world.push.answer(503);
        world.mail.refuse(Some("450 4.2.1 busy"));
        world.notify(&about("alarm.raised", Severity::Critical), &Audience::Users(vec![anna.id])).await;
        world.settled().await;
        let waiting = world.notifications.deliveries(&world.admin, Default::default()).await.unwrap();
        assert_eq!(waiting.items.len(), 2);
        world.identity.set_user_active(&world.admin, anna.id, false).await.unwrap();
        world.identity.delete_user(&world.admin, anna.id).await.unwrap();
        let left = world.notifications.deliveries(&world.admin, Default::default()).await.unwrap();
        assert_eq!(left.items, []);
        world.push.answer(201);
        world.mail.refuse(None);
    })
    .await;
}
