//! `/invitations`: who is invited, for administrators; `/invitation?token=…`: making the account that is offered.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use portico_model::identity::{Invitation, InvitationState, OfferedAccount};
use portico_model::{InvitationId, Page};

use super::users::role_choices;
use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::layout::BarePage;
use crate::load::{Ask, given, load, read};
use crate::time::Ago;
use crate::ui::toast::use_toasts;
use crate::ui::{
    Badge, Dialog, EmptyState, ErrorSummary, Glyph, Icon, ProblemView, SelectField, SubmitButton, TextField, Tone,
};

const PAGE: &str = "/invitations";

/// A page of the invitations.
#[server(name = ListInvitations, prefix = "/sfn", endpoint = "identity/invitations", input = GetUrl)]
pub async fn list_invitations(#[server(default)] cursor: String) -> Result<Page<Invitation>, Failure> {
    use crate::server::{actor, failed, identity};

    const PAGE_SIZE: i64 = 50;
    let cursor = Some(cursor.trim()).filter(|cursor| !cursor.is_empty());
    identity()?.invitations(&actor()?, cursor, PAGE_SIZE).await.map_err(failed)
}

/// Invites an address.
#[server(name = Invite, prefix = "/sfn", endpoint = "identity/invite")]
pub async fn invite(email: String, role: String) -> Result<Invitation, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::identity::Role;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let values = [("email", &*email), ("role", &*role)];
    let Some(chosen) = Role::parse(&role) else {
        let failure = Failure::field("role", "Choose one of the roles.");
        return Err(form_failed(Invite::PATH, PAGE, &values, failure));
    };
    let invitation = identity()?
        .invite(&actor()?, &email, chosen)
        .await
        .map_err(|error| form_failed(Invite::PATH, PAGE, &values, failed(error)))?;
    form_done(Invite::PATH, PAGE, &[]);
    Ok(invitation)
}

/// Sends an invitation again.
#[server(name = ResendInvitation, prefix = "/sfn", endpoint = "identity/resend_invitation")]
pub async fn resend_invitation(id: InvitationId) -> Result<Invitation, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let invitation = identity()?
        .resend_invitation(&actor()?, id)
        .await
        .map_err(|error| form_failed(ResendInvitation::PATH, PAGE, &[], failed(error)))?;
    form_done(ResendInvitation::PATH, PAGE, &[]);
    Ok(invitation)
}

/// Makes an invitation's link worthless.
#[server(name = RevokeInvitation, prefix = "/sfn", endpoint = "identity/revoke_invitation")]
pub async fn revoke_invitation(id: InvitationId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .revoke_invitation(&actor()?, id)
        .await
        .map_err(|error| form_failed(RevokeInvitation::PATH, PAGE, &[], failed(error)))?;
    form_done(RevokeInvitation::PATH, PAGE, &[]);
    Ok(())
}

/// What the link offers.
#[server(name = Offered, prefix = "/sfn", endpoint = "identity/offered_account", input = GetUrl)]
pub async fn offered(#[server(default)] token: String) -> Result<OfferedAccount, Failure> {
    use crate::server::{failed, identity};

    identity()?.offered_account(&token).await.map_err(failed)
}

/// Makes the account and signs in.
#[server(name = AcceptInvitation, prefix = "/sfn", endpoint = "identity/accept_invitation")]
pub async fn accept_invitation(token: String, username: String, password: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::SessionKind;

    use crate::server::{failed, form_done, form_failed, identity, percent_encode, request_context, sign_in_browser};

    let kind = SessionKind::Browser;
    match identity()?.accept_invitation(&token, &username, &password, kind, &request_context()?).await {
        Ok(signed_in) => {
            sign_in_browser(&signed_in);
            form_done(AcceptInvitation::PATH, "/", &[]);
            Ok(())
        }
        Err(error) => {
            let page = format!("/invitation?token={}", percent_encode(&token));
            Err(form_failed(AcceptInvitation::PATH, &page, &[("username", &username)], failed(error)))
        }
    }
}

/// `/invitations`.
#[component]
pub fn InvitationsPage() -> impl IntoView {
    let map = use_query_map();
    let cursor = Memo::new(move |_| map.with(|map| map.get("cursor").unwrap_or_default()));
    let invite = FormState::of::<Invite>();
    let resend = FormState::of::<ResendInvitation>();
    let revoke = FormState::of::<RevokeInvitation>();
    let page = load(move || Some(ListInvitations { cursor: cursor.get() }));
    Effect::new(move |before: Option<u32>| {
        let changes = invite.successes.get() + resend.successes.get() + revoke.successes.get();
        if before.is_some_and(|before| before != changes) {
            page.refetch();
        }
        changes
    });
    let toast = use_toasts();
    for form in [invite, resend] {
        Effect::new(move |_| {
            if let Some(invitation) = form.answer::<Invitation>() {
                toast(format!("An invitation is on its way to {}", invitation.email));
            }
        });
    }
    let invited = Signal::derive(move || invite.successes.get() > 0);
    view! {
        <Title text="Invitations" />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/users">"People"</a>
        </nav>
        <div class="page-head">
            <h1>"Invitations"</h1>
            <div class="page-actions">
                <Dialog
                    label="Invite"
                    glyph=Glyph::Plus
                    class="button button-primary"
                    open=invite.came_back()
                    done=invited
                >
                    <PostForm form=invite id="invite">
                        <ErrorSummary form=invite shown=&["email", "role"] />
                        <TextField
                            form=invite
                            name="email"
                            label="E-mail"
                            kind="email"
                            required=true
                            autocomplete="off"
                            help="A link to make the account is sent there."
                        />
                        <SelectField form=invite name="role" label="Role" choices=role_choices() value="user" />
                        <SubmitButton label="Send invitation" pending=invite.pending() />
                    </PostForm>
                </Dialog>
            </div>
        </div>
        <ErrorSummary form=resend shown=&[] />
        <ErrorSummary form=revoke shown=&[] />
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading invitations"</p> }>
            {move || {
                page.get()
                    .map(|answer| match read::<Page<Invitation>>(answer) {
                        Ok(page) if page.items.is_empty() => {
                            view! {
                                <EmptyState
                                    glyph=Glyph::Users
                                    title="Nobody is invited"
                                    text="An invitation is a link, sent by e-mail, with which someone makes an account with the role you choose."
                                />
                            }
                                .into_any()
                        }
                        Ok(page) => view! { <InvitationTable page resend revoke /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn InvitationTable(page: Page<Invitation>, resend: FormState, revoke: FormState) -> impl IntoView {
    let next = page.next.as_deref().map(|cursor| format!("{PAGE}?cursor={}", crate::browser::encode(cursor)));
    view! {
        <div class="table-wrap">
            <table class="table table-users">
                <caption class="hidden">"Invitations"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Address"</th>
                        <th scope="col">"Role"</th>
                        <th scope="col">"Sent"</th>
                        <th scope="col">
                            <span class="hidden">"Actions"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {page
                        .items
                        .into_iter()
                        .map(|invitation| view! { <InvitationRow invitation resend revoke /> })
                        .collect_view()}
                </tbody>
            </table>
        </div>
        <nav class="pages" aria-label="Pages">
            {next
                .map(|href| {
                    view! {
                        <a class="button" href=href rel="next">
                            "Next page"
                            <Icon glyph=Glyph::Next />
                        </a>
                    }
                })}
        </nav>
    }
}

#[component]
fn InvitationRow(invitation: Invitation, resend: FormState, revoke: FormState) -> impl IntoView {
    let id = StoredValue::new(invitation.id.to_string());
    let (tone, glyph, word) = match invitation.state {
        InvitationState::Open => (Tone::Attention, Glyph::Clock, "Open"),
        InvitationState::Accepted => (Tone::Ok, Glyph::Check, "Accepted"),
        InvitationState::Revoked => (Tone::Neutral, Glyph::Cross, "Revoked"),
        InvitationState::Expired => (Tone::Neutral, Glyph::Clock, "Expired"),
    };
    let pending = matches!(invitation.state, InvitationState::Open | InvitationState::Expired);
    view! {
        <tr>
            <td class="cell-state">
                <Badge tone glyph word />
            </td>
            <th scope="row" class="cell-name">
                <span>{invitation.email}</span>
                {invitation.invited_by.map(|by| view! { <span class="sub">"invited by " {by}</span> })}
            </th>
            <td class="cell-role">{invitation.role.as_str()}</td>
            <td class="cell-seen">
                <Ago at=Signal::stored(Some(invitation.sent_at)) />
            </td>
            <td class="cell-actions">
                {pending
                    .then(|| {
                        view! {
                            <div class="page-actions">
                                <PostForm form=resend class="inline">
                                    <input type="hidden" name="id" value=id.get_value() />
                                    <button class="button button-small" type="submit">"Send again"</button>
                                </PostForm>
                                <PostForm form=revoke class="inline">
                                    <input type="hidden" name="id" value=id.get_value() />
                                    <button class="button button-small" type="submit">"Revoke"</button>
                                </PostForm>
                            </div>
                        }
                    })}
            </td>
        </tr>
    }
}

/// `/invitation`.
#[component]
pub fn InvitationPage() -> impl IntoView {
    let query = use_query_map();
    let form = FormState::of::<AcceptInvitation>();
    let token = Memo::new(move |_| query.with(|query| query.get("token").unwrap_or_default()));
    let offered = load(move || Some(Offered { token: token.get() }));
    view! {
        <Title text="Your invitation" />
        <BarePage>
            <Transition>
                {move || {
                    offered
                        .get()
                        .map(|offered| match read::<OfferedAccount>(offered) {
                            Ok(offered) => view! { <AcceptForm form token=token.into() offered /> }.into_any(),
                            Err(failure) if failure.status == 403 => {
                                view! {
                                    <EmptyState
                                        whole_page=true
                                        glyph=Glyph::Clock
                                        title="This invitation is not valid any more"
                                        text="It was used, revoked, or is too old. Ask whoever invited you to send it again."
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
fn AcceptForm(form: FormState, token: Signal<String>, offered: OfferedAccount) -> impl IntoView {
    view! {
        <section class="card card-narrow">
            <h1>"Welcome to " {offered.organization_name}</h1>
            <p class="quiet">"Your account for " {offered.email} ", as " {offered.role.as_str()} "."</p>
            <form method="post" action=AcceptInvitation::PATH class="form" id="accept-invitation">
                <ErrorSummary form shown=&["username", "password"] />
                <input type="hidden" name="token" value=move || token.get() />
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
        </section>
    }
}

impl Ask for ListInvitations {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("cursor", &self.cursor)])
    }
}

impl Ask for Offered {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("token", self.token.clone())]
    }
}
