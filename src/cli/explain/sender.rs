//! Who sends the event that is explained.

use std::net::{IpAddr, Ipv4Addr};

use crate::sender::{Sender, SenderCertificate};

/// What `{@sender}` and its neighbours say.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The event to explain")]
pub(super) struct SenderArguments {
    /// The sender's identity, where it is not what follows from the arguments below
    #[arg(long, value_name = "IDENTITY", requires = "explain")]
    sender: Option<String>,
    /// The subject of its certificate, as CN=engine-1
    #[arg(long, requires = "explain")]
    subject: Option<String>,
    /// An alternative name of its certificate with its kind, as DNS:engine-1.example.com; may be repeated
    #[arg(long, value_name = "NAME", requires = "subject")]
    san: Vec<String>,
    /// Its address
    #[arg(long, value_name = "IP", requires = "explain", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// What it calls its host in the handshake
    #[arg(long, value_name = "NAME", requires = "explain")]
    host_name: Option<String>,
    /// Its user of the handshake
    #[arg(long, value_name = "NAME", requires = "host_name")]
    user: Option<String>,
}

impl SenderArguments {
    pub(super) fn sender(&self) -> Sender {
        let sender = match &self.subject {
            None => Sender::from_address(self.address),
            Some(subject) => Sender::from_certificate(
                self.address,
                SenderCertificate {
                    subject: subject.clone(),
                    alternative_names: self.san.clone(),
                    fingerprint: "0".repeat(64),
                },
            ),
        };
        let sender = match &self.host_name {
            None => sender,
            Some(host_name) => sender.named(host_name.clone(), self.user.clone()),
        };
        match &self.sender {
            None => sender,
            Some(identity) => Sender { identity: identity.clone(), ..sender },
        }
    }
}
