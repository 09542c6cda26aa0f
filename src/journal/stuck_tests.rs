//! A next segment that can't be made, though the disk has space.

use std::path::Path;

use super::power_tests::{open, send};
use crate::storage::simulated::Simulated;

#[test]
fn what_keeps_the_next_segment_from_being_made_is_said_and_not_called_a_full_disk() {
    let disk = Simulated::new(0);
    let (journal, mut writer) = open(&disk).unwrap();
    // In the place of the file that becomes the next segment.
    disk.add_folder(Path::new("/data/journal/spare.tmp"));
    assert!(send(&journal, &mut writer, "fits").is_some());
    let more = (0..5).map(|number| send(&journal, &mut writer, &format!("number {number}")));
    assert!(more.take_while(Option::is_some).count() < 5, "a segment ends before that");
    let status = journal.status().borrow().clone();
    assert!(status.is_waiting());
    let reason = status.refusal().unwrap();
    assert!(reason.contains("/data/journal") && !reason.contains("free some space"), "{reason}");
}
