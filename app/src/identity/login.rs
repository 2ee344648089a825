//! `/login`.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::{SetupNeeded, SignIn};
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
    let signed_out = move || query.with(|query| query.get("signed_out").is_some());
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
                <p class="note" role="status" hidden=move || !signed_out()>"You are signed out."</p>
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
            </section>
        </BarePage>
    }
}
