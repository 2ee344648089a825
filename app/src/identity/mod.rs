//! People: signing in, accounts, sessions, users.

pub mod account;
pub mod api_keys;
pub mod factors;
pub mod invitations;
pub mod login;
pub mod passkey;
pub mod person;
pub mod reset;
pub mod second_step;
pub mod settings;
pub mod setup;
pub mod sign_up;
pub mod statistics;
pub mod step_up;
pub mod theme;
pub mod users;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, Loaded, read};

/// Signs in with the form of `/login`.
#[server(name = SignIn, prefix = "/sfn", endpoint = "identity/sign_in")]
pub async fn sign_in(login: String, password: String, #[server(default)] next: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::{SessionKind, SignIn as Outcome};

    use crate::server::{
        failed, form_done, form_failed, identity, local_path, percent_encode, remember_challenge, request_context,
        sign_in_browser,
    };

    let next = local_path(&next).to_owned();
    match identity()?.begin_sign_in(&login, &password, SessionKind::Browser, &request_context()?).await {
        Ok(Outcome::SecondFactor(challenge)) => {
            remember_challenge(&challenge);
            form_done(SignIn::PATH, &format!("/login/second-factor?next={}", percent_encode(&next)), &[]);
            Ok(())
        }
        Ok(Outcome::Done(signed_in)) => {
            sign_in_browser(&signed_in);
            form_done(SignIn::PATH, &next, &[]);
            Ok(())
        }
        Err(error) => {
            let page = format!("/login?next={}", percent_encode(&next));
            Err(form_failed(SignIn::PATH, &page, &[("login", &login)], failed(error)))
        }
    }
}

/// Ends this browser's session.
#[server(name = SignOut, prefix = "/sfn", endpoint = "identity/sign_out")]
pub async fn sign_out() -> Result<(), Failure> {
    use crate::server::{actor, failed, identity, sign_out_browser};

    let result = match actor() {
        Ok(actor) => identity()?.sign_out(&actor).await.map_err(failed),
        // Signed out already: the cookies go all the same.
        Err(_) => Ok(()),
    };
    sign_out_browser();
    leptos_axum::redirect("/login?signed_out=1");
    result
}

/// Whether the building still waits for its first administrator.
#[server(name = SetupNeeded, prefix = "/sfn", endpoint = "identity/setup_needed", input = leptos::server_fn::codec::GetUrl)]
pub async fn setup_needed() -> Result<bool, Failure> {
    crate::server::identity()?.setup_needed().await.map_err(crate::server::failed)
}

/// Creates the organisation and its first administrator.
#[server(name = SetUp, prefix = "/sfn", endpoint = "identity/set_up")]
pub async fn set_up(
    token: String,
    organization_name: String,
    username: String,
    email: String,
    password: String,
) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{failed, form_done, form_failed, identity, percent_encode, request_context, sign_in_browser};

    let result = identity()?.setup(&token, &organization_name, &username, &email, &password, &request_context()?).await;
    match result {
        Ok(signed_in) => {
            sign_in_browser(&signed_in);
            form_done(SetUp::PATH, "/", &[]);
            Ok(())
        }
        Err(error) => {
            let page = format!("/setup?token={}", percent_encode(&token));
            let values = [("organization_name", &*organization_name), ("username", &*username), ("email", &*email)];
            Err(form_failed(SetUp::PATH, &page, &values, failed(error)))
        }
    }
}

impl Ask for SetupNeeded {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// What the pages before signing in offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Anyone may make an account.
    pub sign_up_open: bool,
    /// Portico is reached by a host name.
    pub passkeys: bool,
}

/// What the pages before signing in offer.
#[server(name = EntryOptions, prefix = "/sfn", endpoint = "identity/entry", input = leptos::server_fn::codec::GetUrl)]
pub async fn entry_options() -> Result<Entry, Failure> {
    use portico_platform::config::Signup;

    use crate::server::{failed, identity};

    let identity = identity()?;
    let sign_up_open = identity.signup_mode().await.map_err(failed)? == Signup::Open;
    Ok(Entry { sign_up_open, passkeys: identity.passkeys_available() })
}

fn entry_options_of(loaded: Loaded) -> Result<Entry, Failure> {
    read(loaded)
}

impl Ask for EntryOptions {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
