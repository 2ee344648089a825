//! Messages leave after the commit, in order, and stay until the broker has them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portico_platform::jobs::Lease;
use portico_platform::outbox::{MqttMessage, Publisher};
use portico_platform::testing::{START, each_database, eventually};
use portico_platform::{BoxFuture, Error, Result};

#[derive(Default)]
struct Broker {
    away: AtomicBool,
    got: Mutex<Vec<String>>,
}

impl Publisher for Broker {
    fn publish(&self, message: MqttMessage) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if self.away.load(Ordering::SeqCst) {
                return Err(Error::unavailable("broker_unavailable", "away"));
            }
            self.got.lock().unwrap().push(message.topic);
            Ok(())
        })
    }
}

fn message(topic: &str) -> MqttMessage {
    MqttMessage { topic: topic.to_owned(), payload: b"{}".to_vec(), qos: 1, retain: false, expires_at: None }
}

#[tokio::test]
async fn message_of_a_rolled_back_transaction_never_leaves_and_the_rest_leaves_in_order() {
    each_database(|test| async move {
        let platform = &test.platform;
        let broker = Broker::default();
        broker.away.store(true, Ordering::SeqCst);
        let cancel = platform.tasks.token();

        let mut tx = platform.db.begin().await.unwrap();
        platform.outbox.enqueue(&mut tx, &message("undone")).await.unwrap();
        tx.rollback().await.unwrap();
        for topic in ["first", "second", "third"] {
            let mut tx = platform.db.begin().await.unwrap();
            platform.outbox.enqueue(&mut tx, &message(topic)).await.unwrap();
            tx.commit().await.unwrap();
            platform.outbox.wake();
        }
        let work = platform.outbox.run(&platform.db, &broker, &cancel);
        let watch = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(platform.outbox.backlog(&platform.db).await.unwrap().0, 3, "kept while the broker is away");
            broker.away.store(false, Ordering::SeqCst);
            eventually("all are published", || async { platform.outbox.backlog(&platform.db).await.unwrap().0 == 0 })
                .await;
            cancel.cancel();
        };
        tokio::join!(work, watch);
        assert_eq!(*broker.got.lock().unwrap(), ["first", "second", "third"]);
    })
    .await;
}

#[tokio::test]
async fn message_whose_time_is_over_is_never_published() {
    each_database(|test| async move {
        let platform = &test.platform;
        let broker = Broker::default();
        broker.away.store(true, Ordering::SeqCst);
        let cancel = platform.tasks.token();
        let mut tx = platform.db.begin().await.unwrap();
        for (topic, expires_at) in [("late", START.plus_secs(60)), ("in time", START.plus_secs(600))] {
            let message = MqttMessage { expires_at: Some(expires_at), ..message(topic) };
            platform.outbox.enqueue(&mut tx, &message).await.unwrap();
        }
        tx.commit().await.unwrap();
        test.clock.advance_ms(60_000);
        broker.away.store(false, Ordering::SeqCst);
        let work = platform.outbox.run(&platform.db, &broker, &cancel);
        let watch = async {
            eventually("the outbox is empty", || async { platform.outbox.backlog(&platform.db).await.unwrap().0 == 0 })
                .await;
            cancel.cancel();
        };
        tokio::join!(work, watch);
        assert_eq!(*broker.got.lock().unwrap(), ["in time"]);
    })
    .await;
}

#[tokio::test]
async fn lease_is_held_by_one_and_passes_on_when_it_runs_out() {
    each_database(|test| async move {
        let db = &test.platform.db;
        let (one, two) = (Lease::new("work", Duration::from_secs(10)), Lease::new("work", Duration::from_secs(10)));
        assert!(one.take(db, START).await.unwrap());
        assert!(!two.take(db, START.plus_secs(5)).await.unwrap());
        assert!(one.take(db, START.plus_secs(9)).await.unwrap(), "the holder prolongs it");
        assert!(!two.take(db, START.plus_secs(15)).await.unwrap());
        assert!(two.take(db, START.plus_secs(20)).await.unwrap());
    })
    .await;
}
