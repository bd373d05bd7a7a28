//! System calls per request, counted by the kernel's tracepoints: nothing is slowed down that would change batching.

use std::io;
use std::process::{Command, Stdio};

use peers::sys;

use crate::case::Case;
use crate::run::Pair;

/// Rarer calls than this share of the requests belong to the start, not to the requests.
const RARE: f64 = 0.0005;

/// The calls that a server makes while it is under load, by name, the most frequent first.
pub fn count(server: &str, case: &Case, seconds: f64) -> io::Result<Vec<(String, f64)>> {
    let mut pair = Pair::start(server, case)?;
    pair.slice(seconds)?;
    let perf = Command::new("perf")
        .args([
            "stat",
            "--field-separator",
            ",",
            "--event",
            "syscalls:sys_enter_*",
        ])
        .args(["--pid", &pair.server_id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::other(format!("perf stat: {error}")))?;
    // It needs a moment to attach, and the server does nothing meanwhile.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let requests = pair.slice(seconds)?.total;
    std::thread::sleep(std::time::Duration::from_millis(100));
    sys::interrupt(perf.id())?;
    let output = perf.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let mut calls: Vec<_> = text.lines().filter_map(line).collect();
    if calls.is_empty() {
        return Err(io::Error::other(format!(
            "perf stat counted nothing: {text}"
        )));
    }
    calls.retain_mut(|(_, count)| {
        *count /= requests;
        *count >= RARE
    });
    calls.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(calls)
}

/// `COUNT,,syscalls:sys_enter_NAME,...`
fn line(text: &str) -> Option<(String, f64)> {
    let mut fields = text.split(',');
    let count = fields.next()?.parse().ok()?;
    let name = fields.nth(1)?.strip_prefix("syscalls:sys_enter_")?;
    Some((name.to_string(), count))
}
