//! E-mail, made from its section of the configuration: the relay, and how letters are written down for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::AppError;
use crate::config::{Mail, MailDkim, MailTls};
use crate::crypto::{MasterKey, ReturnPath};
use crate::outbound::{
    Dkim, DkimSettings, Letter, Mailbox, Relay, RelayCredentials, RelayError, RelaySettings, RelayTls,
};
use crate::service::{Compose, MailDraft, MailPolicy};

/// How much longer the reply of the relay to a whole message is waited for than for all before it.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_mins(2);
/// What the key of return paths is derived for.
const RETURN_PATHS: &str = "return paths";

/// The client of the relay.
pub(super) fn relay(settings: &Mail) -> Result<Relay, AppError> {
    Ok(Relay::new(RelaySettings {
        host: settings.host.clone(),
        port: settings.port,
        tls: match settings.tls {
            MailTls::Implicit => RelayTls::Implicit,
            MailTls::StartTls => RelayTls::StartTls,
            MailTls::None => RelayTls::None,
        },
        credentials: settings
            .credentials
            .as_ref()
            .map(|(user, password)| RelayCredentials { user: user.clone(), password: password.expose().clone() }),
        hello_name: settings.hello.clone(),
        connect_timeout: settings.connect_timeout,
        total_timeout: settings.total_timeout,
        reply_timeout: REPLY_TIMEOUT,
        extra_ca: settings.extra_ca.as_deref().map(read).transpose()?,
        areas: settings.areas.clone(),
    })?)
}

/// How letters are written, and the way that they go.
pub(super) fn policy(settings: &Mail, master_key: &MasterKey) -> Result<MailPolicy, AppError> {
    let domain = settings.from.rsplit_once('@').map(|(_, domain)| domain.to_owned()).unwrap_or_default();
    Ok(MailPolicy {
        domain,
        areas: settings.areas.clone(),
        return_paths: ReturnPath::new(&master_key.derived(RETURN_PATHS), &settings.return_domain),
        compose: compose(settings)?,
    })
}

fn compose(settings: &Mail) -> Result<Compose, AppError> {
    let from = Mailbox { name: settings.from_name.clone(), address: settings.from.clone() };
    let reply_to = settings.reply_to.clone();
    let dkim = settings.dkim.as_ref().map(signer).transpose()?;
    Ok(Arc::new(move |draft: &MailDraft| {
        let letter = Letter {
            from: from.clone(),
            to: draft.to.clone(),
            reply_to: reply_to.clone(),
            subject: draft.subject.clone(),
            message_id: draft.message_id.clone(),
            in_reply_to: draft.references.last().cloned(),
            references: draft.references.clone(),
            date: draft.date,
            text: draft.text.clone(),
            language: draft.language.to_owned(),
        };
        let message = letter.compose().map_err(|fault| fault.to_string())?;
        Ok(dkim.as_ref().map_or_else(|| message.clone(), |dkim| dkim.sign(&message, draft.date)))
    }))
}

fn signer(settings: &MailDkim) -> Result<Dkim, AppError> {
    let private_key_pem = String::from_utf8_lossy(&read(&settings.key_file)?).into_owned();
    let (domain, selector) = (settings.domain.clone(), settings.selector.clone());
    Ok(Dkim::new(&DkimSettings { domain, selector, private_key_pem })?)
}

fn read(file: &Path) -> Result<Vec<u8>, AppError> {
    std::fs::read(file).map_err(|source| AppError::File { path: file.to_path_buf(), source })
}

impl From<RelayError> for AppError {
    fn from(error: RelayError) -> Self {
        Self::Mail(error.to_string())
    }
}

impl From<crate::outbound::DkimError> for AppError {
    fn from(error: crate::outbound::DkimError) -> Self {
        Self::Mail(error.to_string())
    }
}
