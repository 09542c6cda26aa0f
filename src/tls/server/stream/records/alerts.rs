//! Alerts (RFC 8446, section 6).

use rustls::{AlertDescription, Error, InvalidMessage, PeerMisbehaved};

use super::contents::Taken;
use super::fault::Fault;

/// This side sends nothing more.
pub(super) const CLOSE_NOTIFY: [u8; 2] = [WARNING, 0];

const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// Warnings of a whole connection that mean nothing.
const MAX_WARNINGS: u8 = 4;

/// What tells a peer that the connection is over, and why.
pub(super) fn fatal(alert: AlertDescription) -> [u8; 2] {
    [FATAL, alert.into()]
}

#[derive(Debug, Default)]
pub(super) struct Alerts {
    warnings: u8,
}

impl Alerts {
    pub(super) fn take(&mut self, content: &[u8]) -> Result<Taken, Fault> {
        let &[level, description] = content else {
            return Err(Fault::no_message(InvalidMessage::TrailingData("Alert")));
        };
        let description = AlertDescription::from(description);
        let error = Error::AlertReceived(description);
        match (level, description) {
            (WARNING | FATAL, AlertDescription::CloseNotify) => Ok(Taken::Closed),
            (WARNING, AlertDescription::UserCanceled) if self.warnings < MAX_WARNINGS => {
                self.warnings += 1;
                Ok(Taken::Nothing)
            }
            (WARNING, AlertDescription::UserCanceled) => {
                Err(Fault::unexpected(PeerMisbehaved::TooManyWarningAlertsReceived))
            }
            // What is no warning is none, whatever its level says.
            (WARNING | FATAL, _) => Err(Fault::untold(error)),
            _ => Err(Fault::illegal(error)),
        }
    }
}
