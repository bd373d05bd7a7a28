//! The program, as it is called from a shell.

mod common;

use std::process::Command;
use std::time::Duration;

use common::{Files, run};
use hub_bench::{HUBS, Report, Workload};
use rustix::process::{Pid, Signal, kill_process};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hub-bench"))
}

/// Everything, as small as it can be.
const TINY: &str = "--quick --rounds 1 --window 5 --connections 1,4 --timers 50";

#[test]
fn it_lists_hubs_and_workloads() {
    let (code, output, _) = run(program().arg("--list"));
    assert_eq!(code, Some(0));
    for (name, _) in HUBS {
        assert!(
            output.lines().any(|line| line.trim() == *name),
            "{name}: {output}"
        );
    }
    for workload in Workload::ALL {
        assert!(output.contains(workload.about()), "{workload}: {output}");
    }
}

#[test]
fn whoever_reads_the_list_may_stop_early() {
    let mut command = program();
    command.arg("--list").stdout(std::process::Stdio::piped());
    let mut child = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
}

#[test]
fn help_has_examples() {
    let (code, output, _) = run(program().arg("--help"));
    assert_eq!(code, Some(0));
    assert!(output.contains("Examples:") && output.contains("--compare hubs.json"));
}

#[test]
fn a_wrong_name_gives_the_right_ones_and_code_2() {
    let (code, _, errors) = run(program().args(["--hubs", "epol"]));
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("\"epol\"") && errors.contains("poll, select"),
        "{errors}"
    );
    let (code, _, errors) = run(program().args(["--workloads", "echo,ecco"]));
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("\"ecco\"") && errors.contains("idle, churn"),
        "{errors}"
    );
    for line in [
        "--rounds 0",
        "--connections 1,x",
        "--from a.json --quick",
        "--speed",
    ] {
        let (code, _, errors) = run(program().args(line.split(' ')));
        assert_eq!(code, Some(2), "{line}: {errors}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_known_before_the_run() {
    let (code, _, errors) = run(program().args(["--compare", "/no/such.json"]));
    assert_eq!(code, Some(1));
    assert!(errors.contains("/no/such.json"), "{errors}");
    let (code, _, errors) = run(program().args(["--report", "/no/such/page.html"]));
    assert_eq!(code, Some(1));
    assert!(errors.contains("/no/such/page.html"), "{errors}");
}

#[test]
fn every_workload_runs_on_every_hub() {
    let files = Files::new("every");
    let (json, page) = (files.path("run.json"), files.path("run.html"));
    let mut command = program();
    command.args(TINY.split(' '));
    let (code, output, errors) = run(command.arg("--json").arg(&json).arg("--report").arg(&page));
    assert_eq!(code, Some(0), "{output}{errors}");
    let report = Report::read(&json).unwrap();
    assert_eq!(report.failures, []);
    assert!(!report.partial);
    let hubs: Vec<_> = HUBS.iter().map(|(name, _)| *name).collect();
    for workload in Workload::ALL {
        for hub in &hubs {
            let of =
                |figure: &&hub_bench::Figure| figure.workload == workload && figure.hub == *hub;
            let figures: Vec<_> = report.figures.iter().filter(of).collect();
            assert!(!figures.is_empty(), "{workload} on {hub}");
            assert!(output.contains(&format!("\n{workload}: ")), "{output}");
        }
    }
    for figure in &report.figures {
        let lists = [&figure.cpu_ns, &figure.rate];
        for values in lists {
            assert_eq!(values.len(), 1, "{figure:?}");
            assert!(values[0].is_finite() && values[0] > 0.0, "{figure:?}");
        }
        let has_load = matches!(figure.operation.as_str(), "echo" | "visit" | "datagram");
        assert_eq!(figure.client_ns.len(), usize::from(has_load), "{figure:?}");
        if cfg!(target_os = "linux") {
            assert!(figure.resident[0] > 0.0, "{figure:?}");
        }
        assert_eq!(
            figure.syscalls.is_empty(),
            report.machine.uncounted_syscalls.is_some()
        );
    }
    // Each figure is for all hubs, so that they can be compared.
    assert_eq!(report.figures.len() % hubs.len(), 0);

    let html = std::fs::read_to_string(&page).unwrap();
    assert_eq!(
        html.matches("<th scope=\"row\">").count(),
        report.figures.len()
    );
    for workload in Workload::ALL {
        assert!(html.contains(&format!("<section id=\"{workload}\"")));
    }

    let mut again = program();
    again.arg("--from").arg(&json).arg("--compare").arg(&json);
    let (code, output, errors) = run(&mut again);
    assert_eq!(code, Some(0), "{errors}");
    let all = report.figures.len();
    let last = format!(
        "{all} figures: 0 cheaper, 0 dearer, 0 the same within the noise, {all} with too few rounds"
    );
    assert!(output.contains(&last), "{output}");
}

#[test]
fn two_files_are_compared_without_a_run() {
    let files = Files::new("compare");
    let (old, new) = (files.path("old.json"), files.path("new.json"));
    let line = "--workloads ring --hubs poll,select --connections 4 --rounds 5 --window 5 --json";
    let (code, _, errors) = run(program().args(line.split(' ')).arg(&old));
    assert_eq!(code, Some(0), "{errors}");
    let mut report = Report::read(&old).unwrap();
    for (figure, factor) in report.figures.iter_mut().zip([100.0, 0.01]) {
        figure.cpu_ns.iter_mut().for_each(|value| *value *= factor);
    }
    std::fs::write(&new, report.to_json().unwrap()).unwrap();
    let (code, output, errors) = run(program().arg("--from").arg(&new).arg("--compare").arg(&old));
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        output.contains("2 figures: 1 cheaper, 1 dearer, 0 the same"),
        "{output}"
    );
    assert!(
        output.lines().any(|line| line.contains("poll")
            && line.contains("100.00")
            && line.ends_with("DEARER")),
        "{output}"
    );
    assert!(
        output.lines().any(|line| line.contains("select")
            && line.contains("0.01")
            && line.ends_with("cheaper")),
        "{output}"
    );
}

#[test]
fn an_interrupt_leaves_what_there_is() {
    let files = Files::new("interrupt");
    let json = files.path("run.json");
    let line = "--workloads ring --hubs poll --connections 4 --rounds 100000 --window 5 --json";
    let mut command = program();
    let mut child = common::quiet(command.args(line.split(' ')).arg(&json))
        .spawn()
        .unwrap();
    // Time for a sample, of which each takes a fraction.
    std::thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().unwrap().is_none(), "it has ended before");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let report = Report::read(&json).unwrap();
    assert!(report.partial);
    assert_eq!(report.failures, []);
    assert_eq!(report.figures.len(), 1);
    assert!(!report.figures[0].cpu_ns.is_empty());
    assert!(report.table().contains("Interrupted"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_does_not_outlive_its_parent() {
    use std::path::PathBuf;
    use std::time::Instant;

    let line = "--workloads ring --hubs poll --connections 4 --rounds 1 --window 60000";
    let mut child = common::quiet(program().args(line.split(' ')))
        .spawn()
        .unwrap();
    let id = child.id();
    let wait = |what: &str, found: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !found() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // The state and the parent stand behind the name, which is in brackets.
    let status = |process: &PathBuf| -> Option<(String, u32)> {
        let text = std::fs::read_to_string(process.join("stat")).ok()?;
        let mut words = text.rsplit(')').next()?.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    let find = || {
        let all = std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        all.into_iter()
            .find(|process| status(process).is_some_and(|(_, parent)| parent == id))
    };
    wait("no worker was started", &|| find().is_some());
    // It has asked to end with its parent when it has bound itself, some milliseconds after its start.
    std::thread::sleep(Duration::from_secs(1));
    let worker = find().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    wait("the worker runs on", &|| {
        status(&worker).is_none_or(|(state, _)| state == "Z")
    });
}
