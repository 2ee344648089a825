//! `/account`: who I am, my password, my sessions, how it looks.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use portico_model::SessionId;
use portico_model::identity::{CurrentUser, Session};

use super::SignOut;
use super::factors::FactorsCard;
use super::person::{ErasePerson, PersonalData};
use super::theme::ThemeChoice;
use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::load::{Ask, load, read};
use crate::time::Ago;
use crate::ui::toast::use_toasts;
use crate::ui::{Badge, Dialog, ErrorSummary, Glyph, Icon, ProblemView, SubmitButton, TextField, Tone};

/// Who is signed in.
#[server(name = Me, prefix = "/sfn", endpoint = "identity/me", input = GetUrl)]
pub async fn me() -> Result<CurrentUser, Failure> {
    use crate::server::{actor, failed, identity};

    identity()?.current_user(&actor()?).await.map_err(failed)
}

/// My sessions, the one used last first.
#[server(name = Sessions, prefix = "/sfn", endpoint = "identity/sessions", input = GetUrl)]
pub async fn sessions() -> Result<Vec<Session>, Failure> {
    use crate::server::{actor, failed, identity};

    identity()?.sessions(&actor()?).await.map_err(failed)
}

/// Ends one of my sessions.
#[server(name = EndSession, prefix = "/sfn", endpoint = "identity/end_session")]
pub async fn end_session(id: SessionId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .end_session(&actor()?, id)
        .await
        .map_err(|error| form_failed(EndSession::PATH, "/account", &[], failed(error)))?;
    form_done(EndSession::PATH, "/account", &[]);
    Ok(())
}

/// Ends all my sessions but this one.
#[server(name = EndOtherSessions, prefix = "/sfn", endpoint = "identity/end_other_sessions")]
pub async fn end_other_sessions() -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let (identity, actor) = (identity()?, actor()?);
    let refuse = |error| form_failed(EndOtherSessions::PATH, "/account", &[], failed(error));
    for session in identity.sessions(&actor).await.map_err(refuse)? {
        if !session.current {
            identity.end_session(&actor, session.id).await.map_err(refuse)?;
        }
    }
    form_done(EndOtherSessions::PATH, "/account", &[]);
    Ok(())
}

/// Changes my password.
#[server(name = ChangePassword, prefix = "/sfn", endpoint = "identity/change_password")]
pub async fn change_password(current_password: String, new_password: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .change_password(&actor()?, &current_password, &new_password)
        .await
        .map_err(|error| form_failed(ChangePassword::PATH, "/account", &[], failed(error)))?;
    form_done(ChangePassword::PATH, "/account", &[("done", "1")]);
    Ok(())
}

/// Changes my user name and e-mail address.
#[server(name = UpdateProfile, prefix = "/sfn", endpoint = "identity/update_profile")]
pub async fn update_profile(username: String, email: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::UserChange;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let actor = actor()?;
    let Some(me) = actor.user_id() else { return Err(Failure::unauthenticated()) };
    let values = [("username", &*username), ("email", &*email)];
    let change = UserChange { username: Some(username.clone()), email: Some(email.clone()), ..UserChange::default() };
    identity()?
        .update_user(&actor, me, change)
        .await
        .map_err(|error| form_failed(UpdateProfile::PATH, "/account", &values, failed(error)))?;
    form_done(UpdateProfile::PATH, "/account", &[]);
    Ok(())
}

/// Sends the link that confirms my address again.
#[server(name = ResendVerification, prefix = "/sfn", endpoint = "identity/resend_verification")]
pub async fn resend_verification() -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .resend_verification(&actor()?)
        .await
        .map_err(|error| form_failed(ResendVerification::PATH, "/account", &[], failed(error)))?;
    form_done(ResendVerification::PATH, "/account", &[("sent", "1")]);
    Ok(())
}

/// The page.
#[component]
pub fn AccountPage() -> impl IntoView {
    let user = load(|| Some(Me {}));
    let end_one = FormState::of::<EndSession>();
    let end_others = FormState::of::<EndOtherSessions>();
    let password = FormState::of::<ChangePassword>();
    let erase = FormState::of::<ErasePerson>();
    let sessions = load(|| Some(Sessions {}));
    let profile = FormState::of::<UpdateProfile>();
    let resend = FormState::of::<ResendVerification>();
    Effect::new(move |before: Option<u32>| {
        let changes = profile.successes.get();
        if before.is_some_and(|before| before != changes) {
            user.refetch();
        }
        changes
    });
    let saved = Signal::derive(move || profile.successes.get() > 0);
    Effect::new(move |before: Option<u32>| {
        let ended = end_one.successes.get() + end_others.successes.get();
        if before.is_some_and(|before| before != ended) {
            sessions.refetch();
        }
        ended
    });
    let toast = use_toasts();
    let changed = move || password.successes.get() > 0 || password.outcome("done").is_some();
    Effect::new(move |_| {
        if password.successes.get() > 0 {
            toast("Password changed".to_owned());
        }
    });
    view! {
        <Title text="Account" />
        <div class="page-head">
            <h1>"Account"</h1>
            <form method="post" action=SignOut::PATH>
                <button class="button" type="submit">
                    <Icon glyph=Glyph::SignOut />
                    <span>"Sign out"</span>
                </button>
            </form>
        </div>
        <div class="columns">
            <section class="card" aria-labelledby="me-title">
                <div class="card-head">
                    <h2 id="me-title">"You"</h2>
                    <Dialog
                        label="Edit"
                        glyph=Glyph::Edit
                        class="button button-small"
                        open=profile.came_back()
                        done=saved
                    >
                        <Transition>
                            {move || {
                                user.get()
                                    .and_then(|user| read::<CurrentUser>(user).ok())
                                    .map(|user| view! { <ProfileForm profile user /> })
                            }}
                        </Transition>
                    </Dialog>
                </div>
                <ErrorSummary form=resend shown=&[] />
                <Transition>
                    {move || {
                        user.get()
                            .map(|user| match read::<CurrentUser>(user) {
                                Ok(user) => {
                                    view! {
                                        <dl class="facts">
                                            <dt>"User name"</dt>
                                            <dd>{user.username}</dd>
                                            <dt>"E-mail"</dt>
                                            <dd>{user.email} " " <Verified verified=user.email_verified_at.is_some() resend /></dd>
                                            <dt>"Role"</dt>
                                            <dd>{user.role.as_str()}</dd>
                                            <dt>"Organisation"</dt>
                                            <dd>{user.organization_name}</dd>
                                        </dl>
                                    }
                                        .into_any()
                                }
                                Err(failure) => view! { <ProblemView failure /> }.into_any(),
                            })
                    }}
                </Transition>
                <h3>"Colours"</h3>
                <ThemeChoice />
            </section>
            <section class="card" aria-labelledby="password-title">
                <h2 id="password-title">"Change password"</h2>
                <p class="note" role="status" hidden=move || !changed()>
                    "The password is changed. Your other sessions were ended."
                </p>
                <PostForm form=password id="change-password">
                    <ErrorSummary form=password shown=&["current_password", "new_password"] />
                    <TextField
                        form=password
                        name="current_password"
                        label="Current password"
                        kind="password"
                        required=true
                        autocomplete="current-password"
                    />
                    <TextField
                        form=password
                        name="new_password"
                        label="New password"
                        kind="password"
                        required=true
                        minlength=12
                        help="At least 12 characters; several unrelated words make a good one."
                        autocomplete="new-password"
                    />
                    <SubmitButton label="Change password" pending=password.pending() />
                </PostForm>
            </section>
        </div>
        <div class="stack">
        <FactorsCard />
        <Transition>
            {move || {
                user.get()
                    .and_then(|user| read::<CurrentUser>(user).ok())
                    .map(|user| {
                        view! { <PersonalData id=user.id username=user.username role=user.role erase own=true /> }
                    })
            }}
        </Transition>
        <section class="card" aria-labelledby="sessions-title">
            <div class="card-head">
                <h2 id="sessions-title">"Where you are signed in"</h2>
                <PostForm form=end_others class="inline">
                    <SubmitButton label="Sign out everywhere else" class="button" pending=end_others.pending() />
                </PostForm>
            </div>
            <ErrorSummary form=end_one shown=&[] />
            <ErrorSummary form=end_others shown=&[] />
            <Transition>
                {move || {
                    sessions
                        .get()
                        .map(|sessions| match read::<Vec<Session>>(sessions) {
                            Ok(sessions) => {
                                view! {
                                    <ul class="sessions">
                                        {sessions
                                            .into_iter()
                                            .map(|session| view! { <SessionEntry session end_one /> })
                                            .collect_view()}
                                    </ul>
                                }
                                    .into_any()
                            }
                            Err(failure) => view! { <ProblemView failure /> }.into_any(),
                        })
                }}
            </Transition>
        </section>
        </div>
    }
}

#[component]
fn ProfileForm(profile: FormState, user: CurrentUser) -> impl IntoView {
    view! {
        <PostForm form=profile id="update-profile">
            <ErrorSummary form=profile shown=&["username", "email"] />
            <TextField
                form=profile
                name="username"
                label="User name"
                value=user.username
                required=true
                autocomplete="username"
            />
            <TextField
                form=profile
                name="email"
                label="E-mail"
                kind="email"
                value=user.email
                required=true
                autocomplete="email"
                help="A new address is confirmed with a link; the old one is told."
            />
            <SubmitButton label="Save" pending=profile.pending() />
        </PostForm>
    }
}

/// Whether the address is confirmed; if not, the way to confirm it.
#[component]
fn Verified(verified: bool, resend: FormState) -> impl IntoView {
    if verified {
        return view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="Confirmed" /> }.into_any();
    }
    let sent = move || resend.successes.get() > 0 || resend.outcome("sent").is_some();
    view! {
        <Badge tone=Tone::Attention glyph=Glyph::Alert word="Not confirmed" />
        <PostForm form=resend id="resend-verification" class="inline">
            <button class="button button-small" type="submit" disabled=sent>
                {move || if sent() { "Link sent" } else { "Send link" }}
            </button>
        </PostForm>
    }
    .into_any()
}

#[component]
fn SessionEntry(session: Session, end_one: FormState) -> impl IntoView {
    let (id, current) = (session.id.to_string(), session.current);
    view! {
        <li>
            <SessionName session />
            {if current {
                view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="This one" /> }.into_any()
            } else {
                view! {
                    <PostForm form=end_one class="inline">
                        <input type="hidden" name="id" value=id />
                        <button class="button button-small" type="submit">"Sign out"</button>
                    </PostForm>
                }
                    .into_any()
            }}
        </li>
    }
}

/// Browser, address and last use of a session.
#[component]
pub(super) fn SessionName(session: Session) -> impl IntoView {
    let browser = browser_name(&session.user_agent);
    view! {
        <span class="session-name">
            <strong title=session.user_agent>{browser}</strong>
            <span class="sub">
                {session.address} ", used " <Ago at=Signal::stored(Some(session.last_used_at)) />
            </span>
        </span>
    }
}

/// What a person calls it: the user agent texts all name each other, so the order of the questions matters.
fn browser_name(user_agent: &str) -> String {
    let has = |part: &str| user_agent.contains(part);
    let browser = if has("Edg/") {
        "Edge"
    } else if has("Firefox/") {
        "Firefox"
    } else if has("Chrome/") || has("Chromium/") {
        "Chrome"
    } else if has("Safari/") {
        "Safari"
    } else {
        return if user_agent.is_empty() { "Unknown client".to_owned() } else { user_agent.chars().take(40).collect() };
    };
    let system = ["Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux"].into_iter().find(|system| has(system));
    match system {
        Some("Mac OS X") => format!("{browser} on macOS"),
        Some(system) => format!("{browser} on {system}"),
        None => browser.to_owned(),
    }
}

impl Ask for Me {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl Ask for Sessions {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart_though_they_name_each_other() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(browser_name(chrome), "Chrome on Linux");
        assert_eq!(browser_name(&format!("{chrome} Edg/140.0")), "Edge on Linux");
        assert_eq!(browser_name("curl/8.5.0"), "curl/8.5.0");
        assert_eq!(browser_name(""), "Unknown client");
    }
}
