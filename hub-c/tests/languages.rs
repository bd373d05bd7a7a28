//! The examples in C and Python, built and run as a reader would, on each backend

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

const NAMES: [&str; 4] = ["epoll", "poll", "select", "polling"];

/// Where cargo has put the libraries that belong to this test.
fn built() -> PathBuf {
    let test = env::current_exe().unwrap();
    let deps = test.parent().unwrap();
    let places = [deps, deps.parent().unwrap()];
    let place = places
        .into_iter()
        .find(|place| place.join("libhub.so").exists());
    place
        .expect("cargo builds libhub.so before the tests")
        .to_path_buf()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A fresh directory for what a test makes.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// True if a program is installed; says so if not.
fn has(program: &str, test: &str) -> bool {
    let mut command = Command::new(program);
    let command = command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let is_there = command.status().is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: {test} needs {program}, which is not installed");
    }
    is_there
}

/// Runs a command that must succeed; gives back what it has printed.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{printed}{errors}",
        output.status
    );
    printed
}

fn cc(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) {
    let mut command = Command::new("cc");
    command.args([
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-O1",
    ]);
    run(command.args(arguments));
}

/// Starts the echo server, talks to it over three connections at once, and sees it end.
fn talk_to(mut server: Command, name: &str) {
    let server = server.args([name, "3"]).stdout(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let (told, port) = line.trim().split_once(' ').expect("its name and port");
    assert_eq!(told, name);
    let port: u16 = port.parse().unwrap();
    let clients = [1, 100, 3_000_000].map(|length: usize| {
        thread::spawn(move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let words: Vec<u8> = (0..length).map(|byte| (byte % 251) as u8).collect();
            let (mut half, sent) = (stream.try_clone().unwrap(), words.clone());
            let writer = thread::spawn(move || {
                half.write_all(&sent).unwrap();
                half.shutdown(Shutdown::Write).unwrap();
            });
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).unwrap();
            writer.join().unwrap();
            assert!(heard == words, "{length} bytes come back as they went");
        })
    });
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    assert!(server.wait().unwrap().success());
}

/// A C program with the library in it.
fn with_the_static_library(name: &str, source: &str, options: &[&str]) -> PathBuf {
    let (program, include) = (directory(name).join("program"), here("include"));
    let (source, library) = (here(source), built().join("libhub.a"));
    let libraries = ["-pthread", "-lm", "-ldl"].map(OsStr::new);
    let arguments = [OsStr::new("-I"), include.as_os_str(), source.as_os_str()];
    let output = [library.as_os_str(), OsStr::new("-o"), program.as_os_str()];
    let options = options.iter().map(OsStr::new);
    cc(options.chain(arguments).chain(output).chain(libraries));
    program
}

#[test]
fn the_echo_server_in_c_with_the_static_library() {
    if !has("cc", "the echo server in C") {
        return;
    }
    let program = with_the_static_library("static", "examples/echo.c", &[]);
    for name in NAMES {
        talk_to(Command::new(&program), name);
    }
}

#[test]
fn misuse_from_c_is_an_error_and_nothing_is_printed() {
    if !has("cc", "the program of misuse") {
        return;
    }
    let program = with_the_static_library("misuse", "tests/c/misuse.c", &[]);
    let output = Command::new(program).arg("100").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "", "{}", output.status);
    assert_eq!(output.stdout, b"as it should be\n");
}

#[test]
fn the_echo_server_in_c_with_what_is_installed() {
    if !has("cc", "the echo server in C") || !has("pkg-config", "the echo server in C") {
        return;
    }
    // With and without a directory that stands for the root of a package.
    for stage in [directory("stage"), PathBuf::new()] {
        let prefix = directory("prefix");
        let mut install = Command::new(here("install.sh"));
        run(install.arg(built()).arg(&prefix).arg(&stage));
        let root = match stage.as_os_str().is_empty() {
            true => prefix.clone(),
            false => stage.join(prefix.strip_prefix("/").unwrap()),
        };
        let config = |what: &[&str]| {
            let mut command = Command::new("pkg-config");
            let command = command.env("PKG_CONFIG_PATH", root.join("lib/pkgconfig"));
            let command = command.env("PKG_CONFIG_SYSROOT_DIR", &stage);
            run(command.args(what).arg("hub")).trim().to_string()
        };
        assert_eq!(config(&["--modversion"]), env!("CARGO_PKG_VERSION"));
        let flags = config(&["--cflags", "--libs"]);
        let (source, program) = (here("examples/echo.c"), root.join("echo"));
        let arguments = [source.as_os_str(), OsStr::new("-o"), program.as_os_str()];
        cc(arguments
            .into_iter()
            .chain(flags.split(' ').map(OsStr::new)));
        for name in NAMES {
            let mut server = Command::new(&program);
            server.env("LD_LIBRARY_PATH", root.join("lib"));
            talk_to(server, name);
        }
    }
}

/// Runs install.sh, with or without LIBDIR.
fn install(arguments: [&OsStr; 2], libdir: Option<&Path>) {
    let mut install = Command::new(here("install.sh"));
    if let Some(libdir) = libdir {
        install.env("LIBDIR", libdir);
    }
    run(install.args(arguments));
}

#[test]
fn it_is_installed_to_odd_places_and_removed() {
    if !has("cc", "the installation") || !has("pkg-config", "the installation") {
        return;
    }
    for name in ["a b", "a&b|c", "it's \"quoted\"", "a\\b#c"] {
        for libdir in [None, Some("lib 64")] {
            let prefix = directory("odd").join(name);
            let libdir = libdir.map(|libdir| prefix.join(libdir));
            install([built().as_os_str(), prefix.as_os_str()], libdir.as_deref());
            let libraries = libdir.clone().unwrap_or(prefix.join("lib"));
            assert!(libraries.join("libhub.a").exists() && libraries.join("libhub.so").exists());
            let mut config = Command::new("pkg-config");
            let config = config.env("PKG_CONFIG_PATH", libraries.join("pkgconfig"));
            let flags = run(config.args(["--cflags", "--libs", "hub"]));
            // As a Makefile does, by the shell.
            let program = directory("odd_program").join("echo");
            let line = format!("cc \"$0\" -o \"$1\" {flags}");
            let mut shell = Command::new("sh");
            let source = here("examples/echo.c");
            run(shell.args(["-c", &line]).arg(&source).arg(&program));
            let mut server = Command::new(&program);
            server.env("LD_LIBRARY_PATH", &libraries);
            talk_to(server, "poll");
            let uninstall = OsStr::new("--uninstall");
            install([uninstall, prefix.as_os_str()], libdir.as_deref());
            for left in [
                prefix.join("include"),
                libraries.clone(),
                libraries.join("pkgconfig"),
            ] {
                let files = fs::read_dir(&left).unwrap();
                let files = files.filter(|entry| entry.as_ref().unwrap().path().is_file());
                assert_eq!(files.count(), 0, "in {left:?}");
            }
        }
    }
}

/// The static library as it is installed: a few megabytes, and no names but those of the header,
/// so that two libraries with Rust in them can be in one program.
#[test]
fn the_static_library_has_no_names_but_its_own() {
    for tool in ["cc", "ld", "objcopy", "ar", "nm"] {
        if !has(tool, "the static library") {
            return;
        }
    }
    let prefix = directory("reduced");
    install([built().as_os_str(), prefix.as_os_str()], None);
    let library = prefix.join("lib/libhub.a");
    let mut nm = Command::new("nm");
    let listed = run(nm.args(["-g", "--defined-only"]).arg(&library));
    let names: Vec<_> = listed
        .lines()
        .filter_map(|line| line.split(" T ").nth(1))
        .collect();
    let others = listed
        .lines()
        .filter(|line| line.len() > 17 && !line.contains(" T hub_"));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    let header = fs::read_to_string(here("include/hub.h")).unwrap();
    assert!(
        names.len() >= 18 && names.iter().all(|name| header.contains(name)),
        "{names:?}"
    );
    let size = fs::metadata(&library).unwrap().len();
    assert!(size < 5_000_000, "{size} bytes");
    let program = prefix.join("echo");
    let source = here("examples/echo.c");
    let include = prefix.join("include");
    cc([
        OsStr::new("-I"),
        include.as_os_str(),
        source.as_os_str(),
        library.as_os_str(),
        OsStr::new("-pthread"),
        OsStr::new("-lm"),
        OsStr::new("-o"),
        program.as_os_str(),
    ]);
    for name in NAMES {
        talk_to(Command::new(&program), name);
    }
}

#[test]
fn the_header_is_c_and_cpp() {
    if !has("cc", "the header in C and C++") {
        return;
    }
    let header = here("include/hub.h");
    for language in ["-std=c99", "-std=gnu11"] {
        let strict = [
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-fsyntax-only",
            "-xc",
            language,
        ];
        run(Command::new("cc").args(strict).arg(&header));
    }
    if has("c++", "the header in C++") {
        let strict = [
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-fsyntax-only",
            "-xc++",
        ];
        run(Command::new("c++").args(strict).arg(&header));
    }
}

/// python3, or what PYTHON says: that of a virtual environment with eventlet, perhaps.
fn interpreter() -> String {
    env::var("PYTHON").unwrap_or("python3".into())
}

/// Python with the library and the examples in reach.
fn python() -> Command {
    let mut python = Command::new(interpreter());
    python.env("HUB_LIBRARY", built().join("libhub.so"));
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python.current_dir(here("examples/python"));
    python
}

#[test]
fn the_program_in_python() {
    if !has(&interpreter(), "the program in Python") {
        return;
    }
    for name in NAMES {
        let said = run(python().args(["echo.py", name]));
        assert!(said.starts_with(&format!("{name}: 1000 words, ")), "{said}");
    }
    let said = Command::output(python().args(["echo.py", "kqueue"])).unwrap();
    assert!(!said.status.success());
    assert!(String::from_utf8_lossy(&said.stderr).contains("no hub 'kqueue'"));
}

#[test]
fn eventlet_on_each_backend() {
    let is_there = |module: &str| {
        let output = python().args(["-c", &format!("import {module}")]).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !has(&interpreter(), "eventlet") || !is_there("eventlet") {
        eprintln!(
            "skipped: eventlet is not installed: pip install eventlet, and PYTHON=its python3"
        );
        return;
    }
    for class in ["Hub", "Epoll", "Poll", "Select", "Polling"] {
        let mut program = python();
        let program = program.env("EVENTLET_HUB", format!("eventlet_hub:{class}"));
        let said = run(program.arg("eventlet_check.py"));
        assert!(said.trim().ends_with("as it should be"), "{class}: {said}");
    }
}
