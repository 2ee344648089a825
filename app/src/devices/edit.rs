//! What may be done to a device: edit, new key, out of use, delete.

use leptos::prelude::*;
use portico_model::devices::{Device, DeviceStatus};

use super::{DeleteDevice, RotateKey, SetDeviceStatus, UpdateDevice};
use crate::form::{FormState, PostForm};
use crate::ui::{Choice, Dialog, ErrorSummary, Glyph, SelectField, SubmitButton, TextAreaField, TextField};

const EDIT_FIELDS: &[&str] =
    &["name", "device_type", "location", "description", "firmware_version", "heartbeat_interval_s", "status"];

/// The forms of the page, made while it begins.
#[derive(Clone, Copy)]
pub struct DeviceForms {
    pub update: FormState,
    pub set_status: FormState,
    pub rotate: FormState,
    pub delete: FormState,
}

impl DeviceForms {
    #[must_use]
    pub fn new() -> Self {
        Self {
            update: FormState::of::<UpdateDevice>(),
            set_status: FormState::of::<SetDeviceStatus>(),
            rotate: FormState::of::<RotateKey>(),
            delete: FormState::of::<DeleteDevice>(),
        }
    }
}

impl Default for DeviceForms {
    fn default() -> Self {
        Self::new()
    }
}

/// The row of buttons that unfold their forms.
#[component]
pub fn DeviceActions(device: RwSignal<Device>, forms: DeviceForms) -> impl IntoView {
    let id = device.with_untracked(|device| device.id);
    let DeviceForms { update, set_status, rotate, delete } = forms;
    let is_active = Memo::new(move |_| device.with(|device| device.status == DeviceStatus::Active));
    let now = device.get_untracked();
    let updated = Signal::derive(move || update.successes.get() > 0);
    let rotated = Signal::derive(move || rotate.successes.get() > 0);
    view! {
        <div class="page-actions">
            <Dialog label="Edit" glyph=Glyph::Edit open=update.came_back() done=updated>
                <PostForm form=update id="edit-device">
                    <ErrorSummary form=update shown=EDIT_FIELDS />
                    <input type="hidden" name="id" value=id.to_string() />
                    <TextField form=update name="name" label="Name" required=true maxlength=100 value=now.name />
                    <TextField
                        form=update
                        name="device_type"
                        label="Type"
                        required=true
                        maxlength=100
                        value=now.device_type
                    />
                    <TextField form=update name="location" label="Place" value=now.location />
                    <TextField form=update name="firmware_version" label="Firmware" value=now.firmware_version />
                    <TextField
                        form=update
                        name="heartbeat_interval_s"
                        label="Heard from every … seconds"
                        kind="number"
                        min="1"
                        max="86400"
                        required=true
                        value=now.heartbeat_interval_s.to_string()
                    />
                    <SelectField
                        form=update
                        name="status"
                        label="Status"
                        value=now.status.as_str()
                        choices=vec![
                            Choice { value: "active", label: "Active" },
                            Choice { value: "inactive", label: "Inactive" },
                            Choice { value: "maintenance", label: "Maintenance" },
                        ]
                        help="Only an active device may send."
                    />
                    <TextAreaField form=update name="description" label="Description" value=now.description />
                    <SubmitButton label="Save changes" pending=update.pending() />
                </PostForm>
            </Dialog>
            <Dialog label="New key" glyph=Glyph::Key open=rotate.came_back() done=rotated>
                <PostForm form=rotate id="rotate-key">
                    <ErrorSummary form=rotate shown=&[] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <p>
                        "The device gets a new key, shown once. The old key stops working at once, unless an overlap is configured: until the device has the new one, it is silent."
                    </p>
                    <SubmitButton label="Make new key" glyph=Glyph::Key pending=rotate.pending() />
                </PostForm>
            </Dialog>
            <PostForm form=set_status class="inline" id="set-status">
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="status" value=move || if is_active.get() { "inactive" } else { "active" } />
                <button class="button" type="submit" disabled=move || set_status.pending().get()>
                    {move || if is_active.get() { "Deactivate" } else { "Activate" }}
                </button>
                <ErrorSummary form=set_status shown=&[] />
            </PostForm>
            <Dialog label="Delete" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
                <PostForm form=delete id="delete-device">
                    <ErrorSummary form=delete shown=&["confirm_name"] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <p>"Deletes the device, its key and everything it has measured. This cannot be undone."</p>
                    <TextField
                        form=delete
                        name="confirm_name"
                        label=format!("Type “{}” to confirm", device.with_untracked(|device| device.name.clone()))
                        required=true
                        autocomplete="off"
                    />
                    <SubmitButton
                        label="Delete device"
                        glyph=Glyph::Trash
                        class="button button-danger"
                        pending=delete.pending()
                    />
                </PostForm>
            </Dialog>
        </div>
    }
}
