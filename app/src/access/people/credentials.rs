//! Cards, PINs and fingers of a person, and enrolling them at a reader.

use leptos::prelude::*;
use portico_model::PersonId;
use portico_model::access::people::{Credential, CredentialKind, Enrolment, EnrolmentState, MadeCredential};

use super::{AddCredential, CancelEnrolment, DeleteCredential, PersonView, SetCredential, StartEnrolment};
use crate::access::Choose;
use crate::form::{FormState, PostForm};
use crate::time::{Ago, Moment, use_now};
use crate::ui::{Badge, Choice, Dialog, ErrorSummary, Glyph, Icon, SelectField, SubmitButton, TextField, Tone};

const CREDENTIAL_FIELDS: &[&str] = &["kind", "value", "valid_until"];

/// The forms of these parts, made while the page begins.
#[derive(Clone, Copy)]
pub struct CredentialForms {
    add: FormState,
    set: FormState,
    delete: FormState,
    start: FormState,
    cancel: FormState,
}

impl CredentialForms {
    /// Made while the page begins.
    #[must_use]
    pub fn new() -> Self {
        Self {
            add: FormState::of::<AddCredential>(),
            set: FormState::of::<SetCredential>(),
            delete: FormState::of::<DeleteCredential>(),
            start: FormState::of::<StartEnrolment>(),
            cancel: FormState::of::<CancelEnrolment>(),
        }
    }

    /// How often any of them succeeded.
    #[must_use]
    pub fn successes(&self) -> u32 {
        FormState::successes_of(&[self.add, self.set, self.delete, self.start, self.cancel])
    }
}

impl Default for CredentialForms {
    fn default() -> Self {
        Self::new()
    }
}

/// What the person shows at doors.
#[component]
pub fn CredentialsCard(
    id: PersonId,
    shown: Memo<PersonView>,
    forms: CredentialForms,
    may_change: bool,
) -> impl IntoView {
    let credentials = Memo::new(move |_| shown.with(|shown| shown.detail.credentials.clone()));
    let add = forms.add;
    let added = Signal::derive(move || add.successes.get() > 0);
    let pin = move || add.answer::<MadeCredential>().and_then(|made| made.pin).or_else(|| add.outcome("pin"));
    let kinds = vec![
        Choice { value: "rfid", label: "Card: its number" },
        Choice { value: "pin", label: "PIN: 4 to 8 digits, or empty to have one made" },
        Choice { value: "fingerprint", label: "Finger: the slot of the sensor" },
    ];
    view! {
        <section class="card" aria-labelledby="credentials-title">
            <div class="card-head">
                <h2 id="credentials-title">"Cards, PINs and fingers"</h2>
                {may_change
                    .then(|| {
                        view! {
                            <Dialog label="Add" glyph=Glyph::Plus open=add.came_back() done=added>
                                <PostForm form=add id="add-credential">
                                    <ErrorSummary form=add shown=CREDENTIAL_FIELDS />
                                    <input type="hidden" name="id" value=id.to_string() />
                                    <SelectField form=add name="kind" label="What" choices=kinds value="rfid" />
                                    <TextField form=add name="value" label="Number" maxlength=100 autocomplete="off" />
                                    <TextField
                                        form=add
                                        name="valid_until"
                                        label="Valid until"
                                        kind="datetime-local"
                                        help="By the building's clock. Empty: until it is blocked."
                                    />
                                    <SubmitButton label="Add credential" pending=add.pending() />
                                </PostForm>
                            </Dialog>
                        }
                    })}
            </div>
            {move || {
                pin()
                    .map(|pin| {
                        view! {
                            <p class="note" role="status">
                                "The PIN is "
                                <strong class="number">{pin}</strong>
                                ". It is shown this once: tell it to the person now."
                            </p>
                        }
                    })
            }}
            <ErrorSummary form=forms.set shown=&[] />
            <ErrorSummary form=forms.delete shown=&[] />
            {move || {
                let credentials = credentials.get();
                if credentials.is_empty() {
                    view! { <p class="quiet">"Nothing yet: no door opens for this person."</p> }.into_any()
                } else {
                    view! {
                        <div class="table-wrap">
                            <table class="table table-credentials">
                                <caption class="hidden">"Cards, PINs and fingers"</caption>
                                <thead>
                                    <tr>
                                        <th scope="col">"State"</th>
                                        <th scope="col">"Credential"</th>
                                        <th scope="col">"Valid"</th>
                                        <th scope="col">"Last used"</th>
                                        {may_change
                                            .then(|| view! { <th scope="col"><span class="hidden">"Actions"</span></th> })}
                                    </tr>
                                </thead>
                                <tbody>
                                    {credentials
                                        .into_iter()
                                        .map(|credential| view! { <CredentialRow id credential forms may_change /> })
                                        .collect_view()}
                                </tbody>
                            </table>
                        </div>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

#[component]
fn CredentialState(credential: Credential) -> impl IntoView {
    let now = use_now();
    move || {
        let has_run_out = match (now.get(), credential.valid_until) {
            (Some(now), Some(until)) => until <= now,
            _ => false,
        };
        if !credential.is_active {
            view! { <Badge tone=Tone::Danger glyph=Glyph::Pause word="Blocked" /> }
        } else if has_run_out {
            view! { <Badge tone=Tone::Neutral glyph=Glyph::Clock word="Expired" /> }
        } else {
            view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="Active" /> }
        }
    }
}

#[component]
fn CredentialRow(id: PersonId, credential: Credential, forms: CredentialForms, may_change: bool) -> impl IntoView {
    let title = format!("{} {}", credential.kind.title(), credential.hint);
    let place = match (&credential.reader_name, credential.kind) {
        (Some(reader), _) => format!("at {reader}"),
        (None, CredentialKind::Fingerprint) => "at every reader".to_owned(),
        (None, _) => String::new(),
    };
    let (of, until) = (credential.id, credential.valid_until);
    let is_active = credential.is_active;
    let last_used = credential.last_used_at;
    let removal = format!("Takes {title} away from this person. It opens no door any more.");
    let block = format!("{} {title}", if is_active { "Block" } else { "Unblock" });
    view! {
        <tr>
            <td class="cell-state">
                <CredentialState credential />
            </td>
            <th scope="row" class="cell-name">
                {title.clone()} <span class="sub">{place}</span>
            </th>
            <td class="cell-place">
                {match until {
                    Some(until) => view! { "until " <Moment at=Signal::stored(until) /> }.into_any(),
                    None => "until it is blocked".into_any(),
                }}
            </td>
            <td class="cell-seen">
                <Ago at=Signal::stored(last_used) />
            </td>
            {may_change
                .then(|| {
                    view! {
                        <td class="cell-actions">
                            <PostForm form=forms.set class="inline">
                                <input type="hidden" name="person" value=id.to_string() />
                                <input type="hidden" name="id" value=of.to_string() />
                                <input type="hidden" name="active" value=if is_active { "false" } else { "true" } />
                                <button class="button button-small" type="submit" aria-label=block>
                                    {if is_active { "Block" } else { "Unblock" }}
                                </button>
                            </PostForm>
                            <Dialog label="Remove" glyph=Glyph::Trash class="button button-small">
                                <PostForm form=forms.delete>
                                    <input type="hidden" name="person" value=id.to_string() />
                                    <input type="hidden" name="id" value=of.to_string() />
                                    <p>{removal}</p>
                                    <SubmitButton
                                        label=format!("Remove {title}")
                                        class="button button-danger"
                                        pending=forms.delete.pending()
                                    />
                                </PostForm>
                            </Dialog>
                        </td>
                    }
                })}
        </tr>
    }
}

/// Enrolling a card or a finger at a reader.
#[component]
pub fn EnrolmentCard(id: PersonId, shown: Memo<PersonView>, forms: CredentialForms) -> impl IntoView {
    let CredentialForms { start, cancel, .. } = forms;
    let readers = Memo::new(move |_| {
        shown.with(|shown| {
            let label = |name: &str, door: &Option<String>| match door {
                Some(door) => format!("{door}: {name}"),
                None => name.to_owned(),
            };
            let readers = shown.readers.iter();
            readers.map(|reader| (reader.id.to_string(), label(&reader.name, &reader.door_name))).collect::<Vec<_>>()
        })
    });
    let latest = Memo::new(move |_| shown.with(|shown| shown.detail.enrolments.first().cloned()));
    let is_waiting = Memo::new(move |_| {
        latest.with(|latest| latest.as_ref().is_some_and(|latest| latest.state == EnrolmentState::Waiting))
    });
    view! {
        <section class="card" aria-labelledby="enrolment-title">
            <h2 id="enrolment-title">"Enrol at a reader"</h2>
            <ErrorSummary form=start shown=&[] />
            <ErrorSummary form=cancel shown=&[] />
            <div aria-live="polite">
                {move || latest.get().map(|enrolment| view! { <EnrolmentLine id enrolment cancel /> })}
            </div>
            {move || {
                let options = readers.get();
                if options.is_empty() {
                    view! {
                        <p class="quiet">
                            "There is no reader yet: register a device of the type “reader”, or give a door its reader."
                        </p>
                    }
                        .into_any()
                } else if is_waiting.get() {
                    ().into_any()
                } else {
                    view! {
                        <PostForm form=start id="start-enrolment" class="inline">
                            <input type="hidden" name="id" value=id.to_string() />
                            <Choose name="reader" label="Reader" id="enrol-reader" options />
                            <Choose name="mode" label="What" id="enrol-mode" options=modes() />
                            <SubmitButton label="Start" pending=start.pending() />
                        </PostForm>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

fn modes() -> Vec<(String, String)> {
    let modes = [("any", "Card or finger"), ("rfid", "Card"), ("fingerprint", "Finger")];
    modes.map(|(value, label)| (value.to_owned(), label.to_owned())).into()
}

#[component]
fn EnrolmentLine(id: PersonId, enrolment: Enrolment, cancel: FormState) -> impl IntoView {
    let now = use_now();
    let expires_at = enrolment.expires_at;
    let left = move || {
        let left_s = now.get().map(|now| (expires_at.millis_since(now) / 1_000).max(0));
        left_s.map(|left_s| format!(" {left_s} s left."))
    };
    let reader = enrolment.reader_name.clone();
    match enrolment.state {
        EnrolmentState::Waiting => view! {
            <div class="note">
                <p>
                    <Icon glyph=Glyph::Clock />
                    {format!(" Waiting at {reader}: hold the card or finger to it now.")}
                    {left}
                </p>
                <PostForm form=cancel class="inline">
                    <input type="hidden" name="person" value=id.to_string() />
                    <input type="hidden" name="id" value=enrolment.id.to_string() />
                    <button class="button button-small" type="submit">"Cancel enrolment"</button>
                </PostForm>
            </div>
        }
        .into_any(),
        EnrolmentState::Done => {
            view! { <p><Badge tone=Tone::Ok glyph=Glyph::Check word="Enrolled" />{format!(" at {reader}")}</p> }
                .into_any()
        }
        EnrolmentState::Cancelled => {
            view! { <p><Badge tone=Tone::Neutral glyph=Glyph::Cross word="Cancelled" />{format!(" at {reader}")}</p> }
                .into_any()
        }
        EnrolmentState::Expired => view! {
            <p>
                <Badge tone=Tone::Attention glyph=Glyph::Clock word="Timed out" />
                {format!(" at {reader}: nothing was shown in time.")}
            </p>
        }
        .into_any(),
        EnrolmentState::Failed => view! {
            <p>
                <Badge tone=Tone::Danger glyph=Glyph::Alert word="Failed" />
                {format!(" at {reader}: {}", enrolment.error)}
            </p>
        }
        .into_any(),
    }
}
