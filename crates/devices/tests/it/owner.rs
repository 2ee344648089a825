use std::sync::Arc;

use portico_identity::Identity;
use portico_model::ErrorKind;
use portico_model::commands::NewCommand;
use portico_model::groups::NewGroup;
use portico_model::identity::Role;
use portico_platform::Actor;
use portico_platform::testing::insert_user;

use crate::{each, sample};

#[tokio::test]
async fn devices_go_with_their_deleted_owner() {
    each(|world| async move {
        let identity = Identity::new(world.platform.clone());
        identity.register_dependents(Arc::new(world.devices.clone()));
        let ann = world.user("ann", Role::User).await;
        let hers = world.device_of(&ann, "thermometer").await;
        let other = world.device("meter").await;
        let system = Actor::system(world.organization);
        identity.delete_user(&system, ann.user_id().unwrap()).await.unwrap();
        assert_eq!(world.devices.get(&world.manager, hers.device.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(world.devices.authenticate_key(&hers.api_key).await.unwrap().is_none());
        assert_eq!(*world.ended.0.lock().unwrap(), [hers.device.id]);
        assert!(world.devices.authenticate_key(&other.api_key).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_device_passes_to_another_person_with_all_it_measured() {
    each(|world| async move {
        let (ann, bob) = (world.user("ann", Role::User).await, world.user("bob", Role::User).await);
        let device = world.device_of(&ann, "meter").await;
        let id = device.device.id;
        world.submit(&device, vec![sample(world.now(), &[("t", 1.0)])]).await;
        let new = NewGroup { name: "Hers".into(), ..NewGroup::default() };
        let group = world.devices.create_group(&ann, new).await.unwrap().id;
        world.devices.add_to_group(&ann, group, &id.to_string()).await.unwrap();
        let screen = world.platform.hub.connect(&ann, 10).unwrap();
        let snapshot = screen.subscribe(&ann, &format!("telemetry:{id}")).await.unwrap();
        screen.release(snapshot.slot);

        let (his, nobody) = (bob.user_id().unwrap(), portico_model::UserId::generate());
        assert_eq!(world.devices.transfer(&bob, id, his).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.transfer(&ann, id, nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
        let safety = world.user("sue", Role::Safety).await;
        assert_eq!(world.devices.transfer(&safety, id, his).await.unwrap_err().kind(), ErrorKind::Forbidden);
        let other = world.test.other_organization().await;
        let stranger = insert_user(&world.platform, other, "eve", Role::Admin).await;
        let away = world.devices.transfer(&ann, id, stranger.user_id().unwrap()).await.unwrap_err();
        assert_eq!(away.kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.transfer_to_named(&ann, id, "nobody").await.unwrap_err().kind(), ErrorKind::Invalid);

        let moved = world.devices.transfer(&ann, id, his).await.unwrap();
        assert_eq!((moved.owner_id, moved.owner_name.as_str()), (his, "bob"));
        assert_eq!(world.devices.get(&ann, id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.latest(&bob, id).await.unwrap().len(), 1);
        assert_eq!(world.devices.group(&ann, group).await.unwrap().device_count, 0);
        // What she followed of it ends: her browser asks again, and is refused.
        let mut frames = Vec::new();
        let ended = loop {
            if let Err(reason) = screen.mailbox().take(&mut frames, 10).await {
                break reason;
            }
        };
        assert_eq!(ended, portico_platform::hub::CloseReason::SessionEnded);
        assert!(screen.subscribe(&ann, &format!("telemetry:{id}")).await.is_err());
        // It still knows its key, and its messages count for its new owner.
        world.submit(&device, vec![sample(world.now().plus_secs(1), &[("t", 2.0)])]).await;
        assert_eq!(world.login(&device).await.owner, his);
        // Two of one name would be one too many.
        world.device_of(&ann, "meter").await;
        let clash = world.devices.transfer(&bob, id, ann.user_id().unwrap()).await.unwrap_err();
        assert_eq!(clash.code(), "device_name_taken");
    })
    .await;
}

#[tokio::test]
async fn devices_of_a_deactivated_owner_are_cut_off_at_once_and_come_back_with_him() {
    each(|world| async move {
        let identity = Identity::new(world.platform.clone());
        identity.register_dependents(Arc::new(world.devices.clone()));
        let ann = world.user("ann", Role::User).await;
        let hers = world.device_of(&ann, "thermometer").await;
        world.device("meter").await;
        assert!(world.login(&hers).await.refusal().is_none());
        let system = Actor::system(world.organization);
        identity.set_user_active(&system, ann.user_id().unwrap(), false).await.unwrap();
        assert_eq!(*world.ended.0.lock().unwrap(), [hers.device.id]);
        assert!(world.login(&hers).await.refusal().is_some(), "its key is refused from now on");
        identity.set_user_active(&system, ann.user_id().unwrap(), true).await.unwrap();
        assert!(world.login(&hers).await.refusal().is_none());
        let change = portico_identity::UserChange { is_active: Some(false), ..Default::default() };
        identity.update_user(&system, ann.user_id().unwrap(), change).await.unwrap();
        assert_eq!(*world.ended.0.lock().unwrap(), [hers.device.id; 2]);
    })
    .await;
}

#[tokio::test]
async fn export_of_a_person_names_the_devices() {
    each(|world| async move {
        let identity = Identity::new(world.platform.clone());
        identity.register_dependents(Arc::new(world.devices.clone()));
        let ann = world.user("ann", Role::User).await;
        let hers = world.device_of(&ann, "thermometer").await;
        world.device("meter").await;
        let export = identity.export_user(&Actor::system(world.organization), ann.user_id().unwrap()).await;
        let Err(error) = export else {
            let export = export.unwrap();
            assert_eq!(export["devices"].as_array().unwrap().len(), 1);
            assert_eq!(export["devices"][0]["id"], hers.device.id.to_string());
            assert!(!export.to_string().contains(&hers.api_key));
            return;
        };
        panic!("{error}");
    })
    .await;
}

#[tokio::test]
async fn who_sent_a_command_is_forgotten_with_him_and_the_command_is_not() {
    each(|world| async move {
        let identity = Identity::new(world.platform.clone());
        identity.register_dependents(Arc::new(world.devices.clone()));
        let ann = world.user("ann", Role::Manager).await;
        let device = world.device("meter").await.device.id;
        let reboot = || NewCommand { name: "reboot".into(), args: None, expires_in_s: None };
        let hers = world.devices.send_command(&ann, device, reboot()).await.unwrap();
        let other = world.devices.send_command(&world.manager, device, reboot()).await.unwrap();
        assert_eq!((hers.issued_by.as_str(), other.issued_by.as_str()), ("user:ann", "user:manager"));
        identity.erase_user(&Actor::system(world.organization), ann.user_id().unwrap(), "ann").await.unwrap();
        let hers = world.devices.command(&world.manager, device, hers.id).await.unwrap();
        assert!(hers.issued_by.starts_with("user:erased-"), "{}", hers.issued_by);
        let other = world.devices.command(&world.manager, device, other.id).await.unwrap();
        assert_eq!(other.issued_by, "user:manager");
    })
    .await;
}
