//! Who acts: the organisation and person that a checked token names. Never built from a request body.

use super::id::OrganisationId;

macro_rules! scopes {
    ($($variant:ident $code:literal,)+) => {
        /// One permission of a token.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $(#[doc = concat!("Permission `", $code, "`.")] $variant,)+
        }

        impl Scope {
            /// Every permission with its code.
            pub const CODES: &'static [(&'static str, Self)] = &[$(($code, Self::$variant)),+];

            /// The code as it stands in the token.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

scopes! {
    IncidentsRead "incidents:read",
    IncidentsWrite "incidents:write",
    AgreementsRead "agreements:read",
    AgreementsWrite "agreements:write",
    NoticesRead "notices:read",
    NoticesAck "notices:ack",
    InstructionsWrite "instructions:write",
    DecisionsWrite "decisions:write",
    WebhooksWrite "webhooks:write",
    ExportsRead "exports:read",
    AuditRead "audit:read",
    Admin "admin",
}

/// Who acts, as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The organisation; the tenant scope of everything the actor sees and does.
    pub organisation: OrganisationId,
    /// The person or machine within it (`sub` of the token).
    pub subject: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Actor {
    /// The service itself, acting for `organisation` when a clock runs out or a delivery comes through.
    pub fn service(organisation: OrganisationId) -> Self {
        Self { organisation, subject: "art33".to_owned(), scopes: Vec::new() }
    }

    /// Whether the actor may do what `scope` permits.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}
