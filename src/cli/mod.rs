//! The command line: one file a command.

/// Runs the command that the arguments name and gives the process its exit code.
pub fn main() -> std::process::ExitCode {
    todo!()
}
