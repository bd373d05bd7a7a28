//! The hub on the polling crate: kqueue, event ports and whatever else it carries
