//! Writing values, each in its shortest form.

/// Writes nil.
pub fn write_nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Writes a boolean.
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Writes an integer that is not negative.
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => marked(out, 0xcd, &(value as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => marked(out, 0xce, &(value as u32).to_be_bytes()),
        _ => marked(out, 0xcf, &value.to_be_bytes()),
    }
}

/// Writes any integer.
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    match value {
        0.. => write_u64(out, value as u64),
        -32..=-1 => out.push(value as u8),
        -0x80..=-33 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..=-0x81 => marked(out, 0xd1, &(value as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => marked(out, 0xd2, &(value as i32).to_be_bytes()),
        _ => marked(out, 0xd3, &value.to_be_bytes()),
    }
}

/// Writes a float of 64 bits.
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    marked(out, 0xcb, &value.to_be_bytes());
}

/// Writes a `str`. Its bytes should be UTF-8; peers of the Fluentd family take any.
///
/// # Panics
///
/// Beyond 4 GiB, which no message that was let in can hold; so does [`write_bin`].
pub fn write_str(out: &mut Vec<u8>, bytes: &[u8]) {
    write_str_head(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes the head of a `str`; that many bytes have to follow.
pub fn write_str_head(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=31 => out.push(0xa0 | length as u8),
        32..=0xff => out.extend_from_slice(&[0xd9, length as u8]),
        0x100..=0xffff => marked(out, 0xda, &(length as u16).to_be_bytes()),
        _ => marked(out, 0xdb, &length_of_four_bytes(length)),
    }
}

/// Writes a `bin`.
pub fn write_bin(out: &mut Vec<u8>, bytes: &[u8]) {
    write_bin_head(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes the head of a `bin`; that many bytes have to follow.
pub fn write_bin_head(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=0xff => out.extend_from_slice(&[0xc4, length as u8]),
        0x100..=0xffff => marked(out, 0xc5, &(length as u16).to_be_bytes()),
        _ => marked(out, 0xc6, &length_of_four_bytes(length)),
    }
}

/// Writes the head of an array; that many values have to follow.
pub fn write_array(out: &mut Vec<u8>, length: u32) {
    match length {
        0..=15 => out.push(0x90 | length as u8),
        16..=0xffff => marked(out, 0xdc, &(length as u16).to_be_bytes()),
        _ => marked(out, 0xdd, &length.to_be_bytes()),
    }
}

/// Writes the head of a map; that many pairs have to follow.
pub fn write_map(out: &mut Vec<u8>, length: u32) {
    match length {
        0..=15 => out.push(0x80 | length as u8),
        16..=0xffff => marked(out, 0xde, &(length as u16).to_be_bytes()),
        _ => marked(out, 0xdf, &length.to_be_bytes()),
    }
}

fn marked(out: &mut Vec<u8>, marker: u8, bytes: &[u8]) {
    out.push(marker);
    out.extend_from_slice(bytes);
}

fn length_of_four_bytes(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("msgpack strings are below 4 GiB").to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::{Token, read};
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn integers_read_back_from_their_shortest_form() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let bytes = written(|out| write_u64(out, value));
                assert_eq!(read(&bytes, &mut 0), Ok(Token::Unsigned(value)));
                let negative = (value as i64).wrapping_neg();
                if negative < 0 {
                    let bytes = written(|out| write_i64(out, negative));
                    assert_eq!(read(&bytes, &mut 0), Ok(Token::Negative(negative)));
                }
            }
        }
        assert_eq!(written(|out| write_u64(out, 127)).len(), 1);
        assert_eq!(written(|out| write_i64(out, -32)).len(), 1);
        assert_eq!(written(|out| write_i64(out, -33)).len(), 2);
        assert_eq!(written(|out| write_i64(out, i64::from(i32::MIN))).len(), 5);
    }

    #[test]
    fn strings_read_back_at_the_edges_of_their_forms() {
        for length in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
            let text = vec![b'x'; length];
            assert_eq!(read(&written(|out| write_str(out, &text)), &mut 0), Ok(Token::Str(&text)));
            assert_eq!(read(&written(|out| write_bin(out, &text)), &mut 0), Ok(Token::Bin(&text)));
        }
    }

    #[test]
    fn heads_read_back_at_the_edges_of_their_forms() {
        for length in [0, 15, 16, 65_535, 65_536, u32::MAX] {
            assert_eq!(read(&written(|out| write_array(out, length)), &mut 0), Ok(Token::Array(length)));
            assert_eq!(read(&written(|out| write_map(out, length)), &mut 0), Ok(Token::Map(length)));
        }
    }
}
