//! The commands of every console.

use std::io::{self, Write};

use green::{debug, hubs};

type Builtin = fn(&[&str], &mut dyn Write) -> io::Result<Option<String>>;

/// Their names, what they are about, and what they do.
pub(crate) const ALL: [(&str, &str, Builtin); 9] = [
    (
        "counters",
        "what the scheduler and the hub have done and hold",
        counters,
    ),
    ("dump", "dump ID: one greenthread, with its stack", dump),
    (
        "greenthreads",
        "every greenthread, and what it waits for",
        greenthreads,
    ),
    ("hub", "the name of the hub, and of those there are", hub),
    ("kill", "kill ID: ends a greenthread", kill),
    ("listeners", "every wait for a descriptor", listeners),
    ("timers", "every timer, the earliest first", timers),
    (
        "tree",
        "the greenthreads below those that spawned them",
        tree,
    ),
    ("use_hub", "use_hub NAME: goes on with another hub", use_hub),
];

fn counters(_args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    let counters = debug::counters();
    for (name, count) in [
        ("switches", counters.switches),
        ("spawns", counters.spawns),
        ("turns", counters.turns),
        ("greenthreads", counters.greenthreads as u64),
        ("runnable", counters.runnable as u64),
        ("readers", counters.readers as u64),
        ("writers", counters.writers as u64),
        ("descriptors", counters.descriptors as u64),
        ("timers", counters.timers as u64),
        ("remote waiters", counters.remote_waiters as u64),
    ] {
        writeln!(out, "{name:14}  {count}")?;
    }
    Ok(None)
}

fn dump(args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    let id = id("dump", args)?;
    let info = debug::inspect(id).ok_or_else(|| none(id))?;
    writeln!(out, "{info}")?;
    Ok(None)
}

fn greenthreads(_args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    text(out, &debug::format_greenthreads(false))
}

fn hub(_args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    writeln!(
        out,
        "{} (known are: {})",
        hubs::get_hub(),
        hubs::hub_names().collect::<Vec<_>>().join(", ")
    )?;
    Ok(None)
}

fn kill(args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    let id = id("kill", args)?;
    if id == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "0 is the thread's own greenthread, and would end the thread: exit the program instead",
        ));
    }
    let greenthread = debug::greenthread(id).ok_or_else(|| none(id))?;
    greenthread.kill();
    match greenthread.is_dead() {
        true => writeln!(out, "greenthread {id} has ended")?,
        false => writeln!(out, "greenthread {id} unwinds")?,
    }
    Ok(None)
}

fn listeners(_args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    text(out, &debug::format_hub_listeners())
}

fn timers(_args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    text(out, &debug::format_hub_timers())
}

fn tree(_args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    text(out, &debug::format_spawn_tree())
}

fn use_hub(args: &[&str], out: &mut dyn Write) -> io::Result<Option<String>> {
    let &[name] = args else {
        return Err(usage("use_hub NAME, where NAME is one that hub shows"));
    };
    hubs::use_hub(name).map_err(io::Error::other)?;
    hub(&[], out)
}

fn text(out: &mut dyn Write, text: &str) -> io::Result<Option<String>> {
    out.write_all(text.as_bytes())?;
    Ok(None)
}

/// The only argument, as the number of a greenthread.
fn id(command: &str, args: &[&str]) -> io::Result<u64> {
    let id = match args {
        [id] => id.parse().ok(),
        _ => None,
    };
    id.ok_or_else(|| {
        usage(&format!(
            "{command} ID, where ID is a number that greenthreads shows"
        ))
    })
}

fn usage(usage: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("usage: {usage}"))
}

fn none(id: u64) -> io::Error {
    let text = format!("no greenthread {id} lives in this thread");
    io::Error::new(io::ErrorKind::NotFound, text)
}
