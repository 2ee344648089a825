//! `/api_keys`: keys of programs that act for the organisation. A key is shown once, when it is made or rotated.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use portico_model::identity::{Permission, ServiceKey};
use portico_model::{Page, ServiceKeyId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::load::{Ask, load, reload_when};
use crate::time::{Ago, Moment, use_now};
use crate::ui::{
    Badge, Choice, CopyButton, Dialog, EmptyState, ErrorSummary, Glyph, Icon, Listed, SelectField, SubmitButton,
    TextField, Tone,
};

#[cfg(feature = "ssr")]
const PAGE: &str = "/api_keys";
const NEW_FIELDS: &[&str] = &["name", "scopes", "expires_at"];

/// A key as it is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownOnce {
    pub name: String,
    pub api_key: String,
}

/// All keys that are not revoked.
#[server(name = ListServiceKeys, prefix = "/sfn", endpoint = "identity/service_keys", input = GetUrl)]
pub async fn list_service_keys() -> Result<Page<ServiceKey>, Failure> {
    use crate::server::{actor, failed, identity};

    let items = identity()?.service_keys(&actor()?, false).await.map_err(failed)?;
    Ok(Page { items, next: None })
}

/// Makes a key that is good for so many days, or for ever when that is empty.
#[server(name = CreateServiceKey, prefix = "/sfn", endpoint = "identity/create_service_key")]
pub async fn create_service_key(
    name: String,
    #[server(default)] scopes: Vec<String>,
    #[server(default)] days: String,
) -> Result<ShownOnce, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::NewServiceKey;

    use crate::server::{actor, failed, form_done, form_failed, identity, now};

    let refuse =
        |failure| form_failed(CreateServiceKey::PATH, PAGE, &[("name", name.as_str()), ("days", &days)], failure);
    let new = NewServiceKey {
        name: name.clone(),
        scopes: scopes.iter().filter_map(|scope| Permission::parse(scope)).collect(),
        expires_at: days.parse().ok().map(|days: i64| now().plus_secs(days.clamp(1, 36_500) * 86_400)),
    };
    let (key, api_key) = identity()?.create_service_key(&actor()?, new).await.map_err(|error| refuse(failed(error)))?;
    form_done(CreateServiceKey::PATH, PAGE, &[("name", &key.name), ("api_key", &api_key)]);
    Ok(ShownOnce { name: key.name, api_key })
}

/// Gives a service a new key; the old one is taken for so many seconds more.
#[server(name = RotateServiceKey, prefix = "/sfn", endpoint = "identity/rotate_service_key")]
pub async fn rotate_service_key(id: ServiceKeyId, overlap_s: i64) -> Result<ShownOnce, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let (key, api_key) = identity()?
        .rotate_service_key(&actor()?, id, Some(overlap_s))
        .await
        .map_err(|error| form_failed(RotateServiceKey::PATH, PAGE, &[], failed(error)))?;
    form_done(RotateServiceKey::PATH, PAGE, &[("name", &key.name), ("api_key", &api_key)]);
    Ok(ShownOnce { name: key.name, api_key })
}

/// Ends a key at once.
#[server(name = RevokeServiceKey, prefix = "/sfn", endpoint = "identity/revoke_service_key")]
pub async fn revoke_service_key(id: ServiceKeyId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    identity()?
        .revoke_service_key(&actor()?, id)
        .await
        .map_err(|error| form_failed(RevokeServiceKey::PATH, PAGE, &[], failed(error)))?;
    form_done(RevokeServiceKey::PATH, PAGE, &[]);
    Ok(())
}

impl Ask for ListServiceKeys {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// What a scope allows, in few words.
const fn meaning(scope: Permission) -> &'static str {
    match scope {
        Permission::ReadAllDevices => "See every device and its measurements",
        Permission::ManageAllDevices => "Change every device, its keys and measurements",
        Permission::RegisterDevices => "Register devices",
        Permission::ReadAllAlarms => "See every alarm",
        Permission::AcknowledgeAllAlarms => "Acknowledge every alarm",
        Permission::ManageAlarmRules => "Make alarm rules",
        Permission::ManageFirmware => "Upload and roll out firmware",
        Permission::ReadAllLocks => "See all locks",
        Permission::OperateAllLocks => "Lock and unlock all locks",
        Permission::ManageAllLocks => "Change, share and reassign all locks",
        Permission::ReadAccess => "See doors, people and policies",
        Permission::ManageAccess => "Change doors, people, credentials and policies",
        Permission::ReadAccessLog => "Read the access log",
        Permission::ControlDoors => "Lockdown, evacuation, keeping doors unlocked",
        Permission::UseParking => "See lots and free spots, and reserve",
        Permission::ReadParking => "See parking sensors, all reservations and figures",
        Permission::OperateParking => "Report spots, and handle everybody's reservations",
        Permission::ManageParking => "Change lots, spots, parking sensors and tariffs",
        Permission::ReadAudit => "Read the audit trail",
        Permission::ManageUsers => "Manage people",
        Permission::ManageOrganization => "Change settings",
        Permission::ManageWebhooks => "Manage webhooks",
        Permission::ManageServiceKeys => "Manage API keys",
    }
}

/// The page.
#[component]
pub fn ApiKeysPage() -> impl IntoView {
    let create = FormState::of::<CreateServiceKey>();
    let rotate = FormState::of::<RotateServiceKey>();
    let revoke = FormState::of::<RevokeServiceKey>();
    let page = load(|| Some(ListServiceKeys {}));
    reload_when(page, move || create.successes.get() + rotate.successes.get() + revoke.successes.get());
    let created = Signal::derive(move || create.successes.get() > 0);
    let list = move |found: Page<ServiceKey>| view! { <KeyTable keys=found.items rotate revoke /> }.into_any();
    let empty = || {
        view! {
            <EmptyState
                glyph=Glyph::Key
                title="No keys yet"
                text="A report, an integration or a script needs no person's password: give it a key with just the scopes it needs, and revoke it when it is done."
            />
        }
        .into_any()
    };
    view! {
        <Title text="API keys" />
        <div class="page-head">
            <h1>"API keys"</h1>
            <div class="page-actions">
                <Dialog
                    label="Create key"
                    glyph=Glyph::Plus
                    class="button button-primary"
                    open=create.came_back()
                    done=created
                >
                    <NewKeyForm form=create />
                </Dialog>
            </div>
        </div>
        <p class="quiet lead">
            "For programs that act for the organisation: each has a key of its own, which may what its scopes say and nothing else. It goes into the X-API-Key header."
        </p>
        <ShownKey form=create />
        <ShownKey form=rotate />
        <ErrorSummary form=rotate shown=&[] />
        <ErrorSummary form=revoke shown=&[] />
        <Listed
            page
            what="keys"
            list
            empty
        />
    }
}

#[component]
fn NewKeyForm(form: FormState) -> impl IntoView {
    let error = form.error("scopes");
    view! {
        <PostForm form id="create-key">
            <ErrorSummary form shown=NEW_FIELDS />
            <TextField
                form
                name="name"
                label="Name"
                required=true
                maxlength=80
                autocomplete="off"
                help="Which program will use it."
            />
            <fieldset class="field scopes">
                <legend>"What it may do"</legend>
                {Permission::ALL
                    .map(|scope| {
                        view! {
                            <label class="check">
                                <input type="checkbox" name="scopes[]" value=scope.as_str() />
                                <span>{meaning(scope)}</span>
                            </label>
                        }
                    })}
                <p class="field-error" aria-live="polite" hidden=move || error.with(Option::is_none)>
                    <Icon glyph=Glyph::Alert />
                    <span>{move || error.get().unwrap_or_default()}</span>
                </p>
            </fieldset>
            <SelectField
                form
                name="days"
                label="Good for"
                value="365"
                choices=vec![
                    Choice { value: "30", label: "30 days" },
                    Choice { value: "90", label: "90 days" },
                    Choice { value: "365", label: "A year" },
                    Choice { value: "", label: "Ever" },
                ]
            />
            <SubmitButton label="Create key" pending=form.pending() />
        </PostForm>
    }
}

/// The key that was just made.
#[component]
fn ShownKey(form: FormState) -> impl IntoView {
    let shown = move || {
        form.answer::<ShownOnce>().or_else(|| {
            let (name, api_key) = (form.outcome("name")?, form.outcome("api_key")?);
            Some(ShownOnce { name, api_key })
        })
    };
    view! {
        <div role="status">
            {move || {
                shown()
                    .map(|ShownOnce { name, api_key }| {
                        view! {
                            <div class="note note-attention shown-key">
                                <Icon glyph=Glyph::Key />
                                <div>
                                    <p>
                                        "The key of " <strong>{name}</strong>
                                        ". Copy it now: it is not stored, and not shown again."
                                    </p>
                                    <p class="secret">
                                        <code>{api_key.clone()}</code>
                                        <CopyButton text=Signal::stored(api_key) what="key" />
                                    </p>
                                </div>
                            </div>
                        }
                    })
            }}
        </div>
    }
}

#[component]
fn KeyTable(keys: Vec<ServiceKey>, rotate: FormState, revoke: FormState) -> impl IntoView {
    view! {
        <div class="table-wrap table-wrap-open">
            <table class="table table-keys">
                <caption class="hidden">"API keys"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Key"</th>
                        <th scope="col">"Expires"</th>
                        <th scope="col">"Last used"</th>
                        <th scope="col">
                            <span class="hidden">"Actions"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {keys.into_iter().map(|key| view! { <KeyRow key_=key rotate revoke /> }).collect_view()}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn KeyRow(key_: ServiceKey, rotate: FormState, revoke: FormState) -> impl IntoView {
    let key = key_;
    let now = use_now();
    let (rotated, revoked) = (key.id.to_string(), key.id.to_string());
    let overlap_id = format!("overlap-{}", key.id);
    let (expires_at, old_until) = (key.expires_at, key.old_key_until);
    let is_over = Memo::new(move |_| now.get().is_some_and(|now| expires_at.is_some_and(|end| end <= now)));
    let scopes = key.scopes.iter().map(|scope| meaning(*scope)).collect::<Vec<_>>().join(" · ");
    view! {
        <tr>
            <td class="cell-state">
                {move || {
                    if is_over.get() {
                        view! { <Badge tone=Tone::Neutral glyph=Glyph::Clock word="Expired" /> }
                    } else {
                        view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="In force" /> }
                    }
                }}
            </td>
            <th scope="row" class="cell-name">
                <span>{key.name.clone()} " " <code class="quiet">"…"{key.hint}</code></span>
                <span class="sub">{scopes}</span>
                <span class="sub">
                    "by " {key.created_by} ", " <Ago at=Signal::stored(Some(key.created_at)) />
                    {old_until.map(|until| view! { ". The old key works until " <Moment at=until /> })}
                </span>
            </th>
            <td class="cell-expiry">
                {match expires_at {
                    Some(end) => view! { <Moment at=end /> }.into_any(),
                    None => "never".into_any(),
                }}
            </td>
            <td class="cell-seen">
                <Ago at=Signal::stored(key.last_used_at) />
            </td>
            <td class="cell-actions">
                <Dialog label="Rotate" glyph=Glyph::Key class="button button-small">
                    <PostForm form=rotate>
                        <p>"The program gets a new key; the old one works on for a while, so that nothing stops."</p>
                        <input type="hidden" name="id" value=rotated />
                        <SelectField
                            form=rotate
                            name="overlap_s"
                            id=overlap_id
                            label="The old key works on for"
                            value="86400"
                            choices=vec![
                                Choice { value: "0", label: "No time: it ends at once" },
                                Choice { value: "3600", label: "An hour" },
                                Choice { value: "86400", label: "A day" },
                                Choice { value: "604800", label: "A week" },
                            ]
                        />
                        <SubmitButton label="Rotate key" pending=rotate.pending() />
                    </PostForm>
                </Dialog>
                <Dialog label="Revoke" glyph=Glyph::Cross class="button button-small">
                    <PostForm form=revoke>
                        <p>
                            <strong>{key.name}</strong>
                            " is refused from that moment on, and its live connections end. Nothing brings the key back."
                        </p>
                        <input type="hidden" name="id" value=revoked />
                        <SubmitButton label="Revoke key" class="button button-danger" pending=revoke.pending() />
                    </PostForm>
                </Dialog>
            </td>
        </tr>
    }
}
