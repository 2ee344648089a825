//! What `portico audit verify` must find.

use portico_model::OrganizationId;
use portico_platform::audit::{self, AuditFilter, Entry};
use portico_platform::testing::{TestPlatform, each_database};
use portico_platform::{Actor, on_db};

async fn write(test: &TestPlatform, count: usize) {
    let actor = Actor::system(test.organization);
    for index in 0..count {
        let mut tx = test.platform.db.begin().await.unwrap();
        let entry = Entry::success("device.registered").target("device", index);
        test.platform.audit.append(&mut tx, &actor, entry).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn execute(test: &TestPlatform, sql: &'static str) {
    let mut tx = test.platform.db.begin().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query(sql).bind(test.organization).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

async fn defect(test: &TestPlatform) -> Option<String> {
    let results = test.platform.audit.verify(&test.platform.db).await.unwrap();
    results.into_iter().find(|result| result.organization == test.organization).and_then(|result| result.defect)
}

#[tokio::test]
async fn untouched_chain_is_sound() {
    each_database(|test| async move {
        write(&test, 5).await;
        let results = test.platform.audit.verify(&test.platform.db).await.unwrap();
        assert_eq!(
            results.iter().map(|result| (result.records, result.defect.clone())).collect::<Vec<_>>(),
            [(5, None)]
        );
    })
    .await;
}

#[tokio::test]
async fn edit_is_found() {
    each_database(|test| async move {
        write(&test, 5).await;
        execute(&test, "update audit set actor = 'user:mallory' where organization_id = $1 and seq = 3").await;
        assert_eq!(defect(&test).await.as_deref(), Some("record 3 was changed or moved"));
    })
    .await;
}

#[tokio::test]
async fn deletion_in_the_middle_is_found() {
    each_database(|test| async move {
        write(&test, 5).await;
        execute(&test, "delete from audit where organization_id = $1 and seq = 3").await;
        assert_eq!(defect(&test).await.as_deref(), Some("record 3 is missing"));
    })
    .await;
}

#[tokio::test]
async fn reordering_is_found() {
    each_database(|test| async move {
        write(&test, 5).await;
        execute(&test, "update audit set seq = 100 where organization_id = $1 and seq = 2").await;
        execute(&test, "update audit set seq = 2 where organization_id = $1 and seq = 3").await;
        execute(&test, "update audit set seq = 3 where organization_id = $1 and seq = 100").await;
        assert_eq!(defect(&test).await.as_deref(), Some("record 2 was changed or moved"));
    })
    .await;
}

#[tokio::test]
async fn cut_tail_is_found_even_when_the_head_is_set_back() {
    each_database(|test| async move {
        write(&test, 5).await;
        execute(&test, "delete from audit where organization_id = $1 and seq > 3").await;
        assert!(defect(&test).await.unwrap().contains("cut off"));
        let hash =
            "update audit_head set seq = 3, hash = (select hash from audit where organization_id = $1 and seq = 3)
                    where organization_id = $1";
        execute(&test, hash).await;
        assert_eq!(defect(&test).await.as_deref(), Some("the head of the chain was changed"));
    })
    .await;
}

#[tokio::test]
async fn appends_at_the_same_time_make_one_chain() {
    each_database(|test| async move {
        let writers = (0..8).map(|_| write(&test, 5));
        futures::future::join_all(writers).await;
        assert_eq!(defect(&test).await, None);
    })
    .await;
}

#[tokio::test]
async fn list_filters_and_keeps_to_its_organisation() {
    each_database(|test| async move {
        write(&test, 12).await;
        let other: OrganizationId = test.other_organization().await;
        let mut tx = test.platform.db.read().await.unwrap();
        let filter = AuditFilter { search: Some("device:1".into()), limit: 10, ..AuditFilter::default() };
        let found = audit::list(&mut tx, test.organization, &filter).await.unwrap();
        assert_eq!(found.iter().map(|record| record.seq).collect::<Vec<_>>(), [12, 11, 2]);
        let filter = AuditFilter { action_prefixes: vec!["auth.".into()], limit: 10, ..AuditFilter::default() };
        assert!(audit::list(&mut tx, test.organization, &filter).await.unwrap().is_empty());
        let all = AuditFilter { limit: 10, ..AuditFilter::default() };
        assert!(audit::list(&mut tx, other, &all).await.unwrap().is_empty());
    })
    .await;
}
