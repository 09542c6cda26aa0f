//! Reading from disk what is not in memory any more, and passing over what is damaged there.

use std::io;

use super::{ReadError, Reader, StoredChunk};
use crate::journal::Position;
use crate::journal::damage::{set_aside, tell_unreadable};
use crate::journal::frame_reader::FrameReader;
use crate::journal::missing::tell_vanished;
use crate::storage::is_for_damage;

impl Reader {
    pub(super) fn read_from_disk(
        &mut self,
        end: u64,
        is_last: bool,
    ) -> Result<Option<StoredChunk>, ReadError> {
        let Position { segment, offset, .. } = self.position;
        let path = || self.shared.folder.segment_path(segment);
        let is_given_up = self.is_given_up();
        let mut file = match self.file.take().filter(|file| file.segment() == segment) {
            Some(file) => file,
            None => match self.shared.folder.open(segment) {
                Ok(file) => FrameReader::new(file, self.shared.journal, segment),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if self.shared.is_needed(segment) {
                        tell_vanished(&self.shared, segment);
                    }
                    self.pass_up_to(end);
                    return Ok(None);
                }
                Err(error) if is_given_up && is_for_damage(&error) => {
                    tell_unreadable(&self.shared, Position::new(segment, offset), end, &error);
                    self.pass_up_to(end);
                    return Ok(None);
                }
                Err(source) => return Err(ReadError { path: path(), source }),
            },
        };
        file.let_go_of_what_is_read(is_last);
        if is_given_up {
            file = file.passing_over_damage();
        }
        let frame = file.frame_at(offset, end).map_err(|source| ReadError { path: path(), source })?;
        let chunk = match frame {
            Some(frame) => self.pass(frame)?,
            None => {
                let found =
                    file.find_frame(offset, end).map_err(|source| ReadError { path: path(), source })?;
                let next = found.frame.unwrap_or(end);
                set_aside(&self.shared, &mut file, offset, next);
                self.pass_up_to(next);
                None
            }
        };
        // What lies behind may read when it is tried again.
        self.file = Some(file).filter(|_| !is_given_up);
        Ok(chunk)
    }
}
