//! `/login/second-factor`: the second step of signing in, for who has more than a password.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use portico_model::identity::{Ceremony, Factor};

use super::passkey::PasskeyFields;
use crate::failure::Failure;
use crate::form::FormState;
use crate::layout::BarePage;
use crate::load::{Ask, load, read};
use crate::ui::{EmptyState, ErrorSummary, Glyph, ProblemView, SubmitButton, TextField};

/// What the account of the first step has to offer.
#[server(name = SecondFactors, prefix = "/sfn", endpoint = "identity/second_factors", input = GetUrl)]
pub async fn second_factors() -> Result<Vec<Factor>, Failure> {
    use crate::server::{challenge, failed, identity};

    identity()?.second_factors(&challenge()).await.map_err(failed)
}

/// Begins a passkey's ceremony as the second step.
#[server(name = BeginSecondFactorPasskey, prefix = "/sfn", endpoint = "identity/second_factor_passkey")]
pub async fn begin_second_factor_passkey() -> Result<Ceremony, Failure> {
    use crate::server::{challenge, failed, identity};

    let public_key = identity()?.begin_second_factor_passkey(&challenge()).await.map_err(failed)?;
    // The challenge itself is in a cookie that no script reads.
    Ok(Ceremony { challenge_token: String::new(), public_key })
}

/// The second step, with a code or a passkey's answer.
#[server(name = SecondFactor, prefix = "/sfn", endpoint = "identity/second_factor")]
pub async fn second_factor(
    #[server(default)] code: String,
    #[server(default)] credential: String,
    #[server(default)] challenge_token: String,
    #[server(default)] next: String,
) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::Proof;

    use crate::server::{
        challenge, failed, forget_challenge, form_done, form_failed, identity, local_path, percent_encode,
        request_context, sign_in_browser,
    };

    let _ = challenge_token;
    let next = local_path(&next).to_owned();
    let page = format!("/login/second-factor?next={}", percent_encode(&next));
    let proof = match serde_json::from_str(&credential) {
        Ok(answer) => Proof::Passkey(answer),
        Err(_) => Proof::of_code(&code),
    };
    match identity()?.sign_in_second_factor(&challenge(), &proof, &request_context()?).await {
        Ok(signed_in) => {
            forget_challenge();
            sign_in_browser(&signed_in);
            form_done(SecondFactor::PATH, &next, &[]);
            Ok(())
        }
        Err(error) => Err(form_failed(SecondFactor::PATH, &page, &[], failed(error))),
    }
}

/// The page. Its forms load a new page, as that of the first step.
#[component]
pub fn SecondFactorPage() -> impl IntoView {
    let form = FormState::of::<SecondFactor>();
    let factors = load(|| Some(SecondFactors {}));
    view! {
        <Title text="Sign in: second step" />
        <BarePage>
            <Transition>
                {move || {
                    factors
                        .get()
                        .map(|factors| match read::<Vec<Factor>>(factors) {
                            Ok(factors) => view! { <SecondFactorForms form factors /> }.into_any(),
                            Err(failure) if failure.status == 401 => {
                                view! {
                                    <EmptyState
                                        whole_page=true
                                        glyph=Glyph::Clock
                                        title="Begin again"
                                        text="The second step must follow the first within five minutes."
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
fn SecondFactorForms(form: FormState, factors: Vec<Factor>) -> impl IntoView {
    let query = use_query_map();
    let next = move || query.with(|query| query.get("next").unwrap_or_default());
    let (has_app, has_passkey) = (factors.contains(&Factor::Totp), factors.contains(&Factor::Passkey));
    let (label, help) = if has_app {
        ("Code", "The six digits that your authenticator app shows, or one of your recovery codes.")
    } else {
        ("Recovery code", "One of the codes that you kept when you set up your passkey.")
    };
    view! {
        <section class="card card-narrow">
            <h1>"Second step"</h1>
            <p class="quiet">"The password was right. Prove once more that it is you."</p>
            <ErrorSummary form shown=&["code"] />
            {has_passkey
                .then(|| {
                    view! {
                        <form
                            method="post"
                            action=SecondFactor::PATH
                            class="form passkey-form"
                            id="second-factor-passkey"
                        >
                            <PasskeyFields kind="get" begin=BeginSecondFactorPasskey::PATH />
                            <input type="hidden" name="next" value=next />
                            <SubmitButton
                                label="Use a passkey"
                                glyph=Glyph::Key
                                class="button button-primary button-wide"
                            />
                            <p class="or">"or"</p>
                        </form>
                    }
                })} <form method="post" action=SecondFactor::PATH class="form" id="second-factor">
                <input type="hidden" name="next" value=next />
                <TextField
                    form
                    name="code"
                    label=label
                    help=help
                    required=true
                    autocomplete="one-time-code"
                    autofocus=true
                />
                <SubmitButton label="Sign in" class="button button-primary button-wide" />
            </form>
            <p class="card-foot">
                <a href="/login" rel="external">"Sign in as someone else"</a>
            </p>
        </section>
    }
}

impl Ask for SecondFactors {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
