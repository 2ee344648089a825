use portico_parking::stripe::{
    AllowRedirects, CancellationReason, Client, ClientConfig, Confirmation, Error, NewPaymentIntent, NewRefund,
    PaymentIntentStatus, RefundReason, RefundStatus,
};
use portico_stripe_double::RefundOutcome;
use secrecy::ExposeSecret;

use super::{client, config, event_types, key, new_payment, start, with};

#[tokio::test]
async fn a_payment_is_made_and_given_back_in_two_parts() {
    let double = start().await;
    let client = client(&double);
    let intent = client.create_payment_intent(&key("create"), &new_payment(1_250)).await.unwrap();
    assert_eq!((intent.amount_minor, intent.currency.as_str()), (1_250, "eur"));
    assert_eq!(intent.status, PaymentIntentStatus::RequiresPaymentMethod);
    assert_eq!(intent.metadata["session"], "0198f3");
    assert!(intent.client_secret.unwrap().expose_secret().starts_with(intent.id.as_str()));

    let paid = client.confirm_payment_intent(&key("confirm"), &intent.id, &with("pm_card_visa")).await.unwrap();
    assert_eq!((paid.status, paid.amount_received_minor), (PaymentIntentStatus::Succeeded, 1_250));
    assert!(paid.latest_charge.is_some() && paid.last_payment_error.is_none() && !paid.livemode);
    let seen = client.retrieve_payment_intent(&intent.id).await.unwrap();
    assert_eq!((seen.status, seen.latest_charge), (PaymentIntentStatus::Succeeded, paid.latest_charge));

    let mut part = NewRefund::new(intent.id.clone());
    part.amount_minor = Some(250);
    part.reason = Some(RefundReason::RequestedByCustomer);
    let refund = client.create_refund(&key("refund-1"), &part).await.unwrap();
    assert_eq!((refund.amount_minor, refund.status), (250, RefundStatus::Succeeded));
    assert_eq!(refund.payment_intent.as_ref(), Some(&intent.id));
    let rest = client.create_refund(&key("refund-2"), &NewRefund::new(intent.id.clone())).await.unwrap();
    assert_eq!(rest.amount_minor, 1_000);
    let seen = client.retrieve_refund(&rest.id).await.unwrap();
    assert_eq!((seen.amount_minor, seen.status), (1_000, RefundStatus::Succeeded));

    let refunded = ["refund.created", "charge.refunded", "refund.updated"];
    let mut expected = vec!["payment_intent.created", "payment_intent.succeeded"];
    expected.extend(refunded.iter().chain(&refunded));
    assert_eq!(event_types(&double), expected);
}

#[tokio::test]
async fn requests_are_what_stripe_expects() {
    let double = start().await;
    let config = ClientConfig { api_version: "2025-09-30.clover".to_owned(), ..config(&double) };
    let client = Client::new(&config).unwrap();
    let mut new = new_payment(500);
    new.receipt_email = Some("driver@example.org".to_owned());
    let intent = client.create_payment_intent(&key("k-1"), &new).await.unwrap();
    client.retrieve_payment_intent(&intent.id).await.unwrap();
    let requests = double.requests();
    let [created, retrieved] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((created.method.as_str(), created.path.as_str()), ("POST", "/v1/payment_intents"));
    assert!(created.authorized);
    assert_eq!(created.idempotency_key.as_deref(), Some("k-1"));
    assert_eq!(created.stripe_version.as_deref(), Some("2025-09-30.clover"));
    for (name, value) in [
        ("amount", "500"),
        ("currency", "eur"),
        ("automatic_payment_methods[enabled]", "true"),
        ("metadata[session]", "0198f3"),
        ("description", "Parking"),
        ("receipt_email", "driver@example.org"),
    ] {
        assert_eq!(created.value(name), Some(value), "{name}");
    }
    assert_eq!((retrieved.method.as_str(), retrieved.idempotency_key.as_ref()), ("GET", None));
}

#[tokio::test]
async fn a_declined_card_is_an_error_and_the_payment_can_be_tried_again() {
    let double = start().await;
    let client = client(&double);
    let intent = client.create_payment_intent(&key("create"), &new_payment(1_000)).await.unwrap();
    let error =
        client.confirm_payment_intent(&key("try-1"), &intent.id, &with("pm_card_chargeDeclined")).await.unwrap_err();
    assert_eq!(
        error,
        Error::Declined {
            code: "card_declined".into(),
            decline_code: Some("generic_decline".into()),
            message: "Your card was declined.".into()
        }
    );
    let seen = client.retrieve_payment_intent(&intent.id).await.unwrap();
    assert_eq!(seen.status, PaymentIntentStatus::RequiresPaymentMethod);
    assert_eq!(seen.last_payment_error.unwrap().code.as_deref(), Some("card_declined"));
    // The same key gets the same answer, another one another attempt.
    let again = client.confirm_payment_intent(&key("try-1"), &intent.id, &with("pm_card_chargeDeclined")).await;
    assert_eq!(again.unwrap_err(), error);
    let paid = client.confirm_payment_intent(&key("try-2"), &intent.id, &with("pm_card_visa")).await.unwrap();
    assert_eq!(paid.status, PaymentIntentStatus::Succeeded);
    assert_eq!(paid.last_payment_error, None);
    assert_eq!(
        event_types(&double),
        ["payment_intent.created", "payment_intent.payment_failed", "payment_intent.succeeded"]
    );
}

#[tokio::test]
async fn payments_that_take_their_time_end_well_or_badly() {
    let double = start().await;
    let client = client(&double);
    for (method, status, ends_well) in [
        ("pm_processing", PaymentIntentStatus::Processing, true),
        ("pm_processing", PaymentIntentStatus::Processing, false),
        ("pm_card_authenticationRequired", PaymentIntentStatus::RequiresAction, true),
        ("pm_card_authenticationRequired", PaymentIntentStatus::RequiresAction, false),
    ] {
        let name = format!("{method}-{ends_well}");
        let intent = client.create_payment_intent(&key(&name), &new_payment(1_000)).await.unwrap();
        let confirm = key(&format!("{name}-confirm"));
        let waiting = client.confirm_payment_intent(&confirm, &intent.id, &with(method)).await.unwrap();
        assert_eq!((waiting.status, waiting.amount_received_minor), (status, 0));
        let refund = NewRefund::new(intent.id.clone());
        assert!(client.create_refund(&key(&format!("{name}-refund")), &refund).await.is_err());
        if ends_well {
            double.complete(intent.id.as_str()).unwrap();
        } else {
            double.fail(intent.id.as_str()).unwrap();
        }
        let seen = client.retrieve_payment_intent(&intent.id).await.unwrap();
        if ends_well {
            assert_eq!((seen.status, seen.amount_received_minor), (PaymentIntentStatus::Succeeded, 1_000));
            assert!(double.fail(intent.id.as_str()).is_err());
        } else {
            assert_eq!(seen.status, PaymentIntentStatus::RequiresPaymentMethod);
            assert!(seen.last_payment_error.is_some());
        }
    }
}

#[tokio::test]
async fn a_payment_is_called_off_once_and_never_after_it_succeeded() {
    let double = start().await;
    let client = client(&double);
    let intent = client.create_payment_intent(&key("a"), &new_payment(1_000)).await.unwrap();
    let reason = Some(CancellationReason::Abandoned);
    let canceled = client.cancel_payment_intent(&key("b"), &intent.id, reason).await.unwrap();
    assert_eq!(canceled.status, PaymentIntentStatus::Canceled);
    let paid = client.create_payment_intent(&key("c"), &new_payment(1_000)).await.unwrap();
    double.complete(paid.id.as_str()).unwrap();
    for (name, id) in [("d", &intent.id), ("e", &paid.id)] {
        let error = client.cancel_payment_intent(&key(name), id, None).await.unwrap_err();
        let Error::InvalidRequest { status: 400, code, .. } = error else { panic!("{error:?}") };
        assert_eq!(code.as_deref(), Some("payment_intent_unexpected_state"));
    }
    let error = client.confirm_payment_intent(&key("f"), &intent.id, &with("pm_card_visa")).await.unwrap_err();
    assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
}

#[tokio::test]
async fn no_more_is_given_back_than_was_paid() {
    let double = start().await;
    let client = client(&double);
    let intent = client.create_payment_intent(&key("create"), &new_payment(1_000)).await.unwrap();
    let mut refund = NewRefund::new(intent.id.clone());
    let error = client.create_refund(&key("unpaid"), &refund).await.unwrap_err();
    let Error::InvalidRequest { status: 400, message, .. } = error else { panic!("{error:?}") };
    assert!(message.contains("does not have a successful charge"), "{message}");

    double.complete(intent.id.as_str()).unwrap();
    refund.amount_minor = Some(600);
    client.create_refund(&key("part"), &refund).await.unwrap();
    let error = client.create_refund(&key("over"), &refund).await.unwrap_err();
    let Error::InvalidRequest { status: 400, code: None, param, message, request_id } = error else {
        panic!("{error:?}")
    };
    assert_eq!(param.as_deref(), Some("amount"));
    assert!(message.contains("€6.00") && message.contains("€4.00"), "{message}");
    assert!(request_id.unwrap().starts_with("req_"));

    refund.amount_minor = None;
    client.create_refund(&key("rest"), &refund).await.unwrap();
    let error = client.create_refund(&key("more"), &refund).await.unwrap_err();
    let Error::InvalidRequest { code: Some(code), .. } = error else { panic!("{error:?}") };
    assert_eq!(code, "charge_already_refunded");
    assert_eq!(double.refunds().len(), 2);
}

#[tokio::test]
async fn a_refund_can_take_its_time_and_come_back() {
    let double = start().await;
    let client = client(&double);
    let intent = client.create_payment_intent(&key("create"), &new_payment(1_000)).await.unwrap();
    client.confirm_payment_intent(&key("confirm"), &intent.id, &with("pm_card_pendingRefund")).await.unwrap();
    let new = NewRefund::new(intent.id.clone());
    let refund = client.create_refund(&key("refund"), &new).await.unwrap();
    assert_eq!(refund.status, RefundStatus::Pending);
    double.settle_refund(refund.id.as_str(), RefundOutcome::Succeeded).unwrap();
    assert_eq!(client.retrieve_refund(&refund.id).await.unwrap().status, RefundStatus::Succeeded);
    double.settle_refund(refund.id.as_str(), RefundOutcome::Failed).unwrap();
    let failed = client.retrieve_refund(&refund.id).await.unwrap();
    assert_eq!(failed.status, RefundStatus::Failed);
    assert!(failed.failure_reason.is_some());
    assert!(double.settle_refund(refund.id.as_str(), RefundOutcome::Succeeded).is_err());
    // What came back can be sent again.
    assert_eq!(client.create_refund(&key("again"), &new).await.unwrap().amount_minor, 1_000);
}

#[tokio::test]
async fn wrong_requests_are_told_apart() {
    let double = start().await;
    let client = client(&double);
    let invalid = async |name: &str, new: &NewPaymentIntent| {
        let error = client.create_payment_intent(&key(name), new).await.unwrap_err();
        let Error::InvalidRequest { status, code, param, .. } = error else { panic!("{error:?}") };
        (status, code.unwrap_or_default(), param.unwrap_or_default())
    };
    let small = invalid("small", &new_payment(49)).await;
    assert_eq!(small, (400, "amount_too_small".to_owned(), "amount".to_owned()));
    let large = invalid("large", &new_payment(100_000_000)).await;
    assert_eq!(large, (400, "amount_too_large".to_owned(), "amount".to_owned()));
    let negative = invalid("negative", &new_payment(-1)).await;
    assert_eq!(negative, (400, "parameter_invalid_integer".to_owned(), "amount".to_owned()));
    let currency = NewPaymentIntent::new(1_000, "xxx".parse().unwrap());
    assert_eq!(invalid("currency", &currency).await, (400, String::new(), "currency".to_owned()));

    let missing = client.retrieve_payment_intent(&"pi_none".parse().unwrap()).await.unwrap_err();
    assert!(missing.is_missing(), "{missing:?}");
    let missing = client.retrieve_refund(&"re_none".parse().unwrap()).await.unwrap_err();
    assert!(missing.is_missing(), "{missing:?}");
    assert!(double.intents().is_empty());
}

#[tokio::test]
async fn a_confirmation_says_where_to_come_back_to_unless_nobody_is_led_away() {
    let double = start().await;
    let client = client(&double);
    let mut new = new_payment(1_000);
    new.allow_redirects = AllowRedirects::Always;
    let intent = client.create_payment_intent(&key("create"), &new).await.unwrap();
    let error = client.confirm_payment_intent(&key("a"), &intent.id, &with("pm_card_visa")).await.unwrap_err();
    let Error::InvalidRequest { message, .. } = error else { panic!("{error:?}") };
    assert!(message.contains("return_url"), "{message}");
    let confirmation = Confirmation { return_url: Some("https://a.example/back".into()), ..with("pm_card_visa") };
    let paid = client.confirm_payment_intent(&key("b"), &intent.id, &confirmation).await.unwrap();
    assert_eq!(paid.status, PaymentIntentStatus::Succeeded);
}

#[tokio::test]
async fn a_wrong_key_is_refused_at_once() {
    let double = start().await;
    let config = ClientConfig { secret_key: "sk_test_wrong".into(), ..config(&double) };
    let client = Client::new(&config).unwrap();
    let error = client.create_payment_intent(&key("a"), &new_payment(1_000)).await.unwrap_err();
    assert_eq!(error, Error::Authentication { status: 401 });
    let requests = double.requests();
    assert_eq!(requests.len(), 1);
    assert!(!requests[0].authorized);
    assert!(double.intents().is_empty());
}
