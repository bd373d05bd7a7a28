//! mimalloc, which keeps a heap for each thread: behind [`HostAlloc`] greenthreads have none.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use green_patch::HostAlloc;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: HostAlloc<MiMalloc> = HostAlloc::new(MiMalloc);

/// Greenthreads that live at once.
const ALIVE: usize = 1000;

/// Pages of this process that are in memory.
fn pages() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Greenthreads that allocate, live over a wait, and end.
fn run(many: usize) {
    for _ in 0..many / ALIVE {
        let gts: Vec<_> = (0..ALIVE)
            .map(|n| {
                green::spawn(move || {
                    let mut bytes = vec![1u8; 100 + n % 100];
                    green::yield_now();
                    bytes.resize(2000, 1);
                    bytes.len()
                })
            })
            .collect();
        for gt in gts {
            assert_eq!(gt.join().unwrap(), 2000);
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_greenthreads() {
    green_patch::monkey_patch().unwrap();
    run(10_000);
    let before = pages();
    // Stacks, thread-locals and what they allocate are seven for each; with a heap for each it is fifteen.
    assert!(
        before < 11 * ALIVE,
        "{before} pages for {ALIVE} greenthreads"
    );
    run(100_000);
    let grown = pages().saturating_sub(before);
    assert!(grown < ALIVE, "{grown} pages more");
}
