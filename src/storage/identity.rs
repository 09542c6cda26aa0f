//! Which file lies at a path: the same name can be another file tomorrow.

/// What tells a file from every other, whatever its name.
///
/// The inode number alone is not enough: a file system gives the number of a removed file to the next new one. Nor is
/// the device number: volumes, network and copy-on-write file systems may come back under another one after a reboot.
/// So the time of birth decides where the file system knows it, and the device where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Number of the device, as far as it goes until the next reboot.
    pub device: u64,
    pub inode: u64,
    /// Nanoseconds since the Unix epoch; 0 where the file system does not keep it.
    pub birth: u64,
}

impl Identity {
    /// Whether both are the same file.
    pub fn is_same_file(&self, other: &Self) -> bool {
        let both_know_their_birth = self.birth != 0 && other.birth != 0;
        self.inode == other.inode
            && if both_know_their_birth { self.birth == other.birth } else { self.device == other.device }
    }
}

/// A file as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub identity: Identity,
    /// Bytes.
    pub length: u64,
    /// How many names it has; 0 once it is removed and only held open.
    pub names: u64,
    /// Not a folder, a pipe or a device.
    pub is_regular: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Identity = Identity { device: 1, inode: 2, birth: 3 };

    #[test]
    fn a_new_file_under_a_used_inode_number_is_another_file() {
        assert!(FILE.is_same_file(&FILE));
        assert!(!FILE.is_same_file(&Identity { birth: 4, ..FILE }));
        assert!(!FILE.is_same_file(&Identity { inode: 3, ..FILE }));
    }

    #[test]
    fn a_volume_under_another_device_number_has_the_same_files() {
        assert!(FILE.is_same_file(&Identity { device: 9, ..FILE }));
    }

    #[test]
    fn without_times_of_birth_the_device_decides() {
        let unknown = Identity { birth: 0, ..FILE };
        assert!(unknown.is_same_file(&FILE));
        assert!(!unknown.is_same_file(&Identity { device: 9, ..FILE }));
    }
}
