//! Widgets without domain words.

pub mod badge;
pub mod button;
pub mod dialog;
pub mod empty;
pub mod field;
pub mod icon;
pub mod list;
pub mod problem;
pub mod toast;
pub mod upload;

pub use badge::{Badge, Tone};
pub use button::{CopyButton, SubmitButton};
pub use dialog::Dialog;
pub use empty::EmptyState;
pub use field::{Choice, ErrorSummary, SelectField, TextAreaField, TextField};
pub use icon::{Glyph, Icon};
pub use list::{Filters, Listed, Pages, SelectFilter, TextFilter, address};
pub use problem::ProblemView;
pub use upload::UploadForm;
