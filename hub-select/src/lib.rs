//! The select hub
