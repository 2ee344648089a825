//! Proving again who one is before something sensitive: a dialog over the page, which then goes on with what was asked; or
//! `/step-up` where there is no JavaScript.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use portico_model::identity::{Ceremony, Factor};

use super::passkey::PasskeyFields;
use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::load::{Ask, load, read};
use crate::ui::{ErrorSummary, Glyph, SubmitButton, TextField};

/// What a form that was refused waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proving {
    #[default]
    Idle,
    /// A form wants it: the dialog is open.
    Asked,
    /// Done: the form sends again what it has.
    Proved,
    /// The person would rather not.
    Cancelled,
}

/// The state of the dialog, known to every form.
#[derive(Debug, Clone, Copy)]
pub struct StepUpDialogState(pub RwSignal<Proving>);

pub(crate) fn provide_step_up() {
    provide_context(StepUpDialogState(RwSignal::new(Proving::Idle)));
}

/// The state of the dialog, where there is one.
#[must_use]
pub fn use_step_up() -> Option<StepUpDialogState> {
    use_context::<StepUpDialogState>()
}

/// With what it can be proved, beside the password.
#[server(name = StepUpFactors, prefix = "/sfn", endpoint = "identity/factors_to_step_up", input = GetUrl)]
pub async fn step_up_factors() -> Result<Vec<Factor>, Failure> {
    use crate::server::{actor, failed, identity};

    identity()?.step_up_factors(&actor()?).await.map_err(failed)
}

/// Begins a passkey's ceremony that proves it.
#[server(name = BeginStepUpPasskey, prefix = "/sfn", endpoint = "identity/step_up_passkey")]
pub async fn begin_step_up_passkey() -> Result<Ceremony, Failure> {
    use crate::server::{actor, failed, identity};

    identity()?.begin_step_up_passkey(&actor()?).await.map_err(failed)
}

/// Proves it with the password, a code or a passkey's answer.
#[server(name = StepUp, prefix = "/sfn", endpoint = "identity/step_up")]
pub async fn step_up(
    #[server(default)] password: String,
    #[server(default)] code: String,
    #[server(default)] credential: String,
    #[server(default)] challenge_token: String,
    #[server(default)] next: String,
) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::Proof;

    use crate::server::{actor, failed, form_done, form_failed, identity, local_path, percent_encode};

    let (identity, actor) = (identity()?, actor()?);
    let next = local_path(&next).to_owned();
    let result = if let Ok(answer) = serde_json::from_str(&credential) {
        identity.step_up(&actor, &Proof::Passkey(answer), Some(&challenge_token)).await
    } else if code.trim().is_empty() {
        identity.step_up_with_password(&actor, &password).await
    } else {
        identity.step_up(&actor, &Proof::of_code(&code), None).await
    };
    if let Err(error) = result {
        let page = format!("/step-up?next={}", percent_encode(&next));
        return Err(form_failed(StepUp::PATH, &page, &[], failed(error)));
    }
    form_done(StepUp::PATH, &next, &[]);
    Ok(())
}

/// The forms of the dialog and of the page.
#[component]
fn StepUpForms(
    form: FormState,
    /// Where to go on, without JavaScript.
    next: Signal<String>,
) -> impl IntoView {
    let factors = load(|| Some(StepUpFactors {}));
    let has = move |factor: Factor| {
        factors.get().and_then(|factors| read::<Vec<Factor>>(factors).ok()).is_some_and(|all| all.contains(&factor))
    };
    view! {
        <ErrorSummary form shown=&["password", "code"] />
        <Transition>
            <div hidden=move || !has(Factor::Passkey)>
                <PostForm form id="step-up-passkey" class="form passkey-form">
                    <PasskeyFields kind="get" begin=BeginStepUpPasskey::PATH />
                    <input type="hidden" name="next" value=move || next.get() />
                    <SubmitButton
                        label="Use a passkey"
                        glyph=Glyph::Key
                        class="button button-primary button-wide"
                        pending=form.pending()
                    />
                    <p class="or">"or"</p>
                </PostForm>
            </div>
        </Transition>
        <PostForm form id="step-up">
            <input type="hidden" name="next" value=move || next.get() />
            <TextField
                form
                name="password"
                id="step-up-password"
                label="Password"
                kind="password"
                required=true
                autocomplete="current-password"
                autofocus=true
            />
            <SubmitButton label="Go on" class="button button-primary button-wide" pending=form.pending() />
        </PostForm>
        <Transition>
            <div hidden=move || !has(Factor::Totp)>
                <details class="other-way">
                    <summary>"Use a code of the authenticator app"</summary>
                    <PostForm form id="step-up-code">
                        <input type="hidden" name="next" value=move || next.get() />
                        <TextField
                            form
                            name="code"
                            id="step-up-code-field"
                            label="Code"
                            required=true
                            autocomplete="one-time-code"
                        />
                        <SubmitButton label="Go on" pending=form.pending() />
                    </PostForm>
                </details>
            </div>
        </Transition>
    }
}

/// The page.
#[component]
pub fn StepUpPage() -> impl IntoView {
    let query = use_query_map();
    let form = FormState::of::<StepUp>();
    let next = Signal::derive(move || query.with(|query| query.get("next").unwrap_or_else(|| "/account".to_owned())));
    Effect::new(move |_| {
        if form.successes.get() > 0 {
            crate::browser::go_to(crate::browser::local_path(&next.get_untracked()));
        }
    });
    view! {
        <Title text="Is it you?" />
        <section class="card card-narrow">
            <h1>"Is it you?"</h1>
            <p class="quiet">"You signed in a while ago. Prove once more who you are, then what you began goes on."</p>
            <StepUpForms form next />
        </section>
    }
}

/// The dialog, in the frame of every page.
#[component]
pub fn StepUpDialog() -> impl IntoView {
    let Some(StepUpDialogState(state)) = use_step_up() else { return ().into_any() };
    let element = NodeRef::<leptos::html::Dialog>::new();
    let open = Memo::new(move |_| state.get() == Proving::Asked);
    Effect::new(move |_| {
        let open = open.get();
        if let Some(element) = element.get() {
            if open && !element.open() {
                let _ = element.show_modal();
            } else if !open && element.open() {
                element.close();
            }
        }
    });
    let cancel = move || {
        if state.get_untracked() == Proving::Asked {
            state.set(Proving::Cancelled);
        }
    };
    view! {
        <dialog node_ref=element class="modal" aria-labelledby="step-up-title" on:close=move |_| cancel()>
            {move || open.get().then(|| view! { <DialogContent state /> })}
        </dialog>
    }
    .into_any()
}

#[component]
fn DialogContent(state: RwSignal<Proving>) -> impl IntoView {
    let form = FormState::of::<StepUp>();
    Effect::new(move |_| {
        if form.successes.get() > 0 {
            state.set(Proving::Proved);
        }
    });
    view! {
        <h2 id="step-up-title">"Is it you?"</h2>
        <p class="quiet">"You signed in a while ago. Prove once more who you are, then this goes on."</p>
        <StepUpForms form next=Signal::stored(String::new()) />
        <button type="button" class="button button-wide" on:click=move |_| state.set(Proving::Cancelled)>
            "Cancel"
        </button>
    }
}

impl Ask for StepUpFactors {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
