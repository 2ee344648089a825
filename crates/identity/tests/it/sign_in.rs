use portico_identity::SessionKind;
use portico_model::ErrorKind;
use portico_model::identity::Role;
use portico_platform::config::Signup;

use crate::{OTHER_PASSWORD, PASSWORD, code, each, each_with, here};

#[tokio::test]
async fn name_or_address_in_any_case_signs_in() {
    each(|world| async move {
        world.user("Berta", Role::User).await;
        for login in ["Berta", "berta", " BERTA ", "berta@example.org", "BERTA@EXAMPLE.ORG"] {
            assert_eq!(world.try_sign_in(login, PASSWORD, &here()).await, "ok", "{login}");
        }
    })
    .await;
}

#[tokio::test]
async fn names_are_unique_in_any_case() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let create = async |username: &str, email: &str| {
            let new = portico_identity::NewUser {
                username: username.to_owned(),
                email: email.to_owned(),
                password: PASSWORD.to_owned(),
                role: Role::User,
            };
            code(world.identity.create_user(&world.admin, new).await)
        };
        assert_eq!(create("BERTA", "other@example.org").await, "username_taken");
        assert_eq!(create("other", "Berta@Example.Org").await, "email_taken");
        assert_eq!(create("berta@example.org", "other@example.org").await, "invalid_fields");
    })
    .await;
}

#[tokio::test]
async fn nothing_tells_whether_an_account_exists_or_is_deactivated() {
    each(|world| async move {
        let user = world.user("berta", Role::User).await;
        world.identity.set_user_active(&world.admin, user.id, false).await.unwrap();
        let mut answers = Vec::new();
        for login in ["admin", "berta", "nobody", "nobody@example.org"] {
            let error =
                world.identity.sign_in(login, OTHER_PASSWORD, SessionKind::Api, &here()).await.map(drop).unwrap_err();
            answers.push((error.kind(), error.code(), error.message().to_owned()));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        assert_eq!(answers[0].0, ErrorKind::Unauthenticated);
        // Only who knows the password learns more.
        assert_eq!(world.try_sign_in("berta", PASSWORD, &here()).await, "account_inactive");
    })
    .await;
}

#[tokio::test]
async fn weak_passwords_are_refused_with_advice() {
    each(|world| async move {
        for password in ["short", "password1234", "carlacarla12", "aaaaaaaaaaaaaaaa"] {
            let new = portico_identity::NewUser {
                username: "carla".to_owned(),
                email: "carla@example.org".to_owned(),
                password: password.to_owned(),
                role: Role::User,
            };
            let error = world.identity.create_user(&world.admin, new).await.unwrap_err();
            let field = &error.field_errors()[0];
            assert_eq!(field.field, "password", "{password}");
            assert!(field.message.len() > 30 && !field.message.contains(password), "{}", field.message);
        }
    })
    .await;
}

#[tokio::test]
async fn sign_up_needs_to_be_open() {
    each(|world| async move {
        let result = world.identity.sign_up("dora", "dora@example.org", PASSWORD, &here()).await;
        assert_eq!(code(result), "signup_closed");
    })
    .await;
    each_with(
        |config| config.signup = Signup::Open,
        |world| async move {
            let user = world.identity.sign_up("dora", "dora@example.org", PASSWORD, &here()).await.unwrap();
            assert_eq!(user.role, Role::User);
            assert_eq!(world.actor("dora").await.organization, world.organization);
            let again = world.identity.sign_up("Dora", "dora2@example.org", PASSWORD, &here()).await.unwrap_err();
            assert_eq!(
                (again.kind(), again.message()),
                (ErrorKind::Conflict, "User with username 'Dora' already exists")
            );
            let again = world.identity.sign_up("dora2", "DORA@example.org", PASSWORD, &here()).await.unwrap_err();
            assert_eq!(
                (again.kind(), again.message()),
                (ErrorKind::Conflict, "User with email 'DORA@example.org' already exists")
            );
        },
    )
    .await;
}

#[tokio::test]
async fn signing_in_many_times_at_once_is_no_attack() {
    each(|world| async move {
        let results =
            futures_join((0..12).map(|_| world.identity.sign_in("admin", PASSWORD, SessionKind::Api, here_static())))
                .await;
        assert!(results.into_iter().all(|result| result.is_ok()));
    })
    .await;
}

fn here_static() -> &'static portico_identity::RequestContext {
    static HERE: std::sync::LazyLock<portico_identity::RequestContext> = std::sync::LazyLock::new(here);
    &HERE
}

async fn futures_join<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures::future::join_all(futures).await
}
