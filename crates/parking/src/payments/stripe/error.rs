//! Why Stripe did not do what we asked.

/// Why Stripe did not do what we asked, or why we do not know whether it did (see [`Error::may_be_done`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bank or Stripe's fraud protection said no. `message` is in English and may be shown to the payer.
    #[error("the payment was declined ({code})")]
    Declined { code: String, decline_code: Option<String>, message: String },
    /// Asked wrongly, or at the wrong time: an unknown id, an amount too small, a payment already over.
    #[error("Stripe does not take the request ({status}, {}): {message}", .code.as_deref().unwrap_or("no code"))]
    InvalidRequest {
        status: u16,
        /// <https://docs.stripe.com/error-codes>
        code: Option<String>,
        /// The field at fault.
        param: Option<String>,
        message: String,
        /// For Stripe's support and the log of requests in its dashboard.
        request_id: Option<String>,
    },
    /// The key is unknown, expired, or not allowed to do this.
    #[error("Stripe does not take the secret key ({status})")]
    Authentication { status: u16 },
    /// The idempotency key was used before, for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyConflict,
    /// Another request holds the same object, or has the same idempotency key and is not done yet.
    #[error("another request is at the same object ({code})")]
    Locked { code: String },
    #[error("too many requests to Stripe")]
    RateLimited { retry_after_s: Option<u64> },
    #[error("Stripe failed with {status}")]
    ServerError {
        status: u16,
        /// Whether it may go better with the same idempotency key; Stripe says so itself, as far as it knows.
        retriable: bool,
        request_id: Option<String>,
    },
    #[error("Stripe did not answer in time")]
    Timeout,
    /// No connection was made: certainly nothing happened.
    #[error("Stripe cannot be reached")]
    Unreachable,
    /// The connection broke before the answer was complete.
    #[error("the connection to Stripe broke")]
    Broken,
    #[error("the answer of Stripe ({status}) cannot be read: {why}")]
    Unreadable { status: u16, why: String },
}

impl Error {
    /// Whether the same request with the same idempotency key may go better later.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::RateLimited { .. } | Self::Timeout | Self::Unreachable | Self::Broken => true,
            Self::ServerError { retriable, .. } => *retriable,
            Self::Declined { .. }
            | Self::InvalidRequest { .. }
            | Self::Authentication { .. }
            | Self::IdempotencyConflict
            | Self::Unreadable { .. } => false,
        }
    }

    /// Whether Stripe may have done what was asked all the same. Then only the same request with the same idempotency key,
    /// a look at the object, or a webhook can tell.
    #[must_use]
    pub const fn may_be_done(&self) -> bool {
        match self {
            Self::ServerError { .. }
            | Self::Timeout
            | Self::Broken
            | Self::Unreadable { .. }
            | Self::Locked { .. }
            | Self::IdempotencyConflict => true,
            Self::Declined { .. }
            | Self::InvalidRequest { .. }
            | Self::Authentication { .. }
            | Self::RateLimited { .. }
            | Self::Unreachable => false,
        }
    }

    /// Whether Stripe says no such object exists.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::InvalidRequest { code: Some(code), .. } if code == "resource_missing")
    }

    /// A stable word for programs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Declined { .. } => "payment_declined",
            Self::InvalidRequest { .. } => "payment_invalid_request",
            Self::Authentication { .. } => "payment_authentication",
            Self::IdempotencyConflict => "payment_idempotency_conflict",
            Self::Locked { .. } => "payment_locked",
            Self::RateLimited { .. } => "payment_rate_limited",
            Self::ServerError { .. } => "payment_server_error",
            Self::Timeout => "payment_timeout",
            Self::Unreachable => "payment_unreachable",
            Self::Broken => "payment_connection_broken",
            Self::Unreadable { .. } => "payment_unreadable",
        }
    }

    /// Whether this says nothing of what an earlier attempt with the same key did: it was refused before the key counted.
    pub(super) const fn says_nothing_of_earlier_attempts(&self) -> bool {
        matches!(self, Self::Authentication { .. } | Self::RateLimited { .. } | Self::Unreachable | Self::Locked { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_error_is_retriable_as_far_as_stripe_says() {
        for retriable in [true, false] {
            let error = Error::ServerError { status: 500, retriable, request_id: None };
            assert_eq!((error.is_retriable(), error.may_be_done()), (retriable, true));
        }
    }

    #[test]
    fn certain_answers_are_certain() {
        let declined =
            Error::Declined { code: "card_declined".into(), decline_code: None, message: "Declined.".into() };
        assert!(!declined.is_retriable() && !declined.may_be_done());
        assert!(Error::Unreachable.is_retriable() && !Error::Unreachable.may_be_done());
        assert!(Error::Timeout.is_retriable() && Error::Timeout.may_be_done());
    }
}
