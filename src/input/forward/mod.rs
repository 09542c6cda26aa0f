//! The forward input: listener, connections, sessions.
