//! Measures hubs against each other: which one to use here, for which load.
//!
//! The program is `hub-bench`; `hub-bench --help` says what it takes. As a library it measures a hub of yours, alone or
//! beside the others:
//!
//! ```no_run
//! use hub_bench::{HUBS, Plan, run};
//! use hub_poll::Poll as MyHub;
//!
//! let alone = run(&[("mine", &|| Ok(Box::new(MyHub::new()?)))], &Plan::quick())?;
//! println!("{}", alone.table());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`run`] starts the calling program again for each sample, so it is to be called early in `main`; and [`main()`] is the
//! whole command line for a list of hubs. What is measured is in [`Workload`], how in [`Plan`], and what was found in
//! [`Report`].
//!
//! There are no features and no environment variables to set. A [`Plan`] and a [`Report`] are `Send`. It runs on
//! Unix; it counts system calls where the kernel's tracepoints may be read, on Linux.
#![forbid(unsafe_code)]

mod cli;
pub mod load;
mod machine;
mod meter;
mod plan;
mod report;
mod serve;
mod session;
pub mod stats;
mod worker;
mod workload;

pub use cli::main;
pub use machine::Machine;
pub use plan::{Layer, Plan, Workload};
pub use report::{Failure, Figure, Latency, Method, Report};
pub use session::{Candidate, HUBS, MakeHub, run};
