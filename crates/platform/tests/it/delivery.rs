//! Messages leave after the commit, are tried again with growing pauses, and end as dead letters that can be retried.

use std::path::PathBuf;

use portico_model::DeliveryId;
use portico_model::notifications::{Delivery, DeliveryState};
use portico_platform::config::Config;
use portico_platform::delivery::config::MailTls;
use portico_platform::delivery::{self, DeliveryFilter, Mail, Message};
use portico_platform::testing::{MailCatcher, START, TestPlatform, each_database_with, eventually};

fn mail(to: &str, text: &str) -> Message {
    Message::Mail(Mail { to: to.to_owned(), subject: "Pump 3 is öff".to_owned(), text: text.to_owned() })
}

async fn enqueue(test: &TestPlatform, message: &Message) -> DeliveryId {
    let mut tx = test.platform.db.begin().await.unwrap();
    let id = test.platform.deliveries.enqueue(&mut tx, test.organization, message).await.unwrap();
    tx.commit().await.unwrap();
    test.platform.deliveries.wake();
    id
}

async fn state(test: &TestPlatform, id: DeliveryId) -> Delivery {
    let mut tx = test.platform.db.read().await.unwrap();
    test.platform.deliveries.find(&mut tx, test.organization, id).await.unwrap().unwrap()
}

/// Waits until the message has been tried so often and nothing is under way.
async fn tried(test: &TestPlatform, id: DeliveryId, attempts: i64) -> Delivery {
    eventually("the attempt is over", || async {
        let now = state(test, id).await;
        now.attempts == attempts && (now.finished_at.is_some() || !now.last_error.is_empty())
    })
    .await;
    state(test, id).await
}

#[tokio::test]
async fn mail_arrives_as_written_and_what_it_said_is_forgotten() {
    let catcher = MailCatcher::start().await;
    let with_mail = |config: &mut Config| {
        catcher.configure(config);
        config.mail.from = "Portico Süd <portico@example.org>".to_owned();
    };
    each_database_with(with_mail, |test| {
        let catcher = &catcher;
        async move {
            delivery::start(&test.platform).unwrap();
            let mut tx = test.platform.db.begin().await.unwrap();
            test.platform.deliveries.enqueue(&mut tx, test.organization, &mail("un@done.org", "no")).await.unwrap();
            tx.rollback().await.unwrap();

            let link = format!("https://portico.example/reset?token={}", "abcdefgh".repeat(12));
            let text = format!("Grüße, Anna.\n\n{link}\n.\n..a line that begins with dots\n");
            let id = enqueue(&test, &mail("anna@example.org", &text)).await;
            let caught = catcher.next_to("anna@example.org").await;
            assert_eq!((caught.from.as_str(), caught.subject.as_str()), ("portico@example.org", "Pump 3 is öff"));
            assert_eq!(caught.text.trim_end(), text.trim_end());
            assert_eq!(caught.link(), link);
            assert!(caught.raw.contains("Auto-Submitted: auto-generated"), "{}", caught.raw);
            assert!(caught.raw.contains(&format!("Message-ID: <{id}@example.org>")), "{}", caught.raw);
            assert!(caught.raw.contains("Date: Sat, 21 Nov 2026 02:00:00 +0000"), "{}", caught.raw);

            let delivered = tried(&test, id, 1).await;
            assert_eq!((delivered.state, delivered.finished_at), (DeliveryState::Delivered, Some(START)));
            assert_eq!(delivered.destination, "anna@example.org");
            let mut tx = test.platform.db.read().await.unwrap();
            let (kept,): (Vec<u8>,) = portico_platform::on_db!(&mut tx, conn =>
                sqlx::query_as("select message from delivery where id = $1").bind(id).fetch_one(conn).await)
            .unwrap();
            assert!(kept.is_empty());
            assert_eq!(catcher.mails(), [], "the rolled-back one never left");
        }
    })
    .await;
}

#[tokio::test]
async fn refused_for_now_is_tried_again_later_and_given_up_after_ten_attempts() {
    let catcher = MailCatcher::start().await;
    each_database_with(
        |config| catcher.configure(config),
        |test| {
            let catcher = &catcher;
            async move {
                catcher.refuse(Some("450 4.2.1 mailbox busy"));
                delivery::start(&test.platform).unwrap();
                let id = enqueue(&test, &mail("anna@example.org", "hello")).await;
                let failed = tried(&test, id, 1).await;
                assert_eq!(failed.state, DeliveryState::Queued);
                assert!(failed.last_error.contains("450") && failed.last_error.contains("mailbox busy"), "{failed:?}");
                let pause = failed.next_attempt_at.unwrap().millis() - START.millis();
                assert!((54_000..=66_000).contains(&pause), "{pause}");

                test.platform.deliveries.wake();
                test.clock.advance_ms(53_000);
                let other = enqueue(&test, &mail("bert@example.org", "hello")).await;
                tried(&test, other, 1).await;
                assert_eq!(state(&test, id).await.attempts, 1, "not before its time");

                for attempt in 2..=10 {
                    test.clock.advance_ms(7 * 3_600_000);
                    test.platform.deliveries.wake();
                    tried_exactly(&test, id, attempt).await;
                }
                let dead = state(&test, id).await;
                assert_eq!((dead.state, dead.next_attempt_at), (DeliveryState::Dead, None));
                test.clock.advance_ms(7 * 3_600_000);
                test.platform.deliveries.wake();

                catcher.refuse(None);
                retry(&test, id).await;
                assert_eq!(catcher.next_to("anna@example.org").await.text.trim(), "hello");
                assert_eq!(tried(&test, id, 1).await.state, DeliveryState::Delivered);
            }
        },
    )
    .await;
}

async fn tried_exactly(test: &TestPlatform, id: DeliveryId, attempts: i64) {
    let now = test.platform.clock.now();
    eventually("the attempt is noted", || async {
        let seen = state(test, id).await;
        // While it is claimed, the next attempt is ten minutes ahead; noted, further or never.
        let noted = seen.next_attempt_at.is_none_or(|at| at.millis() - now.millis() != 600_000);
        seen.attempts == attempts && noted
    })
    .await;
}

async fn retry(test: &TestPlatform, id: DeliveryId) {
    let mut tx = test.platform.db.begin().await.unwrap();
    assert!(test.platform.deliveries.retry(&mut tx, test.organization, id).await.unwrap());
    tx.commit().await.unwrap();
    test.platform.deliveries.wake();
}

#[tokio::test]
async fn refused_for_good_is_dead_at_once_and_can_be_retried_or_discarded_by_its_organization_alone() {
    let catcher = MailCatcher::start().await;
    each_database_with(
        |config| catcher.configure(config),
        |test| {
            let catcher = &catcher;
            async move {
                let other = test.other_organization().await;
                catcher.refuse(Some("550 5.1.1 no such mailbox"));
                delivery::start(&test.platform).unwrap();
                let id = enqueue(&test, &mail("nobody@example.org", "hello")).await;
                let dead = tried(&test, id, 1).await;
                assert_eq!(dead.state, DeliveryState::Dead);
                assert!(dead.last_error.contains("550") && dead.last_error.contains("no such mailbox"), "{dead:?}");
                let not_an_address = enqueue(&test, &mail("nobody", "hello")).await;
                assert_eq!(tried(&test, not_an_address, 1).await.state, DeliveryState::Dead);

                let deliveries = &test.platform.deliveries;
                let mut tx = test.platform.db.begin().await.unwrap();
                let only_dead =
                    DeliveryFilter { state: Some(DeliveryState::Dead), limit: 10, ..DeliveryFilter::default() };
                let listed = deliveries.list(&mut tx, test.organization, &only_dead).await.unwrap();
                assert_eq!(listed.iter().map(|dead| dead.id).collect::<Vec<_>>(), [not_an_address, id], "newest first");
                let page = DeliveryFilter { before: Some(not_an_address), limit: 10, ..DeliveryFilter::default() };
                assert_eq!(deliveries.list(&mut tx, test.organization, &page).await.unwrap().len(), 1);
                assert_eq!(deliveries.list(&mut tx, other, &only_dead).await.unwrap(), []);
                assert!(deliveries.find(&mut tx, other, id).await.unwrap().is_none());
                assert!(!deliveries.retry(&mut tx, other, id).await.unwrap());
                assert!(!deliveries.discard(&mut tx, other, id).await.unwrap());
                assert!(deliveries.discard(&mut tx, test.organization, not_an_address).await.unwrap());
                tx.commit().await.unwrap();

                catcher.refuse(None);
                retry(&test, id).await;
                catcher.next_to("nobody@example.org").await;
                tried(&test, id, 1).await;
                let mut tx = test.platform.db.begin().await.unwrap();
                assert!(!deliveries.retry(&mut tx, test.organization, id).await.unwrap(), "it has arrived");
                assert!(!deliveries.discard(&mut tx, test.organization, id).await.unwrap(), "it has arrived");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn one_message_leaves_once_though_two_servers_look_for_it() {
    let catcher = MailCatcher::start().await;
    each_database_with(
        |config| catcher.configure(config),
        |test| {
            let catcher = &catcher;
            async move {
                for _ in 0..2 {
                    delivery::start(&test.platform).unwrap();
                }
                let mut ids = Vec::new();
                for number in 0..40 {
                    ids.push(enqueue(&test, &mail(&format!("p{number}@example.org"), "hello")).await);
                }
                for id in ids {
                    assert_eq!(tried(&test, id, 1).await.state, DeliveryState::Delivered);
                }
                let mut to: Vec<String> = catcher.mails().into_iter().map(|mail| mail.to).collect();
                assert_eq!(to.len(), 40);
                to.sort();
                to.dedup();
                assert_eq!(to.len(), 40);
                for to in to {
                    catcher.next_to(&to).await;
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn without_a_mail_server_a_mail_is_a_dead_letter_that_says_so() {
    each_database_with(
        |_| {},
        |test| async move {
            delivery::start(&test.platform).unwrap();
            let id = enqueue(&test, &mail("anna@example.org", "hello")).await;
            let dead = tried(&test, id, 1).await;
            assert_eq!(dead.state, DeliveryState::Dead);
            assert!(dead.last_error.contains("mail.host"), "{dead:?}");
        },
    )
    .await;
}

fn certificate(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/mqtt").join(name)
}

#[tokio::test]
async fn both_kinds_of_tls_protect_the_password_and_an_unknown_certificate_gets_nothing() {
    let (cert, key) = (certificate("localhost.cert.pem"), certificate("localhost.key.pem"));
    for kind in [MailTls::Starttls, MailTls::Tls] {
        let catcher = MailCatcher::start_tls(kind, &cert, &key).await;
        catcher.require_login("portico", "fjord under copper");
        let with_mail = |config: &mut Config| {
            catcher.configure(config);
            config.mail.tls_ca = Some(cert.clone());
            config.mail.user = Some("portico".to_owned());
            config.mail.password = Some("fjord under copper".into());
        };
        each_database_with(with_mail, |test| {
            let catcher = &catcher;
            async move {
                delivery::start(&test.platform).unwrap();
                enqueue(&test, &mail("anna@example.org", "hello")).await;
                catcher.next_to("anna@example.org").await;
            }
        })
        .await;
        each_database_with(
            |config| catcher.configure(config),
            |test| async move {
                delivery::start(&test.platform).unwrap();
                let id = enqueue(&test, &mail("anna@example.org", "hello")).await;
                let failed = tried(&test, id, 1).await;
                assert_eq!(failed.state, DeliveryState::Queued, "the certificate may be mended: {failed:?}");
            },
        )
        .await;
        assert_eq!(catcher.mails(), []);
    }
}

#[tokio::test]
async fn server_that_offers_no_tls_gets_nothing_and_a_wrong_password_is_tried_again() {
    let catcher = MailCatcher::start().await;
    let insist = |config: &mut Config| {
        catcher.configure(config);
        config.mail.tls = MailTls::Starttls;
    };
    each_database_with(insist, |test| async move {
        delivery::start(&test.platform).unwrap();
        let id = enqueue(&test, &mail("anna@example.org", "hello")).await;
        let failed = tried(&test, id, 1).await;
        assert_eq!(failed.state, DeliveryState::Queued, "{failed:?}");
    })
    .await;
    catcher.require_login("portico", "right");
    let wrong = |config: &mut Config| {
        catcher.configure(config);
        config.mail.user = Some("portico".to_owned());
        config.mail.password = Some("wrong".into());
    };
    each_database_with(wrong, |test| async move {
        delivery::start(&test.platform).unwrap();
        let id = enqueue(&test, &mail("anna@example.org", "hello")).await;
        let failed = tried(&test, id, 1).await;
        assert_eq!(failed.state, DeliveryState::Queued, "{failed:?}");
        assert!(failed.last_error.contains("535"), "{failed:?}");
    })
    .await;
    assert_eq!(catcher.mails(), []);
}

#[tokio::test]
async fn delivered_messages_are_forgotten_after_a_week_and_dead_ones_after_a_month() {
    let catcher = MailCatcher::start().await;
    each_database_with(
        |config| catcher.configure(config),
        |test| async move {
            delivery::start(&test.platform).unwrap();
            let delivered = enqueue(&test, &mail("anna@example.org", "hello")).await;
            let dead = enqueue(&test, &mail("nobody", "hello")).await;
            tried(&test, delivered, 1).await;
            tried(&test, dead, 1).await;
            let left = || async {
                let mut tx = test.platform.db.read().await.unwrap();
                let all = DeliveryFilter { limit: 10, ..DeliveryFilter::default() };
                let list = test.platform.deliveries.list(&mut tx, test.organization, &all).await.unwrap();
                list.into_iter().map(|delivery| delivery.id).collect::<Vec<_>>()
            };
            for (days, kept) in [(6, vec![dead, delivered]), (2, vec![dead]), (21, vec![dead]), (2, vec![])] {
                test.clock.advance_ms(days * 86_400_000);
                delivery::sweep(&test.platform).await.unwrap();
                assert_eq!(left().await, kept, "after {days} more days");
            }
        },
    )
    .await;
}
