//! People, their groups and credentials.

use portico_access::{EventQuery, PersonQuery};
use portico_model::access::people::{
    CredentialKind, CredentialValidity, NewCredential, Person, PersonGroupInput, PersonInput,
};
use portico_model::access::{AccessEvent, Level};
use portico_model::identity::Role;
use portico_model::{ErrorKind, PersonId};
use portico_platform::Actor;
use portico_platform::testing::insert_user;

use crate::{World, each};

pub fn named(name: &str) -> PersonInput {
    PersonInput { name: name.into(), ..PersonInput::default() }
}

pub async fn person(world: &World, name: &str) -> Person {
    world.access.create_person(&world.manager, named(name)).await.unwrap()
}

pub fn card(value: &str) -> NewCredential {
    NewCredential {
        kind: CredentialKind::Rfid,
        value: Some(value.into()),
        reader_id: None,
        valid_from: None,
        valid_until: None,
    }
}

#[tokio::test]
async fn people_have_numbers_and_are_found_by_what_is_known_of_them() {
    each(|world| async move {
        let access = &world.access;
        let ann = PersonInput {
            employee_id: Some("E-1".into()),
            email: Some("ann@example.org".into()),
            level: Level::Admin,
            ..named("Ann Archer")
        };
        let ann = access.create_person(&world.manager, ann).await.unwrap();
        let bob = person(&world, "bob 100% Baker").await;
        assert_eq!((ann.number, bob.number), (1, 2));
        for (search, expected) in
            [("archer", 1), ("E-1", 1), ("example", 1), ("100%", 1), ("%", 1), ("b", 1), ("zoe", 0)]
        {
            let query = PersonQuery { search: Some(search.into()), ..PersonQuery::default() };
            let (found, total) = access.people(&world.manager, &query).await.unwrap();
            assert_eq!((found.len(), total), (expected, i64::try_from(expected).unwrap()), "{search}");
        }
        let query = PersonQuery { search: Some("a\u{0}".into()), ..PersonQuery::default() };
        assert_eq!(access.people(&world.manager, &query).await.unwrap_err().kind(), ErrorKind::Invalid);
        let query = PersonQuery { limit: Some(1), offset: Some(1), ..PersonQuery::default() };
        let (page, total) = access.people(&world.manager, &query).await.unwrap();
        assert_eq!((page[0].id, total), (bob.id, 2));

        let twin = PersonInput { employee_id: Some("E-1".into()), ..named("Twin") };
        let error = access.create_person(&world.manager, twin.clone()).await.unwrap_err();
        assert_eq!(error.code(), "employee_id_taken");
        assert_eq!(access.update_person(&world.manager, bob.id, twin).await.unwrap_err().code(), "employee_id_taken");

        let account = world.user("dora", Role::User).await.user_id();
        let with_account = PersonInput { user_id: account, ..named("Dora") };
        let dora = access.create_person(&world.manager, with_account.clone()).await.unwrap();
        assert_eq!(dora.user_name.as_deref(), Some("dora"));
        let error = access.create_person(&world.manager, with_account).await.unwrap_err();
        assert_eq!(error.code(), "account_taken");

        let changed = PersonInput { is_active: false, ..named("Bob Baker") };
        let changed = access.update_person(&world.manager, bob.id, changed).await.unwrap();
        assert_eq!((changed.number, changed.is_active), (2, false));
        let passed = |person: PersonId, name: &str| AccessEvent {
            person_id: Some(person),
            person_name: name.into(),
            credential_hint: "…1A2B".into(),
            ..crate::log::event(1)
        };
        world.log([passed(bob.id, "Bob Baker"), passed(dora.id, "Dora")]).await;
        access.delete_person(&world.manager, dora.id, false).await.unwrap();
        access.delete_person(&world.manager, bob.id, true).await.unwrap();
        let logged = access.events(&world.manager, &EventQuery::default()).await.unwrap().items;
        let mut shown: Vec<_> = logged.iter().map(|e| (e.person_name.as_str(), e.credential_hint.as_str())).collect();
        shown.sort_unstable();
        assert_eq!(shown, [("Dora", "…1A2B"), ("Erased person 2", "")]);
        assert_eq!(access.person(&world.manager, bob.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn credentials_are_unique_hidden_and_can_be_blocked() {
    each(|world| async move {
        let access = &world.access;
        let (ann, bob) = (person(&world, "Ann").await, person(&world, "Bob").await);
        let made = access.add_credential(&world.manager, ann.id, card("04:52:1a:2b")).await.unwrap();
        assert_eq!((made.credential.hint.as_str(), &made.pin), ("…1A2B", &None));
        let error = access.add_credential(&world.manager, bob.id, card("04521A2B")).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), ("credential_taken", ErrorKind::Conflict));

        let pin = NewCredential { kind: CredentialKind::Pin, value: None, ..card("") };
        let made_pin = access.add_credential(&world.manager, ann.id, pin.clone()).await.unwrap();
        let chosen = made_pin.pin.unwrap();
        assert!(chosen.len() == 6 && !made_pin.credential.hint.contains(&chosen));
        let same = NewCredential { value: Some(chosen.clone()), ..pin };
        assert_eq!(access.add_credential(&world.manager, bob.id, same).await.unwrap_err().code(), "credential_taken");
        let stored: Vec<String> = {
            let mut tx = world.platform.db.read().await.unwrap();
            portico_platform::on_db!(&mut tx, conn => sqlx::query_scalar("select lookup from access_credential")
                .fetch_all(conn).await)
            .unwrap()
        };
        assert!(!stored.contains(&chosen), "a PIN is kept as a keyed hash only");

        for (kind, wrong) in [
            (CredentialKind::Rfid, "04\u{0}"),
            (CredentialKind::Rfid, ""),
            (CredentialKind::Pin, "12a4"),
            (CredentialKind::Fingerprint, "0"),
            (CredentialKind::Fingerprint, "99999999999999999999"),
        ] {
            let new = NewCredential { kind, value: Some(wrong.into()), ..card("") };
            // An empty PIN is made up; an empty card is none.
            let error = access.add_credential(&world.manager, bob.id, new).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong:?}");
        }

        let blocked = CredentialValidity { is_active: false, valid_from: None, valid_until: None };
        let credential = access.set_credential(&world.manager, made.credential.id, blocked).await.unwrap();
        assert!(!credential.is_active);
        access.delete_credential(&world.manager, made.credential.id).await.unwrap();
        access.add_credential(&world.manager, bob.id, card("04521A2B")).await.unwrap();
        let ann = access.person(&world.manager, ann.id).await.unwrap();
        assert_eq!(ann.credentials.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn groups_hold_people_of_the_same_organisation() {
    each(|world| async move {
        let access = &world.access;
        let ann = person(&world, "Ann").await;
        let input = PersonGroupInput { name: "Night shift".into(), description: String::new() };
        let group = access.save_person_group(&world.manager, None, &input).await.unwrap();
        let error = access.save_person_group(&world.manager, None, &input).await.unwrap_err();
        assert_eq!(error.code(), "person_group_name_taken");
        for _ in 0..2 {
            access.set_person_group_member(&world.manager, group.id, ann.id, true).await.unwrap();
        }
        assert_eq!(access.person_group(&world.manager, group.id).await.unwrap().member_count, 1);
        let query = PersonQuery { group: Some(group.id), ..PersonQuery::default() };
        assert_eq!(access.people(&world.manager, &query).await.unwrap().1, 1);
        access.set_person_group_member(&world.manager, group.id, ann.id, false).await.unwrap();
        assert_eq!(access.people(&world.manager, &query).await.unwrap().1, 0);

        let elsewhere = world.test.other_organization().await;
        let stranger = insert_user(&world.platform, elsewhere, "stranger", Role::Admin).await;
        for error in [
            access.person(&stranger, ann.id).await.map(drop).unwrap_err(),
            access.update_person(&stranger, ann.id, named("Mine")).await.map(drop).unwrap_err(),
            access.delete_person(&stranger, ann.id, false).await.unwrap_err(),
            access.add_credential(&stranger, ann.id, card("AA")).await.map(drop).unwrap_err(),
            access.set_person_group_member(&stranger, group.id, ann.id, true).await.unwrap_err(),
            access.delete_person_group(&stranger, group.id).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        assert_eq!(access.people(&stranger, &PersonQuery::default()).await.unwrap().1, 0);
        access.delete_person_group(&world.manager, group.id).await.unwrap();
        assert!(access.person(&world.manager, ann.id).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn who_may_read_may_not_change_and_a_user_may_neither() {
    each(|world| async move {
        let access = &world.access;
        let ann = person(&world, "Ann").await;
        let (desk, guest) = (world.user("desk", Role::Reception).await, world.user("guest", Role::User).await);
        let denied = async |actor: &Actor| {
            [
                access.create_person(actor, named("X")).await.map(drop),
                access.update_person(actor, ann.id, named("X")).await.map(drop),
                access.delete_person(actor, ann.id, false).await,
                access.add_credential(actor, ann.id, card("AA")).await.map(drop),
                access.save_person_group(actor, None, &PersonGroupInput::default()).await.map(drop),
            ]
        };
        assert!(access.person(&desk, ann.id).await.is_ok());
        assert_eq!(access.person(&guest, ann.id).await.unwrap_err().kind(), ErrorKind::Forbidden);
        for actor in [&desk, &guest] {
            for outcome in denied(actor).await {
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Forbidden);
            }
        }
    })
    .await;
}
