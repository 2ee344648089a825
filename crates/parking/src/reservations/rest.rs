//! REST of reservations, with the fields of the former system.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::parking::reservation::{Quote, Reservation, ReservationState, Wish};
use portico_model::{LotId, Page, Problem, ReservationId, Timestamp};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Change, ReservationQuery};
use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(quote))
        .routes(routes!(get, change, cancel))
        .routes(routes!(check_in))
        .routes(routes!(check_out))
        .routes(routes!(open))
        .routes(routes!(paid))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only one's own. Who may not see others' gets his own in any case.
    mine: bool,
    /// Only those of this lot.
    lot_id: Option<LotId>,
    /// Only those of this spot.
    #[param(example = "PARK_001")]
    spot_id: Option<String>,
    #[param(inline)]
    state: Option<ReservationState>,
    /// `true`: those that still have their spot, the next first; `false`: those that no longer do, the latest first.
    has_spot: Option<bool>,
    /// Those that end after this.
    from: Option<Timestamp>,
    /// Those that begin before this.
    until: Option<Timestamp>,
    /// Part of the name, the e-mail address, the plate or the spot.
    search: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 500; absent: 100.
    limit: Option<i64>,
}

impl ListQuery {
    pub(crate) fn read(self) -> ReservationQuery {
        ReservationQuery {
            mine: self.mine,
            lot: self.lot_id,
            spot: self.spot_id,
            state: self.state,
            has_spot: self.has_spot,
            from: self.from,
            until: self.until,
            search: self.search,
            cursor: self.cursor,
            limit: self.limit,
        }
    }
}

/// A reservation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReservationBody {
    reservation: Reservation,
}

/// A reservation that was just made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NewReservationBody {
    reservation: Reservation,
    /// For the payment in the page; `null`: it is paid for at the place, costs nothing, or Stripe cannot be reached now (then
    /// `POST /api/v1/payments/create-intent` asks again).
    #[schema(example = json!(null))]
    client_secret: Option<String>,
}

fn body(reservation: Reservation) -> Json<ReservationBody> {
    Json(ReservationBody { reservation })
}

/// Reservations: all, or one's own
#[utoipa::path(get, path = "/api/v1/reservations", tag = "parking", params(ListQuery), responses(
    (status = 200, body = Page<Reservation>),
    (status = 404, body = Problem, description = "There is no such spot"),
))]
pub async fn list(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Reservation>>> {
    Ok(Json(parking.reservations(&actor, &query.read()).await?))
}

/// What a reservation would cost, and whether it can be had
#[utoipa::path(post, path = "/api/v1/reservations/quote", tag = "parking", request_body = Wish, responses(
    (status = 200, body = Quote),
    (status = 404, body = Problem, description = "There is no such spot or lot"),
    (status = 409, body = Problem, description = "`not_bookable`, `spot_not_available`: no spot of the lot fits"),
))]
pub async fn quote(State(parking): State<Parking>, Auth(actor): Auth, Json(wish): Json<Wish>) -> Result<Json<Quote>> {
    Ok(Json(parking.quote(&actor, &wish).await?))
}

/// Reserve a spot
///
/// The one that `spot_id` names, or any of `lot_id` that fits. With `operate_parking`, `user_name` or `user_email` make it
/// somebody else's.
#[utoipa::path(post, path = "/api/v1/reservations", tag = "parking", request_body = Wish, responses(
    (status = 201, body = NewReservationBody),
    (status = 404, body = Problem, description = "There is no such spot or lot"),
    (status = 409, body = Problem, description = "`spot_not_available`: somebody else has it then; `not_bookable`"),
))]
pub async fn create(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Json(wish): Json<Wish>,
) -> Result<(StatusCode, Json<NewReservationBody>)> {
    let reservation = parking.reserve(&actor, &wish).await?;
    // When Stripe cannot be reached now, it is asked for again at `POST /api/v1/payments/create-intent`.
    let payable = match reservation.state {
        ReservationState::Held => parking.payable(&actor, reservation.id).await.ok(),
        _ => None,
    };
    let client_secret = payable.and_then(|payable| payable.told_secret());
    Ok((StatusCode::CREATED, Json(NewReservationBody { reservation, client_secret })))
}

/// A reservation
#[utoipa::path(get, path = "/api/v1/reservations/{id}", tag = "parking", params(("id" = ReservationId, Path)),
    responses((status = 200, body = ReservationBody)))]
pub async fn get(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ReservationId>,
) -> Result<Json<ReservationBody>> {
    Ok(body(parking.reservation(&actor, id).await?))
}

/// Change a reservation
///
/// What is absent stays. What it costs follows the tariff it was made with; after it has begun only its end can change.
#[utoipa::path(put, path = "/api/v1/reservations/{id}", tag = "parking", request_body = Change,
    params(("id" = ReservationId, Path)), responses(
    (status = 200, body = ReservationBody),
    (status = 409, body = Problem, description = "`spot_not_available`, `reservation_over`, `has_begun`"),
))]
pub async fn change(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ReservationId>,
    Json(change): Json<Change>,
) -> Result<Json<ReservationBody>> {
    Ok(body(parking.change_reservation(&actor, id, &change).await?))
}

/// Cancel a reservation
#[utoipa::path(delete, path = "/api/v1/reservations/{id}", tag = "parking", params(("id" = ReservationId, Path)), responses(
    (status = 200, body = ReservationBody),
    (status = 409, body = Problem, description = "`reservation_over`, `has_begun`"),
))]
pub async fn cancel(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ReservationId>,
) -> Result<Json<ReservationBody>> {
    Ok(body(parking.cancel_reservation(&actor, id).await?))
}

/// The vehicle has come
#[utoipa::path(post, path = "/api/v1/reservations/{id}/check-in", tag = "parking", params(("id" = ReservationId, Path)),
    responses(
    (status = 200, body = ReservationBody),
    (status = 409, body = Problem, description = "`too_early`, `not_paid`, `reservation_over`"),
))]
pub async fn check_in(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ReservationId>,
) -> Result<Json<ReservationBody>> {
    Ok(body(parking.check_in(&actor, id).await?))
}

/// The vehicle has left
#[utoipa::path(post, path = "/api/v1/reservations/{id}/check-out", tag = "parking", params(("id" = ReservationId, Path)),
    responses(
    (status = 200, body = ReservationBody),
    (status = 409, body = Problem, description = "`not_checked_in`, `reservation_over`"),
))]
pub async fn check_out(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ReservationId>,
) -> Result<Json<ReservationBody>> {
    Ok(body(parking.check_out(&actor, id).await?))
}

/// Open the gate of the lot for a reservation
///
/// Within its time only; the vehicle counts as come.
#[utoipa::path(post, path = "/api/v1/reservations/{id}/open", tag = "parking", params(("id" = ReservationId, Path)),
    responses(
    (status = 200, body = ReservationBody),
    (status = 409, body = Problem, description = "`too_early`, `not_paid`, `reservation_over`, `no_gate`, `lockdown`"),
))]
pub async fn open(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ReservationId>,
) -> Result<Json<ReservationBody>> {
    Ok(body(parking.open_gate(&actor, id).await?))
}

/// Note that a reservation was paid at the place
#[utoipa::path(post, path = "/api/v1/reservations/{id}/paid", tag = "parking", params(("id" = ReservationId, Path)),
    responses(
    (status = 200, body = ReservationBody),
    (status = 409, body = Problem, description = "`nothing_due`"),
))]
pub async fn paid(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ReservationId>,
) -> Result<Json<ReservationBody>> {
    Ok(body(parking.note_paid(&actor, id).await?))
}
