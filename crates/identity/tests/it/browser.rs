use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use portico_identity::{MaybeAuth, SessionKind, SignedIn, browser, cookies};
use tower::ServiceExt;

use crate::{PASSWORD, World, each, here};

fn app(world: &World) -> Router {
    async fn who(MaybeAuth(actor): MaybeAuth) -> String {
        actor.map_or_else(|| "nobody".to_owned(), |actor| actor.label())
    }
    let router = Router::new().route("/page", get(who)).route("/sfn/act", post(who)).route("/pkg/x.js", get(who));
    browser::session_layer(router, world.identity.clone())
}

async fn browser_sign_in(world: &World) -> SignedIn {
    world.identity.sign_in("admin", PASSWORD, SessionKind::Browser, &here()).await.unwrap()
}

fn cookie(signed_in: &SignedIn) -> String {
    format!("{}={}; {}={}", cookies::ACCESS, signed_in.access_token, cookies::REFRESH, signed_in.refresh_token)
}

async fn send(world: &World, request: Request<Body>) -> Response<Body> {
    app(world).oneshot(request).await.unwrap()
}

async fn page(world: &World, cookie: &str) -> Response<Body> {
    send(world, Request::get("/page").header(header::COOKIE, cookie).body(Body::empty()).unwrap()).await
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn set_cookies(response: &Response<Body>) -> Vec<String> {
    let values = response.headers().get_all(header::SET_COOKIE).iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn cookie_signs_a_page_in() {
    each(|world| async move {
        let signed_in = browser_sign_in(&world).await;
        let response = page(&world, &cookie(&signed_in)).await;
        assert!(set_cookies(&response).is_empty());
        assert_eq!(text(response).await, "user:admin");
        assert_eq!(text(page(&world, "other=1").await).await, "nobody");
    })
    .await;
}

#[tokio::test]
async fn expired_access_token_is_renewed_unseen() {
    each(|world| async move {
        let signed_in = browser_sign_in(&world).await;
        world.clock.advance_ms(16 * 60_000);
        let response = page(&world, &cookie(&signed_in)).await;
        let renewed = set_cookies(&response);
        assert_eq!(text(response).await, "user:admin");
        assert_eq!(renewed.len(), 2, "{renewed:?}");
        let header = renewed.iter().filter_map(|value| value.split(';').next()).collect::<Vec<_>>().join("; ");
        assert!(!header.contains(&signed_in.refresh_token));
        assert_eq!(text(page(&world, &header).await).await, "user:admin");
        // A second request that was under way with the old cookies goes through, too.
        let second = page(&world, &cookie(&signed_in)).await;
        assert_eq!(set_cookies(&second).len(), 2);
        assert_eq!(text(second).await, "user:admin");
    })
    .await;
}

#[tokio::test]
async fn ended_session_is_forgotten_by_the_browser() {
    each(|world| async move {
        let signed_in = browser_sign_in(&world).await;
        let actor = world.identity.authenticate(&signed_in.access_token, &here()).await.unwrap();
        world.identity.sign_out(&actor).await.unwrap();
        let response = page(&world, &cookie(&signed_in)).await;
        assert!(set_cookies(&response).iter().all(|value| value.contains("Max-Age=0")));
        assert_eq!(set_cookies(&response).len(), 2);
        assert_eq!(text(response).await, "nobody");
    })
    .await;
}

#[tokio::test]
async fn foreign_page_cannot_act_with_the_cookies() {
    each(|world| async move {
        let signed_in = browser_sign_in(&world).await;
        let act = async |headers: &[(&str, &str)]| {
            let mut request = Request::post("/sfn/act").header(header::HOST, "portico.example");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            send(&world, request.header(header::COOKIE, cookie(&signed_in)).body(Body::empty()).unwrap()).await.status()
        };
        assert_eq!(act(&[("sec-fetch-site", "cross-site")]).await, StatusCode::FORBIDDEN);
        assert_eq!(act(&[("origin", "https://evil.example")]).await, StatusCode::FORBIDDEN);
        assert_eq!(act(&[("origin", "null")]).await, StatusCode::FORBIDDEN);
        assert_eq!(act(&[("origin", "https://portico.example")]).await, StatusCode::OK);
        assert_eq!(
            act(&[("sec-fetch-site", "same-origin"), ("origin", "https://portico.example")]).await,
            StatusCode::OK
        );
    })
    .await;
}

#[tokio::test]
async fn foreign_page_cannot_sign_a_visitor_in() {
    each(|world| async move {
        let request = Request::post("/sfn/act").header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap();
        assert_eq!(send(&world, request).await.status(), StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn authorization_header_goes_before_cookies() {
    each(|world| async move {
        let signed_in = browser_sign_in(&world).await;
        let request = Request::get("/page")
            .header(header::COOKIE, cookie(&signed_in))
            .header(header::AUTHORIZATION, "Bearer nonsense")
            .body(Body::empty())
            .unwrap();
        assert_eq!(send(&world, request).await.status(), StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn files_of_the_site_cost_no_session() {
    each(|world| async move {
        let signed_in = browser_sign_in(&world).await;
        world.clock.advance_ms(16 * 60_000);
        let request = Request::get("/pkg/x.js").header(header::COOKIE, cookie(&signed_in)).body(Body::empty()).unwrap();
        let response = send(&world, request).await;
        assert!(set_cookies(&response).is_empty());
        assert_eq!(text(response).await, "nobody");
    })
    .await;
}
