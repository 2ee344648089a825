//! `/login`.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::passkey::{BeginPasskeySignIn, PasskeyFields, SignInWithPasskey};
use super::{Entry, EntryOptions, SetupNeeded, SignIn};
use crate::form::FormState;
use crate::layout::BarePage;
use crate::load::{load, read};
use crate::ui::{ErrorSummary, Glyph, SubmitButton, TextField};

/// The form always loads a new page: whoever signs in gets everything fresh.
#[component]
pub fn LoginPage() -> impl IntoView {
    let query = use_query_map();
    let form = FormState::of::<SignIn>();
    let next = move || query.with(|query| query.get("next").unwrap_or_default());
    let passkey = FormState::of::<SignInWithPasskey>();
    let told = move |what: &'static str| query.with(|query| query.get(what).is_some());
    let entry = load(|| Some(EntryOptions {}));
    let options = move || entry.get().and_then(|entry| read::<Entry>(entry).ok());
    let setup = load(|| Some(SetupNeeded {}));
    view! {
        <Title text="Sign in" />
        <BarePage>
            <section class="card card-narrow">
                <h1>"Sign in"</h1>
                <Transition>
                    {move || {
                        setup
                            .get()
                            .and_then(|needed| read::<bool>(needed).ok())
                            .filter(|needed| *needed)
                            .map(|_| {
                                view! {
                                    <p class="note">
                                        "This Portico has no administrator yet. Open the one-time set-up link that it printed when it started."
                                    </p>
                                }
                            })
                    }}
                </Transition>
                <p class="note" role="status" hidden=move || !told("signed_out")>"You are signed out."</p>
                <p class="note" role="status" hidden=move || !told("password_set")>
                    "Your new password is set. Sign in with it."
                </p>
                <p class="note" role="status" hidden=move || !told("signed_up")>
                    "Your account is made. Confirm your address with the link in your mailbox, then sign in."
                </p>
                <form method="post" action=SignIn::PATH class="form" id="sign-in">
                    <ErrorSummary form shown=&["login", "password"] />
                    <input type="hidden" name="next" value=next />
                    <TextField
                        form
                        name="login"
                        label="User name or e-mail"
                        required=true
                        autocomplete="username"
                        autofocus=true
                    />
                    <TextField
                        form
                        name="password"
                        label="Password"
                        kind="password"
                        required=true
                        autocomplete="current-password"
                    />
                    <SubmitButton label="Sign in" glyph=Glyph::Key class="button button-primary button-wide" />
                </form>
                <Transition>
                    {move || {
                        options()
                            .filter(|entry| entry.passkeys)
                            .map(|_| {
                                view! {
                                    <form
                                        method="post"
                                        action=SignInWithPasskey::PATH
                                        class="form passkey-form"
                                        id="passkey-sign-in"
                                    >
                                        <p class="or">"or"</p>
                                        <ErrorSummary form=passkey shown=&[] />
                                        <PasskeyFields kind="get" begin=BeginPasskeySignIn::PATH />
                                        <input type="hidden" name="next" value=next />
                                        <SubmitButton label="Sign in with a passkey" class="button button-wide" />
                                    </form>
                                }
                            })
                    }}
                    <p class="card-foot">
                        <a href="/forgot-password" rel="external">"Forgot your password?"</a>
                        {move || {
                            options()
                                .filter(|entry| entry.sign_up_open)
                                .map(|_| view! { <a href="/register" rel="external">"Make an account"</a> })
                        }}
                    </p>
                </Transition>
            </section>
        </BarePage>
    }
}
