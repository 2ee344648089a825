//! `/firmware/:id`: one image, and the form that rolls it out.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::firmware::Firmware;
use portico_model::{FirmwareId, GroupId};

use super::{DeleteFirmware, GetFirmware, ImageView, StartRollout, size_text};
use crate::form::{FormState, PostForm};
use crate::load::{load, read};
use crate::time::Moment;
use crate::ui::{Choice, Dialog, ErrorSummary, Glyph, ProblemView, SelectField, SubmitButton, TextField};

const FIELDS: &[&str] = &["stages", "per_minute", "at_once", "max_failed_percent"];

/// The page.
#[component]
pub fn ImagePage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<FirmwareId>().ok())));
    let start = FormState::of::<StartRollout>();
    let delete = FormState::of::<DeleteFirmware>();
    let image = load(move || id.get().map(|id| GetFirmware { id }));
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/firmware">"Firmware"</a>
        </nav>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading image"</p> }>
            {move || {
                image
                    .get()
                    .map(|answer| match read::<ImageView>(answer) {
                        Ok(ImageView { firmware, groups }) => {
                            view! { <ImageDetail firmware groups start delete /> }.into_any()
                        }
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn ImageDetail(
    firmware: Firmware,
    groups: Vec<(GroupId, String)>,
    start: FormState,
    delete: FormState,
) -> impl IntoView {
    let title = format!("{} {}", firmware.device_type, firmware.version);
    let id = firmware.id;
    view! {
        <Title text=title.clone() />
        <div class="page-head">
            <h1>{title}</h1>
            <div class="page-actions">
                <Dialog label="Delete" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
                    <PostForm form=delete id="delete-firmware">
                        <ErrorSummary form=delete shown=&[] />
                        <input type="hidden" name="id" value=id.to_string() />
                        <p>"Removes the image. Devices that run it are not touched. This cannot be undone."</p>
                        <SubmitButton
                            label="Delete image"
                            glyph=Glyph::Trash
                            class="button button-danger"
                            pending=delete.pending()
                        />
                    </PostForm>
                </Dialog>
            </div>
        </div>
        <div class="columns">
            <section class="card" aria-labelledby="start-title">
                <h2 id="start-title">"Roll out"</h2>
                <StartForm id device_type=firmware.device_type.clone() groups form=start />
            </section>
            <section class="card" aria-labelledby="image-title">
                <h2 id="image-title">"About this image"</h2>
                <dl class="facts">
                    <dt>"For devices of type"</dt>
                    <dd>{firmware.device_type}</dd>
                    <dt>"Version"</dt>
                    <dd>{firmware.version}</dd>
                    <dt>"Size"</dt>
                    <dd>{size_text(firmware.size_bytes)}</dd>
                    <dt>"Signed by"</dt>
                    <dd>{firmware.key_name}</dd>
                    <dt>"Uploaded"</dt>
                    <dd>
                        <Moment at=Signal::stored(firmware.created_at) />
                        {format!(" by {}", firmware.created_by)}
                    </dd>
                    <dt>"SHA-256"</dt>
                    <dd class="digits">
                        <code>{firmware.sha256}</code>
                    </dd>
                    <dt>"What is new"</dt>
                    <dd class="lines">{if firmware.notes.is_empty() { "–".to_owned() } else { firmware.notes }}</dd>
                </dl>
            </section>
        </div>
    }
}

#[component]
fn StartForm(id: FirmwareId, device_type: String, groups: Vec<(GroupId, String)>, form: FormState) -> impl IntoView {
    let chosen = form.value("to", "type");
    view! {
        <PostForm form id="start-rollout">
            <ErrorSummary form shown=FIELDS />
            <input type="hidden" name="id" value=id.to_string() />
            <div class="field">
                <label for="to">"To"</label>
                <select id="to" name="to">
                    <option value="type" selected=chosen == "type">
                        {format!("Every active {device_type}")}
                    </option>
                    {groups
                        .into_iter()
                        .map(|(id, name)| {
                            let value = id.to_string();
                            let selected = value == chosen;
                            view! { <option value=value selected=selected>{format!("Group {name}")}</option> }
                        })
                        .collect_view()}
                </select>
                <p class="field-help">"Devices that have this version or a newer one are left out."</p>
            </div>
            <SelectField
                form
                name="stages"
                label="Stages"
                value="10,100"
                choices=vec![
                    Choice { value: "10,100", label: "10 % first, then all" },
                    Choice { value: "1,10,50,100", label: "1 %, 10 %, 50 %, all" },
                    Choice { value: "5,25,100", label: "5 %, 25 %, all" },
                    Choice { value: "100", label: "All in one stage" },
                ]
                help="A stage begins when the one before is done."
            />
            <div class="form-pair">
                <TextField form name="at_once" label="At work at a time" kind="number" min="1" max="10000" value="20" required=true />
                <TextField form name="per_minute" label="Told in a minute" kind="number" min="1" max="10000" value="60" required=true />
            </div>
            <TextField
                form
                name="max_failed_percent"
                label="Stop when more have failed, percent"
                kind="number"
                min="0"
                max="100"
                value="10"
                required=true
                help="Of the devices of the stages begun. 0 stops at the first."
            />
            <label class="check">
                <input type="checkbox" name="force" value="on" />
                <span>"Also where a newer version runs (downgrade)"</span>
            </label>
            <SubmitButton label="Begin roll-out" pending=form.pending() />
        </PostForm>
    }
}
