use portico_identity::Identity;
use portico_model::identity::Role;
use portico_platform::testing::each_database;

use crate::{PASSWORD, code, each, here};

#[tokio::test]
async fn link_makes_the_first_administrator_and_signs_him_in() {
    each_database(|test| async move {
        let identity = Identity::new(test.platform.clone());
        assert!(identity.setup_needed().await.unwrap());
        let token = identity.issue_setup_token().await.unwrap().unwrap();
        let signed_in =
            identity.setup(&token, "Harbour House", "anna", "Anna@Example.org", PASSWORD, &here()).await.unwrap();
        assert_eq!(signed_in.user.role, Role::Admin);
        let actor = identity.authenticate(&signed_in.access_token, &here()).await.unwrap();
        let current = identity.current_user(&actor).await.unwrap();
        assert_eq!((current.organization_name.as_str(), current.username.as_str()), ("Harbour House", "anna"));
        assert!(!identity.setup_needed().await.unwrap());
        assert_eq!(identity.issue_setup_token().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn link_works_once() {
    each_database(|test| async move {
        let identity = Identity::new(test.platform.clone());
        let token = identity.issue_setup_token().await.unwrap().unwrap();
        let (ctx, other) = (here(), here());
        let (one, two) = tokio::join!(
            identity.setup(&token, "A", "anna", "anna@example.org", PASSWORD, &ctx),
            identity.setup(&token, "B", "berta", "berta@example.org", PASSWORD, &other),
        );
        let codes = [code(one), code(two)];
        assert_eq!(codes.iter().filter(|code| **code == "ok").count(), 1, "{codes:?}");
        assert!(codes.contains(&"setup_link_invalid"), "{codes:?}");
        let again = identity.setup(&token, "C", "carla", "carla@example.org", PASSWORD, &here()).await;
        assert_eq!(code(again), "setup_link_invalid");
    })
    .await;
}

#[tokio::test]
async fn unknown_and_expired_links_are_refused() {
    each_database(|test| async move {
        let identity = Identity::new(test.platform.clone());
        let token = identity.issue_setup_token().await.unwrap().unwrap();
        let attempt =
            async |token: &str| code(identity.setup(token, "A", "anna", "anna@example.org", PASSWORD, &here()).await);
        assert_eq!(attempt("").await, "setup_link_invalid");
        assert_eq!(attempt(&token[1..]).await, "setup_link_invalid");
        test.clock.advance_ms(test.platform.config.identity.setup_token_s * 1000);
        assert_eq!(attempt(&token).await, "setup_link_invalid");
        let fresh = identity.issue_setup_token().await.unwrap().unwrap();
        assert_eq!(attempt(&fresh).await, "ok");
    })
    .await;
}

#[tokio::test]
async fn everything_wrong_with_the_form_is_told_at_once_and_the_link_stays_good() {
    each_database(|test| async move {
        let identity = Identity::new(test.platform.clone());
        let token = identity.issue_setup_token().await.unwrap().unwrap();
        let error = identity.setup(&token, " ", "a b", "nowhere", "short", &here()).await.unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["organization_name", "username", "email", "password"]);
        assert_eq!(code(identity.setup(&token, "A", "anna", "anna@example.org", PASSWORD, &here()).await), "ok");
    })
    .await;
}

#[tokio::test]
async fn command_line_can_make_administrators_where_there_is_one() {
    each(|world| async move {
        assert!(!world.identity.setup_needed().await.unwrap());
        let again = world.identity.create_admin("ADMIN", "other@example.org", PASSWORD).await;
        assert_eq!(code(again), "username_taken");
        let (organization, _) = world.identity.create_admin("second", "second@example.org", PASSWORD).await.unwrap();
        assert_eq!(organization, world.organization);
    })
    .await;
}
