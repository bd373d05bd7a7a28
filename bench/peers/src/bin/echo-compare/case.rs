//! The loads.

/// What one table measures.
pub struct Case {
    pub name: &'static str,
    pub title: &'static str,
    /// What green is to stay below.
    pub goal: &'static str,
    /// The options of the load generator.
    pub load: &'static [&'static str],
    /// How long a server works before the next has its turn, in seconds.
    pub slice: f64,
}

pub const CASES: &[Case] = &[
    Case {
        name: "64",
        title: "64 connections, 64 bytes",
        goal: "1.05 over the own raw loop; on epoll 1.02 over tokio; 2.1 system calls",
        load: &["--active", "64"],
        slice: 0.05,
    },
    Case {
        name: "1000",
        title: "1,000 connections, 64 bytes",
        goal: "1.12 over the own raw loop; on epoll 0.95 over tokio",
        load: &["--active", "1000"],
        slice: 0.05,
    },
    Case {
        name: "10000",
        title: "10,000 connections, 64 bytes",
        goal: "1.12 over the own raw loop; on epoll 0.95 over tokio",
        load: &["--active", "10000"],
        slice: 0.25,
    },
    Case {
        name: "16k",
        title: "64 connections, 16 KiB",
        goal: "1.05 over the own raw loop",
        load: &["--active", "64", "--size", "16384"],
        slice: 0.05,
    },
    Case {
        name: "idle",
        title: "10,000 idle connections and 64 active, 64 bytes",
        goal: "1.05 over the own raw loop",
        load: &["--active", "64", "--idle", "10000"],
        slice: 0.2,
    },
    Case {
        name: "churn",
        title: "connect, one echo of 64 bytes, close; 64 at once",
        goal: "on epoll 1.00 over tokio",
        load: &["--active", "64", "--churn"],
        slice: 0.05,
    },
];

impl Case {
    pub fn named(name: &str) -> Result<&'static Case, String> {
        CASES.iter().find(|case| case.name == name).ok_or_else(|| {
            let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
            format!("there is no case {name:?}, only {}", names.join(", "))
        })
    }
}
