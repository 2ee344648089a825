//! All SQL of this domain, by table.

pub mod alarm_rule;
pub mod command;
pub mod device;
pub mod firmware;
pub mod group;
pub mod key;
pub mod owner;
pub mod point;
pub mod presence;
pub mod problem;
pub mod read;
pub mod retention;
pub mod rollout;
pub mod rollup;
pub mod series;
pub mod shadow;
pub mod sweep;
pub mod view;
