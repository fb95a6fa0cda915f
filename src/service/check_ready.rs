//! Whether the service can do its work.

use super::{Service, ServiceError};
use crate::store::Store;

impl Service {
    /// Answers once the database has answered.
    pub async fn check_ready(&self) -> Result<(), ServiceError> {
        self.store.read(Store::ping).await?;
        // The embedded database has one writer; it has to be alive too.
        Ok(self.store.write(Store::ping).await?)
    }
}
