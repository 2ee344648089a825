//! REST of payments.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use portico_identity::Auth;
use portico_model::parking::reservation::Reservation;
use portico_model::{Problem, ReservationId};
use portico_platform::Result;
use portico_platform::http::{Json, Raw};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Payable;
use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(create_intent))
        .routes(routes!(confirm))
        .routes(routes!(refund))
        .routes(routes!(webhook))
}

/// Which reservation is to be paid.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct PaymentOrder {
    reservation_id: ReservationId,
}

/// Which reservation is to be paid, or looked after.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"reservation_id": "0199a0000000700080000000000000a6", "payment_method": null}))]
pub struct PaymentConfirmation {
    reservation_id: ReservationId,
    /// A means of payment that Stripe knows (`pm_…`); absent: the browser has paid, and it is looked how it stands.
    #[serde(default)]
    payment_method: Option<String>,
}

/// What is to be given back.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"reservation_id": "0199a0000000700080000000000000a6", "amount_minor": 150}))]
pub struct RefundOrder {
    reservation_id: ReservationId,
    /// In minor units of the currency; absent: all that is left.
    #[serde(default)]
    amount_minor: Option<i64>,
}

/// What a browser needs to pay.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PaymentAnswer {
    #[schema(example = "pi_3Abc")]
    payment_intent_id: String,
    /// `null`: it is paid.
    #[schema(example = "pi_3Abc_secret_xyz")]
    client_secret: Option<String>,
    #[schema(example = "pk_test_123")]
    publishable_key: String,
    /// Stripe's word for how it stands.
    #[schema(example = "requires_payment_method")]
    status: String,
    #[schema(example = 600)]
    amount_minor: i64,
    #[schema(example = "EUR")]
    currency: String,
    reservation: Reservation,
}

impl From<Payable> for PaymentAnswer {
    fn from(payable: Payable) -> Self {
        Self {
            client_secret: payable.told_secret(),
            payment_intent_id: payable.payment_intent_id,
            publishable_key: payable.publishable_key,
            status: payable.status,
            amount_minor: payable.amount_minor,
            currency: payable.currency,
            reservation: payable.reservation,
        }
    }
}

/// Begin to pay for a reservation
///
/// The same payment however often it is asked for.
#[utoipa::path(post, path = "/api/v1/payments/create-intent", tag = "parking", request_body = PaymentOrder, responses(
    (status = 200, body = PaymentAnswer),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`pay_on_site`: at the place; `nothing_due`"),
))]
pub async fn create_intent(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Json(order): Json<PaymentOrder>,
) -> Result<Json<PaymentAnswer>> {
    Ok(Json(parking.payable(&actor, order.reservation_id).await?.into()))
}

/// Pay for a reservation, or look how its payment stands
#[utoipa::path(post, path = "/api/v1/payments/confirm", tag = "parking", request_body = PaymentConfirmation, responses(
    (status = 200, body = PaymentAnswer),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`payment_declined`, `pay_on_site`, `nothing_due`"),
))]
pub async fn confirm(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Json(order): Json<PaymentConfirmation>,
) -> Result<Json<PaymentAnswer>> {
    let method = order.payment_method.as_deref();
    Ok(Json(parking.confirm_payment(&actor, order.reservation_id, method).await?.into()))
}

/// A reservation whose money goes back.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RefundAnswer {
    reservation: Reservation,
}

/// Give back what was paid online
#[utoipa::path(post, path = "/api/v1/payments/refund", tag = "parking", request_body = RefundOrder, responses(
    (status = 200, body = RefundAnswer),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`too_much`: so much is not left"),
))]
pub async fn refund(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Json(order): Json<RefundOrder>,
) -> Result<Json<RefundAnswer>> {
    let reservation = parking.refund(&actor, order.reservation_id, order.amount_minor).await?;
    Ok(Json(RefundAnswer { reservation }))
}

/// Webhook of Stripe
///
/// An event with its `Stripe-Signature`; kept at once, worked off later, once.
#[utoipa::path(post, path = "/api/v1/webhooks/stripe", tag = "parking", security(()),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The event as Stripe signed it"),
    responses(
    (status = 204),
    (status = 400, body = Problem, description = "`invalid_webhook`: not proven to be from Stripe"),
    (status = 404, body = Problem, description = "No account is configured"),
))]
pub async fn webhook(State(parking): State<Parking>, headers: HeaderMap, Raw(body): Raw) -> Result<StatusCode> {
    let signature = headers.get("stripe-signature").map(axum::http::HeaderValue::as_bytes).unwrap_or_default();
    parking.take_webhook(signature, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}
