//! The gate before a processor acts in a controller's name: an instruction in force must cover what was done.

use super::ServiceError;
use super::error::refused;
use super::part::Part;
use crate::domain::authority_filing::NewAuthorityFiling;
use crate::domain::catalogue::Recipient;
use crate::domain::duty_record::Duty;
use crate::domain::id::InstructionId;
use crate::domain::instruction::{Act, covers};
use crate::store::{AnyConnection, agreements, instructions};

/// The instruction that covered the filing when it was made: the one that it names, or the newest that does. Refused with a
/// conflict that says what is missing if there is none.
pub(super) fn covering(
    connection: &mut AnyConnection,
    part: &Part,
    new: &NewAuthorityFiling,
    duty: &Duty,
) -> Result<InstructionId, ServiceError> {
    let mut given = instructions::of_party(connection, &part.incident, &part.party)?;
    if let Some(named) = &new.instruction {
        given.retain(|one| one.id == *named);
        if given.is_empty() {
            let detail = "This controller has given no such instruction in this incident.";
            return Err(refused("/instruction", "unknown_instruction", detail));
        }
    }
    let act = match duty.obligation.recipient {
        Recipient::DataSubjects => Act::TellPersons,
        _ => Act::FileWithAuthority,
    };
    // The agreement as it stood when the duty was born decides, as it does for the duty itself.
    let terms = match &duty.agreement {
        Some((id, version)) => agreements::terms_of(connection, id, *version)?,
        None => None,
    };
    let terms = terms.ok_or_else(|| ServiceError::Internal(format!("{} has no agreement", duty.id)))?;
    let covering = covers(terms.filing_on_behalf, &given, act, new.filed_at);
    covering
        .map(|one| one.id.clone())
        .map_err(|refusal| ServiceError::Conflict { code: "instruction-required", detail: refusal.to_string() })
}
