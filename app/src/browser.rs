//! What only a browser has: clock, local time, clipboard, location. On the server these do nothing.

use portico_model::Timestamp;

#[cfg(feature = "hydrate")]
mod imp {
    use js_sys::{Date, Object, Reflect};
    use portico_model::Timestamp;
    use wasm_bindgen::JsValue;

    pub fn now() -> Timestamp {
        #[allow(clippy::cast_possible_truncation)] // milliseconds fit
        Timestamp::from_millis(Date::now() as i64)
    }

    pub fn every(period_ms: u64, tick: impl Fn() + 'static) {
        if let Ok(handle) =
            leptos::prelude::set_interval_with_handle(tick, std::time::Duration::from_millis(period_ms))
        {
            leptos::prelude::on_cleanup(move || handle.clear());
        }
    }

    pub fn local_time(at: Timestamp) -> String {
        #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are exact in a double
        let date = Date::new(&JsValue::from_f64(at.millis() as f64));
        let options = Object::new();
        for (key, value) in [("dateStyle", "medium"), ("timeStyle", "medium")] {
            let _ = Reflect::set(&options, &key.into(), &value.into());
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

    pub fn location() -> String {
        let location = leptos::prelude::window().location();
        location.pathname().unwrap_or_default() + &location.search().unwrap_or_default()
    }

    pub fn encode(text: &str) -> String {
        js_sys::encode_uri_component(text).into()
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

#[cfg(not(feature = "hydrate"))]
mod imp {
    use portico_model::Timestamp;

    pub fn now() -> Timestamp {
        Timestamp::default()
    }
    pub fn every(_period_ms: u64, _tick: impl Fn() + 'static) {}
    pub fn local_time(at: Timestamp) -> String {
        crate::time::utc_text(at)
    }
    pub fn copy(_text: &str) {}
    pub fn go_to(_path: &str) {}
    pub fn location() -> String {
        String::new()
    }
    pub fn encode(text: &str) -> String {
        #[cfg(feature = "ssr")]
        return crate::server::percent_encode(text);
        #[cfg(not(feature = "ssr"))]
        text.to_owned()
    }
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
pub fn local_time(at: Timestamp) -> String {
    imp::local_time(at)
}

/// To the clipboard.
pub fn copy(text: &str) {
    imp::copy(text);
}

/// Loads another page.
pub fn go_to(path: &str) {
    imp::go_to(path);
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

/// Loads a JavaScript module of the site once.
pub fn load_module(source: &str) {
    imp::load_module(source);
}

/// Sets an attribute of `<html>`.
pub fn set_attribute_of_root(name: &str, value: &str) {
    imp::set_attribute_of_root(name, value);
}
