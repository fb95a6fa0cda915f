//! Black-box tests through HTTP, on both databases, with one harness.
//! Every answer that any test sees is checked against `openapi.yaml`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[macro_use]
mod harness;

mod acknowledgement;
mod agreements;
mod authorities;
mod chains;
mod channels;
mod clock;
mod contract;
mod deadline;
mod decisions;
mod disputes;
mod downtime;
mod drills;
mod duties;
mod endpoints;
mod escalation;
mod escalation_ends;
mod filing;
mod filings;
mod five_agreements;
mod history;
mod idempotency;
mod import;
mod instructions;
mod lanes;
mod ledger;
mod letters;
mod links;
mod lint;
mod mail;
mod mail_ends;
mod mail_relays;
mod mail_server;
mod mailboxes;
mod migration;
mod milestones;
mod obligations;
mod organisations;
mod phases;
mod phases_clocks;
mod phases_effects;
mod preview;
mod receipts;
mod redeliveries;
mod release;
mod reports;
mod rows;
mod sending;
mod signed_acknowledgement;
mod signing_keys;
mod silence;
mod start_rule;
mod succession;
mod system;
mod tasks;
mod telling;
mod tenancy;
mod tokens;
mod unseen;
mod watching;
mod webhooks;
