//! REST of parking without an account. No route says who parks anywhere; all are limited by address.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::RequestContext;
use portico_model::parking::reservation::Quote;
use portico_model::parking::walk_up::{GuestStay, MoreTime, NewStay, StayLength, WalkUpSpot};
use portico_model::{Problem, SpotId};
use portico_platform::Result;
use portico_platform::http::{Json, Path};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(spot))
        .routes(routes!(quote))
        .routes(routes!(begin))
        .routes(routes!(stay))
        .routes(routes!(extend))
        .routes(routes!(end))
        .routes(routes!(pay))
}

/// A stay that has begun.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BegunStayBody {
    /// Whoever has it holds the stay. Shown this once.
    #[schema(example = "5f2b8c0d9e7a41633c1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7")]
    token: String,
    stay: GuestStay,
    /// For the payment in the page; `null`: it is paid for at the place, costs nothing, or Stripe cannot be reached now (then
    /// `POST /api/v1/public/stays/{token}/payment` asks again).
    #[schema(example = json!(null))]
    client_secret: Option<String>,
}

/// A stay.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StayBody {
    stay: GuestStay,
}

/// What a browser needs to pay a stay.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StayPayment {
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
}

/// A spot, for who stands at it
///
/// Where the lot allows parking without an account.
#[utoipa::path(get, path = "/api/v1/public/spots/{key}", tag = "parking", security(()), params(("key" = SpotId, Path)),
    responses(
    (status = 200, body = WalkUpSpot),
    (status = 404, body = Problem, description = "No such spot, or its lot does not allow it"),
))]
pub async fn spot(State(parking): State<Parking>, Path(key): Path<SpotId>) -> Result<Json<WalkUpSpot>> {
    Ok(Json(parking.walk_up_spot(key).await?))
}

/// What a stay that begins now would cost, and whether it can be had
#[utoipa::path(post, path = "/api/v1/public/spots/{key}/quote", tag = "parking", security(()),
    request_body = StayLength, params(("key" = SpotId, Path)), responses(
    (status = 200, body = Quote),
    (status = 400, body = Problem, description = "`duration_minutes` is too short or too long"),
    (status = 404, body = Problem, description = "No such spot, or its lot does not allow it"),
))]
pub async fn quote(
    State(parking): State<Parking>,
    Path(key): Path<SpotId>,
    Json(length): Json<StayLength>,
) -> Result<Json<Quote>> {
    Ok(Json(parking.walk_up_quote(key, length.duration_minutes).await?))
}

/// Begin a stay
///
/// From now on. Paid for at the place or free of charge, it is checked in at once; else it waits for the payment.
#[utoipa::path(post, path = "/api/v1/public/spots/{key}/stays", tag = "parking", security(()), request_body = NewStay,
    params(("key" = SpotId, Path)), responses(
    (status = 201, body = BegunStayBody),
    (status = 400, body = Problem, description = "`duration_minutes` is too short or too long; no e-mail address"),
    (status = 404, body = Problem, description = "No such spot, or its lot does not allow it"),
    (status = 409, body = Problem, description = "`spot_not_available`: somebody else has it"),
))]
pub async fn begin(
    State(parking): State<Parking>,
    Path(key): Path<SpotId>,
    ctx: RequestContext,
    Json(new): Json<NewStay>,
) -> Result<(StatusCode, Json<BegunStayBody>)> {
    let begun = parking.begin_stay(key, &new, &ctx).await?;
    let body = BegunStayBody {
        token: begun.token.expose_secret().to_owned(),
        stay: begun.stay,
        client_secret: begun.payable.and_then(|payable| payable.told_secret()),
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// A stay, for who holds its secret
#[utoipa::path(get, path = "/api/v1/public/stays/{token}", tag = "parking", security(()),
    params(("token" = String, Path)), responses(
    (status = 200, body = StayBody),
    (status = 404, body = Problem),
))]
pub async fn stay(State(parking): State<Parking>, Path(token): Path<String>) -> Result<Json<StayBody>> {
    Ok(Json(StayBody { stay: parking.stay(&token).await? }))
}

/// Make a stay longer
///
/// What it costs follows the tariff it was begun with.
#[utoipa::path(post, path = "/api/v1/public/stays/{token}/extend", tag = "parking", security(()),
    request_body = MoreTime, params(("token" = String, Path)), responses(
    (status = 200, body = StayBody),
    (status = 400, body = Problem, description = "Longer than the lot allows"),
    (status = 404, body = Problem),
    (status = 409, body = Problem,
        description = "`spot_not_available`, `reservation_over`, `not_paid`, `walk_up_closed`"),
))]
pub async fn extend(
    State(parking): State<Parking>,
    Path(token): Path<String>,
    ctx: RequestContext,
    Json(more): Json<MoreTime>,
) -> Result<Json<StayBody>> {
    Ok(Json(StayBody { stay: parking.extend_stay(&token, more.duration_minutes, &ctx).await? }))
}

/// End a stay now
///
/// Nothing is given back; one that waits for its payment is cancelled.
#[utoipa::path(post, path = "/api/v1/public/stays/{token}/end", tag = "parking", security(()),
    params(("token" = String, Path)), responses(
    (status = 200, body = StayBody),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`reservation_over`"),
))]
pub async fn end(
    State(parking): State<Parking>,
    Path(token): Path<String>,
    ctx: RequestContext,
) -> Result<Json<StayBody>> {
    Ok(Json(StayBody { stay: parking.end_stay(&token, &ctx).await? }))
}

/// Begin to pay for a stay
///
/// The same payment however often it is asked for.
#[utoipa::path(post, path = "/api/v1/public/stays/{token}/payment", tag = "parking", security(()),
    params(("token" = String, Path)), responses(
    (status = 200, body = StayPayment),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`pay_on_site`: at the place; `nothing_due`"),
))]
pub async fn pay(State(parking): State<Parking>, Path(token): Path<String>) -> Result<Json<StayPayment>> {
    let payable = parking.pay_stay(&token).await?;
    Ok(Json(StayPayment {
        client_secret: payable.told_secret(),
        payment_intent_id: payable.payment_intent_id,
        publishable_key: payable.publishable_key,
        status: payable.status,
        amount_minor: payable.amount_minor,
        currency: payable.currency,
    }))
}
