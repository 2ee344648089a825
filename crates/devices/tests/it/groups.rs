//! Groups: the wire contract, who may see and change what, and what becomes of them.

use std::sync::Arc;

use portico_devices::{GroupQuery, MemberQuery};
use portico_identity::Identity;
use portico_model::groups::{GroupChange, NewGroup};
use portico_model::identity::Role;
use portico_model::{ErrorKind, GroupId};
use portico_platform::Actor;
use portico_platform::testing::insert_user;
use serde_json::{Value, json};

use crate::rest::{each_api, error};
use crate::{World, each};

async fn group(world: &World, actor: &Actor, name: &str) -> GroupId {
    let new = NewGroup { name: name.into(), ..NewGroup::default() };
    world.devices.create_group(actor, new).await.unwrap().id
}

/// How many members the actor sees.
async fn seen(world: &World, actor: &Actor, id: GroupId) -> (i64, usize) {
    let (group, members, total) = world.devices.group_members(actor, id, &MemberQuery::default()).await.unwrap();
    assert_eq!(group.device_count, total);
    (total, members.len())
}

#[tokio::test]
async fn groups_answer_as_the_contract_says() {
    each_api(|_world, api| async move {
        let create = async |body: Value| api.user.post("/api/v1/groups", body).await;
        let color = json!({"name": "Living Room", "description": "All sensors", "color": "#FF5733", "other": 1});
        let (status, made) = create(color.clone()).await;
        assert_eq!(
            (status, &made["status"], &made["message"]),
            (201, &json!("success"), &json!("Group created successfully"))
        );
        let group = &made["group"];
        let id = group["id"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 32);
        assert_eq!(
            (&group["color"], &group["user_id"], &group["device_count"]),
            (&json!("#FF5733"), &json!(api.user_id), &json!(0))
        );
        assert_eq!(
            (&group["description"], &group["created_at"]),
            (&json!("All sensors"), &json!("2026-11-21T02:00:00.000+00:00"))
        );
        assert_eq!(error(&create(color).await), (409, "Group with this name already exists"));
        assert_eq!(error(&create(json!({})).await), (400, "Request body required"));
        assert_eq!(error(&create(json!([1])).await), (400, "Request body required"));
        assert_eq!(error(&create(json!({"color": "red"})).await), (400, "Group name is required"));
        assert_eq!(error(&create(json!({"name": " "})).await), (400, "Group name is required"));
        assert_eq!(create(json!({"name": 1})).await.0, 400);
        assert_eq!(create(json!({"name": "x", "color": "url(x)"})).await.0, 400);
        assert_eq!(create(json!({"name": "x".repeat(101)})).await.0, 400);
        let (status, _, text) = api.user.raw("POST", "/api/v1/groups", Some("{".into())).await;
        assert_eq!((status, text.contains("\"Bad Request\"")), (400, true), "{text}");
        assert_eq!(api.anonymous.post("/api/v1/groups", json!({"name": "x"})).await.0, 401);
        assert_eq!(api.anonymous.with("x-user-id", api.user_id.clone()).get("/api/v1/groups").await.0, 401);
        assert_eq!(api.token.post("/api/v1/groups", json!({"name": "x"})).await.0, 403);

        // Members: both forms, one by one and many.
        let path = format!("/api/v1/groups/{id}");
        let (one, two) = (api.user.register("b").await, api.user.register("a").await);
        let foreign = api.other.register("c").await;
        let (one, two, foreign) =
            (one["id"].as_str().unwrap(), two["id"].as_str().unwrap(), foreign["id"].as_str().unwrap());
        let (status, added) = api.user.post(&format!("{path}/devices/{one}"), json!({})).await;
        assert_eq!((status, &added["message"]), (201, &json!("Device added to group successfully")));
        assert_eq!((&added["membership"]["group_id"], &added["membership"]["device_id"]), (&json!(id), &json!(one)));
        let add = async |body: Value| api.user.post(&format!("{path}/devices"), body).await;
        assert_eq!(error(&add(json!({"device_id": one})).await), (409, "Device already in group"));
        assert_eq!(error(&add(json!({"x": 1})).await), (400, "device_id is required"));
        assert_eq!(error(&add(json!({})).await), (400, "Request body required"));
        assert_eq!(error(&add(json!({"device_id": foreign})).await), (404, "Device not found"));
        assert_eq!(add(json!({"device_id": 1})).await.0, 400);
        let bulk = async |body: Value| api.user.post(&format!("{path}/devices/bulk"), body).await;
        let (status, many) = bulk(json!({"device_ids": [one, two, foreign, "nothing"]})).await;
        assert_eq!(
            (status, &many["message"], &many["added"], &many["skipped"]),
            (201, &json!("1 devices added to group"), &json!(1), &json!(3))
        );
        assert_eq!(
            many["details"],
            json!({"added_device_ids": [two], "skipped_device_ids": [one, foreign, "nothing"]})
        );
        assert_eq!(bulk(json!({"device_ids": [two]})).await.1["added"], 0);
        assert_eq!(error(&bulk(json!({"x": 1})).await), (400, "device_ids array is required"));
        assert_eq!(error(&bulk(json!({"device_ids": "x"})).await), (400, "device_ids must be an array"));
        assert_eq!(bulk(json!({"device_ids": vec!["x"; 1001]})).await.0, 400);

        let (status, list) = api.user.get("/api/v1/groups").await;
        assert_eq!((status, &list["meta"]), (200, &json!({"total": 1, "limit": 100, "offset": 0})));
        assert_eq!((&list["groups"][0]["device_count"], list["groups"][0].get("devices")), (&json!(2), None));
        let (_, list) = api.user.get("/api/v1/groups?include_devices=True&limit=5000&offset=0").await;
        assert_eq!((&list["meta"]["limit"], list["groups"][0]["devices"].as_array().unwrap().len()), (&json!(100), 2));
        assert_eq!(api.user.get("/api/v1/groups?include_devices=maybe").await.0, 400);
        assert_eq!(api.other.get("/api/v1/groups").await.1["groups"], json!([]));
        let (_, whole) = api.user.get(&path).await;
        assert_eq!(
            (&whole["group"]["devices"][0]["name"], &whole["group"]["devices"][1]["name"]),
            (&json!("a"), &json!("b"))
        );
        assert_eq!(api.user.get(&format!("{path}?include_devices=false")).await.1["group"].get("devices"), None);
        let (_, members) = api.user.get(&format!("{path}/devices?limit=1&offset=1")).await;
        assert_eq!((&members["group_id"], &members["group_name"]), (&json!(id), &json!("Living Room")));
        assert_eq!((&members["devices"][0]["id"], &members["meta"]["total"]), (&json!(one), &json!(2)));
        assert_eq!(members["devices"][0]["added_to_group_at"], "2026-11-21T02:00:00.000+00:00");
        assert_eq!(api.user.get(&format!("{path}/devices?status=maintenance")).await.1["devices"], json!([]));
        assert_eq!(api.user.get(&format!("{path}/devices?device_type=sensor")).await.1["meta"]["total"], 2);
        let (_, of_device) = api.user.get(&format!("/api/v1/devices/{one}/groups")).await;
        assert_eq!((&of_device["device_name"], &of_device["total_groups"]), (&json!("b"), &json!(1)));
        assert_eq!((&of_device["groups"][0]["id"], &of_device["groups"][0]["color"]), (&json!(id), &json!("#FF5733")));
        assert_eq!(error(&api.user.get(&format!("/api/v1/devices/{foreign}/groups")).await), (404, "Device not found"));

        let (status, changed) = api.user.send("PUT", &path, Some(json!({"name": "Lounge", "description": ""}))).await;
        assert_eq!((status, &changed["message"]), (200, &json!("Group updated successfully")));
        assert_eq!((&changed["group"]["description"], &changed["group"]["color"]), (&Value::Null, &json!("#FF5733")));
        assert_eq!(create(json!({"name": "Attic"})).await.0, 201);
        assert_eq!(api.user.send("PUT", &path, Some(json!({"name": "Attic"}))).await.0, 409);
        assert_eq!(error(&api.user.send("PUT", &path, Some(json!({}))).await), (400, "Request body required"));
        for (method, path) in
            [("GET", path.clone()), ("PUT", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/devices"))]
        {
            let body = (method == "PUT").then(|| json!({"name": "mine"}));
            assert_eq!(error(&api.other.send(method, &path, body).await), (404, "Group not found"), "{method} {path}");
        }
        let (status, removed) = api.user.send("DELETE", &format!("{path}/devices/{one}"), None).await;
        assert_eq!((status, &removed["message"]), (200, &json!("Device removed from group successfully")));
        assert_eq!(
            error(&api.user.send("DELETE", &format!("{path}/devices/{one}"), None).await),
            (404, "Device not in group")
        );
        let (status, deleted) = api.user.send("DELETE", &path, None).await;
        assert_eq!((status, &deleted["message"]), (200, &json!("Group 'Lounge' deleted successfully")));
        assert_eq!(error(&api.user.get(&path).await), (404, "Group not found"));
        assert_eq!(api.user.get(&format!("/api/v1/devices/{two}")).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn each_sees_of_a_group_only_what_he_may_see() {
    each(|world| async move {
        let (ann, safety) = (world.user("ann", Role::User).await, world.user("sue", Role::Safety).await);
        let (hers, other) = (world.device_of(&ann, "hers").await.device, world.device("other").await.device);
        let id = group(&world, &ann, "Hall").await;
        let hers_id = hers.id.to_string();
        world.devices.add_to_group(&ann, id, &hers_id).await.unwrap();
        // The manager may change both, so he may put another's device into her group; she is not told of it.
        world.devices.add_to_group(&world.manager, id, &other.id.to_string()).await.unwrap();
        assert_eq!(seen(&world, &ann, id).await, (1, 1));
        assert_eq!(seen(&world, &world.manager, id).await, (2, 2));
        assert_eq!(seen(&world, &safety, id).await, (2, 2));
        // Safety sees the group and changes nothing of it.
        let change = GroupChange { name: Some("x".into()), ..GroupChange::default() };
        assert_eq!(world.devices.update_group(&safety, id, change).await.unwrap_err().kind(), ErrorKind::Forbidden);
        let own = group(&world, &safety, "Own").await;
        let refused = world.devices.add_to_group(&safety, own, &hers_id).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.message()),
            (ErrorKind::Forbidden, "Forbidden: device doesn't belong to user")
        );
        assert_eq!(world.devices.add_many_to_group(&safety, own, &[hers_id]).await.unwrap().skipped.len(), 1);
        assert_eq!(world.devices.groups(&ann, &GroupQuery::default()).await.unwrap().1, 1);
        assert_eq!(world.devices.groups(&safety, &GroupQuery::default()).await.unwrap().1, 2);
        let mine = GroupQuery { owner: safety.user_id(), ..GroupQuery::default() };
        assert_eq!(world.devices.groups(&safety, &mine).await.unwrap().0[0].name, "Own");
        // Ann's own groups alone are shown to her, also of a device that is in others.
        let theirs = group(&world, &world.manager, "Theirs").await;
        world.devices.add_to_group(&world.manager, theirs, &hers.id.to_string()).await.unwrap();
        assert_eq!(world.devices.groups_of_device(&ann, hers.id).await.unwrap().1.len(), 1);
        assert_eq!(world.devices.groups_of_device(&world.manager, hers.id).await.unwrap().1.len(), 2);

        let organization = world.test.other_organization().await;
        let stranger = insert_user(&world.platform, organization, "eve", Role::Admin).await;
        assert_eq!(world.devices.group(&stranger, id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.delete_group(&stranger, id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.devices.groups(&stranger, &GroupQuery::default()).await.unwrap().1, 0);
        let foreign = group(&world, &stranger, "Foreign").await;
        let refused = world.devices.add_to_group(&stranger, foreign, &hers.id.to_string()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn membership_ends_with_the_device_and_groups_with_their_owner() {
    each(|world| async move {
        let identity = Identity::new(world.platform.clone());
        identity.register_dependents(Arc::new(world.devices.clone()));
        let ann = world.user("ann", Role::User).await;
        let hers = world.device_of(&ann, "hers").await.device.id;
        let id = group(&world, &ann, "Hall").await;
        let (kept, own) = (group(&world, &world.manager, "Hall").await, world.device("own").await.device.id);
        world.devices.add_to_group(&ann, id, &hers.to_string()).await.unwrap();
        let both = [hers.to_string(), own.to_string()];
        assert_eq!(world.devices.add_many_to_group(&world.manager, kept, &both).await.unwrap().added.len(), 2);
        world.devices.delete(&world.manager, own).await.unwrap();
        assert_eq!(seen(&world, &world.manager, kept).await, (1, 1));
        identity.delete_user(&Actor::system(world.organization), ann.user_id().unwrap()).await.unwrap();
        assert_eq!(seen(&world, &world.manager, kept).await, (0, 0));
        assert_eq!(world.devices.group(&world.manager, id).await.unwrap_err().kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn racing_requests_make_one_group_and_one_membership() {
    each(|world| async move {
        let device = world.device("meter").await.device.id.to_string();
        let id = group(&world, &world.manager, "Hall").await;
        let new = || NewGroup { name: "Attic".into(), ..NewGroup::default() };
        let made = futures_join(5, |_| world.devices.create_group(&world.manager, new())).await;
        assert_eq!(made, (1, 4));
        let added = futures_join(5, |_| world.devices.add_to_group(&world.manager, id, &device)).await;
        assert_eq!(added, (1, 4));
        assert_eq!(seen(&world, &world.manager, id).await, (1, 1));
    })
    .await;
}

/// Runs them at the same time: how many succeeded, and how many met a conflict.
async fn futures_join<T, Fut>(count: usize, request: impl Fn(usize) -> Fut) -> (usize, usize)
where
    Fut: Future<Output = portico_platform::Result<T>>,
{
    let results = futures::future::join_all((0..count).map(request)).await;
    let conflicts = results.iter().filter_map(|result| result.as_ref().err());
    assert!(conflicts.clone().all(|error| error.kind() == ErrorKind::Conflict));
    (results.iter().filter(|result| result.is_ok()).count(), conflicts.count())
}
