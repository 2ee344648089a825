use portico_model::identity::Role;

use crate::{OTHER_PASSWORD, PASSWORD, code, each, here};

#[tokio::test]
async fn new_password_ends_the_other_sessions() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let here_session = world.actor("berta").await;
        let elsewhere = world.sign_in("berta").await;
        world.identity.change_password(&here_session, PASSWORD, OTHER_PASSWORD).await.unwrap();
        assert_eq!(world.identity.sessions(&here_session).await.unwrap().len(), 1);
        assert_eq!(code(world.identity.authenticate(&elsewhere.access_token, &here()).await), "session_ended");
        assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "invalid_credentials");
        assert_eq!(world.try_sign_in("berta", OTHER_PASSWORD, &here()).await, "ok");
        assert!(world.trail().await.contains(&"auth.password_changed success".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn stolen_session_is_no_way_to_guess_the_password() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        for _ in 0..5 {
            let error = world.identity.change_password(&berta, "wrong", OTHER_PASSWORD).await.unwrap_err();
            assert_eq!(error.field_errors()[0].field, "current_password");
        }
        assert_eq!(code(world.identity.change_password(&berta, PASSWORD, OTHER_PASSWORD).await), "locked_out");
        world.clock.advance_ms(15 * 60_000);
        assert_eq!(code(world.identity.change_password(&berta, PASSWORD, OTHER_PASSWORD).await), "ok");
    })
    .await;
}

#[tokio::test]
async fn new_password_must_be_strong_and_new() {
    each(|world| async move {
        for weak in ["short", "password1234", PASSWORD] {
            let error = world.identity.change_password(&world.admin, PASSWORD, weak).await.unwrap_err();
            assert_eq!(error.field_errors()[0].field, "new_password", "{weak}");
        }
    })
    .await;
}
