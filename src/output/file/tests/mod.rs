//! Tests of the whole life of archive files: with a crash before every system call, with calls that fail, with a power
//! failure that takes what was not synced, and with somebody else's hands in the files.

mod crash;
mod errors;
mod faulty;
mod giving_up;
mod interrupted;
mod large;
mod limits;
mod power;
mod recover_all;
mod replay;
mod surprises;
mod take_back;
mod world;
