//! Bluetooth grants: issued, checked by a lock as firmware does it, taken back, used.

use portico_lock_core::grant::{Denial, Grant, Revoked, Verifier, Wish};
use portico_model::access::lock::{LockRole, NewLock, NewLockGrant};
use portico_model::identity::Role;
use portico_model::{ErrorKind, OrganizationId};
use portico_platform::on_db;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::{World, each};

const CHALLENGE: [u8; 32] = [5; 32];

fn holder() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[4; 32]).unwrap()
}

fn public(pair: &Ed25519KeyPair) -> [u8; 32] {
    pair.public_key().as_ref().try_into().unwrap()
}

/// The lock itself.
struct Lock {
    id: [u8; 16],
    portico: [u8; 32],
    revoked: Revoked<4>,
}

impl Lock {
    fn check(&self, world: &World, grant: &[u8]) -> Result<Grant, Denial> {
        let verifier = Verifier {
            portico: &self.portico,
            lock: &self.id,
            revoked: &self.revoked,
            now_ms: Some(world.platform.clock.now().millis().unsigned_abs()),
        };
        let text = Grant::read(grant, &self.portico)?.proof_text(&CHALLENGE, Wish::Unlock);
        verifier.check(grant, &CHALLENGE, Wish::Unlock, holder().sign(&text).as_ref())
    }
}

impl World {
    /// Arguments of the commands of that name.
    async fn told(&self, name: &str) -> Vec<Value> {
        let mut tx = self.platform.db.read().await.unwrap();
        let all: Vec<String> =
            on_db!(&mut tx, conn => sqlx::query_scalar("select args from command where name = $1 order by id")
            .bind(name).fetch_all(conn).await)
            .unwrap();
        all.iter().map(|args| serde_json::from_str(args).unwrap()).collect()
    }

    async fn over_bluetooth(&self, organization: OrganizationId) -> Vec<(String, String, String)> {
        let mut tx = self.platform.db.read().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query_as(
            "select kind, actor, result from access_lock_event where organization_id = $1 and how = 'bluetooth'",
        ).bind(organization).fetch_all(conn).await)
        .unwrap()
    }
}

#[tokio::test]
async fn grant_opens_its_lock_until_it_is_taken_back_or_over() {
    use portico_devices::DeviceObserver as _;
    each(|world| async move {
        let owner = world.manager.clone();
        let new = NewLock { name: Some("Front".into()), ..NewLock::default() };
        let made = world.access.register_lock(&owner, new).await.unwrap();
        let id = made.lock.lock.id;
        let portico = public(&world.devices.grant_key(world.organization).unwrap());
        let mut lock = Lock { id: *id.uuid().as_bytes(), portico, revoked: Revoked::default() };
        let friend = world.user("felix", Role::User).await;
        let key = portico_platform::secrets::hex(&public(&holder()));
        let refused = world.access.issue_offline_grant(&friend, id, &key).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::NotFound);

        let user = friend.user_id().map(|user| user.to_string());
        let share = |role| NewLockGrant { user: user.clone(), person_group_id: None, role };
        world.access.share_lock(&owner, id, share(LockRole::Viewer)).await.unwrap();
        let refused = world.access.issue_offline_grant(&friend, id, &key).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        let shared = world.access.share_lock(&owner, id, share(LockRole::Operator)).await.unwrap();
        let mine = world.access.issue_offline_grant(&owner, id, &key).await.unwrap();
        let his = world.access.issue_offline_grant(&friend, id, &key).await.unwrap();
        assert_eq!(lock.check(&world, &his.bytes).unwrap().user, *friend.user_id().unwrap().uuid().as_bytes());
        assert!(lock.check(&world, &mine.bytes).is_ok());

        // What was done without network is told later, and twice.
        let known = world.devices.authenticate_key(made.api_key.as_deref().unwrap()).await.unwrap().unwrap().device;
        let event = json!({"type": "bluetooth_used", "grant": his.id, "wish": "unlock", "result": "ok",
                           "ts": world.platform.clock.now().millis()});
        for _ in 0..2 {
            let taken = world.access.event(&known, &event, world.platform.clock.now()).await;
            assert_eq!(taken.unwrap(), Ok(true));
        }
        let expected = [("unlock".to_owned(), "user:felix".to_owned(), "done".to_owned())];
        assert_eq!(world.over_bluetooth(world.organization).await, expected);

        world.access.unshare_lock(&owner, id, shared.id).await.unwrap();
        world.access.tell_revocations().await.unwrap();
        world.access.tell_revocations().await.unwrap();
        let told = world.told("revoke_grant").await;
        assert_eq!(told, [json!({"grant": his.id, "expires_at": his.expires_at.millis()})], "once, and only his");
        let now = world.platform.clock.now().millis().unsigned_abs();
        lock.revoked.add(*his.id.uuid().as_bytes(), his.expires_at.millis().unsigned_abs(), now);
        assert_eq!(lock.check(&world, &his.bytes), Err(Denial::Revoked));
        assert!(lock.check(&world, &mine.bytes).is_ok());
        world.advance_s(12 * 3_600);
        assert_eq!(lock.check(&world, &mine.bytes), Err(Denial::Expired));
    })
    .await;
}

#[tokio::test]
async fn browser_may_renew_its_grant_while_there_are_not_too_many_browsers() {
    each(|world| async move {
        let new = NewLock { name: Some("Front".into()), ..NewLock::default() };
        let lock = world.access.register_lock(&world.manager, new).await.unwrap().lock.lock.id;
        let issue = async |browser: u8| {
            let key = public(&Ed25519KeyPair::from_seed_unchecked(&[browser; 32]).unwrap());
            let key = portico_platform::secrets::hex(&key);
            world.access.issue_offline_grant(&world.manager, lock, &key).await.map(drop)
        };
        for browser in 0..10 {
            issue(browser).await.unwrap();
            issue(browser).await.unwrap();
        }
        let refused = issue(10).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "too_many_grants"));
        issue(3).await.unwrap();
        world.advance_s(12 * 3_600);
        issue(10).await.unwrap();
    })
    .await;
}
