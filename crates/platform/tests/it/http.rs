//! Every layer of HTTP over real sockets.

mod answers;
mod idempotency;
mod limits;
mod serving;
pub mod stand;
