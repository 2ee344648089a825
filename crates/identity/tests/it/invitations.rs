use portico_identity::SessionKind;
use portico_model::identity::{InvitationState, Role};
use portico_platform::config::Signup;

use crate::{OTHER_PASSWORD, World, code, each, each_with, here};

const LINK: &str = "/invitation";

async fn accept(world: &World, token: &str, username: &str) -> &'static str {
    code(world.identity.accept_invitation(token, username, OTHER_PASSWORD, SessionKind::Browser, &here()).await)
}

#[tokio::test]
async fn who_is_invited_makes_an_account_with_that_role_once() {
    each(|world| async move {
        let invitation = world.identity.invite(&world.admin, "Carla@Example.org", Role::Manager).await.unwrap();
        assert_eq!((invitation.state, invitation.invited_by.as_deref()), (InvitationState::Open, Some("admin")));
        let token = world.last_link("Carla@Example.org", LINK).await;
        let offered = world.identity.offered_account(&token).await.unwrap();
        assert_eq!((offered.email.as_str(), offered.role), ("Carla@Example.org", Role::Manager));
        assert_eq!(offered.organization_name, "Test");
        // Mistakes do not use it up, and are told all at once.
        let wrong = world.identity.accept_invitation(&token, "c", "short", SessionKind::Browser, &here()).await;
        assert_eq!(wrong.map(drop).unwrap_err().field_errors().len(), 2);
        assert_eq!(accept(&world, &token, "admin").await, "username_taken");
        let signed_in = world
            .identity
            .accept_invitation(&token, "carla", OTHER_PASSWORD, SessionKind::Browser, &here())
            .await
            .unwrap();
        assert_eq!(signed_in.user.role, Role::Manager);
        assert!(signed_in.user.email_verified_at.is_some());
        let carla = world.identity.authenticate(&signed_in.access_token, &here()).await.unwrap();
        assert_eq!(carla.organization, world.organization);
        assert_eq!(accept(&world, &token, "carla2").await, "invitation_invalid");
        assert_eq!(code(world.identity.offered_account(&token).await), "invitation_invalid");
        let listed = world.identity.invitations(&world.admin, None, 50).await.unwrap().items;
        assert_eq!(listed[0].state, InvitationState::Accepted);
        assert_eq!(code(world.identity.revoke_invitation(&world.admin, invitation.id).await), "invitation_over");
        assert_eq!(code(world.identity.resend_invitation(&world.admin, invitation.id).await), "invitation_over");
    })
    .await;
}

#[tokio::test]
async fn resent_revoked_and_expired_links_are_worthless() {
    each(|world| async move {
        let invitation = world.identity.invite(&world.admin, "carla@example.org", Role::User).await.unwrap();
        let first = world.last_link("carla@example.org", LINK).await;
        world.clock.advance_ms(1_000);
        let resent = world.identity.resend_invitation(&world.admin, invitation.id).await.unwrap();
        assert!(resent.sent_at > invitation.sent_at);
        let second = world.last_link("carla@example.org", LINK).await;
        assert_eq!(accept(&world, &first, "carla").await, "invitation_invalid");
        world.identity.revoke_invitation(&world.admin, invitation.id).await.unwrap();
        assert_eq!(accept(&world, &second, "carla").await, "invitation_invalid");

        let late = world.identity.invite(&world.admin, "carla@example.org", Role::User).await.unwrap();
        let token = world.last_link("carla@example.org", LINK).await;
        world.clock.advance_ms(7 * 86_400_000);
        assert_eq!(accept(&world, &token, "carla").await, "invitation_invalid");
        let listed = world.identity.invitations(&world.admin, None, 1).await.unwrap();
        assert_eq!((listed.items[0].id, listed.items[0].state), (late.id, InvitationState::Expired));
        let next = world.identity.invitations(&world.admin, listed.next.as_deref(), 1).await.unwrap();
        assert_eq!((next.items[0].id, next.items[0].state), (invitation.id, InvitationState::Revoked));
        assert_eq!(next.next, None);
        // An expired one can still be sent again.
        world.identity.resend_invitation(&world.admin, late.id).await.unwrap();
        assert_eq!(accept(&world, &world.last_link("carla@example.org", LINK).await, "carla").await, "ok");
    })
    .await;
}

#[tokio::test]
async fn only_administrators_invite_and_only_into_their_own_organization() {
    each(|world| async move {
        world.user("berta", Role::Manager).await;
        let berta = world.actor("berta").await;
        let (stranger, _) = world.stranger().await;
        let invitation = world.identity.invite(&world.admin, "carla@example.org", Role::User).await.unwrap();
        let id = invitation.id;
        assert_eq!(code(world.identity.invite(&berta, "x@example.org", Role::User).await), "not_permitted");
        assert_eq!(code(world.identity.invitations(&berta, None, 50).await), "not_permitted");
        assert!(world.identity.invitations(&stranger, None, 50).await.unwrap().items.is_empty());
        assert_eq!(code(world.identity.revoke_invitation(&stranger, id).await), "invitation_not_found");
        assert_eq!(code(world.identity.resend_invitation(&stranger, id).await), "invitation_not_found");
        assert_eq!(code(world.identity.invite(&world.admin, "CARLA@example.org", Role::User).await), "already_invited");
        assert_eq!(code(world.identity.invite(&world.admin, "berta@example.org", Role::User).await), "email_taken");
        assert_eq!(code(world.identity.invite(&world.admin, "no address", Role::User).await), "invalid_fields");
        assert_eq!(code(world.identity.invitations(&world.admin, Some("x"), 50).await), "invalid_fields");
    })
    .await;
}

#[tokio::test]
async fn two_who_accept_at_once_make_one_account() {
    each(|world| async move {
        world.identity.invite(&world.admin, "carla@example.org", Role::User).await.unwrap();
        let token = world.last_link("carla@example.org", LINK).await;
        let answers = tokio::join!(accept(&world, &token, "carla"), accept(&world, &token, "carlotta"));
        assert!(matches!(answers, ("ok", "invitation_invalid") | ("invitation_invalid", "ok")), "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn closed_sign_up_switches_invitations_off() {
    each_with(
        |config| config.signup = Signup::Closed,
        |world| async move {
            let answer = code(world.identity.invite(&world.admin, "carla@example.org", Role::User).await);
            assert_eq!(answer, "signup_closed");
        },
    )
    .await;
}
