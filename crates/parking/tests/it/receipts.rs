//! Receipts as PDF: who gets one, and what it says.

use axum::body::Body;
use axum::http::{HeaderName, Request, StatusCode, header};
use portico_identity::{NewUser, RequestContext, SessionKind, browser};
use portico_model::identity::Role;
use portico_model::parking::lot::LotSettings;
use portico_model::parking::reservation::Wish;
use portico_model::{ReservationId, Timestamp};
use portico_parking::ReservationChange;
use portico_platform::Actor;
use portico_platform::http::ClientAddress;
use portico_platform::testing::pdf_pages;
use tower::ServiceExt as _;

use crate::{World, each, payments};

const PASSWORD: &str = "copper lantern under fjord";

impl World {
    /// The words of a receipt, without spaces.
    async fn receipt(&self, actor: &Actor, id: ReservationId) -> Result<String, String> {
        let made = self.parking.receipt_file(actor, id).await;
        let file = made.map_err(|error| format!("{} {}", error.status().as_u16(), error.code()))?;
        assert!(file.pdf.starts_with(b"%PDF-"));
        Ok(pdf_pages(&file.pdf).concat())
    }

    /// A spot at 2.00 EUR an hour, in a place whose name is not written in Latin letters alone.
    async fn foreign_spot(&self) {
        let (lot, ..) = self.one_spot().await;
        let tariff = self.tariff(&lot, 200).await;
        let settings = LotSettings {
            name: "Łódź Στοά".into(),
            address: "ul. Piotrkowska 1".into(),
            time_zone: Some("Europe/Warsaw".into()),
            tariff_id: Some(tariff.id),
            ..LotSettings::default()
        };
        self.parking.update_lot(&self.manager, lot.id, settings).await.unwrap();
    }
}

#[track_caller]
fn has(receipt: &str, all: &[&str]) {
    for words in all {
        let words: String = words.chars().filter(|letter| !letter.is_whitespace()).collect();
        assert!(receipt.contains(&words), "{words} is not in: {receipt}");
    }
}

#[tokio::test]
async fn receipt_says_who_parks_where_when_and_for_how_much() {
    each(|world| async move {
        world.foreign_spot().await;
        let desk = world.user("rita", Role::Reception).await;
        let wish = Wish {
            user_name: Some("Łukasz Đorđević".into()),
            user_email: Some("lukasz@example.org".into()),
            plate: Some("EL 12345".into()),
            start_time: "2026-11-23T08:30".into(),
            ..world.wish("P1", 0, 2)
        };
        let made = world.parking.reserve(&desk, &wish).await.unwrap();
        assert_eq!(world.receipt(&desk, made.id).await, Err("409 not_paid".into()));
        world.advance_s(3_600);
        world.parking.note_paid(&desk, made.id).await.unwrap();
        let receipt = world.receipt(&desk, made.id).await.unwrap();
        let digits = made.id.to_string().to_uppercase();
        let number = format!("P-{}-{}", &digits[20..26], &digits[26..]);
        has(
            &receipt,
            &[
                "Test",
                "Parking receipt",
                &number,
                "Łukasz Đorđević",
                "EL 12345",
                "Łódź Στοά, ul. Piotrkowska 1",
                "P1, L1",
                "Mon 23 Nov 2026, 08:30 – 10:30",
                "Europe/Warsaw",
                "Parking: 2 × 2.00 EUR",
                "Total 4.00 EUR",
                // Noted at 03:00 UTC.
                "Paid at the place Sat 21 Nov 2026, 04:00 4.00 EUR",
                "Paid 4.00 EUR",
                &format!("/reservations/{}", made.id),
                "Page 1 of 1",
            ],
        );
        assert!(!receipt.contains("Givenback") && !receipt.contains("Tobepaidyet"), "{receipt}");

        // Twice the same; later it is the same receipt, issued later.
        let [first, second] = [
            world.parking.receipt_file(&desk, made.id).await.unwrap(),
            world.parking.receipt_file(&desk, made.id).await.unwrap(),
        ];
        assert!(first.pdf == second.pdf);
        assert_eq!(first.name, format!("parking-receipt-2026-11-23-{number}.pdf"));
        world.advance_s(86_400);
        has(&world.receipt(&desk, made.id).await.unwrap(), &[&number, "Issued Sun 22 Nov 2026, 04:00"]);
    })
    .await;
}

#[tokio::test]
async fn holder_and_the_desk_get_a_receipt_and_nobody_else() {
    each(|world| async move {
        world.foreign_spot().await;
        let (dora, emil) = (world.user("dora", Role::User).await, world.user("emil", Role::User).await);
        let mine = world.parking.reserve(&dora, &world.wish("P1", 24, 2)).await.unwrap();
        for actor in [&emil, &world.stranger().await] {
            assert_eq!(world.receipt(actor, mine.id).await, Err("404 reservation_not_found".into()), "unpaid as well");
        }
        world.parking.note_paid(&world.manager, mine.id).await.unwrap();
        has(&world.receipt(&dora, mine.id).await.unwrap(), &["dora", "4.00 EUR"]);
        assert!(world.receipt(&world.manager, mine.id).await.is_ok());
        for actor in [&emil, &world.stranger().await] {
            assert_eq!(world.receipt(actor, mine.id).await, Err("404 reservation_not_found".into()));
        }
        let safety = world.user("sam", Role::Safety).await;
        let refused = world.receipt(&safety, mine.id).await.unwrap_err();
        assert!(refused.starts_with("403"), "may see it, not print it: {refused}");

        // Longer: what was paid stays, the rest is to be paid.
        let longer = ReservationChange {
            end_time: Some(mine.end_time.plus_secs(3_600).to_iso()),
            ..ReservationChange::default()
        };
        world.parking.change_reservation(&dora, mine.id, &longer).await.unwrap();
        has(&world.receipt(&dora, mine.id).await.unwrap(), &["Paid 4.00 EUR", "To be paid yet 2.00 EUR"]);
    })
    .await;
}

#[tokio::test]
async fn what_costs_nothing_has_a_receipt_too() {
    each(|world| async move {
        world.one_spot().await;
        let dora = world.user("dora", Role::User).await;
        let free = world.parking.reserve(&dora, &world.wish("P1", 24, 2)).await.unwrap();
        has(&world.receipt(&dora, free.id).await.unwrap(), &["Total Free", "Nothing is to be paid."]);
        world.parking.cancel_reservation(&dora, free.id).await.unwrap();
        has(&world.receipt(&dora, free.id).await.unwrap(), &["Reservation Cancelled"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_paid_online_and_given_back_is_told_with_its_time() {
    payments::each(|till| async move {
        let (world, parking) = (&till.world, till.parking());
        let held = till.reserve(24).await;
        assert_eq!(world.receipt(&till.driver, held.id).await, Err("409 not_paid".into()));
        parking.cancel_reservation(&till.driver, held.id).await.unwrap();

        let one = till.paid(48).await;
        let wall = |at: Timestamp| portico_parking::Wall::of("UTC").text(at);
        let paid_at = wall(world.platform.clock.now());
        let online = format!("Paid online with Stripe {paid_at} 4.00 EUR");
        has(&world.receipt(&till.driver, one.id).await.unwrap(), &[&online, "Paid 4.00 EUR"]);

        world.advance_s(3_600);
        parking.refund(&world.manager, one.id, Some(150)).await.unwrap();
        let back = format!("Given back {} −1.50 EUR", wall(world.platform.clock.now()));
        // When it was paid is still known.
        has(&world.receipt(&till.driver, one.id).await.unwrap(), &[&online, &back, "Paid 2.50 EUR"]);

        parking.cancel_reservation(&till.driver, one.id).await.unwrap();
        parking.clone().work_refunds().await.unwrap();
        let over = world.receipt(&till.driver, one.id).await.unwrap();
        has(&over, &[&online, &back, "−2.50 EUR", "Paid 0.00 EUR", "Reservation Cancelled"]);
        assert!(!over.contains("Tobepaidyet"), "{over}");
    })
    .await;
}

#[tokio::test]
async fn file_is_named_and_kept_by_nobody_on_the_way() {
    each(|world| async move {
        world.one_spot().await;
        let free = world.parking.reserve(&world.manager, &world.wish("P1", 24, 2)).await.unwrap();
        let user = NewUser {
            username: "rita".into(),
            email: "rita@example.org".into(),
            password: PASSWORD.into(),
            role: Role::Reception,
        };
        world.identity.create_user(&Actor::system(world.manager.organization), user).await.unwrap();
        let context = RequestContext {
            address: "192.0.2.1".into(),
            user_agent: "test".into(),
            request_id: "request-1".into(),
            device_token: None,
        };
        let signed_in = world.identity.sign_in("rita", PASSWORD, SessionKind::Api, &context).await.unwrap();
        let (router, _) = portico_parking::rest::router(world.parking.clone()).split_for_parts();
        let app = browser::session_layer(router, world.identity.clone());
        let get = async |authorization: String| {
            let request = Request::get(format!("/api/v1/reservations/{}/receipt.pdf", free.id))
                .header(header::AUTHORIZATION, authorization)
                .extension(ClientAddress("192.0.2.1".parse().unwrap()))
                .body(Body::empty());
            app.clone().oneshot(request.unwrap()).await.unwrap()
        };
        let answer = get(format!("Bearer {}", signed_in.access_token)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let said = |name: HeaderName| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(said(header::CONTENT_TYPE), "application/pdf");
        assert_eq!(said(header::CACHE_CONTROL), "private, no-store");
        let name = said(header::CONTENT_DISPOSITION);
        let name = name.strip_prefix("attachment; filename=\"parking-receipt-2026-11-22-P-").unwrap();
        assert!(name.ends_with(".pdf\""), "{name}");
        assert_eq!(get("Bearer forged".to_owned()).await.status(), StatusCode::UNAUTHORIZED);
    })
    .await;
}
