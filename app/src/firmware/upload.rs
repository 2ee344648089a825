//! The upload: the file goes as it is to the REST route, in pieces, without passing through a form's encoding.

use leptos::prelude::*;
use portico_model::firmware::Firmware;

use super::size_text;
use crate::ui::UploadForm;
use crate::ui::toast::use_toasts;

/// The panel.
#[component]
pub fn UploadPanel(
    device_types: Vec<String>,
    /// Counts what came of it.
    uploads: RwSignal<u32>,
) -> impl IntoView {
    let toast = use_toasts();
    let done = Callback::new(move |answer| {
        let Ok(firmware) = serde_json::from_value::<Firmware>(answer) else { return };
        toast(format!("{} {} uploaded, {}", firmware.device_type, firmware.version, size_text(firmware.size_bytes)));
        uploads.update(|uploads| *uploads += 1);
    });
    view! {
        <section class="card" aria-labelledby="upload-title">
            <h2 id="upload-title">"Upload an image"</h2>
            <UploadForm
                id="upload-firmware"
                to="/api/v1/firmware"
                file="firmware-file"
                label="Upload image"
                without="curl --data-binary @image.bin '…/api/v1/firmware?device_type=…&version=…&signature=…'"
                done
            >
                <div class="field">
                    <label for="firmware-type">"For devices of type"</label>
                    <input id="firmware-type" name="device_type" list="device-types" required maxlength="50" autocomplete="off" />
                    <datalist id="device-types">
                        {device_types.into_iter().map(|name| view! { <option value=name></option> }).collect_view()}
                    </datalist>
                </div>
                <div class="field">
                    <label for="firmware-version">"Version"</label>
                    <input
                        id="firmware-version"
                        name="version"
                        required
                        maxlength="20"
                        placeholder="1.4.0"
                        autocomplete="off"
                        spellcheck="false"
                    />
                </div>
                <div class="field">
                    <label for="firmware-file">"Image"</label>
                    <input id="firmware-file" type="file" required />
                </div>
                <div class="field">
                    <label for="firmware-signature">"Signature"</label>
                    <input
                        id="firmware-signature"
                        name="signature"
                        required
                        pattern="[0-9a-fA-F]{128}"
                        autocomplete="off"
                        spellcheck="false"
                        aria-describedby="firmware-signature-help"
                    />
                    <p class="field-help" id="firmware-signature-help">"128 hexadecimal digits, over type, version, size and SHA-256."</p>
                </div>
                <div class="field">
                    <label for="firmware-notes">"What is new " <span class="optional">"optional"</span></label>
                    <textarea id="firmware-notes" name="notes" rows="3" maxlength="2000"></textarea>
                </div>
            </UploadForm>
        </section>
    }
}
