//! Paths as keys of tables.

use std::borrow::Borrow;
use std::ffi::OsStr;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

/// A path by its bytes, looked up by its [`OsStr`]. `Path` itself is taken apart into its components each time that it is
/// compared or hashed; that finds nothing more here, as a path is always spelled the same way.
#[derive(Debug, Clone)]
pub(super) struct FileKey(pub(super) Arc<Path>);

impl Borrow<OsStr> for FileKey {
    fn borrow(&self) -> &OsStr {
        self.0.as_os_str()
    }
}

impl Hash for FileKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.as_os_str().hash(hasher);
    }
}

impl PartialEq for FileKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_os_str() == other.0.as_os_str()
    }
}

impl Eq for FileKey {}
