//! The databases that are measured, and how each writes the rows of filings without the service.

use std::path::{Path, PathBuf};

use super::figures::Pace;
use super::filed::Filed;
#[cfg(feature = "postgres")]
use super::pgbench::{self, Cluster};
use super::{BenchError, Bounds, On, Options, bare};
use crate::store::connection::Target;
use crate::store::{self, AnyConnection};

/// A kind of database.
pub(super) enum Kind {
    /// A file.
    Sqlite,
    /// A database on a server.
    #[cfg(feature = "postgres")]
    Postgres {
        url: String,
        /// Ends the throw-away server when dropped.
        _cluster: Option<Cluster>,
    },
}

/// One empty database, for one part.
pub(super) enum Database {
    /// A file, and the copy that the baseline writes to.
    Sqlite { url: String, copy: PathBuf },
    /// A schema in the database on a server.
    #[cfg(feature = "postgres")]
    Postgres { url: String },
}

impl Kind {
    /// All kinds there are to measure; `notes` says which cannot be had.
    pub(super) fn all(options: &Options, notes: &mut Vec<String>) -> Result<Vec<Self>, BenchError> {
        let mut all = if options.on == Some(On::Postgres) { Vec::new() } else { vec![Self::Sqlite] };
        if options.on == Some(On::Sqlite) {
            return Ok(all);
        }
        #[cfg(feature = "postgres")]
        match (&options.postgres_url, pgbench::binaries()) {
            (Some(url), _) => all.push(Self::Postgres { url: url.clone(), _cluster: None }),
            (None, Some(binaries)) => {
                let cluster = Cluster::start(&binaries)?;
                all.push(Self::Postgres { url: cluster.url(), _cluster: Some(cluster) });
            }
            (None, None) => notes.push("No PostgreSQL server is installed.".to_owned()),
        }
        #[cfg(not(feature = "postgres"))]
        notes.push("Built without PostgreSQL.".to_owned());
        Ok(all)
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "PostgreSQL",
        }
    }
}

impl Database {
    /// An empty database of `kind` for the part `name`.
    pub(super) fn make(kind: &Kind, place: &Path, name: &str) -> Result<Self, BenchError> {
        match kind {
            Kind::Sqlite => {
                let url = format!("sqlite://{}", place.join(format!("{name}.db")).display());
                Ok(Self::Sqlite { url, copy: place.join("bare.db") })
            }
            #[cfg(feature = "postgres")]
            Kind::Postgres { url, .. } => {
                let url = pgbench::with_schema(url, name)?;
                store::migrate(&url)?;
                Ok(Self::Postgres { url })
            }
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "PostgreSQL",
        }
    }

    pub(super) fn baseline(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "a bare loop, 32 filings in one commit",
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => "pgbench with 32 clients",
        }
    }

    pub(super) fn url(&self) -> &str {
        match self {
            Self::Sqlite { url, .. } => url,
            #[cfg(feature = "postgres")]
            Self::Postgres { url } => url,
        }
    }

    pub(super) fn open(&self) -> Result<AnyConnection, BenchError> {
        Ok(Target::from_url(self.url())?.open()?)
    }

    /// Keeps what is there now for the baseline. On PostgreSQL it writes to the same database, after the service.
    pub(super) fn keep_copy(&self) -> Result<(), BenchError> {
        match self {
            Self::Sqlite { url, copy } => Ok(store::backup(url, copy)?),
            #[cfg(feature = "postgres")]
            Self::Postgres { .. } => Ok(()),
        }
    }

    /// Writes copies of the filing without the service.
    #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "PostgreSQL needs the place"))]
    pub(super) fn write_bare(&self, place: &Path, filed: &Filed, bounds: Bounds) -> Result<Pace, BenchError> {
        match self {
            Self::Sqlite { copy, .. } => match Target::Sqlite(copy.clone()).open_to_write()? {
                AnyConnection::Sqlite(mut connection) => bare::write(&mut connection, filed, bounds),
                #[cfg(feature = "postgres")]
                AnyConnection::Postgres(_) => Err(BenchError::Unusable("a file is no server".to_owned())),
            },
            #[cfg(feature = "postgres")]
            Self::Postgres { url } => pgbench::write(url, place, filed, bounds),
        }
    }
}
