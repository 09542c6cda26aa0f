//! Lookups as this machine is configured to make them.

use std::io;
use std::net::SocketAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use super::{Answer, Lookup, ServiceRecord};
use crate::config::HostPort;

/// Addresses come from the operating system, with its hosts file and whatever else it consults. SRV records, which it
/// knows nothing of, come from the name servers in `/etc/resolv.conf`, which is read again for every lookup.
#[derive(Debug, Clone, Default)]
pub struct SystemLookup {
    /// `None`: those in `/etc/resolv.conf`.
    name_servers: Option<ResolverConfig>,
}

impl SystemLookup {
    /// Asks these name servers for SRV records instead.
    #[cfg(test)]
    fn with_name_servers(name_servers: ResolverConfig) -> Self {
        Self { name_servers: Some(name_servers) }
    }

    /// A new resolver each time: its cache would stand between `refresh` and the DNS.
    fn resolver(&self) -> Result<TokioResolver, NetError> {
        match &self.name_servers {
            None => TokioResolver::builder_tokio()?.build(),
            Some(config) => {
                TokioResolver::builder_with_config(config.clone(), TokioRuntimeProvider::default()).build()
            }
        }
    }
}

impl Lookup for SystemLookup {
    fn addresses<'a>(&'a self, address: &'a HostPort) -> Answer<'a, Vec<SocketAddr>> {
        Box::pin(
            async move { Ok(tokio::net::lookup_host((address.host(), address.port())).await?.collect()) },
        )
    }

    fn services<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<ServiceRecord>> {
        Box::pin(async move {
            let resolver = self.resolver().map_err(io::Error::other)?;
            let lookup = resolver.srv_lookup(name).await.map_err(io::Error::other)?;
            let records = lookup.answers().iter().filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(ServiceRecord {
                    priority: srv.priority,
                    weight: srv.weight,
                    host: srv.target.to_ascii().trim_end_matches('.').to_owned(),
                    port: srv.port,
                }),
                _ => None,
            });
            Ok(records.collect())
        })
    }
}

#[cfg(test)]
mod tests;
