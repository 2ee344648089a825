use portico_model::alarms::Severity;
use portico_model::identity::Role;
use portico_model::notifications::{Audience, DeliveryState, WebhookInput};
use portico_platform::testing::each_database;
use serde_json::json;

use crate::{about, code, each};

const NOBODY: Audience = Audience::Users(Vec::new());

#[tokio::test]
async fn webhook_gets_what_it_wants_signed_with_its_secret() {
    each(async |world| {
        let limited = WebhookInput {
            kinds: vec!["alarm.".to_owned(), " ".to_owned()],
            min_severity: Severity::Warning,
            ..world.hook("/limited")
        };
        let made = world.notifications.create_webhook(&world.admin, limited).await.unwrap();
        assert_eq!(made.webhook.kinds, ["alarm."]);
        let idle = WebhookInput { is_active: false, ..world.hook("/idle") };
        world.notifications.create_webhook(&world.admin, idle).await.unwrap();
        for (kind, severity) in [
            ("alarm.raised", Severity::Info),
            ("firmware.failed", Severity::Critical),
            ("alarm.cleared", Severity::Critical),
        ] {
            world.notify(&about(kind, severity), &NOBODY).await;
        }
        world.settled().await;
        let caught = world.receiver.next().await;
        assert_eq!((caught.path.as_str(), caught.event.as_str()), ("/limited", "alarm.cleared"));
        assert!(caught.is_signed_with(&made.secret) && made.secret.starts_with("whsec_"));
        assert_eq!(
            caught.json(),
            json!({
                "type": "alarm.cleared", "severity": "critical", "title": "Pump 3 is off",
                "body": "It has not answered for five minutes.", "link": "https://portico.example/alarms/1",
                "tag": "alarm-1", "occurred_at": "2026-11-21T02:00:00.000+00:00",
                "organization_id": world.test.organization, "webhook_id": made.webhook.id,
            })
        );
        assert!(world.receiver.is_empty().await);
    })
    .await;
}

#[tokio::test]
async fn replaced_secret_signs_beside_the_new_one_until_its_time_is_over() {
    each(async |world| {
        let (notifications, admin) = (&world.notifications, &world.admin);
        let made = notifications.create_webhook(admin, world.hook("/")).await.unwrap();
        let id = made.webhook.id;
        let rotated = notifications.rotate_webhook_secret(admin, id, 3_600).await.unwrap();
        assert_ne!(rotated.secret, made.secret);
        let until = world.test.clock.now().plus_secs(3_600);
        assert_eq!(rotated.webhook.previous_secret_until, Some(until));
        notifications.test_webhook(admin, id).await.unwrap();
        let caught = world.receiver.next().await;
        assert_eq!(caught.event, "test");
        assert!(caught.is_signed_with(&made.secret) && caught.is_signed_with(&rotated.secret));

        world.test.clock.advance_ms(3_600_000);
        notifications.test_webhook(admin, id).await.unwrap();
        let caught = world.receiver.next().await;
        assert!(!caught.is_signed_with(&made.secret) && caught.is_signed_with(&rotated.secret));

        let at_once = notifications.rotate_webhook_secret(admin, id, 0).await.unwrap();
        notifications.test_webhook(admin, id).await.unwrap();
        let caught = world.receiver.next().await;
        assert!(!caught.is_signed_with(&rotated.secret) && caught.is_signed_with(&at_once.secret));
        for wrong in [-1, 604_801] {
            assert_eq!(code(notifications.rotate_webhook_secret(admin, id, wrong).await), "invalid_fields");
        }
    })
    .await;
}

#[tokio::test]
async fn changed_and_deleted_webhooks_get_nothing_at_the_old_address() {
    each(async |world| {
        let (notifications, admin) = (&world.notifications, &world.admin);
        let made = notifications.create_webhook(admin, world.hook("/old")).await.unwrap();
        world.receiver.answer(500);
        notifications.test_webhook(admin, made.webhook.id).await.unwrap();
        world.receiver.next().await;
        world.settled().await;
        world.receiver.answer(204);
        let changed = WebhookInput { name: "  Other desk ".to_owned(), ..world.hook("/new") };
        let webhook = notifications.update_webhook(admin, made.webhook.id, changed).await.unwrap();
        assert_eq!(webhook.name, "Other desk");
        let waiting = notifications.deliveries(admin, Default::default()).await.unwrap();
        assert_eq!(waiting.items, []);
        notifications.test_webhook(admin, webhook.id).await.unwrap();
        let caught = world.receiver.next().await;
        assert_eq!(caught.path, "/new");
        assert!(caught.is_signed_with(&made.secret), "the secret stays");

        notifications.delete_webhook(admin, webhook.id).await.unwrap();
        world.notify(&about("alarm.raised", Severity::Critical), &NOBODY).await;
        assert_eq!(notifications.webhooks(admin).await.unwrap(), []);
        assert_eq!(code(notifications.webhook(admin, webhook.id).await), "webhook_not_found");
        assert_eq!(notifications.deliveries(admin, Default::default()).await.unwrap().items, []);
        let trail = world.trail().await;
        for action in ["webhook.created", "webhook.tested", "webhook.updated", "webhook.deleted"] {
            assert!(trail.iter().any(|entry| entry == action), "{action} in {trail:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn webhooks_are_for_those_who_may_manage_them_in_their_own_organization() {
    each(async |world| {
        let made = world.notifications.create_webhook(&world.admin, world.hook("/")).await.unwrap();
        let (_, manager) = world.user("anna", Role::Manager).await;
        let stranger = world.stranger().await;
        let id = made.webhook.id;
        let notifications = &world.notifications;
        for (who, expected) in [(&manager, "not_permitted"), (&stranger, "webhook_not_found")] {
            assert_eq!(code(notifications.webhook(who, id).await), expected);
            assert_eq!(code(notifications.update_webhook(who, id, world.hook("/")).await), expected);
            assert_eq!(code(notifications.rotate_webhook_secret(who, id, 0).await), expected);
            assert_eq!(code(notifications.test_webhook(who, id).await), expected);
            assert_eq!(code(notifications.delete_webhook(who, id).await), expected);
        }
        assert_eq!(code(notifications.create_webhook(&manager, world.hook("/")).await), "not_permitted");
        assert_eq!(code(notifications.webhooks(&manager).await), "not_permitted");
        assert_eq!(notifications.webhooks(&stranger).await.unwrap(), []);
        world.notify(&about("alarm.raised", Severity::Critical), &NOBODY).await;
        world.receiver.next().await;
        let theirs = notifications.deliveries(&stranger, Default::default()).await.unwrap();
        assert_eq!(theirs.items, [], "what another organisation is told is not seen");
    })
    .await;
}

#[tokio::test]
async fn wrong_fields_are_all_named_and_webhooks_are_limited() {
    each(async |world| {
        let bad = WebhookInput {
            name: " ".to_owned(),
            url: "example.org".to_owned(),
            kinds: vec!["Alarm raised!".to_owned()],
            ..world.hook("/")
        };
        let error = world.notifications.create_webhook(&world.admin, bad).await.unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "url", "kinds"]);
        for _ in 0..20 {
            world.notifications.create_webhook(&world.admin, world.hook("/")).await.unwrap();
        }
        let one_more = world.notifications.create_webhook(&world.admin, world.hook("/")).await;
        assert_eq!(code(one_more), "too_many_webhooks");
    })
    .await;
}

#[tokio::test]
async fn private_addresses_are_refused_unless_they_are_allowed() {
    each_database(|test| async move {
        let identity = portico_identity::Identity::new(test.platform.clone());
        identity.create_admin("admin", "admin@example.org", crate::PASSWORD).await.unwrap();
        let admin = crate::actor(&identity, "admin").await;
        let notifications = portico_notifications::Notifications::new(test.platform.clone(), identity);
        let hook = |url: &str| WebhookInput {
            name: "Desk".to_owned(),
            url: url.to_owned(),
            kinds: Vec::new(),
            min_severity: Severity::Info,
            is_active: true,
        };
        for url in ["http://example.org/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.5/hook"] {
            assert_eq!(code(notifications.create_webhook(&admin, hook(url)).await), "invalid_fields", "{url}");
        }
        let public = notifications.create_webhook(&admin, hook("https://example.org/hook")).await;
        assert_eq!(code(public), "ok");
    })
    .await;
}

#[tokio::test]
async fn failed_webhook_becomes_a_dead_letter_of_its_own_list() {
    each(async |world| {
        let (notifications, admin) = (&world.notifications, &world.admin);
        let one = notifications.create_webhook(admin, world.hook("/one")).await.unwrap();
        let other = notifications.create_webhook(admin, world.hook("/other")).await.unwrap();
        world.receiver.answer(410);
        let delivery = notifications.test_webhook(admin, one.webhook.id).await.unwrap();
        world.receiver.next().await;
        world.settled().await;
        world.receiver.answer(204);
        let of = async |id: &str| {
            let query = portico_notifications::DeliveryQuery { webhook: Some(id.to_owned()), ..Default::default() };
            notifications.deliveries(admin, query).await.unwrap().items
        };
        let dead = of(&one.webhook.id.to_string()).await;
        assert_eq!((dead[0].id, dead[0].state, dead[0].summary.as_str()), (delivery, DeliveryState::Dead, "test"));
        assert_eq!(dead[0].last_error, "answered 410");
        assert_eq!(of(&other.webhook.id.to_string()).await, []);
    })
    .await;
}
