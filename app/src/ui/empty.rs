//! An empty list says what it is for and the one thing to do next.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// Shown in place of an empty list.
#[component]
pub fn EmptyState(
    glyph: Glyph,
    #[prop(into)] title: String,
    #[prop(into)] text: String,
    /// It is all the page has: its title is the page's heading.
    #[prop(optional)]
    whole_page: bool,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <span class="empty-icon">
                <Icon glyph />
            </span>
            {if whole_page {
                view! { <h1>{title}</h1> }.into_any()
            } else {
                view! { <h2>{title}</h2> }.into_any()
            }}
            <p>{text}</p>
            {children.map(|children| view! { <div class="empty-actions">{children()}</div> })}
        </div>
    }
}
