//! The resolver itself: everything but the types of questions and results.

mod addrinfo;
mod cache;
mod found;
mod hosts;
mod literal;
mod name;
mod nameinfo;
mod order;
mod resolv_conf;
mod resolve;
mod services;
mod wire;

pub use cache::Cache;
pub use found::{Answered, Host, Unanswered};
pub use hosts::Hosts;
pub use literal::parse_literal;
pub use name::{Name, NameError};
pub use order::sort_addresses;
pub use resolv_conf::{ResolvConf, search_domain};
pub use resolve::Resolve;
pub use services::{Services, Transport};
pub use wire::{Answer, LONGEST_CHAIN, Query, Question, RecordKind, Reply, Says, reverse_name};
