//! `/users/:id`: one person, for administrators; and what Portico knows of a person, for export and erasure.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::UserId;
use portico_model::identity::{Role, Session, User};
use serde::{Deserialize, Serialize};

use super::account::SessionName;
use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::load::{Ask, given, load, read, reload_when};
use crate::time::{Ago, Moment};
use crate::ui::{Badge, Dialog, ErrorSummary, Glyph, Icon, ProblemView, SubmitButton, TextField, Tone};

/// A person as an administrator sees him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub user: User,
    pub sessions: Vec<Session>,
    pub is_me: bool,
}

/// The person of this id.
#[server(name = ReadPerson, prefix = "/sfn", endpoint = "identity/person", input = GetUrl)]
pub async fn read_person(id: String) -> Result<Person, Failure> {
    use portico_platform::Error;

    use crate::server::{actor, failed, identity};

    let (actor, identity) = (actor()?, identity()?);
    let id: UserId = id.parse().map_err(|_| failed(Error::not_found("user_not_found", "There is no such person.")))?;
    let sessions = identity.user_sessions(&actor, id).await.map_err(failed)?;
    let user = identity.get_user(&actor, id).await.map_err(failed)?;
    Ok(Person { user, sessions, is_me: actor.user_id() == Some(id) })
}

/// Ends one of the person's sessions.
#[server(name = EndPersonSession, prefix = "/sfn", endpoint = "identity/end_person_session")]
pub async fn end_person_session(id: portico_model::SessionId, user: UserId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let page = format!("/users/{user}");
    identity()?
        .end_session(&actor()?, id)
        .await
        .map_err(|error| form_failed(EndPersonSession::PATH, &page, &[], failed(error)))?;
    form_done(EndPersonSession::PATH, &page, &[]);
    Ok(())
}

/// Forgets a person. `own`: he himself asks, from his account page.
#[server(name = ErasePerson, prefix = "/sfn", endpoint = "identity/erase_person")]
pub async fn erase_person(id: UserId, confirm: String, #[server(default)] own: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_failed, identity, sign_out_browser};

    let page = if own.is_empty() { format!("/users/{id}") } else { "/account".to_owned() };
    let actor = actor()?;
    identity()?
        .erase_user(&actor, id, &confirm)
        .await
        .map_err(|error| form_failed(ErasePerson::PATH, &page, &[], failed(error)))?;
    if actor.user_id() == Some(id) {
        sign_out_browser();
        leptos_axum::redirect("/login?signed_out=1");
    } else {
        leptos_axum::redirect("/users");
    }
    Ok(())
}

impl Ask for ReadPerson {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("id", &self.id)])
    }
}

/// The page.
#[component]
pub fn PersonPage() -> impl IntoView {
    let map = use_params_map();
    let id = Memo::new(move |_| map.with(|map| map.get("id").unwrap_or_default()));
    let end = FormState::of::<EndPersonSession>();
    let erase = FormState::of::<ErasePerson>();
    let person = load(move || Some(ReadPerson { id: id.get() }));
    reload_when(person, move || end.successes.get());
    view! {
        <Title text="Person" />
        <nav class="crumbs" aria-label="Where you are">
            <a href="/users">"People"</a>
        </nav>
        <ErrorSummary form=end shown=&[] />
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading person"</p> }>
            {move || {
                person
                    .get()
                    .map(|answer| match read::<Person>(answer) {
                        Ok(person) => view! { <PersonView person end erase /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn PersonView(person: Person, end: FormState, erase: FormState) -> impl IntoView {
    let Person { user, sessions, is_me } = person;
    let id = user.id.to_string();
    let trail = format!("/audit?target=user:{id}");
    view! {
        <div class="page-head">
            <div class="title-line">
                <h1>{user.username.clone()}</h1>
                {if user.is_active {
                    view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="Active" /> }
                } else {
                    view! { <Badge tone=Tone::Neutral glyph=Glyph::Pause word="Inactive" /> }
                }}
            </div>
        </div>
        <div class="columns">
            <section class="card" aria-labelledby="person-title">
                <h2 id="person-title">"Account"</h2>
                <dl class="facts">
                    <dt>"E-mail"</dt>
                    <dd>{user.email.clone()}</dd>
                    <dt>"Role"</dt>
                    <dd>{user.role.as_str()}</dd>
                    <dt>"Made"</dt>
                    <dd>
                        <Moment at=user.created_at />
                    </dd>
                    <dt>"Last signed in"</dt>
                    <dd>
                        <Ago at=Signal::stored(user.last_login_at) />
                    </dd>
                    <dt>"Id"</dt>
                    <dd>
                        <code>{id.clone()}</code>
                    </dd>
                </dl>
                <p>
                    <a href=trail>"What happened to this account"</a>
                </p>
            </section>
            <PersonalData id=user.id username=user.username role=user.role erase own=is_me />
        </div>
        <section class="card" aria-labelledby="person-sessions">
            <div class="card-head">
                <h2 id="person-sessions">"Where they are signed in"</h2>
            </div>
            {if sessions.is_empty() {
                view! { <p class="quiet">"Nowhere at present."</p> }.into_any()
            } else {
                view! {
                    <ul class="sessions">
                        {sessions
                            .into_iter()
                            .map(|session| {
                                let (session_id, user) = (session.id.to_string(), id.clone());
                                view! {
                                    <li>
                                        <SessionName session />
                                        <PostForm form=end class="inline">
                                            <input type="hidden" name="id" value=session_id />
                                            <input type="hidden" name="user" value=user />
                                            <button class="button button-small" type="submit">
                                                "Sign out"
                                            </button>
                                        </PostForm>
                                    </li>
                                }
                            })
                            .collect_view()}
                    </ul>
                }
                    .into_any()
            }}
        </section>
    }
}

/// What Portico knows of a person: to take away, and to be forgotten.
#[component]
pub fn PersonalData(
    id: UserId,
    username: String,
    role: Role,
    erase: FormState,
    /// On the person's own account page.
    own: bool,
) -> impl IntoView {
    let export = format!("/api/v1/users/{id}/export");
    let label = format!("User name, to confirm ({username})");
    view! {
        <section class="card" aria-labelledby="data-title">
            <h2 id="data-title">"Personal data"</h2>
            <p class="quiet">
                "Everything Portico knows of the person: account, sessions, devices, and what the audit trail tells. The export is itself recorded."
            </p>
            <p>
                <a class="button" href=export rel="external" download="portico-person.json">
                    <Icon glyph=Glyph::Download />
                    <span>"Export"</span>
                </a>
            </p>
            {if role == Role::Admin {
                view! {
                    <p class="quiet">"Administrators cannot be erased. Take the role away first."</p>
                }
                    .into_any()
            } else {
                view! {
                    <Dialog
                        label="Erase person"
                        glyph=Glyph::Trash
                        class="button button-danger"
                        open=erase.came_back()
                    >
                        <PostForm form=erase id="erase-person">
                            <ErrorSummary form=erase shown=&["confirm"] />
                            <p>
                                "The account goes for good, with its devices and their measurements; give devices to someone else first if they should stay. The audit trail keeps what happened, under a pseudonym. Nothing brings it back."
                            </p>
                            <input type="hidden" name="id" value=id.to_string() />
                            <input type="hidden" name="own" value=if own { "yes" } else { "" } />
                            <TextField form=erase name="confirm" label required=true autocomplete="off" />
                            <SubmitButton label="Erase person" class="button button-danger" pending=erase.pending() />
                        </PostForm>
                    </Dialog>
                }
                    .into_any()
            }}
        </section>
    }
}
