//! Payments against a stand-in for Stripe: whatever is lost, repeated or comes late, the right money is taken once.

use portico_model::identity::Role;
use portico_model::parking::reservation::{PaymentStatus, Reservation, ReservationState};
use portico_model::parking::tariff::TariffRules;
use portico_parking::{Parking, ReservationChange};
use portico_platform::testing::{TestPlatform, each_database_with};
use portico_platform::{Actor, on_db};

use crate::World;
use portico_parking::stripe::webhook::sign;
use portico_stripe_double::{Delivery, Double, Failure, Options, RefundOutcome, StoredEvent};

const SECRET: &str = "whsec_one";
const OTHER_SECRET: &str = "whsec_two";

pub struct Till {
    pub world: World,
    pub double: Double,
    pub driver: Actor,
}

/// A lot with a spot at 2.00 EUR an hour, an account at Stripe, and a driver.
pub async fn each<F, Fut>(test: F)
where
    F: Fn(Till) -> Fut,
    Fut: Future<Output = ()>,
{
    let now_s = portico_platform::testing::START.millis() / 1_000;
    let options = || Options {
        secret_key: "sk_test_key".into(),
        publishable_key: "pk_test_key".into(),
        now_s: Some(now_s),
        ..Options::default()
    };
    // One double a database, so that nothing of one is seen by the other.
    let doubles = [Double::start(options()).await.unwrap(), Double::start(options()).await.unwrap()];
    let urls: Vec<String> = doubles.iter().map(|double| double.url().to_owned()).collect();
    let doubles = std::sync::Mutex::new(doubles.into_iter());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let configure = |config: &mut portico_platform::Config| {
        let which = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        config.stripe.secret_key = Some("sk_test_key".into());
        config.stripe.publishable_key = Some("pk_test_key".into());
        config.stripe.webhook_secrets = Some(format!("{SECRET}, {OTHER_SECRET}").into());
        config.stripe.url.clone_from(&urls[which]);
        config.stripe.timeout_ms = 1_000;
    };
    each_database_with(configure, |platform: TestPlatform| {
        let double = doubles.lock().unwrap().next().unwrap();
        let test = &test;
        async move {
            let world = World::without_jobs(platform).await;
            let (lot, ..) = world.one_spot().await;
            world.tariff(&lot, 200).await;
            let driver = world.user("dora", Role::User).await;
            test(Till { world, double, driver }).await;
        }
    })
    .await;
}

impl Till {
    pub fn parking(&self) -> &Parking {
        &self.world.parking
    }

    /// For two hours, in so many: 4.00 EUR.
    pub async fn reserve(&self, in_hours: i64) -> Reservation {
        self.parking().reserve(&self.driver, &self.world.wish("P1", in_hours, 2)).await.unwrap()
    }

    /// What the browser is told to pay.
    async fn intent(&self, one: &Reservation) -> String {
        self.parking().payable(&self.driver, one.id).await.unwrap().payment_intent_id
    }

    async fn shown(&self, one: &Reservation) -> Reservation {
        self.parking().reservation(&self.world.manager, one.id).await.unwrap()
    }

    /// What Stripe tells, delivered and worked off.
    async fn tell(&self, events: &[StoredEvent]) {
        for event in events {
            self.deliver(&event.body).await.unwrap();
        }
        self.parking().clone().work_events().await.unwrap();
    }

    async fn deliver(&self, body: &str) -> portico_platform::Result<()> {
        let now_s = self.world.platform.clock.now().millis() / 1_000;
        self.parking().take_webhook(sign(body.as_bytes(), SECRET, now_s).as_bytes(), body.as_bytes()).await
    }

    /// Paid, and Portico knows it.
    pub async fn paid(&self, in_hours: i64) -> Reservation {
        let one = self.reserve(in_hours).await;
        self.double.complete(&self.intent(&one).await).unwrap();
        self.tell(&self.double.take_events()).await;
        self.shown(&one).await
    }
}

#[tokio::test]
async fn reservation_is_held_until_stripe_says_that_it_is_paid() {
    each(|till| async move {
        let one = till.reserve(24).await;
        assert_eq!((one.state, one.payment_status), (ReservationState::Held, PaymentStatus::Pending));
        let payable = till.parking().payable(&till.driver, one.id).await.unwrap();
        assert_eq!((payable.amount_minor, payable.currency.as_str()), (400, "EUR"));
        assert_eq!(payable.publishable_key, "pk_test_key");
        assert_eq!(till.intent(&one).await, payable.payment_intent_id, "one payment, however often it is asked for");
        till.double.complete(&payable.payment_intent_id).unwrap();
        let events = till.double.take_events();
        till.tell(&events).await;
        let paid = till.shown(&one).await;
        assert_eq!(
            (paid.state, paid.payment_status, paid.paid_minor),
            (ReservationState::Confirmed, PaymentStatus::Paid, 400)
        );
        assert_eq!(paid.hold_until, None);
        let nothing = till.parking().payable(&till.driver, one.id).await.unwrap_err();
        assert_eq!(nothing.code(), "nothing_due");

        // Again, and backwards: paid is paid.
        till.tell(&events).await;
        till.tell(&events.into_iter().rev().collect::<Vec<_>>()).await;
        assert_eq!(till.shown(&one).await.paid_minor, 400);

        // Whose it is stands in what Stripe tells: it is not kept for longer than it is needed.
        let mut tx = till.world.platform.db.read().await.unwrap();
        let kept: i64 = on_db!(&mut tx, conn => sqlx::query_scalar(
            "select count(*) from parking_stripe_event where body <> ''").fetch_one(conn).await)
        .unwrap();
        assert_eq!(kept, 0);
    })
    .await;
}

#[tokio::test]
async fn events_in_any_order_lead_to_the_same_end() {
    each(|till| async move {
        let one = till.reserve(24).await;
        let intent = till.intent(&one).await;
        till.double.fail(&intent).unwrap();
        till.double.complete(&intent).unwrap();
        let mut events = till.double.take_events();
        events.reverse();
        till.tell(&events).await;
        let paid = till.shown(&one).await;
        assert_eq!((paid.state, paid.payment_status), (ReservationState::Confirmed, PaymentStatus::Paid));
    })
    .await;
}

#[tokio::test]
async fn webhook_is_believed_only_with_a_good_signature() {
    each(|till| async move {
        let one = till.reserve(24).await;
        till.double.complete(&till.intent(&one).await).unwrap();
        let event = till.double.take_events().pop().unwrap();
        let now_s = till.world.platform.clock.now().millis() / 1_000;
        let body = event.body.as_bytes();
        let forged = event.body.replace("400", "1");
        for (header, body) in [
            (sign(body, "whsec_wrong", now_s), body),
            (sign(body, SECRET, now_s - 301), body),
            (sign(body, SECRET, now_s + 301), body),
            (sign(body, SECRET, now_s), forged.as_bytes()),
            (String::new(), body),
            ("t=1,v0=aa".to_owned(), body),
        ] {
            let error = till.parking().take_webhook(header.as_bytes(), body).await.unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (400, "invalid_webhook"), "{header}");
        }
        till.parking().clone().work_events().await.unwrap();
        assert_eq!(till.shown(&one).await.state, ReservationState::Held);
        // The secret that replaces the first one, and a header with both.
        let other = sign(body, OTHER_SECRET, now_s);
        let both = format!("{},{}", sign(body, "whsec_wrong", now_s), other.split_once(',').unwrap().1);
        till.parking().take_webhook(both.as_bytes(), body).await.unwrap();
        till.parking().clone().work_events().await.unwrap();
        assert_eq!(till.shown(&one).await.state, ReservationState::Confirmed);
    })
    .await;
}

#[tokio::test]
async fn who_pays_after_the_hold_has_ended_gets_it_back() {
    each(|till| async move {
        let one = till.reserve(24).await;
        let intent = till.intent(&one).await;
        till.double.complete(&intent).unwrap();
        let told_later = till.double.take_events();
        till.world.advance_s(15 * 60);
        till.parking().clone().end_reservations().await.unwrap();
        assert_eq!(till.shown(&one).await.state, ReservationState::Expired);
        till.tell(&told_later).await;
        till.parking().clone().work_refunds().await.unwrap();
        let back = till.shown(&one).await;
        assert_eq!((back.state, back.payment_status), (ReservationState::Expired, PaymentStatus::Refunded));
        assert_eq!((back.paid_minor, back.refunded_minor), (400, 400));
        assert_eq!(till.double.refunds().len(), 1);
        till.parking().clone().work_refunds().await.unwrap();
        assert_eq!(till.double.refunds().len(), 1, "once");
    })
    .await;
}

#[tokio::test]
async fn held_reservation_that_is_paid_at_the_place_is_confirmed_and_no_longer_paid_online() {
    each(|till| async move {
        let one = till.reserve(24).await;
        let intent = till.intent(&one).await;
        let paid = till.parking().note_paid(&till.world.manager, one.id).await.unwrap();
        assert_eq!((paid.state, paid.payment_status), (ReservationState::Confirmed, PaymentStatus::Paid));
        assert_eq!(paid.hold_until, None);
        till.world.advance_s(15 * 60);
        till.parking().clone().end_reservations().await.unwrap();
        assert_eq!(till.shown(&one).await.state, ReservationState::Confirmed, "it no longer ends with its hold");
        till.parking().clone().ask_about_payments().await.unwrap();
        assert!(till.double.complete(&intent).is_err(), "it can no longer be paid");
        assert_eq!(till.shown(&one).await.paid_minor, 400);
    })
    .await;
}

#[tokio::test]
async fn who_pays_online_what_was_paid_at_the_place_gets_it_back() {
    each(|till| async move {
        let one = till.reserve(24).await;
        till.double.complete(&till.intent(&one).await).unwrap();
        till.parking().note_paid(&till.world.manager, one.id).await.unwrap();
        till.tell(&till.double.take_events()).await;
        till.parking().clone().work_refunds().await.unwrap();
        let shown = till.shown(&one).await;
        assert_eq!(shown.state, ReservationState::Confirmed);
        assert_eq!((shown.paid_minor, shown.refunded_minor, till.double.refunds().len()), (800, 400, 1));
    })
    .await;
}

#[tokio::test]
async fn card_page_is_for_its_holder_and_those_who_look_after_the_lot() {
    each(|till| async move {
        let one = till.reserve(24).await;
        assert_eq!(till.parking().card_script(), Some("https://js.stripe.com"));
        let found = till.parking().to_pay_by_card(&till.driver, one.id).await.unwrap();
        assert_eq!(found.id, one.id);
        assert!(till.parking().to_pay_by_card(&till.world.manager, one.id).await.is_ok());
        let emil = till.world.user("emil", Role::User).await;
        assert_eq!(till.parking().to_pay_by_card(&emil, one.id).await.unwrap_err().status(), 404);
        assert!(till.double.requests().is_empty(), "looking at it asks Stripe for nothing");
    })
    .await;
}

#[tokio::test]
async fn payment_that_nobody_needs_is_called_off_at_stripe() {
    each(|till| async move {
        let one = till.reserve(24).await;
        let intent = till.intent(&one).await;
        till.parking().cancel_reservation(&till.driver, one.id).await.unwrap();
        till.parking().clone().ask_about_payments().await.unwrap();
        assert!(till.double.complete(&intent).is_err(), "it can no longer be paid");
    })
    .await;
}

#[tokio::test]
async fn payment_whose_webhook_never_came_is_asked_for() {
    each(|till| async move {
        let one = till.reserve(24).await;
        till.double.complete(&till.intent(&one).await).unwrap();
        till.parking().clone().ask_about_payments().await.unwrap();
        assert_eq!(till.shown(&one).await.state, ReservationState::Held, "not yet");
        till.world.advance_s(120);
        till.parking().clone().ask_about_payments().await.unwrap();
        assert_eq!(till.shown(&one).await.state, ReservationState::Confirmed);
    })
    .await;
}

#[tokio::test]
async fn stripe_that_is_down_costs_no_reservation_and_no_second_payment() {
    each(|till| async move {
        let one = till.reserve(24).await;
        till.double.fail_next(3, &Failure::status(500));
        let down = till.parking().payable(&till.driver, one.id).await.unwrap_err();
        assert_eq!((down.status().as_u16(), down.code()), (503, "payment_unavailable"));
        assert_eq!(till.shown(&one).await.state, ReservationState::Held);
        // Done, and the answer lost: asked again with the same key, it is the same payment.
        till.double.stop_failing();
        till.double.fail_next(3, &Failure::DropAfterWork);
        assert!(till.parking().payable(&till.driver, one.id).await.is_err());
        till.double.stop_failing();
        let intent = till.intent(&one).await;
        assert_eq!(till.double.intents().len(), 1);
        till.double.fail_next(1, &Failure::status(429));
        assert_eq!(till.intent(&one).await, intent);
    })
    .await;
}

#[tokio::test]
async fn card_can_be_declined_and_another_one_tried() {
    each(|till| async move {
        let one = till.reserve(24).await;
        let pay = async |method| till.parking().confirm_payment(&till.driver, one.id, Some(method)).await;
        let declined = pay("pm_card_chargeDeclined").await.unwrap_err();
        assert_eq!((declined.status().as_u16(), declined.code()), (409, "payment_declined"));
        till.tell(&till.double.take_events()).await;
        let failed = till.shown(&one).await;
        assert_eq!((failed.state, failed.payment_status), (ReservationState::Held, PaymentStatus::Failed));
        let paid = pay("pm_card_visa").await.unwrap();
        assert_eq!((paid.status.as_str(), paid.client_secret.is_none()), ("succeeded", true));
        assert_eq!(paid.reservation.payment_status, PaymentStatus::Paid);
    })
    .await;
}

#[tokio::test]
async fn other_amount_than_asked_for_confirms_nothing_and_raises_an_alarm() {
    each(|till| async move {
        let one = till.reserve(24).await;
        till.double.complete(&till.intent(&one).await).unwrap();
        let event = till.double.take_events().pop().unwrap();
        let less = event.body.replace("\"amount_received\":400", "\"amount_received\":40");
        assert_ne!(less, event.body);
        till.deliver(&less).await.unwrap();
        till.parking().clone().work_events().await.unwrap();
        let held = till.shown(&one).await;
        assert_eq!((held.state, held.paid_minor), (ReservationState::Held, 0));
        let alarms = till.world.alarms.list(&till.world.manager, portico_alarms::AlarmQuery::default()).await.unwrap();
        assert_eq!(alarms.items[0].kind, "parking_payment_mismatch");
    })
    .await;
}

#[tokio::test]
async fn who_cancels_gets_back_what_the_lot_allows() {
    each(|till| async move {
        for (in_hours, back) in [(48, 400), (23, 200)] {
            let one = till.paid(in_hours).await;
            till.parking().cancel_reservation(&till.driver, one.id).await.unwrap();
            till.parking().clone().work_refunds().await.unwrap();
            let cancelled = till.shown(&one).await;
            assert_eq!((cancelled.refunded_minor, cancelled.payment_status), (back, PaymentStatus::Refunded));
            drop(till.double.take_events());
        }
    })
    .await;
}

#[tokio::test]
async fn refund_waits_for_stripe_and_is_made_once() {
    each(|till| async move {
        let one = till.paid(48).await;
        till.double.fail_next(3, &Failure::DropAfterWork);
        let asked = till.parking().refund(&till.world.manager, one.id, Some(150)).await.unwrap();
        assert_eq!(asked.refunded_minor, 0, "not known yet");
        till.double.stop_failing();
        till.world.advance_s(60);
        till.parking().clone().work_refunds().await.unwrap();
        assert_eq!((till.shown(&one).await.refunded_minor, till.double.refunds().len()), (150, 1));
        let too_much = till.parking().refund(&till.world.manager, one.id, Some(251)).await.unwrap_err();
        assert_eq!(too_much.code(), "too_much");
        assert_eq!(till.parking().refund(&till.driver, one.id, None).await.unwrap_err().status(), 403);
        // What was given back is not owed again.
        assert_eq!(till.shown(&one).await.due_minor(), 0);
        assert_eq!(till.parking().payable(&till.driver, one.id).await.unwrap_err().code(), "nothing_due");
        let rest = till.parking().refund(&till.world.manager, one.id, None).await.unwrap();
        assert_eq!((rest.refunded_minor, rest.due_minor()), (400, 0));
    })
    .await;
}

#[tokio::test]
async fn refund_that_comes_back_is_told() {
    each(|till| async move {
        let one = till.paid(48).await;
        till.parking().refund(&till.world.manager, one.id, None).await.unwrap();
        let refund = till.double.refunds()[0].clone();
        drop(till.double.take_events());
        till.double.settle_refund(refund["id"].as_str().unwrap(), RefundOutcome::Failed).unwrap();
        till.tell(&till.double.take_events()).await;
        let shown = till.shown(&one).await;
        assert_eq!((shown.refunded_minor, shown.payment_status, shown.due_minor()), (0, PaymentStatus::Paid, 0));
        let alarms = till.world.alarms.list(&till.world.manager, portico_alarms::AlarmQuery::default()).await.unwrap();
        assert_eq!(alarms.items[0].kind, "parking_refund_failed");
    })
    .await;
}

#[tokio::test]
async fn longer_stay_is_paid_for_and_a_shorter_one_given_back() {
    each(|till| async move {
        let one = till.paid(48).await;
        let until = |hours: i64| ReservationChange {
            end_time: Some(one.start_time.plus_secs(hours * 3_600).to_iso()),
            ..ReservationChange::default()
        };
        let longer = till.parking().change_reservation(&till.driver, one.id, &until(3)).await.unwrap();
        assert_eq!((longer.amount_minor, longer.payment_status), (600, PaymentStatus::Pending));
        let payable = till.parking().payable(&till.driver, one.id).await.unwrap();
        assert_eq!(payable.amount_minor, 200, "what is missing");
        till.double.complete(&payable.payment_intent_id).unwrap();
        till.tell(&till.double.take_events()).await;
        assert_eq!(till.shown(&one).await.payment_status, PaymentStatus::Paid);
        till.parking().change_reservation(&till.driver, one.id, &until(1)).await.unwrap();
        till.parking().clone().work_refunds().await.unwrap();
        let shorter = till.shown(&one).await;
        assert_eq!((shorter.paid_minor, shorter.refunded_minor, shorter.amount_minor), (600, 400, 200));
    })
    .await;
}

#[tokio::test]
async fn price_that_falls_is_given_back_once_and_what_the_lot_keeps_is_kept() {
    each(|till| async move {
        for (in_hours, back) in [(48, 200), (23, 100)] {
            let one = till.paid(in_hours).await;
            let moved = |from_s: i64, until_s: i64| ReservationChange {
                start_time: Some(one.start_time.plus_secs(from_s).to_iso()),
                end_time: Some(one.start_time.plus_secs(until_s).to_iso()),
                ..ReservationChange::default()
            };
            let change = async |change| till.parking().change_reservation(&till.driver, one.id, &change).await.unwrap();
            let before = till.double.refunds().len();
            change(moved(0, 3_600)).await;
            // While it is on its way, and after it.
            change(moved(60, 3_660)).await;
            till.parking().clone().work_refunds().await.unwrap();
            change(moved(120, 3_720)).await;
            change(moved(180, 3_780)).await;
            till.parking().clone().work_refunds().await.unwrap();
            let shorter = till.shown(&one).await;
            assert_eq!((shorter.refunded_minor, shorter.due_minor()), (back, 0));
            assert_eq!(till.double.refunds().len(), before + 1);
            // What was kept pays for no longer stay.
            let longer = change(moved(180, 7_380)).await;
            assert_eq!((longer.due_minor(), longer.payment_status), (200, PaymentStatus::Pending));
            change(moved(180, 3_780)).await;
            till.parking().cancel_reservation(&till.driver, one.id).await.unwrap();
            till.parking().clone().work_refunds().await.unwrap();
            assert_eq!(till.shown(&one).await.refunded_minor, 2 * back, "of the hour that was left");
            drop(till.double.take_events());
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_paid_beyond_what_is_owed_goes_back() {
    each(|till| async move {
        let one = till.reserve(48).await;
        till.double.complete(&till.intent(&one).await).unwrap();
        // Before Portico hears of it.
        let shorter = ReservationChange {
            end_time: Some(one.start_time.plus_secs(3_600).to_iso()),
            ..ReservationChange::default()
        };
        till.parking().change_reservation(&till.driver, one.id, &shorter).await.unwrap();
        till.tell(&till.double.take_events()).await;
        till.parking().clone().work_refunds().await.unwrap();
        let paid = till.shown(&one).await;
        assert_eq!((paid.state, paid.payment_status), (ReservationState::Confirmed, PaymentStatus::Refunded));
        assert_eq!((paid.paid_minor, paid.refunded_minor, paid.due_minor()), (400, 200, 0));
    })
    .await;
}

#[tokio::test]
async fn reservation_that_comes_to_cost_nothing_waits_for_no_payment() {
    each(|till| async move {
        let lots = till.parking().lots(&till.world.manager, portico_parking::LotQuery::default()).await.unwrap();
        let rules = TariffRules { free_minutes: 60, ..crate::tariffs::hourly(200) };
        let tariff = lots[0].tariff_id.unwrap();
        till.parking().update_tariff(&till.world.manager, tariff, crate::tariffs::named("Usual", rules)).await.unwrap();
        let one = till.reserve(48).await;
        assert_eq!((one.state, one.amount_minor), (ReservationState::Held, 200));
        let shorter = ReservationChange {
            end_time: Some(one.start_time.plus_secs(3_600).to_iso()),
            ..ReservationChange::default()
        };
        let free = till.parking().change_reservation(&till.driver, one.id, &shorter).await.unwrap();
        assert_eq!((free.state, free.payment_status), (ReservationState::Confirmed, PaymentStatus::Paid));
        assert_eq!(free.hold_until, None);
    })
    .await;
}

#[tokio::test]
async fn what_is_too_little_for_a_card_is_paid_at_the_place() {
    each(|till| async move {
        let lots = till.parking().lots(&till.world.manager, portico_parking::LotQuery::default()).await.unwrap();
        let tariff = lots[0].tariff_id.unwrap();
        let cheap = crate::tariffs::named("Usual", crate::tariffs::hourly(20));
        till.parking().update_tariff(&till.world.manager, tariff, cheap).await.unwrap();
        let quote = till.parking().quote(&till.driver, &till.world.wish("P1", 48, 2)).await.unwrap();
        assert!(!quote.pay_online);
        let one = till.reserve(48).await;
        assert_eq!((one.state, one.payment_status), (ReservationState::Confirmed, PaymentStatus::Pending));
        assert_eq!(till.parking().payable(&till.driver, one.id).await.unwrap_err().code(), "pay_on_site");
        assert_eq!(till.double.requests().len(), 0, "Stripe is not asked");
    })
    .await;
}

#[tokio::test]
async fn what_is_owed_for_a_stay_that_is_over_can_be_paid() {
    each(|till| async move {
        let one = till.paid(0).await;
        till.parking().check_in(&till.driver, one.id).await.unwrap();
        let longer = ReservationChange {
            end_time: Some(one.end_time.plus_secs(3_600).to_iso()),
            ..ReservationChange::default()
        };
        till.parking().change_reservation(&till.driver, one.id, &longer).await.unwrap();
        let intent = till.intent(&one).await;
        till.parking().check_out(&till.driver, one.id).await.unwrap();
        till.world.advance_s(300);
        till.parking().clone().ask_about_payments().await.unwrap();
        assert_eq!(till.intent(&one).await, intent, "nobody has called it off");
        till.double.complete(&intent).unwrap();
        till.tell(&till.double.take_events()).await;
        till.parking().clone().work_refunds().await.unwrap();
        let over = till.shown(&one).await;
        assert_eq!((over.state, over.payment_status), (ReservationState::Completed, PaymentStatus::Paid));
        assert_eq!((over.paid_minor, over.refunded_minor), (600, 0));
    })
    .await;
}

#[tokio::test]
async fn whose_account_is_deleted_gets_back_what_the_lot_allows() {
    each(|till| async move {
        let one = till.paid(48).await;
        let system = Actor::system(till.world.test.organization);
        till.world.identity.register_dependents(std::sync::Arc::new(till.parking().clone()));
        till.world.identity.delete_user(&system, till.driver.user_id().unwrap()).await.unwrap();
        till.parking().clone().work_refunds().await.unwrap();
        let cancelled = till.shown(&one).await;
        assert_eq!((cancelled.state, cancelled.refunded_minor), (ReservationState::Cancelled, 400));
    })
    .await;
}

#[tokio::test]
async fn nobody_pays_for_others_and_secrets_stay_out_of_the_audit_trail() {
    each(|till| async move {
        let one = till.reserve(24).await;
        let emil = till.world.user("emil", Role::User).await;
        assert_eq!(till.parking().payable(&emil, one.id).await.unwrap_err().status(), 404);
        let secret = till.parking().payable(&till.driver, one.id).await.unwrap().client_secret.unwrap();
        let secret = secrecy::ExposeSecret::expose_secret(&secret).to_owned();
        let mut tx = till.world.platform.db.read().await.unwrap();
        let details: Vec<String> = on_db!(&mut tx, conn => sqlx::query_scalar("select details from audit")
            .fetch_all(conn).await)
        .unwrap();
        assert!(!details.is_empty() && details.iter().all(|text| !text.contains(&secret)));
        let problems: Vec<String> = on_db!(&mut tx, conn => sqlx::query_scalar("select problem from parking_payment")
            .fetch_all(conn).await)
        .unwrap();
        assert_eq!(problems, [String::new()]);
    })
    .await;
}

#[tokio::test]
async fn delivery_over_http_is_answered_at_once_and_worked_off_after_it() {
    each(|till| async move {
        let one = till.reserve(24).await;
        till.double.complete(&till.intent(&one).await).unwrap();
        let router = portico_parking::rest::router(till.parking().clone()).split_for_parts().0;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/webhooks/stripe", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let now_s = till.world.platform.clock.now().millis() / 1_000;
        let delivery = Delivery::new(url, SECRET).twice().reversed().signed_at(now_s);
        let delivered = till.double.deliver(&delivery, &till.double.events()).await;
        assert!(delivered.iter().all(|one| one.status == Some(204)), "{delivered:?}");
        assert_eq!(till.shown(&one).await.state, ReservationState::Held, "only kept");
        till.parking().clone().work_events().await.unwrap();
        assert_eq!(till.shown(&one).await.paid_minor, 400);
        serving.abort();
    })
    .await;
}
