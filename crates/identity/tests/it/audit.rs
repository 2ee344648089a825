use portico_identity::AuditQuery;
use portico_model::audit::AuditOutcome;
use portico_model::identity::Role;

use crate::{OTHER_PASSWORD, each, here};

#[tokio::test]
async fn every_change_is_on_record_with_who_what_and_where() {
    each(|world| async move {
        let berta = world.user("berta", Role::User).await;
        let page = world.identity.audit_records(&world.admin, AuditQuery::default()).await.unwrap();
        let record = &page.items[0];
        assert_eq!((record.action.as_str(), record.actor.as_str()), ("user.created", "user:admin"));
        assert_eq!(record.target, format!("user:{}", berta.id));
        assert_eq!((record.address.as_str(), record.request_id.as_str()), ("192.0.2.1", "request-1"));
        let verified = world.test.platform.audit.verify(&world.test.platform.db).await.unwrap();
        assert!(verified.iter().all(|chain| chain.defect.is_none()), "{verified:?}");
    })
    .await;
}

#[tokio::test]
async fn records_are_filtered_and_paged() {
    each(|world| async move {
        for name in ["berta", "carla", "dora"] {
            world.user(name, Role::User).await;
        }
        world.try_sign_in("berta", OTHER_PASSWORD, &here()).await;
        let actions = async |query: AuditQuery| {
            let page = world.identity.audit_records(&world.admin, query).await.unwrap();
            page.items.into_iter().map(|record| record.action).collect::<Vec<_>>()
        };
        let action = |text: &str| AuditQuery { action: Some(text.to_owned()), ..AuditQuery::default() };
        assert_eq!(actions(action("user.")).await.len(), 4, "the administrator and three users");
        let security = actions(action("security")).await;
        assert_eq!(security[0], "auth.sign_in_failed");
        assert_eq!(security.len(), 6, "what happens to accounts is a security event too");
        let failed = AuditQuery { outcome: Some(AuditOutcome::Failed), ..AuditQuery::default() };
        assert_eq!(actions(failed).await, ["auth.sign_in_failed"]);
        let mut seqs = Vec::new();
        let mut cursor = None;
        loop {
            let query = AuditQuery { cursor, limit: Some(2), ..AuditQuery::default() };
            let page = world.identity.audit_records(&world.admin, query).await.unwrap();
            seqs.extend(page.items.iter().map(|record| record.seq));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seqs, (1..=6).rev().collect::<Vec<i64>>());
    })
    .await;
}
