//! What is built in.

use std::time::Duration;

use green::Builder;
use green_backdoor::Commands;

use crate::client::{LONG, Served};

#[test]
fn help_lists_the_commands() {
    let commands = Commands::new().add("mine", "what I have added", |_, _| Ok(None));
    let help = Served::commands(commands).client().ask("help");
    for name in [
        "help",
        "greenthreads",
        "tree",
        "dump",
        "kill",
        "listeners",
        "timers",
        "counters",
        "hub",
        "use_hub",
        "exit",
        "quit",
    ] {
        let listed = help
            .lines()
            .any(|line| line.split(' ').next() == Some(name));
        assert!(listed, "{name} in {help}");
    }
    assert!(help.contains("what I have added"), "{help}");
}

#[test]
fn greenthreads_are_listed_and_shown() {
    let sleeper = Builder::new().name("sleeper");
    let sleeper = sleeper.spawn(|| green::sleep(LONG)).unwrap();
    let id = sleeper.id();
    let served = Served::commands(Commands::new());
    let mut client = served.client();
    for (command, words) in [
        ("greenthreads", format!("greenthread {id} ")),
        (
            "greenthreads",
            "\"sleeper\" waits for the end of a sleep".to_owned(),
        ),
        ("greenthreads", "\"console of 127.0.0.1:".to_owned()),
        ("tree", format!("\n  greenthread {id} ")),
        ("timers", format!("greenthread {id} ")),
        ("listeners", "readable".to_owned()),
        ("counters", "greenthreads ".to_owned()),
        ("counters", "remote waiters ".to_owned()),
    ] {
        let answer = client.ask(command);
        assert!(answer.contains(&words), "{words:?} in {command}: {answer}");
    }
    let dump = client.ask(&format!("dump {id}"));
    assert!(dump.starts_with(&format!("greenthread {id} ")), "{dump}");
    assert!(dump.contains("sleep") && dump.lines().count() > 3, "{dump}");
    assert_eq!(
        client.ask("dump 999999"),
        "error: no greenthread 999999 lives in this thread\n"
    );
    assert!(client.ask("dump").contains("usage: dump ID"));
}

#[test]
fn the_counters_are_those_of_the_thread() {
    let served = Served::commands(Commands::new());
    let mut client = served.client();
    let sleepers: Vec<_> = (0..3)
        .map(|_| green::spawn(|| green::sleep(LONG)))
        .collect();
    green::yield_now();
    let before = green::debug::counters();
    let answer = client.ask("counters");
    let after = green::debug::counters();
    let shown = |name: &str| -> u64 {
        let line = answer
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} in {answer}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    for (name, least, most) in [
        ("switches", before.switches, after.switches),
        ("spawns", before.spawns, after.spawns),
        ("turns", before.turns, after.turns),
    ] {
        assert!((least..=most).contains(&shown(name)), "{name}: {answer}");
    }
    assert_eq!(shown("greenthreads"), after.greenthreads as u64);
    assert_eq!(shown("descriptors"), after.descriptors as u64);
    assert!(shown("timers") >= 3 && shown("readers") >= 1, "{answer}");
    for name in ["runnable", "writers", "remote waiters"] {
        shown(name);
    }
    green::killall(&sleepers);
}

#[test]
fn a_greenthread_is_killed() {
    let victim = green::spawn(|| green::sleep(LONG));
    let fresh = green::spawn_after(LONG, || ());
    let served = Served::commands(Commands::new());
    let mut client = served.client();
    for id in [victim.id(), fresh.id()] {
        let answer = client.ask(&format!("kill {id}"));
        assert_eq!(answer, format!("greenthread {id} has ended\n"));
        assert!(
            client
                .ask(&format!("kill {id}"))
                .starts_with("error: no greenthread")
        );
    }
    assert!(victim.join().is_err() && fresh.join().is_err());
    assert!(
        client
            .ask("kill 0")
            .starts_with("error: 0 is the thread's own")
    );
    for wrong in ["kill", "kill x", "kill 1 2"] {
        assert!(
            client.ask(wrong).starts_with("error: usage: kill ID"),
            "{wrong}"
        );
    }
}

#[test]
fn a_session_kills_another_and_itself() {
    let served = Served::commands(Commands::new());
    let (mut one, mut other) = (served.client(), served.client());
    let ids = |client: &mut crate::client::Client<_>| -> Vec<u64> {
        let all = client.ask("greenthreads");
        let consoles = all.lines().filter(|line| line.contains("\"console of"));
        let numbers = consoles.map(|line| line.split(' ').nth(1).unwrap().parse().unwrap());
        numbers.collect()
    };
    let [first, second] = ids(&mut one)[..] else {
        panic!("two sessions");
    };
    let answer = one.ask(&format!("kill {second}"));
    assert_eq!(answer, format!("greenthread {second} has ended\n"));
    assert_eq!(other.rest(), "");
    one.send(format!("kill {first}\n"));
    assert_eq!(one.rest(), "");
    assert!(served.client().ask("hub").contains("known are"));
}

#[test]
fn the_hub_is_changed_under_everybody() {
    let served = Served::commands(Commands::new());
    let sleeper = green::spawn(|| green::sleep(Duration::from_millis(20)));
    let (mut one, mut other) = (served.client(), served.client());
    let before = green::hubs::get_hub();
    for hub in ["poll", "select", before] {
        let answer = one.ask(&format!("use_hub {hub}"));
        assert!(
            answer.starts_with(&format!("{hub} (known are: ")),
            "{answer}"
        );
        assert_eq!(green::hubs::get_hub(), hub);
        assert!(other.ask("hub").starts_with(hub));
    }
    let answer = one.ask("use_hub pool");
    assert!(
        answer.starts_with("error: ") && answer.contains("poll"),
        "{answer}"
    );
    assert!(one.ask("use_hub").starts_with("error: usage: use_hub NAME"));
    assert!(sleeper.join().is_ok());
}
