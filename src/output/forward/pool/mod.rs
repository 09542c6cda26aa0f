//! Which upstream server gets the next chunk.

mod balance;
mod detector;
mod health;
mod servers;
