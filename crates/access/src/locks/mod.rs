//! Locks: their owners and grants, commands, history.
