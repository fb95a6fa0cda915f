//! Which demanded content is missing, said once for all agreements that ask for it. Reads no agreement by itself.

use std::collections::HashMap;

use super::ShareContent;
use crate::domain::{
    fault::{Fault, Faults},
    id::AgreementId,
    terms::Terms,
    vocabulary::{ContentMember, Stage},
};

/// One triggered agreement that asks for content, and what its controller would get.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The agreement.
    pub agreement: &'a AgreementId,
    /// Its terms.
    pub terms: &'a Terms,
    /// What the controller would be told.
    pub share: &'a ShareContent,
    /// Where the controller stands in the list of those affected; `None` where there is no list.
    pub position: Option<usize>,
    /// Whether it is the only one affected; its numbers are then those of the incident.
    pub alone: bool,
}

/// Who asks for a missing member: the first agreement and how many more.
struct Askers<'a> {
    first: Ask<'a>,
    member: ContentMember,
    pointer: String,
    further: usize,
}

/// A fault for every demanded member that is simply absent, with its legal basis and the agreement that asks.
///
/// Agreements that miss the same member at the same place share one fault.
pub fn demand_faults<'a>(asks: impl IntoIterator<Item = Ask<'a>>) -> Faults {
    let mut found: Vec<Askers<'a>> = Vec::new();
    let mut known: HashMap<(String, ContentMember), usize> = HashMap::new();
    for ask in asks {
        let demanded = ask.terms.required_content(ask.share.common.kind, ask.share.is_special());
        for member in ask.share.missing(&demanded) {
            let pointer = ask.pointer(member);
            if let Some(askers) = known.get(&(pointer.clone(), member)).and_then(|index| found.get_mut(*index)) {
                askers.further += 1;
            } else {
                known.insert((pointer.clone(), member), found.len());
                found.push(Askers { first: ask, member, pointer, further: 0 });
            }
        }
    }
    let mut faults = Faults::default();
    for askers in found {
        faults.push(askers.fault());
    }
    faults
}

impl Ask<'_> {
    /// Where the missing member belongs: numbers go to the controller's own entry, all else to the incident.
    ///
    /// A complete filing that lists nobody cannot give numbers of their own, so there the list itself is missing.
    fn pointer(&self, member: ContentMember) -> String {
        let own = matches!(member, ContentMember::SubjectCount | ContentMember::RecordCount | ContentMember::Extent);
        match self.position {
            _ if !own || self.alone => member.pointer().to_owned(),
            Some(position) => format!("/affected/{position}{}", member.pointer()),
            None if self.share.common.stage == Stage::Complete => "/affected".to_owned(),
            None => member.pointer().to_owned(),
        }
    }
}

impl Askers<'_> {
    fn fault(self) -> Fault {
        let special = self.first.share.is_special();
        let kind = self.first.share.common.kind;
        let clause = self.first.terms.content_clause(kind, special, self.member);
        let clause = clause.map(|clause| format!(" ({clause})")).unwrap_or_default();
        let further = match self.further {
            0 => String::new(),
            1 => " and by one further agreement".to_owned(),
            more => format!(" and by {more} further agreements"),
        };
        let hint = if self.pointer == "/affected" { " List the controllers with their own numbers." } else { "" };
        let agreement = self.first.agreement;
        Fault {
            detail: format!("`{}` is required by agreement {agreement}{clause}{further}.{hint}", self.member),
            pointer: self.pointer,
            code: "required",
            legal_basis: Some(self.member.legal_basis().to_owned()),
            agreement: Some(agreement.to_string()),
        }
    }
}
