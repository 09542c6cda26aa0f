//! Error logs of nginx and Apache.
//!
//! ```text
//! 2026/02/17 10:00:00 [error] 123#456: *789 open() "/x" failed (2: No such file or directory), client: 192.0.2.1
//! [Tue Feb 17 10:00:00.123456 2026] [core:error] [pid 123:tid 456] [client 192.0.2.1:5678] AH00128: File does not exist
//! ```

use super::Wrong;
use super::found::{Found, integer};

const NOT_NGINX: Wrong = "the text is no line of nginx's error log";
const NOT_APACHE: Wrong = "the text is no line of Apache's error log";

/// `time`, `level`, `pid`, `tid`, `connection` where there is one, `message`.
pub(super) fn parse_nginx(text: &[u8], found: &mut Found) -> Result<(), Wrong> {
    let text = text.trim_ascii_end();
    let (time, rest) = split(text, b" [").filter(|(time, _)| time.len() == 19).ok_or(NOT_NGINX)?;
    let (level, rest) = split(rest, b"] ").ok_or(NOT_NGINX)?;
    let (process, rest) = split(rest, b": ").ok_or(NOT_NGINX)?;
    let (pid, tid) = split(process, b"#").ok_or(NOT_NGINX)?;
    if integer(pid).is_none() || integer(tid).is_none() {
        return Err(NOT_NGINX);
    }
    found.text(b"time", time);
    found.text(b"level", level);
    found.number_or_hyphen("pid", pid);
    found.number_or_hyphen("tid", tid);
    let message = match rest.strip_prefix(b"*").and_then(|rest| split(rest, b" ")) {
        Some((connection, message)) if integer(connection).is_some() => {
            found.number_or_hyphen("connection", connection);
            message
        }
        _ => rest,
    };
    found.text(b"message", message);
    Ok(())
}

/// `time`, `module` where it is named, `level`, `pid`, `tid` and `client` where they are named, `message`.
pub(super) fn parse_apache(text: &[u8], found: &mut Found) -> Result<(), Wrong> {
    let (time, mut rest) = bracketed(text.trim_ascii_end()).ok_or(NOT_APACHE)?;
    let (level, behind) = bracketed(rest).ok_or(NOT_APACHE)?;
    rest = behind;
    found.text(b"time", time);
    match split(level, b":") {
        Some((module, level)) => {
            found.text_or_hyphen("module", module);
            found.text(b"level", level);
        }
        None => found.text(b"level", level),
    }
    while let Some((inner, behind)) = bracketed(rest) {
        match split(inner, b" ") {
            Some((b"pid", process)) => match split(process, b":tid ") {
                Some((pid, tid)) => {
                    found.number_or_hyphen("pid", pid);
                    found.number_or_hyphen("tid", tid);
                }
                None => found.number_or_hyphen("pid", process),
            },
            Some((b"client", client)) => found.text(b"client", client),
            Some((b"remote", client)) => found.text(b"client", client),
            // The message begins with a bracket.
            _ => break,
        }
        rest = behind;
    }
    found.text(b"message", rest);
    Ok(())
}

/// What is in front of the separator, and behind it.
pub(super) fn split<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// What is between the brackets at the start, and behind them and a space.
fn bracketed(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (inner, behind) = split(text.strip_prefix(b"[")?, b"]")?;
    Some((inner, behind.strip_prefix(b" ").unwrap_or(behind)))
}
