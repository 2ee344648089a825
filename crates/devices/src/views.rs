//! Saved views of the explore page: each a person's own, shown to all of the organisation when shared. A view names devices; each
//! who opens it sees the ones he may see anyway.

use portico_model::explore::{MAX_SERIES, NewView, SavedView, ViewDefinition};
use portico_model::telemetry::parse_duration_ms;
use portico_model::{SavedViewId, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::Devices;
use crate::input::Check;
use crate::store::view as store;

/// Most views of a person.
pub const MAX_VIEWS: i64 = 200;

/// Most views of a list.
const MAX_LISTED: i64 = 1_000;

/// Longest key of a series, characters.
const MAX_KEY_CHARS: usize = 100;

fn not_found() -> Error {
    Error::not_found("view_not_found", "There is no such view")
}

fn person(actor: &Actor) -> Result<UserId> {
    actor.user_id().ok_or_else(|| Error::forbidden("needs_a_person", "Views belong to people: sign in to use them."))
}

impl Devices {
    /// The actor's own views and those shared in the organisation, by name.
    ///
    /// # Errors
    /// Forbidden, for an actor who is no person.
    pub async fn views(&self, actor: &Actor) -> Result<Vec<SavedView>> {
        let person = person(actor)?;
        let mut tx = self.0.platform.db.read().await?;
        store::list(&mut tx, actor.organization, person, MAX_LISTED).await
    }

    /// # Errors
    /// Not found, also when it is another's and not shared.
    pub async fn view(&self, actor: &Actor, id: SavedViewId) -> Result<SavedView> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible_view(&mut tx, actor, id).await
    }

    /// Keeps a view of the actor's own.
    ///
    /// # Errors
    /// Invalid fields, a name in use, or as many views as one person may have.
    pub async fn create_view(&self, actor: &Actor, new: NewView) -> Result<SavedView> {
        let owner_id = person(actor)?;
        let new = checked(new)?;
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.begin().await?;
        let (owner_name, _) = crate::store::device::find_owner(&mut tx, actor.organization, owner_id)
            .await?
            .ok_or_else(|| Error::not_found("user_not_found", "There is no such person"))?;
        if store::count_of_owner(&mut tx, actor.organization, owner_id).await? >= MAX_VIEWS {
            return Err(Error::conflict("too_many_views", format!("A person may have at most {MAX_VIEWS} views")));
        }
        let view = SavedView {
            id: SavedViewId::generate(),
            name: new.name,
            shared: new.shared,
            owner_id,
            owner_name,
            definition: new.definition,
            created_at: now,
            updated_at: now,
        };
        self.check_view_name(&mut tx, actor, &view).await?;
        store::insert(&mut tx, actor.organization, &view).await?;
        self.finish_view(tx, actor, "view.created", &view).await?;
        Ok(view)
    }

    /// Replaces a view of the actor's own.
    ///
    /// # Errors
    /// Not found, forbidden when it is another's, invalid fields, or a name in use.
    pub async fn update_view(&self, actor: &Actor, id: SavedViewId, new: NewView) -> Result<SavedView> {
        let mut tx = self.0.platform.db.begin().await?;
        let mut view = self.find_own_view(&mut tx, actor, id).await?;
        let new = checked(new)?;
        (view.name, view.shared, view.definition) = (new.name, new.shared, new.definition);
        view.updated_at = self.0.platform.clock.now();
        self.check_view_name(&mut tx, actor, &view).await?;
        store::update(&mut tx, actor.organization, &view).await?;
        self.finish_view(tx, actor, "view.changed", &view).await?;
        Ok(view)
    }

    /// Removes a view of the actor's own.
    ///
    /// # Errors
    /// Not found, or forbidden when it is another's.
    pub async fn delete_view(&self, actor: &Actor, id: SavedViewId) -> Result<()> {
        let mut tx = self.0.platform.db.begin().await?;
        let view = self.find_own_view(&mut tx, actor, id).await?;
        store::delete(&mut tx, actor.organization, id).await?;
        self.finish_view(tx, actor, "view.deleted", &view).await
    }

    async fn finish_view(&self, mut tx: Tx, actor: &Actor, action: &'static str, view: &SavedView) -> Result<()> {
        let details = json!({"name": view.name, "shared": view.shared});
        let entry = Entry::success(action).target("view", view.id).details(details);
        let record = self.0.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_audit(actor.organization, record);
        Ok(())
    }

    async fn check_view_name(&self, tx: &mut Tx, actor: &Actor, view: &SavedView) -> Result<()> {
        if store::name_is_taken(tx, actor.organization, view).await? {
            return Err(Error::conflict("view_name_taken", "One of your views has this name already"));
        }
        Ok(())
    }

    async fn find_visible_view(&self, tx: &mut Tx, actor: &Actor, id: SavedViewId) -> Result<SavedView> {
        let person = person(actor)?;
        let view = store::find(tx, actor.organization, id).await?.ok_or_else(not_found)?;
        if view.shared || view.owner_id == person { Ok(view) } else { Err(not_found()) }
    }

    async fn find_own_view(&self, tx: &mut Tx, actor: &Actor, id: SavedViewId) -> Result<SavedView> {
        let view = self.find_visible_view(tx, actor, id).await?;
        if actor.user_id() == Some(view.owner_id) {
            Ok(view)
        } else {
            Err(Error::forbidden("not_your_view", "This view is another's: keep a copy under a name of your own."))
        }
    }
}

fn checked(new: NewView) -> Result<NewView> {
    let mut check = Check::default();
    let name = check.required("name", &new.name, 100);
    let ViewDefinition { mut series, range, aggregation, window } = new.definition;
    let mut seen = std::collections::HashSet::new();
    series.retain(|series| seen.insert(series.clone()));
    if series.is_empty() || series.len() > MAX_SERIES {
        check.problem("definition.series", format!("1 to {MAX_SERIES} series"));
    }
    if series.iter().any(|series| series.key.is_empty() || series.key.chars().count() > MAX_KEY_CHARS) {
        check.problem("definition.series", format!("each key has 1 to {MAX_KEY_CHARS} characters"));
    }
    if parse_duration_ms(&range).is_err() {
        check.problem("definition.range", "a whole number and m, h, d or w, such as 24h");
    }
    if window != "auto" && parse_duration_ms(&window).is_err() {
        check.problem("definition.window", "auto, or a whole number and s, m, h, d or w, such as 5m");
    }
    let definition = ViewDefinition { series, range, aggregation, window };
    check.done(NewView { name, shared: new.shared, definition })
}
