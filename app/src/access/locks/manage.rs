//! What a lock's owner may do: share it, change it, give it away, remove it.

use leptos::prelude::*;
use portico_model::access::lock::{Lock, LockGrant, LockNotice, LockRole};
use portico_model::{DeviceId, PersonGroupId};

use super::{ChangeLock, ReassignLock, RemoveLock, ShareLock, UnshareLock};
use crate::access::Choose;
use crate::form::{FormState, PostForm};
use crate::ui::{Choice, Dialog, ErrorSummary, Glyph, Icon, SelectField, SubmitButton, TextField};

/// The forms of the page, made while it begins.
#[derive(Clone, Copy)]
pub struct LockForms {
    pub change: FormState,
    pub share: FormState,
    pub unshare: FormState,
    pub reassign: FormState,
    pub remove: FormState,
}

impl LockForms {
    #[must_use]
    pub fn new() -> Self {
        Self {
            change: FormState::of::<ChangeLock>(),
            share: FormState::of::<ShareLock>(),
            unshare: FormState::of::<UnshareLock>(),
            reassign: FormState::of::<ReassignLock>(),
            remove: FormState::of::<RemoveLock>(),
        }
    }

    /// How often something was changed.
    #[must_use]
    pub fn changes(&self) -> u32 {
        FormState::successes_of(&[self.change, self.share, self.unshare, self.reassign])
    }
}

impl Default for LockForms {
    fn default() -> Self {
        Self::new()
    }
}

const fn role_word(role: LockRole) -> &'static str {
    match role {
        LockRole::Viewer => "sees it",
        LockRole::Operator => "locks and unlocks",
        LockRole::Manager => "manages it",
    }
}

/// With whom it is shared.
#[component]
pub fn Sharing(
    id: DeviceId,
    #[prop(into)] grants: Signal<Vec<LockGrant>>,
    /// Of people, to share it with.
    groups: Vec<(PersonGroupId, String)>,
    forms: LockForms,
) -> impl IntoView {
    let has_groups = !groups.is_empty();
    let options = std::iter::once((String::new(), "None".to_owned()))
        .chain(groups.into_iter().map(|(id, name)| (id.to_string(), name)))
        .collect::<Vec<_>>();
    let LockForms { share, unshare, .. } = forms;
    let is_none = Memo::new(move |_| grants.with(Vec::is_empty));
    view! {
        <section class="card" aria-labelledby="sharing-title">
            <h2 id="sharing-title">"Shared with"</h2>
            <p class="quiet" hidden=move || !is_none.get()>"Nobody but its owner has this lock."</p>
            <ErrorSummary form=unshare shown=&[] />
            <ul class="lock-grants" aria-label="Shared with">
                <For each=move || grants.get() key=|grant| (grant.id, grant.role) let:grant>
                    <li>
                        <span>
                            <strong>{grant.name.clone()}</strong>
                            " "
                            <span class="sub">{role_word(grant.role)}</span>
                        </span>
                        <PostForm form=unshare class="inline">
                            <input type="hidden" name="id" value=id.to_string() />
                            <input type="hidden" name="grant" value=grant.id.to_string() />
                            <button
                                class="button button-icon"
                                type="submit"
                                title="Take back"
                                aria-label=format!("Take the lock back from {}", grant.name)
                            >
                                <Icon glyph=Glyph::Cross />
                            </button>
                        </PostForm>
                    </li>
                </For>
            </ul>
            <PostForm form=share id="share-lock">
                <ErrorSummary form=share shown=&["user", "role"] />
                <input type="hidden" name="id" value=id.to_string() />
                <TextField
                    form=share
                    name="user"
                    id="share-user"
                    label="Person"
                    required=!has_groups
                    maxlength=320
                    autocomplete="off"
                    help="User name or e-mail address."
                />
                {has_groups
                    .then(|| view! { <Choose name="group" label="or a group of cardholders" id="share-group" options /> })}
                <SelectField
                    form=share
                    name="role"
                    id="share-role"
                    label="May"
                    choices=vec![
                        Choice { value: "operator", label: "Lock and unlock" },
                        Choice { value: "viewer", label: "See it and its history" },
                    ]
                />
                <SubmitButton label="Share" class="button" pending=share.pending() />
            </PostForm>
        </section>
    }
}

const NOTICES: [(LockNotice, &str); 5] = [
    (LockNotice::Unlocked, "it is unlocked"),
    (LockNotice::Locked, "it is locked"),
    (LockNotice::Jammed, "it jams"),
    (LockNotice::Failed, "it does not do what it was told"),
    (LockNotice::Offline, "it is not available"),
];

/// Edit, give away, remove.
#[component]
pub fn LockActions(lock: Lock, may_reassign: bool, forms: LockForms) -> impl IntoView {
    let id = lock.id;
    let LockForms { change, reassign, remove, .. } = forms;
    let changed = Signal::derive(move || change.successes.get() > 0);
    let given = Signal::derive(move || reassign.successes.get() > 0);
    let relock = lock.relock_after_s.map(|seconds| seconds.to_string()).unwrap_or_default();
    let notify_on = lock.notify_on.clone();
    let removal = format!(
        "Removes the lock “{}” with its history. Nobody can lock or unlock it from here any more. Its device stays.",
        lock.name,
    );
    view! {
        <div class="page-actions">
            <a class="button" href=format!("/codes?place=lock:{id}")>
                <Icon glyph=Glyph::Key />
                <span>"Codes"</span>
            </a>
            <Dialog label="Settings" glyph=Glyph::Settings open=change.came_back() done=changed>
                <PostForm form=change id="change-lock">
                    <ErrorSummary form=change shown=&["name", "location", "relock_after_s"] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <TextField
                        form=change
                        name="name"
                        id="change-name"
                        label="Name"
                        required=true
                        maxlength=100
                        value=lock.name.clone()
                        autocomplete="off"
                    />
                    <TextField
                        form=change
                        name="location"
                        id="change-location"
                        label="Place"
                        value=lock.location.clone()
                        autocomplete="off"
                    />
                    <TextField
                        form=change
                        name="relock_after_s"
                        id="change-relock"
                        label="Locks itself after … seconds"
                        kind="number"
                        min="0"
                        max="86400"
                        value=relock
                        help="Empty: it stays as it is left."
                    />
                    <label class="check">
                        <input type="checkbox" name="require_step_up" value="true" checked=lock.require_step_up />
                        <span>"Ask again who it is before it locks or unlocks"</span>
                    </label>
                    <fieldset class="field">
                        <legend>"Tell those who have it when"</legend>
                        {NOTICES
                            .into_iter()
                            .map(|(notice, words)| {
                                view! {
                                    <label class="check">
                                        <input
                                            type="checkbox"
                                            name="notify_on[]"
                                            value=notice.as_str()
                                            checked=notify_on.contains(&notice)
                                        />
                                        <span>{words}</span>
                                    </label>
                                }
                            })
                            .collect_view()}
                    </fieldset>
                    <SubmitButton label="Save changes" pending=change.pending() />
                </PostForm>
            </Dialog>
            {may_reassign
                .then(|| {
                    view! {
                        <Dialog label="Give away" glyph=Glyph::Account open=reassign.came_back() done=given>
                            <PostForm form=reassign id="reassign-lock">
                                <ErrorSummary form=reassign shown=&["owner"] />
                                <input type="hidden" name="id" value=id.to_string() />
                                <p>"Whoever it is shared with has it no more."</p>
                                <TextField
                                    form=reassign
                                    name="owner"
                                    id="reassign-owner"
                                    label="New owner"
                                    required=true
                                    autocomplete="off"
                                    help="User name or e-mail address."
                                />
                                <SubmitButton label="Give it" pending=reassign.pending() />
                            </PostForm>
                        </Dialog>
                    }
                })}
            <Dialog label="Remove" glyph=Glyph::Trash class="button button-danger" open=remove.came_back()>
                <PostForm form=remove id="remove-lock">
                    <ErrorSummary form=remove shown=&[] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <p>{removal}</p>
                    <SubmitButton
                        label="Remove lock"
                        glyph=Glyph::Trash
                        class="button button-danger"
                        pending=remove.pending()
                    />
                </PostForm>
            </Dialog>
        </div>
    }
}
