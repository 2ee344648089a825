use portico_model::alarms::Severity;
use portico_model::identity::{Permission, Role};
use portico_model::notifications::{Audience, DeliveryChannel, DeliveryState};
use portico_notifications::DeliveryQuery;

use crate::{about, code, each};

fn dead() -> DeliveryQuery {
    DeliveryQuery { state: Some(DeliveryState::Dead), ..DeliveryQuery::default() }
}

#[tokio::test]
async fn dead_letter_is_retried_or_discarded_by_an_administrator_of_its_organization() {
    each(async |world| {
        let (notifications, admin) = (&world.notifications, &world.admin);
        let (_, manager) = world.user("anna", Role::Manager).await;
        let stranger = world.stranger().await;
        world.mail.refuse(Some("550 5.1.1 no such mailbox"));
        world.notify(&about("alarm.raised", Severity::Critical), &Audience::Permitted(Permission::ManageUsers)).await;
        world.notify(&about("alarm.raised", Severity::Critical), &Audience::Permitted(Permission::ManageUsers)).await;
        world.settled().await;
        world.mail.refuse(None);
        let letters = notifications.deliveries(admin, dead()).await.unwrap().items;
        assert_eq!(letters.len(), 2);
        assert_eq!(
            (letters[0].channel, letters[0].summary.as_str()),
            (DeliveryChannel::Mail, "Critical: Pump 3 is off")
        );
        for (who, expected) in [(&manager, "not_permitted"), (&stranger, "delivery_not_found")] {
            assert_eq!(code(notifications.retry_delivery(who, letters[0].id).await), expected);
            assert_eq!(code(notifications.discard_delivery(who, letters[0].id).await), expected);
        }
        assert_eq!(code(notifications.deliveries(&manager, dead()).await), "not_permitted");

        let again = notifications.retry_delivery(admin, letters[0].id).await.unwrap();
        assert_eq!((again.state, again.attempts), (DeliveryState::Queued, 0));
        world.mail.next_to("admin@example.org").await;
        world.settled().await;
        assert_eq!(code(notifications.retry_delivery(admin, letters[0].id).await), "delivery_not_dead");
        assert_eq!(code(notifications.discard_delivery(admin, letters[0].id).await), "delivery_done");
        notifications.discard_delivery(admin, letters[1].id).await.unwrap();
        assert_eq!(code(notifications.discard_delivery(admin, letters[1].id).await), "delivery_not_found");
        assert_eq!(notifications.deliveries(admin, dead()).await.unwrap().items, []);
        assert_eq!(world.trail().await[..2], ["delivery.discarded", "delivery.retried"]);
    })
    .await;
}

#[tokio::test]
async fn list_is_paged_newest_first_and_filtered() {
    each(async |world| {
        let (notifications, admin) = (&world.notifications, &world.admin);
        for _ in 0..5 {
            let everyone = Audience::Permitted(Permission::ManageUsers);
            world.notify(&about("alarm.raised", Severity::Critical), &everyone).await;
        }
        world.settled().await;
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let query = DeliveryQuery { cursor, limit: Some(2), ..DeliveryQuery::default() };
            let page = notifications.deliveries(admin, query).await.unwrap();
            seen.extend(page.items.iter().map(|delivery| delivery.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
        let pushes = DeliveryQuery { channel: Some(DeliveryChannel::Push), ..DeliveryQuery::default() };
        assert_eq!(notifications.deliveries(admin, pushes).await.unwrap().items, []);
        for bad in [
            DeliveryQuery { cursor: Some("x".to_owned()), ..DeliveryQuery::default() },
            DeliveryQuery { webhook: Some("x".to_owned()), ..DeliveryQuery::default() },
            DeliveryQuery { limit: Some(0), ..DeliveryQuery::default() },
        ] {
            assert_eq!(code(notifications.deliveries(admin, bad).await), "invalid_fields");
        }
    })
    .await;
}
