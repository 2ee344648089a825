use futures::FutureExt;
use portico_identity::{NewServiceKey, ServiceKeyChange};
use portico_model::identity::{Permission, Role, ServiceKey};
use portico_platform::{Actor, Principal};

use crate::{World, code, each, here};

const DAY_S: i64 = 86_400;

fn new_key(name: &str, scopes: &[Permission]) -> NewServiceKey {
    NewServiceKey { name: name.to_owned(), scopes: scopes.to_vec(), expires_at: None }
}

impl World {
    async fn key(&self, name: &str, scopes: &[Permission]) -> (ServiceKey, String) {
        self.identity.create_service_key(&self.admin, new_key(name, scopes)).await.unwrap()
    }

    async fn service(&self, api_key: &str) -> Actor {
        self.identity.authenticate_service(api_key, &here()).await.unwrap()
    }

    async fn try_key(&self, api_key: &str) -> &'static str {
        code(self.identity.authenticate_service(api_key, &here()).await)
    }
}

#[tokio::test]
async fn service_may_what_its_scopes_say_and_nothing_else() {
    each(|world| async move {
        let (key, secret) = world.key("Reports", &[Permission::ReadAudit]).await;
        assert!(secret.starts_with("svc_") && secret.ends_with(&key.hint) && secret.len() == 44, "{secret}");
        let service = world.service(&secret).await;
        assert_eq!(service.organization, world.organization);
        assert_eq!(service.label(), "service:Reports");
        for permission in Permission::ALL {
            assert_eq!(service.may(permission), permission == Permission::ReadAudit, "{permission:?}");
        }
        assert_eq!(code(world.identity.audit_records(&service, portico_identity::AuditQuery::default()).await), "ok");
        assert_eq!(code(world.identity.users(&service, None, None, 10).await), "not_permitted");
        assert_eq!(code(world.identity.service_keys(&service, false).await), "not_permitted");
        assert_eq!(code(world.identity.current_user(&service).await), "no_account");
        assert_eq!(world.trail().await[0], "service_key.list denied");
    })
    .await;
}

#[tokio::test]
async fn secrets_are_stored_as_hashes_only() {
    each(|world| async move {
        let (_, secret) = world.key("Reports", &[Permission::ReadAudit]).await;
        let mut tx = world.test.platform.db.read().await.unwrap();
        let hashes: Vec<Vec<u8>> = portico_platform::on_db!(&mut tx, conn =>
            sqlx::query_scalar("select key_hash from service_key_secret").fetch_all(conn).await)
        .unwrap();
        assert_eq!(hashes.iter().map(Vec::len).collect::<Vec<_>>(), [32]);
        assert!(!world.trail().await.join(" ").contains(&secret[4..]));
        assert_eq!(world.try_key("svc_0000000000000000000000000000000000000000").await, "invalid_api_key");
        assert_eq!(world.trail().await[0], "auth.service_key_refused denied");
        world.try_key("svc_1").await;
        assert_eq!(
            world.trail().await.iter().filter(|line| line.starts_with("auth.service")).count(),
            1,
            "once a minute"
        );
    })
    .await;
}

#[tokio::test]
async fn only_those_who_may_make_keys_and_nobody_gives_what_he_has_not() {
    each(|world| async move {
        world.user("mona", Role::Manager).await;
        let manager = world.actor("mona").await;
        let refused = world.identity.create_service_key(&manager, new_key("x", &[Permission::ReadAllDevices])).await;
        assert_eq!(code(refused), "not_permitted");

        // A key that makes keys makes none that may more than it may itself.
        let (_, maker) = world.key("Maker", &[Permission::ManageServiceKeys, Permission::ReadAllDevices]).await;
        let maker = world.service(&maker).await;
        let wide = world.identity.create_service_key(&maker, new_key("wide", &[Permission::ManageUsers])).await;
        assert_eq!(code(wide), "scope_not_held");
        let (narrow, _) =
            world.identity.create_service_key(&maker, new_key("narrow", &[Permission::ReadAllDevices])).await.unwrap();
        assert_eq!(narrow.created_by, "service:Maker");
        let change = ServiceKeyChange { scopes: Some(vec![Permission::ManageUsers]), ..ServiceKeyChange::default() };
        assert_eq!(code(world.identity.update_service_key(&maker, narrow.id, change).await), "scope_not_held");
        let (strong, _) = world.key("Strong", &[Permission::ManageUsers]).await;
        assert_eq!(code(world.identity.rotate_service_key(&maker, strong.id, None).await), "scope_not_held");
    })
    .await;
}

#[tokio::test]
async fn key_expires_and_its_expiry_can_be_moved() {
    each(|world| async move {
        let until = world.clock.now().plus_secs(DAY_S);
        let new = NewServiceKey { expires_at: Some(until), ..new_key("Short", &[Permission::ReadAudit]) };
        let (key, secret) = world.identity.create_service_key(&world.admin, new).await.unwrap();
        world.clock.advance_ms(DAY_S * 1000 - 1);
        let service = world.service(&secret).await;
        world.clock.advance_ms(1);
        assert_eq!(world.try_key(&secret).await, "invalid_api_key");
        assert!(!world.identity.is_alive(&service).await);
        let change = ServiceKeyChange { expires_at: Some(None), ..ServiceKeyChange::default() };
        let admin = world.actor("admin").await;
        world.identity.update_service_key(&admin, key.id, change).await.unwrap();
        assert_eq!(world.try_key(&secret).await, "ok");
        let past = ServiceKeyChange { expires_at: Some(Some(until)), ..ServiceKeyChange::default() };
        assert_eq!(code(world.identity.update_service_key(&admin, key.id, past).await), "invalid_fields");
    })
    .await;
}

#[tokio::test]
async fn rotation_overlaps_and_then_the_old_key_is_refused() {
    each(|world| async move {
        let (key, old) = world.key("Gate", &[Permission::ReadAudit]).await;
        let (rotated, new) = world.identity.rotate_service_key(&world.admin, key.id, Some(600)).await.unwrap();
        assert_eq!(rotated.old_key_until, Some(world.clock.now().plus_secs(600)));
        assert_ne!(old, new);
        assert_eq!((world.try_key(&old).await, world.try_key(&new).await), ("ok", "ok"));
        world.clock.advance_ms(600_000);
        assert_eq!((world.try_key(&old).await, world.try_key(&new).await), ("invalid_api_key", "ok"));
        let read = world.identity.service_key(&world.admin, key.id).await.unwrap();
        assert_eq!(read.old_key_until, None);

        let hub = &world.test.platform.hub;
        let live = hub.connect(&world.service(&new).await, 10).unwrap();
        let (_, newest) = world.identity.rotate_service_key(&world.admin, key.id, Some(0)).await.unwrap();
        assert_eq!((world.try_key(&new).await, world.try_key(&newest).await), ("invalid_api_key", "ok"));
        assert!(is_closed(&live));
        for wrong in [-1, 31 * DAY_S] {
            let refused = world.identity.rotate_service_key(&world.admin, key.id, Some(wrong)).await;
            assert_eq!(code(refused), "invalid_fields");
        }
    })
    .await;
}

#[tokio::test]
async fn revoked_key_ends_at_once_with_its_live_connections() {
    each(|world| async move {
        let (key, secret) = world.key("Gate", &[Permission::ReadAudit]).await;
        let (other, other_secret) = world.key("Other", &[Permission::ReadAudit]).await;
        let hub = &world.test.platform.hub;
        let service = world.service(&secret).await;
        let (mine, others) =
            (hub.connect(&service, 10).unwrap(), hub.connect(&world.service(&other_secret).await, 10).unwrap());
        world.identity.revoke_service_key(&world.admin, key.id).await.unwrap();
        assert_eq!(world.try_key(&secret).await, "invalid_api_key");
        assert!(!world.identity.is_alive(&service).await);
        assert!(is_closed(&mine) && !is_closed(&others));
        assert_eq!(code(world.identity.revoke_service_key(&world.admin, key.id).await), "key_revoked");
        assert_eq!(code(world.identity.rotate_service_key(&world.admin, key.id, None).await), "key_revoked");

        // Its name is free again, and it is listed only where asked for.
        world.key("gate", &[Permission::ReadAudit]).await;
        let names = async |revoked| {
            let keys = world.identity.service_keys(&world.admin, revoked).await.unwrap();
            keys.into_iter().map(|key| (key.name, key.revoked_at.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(names(false).await, [("gate".to_owned(), false), ("Other".to_owned(), false)]);
        assert_eq!(names(true).await.len(), 3);
        world.clock.advance_ms(91 * DAY_S * 1000);
        world.identity.clean_up().await.unwrap();
        let admin = world.actor("admin").await;
        assert_eq!(world.identity.service_keys(&admin, true).await.unwrap().len(), 2);

        // Other scopes end live connections too; another name does not.
        let renamed = ServiceKeyChange { name: Some("Another".to_owned()), ..ServiceKeyChange::default() };
        world.identity.update_service_key(&admin, other.id, renamed).await.unwrap();
        assert!(!is_closed(&others));
        let scopes = ServiceKeyChange { scopes: Some(vec![Permission::ReadAllDevices]), ..ServiceKeyChange::default() };
        world.identity.update_service_key(&admin, other.id, scopes).await.unwrap();
        assert!(is_closed(&others));
    })
    .await;
}

#[tokio::test]
async fn names_are_unique_and_use_is_noted() {
    each(|world| async move {
        let (key, secret) = world.key("Gate", &[Permission::ReadAudit]).await;
        let again = world.identity.create_service_key(&world.admin, new_key(" GATE ", &[Permission::ReadAudit])).await;
        assert_eq!(code(again), "name_taken");
        for (name, scopes) in
            [("", &[Permission::ReadAudit][..]), ("x", &[]), (&"x".repeat(81), &[Permission::ReadAudit])]
        {
            let refused = world.identity.create_service_key(&world.admin, new_key(name, scopes)).await;
            assert_eq!(code(refused), "invalid_fields");
        }
        let used = async || world.identity.service_key(&world.admin, key.id).await.unwrap().last_used_at;
        assert_eq!(used().await, None);
        world.service(&secret).await;
        world.identity.write_touched().await.unwrap();
        assert_eq!(used().await, Some(world.clock.now()));
    })
    .await;
}

#[tokio::test]
async fn another_organisation_cannot_see_or_touch_a_key() {
    each(|world| async move {
        let (key, secret) = world.key("Gate", &[Permission::ReadAudit]).await;
        let (stranger, _) = world.stranger().await;
        assert!(world.identity.service_keys(&stranger, true).await.unwrap().is_empty());
        assert_eq!(code(world.identity.service_key(&stranger, key.id).await), "service_key_not_found");
        assert_eq!(code(world.identity.rotate_service_key(&stranger, key.id, Some(0)).await), "service_key_not_found");
        assert_eq!(code(world.identity.revoke_service_key(&stranger, key.id).await), "service_key_not_found");
        let change = ServiceKeyChange { name: Some("Mine".to_owned()), ..ServiceKeyChange::default() };
        assert_eq!(code(world.identity.update_service_key(&stranger, key.id, change).await), "service_key_not_found");
        let Principal::Service { name, .. } = world.service(&secret).await.principal else { panic!("no service") };
        assert_eq!(name, "Gate");
    })
    .await;
}

fn is_closed(connection: &portico_platform::hub::Connection) -> bool {
    matches!(connection.mailbox().take(&mut Vec::new(), 1).now_or_never(), Some(Err(_)))
}
