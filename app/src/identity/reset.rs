//! `/forgot-password` and `/reset-password?token=…`: a new password by a link that is sent by e-mail.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::failure::Failure;
use crate::form::FormState;
use crate::layout::BarePage;
use crate::load::{Ask, load};
use crate::ui::{EmptyState, ErrorSummary, Glyph, ProblemView, SubmitButton, TextField};

/// Sends the link, if there is such an account.
#[server(name = AskForReset, prefix = "/sfn", endpoint = "identity/reset_password_link")]
pub async fn ask_for_reset(login: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{failed, form_done, form_failed, identity, request_context};

    if let Err(error) = identity()?.request_password_reset(&login, &request_context()?).await {
        return Err(form_failed(AskForReset::PATH, "/forgot-password", &[("login", &login)], failed(error)));
    }
    form_done(AskForReset::PATH, "/forgot-password?sent=1", &[]);
    Ok(())
}

/// Whether the link is still good.
#[server(name = CheckResetLink, prefix = "/sfn", endpoint = "identity/check_reset_link", input = GetUrl)]
pub async fn check_reset_link(#[server(default)] token: String) -> Result<(), Failure> {
    use crate::server::{failed, identity};

    identity()?.check_reset_link(&token).await.map_err(failed)
}

/// Sets the new password.
#[server(name = ResetPassword, prefix = "/sfn", endpoint = "identity/reset_password")]
pub async fn reset_password(token: String, new_password: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{failed, form_done, form_failed, identity, percent_encode, request_context, sign_out_browser};

    if let Err(error) = identity()?.reset_password(&token, &new_password, &request_context()?).await {
        let page = format!("/reset-password?token={}", percent_encode(&token));
        return Err(form_failed(ResetPassword::PATH, &page, &[], failed(error)));
    }
    // Every session has ended, this browser's too.
    sign_out_browser();
    form_done(ResetPassword::PATH, "/login?password_set=1", &[]);
    Ok(())
}

/// `/forgot-password`.
#[component]
pub fn ForgotPasswordPage() -> impl IntoView {
    let query = use_query_map();
    let form = FormState::of::<AskForReset>();
    let sent = move || query.with(|query| query.get("sent").is_some());
    view! {
        <Title text="Forgot your password?" />
        <BarePage>
            {move || {
                if sent() {
                    view! {
                        <EmptyState
                            whole_page=true
                            glyph=Glyph::Check
                            title="Look into your mailbox"
                            text="If there is such an account, a link is on its way to its address. It is good for half an hour, once. Nothing there? Look into the spam folder, or ask your administrator."
                        >
                            <a class="button" href="/login" rel="external">"Back to sign in"</a>
                        </EmptyState>
                    }
                        .into_any()
                } else {
                    view! {
                        <section class="card card-narrow">
                            <h1>"Forgot your password?"</h1>
                            <form method="post" action=AskForReset::PATH class="form" id="forgot-password">
                                <ErrorSummary form shown=&["login"] />
                                <p class="quiet">"A link to set a new one is sent to the address of your account."</p>
                                <TextField
                                    form
                                    name="login"
                                    label="User name or e-mail"
                                    required=true
                                    autocomplete="username"
                                    autofocus=true
                                />
                                <SubmitButton label="Send link" class="button button-primary button-wide" />
                            </form>
                            <p class="card-foot">
                                <a href="/login" rel="external">"Back to sign in"</a>
                            </p>
                        </section>
                    }
                        .into_any()
                }
            }}
        </BarePage>
    }
}

/// `/reset-password`.
#[component]
pub fn ResetPasswordPage() -> impl IntoView {
    let query = use_query_map();
    let form = FormState::of::<ResetPassword>();
    let token = Memo::new(move |_| query.with(|query| query.get("token").unwrap_or_default()));
    let link = load(move || Some(CheckResetLink { token: token.get() }));
    view! {
        <Title text="Set a new password" />
        <BarePage>
            <Transition>
                {move || {
                    link.get()
                        .map(|link| match link {
                            Ok(_) => view! { <ResetForm form token=token.into() /> }.into_any(),
                            Err(failure) if failure.status == 403 => {
                                view! {
                                    <EmptyState
                                        whole_page=true
                                        glyph=Glyph::Clock
                                        title="This link is not valid any more"
                                        text="It was used, or is older than half an hour."
                                    >
                                        <a class="button button-primary" href="/forgot-password">"Ask for a new one"</a>
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
fn ResetForm(form: FormState, token: Signal<String>) -> impl IntoView {
    view! {
        <section class="card card-narrow">
            <h1>"Set a new password"</h1>
            <p class="quiet">"You are signed out everywhere, and sign in with the new one."</p>
            <form method="post" action=ResetPassword::PATH class="form" id="reset-password">
                <ErrorSummary form shown=&["new_password"] />
                <input type="hidden" name="token" value=move || token.get() />
                <TextField
                    form
                    name="new_password"
                    label="New password"
                    kind="password"
                    required=true
                    minlength=12
                    help="At least 12 characters; several unrelated words make a good one."
                    autocomplete="new-password"
                    autofocus=true
                />
                <SubmitButton label="Set password" class="button button-primary button-wide" />
            </form>
        </section>
    }
}

impl Ask for CheckResetLink {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("token", self.token.clone())]
    }
}
