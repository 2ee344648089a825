//! The box in which a plan is drawn: it scrolls, and what is in it can be made larger and smaller.

use leptos::html;
use leptos::prelude::*;
use leptos::web_sys::HtmlElement;

use super::plan::Sheet;
use crate::ui::{Glyph, Icon};

/// By how much a step makes it larger.
const STEP: f64 = 1.4;

/// How much larger than usual it can be.
const LARGEST: f64 = 3.0;

/// How wide a plan is drawn, pixels; absent: as usual. It is never narrower than its box.
#[derive(Clone, Copy)]
pub struct Zoom {
    usual: f64,
    width: RwSignal<Option<f64>>,
}

impl Zoom {
    pub fn of(sheet: &Sheet) -> Self {
        Self { usual: sheet.pixels(), width: RwSignal::new(None) }
    }

    /// Of the drawing.
    pub fn width(self) -> String {
        format!("{:.0}", self.width.get().unwrap_or(self.usual))
    }
}

/// Where the middle of what is seen lies, as parts of the whole.
fn middle(seen: &HtmlElement) -> (f64, f64) {
    let part = |from: i32, seen: i32, all: i32| (f64::from(from) + f64::from(seen) / 2.0) / f64::from(all.max(1));
    (
        part(seen.scroll_left(), seen.client_width(), seen.scroll_width()),
        part(seen.scroll_top(), seen.client_height(), seen.scroll_height()),
    )
}

fn show_middle(seen: &HtmlElement, (across, down): (f64, f64)) {
    #[allow(clippy::cast_possible_truncation)] // pixels
    let from = |part: f64, seen: i32, all: i32| (part * f64::from(all) - f64::from(seen) / 2.0).round() as i32;
    seen.set_scroll_left(from(across, seen.client_width(), seen.scroll_width()));
    seen.set_scroll_top(from(down, seen.client_height(), seen.scroll_height()));
}

/// The box with its buttons.
#[component]
pub fn PlanBox(
    zoom: Zoom,
    label: String,
    #[prop(default = "park-plan")] class: &'static str,
    children: Children,
) -> impl IntoView {
    let seen = NodeRef::<html::Section>::new();
    // Whether all of its width is seen, and whether it is as large as can be.
    let (is_whole, is_largest) = (RwSignal::new(true), RwSignal::new(false));
    let largest = zoom.usual * LARGEST;
    // At the next frame the plan may be gone already.
    let look = move || {
        if let Some(seen) = seen.try_get_untracked().flatten() {
            is_whole.set(seen.scroll_width() <= seen.client_width());
            is_largest.set(f64::from(seen.scroll_width()) >= largest);
        }
    };
    let alive = crate::time::use_now();
    let is_alive = Memo::new(move |_| alive.with(Option::is_some));
    Effect::new(move |_| {
        if seen.get().is_some() {
            request_animation_frame(look);
        }
    });
    let draw = move |by: f64| {
        let Some(seen) = seen.get_untracked() else { return };
        let looked_at = middle(&seen);
        let to = f64::from(seen.scroll_width()) * by;
        zoom.width.set(Some(to.min(largest).max(f64::from(seen.client_width()))));
        request_animation_frame(move || {
            show_middle(&seen, looked_at);
            look();
        });
    };
    view! {
        <div class="park-frame">
            <section class=class aria-label=label node_ref=seen>
                {children()}
            </section>
            <div class="park-zoom" role="group" aria-label="Size of the plan" hidden=move || !is_alive.get()>
                <button
                    type="button"
                    class="button button-icon"
                    aria-label="Smaller"
                    disabled=move || is_whole.get()
                    on:click=move |_| draw(1.0 / STEP)
                >
                    <Icon glyph=Glyph::Minus />
                </button>
                <button
                    type="button"
                    class="button button-icon"
                    aria-label="Larger"
                    disabled=move || is_largest.get()
                    on:click=move |_| draw(STEP)
                >
                    <Icon glyph=Glyph::Plus />
                </button>
            </div>
        </div>
    }
}
