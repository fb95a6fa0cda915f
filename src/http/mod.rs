//! The only room that knows actix. Parses at the door, asks a verb of the service, and writes its answer.

mod agreements;
mod api;
mod auth;
mod authorities;
mod bounces;
mod deadline;
mod decisions;
mod duties;
mod endpoints;
mod extract;
mod filings;
mod health;
mod import;
mod incidents;
mod instructions;
mod links;
mod notices;
mod obligations;
mod organisations;
mod pages;
mod phases;
mod problem;
mod receiver_keys;
mod redeliveries;
mod request_id;
mod routes;
mod sources;
mod system;
mod tasks;
mod webhooks;

pub use api::{Api, Limits};
pub(crate) use import::{Form, rows};
pub use request_id::track;
pub use routes::{ROUTES, Route, configure};
