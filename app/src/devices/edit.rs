//! What may be done to a device: edit, new key, out of use, delete.

use leptos::prelude::*;
use portico_model::devices::{Device, DeviceStatus};

use super::{DeleteDevice, RotateKey, SetDeviceStatus, UpdateDevice};
use crate::form::FormState;
use crate::ui::{
    Choice, Dialog, ErrorSummary, Glyph, SelectField, SubmitButton, TextAreaField, TextField,
};

const EDIT_FIELDS: &[&str] =
    &["name", "device_type", "location", "description", "firmware_version", "heartbeat_interval_s", "status"];

/// The forms of the page, made while it begins.
#[derive(Clone, Copy)]
pub struct DeviceForms {
    pub update: ServerAction<UpdateDevice>,
    pub set_status: ServerAction<SetDeviceStatus>,
    pub rotate: ServerAction<RotateKey>,
    pub delete: ServerAction<DeleteDevice>,
    update_form: FormState,
    status_form: FormState,
    pub rotate_form: FormState,
    delete_form: FormState,
}

impl DeviceForms {
    #[must_use]
    pub fn new() -> Self {
        let (update, set_status) = (ServerAction::new(), ServerAction::new());
        let (rotate, delete) = (ServerAction::new(), ServerAction::new());
        Self {
            update,
            set_status,
            rotate,
            delete,
            update_form: FormState::of(update),
            status_form: FormState::of(set_status),
            rotate_form: FormState::of(rotate),
            delete_form: FormState::of(delete),
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
    let DeviceForms { update, set_status, rotate, delete, update_form, status_form, rotate_form, delete_form } = forms;
    let is_active = Memo::new(move |_| device.with(|device| device.status == DeviceStatus::Active));
    let now = device.get_untracked();
    let updated = Signal::derive(move || matches!(update.value().get(), Some(Ok(_))));
    let rotated = Signal::derive(move || matches!(rotate.value().get(), Some(Ok(_))));
    view! {
        <div class="page-actions">
            <Dialog label="Edit" glyph=Glyph::Edit open=update_form.came_back() done=updated>
                <ActionForm action=update attr:class="form" attr:id="edit-device">
                    <ErrorSummary form=update_form shown=EDIT_FIELDS />
                    <input type="hidden" name="id" value=id.to_string() />
                    <TextField form=update_form name="name" label="Name" required=true maxlength=100 value=now.name />
                    <TextField
                        form=update_form
                        name="device_type"
                        label="Type"
                        required=true
                        maxlength=100
                        value=now.device_type
                    />
                    <TextField form=update_form name="location" label="Place" value=now.location />
                    <TextField form=update_form name="firmware_version" label="Firmware" value=now.firmware_version />
                    <TextField
                        form=update_form
                        name="heartbeat_interval_s"
                        label="Heard from every … seconds"
                        kind="number"
                        min="1"
                        max="86400"
                        required=true
                        value=now.heartbeat_interval_s.to_string()
                    />
                    <SelectField
                        form=update_form
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
                    <TextAreaField form=update_form name="description" label="Description" value=now.description />
                    <SubmitButton label="Save changes" pending=update.pending() />
                </ActionForm>
            </Dialog>
            <Dialog label="New key" glyph=Glyph::Key open=rotate_form.came_back() done=rotated>
                <ActionForm action=rotate attr:class="form" attr:id="rotate-key">
                    <ErrorSummary form=rotate_form shown=&[] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <p>
                        "The device gets a new key, shown once. The old key stops working at once, unless an overlap is configured: until the device has the new one, it is silent."
                    </p>
                    <SubmitButton label="Make new key" glyph=Glyph::Key pending=rotate.pending() />
                </ActionForm>
            </Dialog>
            <ActionForm action=set_status attr:class="inline" attr:id="set-status">
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="status" value=move || if is_active.get() { "inactive" } else { "active" } />
                <button class="button" type="submit" disabled=move || set_status.pending().get()>
                    {move || if is_active.get() { "Deactivate" } else { "Activate" }}
                </button>
                <ErrorSummary form=status_form shown=&[] />
            </ActionForm>
            <Dialog label="Delete" glyph=Glyph::Trash class="button button-danger" open=delete_form.came_back()>
                <ActionForm action=delete attr:class="form" attr:id="delete-device">
                    <ErrorSummary form=delete_form shown=&["confirm_name"] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <p>"Deletes the device, its key and everything it has measured. This cannot be undone."</p>
                    <TextField
                        form=delete_form
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
                </ActionForm>
            </Dialog>
        </div>
    }
}

