//! `hikyaku decrypt`

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::complain;
use crate::config::KeyFile;
use crate::pipeline::field_cipher::{DecryptError, FieldCipher, PREFIX};
use crate::pipeline::json::write_value;

/// Put back what the filter `encrypt` has encrypted
///
/// Reads JSON lines and prints them with every encrypted value decrypted; whatever else a line holds stays as it is. A
/// value that no key opens stays encrypted and is counted; then the exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku decrypt --key field.key 10.log
  zcat 10.log.gz | hikyaku decrypt --key field.key
  hikyaku decrypt --key new.key --key old.key 10.log | jq .user.address")]
pub(super) struct Arguments {
    /// A key file of the filter; more than once, each value takes the one that fits
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The files to read, one after the other; standard input where there is none
    files: Vec<PathBuf>,
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let mut ciphers = Vec::with_capacity(self.key.len());
        for path in &self.key {
            match KeyFile::read(path) {
                Ok(key) => ciphers.push(FieldCipher::new(&key)),
                Err(error) => {
                    complain(error);
                    return ExitCode::FAILURE;
                }
            }
        }
        let mut decrypter = Decrypter { ciphers, closed: 0, reason: None };
        let mut out = io::BufWriter::new(io::stdout().lock());
        let copied = match self.files.as_slice() {
            [] => decrypter.copy(io::stdin().lock(), &mut out).map_err(|error| error.to_string()),
            files => files.iter().try_for_each(|path| {
                let copied = File::open(path).and_then(|file| decrypter.copy(file, &mut out));
                copied.map_err(|error| format!("{}: {error}", path.display()))
            }),
        };
        if let Err(error) = copied.and_then(|()| out.flush().map_err(|error| error.to_string())) {
            complain(error);
            return ExitCode::FAILURE;
        }
        match decrypter.reason {
            None => ExitCode::SUCCESS,
            Some(reason) => {
                complain(format!("{} values stay encrypted; the first one: {reason}", decrypter.closed));
                ExitCode::FAILURE
            }
        }
    }
}

struct Decrypter {
    ciphers: Vec<FieldCipher>,
    /// Values that stay encrypted, and why the first one does.
    closed: u64,
    reason: Option<DecryptError>,
}

impl Decrypter {
    fn copy(&mut self, lines: impl Read, out: &mut impl Write) -> io::Result<()> {
        let mut lines = BufReader::new(lines);
        let (mut line, mut decrypted) = (Vec::new(), Vec::new());
        while lines.read_until(b'\n', &mut line)? > 0 {
            decrypted.clear();
            self.line(&line, &mut decrypted);
            out.write_all(&decrypted)?;
            line.clear();
        }
        Ok(())
    }

    /// Appends a line with the JSON strings that are encrypted values replaced. Such a string holds no escapes.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let mark = format!("\"{PREFIX}");
        let mut copied = 0;
        for start in memchr::memmem::find_iter(line, mark.as_bytes()) {
            let Some(length) = memchr::memchr(b'"', &line[start + 1..]) else { break };
            let end = start + 1 + length + 1;
            // A quote behind a backslash is inside of text, and what a colon follows is a key.
            let is_value = (start == 0 || line[start - 1] != b'\\') && line.get(end) != Some(&b':');
            let text = std::str::from_utf8(&line[start + 1..end - 1]).unwrap_or_default();
            if !is_value || text.ends_with('\\') {
                continue;
            }
            if let Some(value) = self.open(text) {
                out.extend_from_slice(&line[copied..start]);
                write_value(out, &value);
                copied = end;
            }
        }
        out.extend_from_slice(&line[copied..]);
    }

    fn open(&mut self, text: &str) -> Option<Vec<u8>> {
        let mut reason = DecryptError::OtherKey;
        for cipher in &self.ciphers {
            match cipher.decrypt(text) {
                Ok(value) => return Some(value),
                Err(DecryptError::OtherKey) => {}
                Err(error) => reason = error,
            }
        }
        self.closed += 1;
        self.reason.get_or_insert(reason);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(digit: &str) -> FieldCipher {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, digit.repeat(64)).unwrap();
        FieldCipher::new(&KeyFile::read(&path).unwrap())
    }

    fn encrypted(digit: &str, value: &[u8]) -> String {
        let mut text = Vec::new();
        cipher(digit).encrypt(&[0; 20], "field", value, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn values_are_put_back_with_their_types_and_the_rest_of_the_line_stays() {
        let (text, map, old) =
            (encrypted("7", b"\xa4\"x\"\n"), encrypted("7", b"\x81\xa1k\x05"), encrypted("8", b"\xc3"));
        let line = format!(
            "{{\"a\": \"{text}\" ,\"b\":[1,\"{map}\"],\"c\":\"{old}\",\"{text}\":1,\"d\":\"\\\"{text}\\\"\"}}\nno JSON\n"
        );
        let mut decrypter = Decrypter { ciphers: vec![cipher("7"), cipher("8")], closed: 0, reason: None };
        let mut out = Vec::new();
        decrypter.copy(line.as_bytes(), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(
                "{{\"a\": \"\\\"x\\\"\\n\" ,\"b\":[1,{{\"k\":5}}],\"c\":true,\"{text}\":1,\"d\":\"\\\"{text}\\\"\"}}\nno JSON\n"
            )
        );
        assert_eq!((decrypter.closed, decrypter.reason), (0, None));
    }

    #[test]
    fn what_no_key_opens_stays_and_is_counted() {
        let text = encrypted("9", b"\x05");
        let line = format!("{{\"a\":\"{text}\",\"b\":\"{PREFIX}x\",\"c\":\"{PREFIX}open");
        let mut decrypter = Decrypter { ciphers: vec![cipher("7")], closed: 0, reason: None };
        let mut out = Vec::new();
        decrypter.copy(line.as_bytes(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), line);
        assert_eq!((decrypter.closed, decrypter.reason), (2, Some(DecryptError::OtherKey)));
    }
}
