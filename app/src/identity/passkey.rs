//! Signing in with a passkey, and the hidden fields by which `public/passkeys.js` knows a form that wants one.

use leptos::prelude::*;
use portico_model::identity::Ceremony;

use crate::failure::Failure;

/// Where the script puts the browser's answer, and where it says what went wrong. The form must be of the class
/// `passkey-form`: shown only where there can be passkeys.
#[component]
pub fn PasskeyFields(
    /// `get` to prove, `create` to make one.
    kind: &'static str,
    /// Path of the server function that begins the ceremony.
    begin: &'static str,
) -> impl IntoView {
    view! {
        <input type="hidden" name="challenge_token" />
        <input type="hidden" name="credential" data-passkey=kind data-begin=begin />
        <p class="field-error" role="alert" data-passkey-complaint=""></p>
    }
}

/// Begins to sign in with a passkey.
#[server(name = BeginPasskeySignIn, prefix = "/sfn", endpoint = "identity/sign_in_passkey_begin")]
pub async fn begin_passkey_sign_in() -> Result<Ceremony, Failure> {
    use crate::server::{failed, identity};

    identity()?.begin_passkey_sign_in().await.map_err(failed)
}

/// Signs in with a passkey alone.
#[server(name = SignInWithPasskey, prefix = "/sfn", endpoint = "identity/sign_in_passkey")]
pub async fn sign_in_with_passkey(
    challenge_token: String,
    credential: String,
    #[server(default)] next: String,
) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::SessionKind;

    use crate::server::{
        failed, form_done, form_failed, identity, local_path, percent_encode, request_context, sign_in_browser,
    };

    let next = local_path(&next).to_owned();
    let credential = serde_json::from_str(&credential).unwrap_or_default();
    let kind = SessionKind::Browser;
    match identity()?.sign_in_with_passkey(&challenge_token, &credential, kind, &request_context()?).await {
        Ok(signed_in) => {
            sign_in_browser(&signed_in);
            form_done(SignInWithPasskey::PATH, &next, &[]);
            Ok(())
        }
        Err(error) => {
            let page = format!("/login?next={}", percent_encode(&next));
            Err(form_failed(SignInWithPasskey::PATH, &page, &[], failed(error)))
        }
    }
}
