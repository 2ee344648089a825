//! Enrolment: by the polling of the existing firmware, and over MQTT.

use portico_model::ErrorKind;
use portico_model::access::people::{CredentialKind, EnrolmentMode, EnrolmentState, NewEnrolment};
use serde_json::json;

use crate::people::{card, person};
use crate::wire::Device;
use crate::{World, each};

async fn start(world: &World, reader: &Device, person: portico_model::PersonId) -> portico_model::EnrolmentId {
    let new = NewEnrolment { reader: reader.id.to_string(), person_id: person, mode: EnrolmentMode::Any };
    world.access.start_enrolment(&world.manager, &new).await.unwrap().id
}

async fn state(world: &World, id: portico_model::EnrolmentId) -> EnrolmentState {
    world.access.enrolment(&world.manager, id).await.unwrap().state
}

#[tokio::test]
async fn existing_firmware_polls_registers_and_clears() {
    each(|world| async move {
        let ann = person(&world, "Ann").await;
        let front = Device::register(&world, "Front", "reader").await;
        let back = Device::register(&world, "Back", "reader").await;
        let poll = async |device: &Device| device.http("GET", "/api/v1/poll_registration", None).await;
        assert_eq!(poll(&front).await, (200, json!({"register": false, "user_id": null})));

        let id = start(&world, &front, ann.id).await;
        assert_eq!(poll(&front).await, (200, json!({"register": true, "user_id": 1})));
        assert_eq!(poll(&back).await, (200, json!({"register": false, "user_id": null})));

        // A key enrols nothing but what was begun at its own reader.
        let body = Some(json!({"user_id": 1, "rfid_uid": "A1B2C3D4"}));
        let (status, answer) = back.http("POST", "/api/v1/register_rfid", body.clone()).await;
        assert_eq!((status, answer["code"].as_str()), (403, Some("no_enrolment")));
        back.http("POST", "/api/v1/clear_registration", Some(json!({}))).await;
        assert_eq!(state(&world, id).await, EnrolmentState::Waiting);

        for (body, text) in [
            (json!({}), "Missing required field: user_id"),
            (json!({"user_id": 1}), "Missing required field: rfid_uid"),
            (json!({"user_id": 1.5, "rfid_uid": "A1"}), "user_id must be a number"),
        ] {
            let (status, answer) = front.http("POST", "/api/v1/register_rfid", Some(body)).await;
            assert_eq!((status, answer["error"].as_str()), (400, Some(text)));
        }
        let (status, answer) =
            front.http("POST", "/api/v1/register_rfid", Some(json!({"user_id": 99, "rfid_uid": "A1"}))).await;
        assert_eq!((status, answer["error"].as_str()), (404, Some("User not found")));

        // Twice: the first answer may have been lost.
        for _ in 0..2 {
            let answer = front.http("POST", "/api/v1/register_rfid", body.clone()).await;
            assert_eq!(answer, (200, json!({"message": "RFID registered successfully"})));
        }
        let cleared = front.http("POST", "/api/v1/clear_registration", Some(json!({}))).await;
        assert_eq!(cleared, (200, json!({"message": "Registration cleared"})));
        assert_eq!(state(&world, id).await, EnrolmentState::Done);
        let other = Some(json!({"user_id": 1, "rfid_uid": "FFFF"}));
        assert_eq!(front.http("POST", "/api/v1/register_rfid", other).await.0, 403, "one enrolment, one card");
        let detail = world.access.person(&world.manager, ann.id).await.unwrap();
        assert_eq!((detail.credentials.len(), detail.credentials[0].hint.as_str()), (1, "…C3D4"));
    })
    .await;
}

#[tokio::test]
async fn card_of_another_is_refused_as_before_and_fingers_belong_to_their_reader() {
    each(|world| async move {
        let (ann, bob) = (person(&world, "Ann").await, person(&world, "Bob").await);
        world.access.add_credential(&world.manager, ann.id, card("A1B2C3D4")).await.unwrap();
        let front = Device::register(&world, "Front", "reader").await;
        let back = Device::register(&world, "Back", "reader").await;
        start(&world, &front, bob.id).await;
        let body = json!({"user_id": 2, "rfid_uid": "a1:b2:c3:d4"});
        let (status, answer) = front.http("POST", "/api/v1/register_rfid", Some(body)).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some("RFID already registered to another user")));

        let finger = json!({"user_id": 2, "fingerprint_id": 3});
        let answer = front.http("POST", "/api/v1/register_fingerprint", Some(finger)).await;
        assert_eq!(answer, (200, json!({"message": "Fingerprint registered successfully"})));
        // The same slot of another sensor is another finger.
        start(&world, &back, ann.id).await;
        let finger = json!({"user_id": 1, "fingerprint_id": 3});
        assert_eq!(back.http("POST", "/api/v1/register_fingerprint", Some(finger)).await.0, 200);
        let bob = world.access.person(&world.manager, bob.id).await.unwrap();
        assert_eq!(
            (bob.credentials[0].kind, bob.credentials[0].reader_id),
            (CredentialKind::Fingerprint, Some(front.id))
        );
    })
    .await;
}

#[tokio::test]
async fn enrolment_ends_after_a_minute_or_when_it_is_cancelled() {
    each(|world| async move {
        let ann = person(&world, "Ann").await;
        let reader = Device::register(&world, "Front", "reader").await;
        let first = start(&world, &reader, ann.id).await;
        let again = NewEnrolment { reader: reader.id.to_string(), person_id: ann.id, mode: EnrolmentMode::Any };
        let error = world.access.start_enrolment(&world.manager, &again).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "enrolment_open"));
        world.advance_s(60);
        assert_eq!(state(&world, first).await, EnrolmentState::Expired, "before the job has looked");
        let body = Some(json!({"user_id": 1, "rfid_uid": "A1B2C3D4"}));
        assert_eq!(reader.http("POST", "/api/v1/register_rfid", body.clone()).await.0, 403, "too late");
        world.access.expire_enrolments().await.unwrap();

        let second = start(&world, &reader, ann.id).await;
        assert_eq!(state(&world, first).await, EnrolmentState::Expired);
        let cancelled = world.access.cancel_enrolment(&world.manager, second).await.unwrap();
        assert_eq!(cancelled.state, EnrolmentState::Cancelled);
        assert_eq!(
            world.access.cancel_enrolment(&world.manager, second).await.unwrap().state,
            EnrolmentState::Cancelled
        );
        assert_eq!(reader.http("GET", "/api/v1/poll_registration", None).await.1["register"], false);
        assert_eq!(reader.http("POST", "/api/v1/register_rfid", body).await.0, 403);

        // The reader gives up by itself.
        let third = start(&world, &reader, ann.id).await;
        reader.http("POST", "/api/v1/clear_registration", None).await;
        assert_eq!(state(&world, third).await, EnrolmentState::Cancelled);
        assert!(world.access.person(&world.manager, ann.id).await.unwrap().credentials.is_empty());
    })
    .await;
}

#[tokio::test]
async fn readers_on_mqtt_are_told_what_to_enrol_and_say_how_it_went() {
    each(|world| async move {
        let (ann, bob) = (person(&world, "Ann").await, person(&world, "Bob").await);
        let reader = Device::register(&world, "Front", "reader").await;
        let other = Device::register(&world, "Back", "reader").await;
        let id = start(&world, &reader, ann.id).await;
        let commands = world.devices.commands(&world.manager, reader.id, None, None, None).await.unwrap();
        let told = &commands.items[0];
        assert_eq!((told.name.as_str(), &told.args["person"], &told.args["mode"]), ("enrol", &json!(1), &json!("any")));
        let enrolled = json!({"type": "enrolled", "enrolment_id": id, "value": "a1b2c3d4"});
        other.publish(&world, "event", &enrolled).await;
        assert_eq!(state(&world, id).await, EnrolmentState::Waiting, "another reader's word counts for nothing");
        for _ in 0..2 {
            reader.publish(&world, "event", &enrolled).await;
        }
        assert_eq!(state(&world, id).await, EnrolmentState::Done);

        // A number is a finger's slot.
        let id = start(&world, &reader, bob.id).await;
        reader.publish(&world, "event", &json!({"type": "enrolled", "enrolment_id": id, "value": 7})).await;
        let detail = world.access.person(&world.manager, bob.id).await.unwrap();
        assert_eq!(detail.credentials[0].hint, "slot 7");

        let id = start(&world, &reader, bob.id).await;
        reader.publish(&world, "event", &json!({"type": "enrolled", "enrolment_id": id, "value": "A1B2C3D4"})).await;
        let failed = world.access.enrolment(&world.manager, id).await.unwrap();
        assert_eq!(failed.state, EnrolmentState::Failed);
        assert_eq!(failed.error, "RFID already registered to another user");

        let id = start(&world, &reader, bob.id).await;
        let failure = json!({"type": "enrol_failed", "enrolment_id": id, "error": "bad\u{7} image"});
        reader.publish(&world, "event", &failure).await;
        let failed = world.access.enrolment(&world.manager, id).await.unwrap();
        assert_eq!((failed.state, failed.error.as_str()), (EnrolmentState::Failed, "bad image"));

        // It refuses the command.
        let id = start(&world, &reader, bob.id).await;
        let commands = world.devices.commands(&world.manager, reader.id, None, None, None).await.unwrap();
        let refusal = json!({"command_id": commands.items[0].id, "result": "failed", "error": "no sensor"});
        reader.publish(&world, "ack", &refusal).await;
        let failed = world.access.enrolment(&world.manager, id).await.unwrap();
        assert_eq!((failed.state, failed.error.as_str()), (EnrolmentState::Failed, "no sensor"));

        for junk in [json!({"type": "enrolled"}), json!({"type": "enrolled", "enrolment_id": 7, "value": []})] {
            reader.publish(&world, "event", &junk).await;
        }
    })
    .await;
}

#[tokio::test]
async fn page_of_the_former_system_begins_at_the_only_reader() {
    each(|world| async move {
        person(&world, "Ann").await;
        let reader = Device::register(&world, "Front", "reader").await;
        // A reader's key cannot begin what it finishes.
        let (status, _) = reader.http("POST", "/api/v1/start_registration", Some(json!({"user_id": 1}))).await;
        assert!(matches!(status, 401 | 403), "{status}");
    })
    .await;
}
