//! portico identity
