//! A page or a part of it that could not be had.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::failure::Failure;

/// What went wrong, and what to do. When nobody is signed in any more, the sign-in page comes up.
#[component]
pub fn ProblemView(failure: Failure) -> impl IntoView {
    let signed_out = failure.status == 401;
    Effect::new(move |_| {
        if signed_out {
            crate::browser::go_to(&format!("/login?next={}", crate::browser::encoded_location()));
        }
    });
    let title = match failure.status {
        0 => "No connection",
        401 => "Signed out",
        403 => "Not allowed",
        404 => "Not found",
        503 => "Not available at the moment",
        _ => "This did not work",
    };
    view! {
        <div class="problem" role="alert">
            <span class="problem-icon">
                <Icon glyph=Glyph::Alert />
            </span>
            <div>
                <h2>{title}</h2>
                <p>{failure.message}</p>
                {(!failure.request_id.is_empty())
                    .then(|| view! { <p class="quiet">"Request " <code>{failure.request_id}</code></p> })}
                {signed_out.then(|| view! { <p><a href="/login" rel="external">"Sign in"</a></p> })}
            </div>
        </div>
    }
}
