//! `/users`: who may use this Portico. For administrators.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use portico_model::identity::User;
use portico_model::{Page, UserId};

use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::load::{Ask, given, load, reload_when};
use crate::time::Ago;
use crate::ui::list::asked;
use crate::ui::toast::use_toasts;
use crate::ui::{
    Badge, Choice, Dialog, EmptyState, ErrorSummary, Filters, Glyph, Listed, Pages, SelectField, SubmitButton,
    TextField, TextFilter, Tone,
};
use crate::viewer::use_viewer;

const NEW_FIELDS: &[&str] = &["username", "email", "password", "role"];

/// A page of the accounts.
#[server(name = ListUsers, prefix = "/sfn", endpoint = "identity/users", input = GetUrl)]
pub async fn list_users(
    #[server(default)] search: String,
    #[server(default)] cursor: String,
) -> Result<Page<User>, Failure> {
    use crate::server::{actor, failed, identity};

    const PAGE_SIZE: i64 = 50;
    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    identity()?.users(&actor()?, some(search), some(cursor), PAGE_SIZE).await.map_err(failed)
}

/// Makes an account.
#[server(name = CreateUser, prefix = "/sfn", endpoint = "identity/create_user")]
pub async fn create_user(username: String, email: String, password: String, role: String) -> Result<User, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::NewUser;
    use portico_model::identity::Role;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let values = [("username", username.clone()), ("email", email.clone()), ("role", role.clone())];
    let refuse = |failure| {
        let values: Vec<_> = values.iter().map(|(name, text)| (*name, text.as_str())).collect();
        form_failed(CreateUser::PATH, "/users", &values, failure)
    };
    let Some(role) = Role::parse(&role) else {
        return Err(refuse(Failure::field("role", "Choose one of the roles.")));
    };
    let user = identity()?
        .create_user(&actor()?, NewUser { username, email, password, role })
        .await
        .map_err(|error| refuse(failed(error)))?;
    form_done(CreateUser::PATH, "/users", &[]);
    Ok(user)
}

/// Changes what an account may do.
#[server(name = SetRole, prefix = "/sfn", endpoint = "identity/set_role")]
pub async fn set_role(id: UserId, role: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::UserChange;
    use portico_model::identity::Role;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let change = UserChange { role: Role::parse(&role), ..UserChange::default() };
    identity()?
        .update_user(&actor()?, id, change)
        .await
        .map_err(|error| form_failed(SetRole::PATH, "/users", &[], failed(error)))?;
    form_done(SetRole::PATH, "/users", &[]);
    Ok(())
}

/// Lets an account in, or keeps it out and ends its sessions.
#[server(name = SetUserActive, prefix = "/sfn", endpoint = "identity/set_user_active")]
pub async fn set_user_active(id: UserId, active: bool) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .set_user_active(&actor()?, id, active)
        .await
        .map_err(|error| form_failed(SetUserActive::PATH, "/users", &[], failed(error)))?;
    form_done(SetUserActive::PATH, "/users", &[]);
    Ok(())
}

pub(super) fn role_choices() -> Vec<Choice> {
    vec![
        Choice { value: "user", label: "User: own devices" },
        Choice { value: "reception", label: "Reception" },
        Choice { value: "safety", label: "Safety: sees all devices" },
        Choice { value: "manager", label: "Manager: all devices" },
        Choice { value: "admin", label: "Administrator: everything" },
    ]
}

/// The page.
#[component]
pub fn UsersPage() -> impl IntoView {
    let [search, cursor] = ["search", "cursor"].map(asked);
    let create = FormState::of::<CreateUser>();
    let set_role = FormState::of::<SetRole>();
    let set_active = FormState::of::<SetUserActive>();
    let page = load(move || Some(ListUsers { search: search.get(), cursor: cursor.get() }));
    reload_when(page, move || create.successes.get() + set_role.successes.get() + set_active.successes.get());
    let created = Signal::derive(move || create.successes.get() > 0);
    let toast = use_toasts();
    Effect::new(move |_| {
        if let Some(user) = create.answer::<User>() {
            toast(format!("{} can sign in now", user.username));
        }
    });
    let list = move |page: Page<User>| view! { <UserTable page set_role set_active /> }.into_any();
    let empty = || {
        view! {
            <EmptyState
                glyph=Glyph::Users
                title="Nobody matches"
                text="Search looks into user names and e-mail addresses."
            >
                <a class="button" href="/users">
                    "Show everyone"
                </a>
            </EmptyState>
        }
        .into_any()
    };
    view! {
        <Title text="People" />
        <div class="page-head">
            <h1>"People"</h1>
            <div class="page-actions">
                <a class="button" href="/invitations">"Invitations"</a>
                <Dialog
                    label="Add person"
                    glyph=Glyph::Plus
                    class="button button-primary"
                    open=create.came_back()
                    done=created
                >
                    <PostForm form=create id="create-user">
                        <ErrorSummary form=create shown=NEW_FIELDS />
                        <TextField form=create name="username" label="User name" required=true autocomplete="off" />
                        <TextField
                            form=create
                            name="email"
                            label="E-mail"
                            kind="email"
                            required=true
                            autocomplete="off"
                        />
                        <TextField
                            form=create
                            name="password"
                            label="First password"
                            kind="password"
                            required=true
                            minlength=12
                            autocomplete="new-password"
                            help="At least 12 characters. They can change it on their account page."
                        />
                        <SelectField
                            form=create
                            name="role"
                            label="Role"
                            choices=role_choices()
                            value="user"
                        />
                        <SubmitButton label="Add person" pending=create.pending() />
                    </PostForm>
                </Dialog>
            </div>
        </div>
        <Filters action="/users">
            <TextFilter name="search" label="Search" kind="search" placeholder="User name or e-mail" wide=true />
        </Filters>
        <ErrorSummary form=set_role shown=&[] />
        <ErrorSummary form=set_active shown=&[] />
        <Listed
            page
            what="people"
            list
            empty
        />
    }
}

#[component]
fn UserTable(page: Page<User>, set_role: FormState, set_active: FormState) -> impl IntoView {
    let next = page.next;
    let me = use_viewer().map(|viewer| viewer.id);
    view! {
        <div class="table-wrap">
            <table class="table table-users">
                <caption class="hidden">"People"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Person"</th>
                        <th scope="col">"Role"</th>
                        <th scope="col">"Last signed in"</th>
                        <th scope="col">
                            <span class="hidden">"Actions"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {page
                        .items
                        .into_iter()
                        .map(|user| {
                            let is_me = me == Some(user.id);
                            view! { <UserRow user is_me set_role set_active /> }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </div>
        <Pages next />
    }
}

#[component]
fn UserRow(user: User, is_me: bool, set_role: FormState, set_active: FormState) -> impl IntoView {
    let id = StoredValue::new(user.id.to_string());
    let role = user.role.as_str();
    let label = format!("Role of {}", user.username);
    view! {
        <tr>
            <td class="cell-state">
                {if user.is_active {
                    view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="Active" /> }
                } else {
                    view! { <Badge tone=Tone::Neutral glyph=Glyph::Pause word="Inactive" /> }
                }}
            </td>
            <th scope="row" class="cell-name">
                <span>
                    <a href=format!("/users/{}", user.id)>{user.username.clone()}</a>
                    {is_me.then_some(" (you)")}
                </span>
                <span class="sub">{user.email}</span>
            </th>
            <td class="cell-role">
                <PostForm form=set_role class="inline">
                    <input type="hidden" name="id" value=id.get_value() />
                    <select name="role" aria-label=label disabled=is_me>
                        {role_choices()
                            .into_iter()
                            .map(|choice| {
                                view! {
                                    <option value=choice.value selected=choice.value == role>
                                        {choice.label}
                                    </option>
                                }
                            })
                            .collect_view()}
                    </select>
                    <button class="button button-small" type="submit" disabled=is_me>"Set role"</button>
                </PostForm>
            </td>
            <td class="cell-seen">
                <Ago at=Signal::stored(user.last_login_at) />
            </td>
            <td class="cell-actions">
                {(!is_me)
                    .then(|| {
                        view! {
                            <PostForm form=set_active class="inline">
                                <input type="hidden" name="id" value=id.get_value() />
                                <input
                                    type="hidden"
                                    name="active"
                                    value=if user.is_active { "false" } else { "true" }
                                />
                                <button class="button button-small" type="submit">
                                    {if user.is_active { "Deactivate" } else { "Activate" }}
                                </button>
                            </PostForm>
                        }
                    })}
            </td>
        </tr>
    }
}

impl Ask for ListUsers {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("search", &self.search), ("cursor", &self.cursor)])
    }
}
