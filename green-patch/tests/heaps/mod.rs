//! How much memory a program takes whose allocator has a heap for each thread.

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

/// Ends the test if a greenthread takes as many pages as with a heap of its own, or if memory grows with the number of
/// those that there were.
pub(crate) fn memory_does_not_grow(most_pages: usize) {
    green_patch::monkey_patch().unwrap();
    run(10_000);
    let before = pages();
    assert!(
        before < most_pages * ALIVE,
        "{before} pages for {ALIVE} greenthreads"
    );
    run(100_000);
    let grown = pages().saturating_sub(before);
    // A page for one of twenty that there were; an allocator keeps some for a while.
    assert!(grown < 5 * ALIVE, "{grown} pages more");
}
