//! `/devices/new`: registers a device and shows its key, once.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::devices::{Device, DeviceWithKey};

use super::examples::{Endpoints, Examples, use_endpoints};
use super::{GetDevice, RegisterDevice};
use crate::form::{FormState, PostForm};
use crate::load::{load, read};
use crate::ui::{CopyButton, ErrorSummary, Glyph, Icon, ProblemView, SubmitButton, TextAreaField, TextField};

const FIELDS: &[&str] = &["name", "device_type", "hardware_id", "location", "description", "heartbeat_interval_s"];

/// The page.
#[component]
pub fn RegisterPage() -> impl IntoView {
    let form = FormState::of::<RegisterDevice>();
    let endpoints = StoredValue::new(use_endpoints());
    // After a plain post: the key of the device just registered.
    let posted = form.outcome("id").and_then(|id| id.parse().ok()).zip(form.outcome("api_key"));
    let posted_id = posted.as_ref().map(|(id, _)| *id);
    let posted_key = StoredValue::new(posted.map(|(_, key)| key));
    let posted_device = load(move || posted_id.map(|id| GetDevice { id }));
    view! {
        <Title text="Register device" />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/devices">"Devices"</a>
        </nav>
        <h1>"Register device"</h1>
        <Transition>
            {move || {
                let posted = posted_device.get()?;
                let registered = match (form.answer::<DeviceWithKey>(), posted_key.get_value()) {
                    (Some(registered), _) => Some(Ok(registered)),
                    (None, Some(api_key)) => {
                        Some(read::<Device>(posted).map(|device| DeviceWithKey { device, api_key }))
                    }
                    (None, None) => None,
                };
                Some(
                    match registered {
                        Some(Ok(DeviceWithKey { device, api_key })) => {
                            view! {
                                <KeyOnce device=device.clone() api_key endpoints=endpoints.get_value() />
                                <p class="actions">
                                    <a class="button button-primary" href=format!("/devices/{}", device.id)>
                                        "Watch its values arrive"
                                    </a>
                                    <a class="button" href="/devices/new" rel="external">"Register another"</a>
                                </p>
                            }
                                .into_any()
                        }
                        Some(Err(failure)) => view! { <ProblemView failure /> }.into_any(),
                        None => view! { <RegisterForm form /> }.into_any(),
                    },
                )
            }}
        </Transition>
    }
}

#[component]
fn RegisterForm(form: FormState) -> impl IntoView {
    view! {
        <section class="card card-form">
            <PostForm form id="register-device">
                <ErrorSummary form shown=FIELDS />
                <TextField
                    form
                    name="name"
                    label="Name"
                    required=true
                    maxlength=100
                    help="As people call it, such as “Lobby thermometer”."
                />
                <div class="form-pair">
                    <TextField
                        form
                        name="device_type"
                        label="Type"
                        required=true
                        maxlength=100
                        help="Such as thermometer, air_quality, power_meter."
                    />
                    <TextField form name="location" label="Place" help="Such as “2nd floor, north”." />
                </div>
                <div class="form-pair">
                    <TextField
                        form
                        name="hardware_id"
                        label="Hardware id"
                        help="What is printed on it or burnt into it; must be unique."
                    />
                    <TextField
                        form
                        name="heartbeat_interval_s"
                        label="Heard from every … seconds"
                        kind="number"
                        min="1"
                        max="86400"
                        value="60"
                        help="Silent for three times as long, it counts as offline."
                    />
                </div>
                <TextAreaField form name="description" label="Description" />
                <div class="actions">
                    <SubmitButton label="Register device" pending=form.pending() />
                    <a class="button" href="/devices">"Cancel"</a>
                </div>
            </PostForm>
        </section>
    }
}

/// The key, shown this once, with what to do with it.
#[component]
pub fn KeyOnce(device: Device, api_key: String, endpoints: Endpoints) -> impl IntoView {
    view! {
        <section class="card key-once" aria-labelledby="key-title">
            <h2 id="key-title">
                <Icon glyph=Glyph::Key />
                {format!("The key of {}", device.name)}
            </h2>
            <p class="note note-attention">
                "Keep it now: it is stored only as a hash and cannot be shown again. If it is lost, make a new one on the device's page."
            </p>
            <dl class="facts facts-key">
                <dt>"Device id"</dt>
                <dd>
                    <code>{device.id.to_string()}</code>
                    <CopyButton text=Signal::stored(device.id.to_string()) what="device id" />
                </dd>
                <dt>"API key"</dt>
                <dd>
                    <code data-testid="api-key">{api_key.clone()}</code>
                    <CopyButton text=Signal::stored(api_key.clone()) what="API key" />
                </dd>
            </dl>
            <h3>"Send the first value"</h3>
            <Examples device api_key endpoints />
        </section>
    }
}
