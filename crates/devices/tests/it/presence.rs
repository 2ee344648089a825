use portico_devices::DeviceQuery;
use portico_model::devices::{Connection, DeviceChange};
use portico_platform::testing::eventually;

use crate::{World, each, sample};

async fn connection(world: &World, id: portico_model::DeviceId) -> Connection {
    world.devices.get(&world.manager, id).await.unwrap().connection
}

#[tokio::test]
async fn a_silent_device_goes_offline_after_its_deadline_and_not_before() {
    each(|world| async move {
        let device = world.device("meter").await;
        let id = device.device.id;
        let change = DeviceChange { heartbeat_interval_s: Some(10), ..DeviceChange::default() };
        world.devices.update(&world.manager, id, change).await.unwrap();
        assert_eq!(connection(&world, id).await, Connection::Never);
        let known = world.login(&device).await;
        let beat = world.devices.heartbeat(&known).await.unwrap();
        let shown = world.devices.get(&world.manager, id).await.unwrap();
        assert_eq!((shown.connection, shown.last_seen_at), (Connection::Online, Some(beat)));
        world.test.clock.advance_ms(33_000);
        world.devices.watch_once().await.unwrap();
        assert_eq!(connection(&world, id).await, Connection::Online);
        world.test.clock.advance_ms(1);
        world.devices.watch_once().await.unwrap();
        let shown = world.devices.get(&world.manager, id).await.unwrap();
        assert_eq!((shown.connection, shown.last_seen_at), (Connection::Offline, Some(beat)));
        let query = DeviceQuery { connection: Some(Connection::Offline), ..DeviceQuery::default() };
        assert_eq!(world.devices.list(&world.manager, query).await.unwrap().items.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_shorter_heartbeat_counts_from_the_last_one() {
    each(|world| async move {
        let device = world.device("meter").await;
        let known = world.login(&device).await;
        world.devices.heartbeat(&known).await.unwrap();
        world.test.clock.advance_ms(20_000);
        let change = DeviceChange { heartbeat_interval_s: Some(5), ..DeviceChange::default() };
        world.devices.update(&world.manager, device.device.id, change).await.unwrap();
        world.devices.watch_once().await.unwrap();
        assert_eq!(connection(&world, device.device.id).await, Connection::Offline);
    })
    .await;
}

#[tokio::test]
async fn telemetry_makes_a_device_online() {
    each(|world| async move {
        let device = world.device("meter").await;
        world.submit(&device, vec![sample(world.now().plus_secs(-5_000), &[("t", 1.0)])]).await;
        let id = device.device.id;
        eventually("online", || async { connection(&world, id).await == Connection::Online }).await;
        // When it was heard, not what it measured when.
        assert_eq!(world.devices.get(&world.manager, id).await.unwrap().last_seen_at, Some(world.now()));
    })
    .await;
}
