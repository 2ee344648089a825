//! People: roles, what each may do, and how accounts and sessions are shown.

use serde::{Deserialize, Serialize};

use crate::{InvitationId, OrganizationId, PasskeyId, ServiceKeyId, SessionId, Timestamp, UserId};

/// What a person is in an organisation. Later domains give the roles their meaning; unknown actions are denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Role {
    Admin,
    Manager,
    Reception,
    Safety,
    User,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Admin, Self::Manager, Self::Reception, Self::Safety, Self::User];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Reception => "reception",
            Self::Safety => "safety",
            Self::User => "user",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether this role has the permission. One table, default deny.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::ManageUsers
            | Permission::ReadAudit
            | Permission::ManageOrganization
            | Permission::ManageServiceKeys
            | Permission::ManageWebhooks => matches!(self, Self::Admin),
            Permission::ManageAlarmRules | Permission::ManageFirmware => matches!(self, Self::Admin | Self::Manager),
            Permission::ReadAllAlarms | Permission::AcknowledgeAllAlarms | Permission::ReadAllDevices => {
                matches!(self, Self::Admin | Self::Manager | Self::Safety)
            }
            Permission::ManageAllDevices => matches!(self, Self::Admin | Self::Manager),
            Permission::ManageAllLocks => matches!(self, Self::Admin),
            Permission::OperateAllLocks | Permission::ManageAccess => matches!(self, Self::Admin | Self::Manager),
            Permission::ReadAllLocks | Permission::ReadAccessLog | Permission::ControlDoors => {
                matches!(self, Self::Admin | Self::Manager | Self::Safety)
            }
            Permission::ReadAccess => matches!(self, Self::Admin | Self::Manager | Self::Reception | Self::Safety),
            Permission::RegisterDevices => matches!(self, Self::Admin | Self::Manager | Self::User),
            Permission::UseParking => true,
            Permission::ReadParking => {
                matches!(self, Self::Admin | Self::Manager | Self::Reception | Self::Safety)
            }
            Permission::OperateParking => matches!(self, Self::Admin | Self::Manager | Self::Reception),
            Permission::ManageParking => matches!(self, Self::Admin | Self::Manager),
        }
    }
}

/// Something a role may or may not do, and what a service key can be given. Owning an object gives rights to it beside
/// these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Permission {
    /// Create, change and deactivate accounts; end their sessions.
    ManageUsers,
    /// Read the audit trail and security events.
    ReadAudit,
    /// See every device of the organisation, not only one's own.
    ReadAllDevices,
    /// Change every device of the organisation, not only one's own.
    ManageAllDevices,
    /// Register a device of one's own.
    RegisterDevices,
    /// Change the organisation's settings.
    ManageOrganization,
    /// Create, rotate and revoke the keys of services.
    ManageServiceKeys,
    /// Add and change webhooks; see what could not be delivered.
    ManageWebhooks,
    /// See every alarm of the organisation, not only those of one's own devices.
    ReadAllAlarms,
    /// Acknowledge every alarm of the organisation, not only those of one's own devices.
    AcknowledgeAllAlarms,
    /// Make rules that raise alarms, for every device.
    ManageAlarmRules,
    /// Upload firmware and roll it out.
    ManageFirmware,
    /// See every lock of the organisation, not only those one owns or is given.
    ReadAllLocks,
    /// Lock and unlock every lock of the organisation.
    OperateAllLocks,
    /// Change, share, reassign and remove every lock of the organisation.
    ManageAllLocks,
    /// See doors, people with their credentials, schedules and policies.
    ReadAccess,
    /// Change doors, people, credentials, schedules, policies and codes; enrol.
    ManageAccess,
    /// Read the access log and what was unusual in it.
    ReadAccessLog,
    /// Lockdown, evacuation, keeping doors unlocked.
    ControlDoors,
    /// See lots and which spots are free; reserve for oneself.
    UseParking,
    /// See sensors, everybody's reservations, who is parked, and figures.
    ReadParking,
    /// Reserve for others and change their reservations; report what sensors, cameras and gateways see.
    OperateParking,
    /// Change lots, levels, spots, sensors and tariffs.
    ManageParking,
}

impl Permission {
    pub const ALL: [Self; 23] = [
        Self::ManageUsers,
        Self::ReadAudit,
        Self::ReadAllDevices,
        Self::ManageAllDevices,
        Self::RegisterDevices,
        Self::ManageOrganization,
        Self::ManageServiceKeys,
        Self::ManageWebhooks,
        Self::ReadAllAlarms,
        Self::AcknowledgeAllAlarms,
        Self::ManageAlarmRules,
        Self::ManageFirmware,
        Self::ReadAllLocks,
        Self::OperateAllLocks,
        Self::ManageAllLocks,
        Self::ReadAccess,
        Self::ManageAccess,
        Self::ReadAccessLog,
        Self::ControlDoors,
        Self::UseParking,
        Self::ReadParking,
        Self::OperateParking,
        Self::ManageParking,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ManageUsers => "manage_users",
            Self::ReadAudit => "read_audit",
            Self::ReadAllDevices => "read_all_devices",
            Self::ManageAllDevices => "manage_all_devices",
            Self::RegisterDevices => "register_devices",
            Self::ManageOrganization => "manage_organization",
            Self::ManageServiceKeys => "manage_service_keys",
            Self::ManageWebhooks => "manage_webhooks",
            Self::ReadAllAlarms => "read_all_alarms",
            Self::AcknowledgeAllAlarms => "acknowledge_all_alarms",
            Self::ManageAlarmRules => "manage_alarm_rules",
            Self::ManageFirmware => "manage_firmware",
            Self::ReadAllLocks => "read_all_locks",
            Self::OperateAllLocks => "operate_all_locks",
            Self::ManageAllLocks => "manage_all_locks",
            Self::ReadAccess => "read_access",
            Self::ManageAccess => "manage_access",
            Self::ReadAccessLog => "read_access_log",
            Self::ControlDoors => "control_doors",
            Self::UseParking => "use_parking",
            Self::ReadParking => "read_parking",
            Self::OperateParking => "operate_parking",
            Self::ManageParking => "manage_parking",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text)
    }
}

/// Who may make an account for himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Signup {
    /// Anyone.
    Open,
    /// Those whom an administrator has invited.
    Invite,
    /// Nobody.
    Closed,
}

impl Signup {
    pub const ALL: [Self; 3] = [Self::Open, Self::Invite, Self::Closed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signup| signup.as_str() == text)
    }
}

/// What an organisation has decided for all who belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0193a0000000700080000000000000ab", "name": "Example House", "time_zone": "Europe/Berlin", "signup": null,
    "signup_in_force": "invite", "created_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct Organization {
    pub id: OrganizationId,
    pub name: String,
    /// Where the building stands, an IANA time zone such as `Europe/Berlin`; times are shown in it. Absent: in that of
    /// each reader.
    pub time_zone: Option<String>,
    /// Who may make an account; absent: as the server's configuration says.
    pub signup: Option<Signup>,
    /// Who may make an account now.
    pub signup_in_force: Signup,
    pub created_at: Timestamp,
}

/// An account as shown to those who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub role: Role,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
    /// When the owner proved that the e-mail address is his.
    #[serde(default)]
    pub email_verified_at: Option<Timestamp>,
}

/// Who is signed in, as every page needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct CurrentUser {
    pub id: UserId,
    pub organization_id: OrganizationId,
    pub organization_name: String,
    pub username: String,
    pub email: String,
    pub role: Role,
    pub session_id: SessionId,
    /// When the owner proved that the e-mail address is his.
    #[serde(default)]
    pub email_verified_at: Option<Timestamp>,
}

/// A signed-in browser or API client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Session {
    pub id: SessionId,
    pub user_agent: String,
    pub address: String,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub expires_at: Timestamp,
    /// Whether the asker is using this one.
    pub current: bool,
}

/// A program that acts for the organisation with an API key of its own, within its scopes. The key itself is stored only
/// as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct ServiceKey {
    pub id: ServiceKeyId,
    /// What the program is called, unique among the keys in force.
    pub name: String,
    /// All it may do.
    pub scopes: Vec<Permission>,
    /// The last four characters of the newest key, to tell keys apart.
    pub hint: String,
    /// Who made it, as the audit trail names him.
    pub created_by: String,
    pub created_at: Timestamp,
    /// From then on it is refused; absent: never.
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    /// Until when the key before the last rotation is still taken.
    pub old_key_until: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl ServiceKey {
    /// Whether it is taken now.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

/// How one proves who one is, beside the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Factor {
    /// A code of an authenticator app (RFC 6238).
    Totp,
    Passkey,
    /// One of the codes kept for when everything else is lost.
    RecoveryCode,
}

/// What an account has beside its password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Factors {
    /// An authenticator app is set up.
    pub totp: bool,
    /// Recovery codes not used yet.
    pub recovery_codes_left: i64,
    pub passkeys: Vec<Passkey>,
}

impl Factors {
    /// Whether signing in with the password wants a second step.
    #[must_use]
    pub const fn second_step(&self) -> bool {
        self.totp || !self.passkeys.is_empty()
    }
}

/// A passkey as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Passkey {
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// An authenticator app being set up: its secret is shown until a code of the app proves that it has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct TotpEnrolment {
    /// Base32, to be typed in by hand.
    #[cfg_attr(feature = "server", schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))]
    pub secret: String,
    /// For the app (`otpauth://totp/…`).
    pub url: String,
    /// The same as a QR code: an SVG image.
    pub qr_svg: String,
}

/// A passkey's ceremony, begun: `public_key` is for `navigator.credentials` of the browser (WebAuthn), the token comes back with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Ceremony {
    /// Good for one answer, for a few minutes.
    pub challenge_token: String,
    /// Options as JSON, with base64url for bytes (`PublicKeyCredentialCreationOptionsJSON` or `…RequestOptionsJSON`).
    #[cfg_attr(feature = "server", schema(value_type = Object))]
    pub public_key: serde_json::Value,
}

/// What has become of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum InvitationState {
    Open,
    Accepted,
    Revoked,
    Expired,
}

/// An invitation to make an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Invitation {
    pub id: InvitationId,
    #[cfg_attr(feature = "server", schema(example = "grace@example.org"))]
    pub email: String,
    /// What the account will be.
    pub role: Role,
    pub state: InvitationState,
    /// User name; absent when that account is gone.
    pub invited_by: Option<String>,
    pub created_at: Timestamp,
    /// When its link was last sent.
    pub sent_at: Timestamp,
    pub expires_at: Timestamp,
}

/// An invitation as the one who is invited sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct OfferedAccount {
    pub organization_name: String,
    #[cfg_attr(feature = "server", schema(example = "grace@example.org"))]
    pub email: String,
    pub role: Role,
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_written_alike_in_json_and_in_the_database() {
        for permission in Permission::ALL {
            let json = serde_json::to_string(&permission).unwrap();
            assert_eq!(json, format!("\"{}\"", permission.as_str()));
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
        }
    }
}
