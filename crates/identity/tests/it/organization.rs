use portico_identity::OrganizationUpdate;
use portico_model::identity::{Role, Signup};

use crate::{PASSWORD, code, each, here};

fn update(name: &str, time_zone: &str, signup: Option<Signup>) -> OrganizationUpdate {
    OrganizationUpdate { name: name.to_owned(), time_zone: Some(time_zone.to_owned()), signup }
}

#[tokio::test]
async fn settings_are_read_by_all_and_changed_by_administrators() {
    each(|world| async move {
        world.user("berta", Role::Manager).await;
        let manager = world.actor("berta").await;
        let before = world.identity.organization(&manager).await.unwrap();
        assert_eq!((before.name.as_str(), before.time_zone), ("Test", None));
        assert_eq!((before.signup, before.signup_in_force), (None, Signup::Invite));
        let refused = world.identity.update_organization(&manager, update("Mine", "UTC", None)).await;
        assert_eq!(code(refused), "not_permitted");
        let changed = update(" Example House ", "europe/berlin", Some(Signup::Closed));
        let after = world.identity.update_organization(&world.admin, changed).await.unwrap();
        assert_eq!((after.name.as_str(), after.time_zone.as_deref()), ("Example House", Some("Europe/Berlin")));
        assert_eq!((after.signup, after.signup_in_force), (Some(Signup::Closed), Signup::Closed));
        assert_eq!(world.identity.organization(&manager).await.unwrap(), after);
        assert_eq!(world.trail().await[0], "organization.updated success");
        assert_eq!(world.identity.current_user(&manager).await.unwrap().organization_name, "Example House");

        let wrong = world.identity.update_organization(&world.admin, update("", "Berlin", None)).await.unwrap_err();
        let fields: Vec<_> = wrong.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "time_zone"]);

        // Another organisation has its own.
        let (stranger, _) = world.stranger().await;
        let other = world.identity.organization(&stranger).await.unwrap();
        assert_eq!((other.name.as_str(), other.signup), ("Elsewhere", None));
        world.identity.update_organization(&stranger, update("Elsewhere", "UTC", Some(Signup::Open))).await.unwrap();
        assert_eq!(world.identity.organization(&manager).await.unwrap(), after);
    })
    .await;
}

#[tokio::test]
async fn signing_up_follows_the_setting_and_else_the_configuration() {
    each(|world| async move {
        let sign_up = async |name: &str| {
            code(world.identity.sign_up(name, &format!("{name}@example.org"), PASSWORD, &here()).await)
        };
        let set = async |signup| {
            world.identity.update_organization(&world.admin, update("Test", "UTC", signup)).await.unwrap();
        };
        assert_eq!(sign_up("u1").await, "signup_closed");
        set(Some(Signup::Open)).await;
        assert_eq!(sign_up("u1").await, "ok");
        set(None).await;
        assert_eq!(sign_up("u2").await, "signup_closed");
    })
    .await;
}
