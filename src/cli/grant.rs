//! `art33 token`: a token of the built-in issuer for a person or a program.

use clap::Args;

use super::{CliError, print};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::actor::Scope;
use crate::domain::id::OrganisationId;
use crate::domain::span::IsoDuration;
use crate::entropy::Entropy;
use crate::identity::Grant;
use crate::service::operator_id;

/// For whom a token is, and what it permits.
#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// The organisation that the holder acts for.
    #[arg(long, value_name = "ID", value_parser = organisation, required_unless_present = "operator")]
    org: Option<OrganisationId>,
    /// For the operator's own organisation, which may create all others; the scope is `admin` unless given.
    #[arg(long, conflicts_with = "org")]
    operator: bool,
    /// What the holder may do: scopes separated by spaces, such as "incidents:write notices:read".
    #[arg(long, value_name = "SCOPES", value_parser = scopes, required_unless_present = "operator")]
    scope: Option<Scopes>,
    /// How long the token is good, as an ISO 8601 duration of at most 366 days.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "PT1H")]
    ttl: time::Duration,
    /// The person or program; stands in the ledger with everything it does.
    #[arg(long, value_name = "NAME", default_value = "art33-token")]
    subject: String,
    /// The holder's name for people.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Clone, Debug)]
struct Scopes(Vec<String>);

pub(super) fn organisation(text: &str) -> Result<OrganisationId, String> {
    text.parse().map_err(|_| "expected the id of an organisation, such as org_01m809ffhneymvgnhytpke0jv4".to_owned())
}

pub(super) fn duration(text: &str) -> Result<time::Duration, String> {
    let parsed: Result<IsoDuration, _> = text.parse();
    parsed
        .map(|duration| duration.length())
        .map_err(|_| "expected an ISO 8601 duration such as PT1H or P30D".to_owned())
}

fn scopes(text: &str) -> Result<Scopes, String> {
    let scopes: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let known = |scope: &String| Scope::CODES.iter().any(|(code, _)| code == scope);
    match scopes.iter().find(|scope| !known(scope)) {
        Some(unknown) => {
            let codes: Vec<_> = Scope::CODES.iter().map(|(code, _)| *code).collect();
            Err(format!("there is no scope `{unknown}`; the scopes are {}", codes.join(", ")))
        }
        None if scopes.is_empty() => Err("name at least one scope".to_owned()),
        None => Ok(Scopes(scopes)),
    }
}

/// Prints the token and nothing else.
pub(super) fn print_token(config: &Config, wanted: &TokenArguments) -> Result<(), CliError> {
    if !config.identity.builtin_issuer {
        let reason = "the built-in issuer is switched off (identity.builtin_issuer), so no service accepts its tokens";
        return Err(CliError::Refused(reason.to_owned()));
    }
    let entropy = Entropy::system();
    let now = Clock::system().now();
    let issuer = app::issuer(config, app::signing_key(config, &entropy)?);
    let grant = Grant {
        subject: wanted.subject.clone(),
        organisation: wanted.org.clone().unwrap_or_else(operator_id).to_string(),
        scopes: wanted.scope.as_ref().map_or_else(|| vec!["admin".to_owned()], |scopes| scopes.0.clone()),
        name: wanted.name.clone(),
        token_id: Some(hex::encode(entropy.id_bytes(now))),
    };
    print(&(issuer.issue(&grant, now, wanted.ttl) + "\n"))
}
