//! `/setup?token=…`: the one-time page that makes the organisation and its first administrator.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::{SetUp, SetupNeeded};
use crate::form::FormState;
use crate::layout::BarePage;
use crate::load::{load, read};
use crate::ui::{EmptyState, ErrorSummary, Glyph, ProblemView, SubmitButton, TextField};

const FIELDS: &[&str] = &["organization_name", "username", "email", "password"];

/// The page.
#[component]
pub fn SetupPage() -> impl IntoView {
    let setup = load(|| Some(SetupNeeded {}));
    // Outside the suspense: what a post left behind is read while the page begins.
    let form = FormState::of::<SetUp>();
    view! {
        <Title text="Set up" />
        <BarePage>
            <Transition>
                {move || {
                    setup
                        .get()
                        .map(|needed| match read::<bool>(needed) {
                            Ok(true) => view! { <SetupForm form /> }.into_any(),
                            Ok(false) => {
                                view! {
                                    <EmptyState
                                        whole_page=true
                                        glyph=Glyph::Check
                                        title="Portico is set up"
                                        text="The set-up link works only once. Ask an administrator for an account, or sign in."
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
fn SetupForm(form: FormState) -> impl IntoView {
    let query = use_query_map();
    let token = move || query.with(|query| query.get("token").unwrap_or_default());
    view! {
        <section class="card card-narrow">
            <h1>"Set up Portico"</h1>
            <p class="quiet">"This makes your organisation and its first administrator. The link works once."</p>
            <form method="post" action=SetUp::PATH class="form" id="set-up">
                <ErrorSummary form shown=FIELDS />
                <input type="hidden" name="token" value=token />
                <TextField
                    form
                    name="organization_name"
                    label="Organisation"
                    required=true
                    help="The company or building, as people call it."
                    autocomplete="organization"
                    autofocus=true
                />
                <TextField form name="username" label="Your user name" required=true autocomplete="username" />
                <TextField form name="email" label="Your e-mail" kind="email" required=true autocomplete="email" />
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
                <SubmitButton label="Set up Portico" class="button button-primary button-wide" />
            </form>
        </section>
    }
}
