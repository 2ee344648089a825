use portico_identity::{NewServiceKey, NewUser, Proof, UserChange};
use portico_model::identity::{Permission, Role};

use crate::second_factor::enrol;
use crate::{OTHER_PASSWORD, PASSWORD, World, code, each, each_with};

fn service() -> NewServiceKey {
    NewServiceKey { name: "Reports".into(), scopes: vec![Permission::ReadAudit], expires_at: None }
}

const LATER_MS: i64 = 601_000;

fn change(edit: impl FnOnce(&mut UserChange)) -> UserChange {
    let mut change = UserChange::default();
    edit(&mut change);
    change
}

#[tokio::test]
async fn stale_session_may_do_nothing_sensitive_until_it_is_proved_again() {
    each(|world| async move {
        let berta = world.user("berta", Role::User).await.id;
        world.clock.advance_ms(LATER_MS);
        let identity = &world.identity;
        let admin = &world.admin;
        let new = |role| NewUser {
            username: "carla".into(),
            email: "carla@example.org".into(),
            password: PASSWORD.into(),
            role,
        };
        let refused = [
            code(identity.begin_totp(admin).await),
            code(identity.begin_passkey(admin).await),
            code(identity.renew_recovery_codes(admin).await),
            code(identity.update_user(admin, berta, change(|c| c.role = Some(Role::Manager))).await),
            code(identity.update_user(admin, berta, change(|c| c.email = Some("b@example.org".into()))).await),
            code(identity.update_user(admin, berta, change(|c| c.password = Some(OTHER_PASSWORD.into()))).await),
            code(identity.create_user(admin, new(Role::Admin)).await),
            code(identity.invite(admin, "new@example.org", Role::Manager).await),
            code(identity.delete_user(admin, berta).await),
            code(identity.create_service_key(admin, service()).await),
        ];
        assert_eq!(refused, ["step_up_required"; 10]);
        // What is not sensitive goes on.
        assert_eq!(
            code(identity.update_user(admin, berta, change(|c| c.username = Some("berta2".into()))).await),
            "ok"
        );
        assert_eq!(code(identity.create_user(admin, new(Role::User)).await), "ok");
        assert_eq!(code(identity.invite(admin, "new@example.org", Role::User).await), "ok");

        let wrong = identity.step_up_with_password(admin, OTHER_PASSWORD).await.unwrap_err();
        assert_eq!(wrong.field_errors()[0].field, "password");
        assert_eq!(code(identity.delete_user(admin, berta).await), "step_up_required");
        identity.step_up_with_password(admin, PASSWORD).await.unwrap();
        assert_eq!(code(identity.update_user(admin, berta, change(|c| c.role = Some(Role::Manager))).await), "ok");
        assert_eq!(code(identity.delete_user(admin, berta).await), "ok");
        world.clock.advance_ms(LATER_MS);
        assert_eq!(code(identity.begin_totp(admin).await), "step_up_required");
        let trail = world.trail().await;
        assert!(trail.contains(&"auth.stepped_up success".to_owned()), "{trail:?}");
        assert!(trail.contains(&"auth.password_proof_failed failed".to_owned()), "{trail:?}");
    })
    .await;
}

#[tokio::test]
async fn codes_prove_it_too_and_only_for_their_own_session() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (app, codes) = enrol(&world, &berta).await;
        world.clock.advance_ms(LATER_MS);
        let identity = &world.identity;
        let fresh = async || code(identity.require_fresh_authentication(&berta).await);
        assert_eq!(fresh().await, "step_up_required");
        assert_eq!(code(identity.step_up(&berta, &Proof::Totp("000000".into()), None).await), "invalid_fields");
        assert_eq!(code(identity.step_up(&berta, &Proof::Totp(app.code(&world)), None).await), "ok");
        assert_eq!(fresh().await, "ok");
        assert_eq!(code(identity.require_fresh_authentication(&world.admin).await), "step_up_required");
        world.clock.advance_ms(LATER_MS);
        assert_eq!(code(identity.step_up(&berta, &Proof::RecoveryCode(codes[0].clone()), None).await), "ok");
        assert_eq!(fresh().await, "ok");
    })
    .await;
}

#[tokio::test]
async fn stolen_session_is_no_way_to_guess_a_proof() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let berta = world.actor("berta").await;
        let (app, _) = enrol(&world, &berta).await;
        world.clock.advance_ms(LATER_MS);
        for guess in 0..5 {
            let proof = Proof::Totp(format!("00000{guess}"));
            assert_eq!(code(world.identity.step_up(&berta, &proof, None).await), "invalid_fields");
        }
        let right = Proof::Totp(app.code(&world));
        assert_eq!(code(world.identity.step_up(&berta, &right, None).await), "locked_out");
        assert_eq!(code(world.identity.step_up_with_password(&berta, PASSWORD).await), "locked_out");
    })
    .await;
}

#[tokio::test]
async fn how_long_a_proof_holds_is_configured() {
    async fn run(world: World) {
        world.clock.advance_ms(59_000);
        assert_eq!(code(world.identity.require_fresh_authentication(&world.admin).await), "ok");
        world.clock.advance_ms(2_000);
        assert_eq!(code(world.identity.require_fresh_authentication(&world.admin).await), "step_up_required");
    }
    each_with(|config| config.identity.step_up_s = 60, run).await;
}
