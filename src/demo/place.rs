//! The directory that a demo works in: found or made, emptied of an earlier demo, and held for as long as it runs.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::DemoError;

/// Says that a directory is a demo's, and is locked while one runs.
const MARK: &str = "art33-demo.txt";
const MARK_TEXT: &str =
    "`art33 demo` works in this directory. Each start empties `data` and `reports` and begins anew.\n";

/// A directory that belongs to this demo alone until it is dropped.
#[derive(Debug)]
pub struct Place {
    /// The database and the keys.
    pub data: PathBuf,
    /// The reports.
    pub reports: PathBuf,
    /// As the user knows it.
    pub root: PathBuf,
    is_temporary: bool,
    _lock: File,
}

impl Place {
    /// Takes `root`, which must be missing, empty, or an earlier demo's that has ended; the latter is emptied.
    pub fn take(root: &Path) -> Result<Self, DemoError> {
        fs::create_dir_all(root).map_err(|error| cannot("create", root, &error))?;
        let mut entries = fs::read_dir(root).map_err(|error| cannot("read", root, &error))?;
        let mark = root.join(MARK);
        if !mark.is_file() && entries.next().is_some() {
            let reason = "is not empty and holds no earlier demo; name an empty directory with --directory";
            return Err(DemoError::Place(format!("{} {reason}", root.display())));
        }
        let mut lock = File::options().create(true).append(true).open(&mark);
        let held = lock.as_mut().map_err(|error| cannot("write", &mark, error))?.try_lock();
        match held {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DemoError::Place(format!("another demo is running in {}", root.display())));
            }
            Err(TryLockError::Error(error)) => return Err(cannot("lock", &mark, &error)),
        }
        let lock = lock.and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(MARK_TEXT.as_bytes())?;
            Ok(file)
        });
        let lock = lock.map_err(|error| cannot("write", &mark, &error))?;
        let (data, reports) = (root.join("data"), root.join("reports"));
        for directory in [&data, &reports] {
            if directory.exists() {
                fs::remove_dir_all(directory).map_err(|error| cannot("empty", directory, &error))?;
            }
            fs::create_dir(directory).map_err(|error| cannot("create", directory, &error))?;
        }
        Ok(Self { data, reports, root: root.to_path_buf(), is_temporary: false, _lock: lock })
    }

    /// Takes a new directory among the system's temporary ones. Only the reports are left there in the end.
    pub fn temporary(name: &str) -> Result<Self, DemoError> {
        let root = std::env::temp_dir().join(format!("art33-demo-{name}"));
        fs::create_dir(&root).map_err(|error| cannot("create", &root, &error))?;
        let mut place = Self::take(&root)?;
        place.is_temporary = true;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_temporary {
            // A database that stays behind in a temporary directory harms nobody.
            drop(fs::remove_dir_all(&self.data));
            drop(fs::remove_file(self.root.join(MARK)));
        }
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> DemoError {
    DemoError::Place(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_demo_is_emptied_and_what_is_foreign_stays() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("new");
        let place = Place::take(&root).unwrap();
        fs::write(place.data.join("art33.db"), "old").unwrap();
        fs::write(root.join("notes.txt"), "mine").unwrap();
        drop(place);
        let place = Place::take(&root).unwrap();
        assert_eq!(fs::read_dir(&place.data).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(root.join("notes.txt")).unwrap(), "mine");
    }

    #[test]
    fn a_directory_of_somebody_else_is_refused_untouched() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("thesis.txt"), "mine").unwrap();
        let refused = Place::take(directory.path()).unwrap_err().to_string();
        assert!(refused.contains("is not empty"), "{refused}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn two_demos_never_share_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Place::take(directory.path()).unwrap();
        let refused = Place::take(directory.path()).unwrap_err().to_string();
        assert!(refused.contains("another demo is running"), "{refused}");
    }
}
