//! The poll hub
