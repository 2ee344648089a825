//! What readers know without network, and what they decided by themselves.
