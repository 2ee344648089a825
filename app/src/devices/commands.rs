//! The commands of a device: the last ones as they move, and a form for a new one.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::commands::{Command, CommandState};
use portico_model::live::Event;
use portico_model::{CommandId, DeviceId, Page};

use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{Ask, Loaded, read};
use crate::time::Ago;
use crate::ui::{
    Badge, Choice, Dialog, ErrorSummary, Glyph, ProblemView, SelectField, SubmitButton, TextAreaField, TextField, Tone,
};

/// How many of the last commands are shown.
const SHOWN: usize = 20;

/// The last commands of a device, the newest first.
#[server(name = ListCommands, prefix = "/sfn", endpoint = "devices/commands", input = GetUrl)]
pub async fn list_commands(id: DeviceId) -> Result<Page<Command>, Failure> {
    use crate::server::{actor, devices, failed};

    let shown = i64::try_from(SHOWN).unwrap_or(i64::MAX);
    devices()?.commands(&actor()?, id, None, None, Some(shown)).await.map_err(failed)
}

/// Has a device do something; `args` is JSON, empty for none.
#[server(name = SendCommand, prefix = "/sfn", endpoint = "devices/send_command")]
pub async fn send_command(
    id: DeviceId,
    name: String,
    #[server(default)] args: String,
    #[server(default)] expires_in_s: String,
) -> Result<Command, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::commands::NewCommand;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = format!("/devices/{id}");
    let values = [("name", name.as_str()), ("args", args.as_str()), ("expires_in_s", expires_in_s.as_str())];
    let refuse = |failure| form_failed(SendCommand::PATH, &page, &values, failure);
    let parsed = match args.trim() {
        "" => None,
        text => Some(
            serde_json::from_str(text)
                .map_err(|_| refuse(Failure::field("args", "Give JSON, such as {\"seconds\": 30}, or nothing.")))?,
        ),
    };
    let new = NewCommand { name: name.clone(), args: parsed, expires_in_s: expires_in_s.trim().parse().ok() };
    let command = devices()?.send_command(&actor()?, id, new).await.map_err(|error| refuse(failed(error)))?;
    form_done(SendCommand::PATH, &page, &[]);
    Ok(command)
}

/// Withdraws a command that still waits.
#[server(name = CancelCommand, prefix = "/sfn", endpoint = "devices/cancel_command")]
pub async fn cancel_command(id: DeviceId, command: CommandId) -> Result<Command, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = format!("/devices/{id}");
    let command = devices()?
        .cancel_command(&actor()?, id, command)
        .await
        .map_err(|error| form_failed(CancelCommand::PATH, &page, &[], failed(error)))?;
    form_done(CancelCommand::PATH, &page, &[]);
    Ok(command)
}

impl Ask for ListCommands {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

/// The forms of the panel, made while the page begins.
#[derive(Clone, Copy)]
pub struct CommandForms {
    pub send: FormState,
    pub cancel: FormState,
}

impl CommandForms {
    #[must_use]
    pub fn new() -> Self {
        Self { send: FormState::of::<SendCommand>(), cancel: FormState::of::<CancelCommand>() }
    }
}

impl Default for CommandForms {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts a command in its place: the newest first, as many as are shown.
pub fn fold_commands(commands: &mut Vec<Command>, changed: Command) {
    match commands.iter_mut().find(|command| command.id == changed.id) {
        Some(command) => *command = changed,
        None => {
            let at = commands.partition_point(|command| command.counter > changed.counter);
            commands.insert(at, changed);
            commands.truncate(SHOWN);
        }
    }
}

#[component]
fn StateBadge(state: CommandState) -> impl IntoView {
    let (tone, glyph, word) = match state {
        CommandState::Queued => (Tone::Neutral, Glyph::Clock, "Waiting"),
        CommandState::Sent => (Tone::Neutral, Glyph::Next, "Sent"),
        CommandState::Delivered => (Tone::Neutral, Glyph::Online, "At work"),
        CommandState::Acknowledged => (Tone::Ok, Glyph::Check, "Done"),
        CommandState::Failed => (Tone::Danger, Glyph::Alert, "Failed"),
        CommandState::Expired => (Tone::Unknown, Glyph::Clock, "Expired"),
        CommandState::Cancelled => (Tone::Unknown, Glyph::Cross, "Withdrawn"),
    };
    view! { <Badge tone glyph word /> }
}

/// The panel on the device's page.
#[component]
pub fn CommandsPanel(id: DeviceId, commands: Resource<Loaded>, may_manage: bool, forms: CommandForms) -> impl IntoView {
    let sent = Signal::derive(move || forms.send.successes.get() > 0);
    view! {
        <section class="card" aria-labelledby="commands-title">
            <div class="card-head">
                <h2 id="commands-title">"Commands"</h2>
                {may_manage
                    .then(|| {
                        view! {
                            <Dialog label="Send command" glyph=Glyph::Next open=forms.send.came_back() done=sent>
                                <SendForm id form=forms.send />
                            </Dialog>
                        }
                    })}
            </div>
            <ErrorSummary form=forms.cancel shown=&[] />
            <Transition fallback=|| view! { <p class="loading" role="status">"Loading commands"</p> }>
                {move || {
                    commands
                        .get()
                        .map(|loaded| match read::<Page<Command>>(loaded) {
                            Ok(page) => view! { <CommandList id commands=page.items may_manage forms /> }.into_any(),
                            Err(failure) => view! { <ProblemView failure /> }.into_any(),
                        })
                }}
            </Transition>
        </section>
    }
}

#[component]
fn SendForm(id: DeviceId, form: FormState) -> impl IntoView {
    view! {
        <PostForm form id="send-command">
            <ErrorSummary form shown=&["name", "args", "expires_in_s"] />
            <input type="hidden" name="id" value=id.to_string() />
            <TextField
                form
                name="name"
                id="command-name"
                label="Command"
                required=true
                maxlength=50
                autocomplete="off"
                placeholder="reboot"
                help="As the device knows it."
            />
            <TextAreaField form name="args" label="Arguments" help="A JSON object, such as {\"seconds\": 30}." />
            <SelectField
                form
                name="expires_in_s"
                label="Waits for the device at most"
                value="60"
                choices=vec![
                    Choice { value: "60", label: "1 minute" },
                    Choice { value: "3600", label: "1 hour" },
                    Choice { value: "86400", label: "1 day" },
                    Choice { value: "604800", label: "1 week" },
                ]
                help="After that it is never sent."
            />
            <SubmitButton label="Send command" pending=form.pending() />
        </PostForm>
    }
}

#[component]
fn CommandList(id: DeviceId, commands: Vec<Command>, may_manage: bool, forms: CommandForms) -> impl IntoView {
    let commands = RwSignal::new(commands);
    follow(
        move || Some(format!("commands:{id}")),
        move |update| match update {
            LiveUpdate::Snapshot(mut data) => {
                let now = data.get_mut("commands").map(serde_json::Value::take);
                if let Some(now) = now.and_then(|now| serde_json::from_value(now).ok()) {
                    commands.set(now);
                }
            }
            LiveUpdate::Event(Event::CommandChanged { command }) => {
                commands.update(|commands| fold_commands(commands, command));
            }
            LiveUpdate::Event(_) => {}
        },
    );
    Effect::new(move |_| {
        for form in [forms.send, forms.cancel] {
            if let Some(changed) = form.answer::<Command>() {
                // What came meanwhile over the line is newer than this answer.
                commands.update(|commands| {
                    if commands.iter().all(|command| command.id != changed.id) || changed.state.is_final() {
                        fold_commands(commands, changed);
                    }
                });
            }
        }
    });
    view! {
        <p class="quiet" hidden=move || commands.with(|commands| !commands.is_empty())>
            "Nothing was sent yet. A command waits until the device is there, and is done only when the device says so."
        </p>
        <ul class="commands" tabindex="0" aria-labelledby="commands-title" hidden=move || commands.with(Vec::is_empty)>
            <For
                each=move || commands.get()
                key=|command| (command.id, command.state, command.attempts)
                let:command
            >
                <CommandEntry command may_manage form=forms.cancel />
            </For>
        </ul>
    }
}

/// The beginning of a long text.
fn short(text: String) -> String {
    const LONGEST: usize = 160;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[component]
fn CommandEntry(command: Command, may_manage: bool, form: FormState) -> impl IntoView {
    let Command { id, device_id, name, args, state, issued_by, issued_at, attempts, error, response, .. } = command;
    let has = |value: &serde_json::Value| value.as_object().is_some_and(|members| !members.is_empty());
    let args = has(&args).then(|| short(args.to_string()));
    let response = has(&response).then(|| short(response.to_string()));
    let who = issued_by.split_once(':').map_or(issued_by.clone(), |(_, name)| name.to_owned());
    view! {
        <li class="command" data-state=state.as_str()>
            <StateBadge state />
            <div class="command-what">
                <p>
                    <strong>{name}</strong>
                    " "
                    {args.map(|args| view! { <code>{args}</code> })}
                </p>
                {(!error.is_empty()).then(|| view! { <p class="command-error">{error}</p> })}
                {response.map(|response| view! { <p class="quiet">"Answer " <code>{response}</code></p> })}
                <p class="quiet">
                    {who} ", " <Ago at=Signal::stored(Some(issued_at)) />
                    {(attempts > 1).then(|| format!(", sent {attempts} times"))}
                </p>
            </div>
            {(may_manage && state == CommandState::Queued)
                .then(|| {
                    view! {
                        <PostForm form class="inline">
                            <input type="hidden" name="id" value=device_id.to_string() />
                            <input type="hidden" name="command" value=id.to_string() />
                            <SubmitButton label="Withdraw" class="button button-small" pending=form.pending() />
                        </PostForm>
                    }
                })}
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(counter: i64, state: CommandState) -> Command {
        Command {
            id: format!("{counter:032x}").parse().unwrap(),
            device_id: "1".repeat(32).parse().unwrap(),
            name: "reboot".into(),
            args: serde_json::json!({}),
            state,
            counter,
            issued_by: "user:ada".into(),
            issued_at: portico_model::Timestamp::default(),
            expires_at: portico_model::Timestamp::default(),
            sent_at: None,
            delivered_at: None,
            finished_at: None,
            attempts: 0,
            error: String::new(),
            response: serde_json::json!({}),
        }
    }

    #[test]
    fn long_arguments_are_cut() {
        assert_eq!(short("ä".repeat(160)), "ä".repeat(160));
        assert_eq!(short("ä".repeat(161)), format!("{}…", "ä".repeat(160)));
    }

    #[test]
    fn newest_commands_stand_first_and_change_in_place() {
        let mut commands = Vec::new();
        for counter in [1, 3, 2] {
            fold_commands(&mut commands, command(counter, CommandState::Queued));
        }
        fold_commands(&mut commands, command(2, CommandState::Failed));
        let shown: Vec<_> = commands.iter().map(|command| (command.counter, command.state)).collect();
        assert_eq!(shown, [(3, CommandState::Queued), (2, CommandState::Failed), (1, CommandState::Queued)]);
        for counter in 4..100 {
            fold_commands(&mut commands, command(counter, CommandState::Queued));
        }
        assert_eq!((commands.len(), commands[0].counter), (SHOWN, 99));
    }
}
