//! Who asks: carried into every service method.

use portico_model::identity::{Permission, Role};
use portico_model::{DeviceId, OrganizationId, SessionId, UserId};

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
    /// Whoever holds the configured admin token.
    AdminToken,
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

    /// Whether the role allows it. A device may nothing of what a role may.
    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        match &self.principal {
            Principal::User { role, .. } => role.may(permission),
            Principal::AdminToken | Principal::System => true,
            Principal::Device { .. } => false,
        }
    }

    /// # Errors
    /// Forbidden, unless the role allows it.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) {
            Ok(())
        } else {
            Err(Error::forbidden("not_permitted", "Your role does not allow this."))
        }
    }

    /// As written into the audit trail.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.principal {
            Principal::User { name, .. } => format!("user:{name}"),
            Principal::Device { id } => format!("device:{id}"),
            Principal::AdminToken => "admin_token".to_owned(),
            Principal::System => "system".to_owned(),
        }
    }
}
