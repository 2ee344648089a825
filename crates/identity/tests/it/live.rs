use futures::FutureExt;
use portico_model::identity::Role;
use portico_platform::hub::{Channel, Connection};

use crate::{code, each};

#[tokio::test]
async fn trail_is_followed_by_administrators_only() {
    each(|world| async move {
        world.identity.start();
        world.user("berta", Role::Manager).await;
        let manager = world.actor("berta").await;
        let channel = Channel::all(world.organization, "audit");
        let refused = world.test.platform.hub.connect(&manager, 10).unwrap();
        assert_eq!(code(refused.subscribe(&manager, "audit").await), "not_permitted");
        assert!(!world.test.platform.hub.is_followed(&channel));
        let connection = world.test.platform.hub.connect(&world.admin, 10).unwrap();
        assert_eq!(code(connection.subscribe(&world.admin, "audit").await), "ok");
        assert!(world.test.platform.hub.is_followed(&channel));
        world.test.platform.tasks.shutdown(std::time::Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test]
async fn ending_a_session_closes_its_live_connections() {
    each(|world| async move {
        let berta = world.user("berta", Role::User).await;
        let one = world.actor("berta").await;
        let two = world.actor("berta").await;
        let hub = &world.test.platform.hub;
        let (first, second) = (hub.connect(&one, 10).unwrap(), hub.connect(&two, 10).unwrap());
        world.identity.sign_out(&one).await.unwrap();
        assert!(is_closed(&first) && !is_closed(&second));
        world.identity.set_user_active(&world.admin, berta.id, false).await.unwrap();
        assert!(is_closed(&second));
    })
    .await;
}

fn is_closed(connection: &Connection) -> bool {
    matches!(connection.mailbox().take(&mut Vec::new(), 1).now_or_never(), Some(Err(_)))
}
