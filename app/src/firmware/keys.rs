//! Publishers' keys: whose signature makes an image good.

use leptos::prelude::*;
use portico_model::firmware::PublisherKey;

use super::{AddPublisherKey, RevokePublisherKey};
use crate::form::{FormState, PostForm};
use crate::time::Ago;
use crate::ui::{Badge, Dialog, ErrorSummary, Glyph, SubmitButton, TextField, Tone};

/// The forms of the panel, made while the page begins.
#[derive(Clone, Copy)]
pub struct KeyForms {
    pub add: FormState,
    pub revoke: FormState,
}

impl KeyForms {
    #[must_use]
    pub fn new() -> Self {
        Self { add: FormState::of::<AddPublisherKey>(), revoke: FormState::of::<RevokePublisherKey>() }
    }
}

impl Default for KeyForms {
    fn default() -> Self {
        Self::new()
    }
}

/// How a publisher makes a key and signs an image, with tools that are everywhere.
const HOW_TO_SIGN: &str = "# Once: the key. The public half goes into the form.
openssl genpkey -algorithm ed25519 -out publisher.pem
openssl pkey -in publisher.pem -pubout -outform DER | tail -c 32 | xxd -p -c 64

# For each image: the signature.
TYPE=thermometer VERSION=1.4.0 IMAGE=image.bin
printf 'portico firmware 1\\ntype: %s\\nversion: %s\\nsize: %s\\nsha256: %s\\n' \\
  \"$TYPE\" \"$VERSION\" \"$(stat -c %s $IMAGE)\" \"$(sha256sum $IMAGE | cut -d' ' -f1)\" > signed.txt
openssl pkeyutl -sign -rawin -inkey publisher.pem -in signed.txt | xxd -p -c 128";

/// The panel.
#[component]
pub fn KeysPanel(keys: Vec<PublisherKey>, forms: KeyForms) -> impl IntoView {
    let none = keys.is_empty();
    view! {
        <section class="card" aria-labelledby="keys-title">
            <div class="card-head">
                <h2 id="keys-title">"Trusted publishers"</h2>
                <Dialog
                    label="Trust a key"
                    glyph=Glyph::Key
                    open=forms.add.came_back()
                    done=Signal::derive(move || forms.add.successes.get() > 0)
                >
                    <PostForm form=forms.add id="add-publisher-key">
                        <ErrorSummary form=forms.add shown=&["name", "public_key"] />
                        <TextField
                            form=forms.add
                            name="name"
                            id="key-name"
                            label="Name"
                            required=true
                            maxlength=100
                            placeholder="Build server"
                        />
                        <TextField
                            form=forms.add
                            name="public_key"
                            label="Public key"
                            required=true
                            autocomplete="off"
                            help="Ed25519, 64 hexadecimal digits. The secret half stays with the publisher."
                        />
                        <SubmitButton label="Trust key" glyph=Glyph::Key pending=forms.add.pending() />
                    </PostForm>
                </Dialog>
            </div>
            <ErrorSummary form=forms.revoke shown=&[] />
            {none.then(|| view! { <p class="quiet">"No publisher is trusted yet, so no image can be uploaded."</p> })}
            <ul class="keys">
                {keys.into_iter().map(|key| view! { <KeyEntry key form=forms.revoke /> }).collect_view()}
            </ul>
            <details class="example">
                <summary>"How a publisher signs"</summary>
                <pre tabindex="0" aria-label="Commands">
                    <code>{HOW_TO_SIGN}</code>
                </pre>
            </details>
        </section>
    }
}

#[component]
fn KeyEntry(key: PublisherKey, form: FormState) -> impl IntoView {
    let PublisherKey { id, name, public_key, created_by, created_at, revoked_at } = key;
    view! {
        <li class="publisher-key">
            <div>
                <p>
                    <strong>{name}</strong>
                    " "
                    {revoked_at.map(|_| view! { <Badge tone=Tone::Unknown glyph=Glyph::Cross word="Revoked" /> })}
                </p>
                <p>
                    <code>{public_key}</code>
                </p>
                <p class="quiet">
                    {created_by} ", "
                    <Ago at=Signal::stored(Some(created_at)) />
                </p>
            </div>
            {revoked_at
                .is_none()
                .then(|| {
                    view! {
                        <Dialog label="Revoke" glyph=Glyph::Trash class="button button-small button-danger">
                            <PostForm form>
                                <input type="hidden" name="id" value=id.to_string() />
                                <p>
                                    "No new image signed with this key is taken in any more. Images that are here stay. This cannot be undone."
                                </p>
                                <SubmitButton
                                    label="Revoke key"
                                    glyph=Glyph::Trash
                                    class="button button-danger"
                                    pending=form.pending()
                                />
                            </PostForm>
                        </Dialog>
                    }
                })}
        </li>
    }
}
