//! What an account has beside its password: passkeys, an authenticator app, recovery codes. A card of `/account`, and
//! `/account/app`, where an app is set up.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use portico_model::PasskeyId;
use portico_model::identity::{Ceremony, Factors, Passkey, TotpEnrolment};

use super::passkey::PasskeyFields;
use crate::failure::Failure;
use crate::form::{Confirm, FormState, PostForm};
use crate::load::{Ask, load, read};
use crate::time::Ago;
use crate::ui::toast::use_toasts;
use crate::ui::{Badge, CopyButton, Dialog, ErrorSummary, Glyph, Icon, ProblemView, SubmitButton, TextField, Tone};

const ACCOUNT: &str = "/account";
const APP: &str = "/account/app";

/// What my account has beside its password.
#[server(name = MyFactors, prefix = "/sfn", endpoint = "identity/factors", input = GetUrl)]
pub async fn my_factors() -> Result<Factors, Failure> {
    use crate::server::{actor, failed, identity};

    identity()?.factors(&actor()?).await.map_err(failed)
}

/// The authenticator app being set up, if any.
#[server(name = PendingApp, prefix = "/sfn", endpoint = "identity/pending_app", input = GetUrl)]
pub async fn pending_app() -> Result<Option<TotpEnrolment>, Failure> {
    use crate::server::{actor, failed, identity};

    identity()?.pending_totp(&actor()?).await.map_err(failed)
}

/// Begins to set an authenticator app up.
#[server(name = BeginApp, prefix = "/sfn", endpoint = "identity/begin_app")]
pub async fn begin_app() -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?.begin_totp(&actor()?).await.map_err(|error| form_failed(BeginApp::PATH, APP, &[], failed(error)))?;
    form_done(BeginApp::PATH, APP, &[]);
    Ok(())
}

/// Finishes with a code of the app; hands out recovery codes.
#[server(name = ConfirmApp, prefix = "/sfn", endpoint = "identity/confirm_app")]
pub async fn confirm_app(code: String) -> Result<Vec<String>, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let codes = identity()?
        .confirm_totp(&actor()?, &code)
        .await
        .map_err(|error| form_failed(ConfirmApp::PATH, APP, &[], failed(error)))?;
    form_done(ConfirmApp::PATH, APP, &[("codes", &codes.join(" "))]);
    Ok(codes)
}

/// Removes the authenticator app.
#[server(name = RemoveApp, prefix = "/sfn", endpoint = "identity/remove_app")]
pub async fn remove_app() -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .remove_totp(&actor()?)
        .await
        .map_err(|error| form_failed(RemoveApp::PATH, ACCOUNT, &[], failed(error)))?;
    form_done(RemoveApp::PATH, ACCOUNT, &[]);
    Ok(())
}

/// New recovery codes in place of the old ones.
#[server(name = RenewRecoveryCodes, prefix = "/sfn", endpoint = "identity/renew_recovery_codes")]
pub async fn renew_recovery_codes() -> Result<Vec<String>, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let codes = identity()?
        .renew_recovery_codes(&actor()?)
        .await
        .map_err(|error| form_failed(RenewRecoveryCodes::PATH, ACCOUNT, &[], failed(error)))?;
    form_done(RenewRecoveryCodes::PATH, ACCOUNT, &[("codes", &codes.join(" "))]);
    Ok(codes)
}

/// Begins to make a passkey.
#[server(name = BeginPasskey, prefix = "/sfn", endpoint = "identity/begin_passkey")]
pub async fn begin_passkey() -> Result<Ceremony, Failure> {
    use crate::server::{actor, failed, identity};

    identity()?.begin_passkey(&actor()?).await.map_err(failed)
}

/// Keeps the passkey that the browser made; hands out recovery codes with the first second factor.
#[server(name = AddPasskey, prefix = "/sfn", endpoint = "identity/add_passkey")]
pub async fn add_passkey(
    name: String,
    #[server(default)] challenge_token: String,
    #[server(default)] credential: String,
) -> Result<Vec<String>, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let credential = serde_json::from_str(&credential).unwrap_or_default();
    let (_, codes) = identity()?
        .add_passkey(&actor()?, &challenge_token, &name, &credential)
        .await
        .map_err(|error| form_failed(AddPasskey::PATH, ACCOUNT, &[("name", &name)], failed(error)))?;
    form_done(AddPasskey::PATH, ACCOUNT, &[("codes", &codes.join(" "))]);
    Ok(codes)
}

/// Gives a passkey another name.
#[server(name = RenamePasskey, prefix = "/sfn", endpoint = "identity/rename_passkey")]
pub async fn rename_passkey(id: PasskeyId, name: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .rename_passkey(&actor()?, id, &name)
        .await
        .map_err(|error| form_failed(RenamePasskey::PATH, ACCOUNT, &[], failed(error)))?;
    form_done(RenamePasskey::PATH, ACCOUNT, &[]);
    Ok(())
}

/// Takes a passkey off the account.
#[server(name = DeletePasskey, prefix = "/sfn", endpoint = "identity/delete_passkey")]
pub async fn delete_passkey(id: PasskeyId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .delete_passkey(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeletePasskey::PATH, ACCOUNT, &[], failed(error)))?;
    form_done(DeletePasskey::PATH, ACCOUNT, &[]);
    Ok(())
}

/// The forms of the card, made while the page begins.
#[derive(Clone, Copy)]
struct Forms {
    add: FormState,
    rename: FormState,
    delete: FormState,
    remove_app: FormState,
    renew: FormState,
}

/// Codes just made, with JavaScript or without; shown this once.
fn new_codes(form: FormState) -> Option<Vec<String>> {
    let typed = || form.outcome("codes").map(|codes| codes.split(' ').map(ToOwned::to_owned).collect());
    form.answer::<Vec<String>>().or_else(typed).filter(|codes| codes.iter().any(|code| !code.is_empty()))
}

/// The card of the account page.
#[component]
pub fn FactorsCard() -> impl IntoView {
    let forms = Forms {
        add: FormState::of::<AddPasskey>(),
        rename: FormState::of::<RenamePasskey>(),
        delete: FormState::of::<DeletePasskey>(),
        remove_app: FormState::of::<RemoveApp>(),
        renew: FormState::of::<RenewRecoveryCodes>(),
    };
    let factors = load(|| Some(MyFactors {}));
    Effect::new(move |before: Option<u32>| {
        let all = [forms.add, forms.rename, forms.delete, forms.remove_app, forms.renew];
        let changes = FormState::successes_of(&all);
        if before.is_some_and(|before| before != changes) {
            factors.refetch();
        }
        changes
    });
    let toast = use_toasts();
    Effect::new(move |_| {
        if forms.add.successes.get() > 0 {
            toast("Passkey added".to_owned());
        }
    });
    let codes = move || new_codes(forms.renew).or_else(|| new_codes(forms.add));
    view! {
        <section class="card" aria-labelledby="factors-title">
            <div class="card-head">
                <h2 id="factors-title">"Beyond the password"</h2>
            </div>
            {[forms.rename, forms.delete, forms.remove_app, forms.renew]
                .map(|form| view! { <ErrorSummary form shown=&[] /> })
                .collect_view()}
            {move || codes().map(|codes| view! { <RecoveryCodes codes /> })}
            <Transition>
                {move || {
                    factors
                        .get()
                        .map(|factors| match read::<Factors>(factors) {
                            Ok(factors) => view! { <FactorList factors forms /> }.into_any(),
                            Err(failure) => view! { <ProblemView failure /> }.into_any(),
                        })
                }}
            </Transition>
            <div class="passkey-form">
                <Dialog label="Add a passkey" glyph=Glyph::Plus open=forms.add.came_back() class="button">
                    <PostForm form=forms.add id="add-passkey">
                        <ErrorSummary form=forms.add shown=&["name"] />
                        <TextField
                            form=forms.add
                            name="name"
                            id="passkey-name"
                            label="Name"
                            required=true
                            maxlength=60
                            autocomplete="off"
                            help="Such as the device it is on. You then confirm with that device."
                        />
                        <PasskeyFields kind="create" begin=BeginPasskey::PATH />
                        <SubmitButton label="Make passkey" glyph=Glyph::Key pending=forms.add.pending() />
                    </PostForm>
                </Dialog>
            </div>
        </section>
    }
}

#[component]
fn FactorList(factors: Factors, forms: Forms) -> impl IntoView {
    let second_step = factors.second_step();
    let codes_left = factors.recovery_codes_left;
    view! {
        <p class="quiet">
            {if second_step {
                "Signing in with the password wants a second step. A passkey alone signs in, too."
            } else {
                "A stolen password is enough to sign in as you. A passkey or an authenticator app changes that."
            }}
        </p>
        <ul class="sessions factors">
            {factors.passkeys.into_iter().map(|passkey| view! { <PasskeyEntry passkey forms /> }).collect_view()}
            <li>
                <span class="session-name">
                    <strong>"Authenticator app"</strong>
                    <span class="sub">"Six digits from your phone, each time you sign in"</span>
                </span>
                {if factors.totp {
                    view! {
                        <Badge tone=Tone::Ok glyph=Glyph::Check word="Set up" />
                        <Dialog label="Remove" glyph=Glyph::Trash class="button button-small">
                            <PostForm form=forms.remove_app id="remove-app">
                                <p>"Its codes are no longer asked for when you sign in."</p>
                                <SubmitButton
                                    label="Remove the app"
                                    class="button button-danger"
                                    pending=forms.remove_app.pending()
                                />
                            </PostForm>
                        </Dialog>
                    }
                        .into_any()
                } else {
                    view! {
                        <a class="button button-small" href=APP>
                            "Set up"
                        </a>
                    }
                        .into_any()
                }}
            </li>
            {second_step
                .then(|| {
                    view! {
                        <li>
                            <span class="session-name">
                                <strong>"Recovery codes"</strong>
                                <span class="sub">{codes_left} " left, for when everything else is lost"</span>
                            </span>
                            <Dialog label="New codes" glyph=Glyph::Key class="button button-small">
                                <PostForm form=forms.renew id="renew-codes">
                                    <p>"The codes you have now stop working."</p>
                                    <SubmitButton label="Make new codes" pending=forms.renew.pending() />
                                </PostForm>
                            </Dialog>
                        </li>
                    }
                })}
        </ul>
    }
}

#[component]
fn PasskeyEntry(passkey: Passkey, forms: Forms) -> impl IntoView {
    let field = format!("passkey-{}", passkey.id);
    let id = StoredValue::new(passkey.id.to_string());
    view! {
        <li>
            <span class="session-name">
                <strong>{passkey.name.clone()}</strong>
                <span class="sub">
                    "Passkey, "
                    {match passkey.last_used_at {
                        Some(_) => view! { "used " <Ago at=Signal::stored(passkey.last_used_at) /> }.into_any(),
                        None => view! { "made " <Ago at=Signal::stored(Some(passkey.created_at)) /> }.into_any(),
                    }}
                </span>
            </span>
            <div class="page-actions">
                <Dialog label="Rename" glyph=Glyph::Edit class="button button-small">
                    <PostForm form=forms.rename>
                        <input type="hidden" name="id" value=id.get_value() />
                        <TextField
                            form=forms.rename
                            name="name"
                            id=field
                            label="Name"
                            value=passkey.name
                            required=true
                            maxlength=60
                        />
                        <SubmitButton label="Rename" pending=forms.rename.pending() />
                    </PostForm>
                </Dialog>
                <Confirm
                    form=forms.delete
                    id=id.get_value()
                    label="Delete"
                    text="You no longer sign in with it. Remove it from the device, too."
                    confirm="Delete passkey"
                />
            </div>
        </li>
    }
}

/// Shown once, to be kept.
#[component]
fn RecoveryCodes(codes: Vec<String>) -> impl IntoView {
    let text = codes.join("\n");
    view! {
        <div class="recovery" role="status">
            <p class="note note-attention">
                <Icon glyph=Glyph::Key />
                <span>
                    "Keep these recovery codes where you find them without your phone. Each signs you in once when everything else is lost. They are not shown again."
                </span>
            </p>
            <ul class="recovery-codes" data-testid="recovery-codes">
                {codes.into_iter().map(|code| view! { <li><code>{code}</code></li> }).collect_view()}
            </ul>
            <CopyButton text=Signal::stored(text) what="recovery codes" />
        </div>
    }
}

/// `/account/app`.
#[component]
pub fn AppPage() -> impl IntoView {
    let begin = FormState::of::<BeginApp>();
    let confirm = FormState::of::<ConfirmApp>();
    let pending = load(|| Some(PendingApp {}));
    Effect::new(move |before: Option<u32>| {
        let changes = begin.successes.get();
        if before.is_some_and(|before| before != changes) {
            pending.refetch();
        }
        changes
    });
    view! {
        <Title text="Authenticator app" />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href=ACCOUNT>"Account"</a>
        </nav>
        <div class="page-head">
            <h1>"Authenticator app"</h1>
        </div>
        {move || match new_codes(confirm) {
            Some(codes) => {
                view! {
                    <section class="card card-form">
                        <h2>"Your app is set up"</h2>
                        <RecoveryCodes codes />
                        <p class="actions">
                            <a class="button button-primary" href=ACCOUNT>"I have kept them"</a>
                        </p>
                    </section>
                }
                    .into_any()
            }
            None => {
                view! {
                    <Transition>
                        {move || {
                            pending
                                .get()
                                .map(|pending| match read::<Option<TotpEnrolment>>(pending) {
                                    Ok(Some(enrolment)) => view! { <Enrolment enrolment confirm /> }.into_any(),
                                    Ok(None) => view! { <BeginCard begin /> }.into_any(),
                                    Err(failure) => view! { <ProblemView failure /> }.into_any(),
                                })
                        }}
                    </Transition>
                }
                    .into_any()
            }
        }}
    }
}

#[component]
fn BeginCard(begin: FormState) -> impl IntoView {
    view! {
        <section class="card card-form">
            <p>
                "An authenticator app on your phone shows six digits that change every half minute. With it, a stolen password alone opens nothing."
            </p>
            <PostForm form=begin id="begin-app">
                <ErrorSummary form=begin shown=&[] />
                <p class="actions">
                    <SubmitButton label="Set up an app" pending=begin.pending() />
                </p>
            </PostForm>
        </section>
    }
}

#[component]
fn Enrolment(enrolment: TotpEnrolment, confirm: FormState) -> impl IntoView {
    let secret = enrolment.secret.clone();
    view! {
        <section class="card card-form enrolment">
            <ol>
                <li>
                    <p>"Scan this with the app:"</p>
                    <div class="qr" role="img" aria-label="QR code for the app" inner_html=enrolment.qr_svg></div>
                    <p class="quiet">"Or type this key in:"</p>
                    <p class="inline">
                        <code data-testid="totp-secret">{enrolment.secret}</code>
                        <CopyButton text=Signal::stored(secret) what="key" />
                    </p>
                </li>
                <li>
                    <p>"Enter the six digits that it shows:"</p>
                    <PostForm form=confirm id="confirm-app">
                        <ErrorSummary form=confirm shown=&["code"] />
                        <TextField
                            form=confirm
                            name="code"
                            label="Code"
                            required=true
                            autocomplete="one-time-code"
                            maxlength=10
                        />
                        <SubmitButton label="Finish" pending=confirm.pending() />
                    </PostForm>
                </li>
            </ol>
        </section>
    }
}

impl Ask for MyFactors {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl Ask for PendingApp {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
