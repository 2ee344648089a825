//! Form fields: label above, help below, error beside, all tied together for screen readers.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::form::FormState;

fn describe(name: &str, has_help: bool, has_error: bool) -> Option<String> {
    match (has_help, has_error) {
        (false, false) => None,
        (true, false) => Some(format!("{name}-help")),
        (false, true) => Some(format!("{name}-error")),
        (true, true) => Some(format!("{name}-error {name}-help")),
    }
}

#[component]
fn FieldError(id: String, error: Signal<Option<String>>) -> impl IntoView {
    view! {
        <p class="field-error" id=format!("{id}-error") aria-live="polite" hidden=move || error.with(Option::is_none)>
            <Icon glyph=Glyph::Alert />
            <span>{move || error.get().unwrap_or_default()}</span>
        </p>
    }
}

/// One line of text.
#[component]
pub fn TextField(
    form: FormState,
    name: &'static str,
    #[prop(into)] label: String,
    #[prop(default = "text")] kind: &'static str,
    /// Unless the form came back with what was typed.
    #[prop(optional, into)]
    value: String,
    #[prop(optional)] help: &'static str,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] placeholder: Option<&'static str>,
    #[prop(optional)] required: bool,
    #[prop(optional)] autofocus: bool,
    #[prop(optional)] min: Option<&'static str>,
    #[prop(optional)] max: Option<&'static str>,
    #[prop(optional)] maxlength: Option<u32>,
    #[prop(optional)] minlength: Option<u32>,
    #[prop(optional)] pattern: Option<String>,
    /// Id of the `<datalist>` with its suggestions.
    #[prop(optional)]
    list: Option<&'static str>,
    /// Where the same name stands in several forms of a page.
    #[prop(optional, into)]
    id: Option<String>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.to_owned());
    let error = form.error(name);
    let typed = if kind == "password" { None } else { Some(form.value(name, &value)).filter(|text| !text.is_empty()) };
    let described = {
        let id = id.clone();
        move || describe(&id, !help.is_empty(), error.with(Option::is_some))
    };
    view! {
        <div class="field">
            <label for=id.clone()>
                {label} {(!required).then(|| view! { <span class="optional">"optional"</span> })}
            </label>
            <input
                id=id.clone()
                name=name
                type=kind
                value=typed
                required=required
                autofocus=autofocus
                autocomplete=autocomplete
                placeholder=placeholder
                min=min
                max=max
                maxlength=maxlength
                minlength=minlength
                pattern=pattern
                list=list
                spellcheck=(kind != "text").then_some("false")
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                aria-describedby=described
            />
            <FieldError id=id.clone() error />
            {(!help.is_empty()).then(|| view! { <p class="field-help" id=format!("{id}-help")>{help}</p> })}
        </div>
    }
}

/// A `<textarea>` holds text alone: an empty child would be rendered as a blank or a comment in it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Several lines of text.
#[component]
pub fn TextAreaField(
    form: FormState,
    name: &'static str,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional)] help: &'static str,
    #[prop(default = 3)] rows: u32,
) -> impl IntoView {
    let error = form.error(name);
    let text = form.value(name, &value);
    view! {
        <div class="field">
            <label for=name>{label} <span class="optional">"optional"</span></label>
            <textarea
                id=name
                name=name
                rows=rows
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                aria-describedby=move || describe(name, !help.is_empty(), error.with(Option::is_some))
                inner_html=escape(&text)
            ></textarea>
            <FieldError id=name.to_owned() error />
            {(!help.is_empty()).then(|| view! { <p class="field-help" id=format!("{name}-help")>{help}</p> })}
        </div>
    }
}

/// One of a few values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub value: &'static str,
    pub label: &'static str,
}

/// A choice among a few.
#[component]
pub fn SelectField(
    form: FormState,
    name: &'static str,
    #[prop(into)] label: String,
    choices: Vec<Choice>,
    #[prop(optional, into)] value: String,
    #[prop(optional)] help: &'static str,
    #[prop(optional, into)] id: Option<String>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.to_owned());
    let error = form.error(name);
    let chosen = form.value(name, &value);
    let described = {
        let id = id.clone();
        move || describe(&id, !help.is_empty(), error.with(Option::is_some))
    };
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <select
                id=id.clone()
                name=name
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                aria-describedby=described
            >
                {choices
                    .into_iter()
                    .map(|choice| {
                        view! {
                            <option value=choice.value selected=choice.value == chosen>
                                {choice.label}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
            <FieldError id=id.clone() error />
            {(!help.is_empty()).then(|| view! { <p class="field-help" id=format!("{id}-help")>{help}</p> })}
        </div>
    }
}

/// What is wrong with the whole form, above it.
#[component]
pub fn ErrorSummary(
    form: FormState,
    /// Fields that show their error themselves.
    shown: &'static [&'static str],
) -> impl IntoView {
    let general = form.general(shown);
    view! {
        <div role="alert" class="form-errors">
            {move || {
                general
                    .get()
                    .map(|text| {
                        view! {
                            <p class="form-error">
                                <Icon glyph=Glyph::Alert />
                                <span>{text}</span>
                            </p>
                        }
                    })
            }}
        </div>
    }
}
