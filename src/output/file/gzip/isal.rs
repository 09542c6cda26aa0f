//! Members by Intel's ISA-L, which is several times as fast as libdeflate and has one level that is of use.
//!
//! It chooses among its implementations by what the processor can do, so that processors of another kind may make other
//! bytes of the same text. Nothing depends on that: what recovery cuts off is compressed anew.

use isal::{Codec, CompressionLevel};

/// Text that it takes, in bytes. It counts in 32 bits, and the crate around it cuts what is longer off without a word.
pub(super) const MAX_TEXT: usize = 1 << 30;

/// Why a member was not made. Whatever it left behind is no member.
#[derive(Debug, thiserror::Error)]
pub(super) enum IsalError {
    #[error("ISA-L cannot compress {length} bytes: {reason}")]
    Refused { length: usize, reason: isal::error::Error },
    #[error("ISA-L made a member that says to hold {said:?} bytes of {length}")]
    Wrong { length: usize, said: Option<u32> },
}

/// How large a member of so many bytes can be: as blocks that are stored as they are.
pub(super) const fn bound(length: usize) -> usize {
    length + 5 * (length / 65_535 + 1) + 18
}

/// Makes one member that holds all of `text`, at most [`MAX_TEXT`] bytes, in `out`: its length.
pub(super) fn compress(text: &[u8], out: &mut [u8]) -> Result<usize, IsalError> {
    let length = text.len();
    let made = isal::compress_into(text, out, CompressionLevel::One, Codec::Gzip)
        .map_err(|reason| IsalError::Refused { length, reason })?;
    // It is a wrapper around C that counts by itself: the last four bytes say how much text went in.
    let said = out.get(..made).and_then(|member| member.last_chunk()).map(|said| u32::from_le_bytes(*said));
    if said.is_none_or(|said| said as usize != length) {
        return Err(IsalError::Wrong { length, said });
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_does_not_fit_is_refused_and_one_in_the_bound_is_made() {
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) as u8
        })
        .take(200_000)
        .collect();
        for length in [0, 1, 100, 65_535, 65_536, 131_070, 200_000] {
            let text = &noise[..length];
            assert!(matches!(compress(text, &mut vec![0; length / 2]), Err(IsalError::Refused { .. })));
            let made = compress(text, &mut vec![0; bound(length)]).unwrap();
            assert!(made <= bound(length), "{length}");
        }
    }
}
