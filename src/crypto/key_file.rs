//! Files that hold one secret of 32 bytes: made once, readable by their owner only.
//!
//! Knows nothing of what the secret is for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::entropy::Entropy;

/// Why a key file cannot be used.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It can neither be read nor made.
    #[error("cannot use the key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may read or write it.
    #[error("the key file {path} has mode {mode:04o}; only its owner may have access (mode 0600)")]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key before is still good beside the one in use, and no third may be.
    #[error(
        "the signing key before is still good until {until}; wait until then, or end it at once with an overlap of PT0S"
    )]
    Overlapping {
        /// Until when.
        until: time::OffsetDateTime,
    },
    /// There is no key yet.
    #[error("there is no signing key at {path} yet; the first one is made when the service starts")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// It does not hold 32 bytes in base64.
    #[error("the key file {path} does not hold 32 bytes in base64")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// The secret in the file at `path`, which is made with mode 0600 if there is none.
///
/// Processes that start at once all end up with the same secret: a file is filled under another name first and then
/// linked into its place, which fails for all but one.
pub(super) fn load_or_create(path: &Path, entropy: &Entropy) -> Result<[u8; 32], KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_path_buf(), source };
    if !path.try_exists().map_err(io)? {
        create(path, entropy).map_err(io)?;
    }
    load(path)
}

/// The secret in the file at `path`.
pub(super) fn load(path: &Path) -> Result<[u8; 32], KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_path_buf(), source };
    let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::TooOpen { path: path.to_path_buf(), mode });
    }
    decode(&fs::read(path).map_err(io)?).ok_or_else(|| KeyFileError::Malformed { path: path.to_path_buf() })
}

/// Puts `text` into the file at `path` with this mode, whole or not at all: it is filled under another name and then moved.
pub(super) fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    rename(&draft, path)
}

/// Moves a file into the place of another in the same directory; once this answers, it stays so.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    File::open(directory_of(to))?.sync_all()
}

/// The form in which a secret stands in its file.
pub(super) fn encoded(secret: &[u8; 32]) -> String {
    STANDARD.encode(secret) + "\n"
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn decode(text: &[u8]) -> Option<[u8; 32]> {
    STANDARD.decode(text.trim_ascii()).ok()?.try_into().ok()
}

fn create(path: &Path, entropy: &Entropy) -> io::Result<()> {
    let directory = directory_of(path);
    fs::create_dir_all(directory)?;
    let (mut secret, mut name) = ([0; 32], [0; 16]);
    entropy.fill(&mut secret);
    entropy.fill(&mut name);
    let draft = directory.join(format!(".{}.new", hex::encode(name)));

    let written = write_and_link(&draft, path, &secret);
    fs::remove_file(&draft)?;
    match written {
        // Another process was faster: its secret counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(directory)?.sync_all(),
    }
}

fn write_and_link(draft: &Path, path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(encoded(secret).as_bytes())?;
    file.sync_all()?;
    fs::hard_link(draft, path)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_read_ever_after() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys/signing.key");
        let made = load_or_create(&path, &Entropy::system()).unwrap();
        assert_eq!(load_or_create(&path, &Entropy::system()).unwrap(), made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn many_starting_at_once_share_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signing.key");
        let keys: std::collections::HashSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| load_or_create(&path, &Entropy::system()).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signing.key");
        load_or_create(&path, &Entropy::system()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = load_or_create(&path, &Entropy::system());
        assert!(matches!(refused, Err(KeyFileError::TooOpen { mode: 0o640, .. })));
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signing.key");
        fs::write(&path, "not a key").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = load_or_create(&path, &Entropy::system());
        assert!(matches!(refused, Err(KeyFileError::Malformed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
    }
}
