//! Access: locks, doors, people who come through them.

pub mod locks;
