//! The counting rules against dates that were worked out by hand, and against what must hold for all dates.

mod faults;
mod properties;
mod table;
