//! What the broker must do, whichever crate does it, and the client with the embedded and with a real external broker.

mod basics;
mod client;
mod external;
mod guards;
mod pressure;
mod raw;
mod refusals;
mod stand;
mod transports;
