//! `/register`: making an account for oneself, where that is open; `/verify-email`: confirming its address.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::{EntryOptions, entry_options_of};
use crate::failure::Failure;
use crate::form::FormState;
use crate::layout::BarePage;
use crate::load::load;
use crate::ui::{EmptyState, ErrorSummary, Glyph, ProblemView, SubmitButton, TextField};

const FIELDS: &[&str] = &["username", "email", "password"];

/// Makes an account and signs in, unless the address must be confirmed first.
#[server(name = SignUp, prefix = "/sfn", endpoint = "identity/sign_up")]
pub async fn sign_up(username: String, email: String, password: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::SessionKind;

    use crate::server::{failed, form_done, form_failed, identity, request_context, sign_in_browser};

    let (identity, context) = (identity()?, request_context()?);
    let values = [("username", &*username), ("email", &*email)];
    if let Err(error) = identity.sign_up(&username, &email, &password, &context).await {
        return Err(form_failed(SignUp::PATH, "/register", &values, failed(error)));
    }
    match identity.sign_in(&username, &password, SessionKind::Browser, &context).await {
        Ok(signed_in) => {
            sign_in_browser(&signed_in);
            form_done(SignUp::PATH, "/account", &[]);
        }
        Err(_) => form_done(SignUp::PATH, "/login?signed_up=1", &[]),
    }
    Ok(())
}

/// Confirms the address that the link was sent to.
#[server(name = VerifyEmail, prefix = "/sfn", endpoint = "identity/verify_email")]
pub async fn verify_email(token: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{failed, form_done, form_failed, identity, percent_encode, request_context};

    if let Err(error) = identity()?.verify_email(&token, &request_context()?).await {
        let page = format!("/verify-email?token={}", percent_encode(&token));
        return Err(form_failed(VerifyEmail::PATH, &page, &[], failed(error)));
    }
    form_done(VerifyEmail::PATH, "/verify-email?done=1", &[]);
    Ok(())
}

/// `/register`.
#[component]
pub fn SignUpPage() -> impl IntoView {
    let form = FormState::of::<SignUp>();
    let options = load(|| Some(EntryOptions {}));
    view! {
        <Title text="Make an account" />
        <BarePage>
            <Transition>
                {move || {
                    options
                        .get()
                        .map(|options| match entry_options_of(options) {
                            Ok(options) if options.sign_up_open => view! { <SignUpForm form /> }.into_any(),
                            Ok(_) => {
                                view! {
                                    <EmptyState
                                        whole_page=true
                                        glyph=Glyph::Users
                                        title="Accounts are given here"
                                        text="Ask an administrator for an invitation; it comes by e-mail."
                                    >
                                        <a class="button button-primary" href="/login" rel="external">"Sign in"</a>
                                    </EmptyState>
                                }
                                    .into_any()
                            }
                            Err(failure) => view! { <ProblemView failure /> }.into_any(),
                        })
                }}
            </Transition>
        </BarePage>
    }
}

#[component]
fn SignUpForm(form: FormState) -> impl IntoView {
    view! {
        <section class="card card-narrow">
            <h1>"Make an account"</h1>
            <form method="post" action=SignUp::PATH class="form" id="sign-up">
                <ErrorSummary form shown=FIELDS />
                <TextField
                    form
                    name="username"
                    label="User name"
                    required=true
                    autocomplete="username"
                    autofocus=true
                />
                <TextField
                    form
                    name="email"
                    label="E-mail"
                    kind="email"
                    required=true
                    autocomplete="email"
                    help="A link that confirms it is sent there."
                />
                <TextField
                    form
                    name="password"
                    label="Password"
                    kind="password"
                    required=true
                    minlength=12
                    help="At least 12 characters; several unrelated words make a good one."
                    autocomplete="new-password"
                />
                <SubmitButton label="Make account" class="button button-primary button-wide" />
            </form>
            <p class="card-foot">
                "You have one? " <a href="/login" rel="external">"Sign in"</a>
            </p>
        </section>
    }
}

/// `/verify-email?token=…`. A button, because programs that look into mail open links by themselves.
#[component]
pub fn VerifyEmailPage() -> impl IntoView {
    let query = use_query_map();
    let form = FormState::of::<VerifyEmail>();
    let token = move || query.with(|query| query.get("token").unwrap_or_default());
    let done = move || query.with(|query| query.get("done").is_some());
    view! {
        <Title text="Confirm your e-mail address" />
        <BarePage>
            {move || {
                if done() {
                    view! {
                        <EmptyState
                            whole_page=true
                            glyph=Glyph::Check
                            title="Your e-mail address is confirmed"
                            text="Thank you. Links for a new password now reach you there."
                        >
                            <a class="button button-primary" href="/account" rel="external">"Go to your account"</a>
                        </EmptyState>
                    }
                        .into_any()
                } else {
                    view! {
                        <section class="card card-narrow">
                            <h1>"Confirm your e-mail address"</h1>
                            <form method="post" action=VerifyEmail::PATH class="form" id="verify-email">
                                <ErrorSummary form shown=&[] />
                                <input type="hidden" name="token" value=token />
                                <p class="quiet">"This tells Portico that the address belongs to your account."</p>
                                <SubmitButton
                                    label="Confirm address"
                                    glyph=Glyph::Check
                                    class="button button-primary button-wide"
                                />
                            </form>
                            <p class="card-foot">
                                "Link too old? A new one is sent from " <a href="/account" rel="external">"your account"</a> "."
                            </p>
                        </section>
                    }
                        .into_any()
                }
            }}
        </BarePage>
    }
}
