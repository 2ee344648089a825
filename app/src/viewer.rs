//! Who looks at the page, as far as the page must know to render itself.

use leptos::prelude::*;
use portico_model::UserId;
use portico_model::identity::{Permission, Role};
use serde::{Deserialize, Serialize};

/// The signed-in person. Rules are enforced by the services; this only decides what is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    pub id: UserId,
    pub name: String,
    pub role: Role,
    /// Where the building stands (IANA); absent: times are shown in the browser's own zone.
    pub time_zone: Option<String>,
}

/// The building's time zone, as the server gives it to a page.
#[derive(Debug, Clone, Default)]
pub struct TimeZone(pub Option<String>);

impl Viewer {
    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }
}

/// Provided once at the root, the same on the server and in the browser; signing in or out loads a new page.
#[derive(Debug, Clone)]
struct Current(Option<Viewer>);

pub(crate) fn provide_viewer() {
    let viewer = SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        return crate::server::viewer();
        #[cfg(not(feature = "ssr"))]
        None
    })
    .into_inner();
    provide_context(Current(viewer));
}

/// Who is signed in, if anyone.
#[must_use]
pub fn use_viewer() -> Option<Viewer> {
    use_context::<Current>().and_then(|current| current.0)
}

/// Whether the signed-in person may do this.
#[must_use]
pub fn viewer_may(permission: Permission) -> bool {
    use_viewer().is_some_and(|viewer| viewer.may(permission))
}
