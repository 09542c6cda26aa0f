//! What operators and their scripts ask over HTTP.
