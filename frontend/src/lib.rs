//! The browser's entry: makes the pages that the server rendered interactive. Everything visible lives in `portico-app`.

// The views are one deeply nested type.
#![recursion_limit = "512"]

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the script that [`leptos::hydration::HydrationScripts`] writes into each page, once the module is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_lazy(portico_app::App);
}
