//! What `portico audit verify` must find.

use portico_model::OrganizationId;
use portico_model::audit::AuditOutcome;
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
        let filter = AuditFilter {
            search: audit::AuditSearch { search: "device:1".into(), ..audit::AuditSearch::default() },
            limit: 10,
            ..AuditFilter::default()
        };
        let found = audit::list(&mut tx, test.organization, &filter).await.unwrap();
        assert_eq!(found.iter().map(|record| record.seq).collect::<Vec<_>>(), [12, 11, 2]);
        let filter = AuditFilter {
            search: audit::AuditSearch { action: "auth.".into(), ..audit::AuditSearch::default() },
            limit: 10,
            ..AuditFilter::default()
        };
        assert!(audit::list(&mut tx, test.organization, &filter).await.unwrap().is_empty());
        let all = AuditFilter { limit: 10, ..AuditFilter::default() };
        assert!(audit::list(&mut tx, other, &all).await.unwrap().is_empty());
    })
    .await;
}

fn redaction() -> audit::Redaction {
    audit::Redaction {
        usernames: vec!["anna".into()],
        emails: vec!["anna@example.org".into()],
        target: "user:1".into(),
        pseudonym: "erased-1".into(),
        since: portico_platform::testing::START,
    }
}

async fn write_about_anna(test: &TestPlatform) {
    let entries = [
        ("user:anna", "192.0.2.1", Entry::success("device.registered").details(serde_json::json!({ "name": "anna" }))),
        (
            "user:ada",
            "192.0.2.2",
            Entry::success("user.created").target("user", 1).details(serde_json::json!({
            "username": ["x", "Anna"], "note": "to anna@example.org" })),
        ),
        ("anonymous", "192.0.2.3", Entry::failed("auth.sign_in_failed").target("user", 1)),
        ("user:ada", "192.0.2.2", Entry::success("device.changed").details(serde_json::json!({ "name": "anna" }))),
        ("user:annabel", "192.0.2.4", Entry::success("device.changed").details(serde_json::json!({ "owner": "anna" }))),
    ];
    for (actor, address, entry) in entries {
        let mut tx = test.platform.db.begin().await.unwrap();
        test.platform.audit.append_as(&mut tx, test.organization, actor, address, "", entry).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn redact(test: &TestPlatform) -> u64 {
    let mut tx = test.platform.db.begin().await.unwrap();
    let changed = test.platform.audit.redact(&mut tx, test.organization, &redaction()).await.unwrap();
    tx.commit().await.unwrap();
    changed
}

#[tokio::test]
async fn erased_person_is_gone_from_the_trail_and_the_chain_holds() {
    each_database(|test| async move {
        write_about_anna(&test).await;
        assert_eq!(redact(&test).await, 4);
        let mut tx = test.platform.db.read().await.unwrap();
        let filter = AuditFilter { limit: 10, ..AuditFilter::default() };
        let mut records = audit::list(&mut tx, test.organization, &filter).await.unwrap();
        drop(tx);
        records.reverse();
        let lines: Vec<String> = records
            .iter()
            .map(|record| format!("{} {} {} {}", record.actor, record.action, record.address, record.details))
            .collect();
        assert_eq!(
            lines,
            [
                r#"user:erased-1 device.registered  {"name":"erased-1"}"#,
                r#"user:ada user.created 192.0.2.2 {"note":"erased-1","username":["x","erased-1"]}"#,
                "anonymous auth.sign_in_failed  null",
                r#"user:ada device.changed 192.0.2.2 {"name":"anna"}"#,
                r#"user:annabel device.changed 192.0.2.4 {"owner":"erased-1"}"#,
            ]
        );
        assert_eq!(defect(&test).await, None);
        write(&test, 3).await;
        assert_eq!(defect(&test).await, None);
        assert_eq!(redact(&test).await, 0, "nothing is left to take out");
        assert_eq!(defect(&test).await, None);
    })
    .await;
}

#[tokio::test]
async fn redaction_is_no_way_to_forge_a_record() {
    each_database(|test| async move {
        write_about_anna(&test).await;
        redact(&test).await;
        execute(&test, "update audit set details = '{}' where organization_id = $1 and seq = 1").await;
        assert_eq!(defect(&test).await.as_deref(), Some("record 1 was changed or moved"));
    })
    .await;
    each_database(|test| async move {
        write_about_anna(&test).await;
        redact(&test).await;
        // Another record's seal does not fit.
        execute(&test, "update audit set actor = 'user:erased-1' where organization_id = $1 and seq = 4").await;
        execute(
            &test,
            "insert into audit_redaction (organization_id, seq, at, seal)
             select organization_id, 4, at, seal from audit_redaction where organization_id = $1 and seq = 1",
        )
        .await;
        assert_eq!(defect(&test).await.as_deref(), Some("record 4 was changed or moved"));
    })
    .await;
}

#[tokio::test]
async fn search_finds_the_same_in_the_database_as_on_a_page() {
    each_database(|test| async move {
        let actions = [
            "auth.signed_in",
            "session.ended",
            "setup.completed",
            "service_key.created",
            "service.keys",
            "device.key_rotated",
            "device.keys_revoked",
            "device.changed",
            "passkey.added",
            "totp.enabled",
            "recovery_codes.made",
            "step_up.done",
            "stepXup.done",
            "email.changed",
            "invitation.sent",
            "user.created",
            "organization.updated",
            "audit.exported",
            "group.created",
            "telemetry.deleted",
        ];
        let mut all = Vec::new();
        for (index, action) in actions.into_iter().enumerate() {
            for entry in [Entry::success(action), Entry::denied(action), Entry::failed(action)] {
                let mut tx = test.platform.db.begin().await.unwrap();
                let (actor, target) = (format!("user:U{}", index % 3), entry.target("device", format!("1{index}_%")));
                let record = test
                    .platform
                    .audit
                    .append_as(&mut tx, test.organization, &actor, "192.0.2.1", "", target)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
                all.push(record);
            }
            test.clock.advance_ms(1_000);
        }
        all.reverse();
        let search = audit::AuditSearch::default;
        let at = |seconds: i64| Some(portico_platform::testing::START.plus_secs(seconds));
        let cases = [
            search(),
            audit::AuditSearch { security: true, ..search() },
            audit::AuditSearch { security: true, outcome: Some(AuditOutcome::Success), ..search() },
            audit::AuditSearch { search: "KEY".into(), ..search() },
            audit::AuditSearch { search: "_%".into(), ..search() },
            audit::AuditSearch { search: " 192.0.2.1 ".into(), outcome: Some(AuditOutcome::Failed), ..search() },
            audit::AuditSearch { action: "Device.".into(), ..search() },
            audit::AuditSearch { action: "step_up".into(), ..search() },
            audit::AuditSearch { actor: "user:u1".into(), target: "11".into(), ..search() },
            audit::AuditSearch { from: at(3), to: at(5), ..search() },
        ];
        for case in cases {
            let mut tx = test.platform.db.read().await.unwrap();
            let filter = AuditFilter { search: case.clone(), limit: 100, ..AuditFilter::default() };
            let found = audit::list(&mut tx, test.organization, &filter).await.unwrap();
            let expected: Vec<_> = all.iter().filter(|record| case.finds(record)).cloned().collect();
            assert_eq!(found, expected, "{case:?}");
        }
    })
    .await;
}
