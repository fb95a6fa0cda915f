//! The gate before a processor acts in a controller's name: an instruction in force must cover what was done.

use super::ServiceError;
use super::part::Part;
use crate::domain::authority_filing::NewAuthorityFiling;
use crate::domain::duty_record::Duty;
use crate::domain::id::InstructionId;
use crate::store::AnyConnection;

pub(super) fn covering(
    _connection: &mut AnyConnection,
    _part: &Part,
    _new: &NewAuthorityFiling,
    _duty: &Duty,
) -> Result<InstructionId, ServiceError> {
    // Single place that waits for instructions.
    Err(ServiceError::Conflict { code: "instruction-required", detail: "instruction_required".to_owned() })
}
