//! `frames PROGRAM`: checks the frames of the hot path in a release build. See `tidy::frames`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::process::{Command, ExitCode};

use tidy::frames::{check, frames};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let program = std::env::args().nth(1).ok_or("usage: frames PROGRAM")?;
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        println!("skipped: the limits are for x86-64 on Linux");
        return Ok(ExitCode::SUCCESS);
    }
    let objdump = Command::new("objdump")
        .args(["-d", "-C", "--no-show-raw-insn", &program])
        .output();
    let output = match objdump {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: objdump of the binutils does not run: {error}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("objdump of {program}: {said}").into());
    }
    let report = check(&frames(&String::from_utf8_lossy(&output.stdout)));
    report.lines.iter().for_each(|line| println!("{line}"));
    report
        .findings
        .iter()
        .for_each(|line| eprintln!("too large or missing: {line}"));
    Ok(match report.findings.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
