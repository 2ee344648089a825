use portico_model::devices::{DeviceChange, DeviceStatus};
use portico_platform::on_db;

use crate::each;

#[tokio::test]
async fn a_key_opens_its_own_device_and_is_stored_only_as_a_hash() {
    each(|world| async move {
        let device = world.device("meter").await;
        assert_eq!(device.api_key.len(), 32);
        assert_eq!(world.login(&device).await.id, device.device.id);
        for wrong in ["", "short", "'; drop table device;--", &"A".repeat(32), &device.api_key.to_lowercase()] {
            if *wrong != device.api_key {
                assert!(world.devices.authenticate_key(wrong).await.unwrap().is_none(), "{wrong}");
            }
        }
        let mut tx = world.platform.db.read().await.unwrap();
        let hash: Vec<u8> = on_db!(&mut tx, conn => sqlx::query_scalar("select key_hash from device_key")
            .fetch_one(conn).await)
        .unwrap();
        assert_eq!(hash.len(), 32);
        assert_ne!(hash, device.api_key.as_bytes());
    })
    .await;
}

#[tokio::test]
async fn rotation_with_overlap_refuses_nothing_until_the_old_key_expires() {
    each(|world| async move {
        let old = world.device("meter").await;
        let id = old.device.id;
        let new = world.devices.rotate_key_with_overlap(&world.manager, id, 60).await.unwrap();
        assert_ne!(old.api_key, new.api_key);
        assert!(world.devices.authenticate_key(&old.api_key).await.unwrap().is_some());
        assert!(world.devices.authenticate_key(&new.api_key).await.unwrap().is_some());
        assert!(world.ended.0.lock().unwrap().is_empty());
        world.test.clock.advance_ms(60_001);
        // The key is refused at once, even though it is remembered; the session ends at the next look.
        assert!(world.devices.authenticate_key(&old.api_key).await.unwrap().is_none());
        world.devices.watch_once().await.unwrap();
        assert!(world.ended.0.lock().unwrap().contains(&id));
        assert!(world.devices.authenticate_key(&new.api_key).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn rotation_without_overlap_and_revocation_end_the_session_at_once() {
    each(|world| async move {
        let old = world.device("meter").await;
        let id = old.device.id;
        world.login(&old).await;
        let new = world.devices.rotate_key_with_overlap(&world.manager, id, 0).await.unwrap();
        assert!(world.devices.authenticate_key(&old.api_key).await.unwrap().is_none());
        assert_eq!(*world.ended.0.lock().unwrap(), [id]);
        world.login(&new).await;
        world.devices.revoke_keys(&world.manager, id).await.unwrap();
        assert!(world.devices.authenticate_key(&new.api_key).await.unwrap().is_none());
        assert_eq!(*world.ended.0.lock().unwrap(), [id, id]);
        let again = world.devices.rotate_key(&world.manager, id).await.unwrap();
        world.login(&again).await;
    })
    .await;
}

#[tokio::test]
async fn deactivation_and_deletion_end_the_session() {
    each(|world| async move {
        let device = world.device("meter").await;
        let id = device.device.id;
        let change = DeviceChange { status: Some(DeviceStatus::Inactive), ..DeviceChange::default() };
        world.devices.update(&world.manager, id, change).await.unwrap();
        assert_eq!(*world.ended.0.lock().unwrap(), [id]);
        assert!(world.login(&device).await.refusal().is_some());
        world.devices.delete(&world.manager, id).await.unwrap();
        assert_eq!(*world.ended.0.lock().unwrap(), [id, id]);
        assert!(world.devices.authenticate_key(&device.api_key).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn last_use_of_a_key_is_recorded() {
    each(|world| async move {
        let device = world.device("meter").await;
        world.login(&device).await;
        world.devices.flush().await.unwrap();
        let mut tx = world.platform.db.read().await.unwrap();
        let used: Option<i64> = on_db!(&mut tx, conn => sqlx::query_scalar("select last_used_at from device_key")
            .fetch_one(conn).await)
        .unwrap();
        assert_eq!(used, Some(world.now().millis()));
    })
    .await;
}
