//! Time-bound and limited-use codes for keypads.
