//! People who come through doors, what they show there, and how cards and fingers are enrolled.

pub mod lookup;

#[allow(unused_imports)] // for doors
pub use lookup::{Found, FoundPerson, find_credential, find_person, used};
