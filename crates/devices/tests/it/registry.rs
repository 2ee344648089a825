use portico_devices::{DeviceQuery, Sort};
use portico_model::ErrorKind;
use portico_model::devices::{DeviceChange, DeviceStatus, NewDevice};
use portico_model::identity::Role;
use portico_platform::testing::insert_user;

use crate::{each, each_with};

fn new(name: &str) -> NewDevice {
    NewDevice { name: name.into(), device_type: "sensor".into(), ..NewDevice::default() }
}

#[tokio::test]
async fn a_user_sees_his_own_devices_and_a_manager_all() {
    each(|world| async move {
        let (ann, bob) = (world.user("ann", Role::User).await, world.user("bob", Role::User).await);
        let safety = world.user("sue", Role::Safety).await;
        let device = world.device_of(&ann, "thermometer").await.device;
        world.device_of(&bob, "thermometer").await;
        let names = |page: portico_model::Page<portico_model::devices::Device>| page.items.len();
        assert_eq!(names(world.devices.list(&ann, DeviceQuery::default()).await.unwrap()), 1);
        assert_eq!(names(world.devices.list(&world.manager, DeviceQuery::default()).await.unwrap()), 2);
        assert_eq!(world.devices.get(&ann, device.id).await.unwrap().owner_name, "ann");
        assert_eq!(world.devices.get(&bob, device.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        // Safety sees every device and changes none.
        let change = DeviceChange { location: Some("roof".into()), ..DeviceChange::default() };
        assert_eq!(world.devices.get(&safety, device.id).await.unwrap().id, device.id);
        let refused = world.devices.update(&safety, device.id, change.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        assert_eq!(world.devices.delete(&bob, device.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.update(&world.manager, device.id, change).await.unwrap().location, "roof");
        let reception = world.user("rita", Role::Reception).await;
        assert_eq!(world.devices.register(&reception, new("x")).await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!(world.devices.counts(&ann).await.unwrap().total, 1);
        assert_eq!(world.devices.counts(&world.manager).await.unwrap().never, 2);
    })
    .await;
}

#[tokio::test]
async fn another_organization_sees_and_finds_nothing() {
    each(|world| async move {
        let mut thing = new("meter");
        thing.hardware_id = Some("METER-1".into());
        let device = world.devices.register(&world.manager, thing.clone()).await.unwrap().device;
        let other = world.test.other_organization().await;
        let stranger = insert_user(&world.platform, other, "eve", Role::Admin).await;
        assert_eq!(world.devices.get(&stranger, device.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.latest(&stranger, device.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.delete(&stranger, device.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(world.devices.resolve(other, "METER-1").await.is_err());
        assert_eq!(world.devices.resolve(world.organization, "METER-1").await.unwrap(), device.id);
        // The hardware id is unique in an organisation, not in the world.
        world.devices.register(&stranger, thing).await.unwrap();
        assert_eq!(world.devices.list(&stranger, DeviceQuery::default()).await.unwrap().items.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn names_are_unique_for_an_owner_and_free_again_after_deletion() {
    each(|world| async move {
        let first = world.device("meter").await.device;
        let clash = world.devices.register(&world.manager, new("meter")).await.unwrap_err();
        assert_eq!((clash.kind(), clash.message()), (ErrorKind::Conflict, "Device name already exists"));
        let other = world.device("other").await.device;
        let rename = DeviceChange { name: Some("meter".into()), ..DeviceChange::default() };
        assert_eq!(
            world.devices.update(&world.manager, other.id, rename).await.unwrap_err().kind(),
            ErrorKind::Conflict
        );
        world.devices.delete(&world.manager, first.id).await.unwrap();
        assert_eq!(world.devices.get(&world.manager, first.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        world.device("meter").await;
    })
    .await;
}

#[tokio::test]
async fn a_person_has_no_more_devices_than_allowed_even_when_requests_race() {
    each_with(
        |config| config.devices.max_devices_per_user = 3,
        |world| async move {
            let names: Vec<String> = (0..8).map(|number| format!("d{number}")).collect();
            let registrations = names.iter().map(|name| world.devices.register(&world.manager, new(name)));
            let outcomes = futures::future::join_all(registrations).await;
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
            for error in outcomes.into_iter().filter_map(Result::err) {
                assert_eq!(error.code(), "too_many_devices");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn lists_are_paged_searched_and_sorted_alike_on_both_databases() {
    each(|world| async move {
        for name in ["b", "a_1", "Ä-Raum", "c%", "B", "axx1"] {
            world.device(name).await;
            world.test.clock.advance_ms(1);
        }
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let query = DeviceQuery { limit: Some(2), cursor, ..DeviceQuery::default() };
            let page = world.devices.list(&world.manager, query).await.unwrap();
            names.extend(page.items.into_iter().map(|device| device.name));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(names, ["B", "a_1", "axx1", "b", "c%", "Ä-Raum"]);
        let search = async |text: &str| {
            let query = DeviceQuery { search: Some(text.into()), ..DeviceQuery::default() };
            let page = world.devices.list(&world.manager, query).await.unwrap();
            page.items.into_iter().map(|device| device.name).collect::<Vec<_>>()
        };
        assert_eq!(search("a_1").await, ["a_1"]);
        assert_eq!(search("%").await, ["c%"]);
        assert_eq!(search("ä-r").await, ["Ä-Raum"]);
        assert_eq!(search("SENSOR").await.len(), 6);
        let query = DeviceQuery { sort: Sort::Created, limit: Some(1), ..DeviceQuery::default() };
        let newest = world.devices.list(&world.manager, query.clone()).await.unwrap();
        assert_eq!(newest.items[0].name, "axx1");
        let next = DeviceQuery { cursor: newest.next, ..query };
        assert_eq!(world.devices.list(&world.manager, next).await.unwrap().items[0].name, "B");
        let bad = DeviceQuery { cursor: Some("nonsense".into()), ..DeviceQuery::default() };
        assert_eq!(world.devices.list(&world.manager, bad).await.unwrap_err().kind(), ErrorKind::Invalid);
    })
    .await;
}

#[tokio::test]
async fn what_people_do_is_in_the_audit_trail() {
    each(|world| async move {
        let device = world.device("meter").await.device;
        let change = DeviceChange { status: Some(DeviceStatus::Maintenance), ..DeviceChange::default() };
        world.devices.update(&world.manager, device.id, change).await.unwrap();
        world.devices.rotate_key(&world.manager, device.id).await.unwrap();
        world.devices.delete_range(&world.manager, device.id, world.now(), world.now()).await.unwrap();
        world.devices.delete(&world.manager, device.id).await.unwrap();
        let mut tx = world.platform.db.read().await.unwrap();
        let filter = portico_platform::audit::AuditFilter { limit: 50, ..Default::default() };
        let records = portico_platform::audit::list(&mut tx, world.organization, &filter).await.unwrap();
        let mut actions: Vec<_> = records.iter().map(|record| record.action.as_str()).collect();
        actions.reverse();
        assert_eq!(
            actions,
            ["device.registered", "device.changed", "device.key_rotated", "telemetry.deleted", "device.deleted"]
        );
        assert!(records.iter().all(|record| record.target == format!("device:{}", device.id)));
        assert!(records.iter().all(|record| record.actor == "user:manager"));
    })
    .await;
}
