use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use portico_identity::{browser, rest};
use portico_model::identity::Role;
use portico_platform::config::Signup;
use portico_platform::http::ClientAddress;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{OTHER_PASSWORD, PASSWORD, World, each, each_with};

struct Client {
    app: Router,
    headers: Vec<(String, String)>,
}

impl Client {
    fn new(world: &World) -> Self {
        let (router, _) = rest::router(world.identity.clone()).split_for_parts();
        Self { app: browser::session_layer(router, world.identity.clone()), headers: Vec::new() }
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name.to_owned(), value.to_owned()));
        Self { app: self.app.clone(), headers }
    }

    async fn signed_in(world: &World, login: &str) -> Self {
        let signed_in = world.sign_in(login).await;
        Self::new(world).with("authorization", &format!("Bearer {}", signed_in.access_token))
    }

    async fn raw(&self, method: &str, path: &str, body: Option<Value>) -> axum::response::Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(ClientAddress("192.0.2.1".parse::<IpAddr>().unwrap()));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = match body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.app.clone().oneshot(request.unwrap()).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.raw(method, path, body).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, Some(body)).await
    }
}

#[tokio::test]
async fn login_answers_tokens_and_the_user_as_the_contract_says() {
    each(|world| async move {
        let client = Client::new(&world);
        for field in ["username", "email", "login"] {
            let login = if field == "email" { "admin@example.org" } else { "admin" };
            let (status, body) = client.post("/api/v1/auth/login", json!({ field: login, "password": PASSWORD })).await;
            assert_eq!(status, 200, "{body}");
            assert_eq!(body["status"], "success");
            assert_eq!(body["message"], "Login successful");
            assert_eq!(body["token"], body["access_token"]);
            assert_eq!(body["token_type"], "Bearer");
            assert_eq!(body["expires_in"], 3600);
            let user = &body["user"];
            assert_eq!(user["user_id"].as_str().unwrap().len(), 32);
            assert_eq!(user["id"], user["user_id"]);
            assert_eq!((&user["username"], &user["email"]), (&json!("admin"), &json!("admin@example.org")));
            assert_eq!((&user["is_active"], &user["is_admin"]), (&json!(true), &json!(true)));
            assert_eq!(user["last_login"], "2026-11-21T02:00:00.000+00:00");
            let bearer = client.with("authorization", &format!("Bearer {}", body["access_token"].as_str().unwrap()));
            assert_eq!(bearer.get("/api/v1/auth/me").await.1["user"]["username"], "admin");
            let (status, renewed) =
                client.post("/api/v1/auth/refresh", json!({ "refresh_token": body["refresh_token"] })).await;
            assert_eq!(status, 200);
            assert_ne!(renewed["refresh_token"], body["refresh_token"]);
        }
    })
    .await;
}

#[tokio::test]
async fn login_refuses_in_the_words_of_the_contract() {
    each(|world| async move {
        let client = Client::new(&world);
        let cases = [
            (json!({}), 400, "username and password are required"),
            (json!({ "username": "admin" }), 400, "username and password are required"),
            (json!({ "username": "", "password": "x" }), 400, "username and password are required"),
            (json!({ "username": "admin", "password": OTHER_PASSWORD }), 401, "Invalid username or password"),
            (json!({ "username": "nobody", "password": OTHER_PASSWORD }), 401, "Invalid username or password"),
        ];
        for (body, status, message) in cases {
            let (actual, problem) = client.post("/api/v1/auth/login", body).await;
            assert_eq!((actual, problem["message"].as_str()), (status, Some(message)));
            let error = if status == 400 { "Missing credentials" } else { "Authentication failed" };
            assert_eq!(problem["error"], error);
        }
        let (status, problem) = client.post("/api/v1/auth/login", json!([1])).await;
        assert_eq!(status, 400, "{problem}");
    })
    .await;
}

#[tokio::test]
async fn lockout_says_when_to_come_back() {
    each(|world| async move {
        let client = Client::new(&world);
        let wrong = json!({ "username": "admin", "password": OTHER_PASSWORD });
        for _ in 0..5 {
            assert_eq!(client.post("/api/v1/auth/login", wrong.clone()).await.0, 401);
        }
        let response = client.raw("POST", "/api/v1/auth/login", Some(wrong)).await;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "900");
    })
    .await;
}

#[tokio::test]
async fn api_client_that_keeps_cookies_becomes_a_known_device() {
    each(|world| async move {
        let client = Client::new(&world);
        let right = json!({ "username": "admin", "password": PASSWORD });
        let response = client.raw("POST", "/api/v1/auth/login", Some(right.clone())).await;
        let cookies: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(cookies.len(), 1, "no session cookie for an API client");
        let device = cookies[0].to_str().unwrap().split(';').next().unwrap();
        assert!(device.starts_with("portico_device="));
        for _ in 0..5 {
            client.post("/api/v1/auth/login", json!({ "username": "admin", "password": "wrong" })).await;
        }
        assert_eq!(client.post("/api/v1/auth/login", right.clone()).await.0, 429);
        assert_eq!(client.with("cookie", device).post("/api/v1/auth/login", right).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn registration_follows_the_contract() {
    each_with(
        |config| config.signup = Signup::Open,
        |world| async move {
            let client = Client::new(&world);
            let body = json!({ "username": "u1", "email": "u1@example.org", "password": PASSWORD });
            let (status, answer) = client.post("/api/v1/auth/register", body.clone()).await;
            assert_eq!((status, &answer["message"]), (201, &json!("Registration successful")), "{answer}");
            assert_eq!(answer["user"]["is_admin"], false);
            assert_eq!(answer["user"]["last_login"], Value::Null);
            let (status, answer) = client.post("/api/v1/auth/register", body).await;
            assert_eq!((status, &answer["error"]), (409, &json!("Username already exists")));
            assert_eq!(answer["message"], "User with username 'u1' already exists");
            let taken = json!({ "username": "u3", "email": "u1@example.org", "password": PASSWORD });
            let (status, answer) = client.post("/api/v1/auth/register", taken).await;
            assert_eq!((status, &answer["error"]), (409, &json!("Email already exists")));
            let (status, answer) = client.post("/api/v1/auth/register", json!({ "username": "u2" })).await;
            assert_eq!((status, &answer["error"]), (400, &json!("Missing required fields")));
            assert_eq!(answer["message"], "username, email, and password are required");
            let (status, answer) = client.post("/api/v1/auth/register", json!({})).await;
            assert_eq!((status, &answer["error"]), (400, &json!("No data provided")));
        },
    )
    .await;
    each(|world| async move {
        let body = json!({ "username": "u1", "email": "u1@example.org", "password": PASSWORD });
        assert_eq!(Client::new(&world).post("/api/v1/auth/register", body).await.0, 403);
    })
    .await;
}

#[tokio::test]
async fn logout_ends_the_session_and_is_never_refused() {
    each(|world| async move {
        let client = Client::signed_in(&world, "admin").await;
        for _ in 0..2 {
            let (status, body) = client.send("POST", "/api/v1/auth/logout", None).await;
            assert_eq!((status, &body["message"]), (200, &json!("Logout successful")));
            assert_eq!(client.get("/api/v1/auth/me").await.0, 401);
        }
        assert_eq!(Client::new(&world).send("POST", "/api/v1/auth/logout", None).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn users_are_managed_in_the_form_of_the_contract() {
    each(|world| async move {
        let client = Client::signed_in(&world, "admin").await;
        let new = json!({ "username": "u1", "email": "u1@example.org", "password": PASSWORD });
        let (status, created) = client.post("/api/v1/users", new).await;
        assert_eq!(status, 201, "{created}");
        let id = created["user"]["user_id"].as_str().unwrap().to_owned();
        let (_, list) = client.get("/api/v1/users?limit=1&offset=1").await;
        assert_eq!(list["meta"], json!({ "total": 2, "limit": 1, "offset": 1 }));
        assert_eq!(list["users"][0]["username"], "u1");
        assert_eq!(client.get(&format!("/api/v1/users/{id}")).await.1["user"]["email"], "u1@example.org");

        let (status, updated) =
            client.send("PUT", &format!("/api/v1/users/{id}"), Some(json!({ "is_admin": true }))).await;
        assert_eq!((status, &updated["message"]), (200, &json!("User updated successfully")));
        assert_eq!(updated["user"]["role"], "admin");
        let (status, refused) = client.send("PATCH", &format!("/api/v1/users/{id}/deactivate"), None).await;
        assert_eq!((status, &refused["error"]), (403, &json!("Cannot deactivate admin")));
        assert_eq!(refused["message"], "Admin users cannot be deactivated");
        let (status, refused) = client.send("DELETE", &format!("/api/v1/users/{id}"), None).await;
        assert_eq!((status, &refused["error"]), (403, &json!("Cannot delete admin")));
        assert_eq!(refused["message"], "Admin users cannot be deleted");
        client.send("PATCH", &format!("/api/v1/users/{id}"), Some(json!({ "is_admin": false }))).await;

        for (path, message) in [
            ("deactivate", "User 'u1' deactivated successfully"),
            ("deactivate", "User 'u1' is already deactivated"),
            ("activate", "User 'u1' activated successfully"),
            ("activate", "User 'u1' is already active"),
        ] {
            let (status, body) = client.send("PATCH", &format!("/api/v1/users/{id}/{path}"), None).await;
            assert_eq!((status, &body["message"]), (200, &json!(message)));
        }
        let (status, body) = client.send("PUT", &format!("/api/v1/users/{id}"), Some(json!({}))).await;
        assert_eq!((status, &body["error"]), (400, &json!("No data provided")));
        let (status, body) = client.send("DELETE", &format!("/api/v1/users/{id}"), None).await;
        assert_eq!((status, &body["message"]), (200, &json!("User 'u1' deleted permanently")));
        let (status, body) = client.get(&format!("/api/v1/users/{id}")).await;
        assert_eq!((status, body["message"].as_str().unwrap()), (404, format!("No user found with ID: {id}").as_str()));
        assert_eq!(body["error"], "User not found");
        assert_eq!(client.get("/api/v1/users/2").await.0, 404);
    })
    .await;
}

#[tokio::test]
async fn user_id_header_counts_only_beside_a_token_of_the_same_user() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let admin_id = world.admin.user_id().unwrap().to_string();
        let berta = Client::signed_in(&world, "berta").await;
        let berta_id = berta.get("/api/v1/auth/me").await.1["user_id"].as_str().unwrap().to_owned();
        let (status, body) =
            Client::new(&world).with("x-user-id", &admin_id).get(&format!("/api/v1/users/{admin_id}")).await;
        assert_eq!(status, 401);
        assert!(body["message"].as_str().unwrap().contains("X-User-ID alone is no credential"), "{body}");
        assert_eq!(body["error"], "Authentication required");
        let (status, body) = berta.get(&format!("/api/v1/users/{admin_id}")).await;
        assert_eq!((status, &body["error"]), (403, &json!("Forbidden")));
        assert_eq!(body["message"], "You can only view your own profile");
        assert_eq!(berta.with("x-user-id", &admin_id).get("/api/v1/auth/me").await.0, 401);
        assert_eq!(berta.with("x-user-id", &berta_id).get("/api/v1/auth/me").await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn admin_token_works_only_where_one_is_configured() {
    each(|world| async move {
        let (status, _) = Client::new(&world).with("authorization", "admin test").get("/api/v1/users").await;
        assert_eq!(status, 401);
    })
    .await;
    each_with(
        |config| config.admin_token = Some("let-me-in-please".to_owned().into()),
        |world| async move {
            let client = Client::new(&world);
            assert_eq!(client.with("authorization", "admin let-me-in-please").get("/api/v1/users").await.0, 200);
            let (status, body) = client.with("authorization", "admin wrong").get("/api/v1/users").await;
            assert_eq!((status, &body["error"]), (403, &json!("Invalid admin token")));
            assert!(world.trail().await.contains(&"auth.admin_token_refused denied".to_owned()));
            assert_eq!(client.with("authorization", "admin ").get("/api/v1/users").await.0, 401);
            assert_eq!(client.with("authorization", "Basic YTpi").get("/api/v1/users").await.0, 401);
            // It has no account.
            assert_eq!(client.with("authorization", "admin let-me-in-please").get("/api/v1/auth/me").await.0, 403);
        },
    )
    .await;
}

#[tokio::test]
async fn set_up_over_rest() {
    portico_platform::testing::each_database(|test| async move {
        let identity = portico_identity::Identity::new(test.platform.clone());
        let token = identity.issue_setup_token().await.unwrap().unwrap();
        let (router, _) = rest::router(identity.clone()).split_for_parts();
        let client = Client { app: browser::session_layer(router, identity), headers: Vec::new() };
        let body = json!({ "token": token, "organization_name": "House", "username": "anna",
            "email": "anna@example.org", "password": PASSWORD });
        let (status, answer) = client.post("/api/v1/setup", body.clone()).await;
        assert_eq!((status, &answer["user"]["role"]), (201, &json!("admin")), "{answer}");
        assert_eq!(client.post("/api/v1/setup", body).await.0, 403);
    })
    .await;
}

#[tokio::test]
async fn sessions_password_and_trail_over_rest() {
    each(|world| async move {
        let client = Client::signed_in(&world, "admin").await;
        let other = world.sign_in("admin").await;
        assert_eq!(client.get("/api/v1/sessions").await.1["sessions"].as_array().unwrap().len(), 3);
        assert_eq!(client.send("DELETE", &format!("/api/v1/sessions/{}", other.session_id), None).await.0, 200);
        assert_eq!(client.send("DELETE", "/api/v1/sessions/nonsense", None).await.0, 404);
        let change = json!({ "current_password": PASSWORD, "new_password": OTHER_PASSWORD });
        assert_eq!(client.post("/api/v1/account/password", change).await.0, 200);
        let (status, body) = client.get("/api/v1/audit?action=auth.&limit=2").await;
        assert_eq!((status, body["records"].as_array().unwrap().len()), (200, 2), "{body}");
        assert_eq!(client.get("/api/v1/audit?outcome=nonsense").await.0, 400);
        assert_eq!(client.get("/api/v1/audit?from=2026-11-21T02:00:00Z").await.0, 200);
        let response = client.raw("GET", "/api/v1/audit/export", None).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/csv; charset=utf-8");
        let csv = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        assert!(csv.lines().nth(1).unwrap().contains("audit.exported"), "{csv}");
        assert!(csv.contains("auth.password_changed") && !csv.contains(OTHER_PASSWORD));
    })
    .await;
}

/// What each kind of caller gets; a route that is not listed here fails the test.
#[tokio::test]
async fn every_route_refuses_whom_it_should() {
    // anonymous, user, manager, administrator of another organisation, administrator
    const MATRIX: [(&str, &str, [u16; 5]); 57] = [
        ("POST", "/api/v1/setup", [400; 5]),
        ("POST", "/api/v1/auth/login", [400; 5]),
        ("POST", "/api/v1/auth/refresh", [400; 5]),
        ("POST", "/api/v1/auth/register", [400; 5]),
        ("GET", "/api/v1/auth/me", [401, 200, 200, 200, 200]),
        ("GET", "/api/v1/sessions", [401, 200, 200, 200, 200]),
        ("DELETE", "/api/v1/sessions/{id}", [401, 404, 404, 404, 404]),
        ("POST", "/api/v1/account/password", [401, 400, 400, 400, 400]),
        ("GET", "/api/v1/users", [401, 403, 403, 200, 200]),
        ("POST", "/api/v1/users", [401, 400, 400, 400, 400]),
        ("GET", "/api/v1/users/{id}", [401, 403, 403, 404, 200]),
        ("PUT", "/api/v1/users/{id}", [401, 403, 403, 404, 200]),
        ("PATCH", "/api/v1/users/{id}", [401, 403, 403, 404, 200]),
        ("GET", "/api/v1/users/{id}/sessions", [401, 403, 403, 404, 200]),
        ("PATCH", "/api/v1/users/{id}/deactivate", [401, 403, 403, 404, 200]),
        ("PATCH", "/api/v1/users/{id}/activate", [401, 403, 403, 404, 200]),
        ("DELETE", "/api/v1/users/{id}", [401, 403, 403, 404, 200]),
        ("GET", "/api/v1/audit", [401, 403, 403, 200, 200]),
        ("GET", "/api/v1/audit/export", [401, 403, 403, 200, 200]),
        ("POST", "/api/v1/auth/login/second-factor", [400; 5]),
        ("POST", "/api/v1/auth/login/second-factor/passkey", [400; 5]),
        ("POST", "/api/v1/auth/step-up", [401, 400, 400, 400, 400]),
        ("POST", "/api/v1/auth/step-up/passkey", [401, 200, 200, 200, 200]),
        ("POST", "/api/v1/auth/passkey/begin", [200; 5]),
        ("POST", "/api/v1/auth/passkey", [400; 5]),
        ("POST", "/api/v1/account/passkeys/begin", [401, 200, 200, 200, 200]),
        ("GET", "/api/v1/account/passkeys", [401, 200, 200, 200, 200]),
        ("POST", "/api/v1/account/passkeys", [401, 400, 400, 400, 400]),
        ("PATCH", "/api/v1/account/passkeys/{id}", [401, 400, 400, 400, 400]),
        ("DELETE", "/api/v1/account/passkeys/{id}", [401, 404, 404, 404, 404]),
        ("GET", "/api/v1/account/factors", [401, 200, 200, 200, 200]),
        ("POST", "/api/v1/account/totp", [401, 201, 201, 201, 201]),
        ("POST", "/api/v1/account/totp/confirm", [401, 400, 400, 400, 400]),
        ("DELETE", "/api/v1/account/totp", [401, 200, 200, 200, 200]),
        ("POST", "/api/v1/account/recovery-codes", [401, 409, 409, 409, 409]),
        ("POST", "/api/v1/auth/password-reset", [400; 5]),
        ("POST", "/api/v1/auth/password-reset/confirm", [400; 5]),
        ("POST", "/api/v1/auth/verify-email", [400; 5]),
        ("POST", "/api/v1/account/verify-email", [401, 202, 202, 202, 202]),
        ("GET", "/api/v1/invitations", [401, 403, 403, 200, 200]),
        ("POST", "/api/v1/invitations", [401, 400, 400, 400, 400]),
        ("DELETE", "/api/v1/invitations/{id}", [401, 403, 403, 404, 404]),
        ("POST", "/api/v1/invitations/{id}/resend", [401, 403, 403, 404, 404]),
        ("POST", "/api/v1/auth/invitation", [400; 5]),
        ("POST", "/api/v1/auth/invitation/accept", [400; 5]),
        ("GET", "/api/v1/security-events", [401, 403, 403, 200, 200]),
        ("GET", "/api/v1/organization", [401, 200, 200, 200, 200]),
        ("PUT", "/api/v1/organization", [401, 400, 400, 400, 400]),
        ("GET", "/api/v1/users/{id}/export", [401, 403, 403, 404, 404]),
        ("POST", "/api/v1/users/{id}/erase", [401, 400, 400, 400, 400]),
        ("GET", "/api/v1/service-keys", [401, 403, 403, 200, 200]),
        ("POST", "/api/v1/service-keys", [401, 400, 400, 400, 400]),
        ("GET", "/api/v1/service-keys/{id}", [401, 403, 403, 404, 404]),
        ("PATCH", "/api/v1/service-keys/{id}", [401, 403, 403, 404, 404]),
        ("DELETE", "/api/v1/service-keys/{id}", [401, 403, 403, 404, 404]),
        ("POST", "/api/v1/service-keys/{id}/rotate", [401, 403, 403, 404, 404]),
        ("POST", "/api/v1/auth/logout", [200; 5]),
    ];
    each(|world| async move {
        let (_, openapi) = rest::router(world.identity.clone()).split_for_parts();
        let mut routes: Vec<_> = rest::routes(&openapi);
        let mut listed: Vec<_> = MATRIX.iter().map(|(m, p, _)| ((*m).to_owned(), (*p).to_owned())).collect();
        routes.sort();
        listed.sort();
        assert_eq!(routes, listed);

        let victim = world.user("victim", Role::User).await.id.to_string();
        world.user("user", Role::User).await;
        world.user("manager", Role::Manager).await;
        world.stranger().await;
        let callers = [
            Client::new(&world),
            Client::signed_in(&world, "user").await,
            Client::signed_in(&world, "manager").await,
            Client::signed_in(&world, "stranger").await,
            Client::signed_in(&world, "admin").await,
        ];
        for (method, path, expected) in MATRIX {
            let path = path.replace("{id}", &victim);
            let body = match (method, path.as_str()) {
                ("PUT" | "PATCH", path) if path.starts_with("/api/v1/users") && path.ends_with(&victim) => {
                    Some(json!({ "username": "victim" }))
                }
                ("PATCH", path) if path.contains("/service-keys/") => Some(json!({ "name": "Other" })),
                ("PATCH", path) if path.contains("/passkeys/") => Some(json!({ "nonsense": true })),
                ("POST", path) if !path.ends_with("logout") => Some(json!({ "nonsense": true })),
                _ => None,
            };
            for (caller, expected) in callers.iter().zip(expected) {
                let (status, answer) = caller.send(method, &path, body.clone()).await;
                assert_eq!(status, expected, "{method} {path}: {answer}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn service_key_works_in_its_header_and_is_shown_once() {
    each(|world| async move {
        let admin = Client::signed_in(&world, "admin").await;
        let body = json!({ "name": "Reports", "scopes": ["read_audit"] });
        let response = admin.raw("POST", "/api/v1/service-keys", Some(body)).await;
        assert_eq!(
            (response.status().as_u16(), response.headers()["cache-control"].to_str().unwrap()),
            (201, "no-store")
        );
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let made: Value = serde_json::from_slice(&bytes).unwrap();
        let (id, api_key) = (made["service_key"]["id"].as_str().unwrap(), made["api_key"].as_str().unwrap());
        let service = Client::new(&world).with("x-api-key", api_key);
        assert_eq!(service.get("/api/v1/audit").await.0, 200);
        let (status, problem) = service.get("/api/v1/users").await;
        assert_eq!((status, problem["error"].as_str()), (403, Some("This key has no scope `manage_users`.")));
        assert_eq!(service.get("/api/v1/auth/me").await.0, 403);
        let (status, problem) = service.with("x-user-id", id).get("/api/v1/audit").await;
        assert_eq!((status, problem["code"].as_str()), (401, Some("user_id_is_no_credential")));

        let (status, listed) = admin.get("/api/v1/service-keys").await;
        assert_eq!(status, 200);
        assert!(!listed.to_string().contains(api_key));
        assert_eq!(listed["service_keys"][0]["scopes"], json!(["read_audit"]));

        let (status, rotated) = admin.send("POST", &format!("/api/v1/service-keys/{id}/rotate"), None).await;
        assert_eq!(status, 200, "{rotated}");
        assert!(rotated["service_key"]["old_key_until"].is_string());
        assert_eq!(service.get("/api/v1/audit").await.0, 200, "the old key overlaps");
        let (status, patched) =
            admin.send("PATCH", &format!("/api/v1/service-keys/{id}"), Some(json!({ "name": "Other" }))).await;
        assert_eq!((status, patched["service_key"]["name"].as_str()), (200, Some("Other")));
        assert_eq!(admin.send("DELETE", &format!("/api/v1/service-keys/{id}"), None).await.0, 200);
        assert_eq!(admin.send("DELETE", &format!("/api/v1/service-keys/{id}"), None).await.0, 409);
        assert_eq!(service.get("/api/v1/audit").await.0, 401);
        for (method, body, expected) in [
            ("POST", json!({ "name": "x", "scopes": ["everything"] }), 400),
            ("POST", json!({ "name": "x" }), 400),
            ("POST", json!({ "name": "x", "scopes": [] }), 400),
        ] {
            let (status, problem) = admin.send(method, "/api/v1/service-keys", Some(body)).await;
            assert_eq!(status, expected, "{problem}");
        }
        assert_eq!(admin.get("/api/v1/service-keys/nonsense").await.0, 404);
    })
    .await;
}

#[tokio::test]
async fn second_factor_over_rest() {
    each(|world| async move {
        let client = Client::signed_in(&world, "admin").await;
        let (status, begun) = client.send("POST", "/api/v1/account/totp", None).await;
        assert_eq!(status, 201, "{begun}");
        let app = crate::second_factor::App::new(begun["totp"]["secret"].as_str().unwrap());
        let confirm = json!({ "code": app.code(&world) });
        let response = client.raw("POST", "/api/v1/account/totp/confirm", Some(confirm)).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()[header::CACHE_CONTROL]),
            (200, &"no-store".parse().unwrap())
        );
        world.clock.advance_ms(30_000);

        let stranger = Client::new(&world);
        let login = json!({ "username": "admin", "password": PASSWORD });
        let response = stranger.raw("POST", "/api/v1/auth/login", Some(login.clone())).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let wanted: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&wanted["code"], &wanted["expires_in"]), (&json!("second_factor_required"), &json!(300)));
        assert_eq!(wanted["factors"], json!(["totp", "recovery_code"]));
        assert!(wanted.get("access_token").is_none());
        let token = wanted["challenge_token"].as_str().unwrap();
        let path = "/api/v1/auth/login/second-factor";
        let (status, _) = stranger.post(path, json!({ "challenge_token": token })).await;
        assert_eq!(status, 400);
        let both = json!({ "challenge_token": token, "code": "1", "recovery_code": "2" });
        assert_eq!(stranger.post(path, both).await.0, 400);
        let wrong = json!({ "challenge_token": token, "code": "000000" });
        assert_eq!(stranger.post(path, wrong).await.1["code"], "invalid_second_factor");
        let right = json!({ "challenge_token": token, "code": app.code(&world) });
        let (status, body) = stranger.post(path, right).await;
        assert_eq!((status, &body["user"]["username"]), (200, &json!("admin")), "{body}");

        world.clock.advance_ms(601_000);
        let (status, refused) = client.send("DELETE", "/api/v1/account/totp", None).await;
        assert_eq!((status, &refused["code"]), (403, &json!("step_up_required")));
        assert_eq!(client.post("/api/v1/auth/step-up", json!({})).await.0, 400);
        assert_eq!(client.post("/api/v1/auth/step-up", json!({ "password": "wrong" })).await.0, 400);
        assert_eq!(client.post("/api/v1/auth/step-up", json!({ "password": PASSWORD })).await.0, 200);
        assert_eq!(client.send("DELETE", "/api/v1/account/totp", None).await.0, 200);
        assert_eq!(stranger.post("/api/v1/auth/login", login).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn reset_and_invitation_over_rest() {
    each(|world| async move {
        world.user("berta", Role::User).await;
        let client = Client::new(&world);
        let known = client.post("/api/v1/auth/password-reset", json!({ "email": "berta@example.org" })).await;
        let unknown = client.post("/api/v1/auth/password-reset", json!({ "login": "nobody" })).await;
        assert_eq!(known.0, 202);
        assert_eq!(known, unknown);
        let token = world.last_link("berta@example.org", "/reset-password").await;
        let confirm = json!({ "token": token, "new_password": OTHER_PASSWORD });
        assert_eq!(client.post("/api/v1/auth/password-reset/confirm", confirm.clone()).await.0, 200);
        assert_eq!(client.post("/api/v1/auth/password-reset/confirm", confirm).await.0, 403);
        assert_eq!(world.try_sign_in("berta", OTHER_PASSWORD, &crate::here()).await, "ok");

        let admin = Client::signed_in(&world, "admin").await;
        let (status, made) = admin.post("/api/v1/invitations", json!({ "email": "carla@example.org" })).await;
        assert_eq!((status, &made["invitation"]["role"]), (201, &json!("user")), "{made}");
        let id = made["invitation"]["id"].as_str().unwrap().to_owned();
        assert_eq!(admin.send("POST", &format!("/api/v1/invitations/{id}/resend"), None).await.0, 200);
        let token = world.last_link("carla@example.org", "/invitation").await;
        let (_, offered) = client.post("/api/v1/auth/invitation", json!({ "token": token })).await;
        assert_eq!(offered["invitation"]["organization_name"], "Test");
        let accept = json!({ "token": token, "username": "carla", "password": OTHER_PASSWORD });
        let (status, body) = client.post("/api/v1/auth/invitation/accept", accept).await;
        assert_eq!((status, &body["user"]["email"]), (201, &json!("carla@example.org")), "{body}");
        let (_, listed) = admin.get("/api/v1/invitations").await;
        assert_eq!(listed["invitations"][0]["state"], "accepted");
        assert_eq!(admin.send("DELETE", &format!("/api/v1/invitations/{id}"), None).await.0, 409);
        assert_eq!(admin.send("DELETE", "/api/v1/invitations/nonsense", None).await.0, 404);
    })
    .await;
}

#[tokio::test]
async fn user_id_header_of_a_trusted_proxy_counts_only_with_the_secret() {
    const SECRET: &str = "a secret between proxies";
    each_with(
        |config| {
            config.http.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
            config.http.proxy_secret = Some(SECRET.into());
        },
        |world| async move {
            let berta = world.user("berta", Role::User).await;
            let (router, _) = rest::router(world.identity.clone()).split_for_parts();
            let metrics = portico_platform::http::Metrics::install(None).unwrap();
            let router = browser::session_layer(router, world.identity.clone());
            let app = portico_platform::http::wrap(router, &world.test.platform, metrics);
            let ask = async |peer: &str, headers: &[(&str, &str)]| {
                let peer = std::net::SocketAddr::new(peer.parse().unwrap(), 1);
                let mut request = Request::builder().uri("/api/v1/auth/me").extension(axum::extract::ConnectInfo(peer));
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
                let status = response.status().as_u16();
                let bytes = response.into_body().collect().await.unwrap().to_bytes();
                let body: Value = serde_json::from_slice(&bytes).unwrap();
                (status, body["code"].as_str().map_or_else(|| body["user"]["username"].to_string(), str::to_owned))
            };
            let id = berta.id.to_string();
            let named = ("x-user-id", id.as_str());
            let secret = ("x-proxy-secret", SECRET);
            let (proxy, elsewhere) = ("192.0.2.7", "198.51.100.7");
            assert_eq!(ask(proxy, &[named, secret]).await, (200, "\"berta\"".into()));
            assert_eq!(ask(elsewhere, &[named, secret]).await, (401, "untrusted_proxy".into()));
            assert_eq!(ask(proxy, &[named]).await, (401, "user_id_is_no_credential".into()));
            assert_eq!(ask(proxy, &[secret]).await, (401, "sign_in_required".into()));
            let wrong = ("x-proxy-secret", "a secret between others");
            assert_eq!(ask(proxy, &[named, wrong]).await, (401, "invalid_proxy_secret".into()));
            for nobody in ["", "1", "0193a0000000700080000000000000ab"] {
                assert_eq!(ask(proxy, &[("x-user-id", nobody), secret]).await, (401, "unknown_user".into()));
            }
            world.identity.set_user_active(&world.admin, berta.id, false).await.unwrap();
            assert_eq!(ask(proxy, &[named, secret]).await, (401, "account_inactive".into()));
        },
    )
    .await;
}
