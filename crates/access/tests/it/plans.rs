//! Plans of the building: pictures taken in and given out, doors on them.

use portico_access::doors::DoorQuery;
use portico_model::access::door::{Plan, PlanSettings};
use portico_model::identity::Role;
use portico_platform::Actor;
use serde_json::Value;

use crate::log::Client;
use crate::{World, each};

const SVG: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 640 480'><script>alert(1)</script></svg>";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\xb0\0\0\x03\x20\x08\x06\0\0\0";

fn named(name: &str) -> PlanSettings {
    PlanSettings { name: name.into() }
}

impl World {
    async fn plan(&self, name: &str) -> Plan {
        self.access.create_plan(&self.manager, named(name), SVG).await.unwrap()
    }
}

#[tokio::test]
async fn picture_is_kept_as_it_came_and_given_out_harmless() {
    each(|world| async move {
        let client = Client::new(&world, "mona", Role::Manager).await;
        let path = "/api/v1/plans?name=Ground%20floor";
        let (parts, body) = client.answer("POST", path, "text/html", SVG.to_vec()).await;
        assert_eq!(parts.status, 201);
        let plan: Plan = serde_json::from_slice(&body).unwrap();
        assert_eq!((plan.name.as_str(), plan.width, plan.height), ("Ground floor", 640, 480));
        assert_eq!(plan.media_type, "image/svg+xml", "whatever its sender calls it");
        let (parts, body) = client.answer("GET", &plan.picture(), "", Vec::new()).await;
        assert_eq!(body, SVG);
        let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "image/svg+xml");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("sandbox;"), "{policy}");

        for (name, picture, status, code) in [
            ("Second", &b"<html></html>"[..], 400, "invalid_fields"),
            ("Second", b"", 400, "invalid_fields"),
            ("", SVG, 400, "invalid_fields"),
            ("Ground floor", SVG, 409, "name_taken"),
            ("Second", &[b' '; 2 * 1024 * 1024 + 1], 413, "body_too_large"),
        ] {
            let path = format!("/api/v1/plans?name={}", name.replace(' ', "+"));
            let (parts, body) = client.answer("POST", &path, "image/png", picture.to_vec()).await;
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((parts.status.as_u16(), body["code"].as_str().unwrap()), (status, code), "{name}: {body}");
        }
        let (_, list) = client.send("GET", "/api/v1/plans", None).await;
        assert_eq!(list["plans"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn doors_stay_on_a_plan_that_is_renamed_and_redrawn_and_leave_one_that_is_removed() {
    each(|world| async move {
        let (plan, other) = (world.plan("Ground floor").await, world.plan("Cellar").await);
        let (door, _) = world.door("Main entrance", |_| {}).await;
        let place = Some((plan.id, 0.25, 0.5));
        world.access.place_door(&world.manager, door.id, place).await.unwrap();
        world.advance_s(1);
        let taken = world.access.rename_plan(&world.manager, plan.id, named("Cellar")).await.unwrap_err();
        assert_eq!((taken.status().as_u16(), taken.code()), (409, "name_taken"));
        let renamed = world.access.rename_plan(&world.manager, plan.id, named("Entrance hall")).await.unwrap();
        assert_eq!((renamed.name.as_str(), renamed.picture()), ("Entrance hall", plan.picture()));
        let redrawn = world.access.replace_plan_picture(&world.manager, plan.id, PNG).await.unwrap();
        assert_eq!((redrawn.width, redrawn.media_type.as_str()), (1200, "image/png"));
        assert_ne!(redrawn.picture(), plan.picture(), "browsers ask again");
        let (kind, bytes) = world.access.plan_picture(&world.manager, plan.id).await.unwrap();
        assert_eq!((kind.as_str(), bytes.as_slice()), ("image/png", PNG));

        let on = |id| DoorQuery { plan: Some(id), ..DoorQuery::default() };
        let placed = world.access.doors(&world.manager, on(plan.id)).await.unwrap().items;
        assert_eq!(placed.iter().map(|door| (door.plan_x, door.plan_y)).collect::<Vec<_>>(), [(Some(0.25), Some(0.5))]);
        assert!(world.access.doors(&world.manager, on(other.id)).await.unwrap().items.is_empty());
        world.access.delete_plan(&world.manager, plan.id).await.unwrap();
        let door = world.access.door(&world.manager, door.id).await.unwrap();
        assert_eq!((door.plan_id, door.plan_x, door.plan_y), (None, None, None));
        assert_eq!(world.access.plan(&world.manager, plan.id).await.unwrap_err().status(), 404);
        assert_eq!(world.access.place_door(&world.manager, door.id, place).await.unwrap_err().status(), 400);
    })
    .await;
}

#[tokio::test]
async fn only_who_may_draws_and_only_in_the_own_organisation() {
    each(|world| async move {
        let plan = world.plan("Ground floor").await;
        let safety = world.user("sam", Role::Safety).await;
        assert!(world.access.plan_picture(&safety, plan.id).await.is_ok());
        assert_eq!(world.access.create_plan(&safety, named("Mine"), SVG).await.unwrap_err().status(), 403);
        assert_eq!(world.access.delete_plan(&safety, plan.id).await.unwrap_err().status(), 403);
        let user = world.user("ursula", Role::User).await;
        assert_eq!(world.access.plans(&user).await.unwrap_err().status(), 403);
        assert_eq!(world.access.plan_picture(&user, plan.id).await.unwrap_err().status(), 403);

        let stranger = Actor { organization: world.test.other_organization().await, ..world.manager.clone() };
        assert!(world.access.plans(&stranger).await.unwrap().is_empty());
        assert_eq!(world.access.plan_picture(&stranger, plan.id).await.unwrap_err().status(), 404);
        assert_eq!(world.access.replace_plan_picture(&stranger, plan.id, PNG).await.unwrap_err().status(), 404);
        assert_eq!(world.access.delete_plan(&stranger, plan.id).await.unwrap_err().status(), 404);
        let own = world.access.create_plan(&stranger, named("Ground floor"), SVG).await;
        assert!(own.is_ok(), "names are each organisation's own");
    })
    .await;
}
