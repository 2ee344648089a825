//! The gate of a lot, for who has reserved.

use portico_access::doors::{Ask, AskedBy};
use portico_model::access::door::{Door, DoorScope, DoorSettings, ModeOrder, Verdict};
use portico_model::access::people::{CredentialKind, CredentialValidity, NewCredential, PersonInput};
use portico_model::access::policies::AccessQuestion;
use portico_model::access::{AccessReason, DoorMode, Level, Method};
use portico_model::devices::NewDevice;
use portico_model::identity::Role;
use portico_model::parking::lot::LotSettings;
use portico_model::parking::reservation::ReservationState;
use portico_model::{DeviceId, PersonId};
use portico_platform::{Actor, Principal};

use crate::{World, each};

impl World {
    /// A lot with one spot, and the door with a reader that leads into it.
    async fn gated_lot(&self) -> (Door, DeviceId) {
        let (lot, ..) = self.one_spot().await;
        let new = NewDevice { name: "Reader at the gate".into(), device_type: "reader".into(), ..NewDevice::default() };
        let reader = self.devices.register(&self.manager, new).await.unwrap().device.id;
        let settings = DoorSettings { name: "Gate".into(), reader_id: Some(reader), ..DoorSettings::default() };
        let gate = self.access.create_door(&self.manager, settings).await.unwrap();
        let settings = LotSettings { name: lot.name, gate_door_id: Some(gate.id), ..LotSettings::default() };
        self.parking.update_lot(&self.manager, lot.id, settings).await.unwrap();
        (gate, reader)
    }

    /// An account, and a person with a card who signs in with it; no policy lets the person in anywhere.
    async fn cardholder(&self, name: &str, card: &str) -> (Actor, PersonId) {
        let actor = self.user(name, Role::User).await;
        let input = PersonInput {
            name: name.into(),
            employee_id: None,
            email: None,
            user_id: actor.user_id(),
            level: Level::Basic,
            is_active: true,
        };
        let person = self.access.create_person(&self.manager, input).await.unwrap().id;
        let card = NewCredential {
            kind: CredentialKind::Rfid,
            value: Some(card.into()),
            reader_id: None,
            valid_from: None,
            valid_until: None,
        };
        self.access.add_credential(&self.manager, person, card).await.unwrap();
        (actor, person)
    }

    async fn show_card(&self, reader: DeviceId, card: &str) -> Verdict {
        let ask = Ask {
            reader,
            method: Method::Rfid,
            presented: card.into(),
            leaving: false,
            at: self.platform.clock.now(),
            by: AskedBy::Http,
            is_untrusted: false,
        };
        let actor = Actor { principal: Principal::Device { id: reader }, ..Actor::system(self.test.organization) };
        self.access.check(&actor, ask).await.unwrap()
    }
}

#[tokio::test]
async fn card_opens_the_gate_for_exactly_the_time_of_the_reservation() {
    each(|world| async move {
        let (gate, reader) = world.gated_lot().await;
        let (dora, person) = world.cardholder("dora", "04521A2B").await;
        world.cardholder("emil", "04521A2C").await;
        assert_eq!(world.show_card(reader, "04521A2B").await.reason, AccessReason::NoPolicy);

        let reserved = world.parking.reserve(&dora, &world.wish("P1", 2, 2)).await.unwrap();
        assert_eq!(world.show_card(reader, "04521A2B").await.reason, AccessReason::NoPolicy, "too early");
        world.advance_s(2 * 3_600 - 60 * reserved.early_minutes + 1);
        let question = AccessQuestion {
            person_id: person,
            door_id: gate.id,
            at: None,
            credential_id: None,
            mode: None,
            leaving: false,
        };
        let answer = world.access.would_get_in(&world.manager, &question).await.unwrap();
        assert_eq!((answer.granted, answer.policy_name.as_str()), (true, "Reservation P1"));
        assert_eq!(world.show_card(reader, "04521A2C").await.reason, AccessReason::NoPolicy, "of somebody else");

        let order =
            |mode| ModeOrder { scope: DoorScope::Door { door_id: gate.id }, mode, for_s: None, note: String::new() };
        let system = Actor::system(world.test.organization);
        world.access.order_mode(&system, order(DoorMode::Lockdown)).await.unwrap();
        assert_eq!(world.show_card(reader, "04521A2B").await.reason, AccessReason::Lockdown);
        assert_eq!(world.parking.open_gate(&dora, reserved.id).await.unwrap_err().code(), "lockdown");
        world.access.order_mode(&system, order(DoorMode::Normal)).await.unwrap();
        let before = world.parking.reservation(&dora, reserved.id).await.unwrap();
        assert_eq!(before.state, ReservationState::Confirmed, "nobody has come in");

        let verdict = world.show_card(reader, "04521A2B").await;
        assert_eq!((verdict.granted, verdict.policy_name.as_str()), (true, "Reservation P1"));
        let come = world.parking.reservation(&dora, reserved.id).await.unwrap();
        assert_eq!((come.state, come.check_in_time), (ReservationState::CheckedIn, Some(world.platform.clock.now())));
        assert!(world.show_card(reader, "04521A2B").await.granted, "who has come in may come again");

        world.advance_s(2 * 3_600 + 60 * reserved.early_minutes);
        assert_eq!(world.show_card(reader, "04521A2B").await.reason, AccessReason::NoPolicy, "its time is over");
    })
    .await;
}

#[tokio::test]
async fn right_ends_with_the_reservation_and_makes_no_blocked_card_good() {
    each(|world| async move {
        let (_, reader) = world.gated_lot().await;
        let (dora, person) = world.cardholder("dora", "04521A2B").await;
        let reserved = world.parking.reserve(&dora, &world.wish("P1", 1, 2)).await.unwrap();
        world.advance_s(3_600 - 60);
        let credentials = world.access.person(&world.manager, person).await.unwrap().credentials;
        let counts = |is_active| CredentialValidity { is_active, valid_from: None, valid_until: None };
        world.access.set_credential(&world.manager, credentials[0].id, counts(false)).await.unwrap();
        assert_eq!(world.show_card(reader, "04521A2B").await.reason, AccessReason::CredentialExpired);
        world.access.set_credential(&world.manager, credentials[0].id, counts(true)).await.unwrap();
        world.parking.cancel_reservation(&dora, reserved.id).await.unwrap();
        assert_eq!(world.show_card(reader, "04521A2B").await.reason, AccessReason::NoPolicy);
    })
    .await;
}

#[tokio::test]
async fn holder_opens_the_gate_from_the_pass_and_is_checked_in() {
    each(|world| async move {
        let (_, reader) = world.gated_lot().await;
        let (dora, _) = world.cardholder("dora", "04521A2B").await;
        let emil = world.user("emil", Role::User).await;
        let reserved = world.parking.reserve(&dora, &world.wish("P1", 1, 2)).await.unwrap();
        assert_eq!(world.parking.open_gate(&dora, reserved.id).await.unwrap_err().code(), "too_early");
        world.advance_s(3_600);
        assert_eq!(world.parking.open_gate(&emil, reserved.id).await.unwrap_err().status(), 404);
        let opened = world.parking.open_gate(&dora, reserved.id).await.unwrap();
        assert_eq!(opened.state, ReservationState::CheckedIn);
        let told = world.devices.commands(&world.manager, reader, None, None, None).await.unwrap().items;
        let told: Vec<_> = told.iter().map(|command| command.name.as_str()).collect();
        assert_eq!(told, ["open"], "the reader is told, once");
        world.advance_s(2 * 3_600);
        assert_eq!(world.parking.open_gate(&dora, reserved.id).await.unwrap_err().code(), "reservation_over");
    })
    .await;
}
