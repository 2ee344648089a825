//! `/settings`: what the organisation decides for all.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use portico_model::identity::{Organization, Signup};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::load::{Ask, load, read};
use crate::ui::toast::use_toasts;
use crate::ui::{Choice, ErrorSummary, ProblemView, SelectField, SubmitButton, TextField};

#[cfg(feature = "ssr")]
const PAGE: &str = "/settings";

/// Days that measurements are kept, unless a device has a rule of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    pub raw_days: i64,
    pub minute_days: i64,
    pub hour_days: i64,
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub organization: Organization,
    pub retention: Retention,
    pub time_zones: Vec<String>,
}

/// The settings as they are.
#[server(name = ReadSettings, prefix = "/sfn", endpoint = "identity/settings", input = GetUrl)]
pub async fn read_settings() -> Result<Settings, Failure> {
    use portico_model::identity::Permission;

    use crate::server::{actor, devices, failed, identity};

    let actor = actor()?;
    actor.require(Permission::ManageOrganization).map_err(failed)?;
    let organization = identity()?.organization(&actor).await.map_err(failed)?;
    let rule = devices()?.default_retention(&actor).await.map_err(failed)?;
    let retention = Retention { raw_days: rule.raw_days, minute_days: rule.minute_days, hour_days: rule.hour_days };
    let time_zones = portico_identity::time_zones().into_iter().map(ToOwned::to_owned).collect();
    Ok(Settings { organization, retention, time_zones })
}

/// Changes name, time zone and who may make an account (empty: as the configuration says).
#[server(name = SaveSettings, prefix = "/sfn", endpoint = "identity/save_settings")]
pub async fn save_settings(
    name: String,
    #[server(default)] time_zone: String,
    #[server(default)] signup: String,
) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_identity::OrganizationUpdate;

    use crate::server::{actor, failed, form_done, form_failed, identity};

    let update =
        OrganizationUpdate { name: name.clone(), time_zone: Some(time_zone.clone()), signup: Signup::parse(&signup) };
    identity()?.update_organization(&actor()?, update).await.map_err(|error| {
        let values = [("name", name.as_str()), ("time_zone", &time_zone), ("signup", &signup)];
        form_failed(SaveSettings::PATH, PAGE, &values, failed(error))
    })?;
    form_done(SaveSettings::PATH, PAGE, &[("done", "1")]);
    Ok(())
}

/// Changes how long measurements are kept where no device has a rule of its own.
#[server(name = SaveRetention, prefix = "/sfn", endpoint = "devices/save_default_retention")]
pub async fn save_retention(raw_days: String, minute_days: String, hour_days: String) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_devices::RetentionRule;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let values = [("raw_days", raw_days.as_str()), ("minute_days", &minute_days), ("hour_days", &hour_days)];
    let refuse = |failure| form_failed(SaveRetention::PATH, PAGE, &values, failure);
    let days = |field: &str, text: &str| {
        text.trim().parse::<i64>().map_err(|_| refuse(Failure::field(field, "A whole number of days is needed.")))
    };
    let rule = RetentionRule {
        device_id: None,
        key: None,
        raw_days: days("raw_days", &raw_days)?,
        minute_days: days("minute_days", &minute_days)?,
        hour_days: days("hour_days", &hour_days)?,
    };
    devices()?.set_retention(&actor()?, &rule).await.map_err(|error| refuse(failed(error)))?;
    form_done(SaveRetention::PATH, PAGE, &[("done", "1")]);
    Ok(())
}

impl Ask for ReadSettings {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// The page.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let settings = load(|| Some(ReadSettings {}));
    let save = FormState::of::<SaveSettings>();
    let keep = FormState::of::<SaveRetention>();
    let toast = use_toasts();
    Effect::new(move |_| {
        if save.successes.get() + keep.successes.get() > 0 {
            toast("Settings saved".to_owned());
        }
    });
    view! {
        <Title text="Settings" />
        <div class="page-head">
            <h1>"Settings"</h1>
        </div>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading settings"</p> }>
            {move || {
                settings
                    .get()
                    .map(|answer| match read::<Settings>(answer) {
                        Ok(settings) => view! { <Forms settings save keep /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

const fn signup_word(signup: Signup) -> &'static str {
    match signup {
        Signup::Open => "anyone",
        Signup::Invite => "invited people",
        Signup::Closed => "nobody",
    }
}

#[component]
fn Forms(settings: Settings, save: FormState, keep: FormState) -> impl IntoView {
    let Settings { organization, retention, time_zones } = settings;
    let done = move |form: FormState| move || form.outcome("done").is_none();
    view! {
        <div class="columns">
            <section class="card" aria-labelledby="organization-title">
                <h2 id="organization-title">"Organisation"</h2>
                <p class="note" role="status" hidden=done(save)>
                    "Saved."
                </p>
                <PostForm form=save id="save-settings">
                    <ErrorSummary form=save shown=&["name", "time_zone", "signup"] />
                    <TextField
                        form=save
                        name="name"
                        label="Name"
                        value=organization.name
                        required=true
                        maxlength=80
                        autocomplete="organization"
                    />
                    <TextField
                        form=save
                        name="time_zone"
                        label="Time zone of the building"
                        value=organization.time_zone.unwrap_or_default()
                        autocomplete="off"
                        list="time-zones"
                        help="Times are shown in it, wherever the reader is. Without it: in the reader's own."
                    />
                    <datalist id="time-zones">
                        {time_zones.into_iter().map(|name| view! { <option value=name></option> }).collect_view()}
                    </datalist>
                    <SelectField
                        form=save
                        name="signup"
                        label="Who may make an account"
                        value=organization.signup.map(Signup::as_str).unwrap_or_default()
                        choices=vec![
                            Choice { value: "", label: "As the server's configuration says" },
                            Choice { value: "open", label: "Anyone" },
                            Choice { value: "invite", label: "Invited people" },
                            Choice { value: "closed", label: "Nobody: administrators add people" },
                        ]
                    />
                    <p class="quiet">"At present: " {signup_word(organization.signup_in_force)} "."</p>
                    <SubmitButton label="Save settings" pending=save.pending() />
                </PostForm>
            </section>
            <section class="card" aria-labelledby="retention-title">
                <h2 id="retention-title">"How long measurements are kept"</h2>
                <p class="note" role="status" hidden=done(keep)>
                    "Saved."
                </p>
                <PostForm form=keep id="save-retention">
                    <ErrorSummary form=keep shown=&["raw_days", "minute_days", "hour_days"] />
                    <TextField
                        form=keep
                        name="raw_days"
                        label="Single measurements, days"
                        kind="number"
                        min="1"
                        value=retention.raw_days.to_string()
                        required=true
                    />
                    <TextField
                        form=keep
                        name="minute_days"
                        label="One-minute summaries, days"
                        kind="number"
                        min="1"
                        value=retention.minute_days.to_string()
                        required=true
                    />
                    <TextField
                        form=keep
                        name="hour_days"
                        label="One-hour summaries, days"
                        kind="number"
                        min="1"
                        value=retention.hour_days.to_string()
                        required=true
                        help="A device, or one of its values, may have a rule of its own (REST: /api/v1/telemetry/retention)."
                    />
                    <SubmitButton label="Save retention" pending=keep.pending() />
                </PostForm>
            </section>
        </div>
    }
}
