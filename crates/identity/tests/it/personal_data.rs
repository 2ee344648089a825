use portico_identity::{AuditQuery, UserChange};
use portico_model::identity::Role;

use crate::{OTHER_PASSWORD, World, code, each, from, here};

impl World {
    async fn whole_trail(&self) -> String {
        let query = AuditQuery { limit: Some(500), ..AuditQuery::default() };
        let page = self.identity.audit_records(&self.admin, query).await.unwrap();
        page.items.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect()
    }

    async fn chain_is_sound(&self) -> bool {
        let results = self.test.platform.audit.verify(&self.test.platform.db).await.unwrap();
        results.iter().all(|result| result.defect.is_none())
    }
}

#[tokio::test]
async fn export_holds_what_is_known_of_the_person_and_nothing_of_others() {
    each(|world| async move {
        let berta = world.user("berta", Role::User).await;
        world.user("bertam", Role::User).await;
        world.actor("bertam").await;
        let actor = world.actor("berta").await;
        let export = world.identity.export_user(&actor, berta.id).await.unwrap();
        assert_eq!(export["account"]["email"], "berta@example.org");
        assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(export["organization"]["name"], "Test");
        let actions: Vec<_> =
            export["audit"].as_array().unwrap().iter().map(|r| r["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["auth.signed_in", "user.created"]);
        assert_eq!(export["audit"][1]["address"], "", "the administrator's address is his own");
        let text = export.to_string();
        assert!(!text.contains("bertam") && !text.contains("argon2"), "{text}");
        assert_eq!(world.trail().await[0], "user.exported success");

        let other = world.actor("bertam").await;
        assert_eq!(code(world.identity.export_user(&other, berta.id).await), "not_permitted");
        assert_eq!(code(world.identity.export_user(&world.admin, berta.id).await), "ok");
        let (stranger, _) = world.stranger().await;
        assert_eq!(code(world.identity.export_user(&stranger, berta.id).await), "user_not_found");
    })
    .await;
}

#[tokio::test]
async fn erased_person_is_forgotten_and_what_happened_is_not() {
    each(|world| async move {
        let berta = world.user("berta", Role::User).await;
        let (kind, elsewhere) = (portico_identity::SessionKind::Api, from("203.0.113.9"));
        let signed_in = world.identity.sign_in("berta", crate::PASSWORD, kind, &elsewhere).await.unwrap();
        let renamed = UserChange {
            username: Some("roberta".to_owned()),
            email: Some("roberta@example.org".to_owned()),
            ..UserChange::default()
        };
        world.identity.update_user(&world.admin, berta.id, renamed).await.unwrap();
        world.try_sign_in("roberta", OTHER_PASSWORD, &from("203.0.113.9")).await;
        world.user("alberta", Role::User).await;
        let before = world.trail().await;
        let trail = world.whole_trail().await;
        assert!(trail.contains("berta@example.org") && trail.contains("203.0.113.9"));

        let wrong = world.identity.erase_user(&world.admin, berta.id, "berta").await;
        assert_eq!(code(wrong), "invalid_fields", "the old name confirms nothing");
        world.identity.erase_user(&world.admin, berta.id, " Roberta ").await.unwrap();

        let trail = world.whole_trail().await;
        assert!(!trail.contains("203.0.113.9"), "{trail}");
        for line in trail.lines().filter(|line| !line.contains("alberta")) {
            assert!(!line.to_lowercase().contains("berta"), "{line}");
        }
        assert!(trail.contains("alberta@example.org") || trail.contains("alberta"), "another's longer name stays");
        assert_eq!(world.trail().await[1..], before, "no record is lost");
        assert_eq!(world.trail().await[0], "user.erased success");
        assert!(world.chain_is_sound().await);

        assert_eq!(code(world.identity.get_user(&world.admin, berta.id).await), "user_not_found");
        assert_eq!(code(world.identity.authenticate(&signed_in.access_token, &here()).await), "session_ended");
        assert_eq!(world.try_sign_in("roberta", crate::PASSWORD, &here()).await, "invalid_credentials");
        // The names are free again, and their new bearer is another person.
        world.user("roberta", Role::User).await;
        assert!(world.chain_is_sound().await);
    })
    .await;
}

#[tokio::test]
async fn one_may_erase_oneself_but_no_administrator_and_nobody_else() {
    each(|world| async move {
        let berta = world.user("berta", Role::User).await;
        let carla = world.user("carla", Role::Manager).await;
        let (actor, manager) = (world.actor("berta").await, world.actor("carla").await);
        assert_eq!(code(world.identity.erase_user(&manager, berta.id, "berta").await), "not_permitted");
        let admin = world.admin.user_id().unwrap();
        assert_eq!(code(world.identity.erase_user(&world.admin, admin, "admin").await), "admin_protected");
        let (stranger, _) = world.stranger().await;
        assert_eq!(code(world.identity.erase_user(&stranger, carla.id, "carla").await), "user_not_found");
        world.identity.erase_user(&actor, berta.id, "berta").await.unwrap();
        let trail = world.whole_trail().await;
        assert!(!trail.contains("berta"), "{trail}");
        assert!(world.chain_is_sound().await);
        assert_eq!(code(world.identity.get_user(&world.admin, carla.id).await), "ok");
    })
    .await;
}
