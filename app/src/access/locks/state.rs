//! How a lock's state is worded, and its button; the same in the list and on the lock's page.

use leptos::prelude::*;
use portico_model::Timestamp;
use portico_model::access::Position;
use portico_model::access::lock::{Bolt, Lock, LockRole};
use portico_model::devices::Connection;

use crate::form::{FormState, PostForm};
use crate::time::Ago;
use crate::ui::{Badge, Glyph, Icon, SubmitButton, Tone};

/// The word of a position.
#[must_use]
pub const fn position_word(position: Position) -> &'static str {
    match position {
        Position::Locked => "Locked",
        Position::Unlocked => "Unlocked",
        Position::Locking => "Locking…",
        Position::Unlocking => "Unlocking…",
        Position::Jammed => "Jammed",
        Position::Unknown => "Unknown",
    }
}

const fn position_glyph(position: Position) -> Glyph {
    match position {
        Position::Locked => Glyph::Lock,
        Position::Unlocked => Glyph::Unlock,
        Position::Locking | Position::Unlocking => Glyph::Clock,
        Position::Jammed => Glyph::Alert,
        Position::Unknown => Glyph::Unknown,
    }
}

/// The name of a person, a program or a device as the audit trail has it.
#[must_use]
pub fn who(label: &str) -> String {
    match label.split_once(':') {
        Some(("user" | "service" | "person", name)) => name.to_owned(),
        Some(("device", _)) => "the lock itself".to_owned(),
        _ => "Portico".to_owned(),
    }
}

/// What stands under the position: since when and by whom, or why it is not known.
#[must_use]
pub fn explanation(lock: &Lock) -> (String, Option<Timestamp>) {
    match lock.position {
        Position::Locked | Position::Unlocked => (format!("by {}", who(&lock.changed_by)), lock.position_at),
        Position::Locking | Position::Unlocking if lock.connection == Connection::Online => {
            ("until the lock says that it is done".to_owned(), None)
        }
        Position::Locking | Position::Unlocking => {
            ("as soon as the lock is back; given up".to_owned(), lock.wanted_until)
        }
        Position::Jammed => ("neither locked nor unlocked for certain; jammed".to_owned(), lock.position_at),
        Position::Unknown => match lock.last_known {
            Some(Bolt::Locked) => ("last locked".to_owned(), lock.last_known_at),
            Some(Bolt::Unlocked) => ("last unlocked".to_owned(), lock.last_known_at),
            None => ("it has not said where its bolt is".to_owned(), None),
        },
    }
}

/// Whether the lock is heard.
#[component]
pub fn LockConnection(#[prop(into)] lock: Signal<Lock>) -> impl IntoView {
    let connection = Memo::new(move |_| lock.with(|lock| lock.connection));
    move || match connection.get() {
        Connection::Online => view! { <Badge tone=Tone::Ok glyph=Glyph::Online word="Available" /> },
        Connection::Offline => view! { <Badge tone=Tone::Danger glyph=Glyph::Offline word="Unavailable" /> },
        Connection::Never => view! { <Badge tone=Tone::Unknown glyph=Glyph::Unknown word="Never seen" /> },
    }
}

/// The forms that move bolts, made while the page begins.
#[derive(Clone, Copy)]
pub struct OperateForms {
    pub lock: FormState,
    pub unlock: FormState,
}

impl OperateForms {
    #[must_use]
    pub fn new() -> Self {
        Self { lock: FormState::of::<super::LockIt>(), unlock: FormState::of::<super::UnlockIt>() }
    }
}

impl Default for OperateForms {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the bolt is, large, and the button that moves it. Both buttons are always there and only one is shown, so that
/// nothing is made anew under a finger.
#[component]
pub fn LockButton(
    #[prop(into)] lock: Signal<Lock>,
    role: LockRole,
    forms: OperateForms,
    /// `list` in the list.
    #[prop(default = "")]
    from: &'static str,
) -> impl IntoView {
    let id = lock.with_untracked(|lock| lock.id);
    let position = Memo::new(move |_| lock.with(|lock| lock.position));
    let name = Memo::new(move |_| lock.with(|lock| lock.name.clone()));
    let text = Memo::new(move |_| lock.with(explanation));
    let may = role >= LockRole::Operator;
    // Where it is not known, both are offered.
    let offers_lock = move || !matches!(position.get(), Position::Locked | Position::Locking);
    let offers_unlock = move || !matches!(position.get(), Position::Unlocked | Position::Unlocking);
    view! {
        <div class="lock-face" data-position=move || position.get().as_str()>
            <span class="lock-disc">
                {move || view! { <Icon glyph=position_glyph(position.get()) /> }}
            </span>
            <p class="lock-position" role="status">
                <strong>{move || position_word(position.get())}</strong>
                <span class="sub">
                    {move || text.with(|(words, _)| words.clone())} " "
                    {move || {
                        text.with(|(_, at)| *at).map(|at| view! { <Ago at=Signal::stored(Some(at)) /> })
                    }}
                </span>
            </p>
        </div>
        {may
            .then(|| {
                view! {
                    <div class="lock-buttons">
                        <div hidden=move || !offers_unlock()>
                            <PostForm form=forms.unlock class="inline">
                                <input type="hidden" name="id" value=id.to_string() />
                                <input type="hidden" name="from" value=from />
                                <SubmitButton
                                    label="Unlock"
                                    glyph=Glyph::Unlock
                                    class="button button-primary lock-thumb"
                                    pending=forms.unlock.pending()
                                />
                                <span class="hidden">{move || name.get()}</span>
                            </PostForm>
                        </div>
                        <div hidden=move || !offers_lock()>
                            <PostForm form=forms.lock class="inline">
                                <input type="hidden" name="id" value=id.to_string() />
                                <input type="hidden" name="from" value=from />
                                <SubmitButton
                                    label="Lock"
                                    glyph=Glyph::Lock
                                    class="button button-primary lock-thumb"
                                    pending=forms.lock.pending()
                                />
                                <span class="hidden">{move || name.get()}</span>
                            </PostForm>
                        </div>
                    </div>
                }
            })}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_things_are_named() {
        assert_eq!(who("user:ada"), "ada");
        assert_eq!(who("service:gate"), "gate");
        assert_eq!(who("device:0199a0000000700080000000000000ab"), "the lock itself");
        assert_eq!(who("system"), "Portico");
    }
}
