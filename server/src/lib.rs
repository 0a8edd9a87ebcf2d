//! A gRPC cache server.
