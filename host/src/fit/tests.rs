//! Tests of the whole way from a file to a configuration.
