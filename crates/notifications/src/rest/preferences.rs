use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::Problem;
use portico_model::notifications::{MyPreferences, Preference};
use portico_platform::Result;
use portico_platform::http::Json;
use serde::{Deserialize, Serialize};

use crate::{Notifications, TestChannel};

/// What I am told
///
/// One's own preferences, for every kind there is; until something is chosen, what is chosen for everyone.
#[utoipa::path(get, path = "/api/v1/notifications/preferences", tag = "notifications", responses(
    (status = 200, body = MyPreferences),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The caller is no person"),
    (status = 429, body = Problem),
))]
pub async fn get(State(notifications): State<Notifications>, Auth(actor): Auth) -> Result<Json<MyPreferences>> {
    Ok(Json(notifications.my_preferences(&actor).await?))
}

/// What to be told; kinds that are not named stay as they are.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Preferences {
    #[schema(max_items = 20)]
    preferences: Vec<Preference>,
}

/// Choose what I am told
#[utoipa::path(put, path = "/api/v1/notifications/preferences", tag = "notifications", request_body = Preferences,
    responses(
    (status = 200, body = MyPreferences),
    (status = 400, body = Problem, description = "Not JSON, an unknown kind, or one named twice"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The caller is no person"),
    (status = 429, body = Problem),
))]
pub async fn put(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Json(body): Json<Preferences>,
) -> Result<Json<MyPreferences>> {
    Ok(Json(notifications.set_my_preferences(&actor, &body.preferences).await?))
}

/// How to try.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Test {
    channel: TestChannel,
}

/// To how many places the test is on its way.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Tested {
    #[schema(example = 2, minimum = 1)]
    sent: usize,
}

/// Send me a test
///
/// To one's own browsers or e-mail address, whatever is chosen. It leaves at once; how it went is seen there.
#[utoipa::path(post, path = "/api/v1/notifications/test", tag = "notifications", request_body = Test, responses(
    (status = 202, body = Tested),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The caller is no person"),
    (status = 409, body = Problem, description = "No browser is subscribed, or the server has no mail server"),
    (status = 429, body = Problem),
))]
pub async fn test(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Json(body): Json<Test>,
) -> Result<(StatusCode, Json<Tested>)> {
    let sent = notifications.send_test(&actor, body.channel).await?;
    Ok((StatusCode::ACCEPTED, Json(Tested { sent })))
}
