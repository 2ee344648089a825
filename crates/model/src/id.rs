//! Ids: `UUIDv7`, written as 32 lowercase hexadecimal characters, read with or without dashes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid id: 32 hexadecimal characters expected")
    }
}

impl std::error::Error for InvalidId {}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "server", derive(sqlx::Type), sqlx(transparent))]
        pub struct $name(Uuid);

        impl $name {
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The id that nothing has.
            #[must_use]
            pub const fn nil() -> Self {
                Self(Uuid::nil())
            }

            /// A new id, ordered by the time it was made.
            #[cfg(feature = "server")]
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_simple().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_simple().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // `Uuid` also reads braces and `urn:uuid:`; an id in a path has only the two plain forms.
                if text.len() != 32 && text.len() != 36 {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "server")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some("^[0-9a-f]{32}$"))
                    .description(Some("Opaque id: 32 lowercase hexadecimal characters"))
                    .into()
            }
        }

        #[cfg(feature = "server")]
        impl utoipa::ToSchema for $name {}
    )+};
}

ids! {
    /// A tenant: everything belongs to exactly one.
    OrganizationId,
    /// A person with an account.
    UserId,
    /// One signed-in browser or API client; the family of its refresh tokens.
    SessionId,
    /// A device; also its MQTT user name and client id.
    DeviceId,
    /// A device's API key (the key itself is stored only as a hash).
    ApiKeyId,
    /// A record of the audit trail.
    AuditId,
    /// A message waiting to be published.
    OutboxId,
    /// A sampled bad payload of a device.
    ProblemId,
    /// A key of a service (a program that is neither a person nor a device).
    ServiceKeyId,
    /// A passkey of a person.
    PasskeyId,
    /// An invitation to make an account.
    InvitationId,
    /// A message on its way to a person or another system: e-mail, web push, webhook.
    DeliveryId,
    /// A browser that a person wants pushes in.
    PushSubscriptionId,
    /// An address of another system that is told of events.
    WebhookId,
    /// An alarm, from when it is raised until it is cleared.
    AlarmId,
    /// What raises alarms.
    AlarmRuleId,
    /// A group of devices.
    GroupId,
    /// That a device is in a group.
    GroupMemberId,
    /// A saved choice of devices and keys on the explore page.
    SavedViewId,
    /// A command to a device.
    CommandId,
    /// A key whose signature makes a firmware image good.
    PublisherKeyId,
    /// A firmware image.
    FirmwareId,
    /// The distribution of a firmware image to devices.
    RolloutId,
    /// Someone who comes through doors.
    PersonId,
    /// A group of people.
    PersonGroupId,
    /// A card, PIN or finger of a person.
    CredentialId,
    /// A card or finger being enrolled at a reader.
    EnrolmentId,
    /// A door.
    DoorId,
    /// A group of doors.
    DoorGroupId,
    /// An area of the building.
    ZoneId,
    /// A picture that doors are placed on.
    PlanId,
    /// A car park.
    LotId,
    /// A level of a car park.
    ParkingLevelId,
    /// A place for one vehicle.
    SpotId,
    /// What reports whether a spot is taken.
    ParkingSensorId,
    /// What parking costs.
    TariffId,
    /// That somebody has a spot for a time.
    ReservationId,
    /// That a vehicle is in a car park, from when it comes until it leaves.
    ParkingSessionId,
    /// Somebody's right to park without reserving.
    PermitId,
    /// What is to be paid, or was.
    PaymentId,
    /// What is to be given back, or was.
    RefundId,
    /// Weekly hours.
    ScheduleId,
    /// A holiday of the building's calendar.
    HolidayId,
    /// Who gets in where and when.
    PolicyId,
    /// Something that happened at a door.
    AccessEventId,
    /// A code for a keypad.
    AccessCodeId,
    /// Something that happened to a lock.
    LockEventId,
    /// Somebody's right to use another's lock.
    LockGrantId,
    /// A right to open a lock without network.
    OfflineGrantId,
    /// A trained model of what is usual.
    AnomalyModelId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_written_as_32_hex_and_read_with_or_without_dashes() {
        let plain = "0193a0000000700080000000000000ab";
        let id: DeviceId = plain.parse().unwrap();
        assert_eq!(id.to_string(), plain);
        assert_eq!("0193a000-0000-7000-8000-0000000000ab".parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{plain}\""));
    }

    #[test]
    fn other_uuid_spellings_are_refused() {
        for text in ["", "1", "{0193a000-0000-7000-8000-0000000000ab}", "urn:uuid:0193a000-0000-7000-8000-0000000000ab"]
        {
            assert_eq!(text.parse::<DeviceId>(), Err(InvalidId), "{text}");
        }
    }
}
