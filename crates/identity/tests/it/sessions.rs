use portico_identity::SessionKind;
use portico_model::identity::Role;

use crate::{PASSWORD, code, each, each_with, here};

#[tokio::test]
async fn access_token_lives_as_long_as_its_kind() {
    each(|world| async move {
        let api = world.identity.sign_in("admin", PASSWORD, SessionKind::Api, &here()).await.unwrap();
        let browser = world.identity.sign_in("admin", PASSWORD, SessionKind::Browser, &here()).await.unwrap();
        assert_eq!((api.access_expires_in_s, browser.access_expires_in_s), (3_600, 900));
        let check = async |token: &str| code(world.identity.authenticate(token, &here()).await);
        world.clock.advance_ms(900_000);
        assert_eq!(check(&browser.access_token).await, "token_expired");
        assert_eq!(check(&api.access_token).await, "ok");
        world.clock.advance_ms(2_700_000);
        assert_eq!(check(&api.access_token).await, "token_expired");
        assert_eq!(check("nonsense").await, "invalid_token");
    })
    .await;
}

#[tokio::test]
async fn refresh_token_is_rotated() {
    each(|world| async move {
        let first = world.sign_in("admin").await;
        world.clock.advance_ms(3_600_000);
        let second = world.identity.refresh(&first.refresh_token, &here()).await.unwrap();
        assert_ne!(first.refresh_token, second.refresh_token);
        assert_eq!(first.session_id, second.session_id);
        assert_eq!(code(world.identity.authenticate(&second.access_token, &here()).await), "ok");
        assert_eq!(code(world.identity.refresh(&second.refresh_token, &here()).await), "ok");
        assert_eq!(code(world.identity.refresh("nonsense", &here()).await), "invalid_refresh_token");
    })
    .await;
}

#[tokio::test]
async fn requests_under_way_together_get_the_same_successor() {
    each(|world| async move {
        let first = world.sign_in("admin").await;
        let ctx = here();
        let results =
            futures::future::join_all((0..8).map(|_| world.identity.refresh(&first.refresh_token, &ctx))).await;
        let mut tokens: Vec<String> = results.into_iter().map(|result| result.unwrap().refresh_token).collect();
        tokens.dedup();
        assert_eq!(tokens.len(), 1);
        world.clock.advance_ms(30_000);
        assert_eq!(world.identity.refresh(&first.refresh_token, &here()).await.unwrap().refresh_token, tokens[0]);
        // Once somebody has gone on, the old one brings nothing, but does not end the session within the grace either.
        world.identity.refresh(&tokens[0], &here()).await.unwrap();
        assert_eq!(code(world.identity.refresh(&first.refresh_token, &here()).await), "invalid_refresh_token");
        assert_eq!(code(world.identity.refresh(&tokens[0], &here()).await), "ok");
    })
    .await;
}

#[tokio::test]
async fn used_up_token_ends_the_whole_session() {
    each(|world| async move {
        let first = world.sign_in("admin").await;
        let second = world.identity.refresh(&first.refresh_token, &here()).await.unwrap();
        world.clock.advance_ms(30_001);
        assert_eq!(code(world.identity.refresh(&first.refresh_token, &here()).await), "session_ended");
        assert_eq!(code(world.identity.authenticate(&second.access_token, &here()).await), "session_ended");
        assert_eq!(code(world.identity.refresh(&second.refresh_token, &here()).await), "session_ended");
        assert_eq!(world.trail().await[0], "session.refresh_token_reused denied");
        // Other sessions of the user go on.
        assert_eq!(code(world.identity.sessions(&world.admin).await), "ok");
        assert_eq!(world.identity.sessions(&world.admin).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn session_unused_for_long_ends_by_itself() {
    each(|world| async move {
        let idle_ms = world.test.platform.config.identity.session_idle_s * 1000;
        let signed_in = world.sign_in("admin").await;
        world.clock.advance_ms(idle_ms - 1);
        let renewed = world.identity.refresh(&signed_in.refresh_token, &here()).await.unwrap();
        world.clock.advance_ms(idle_ms);
        assert_eq!(code(world.identity.refresh(&renewed.refresh_token, &here()).await), "session_ended");
        world.clock.advance_ms(31 * 86_400_000);
        world.identity.clean_up().await.unwrap();
        assert_eq!(code(world.identity.refresh(&renewed.refresh_token, &here()).await), "invalid_refresh_token");
    })
    .await;
}

#[tokio::test]
async fn clean_up_keeps_what_is_alive() {
    each(|world| async move {
        let signed_in = world.sign_in("admin").await;
        world.identity.clean_up().await.unwrap();
        assert_eq!(code(world.identity.authenticate(&signed_in.access_token, &here()).await), "ok");
        assert_eq!(code(world.identity.refresh(&signed_in.refresh_token, &here()).await), "ok");
    })
    .await;
}

#[tokio::test]
async fn signing_out_works_at_once() {
    each(|world| async move {
        let signed_in = world.sign_in("admin").await;
        let actor = world.identity.authenticate(&signed_in.access_token, &here()).await.unwrap();
        world.identity.sign_out(&actor).await.unwrap();
        assert_eq!(code(world.identity.authenticate(&signed_in.access_token, &here()).await), "session_ended");
        assert_eq!(code(world.identity.refresh(&signed_in.refresh_token, &here()).await), "session_ended");
        world.identity.sign_out(&actor).await.unwrap();
        let by_cookie = world.sign_in("admin").await;
        world.identity.sign_out_by_refresh_token(&by_cookie.refresh_token, &here()).await.unwrap();
        assert_eq!(code(world.identity.authenticate(&by_cookie.access_token, &here()).await), "session_ended");
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let one = world.actor("berta").await;
        let two = world.actor("berta").await;
        let sessions = world.identity.sessions(&one).await.unwrap();
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions.iter().filter(|session| session.current).count(), 1);
        world.identity.end_session(&one, two.session_id().unwrap()).await.unwrap();
        assert_eq!(world.identity.sessions(&one).await.unwrap().len(), 1);
        assert_eq!(code(world.identity.end_session(&one, two.session_id().unwrap()).await), "session_not_found");
    })
    .await;
}

#[tokio::test]
async fn only_an_administrator_of_the_organisation_ends_others_sessions() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        world.user("carla", Role::Manager).await;
        let berta = world.actor("berta").await;
        let carla = world.actor("carla").await;
        let (stranger, _) = world.stranger().await;
        let session = berta.session_id().unwrap();
        assert_eq!(code(world.identity.end_session(&carla, session).await), "session_not_found");
        assert_eq!(world.trail().await[0], "session.ended denied");
        assert_eq!(code(world.identity.end_session(&stranger, session).await), "session_not_found");
        assert_eq!(code(world.identity.user_sessions(&stranger, berta.user_id().unwrap()).await), "user_not_found");
        assert_eq!(world.identity.user_sessions(&world.admin, berta.user_id().unwrap()).await.unwrap().len(), 1);
        world.identity.end_session(&world.admin, session).await.unwrap();
        assert!(world.identity.sessions(&berta).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn last_use_is_written_from_time_to_time() {
    each(|world| async move {
        let signed_in = world.sign_in("admin").await;
        world.clock.advance_ms(120_000);
        let actor = world.identity.authenticate(&signed_in.access_token, &here()).await.unwrap();
        world.identity.write_touched().await.unwrap();
        let sessions = world.identity.sessions(&actor).await.unwrap();
        assert_eq!(sessions[0].last_used_at, world.clock.now());
    })
    .await;
}

#[tokio::test]
async fn token_of_another_instance_is_worth_nothing() {
    each(|world| async move {
        let other = portico_platform::testing::each_database(|test| {
            let token = world_token(&world);
            async move {
                let identity = portico_identity::Identity::new(test.platform.clone());
                assert_eq!(code(identity.authenticate(&token.await, &here()).await), "invalid_token");
            }
        });
        other.await;
    })
    .await;
}

async fn world_token(world: &crate::World) -> String {
    world.sign_in("admin").await.access_token
}

#[tokio::test]
async fn open_connection_is_good_while_session_and_role_are() {
    each(|world| async move {
        let second = world.user("second", Role::Admin).await;
        let actor = world.actor("second").await;
        assert!(world.identity.is_alive(&actor).await);
        let demote = portico_identity::UserChange { role: Some(Role::User), ..Default::default() };
        world.identity.update_user(&world.admin, second.id, demote).await.unwrap();
        assert!(!world.identity.is_alive(&actor).await, "it must come back with its new role");
        let actor = world.actor("second").await;
        assert!(world.identity.is_alive(&actor).await);
        world.identity.sign_out(&actor).await.unwrap();
        assert!(!world.identity.is_alive(&actor).await);
    })
    .await;
}

#[tokio::test]
async fn beyond_the_cap_the_session_unused_for_longest_ends() {
    each_with(
        |config| config.identity.max_sessions = 3,
        |world| async move {
            let kind = portico_identity::SessionKind::Browser;
            let browser = world.identity.sign_in("admin", PASSWORD, kind, &here()).await.unwrap();
            // The administrator has a session for the API already.
            let mut sessions = Vec::new();
            for _ in 0..3 {
                world.clock.advance_ms(1_000);
                sessions.push(world.sign_in("admin").await);
            }
            assert_eq!(code(world.identity.is_alive(&world.admin).await.then_some(()).ok_or_else(ended)), "ended");
            for session in &sessions {
                assert_eq!(code(world.identity.authenticate(&session.access_token, &here()).await), "ok");
            }
            // Programs do not push a browser out.
            assert_eq!(code(world.identity.authenticate(&browser.access_token, &here()).await), "ok");
        },
    )
    .await;
}

fn ended() -> portico_platform::Error {
    portico_platform::Error::conflict("ended", "")
}
