//! What only a browser has: clock, local time, clipboard, location. On the server these do nothing.

use portico_model::Timestamp;

#[cfg(feature = "hydrate")]
mod imp {
    use js_sys::{Date, Function, Object, Reflect};
    use portico_model::Timestamp;
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen::{JsCast as _, JsValue};

    pub fn now() -> Timestamp {
        #[allow(clippy::cast_possible_truncation)] // milliseconds fit
        Timestamp::from_millis(Date::now() as i64)
    }

    pub fn every(period_ms: u64, tick: impl Fn() + 'static) {
        if let Ok(handle) = leptos::prelude::set_interval_with_handle(tick, std::time::Duration::from_millis(period_ms))
        {
            leptos::prelude::on_cleanup(move || handle.clear());
        }
    }

    pub fn local_time(at: Timestamp, zone: Option<&str>) -> String {
        #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are exact in a double
        let date = Date::new(&JsValue::from_f64(at.millis() as f64));
        let options = Object::new();
        for (key, value) in [("dateStyle", "medium"), ("timeStyle", "medium")] {
            let _ = Reflect::set(&options, &key.into(), &value.into());
        }
        if let Some(zone) = zone {
            let _ = Reflect::set(&options, &"timeZone".into(), &zone.into());
        }
        let language = leptos::prelude::window().navigator().language().unwrap_or_else(|| "en".to_owned());
        date.to_locale_string(&language, &options).into()
    }

    pub fn copy(text: &str) {
        let _ = leptos::prelude::window().navigator().clipboard().write_text(text);
    }

    pub fn go_to(path: &str) {
        let _ = leptos::prelude::window().location().assign(path);
    }

    pub fn replace_by(path: &str) {
        let _ = leptos::prelude::window().location().replace(path);
    }

    pub fn location() -> String {
        let location = leptos::prelude::window().location();
        location.pathname().unwrap_or_default() + &location.search().unwrap_or_default()
    }

    pub fn encode(text: &str) -> String {
        js_sys::encode_uri_component(text).into()
    }

    pub fn ask_before_leaving(question: &'static str, is_unsaved: impl Fn() -> bool + Copy + 'static) {
        use leptos::ev;
        use leptos::prelude::{document, on_cleanup, window, window_event_listener};
        // The tab is closed, or another document loaded: the browser asks in words of its own.
        let closing = window_event_listener(ev::beforeunload, move |event| {
            if is_unsaved() {
                event.prevent_default();
            }
        });
        // A link inside the app, before the router hears of it.
        let on_click = move |event: leptos::web_sys::MouseEvent| {
            let in_another_tab = event.button() != 0 || event.ctrl_key() || event.meta_key() || event.shift_key();
            let target = event.target().and_then(|target| target.dyn_into::<leptos::web_sys::Element>().ok());
            let links = "a[href]:not([target]):not([rel~=external]):not([download])";
            let leaves = target.is_some_and(|target| matches!(target.closest(links), Ok(Some(_))));
            if leaves && !in_another_tab && is_unsaved() && !window().confirm_with_message(question).unwrap_or(true) {
                event.prevent_default();
                event.stop_propagation();
            }
        };
        let on_click = Closure::<dyn Fn(leptos::web_sys::MouseEvent)>::new(on_click);
        let listener: &Function = on_click.as_ref().unchecked_ref();
        let _ = document().add_event_listener_with_callback_and_bool("click", listener, true);
        let on_click = send_wrapper::SendWrapper::new(on_click);
        on_cleanup(move || {
            closing.remove();
            let listener: &Function = on_click.as_ref().unchecked_ref();
            let _ = document().remove_event_listener_with_callback_and_bool("click", listener, true);
        });
    }

    /// Loads a module of `public/` once.
    pub fn load_module(source: &str) {
        let document = leptos::prelude::document();
        if document.query_selector(&format!("script[src='{source}']")).ok().flatten().is_some() {
            return;
        }
        if let (Ok(script), Some(head)) = (document.create_element("script"), document.head()) {
            let _ = script.set_attribute("type", "module");
            let _ = script.set_attribute("src", source);
            let _ = head.append_child(&script);
        }
    }

    pub fn set_attribute_of_root(name: &str, value: &str) {
        if let Some(root) = leptos::prelude::document().document_element() {
            let _ = root.set_attribute(name, value);
        }
    }
}

#[cfg(feature = "hydrate")]
mod http {
    //! One fetch for pages and forms.

    use std::future::Future;

    use leptos::web_sys::{FormData, UrlSearchParams};
    use portico_model::FieldError;
    use send_wrapper::SendWrapper;
    use serde_json::Value;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{RequestInit, Response};

    use crate::failure::Failure;

    /// What the server answered.
    pub struct Answer {
        pub text: String,
        /// Where a form leads.
        pub next: Option<String>,
    }

    /// Asks the server; with a body as a form does.
    pub fn fetch<T: 'static>(
        address: String,
        body: Option<String>,
        then: fn(Answer) -> T,
    ) -> impl Future<Output = Result<T, Failure>> + Send {
        const FORM: &str = "application/x-www-form-urlencoded";
        let body = body.map(|body| (JsValue::from_str(&body), FORM));
        SendWrapper::new(async move { ask(&address, body).await.map(then) })
    }

    async fn ask(address: &str, body: Option<(JsValue, &str)>) -> Result<Answer, Failure> {
        let init = RequestInit::new();
        let headers = js_sys::Object::new();
        let _ = js_sys::Reflect::set(&headers, &"accept".into(), &"application/json".into());
        if let Some((body, kind)) = body {
            init.set_method("POST");
            init.set_body(&body);
            let _ = js_sys::Reflect::set(&headers, &"content-type".into(), &kind.into());
        }
        init.set_headers(&headers);
        let response = JsFuture::from(leptos::prelude::window().fetch_with_str_and_init(address, &init))
            .await
            .map_err(|_| Failure::unreachable())?
            .unchecked_into::<Response>();
        let text = match response.text() {
            Ok(text) => JsFuture::from(text).await.ok().and_then(|text| text.as_string()),
            Err(_) => None,
        };
        let text = text.ok_or_else(Failure::unreachable)?;
        if response.ok() {
            let next = response.headers().get("location").ok().flatten();
            Ok(Answer { text, next })
        } else {
            Err(failure_of(response.status(), &text))
        }
    }

    /// Server functions answer with a [`Failure`]; what stands in front of them (limits, sessions) with a problem.
    fn failure_of(status: u16, text: &str) -> Failure {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        let part = |name: &str| json.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let fields = json.get("fields").or_else(|| json.get("errors")).and_then(Value::as_array);
        let field =
            |field: &Value| Some(FieldError::new(field.get("field")?.as_str()?, field.get("message")?.as_str()?));
        Failure {
            status,
            code: part("code").unwrap_or_default(),
            message: part("message")
                .or_else(|| part("detail"))
                .unwrap_or_else(|| "The server answered in an unexpected way. Try again shortly.".to_owned()),
            fields: fields.map(|fields| fields.iter().filter_map(field).collect()).unwrap_or_default(),
            request_id: part("request_id").unwrap_or_default(),
        }
    }

    /// What the form would send.
    pub fn form_body(event: &leptos::ev::SubmitEvent) -> Option<String> {
        let form = event.target()?.unchecked_into::<web_sys::HtmlFormElement>();
        let data = FormData::new_with_form(&form).ok()?;
        // Which of several buttons was pressed.
        if let Some(button) = event.submitter()
            && let (Some(name), Some(value)) = (button.get_attribute("name"), button.get_attribute("value"))
        {
            let _ = data.append_with_str(&name, &value);
        }
        let pairs = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
        pairs.to_string().as_string()
    }

    /// Posts the file that was chosen in a field, as it is; `then` gets the answer.
    pub fn send_file(address: &str, field: &str, then: impl FnOnce(Result<Value, Failure>) + 'static) {
        let chosen = leptos::prelude::document().get_element_by_id(field).and_then(|input| {
            let files = js_sys::Reflect::get(&input, &"files".into()).ok()?;
            js_sys::Reflect::get_u32(&files, 0).ok().filter(JsValue::is_object)
        });
        let Some(file) = chosen else { return then(Err(Failure::field("file", "Choose a file."))) };
        let address = address.to_owned();
        leptos::task::spawn_local(async move {
            let answer = ask(&address, Some((file, "application/octet-stream"))).await;
            then(answer.map(|answer| serde_json::from_str(&answer.text).unwrap_or_default()));
        });
    }

    /// Posts a form; `then` gets what came of it.
    pub fn post(path: &str, body: String, then: impl FnOnce(Result<(Value, Option<String>), Failure>) + 'static) {
        let answer = fetch(path.to_owned(), Some(body), |answer| {
            (serde_json::from_str(&answer.text).unwrap_or_default(), answer.next)
        });
        leptos::task::spawn_local(async move { then(answer.await) });
    }
}

#[cfg(feature = "hydrate")]
pub use http::{fetch, form_body, post, send_file};

#[cfg(not(feature = "hydrate"))]
mod http {
    //! Nothing is posted where there is no browser.

    use serde_json::Value;

    use crate::failure::Failure;

    pub fn form_body(_event: &leptos::ev::SubmitEvent) -> Option<String> {
        None
    }

    pub fn post(_path: &str, _body: String, _then: impl FnOnce(Result<(Value, Option<String>), Failure>) + 'static) {}

    pub fn send_file(_address: &str, _field: &str, _then: impl FnOnce(Result<Value, Failure>) + 'static) {}
}

#[cfg(not(feature = "hydrate"))]
pub use http::{form_body, post, send_file};

#[cfg(not(feature = "hydrate"))]
mod imp {
    use portico_model::Timestamp;

    pub fn now() -> Timestamp {
        Timestamp::default()
    }
    pub fn every(_period_ms: u64, _tick: impl Fn() + 'static) {}
    pub fn local_time(at: Timestamp, _zone: Option<&str>) -> String {
        crate::time::utc_text(at)
    }
    pub fn copy(_text: &str) {}
    pub fn go_to(_path: &str) {}
    pub fn replace_by(_path: &str) {}
    pub fn location() -> String {
        String::new()
    }
    pub fn encode(text: &str) -> String {
        #[cfg(feature = "ssr")]
        return crate::server::percent_encode(text);
        #[cfg(not(feature = "ssr"))]
        text.to_owned()
    }
    pub fn ask_before_leaving(_question: &'static str, _is_unsaved: impl Fn() -> bool + Copy + 'static) {}
    pub fn load_module(_source: &str) {}
    pub fn set_attribute_of_root(_name: &str, _value: &str) {}
}

/// The browser's clock.
#[must_use]
pub fn now() -> Timestamp {
    imp::now()
}

/// Calls `tick` until the current owner is disposed of.
pub fn every(period_ms: u64, tick: impl Fn() + 'static) {
    imp::every(period_ms, tick);
}

/// The time in the browser's language and zone.
#[must_use]
pub fn local_time(at: Timestamp, zone: Option<&str>) -> String {
    imp::local_time(at, zone)
}

/// To the clipboard.
pub fn copy(text: &str) {
    imp::copy(text);
}

/// Loads another page.
pub fn go_to(path: &str) {
    imp::go_to(path);
}

/// Loads another page in the place of this one: going back does not lead here.
pub fn replace_by(path: &str) {
    imp::replace_by(path);
}

/// A path of our own to go on to, or `/`: never another site.
#[must_use]
pub fn local_path(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_local { next } else { "/" }
}

/// Path and query of the page shown.
#[must_use]
pub fn location() -> String {
    imp::location()
}

/// The text for use in a query.
#[must_use]
pub fn encode(text: &str) -> String {
    imp::encode(text)
}

/// Path and query of the page shown, for use in a query.
#[must_use]
pub fn encoded_location() -> String {
    encode(&location())
}

/// Asks before somebody leaves the page while something on it is not saved, until the current owner is disposed of. Going back
/// inside the app is not seen.
pub fn ask_before_leaving(question: &'static str, is_unsaved: impl Fn() -> bool + Copy + 'static) {
    imp::ask_before_leaving(question, is_unsaved);
}

/// Loads a JavaScript module of the site once.
pub fn load_module(source: &str) {
    imp::load_module(source);
}

/// Sets an attribute of `<html>`.
pub fn set_attribute_of_root(name: &str, value: &str) {
    imp::set_attribute_of_root(name, value);
}
