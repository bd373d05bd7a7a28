//! The symbol table of a built program: every name of libc that is patched is there, defined, and exported, so that C
//! libraries are led to it as well.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What programs and C libraries call.
const NAMES: &str = "recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg read write readv writev close close_range \
    closefrom dup dup2 dup3 shutdown fcntl fcntl64 ioctl setsockopt socket socketpair pipe pipe2 accept accept4 connect poll \
    ppoll select pselect epoll_wait epoll_pwait epoll_pwait2 nanosleep clock_nanosleep usleep sleep sendfile sendfile64 \
    splice getaddrinfo getnameinfo gethostbyname gethostbyname2 gethostbyaddr wait wait3 wait4 waitpid waitid __read_chk \
    __recv_chk __recvfrom_chk __poll_chk __ppoll_chk __poll __select open open64 openat openat64 creat creat64 epoll_create \
    epoll_create1 eventfd timerfd_create signalfd inotify_init inotify_init1 memfd_create fclose \
    __open_2 __open64_2 __openat_2 __openat64_2 flock lockf lockf64 system pclose";

/// Those for threads.
const THREADS: &str = "syscall sched_yield fork pthread_create pthread_join pthread_mutex_lock pthread_cond_wait \
    pthread_rwlock_rdlock sem_wait pthread_barrier_init pthread_barrier_destroy pthread_barrier_wait pthread_key_create __cxa_thread_atexit_impl \
    mtx_lock mtx_timedlock mtx_unlock cnd_wait cnd_timedwait cnd_signal cnd_broadcast call_once thrd_create thrd_join thrd_sleep \
    thrd_yield tss_create tss_delete tss_set";

/// A number of so many bytes at this place, lowest first.
fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    let digits = bytes[at..at + len].iter().rev();
    digits.fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The names that an ELF of 64 bits defines for others.
fn exported(program: &[u8]) -> HashSet<String> {
    const DYNAMIC_SYMBOLS: usize = 11;
    let (at, size, count) = (
        number(program, 0x28, 8),
        number(program, 0x3a, 2),
        number(program, 0x3c, 2),
    );
    let section = |index: usize| &program[at + index * size..at + (index + 1) * size];
    let within = |section: &[u8]| {
        let (from, len) = (number(section, 0x18, 8), number(section, 0x20, 8));
        &program[from..from + len]
    };
    let table = (0..count)
        .map(section)
        .find(|section| number(section, 4, 4) == DYNAMIC_SYMBOLS);
    let table = table.expect("a program that is linked dynamically");
    let names = within(section(number(table, 0x28, 4)));
    let defined = within(table)
        .chunks(24)
        .filter(|symbol| number(symbol, 6, 2) != 0);
    let name = |symbol: &[u8]| {
        let name = &names[number(symbol, 0, 4)..];
        let end = name.iter().position(|byte| *byte == 0).unwrap();
        String::from_utf8_lossy(&name[..end]).into_owned()
    };
    defined.map(name).collect()
}

/// Those of the names that the program does not export.
fn lost(program: &Path) -> Vec<&'static str> {
    let exported = exported(&fs::read(program).unwrap());
    assert!(!exported.contains("malloc"));
    let all = NAMES.split_whitespace().chain(THREADS.split_whitespace());
    all.filter(|name| !exported.contains(*name)).collect()
}

#[test]
fn every_name_is_defined_and_exported() {
    green_patch::monkey_patch().unwrap();
    assert_eq!(lost(&std::env::current_exe().unwrap()), [""; 0]);
    for name in NAMES.split_whitespace() {
        assert!(green_patch::is_monkey_patched(name), "{name}");
    }
}

/// What a program is shipped as: without the symbols that only debuggers want.
#[test]
fn a_program_that_was_stripped_has_them_too_and_runs() {
    let program = std::env::current_exe().unwrap();
    let stripped = program.with_extension(format!("stripped-{}", std::process::id()));
    let done = Command::new("strip")
        .arg("-o")
        .args([&stripped, &program])
        .status();
    if !done.is_ok_and(|status| status.success()) {
        return eprintln!("left out: there is no strip");
    }
    let lost = lost(&stripped);
    let mut run = Command::new(&stripped);
    let output = run.args(["--exact", "every_name_is_defined_and_exported"]);
    let output = output.output();
    fs::remove_file(&stripped).unwrap();
    assert_eq!(lost, [""; 0]);
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
