//! Who asks: carried into every service method.

use portico_model::identity::{Permission, Role};
use portico_model::{DeviceId, OrganizationId, ServiceKeyId, SessionId, UserId};

use crate::error::{Error, Result};

/// The proven identity behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    User {
        id: UserId,
        name: String,
        role: Role,
        session: SessionId,
    },
    Device {
        id: DeviceId,
    },
    /// A program with a key of its own; it may what its scopes say, and nothing else.
    Service {
        id: ServiceKeyId,
        name: String,
        scopes: Vec<Permission>,
    },
    /// Whoever holds the configured admin token.
    AdminToken,
    /// Somebody without an account, such as who parks by the code at a spot; may nothing of what a role may.
    Guest,
    /// Portico itself: jobs, start-up, the command line.
    System,
}

/// Who asks, in which organisation, from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub organization: OrganizationId,
    pub principal: Principal,
    /// Network address, for the audit trail and rate limits.
    pub address: String,
    pub request_id: String,
}

impl Actor {
    /// Portico acting by itself in an organisation.
    #[must_use]
    pub const fn system(organization: OrganizationId) -> Self {
        Self { organization, principal: Principal::System, address: String::new(), request_id: String::new() }
    }

    #[must_use]
    pub const fn user_id(&self) -> Option<UserId> {
        match &self.principal {
            Principal::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    #[must_use]
    pub const fn session_id(&self) -> Option<SessionId> {
        match &self.principal {
            Principal::User { session, .. } => Some(*session),
            _ => None,
        }
    }

    #[must_use]
    pub const fn service_id(&self) -> Option<ServiceKeyId> {
        match &self.principal {
            Principal::Service { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Whether the role, or the scopes of a service, allow it. A device may nothing of what a role may.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        match &self.principal {
            Principal::User { role, .. } => role.may(permission),
            Principal::Service { scopes, .. } => scopes.contains(&permission),
            Principal::AdminToken | Principal::System => true,
            Principal::Device { .. } | Principal::Guest => false,
        }
    }

    /// # Errors
    /// Forbidden, unless the role or the scopes allow it.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) {
            return Ok(());
        }
        let message = match &self.principal {
            Principal::Service { .. } => format!("This key has no scope `{}`.", permission.as_str()),
            _ => "Your role does not allow this.".to_owned(),
        };
        Err(Error::forbidden("not_permitted", message))
    }

    /// As written into the audit trail.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.principal {
            Principal::User { name, .. } => format!("user:{name}"),
            Principal::Device { id } => format!("device:{id}"),
            Principal::Service { name, .. } => format!("service:{name}"),
            Principal::AdminToken => "admin_token".to_owned(),
            Principal::Guest => "guest".to_owned(),
            Principal::System => "system".to_owned(),
        }
    }

    /// As [`Actor::label`], by id where that has a name: for logs, and to know the same one again.
    #[must_use]
    pub fn id_label(&self) -> String {
        match &self.principal {
            Principal::User { id, .. } => format!("user:{id}"),
            Principal::Service { id, .. } => format!("service:{id}"),
            _ => self.label(),
        }
    }
}
