//! An allocator with a heap for each thread sees OS threads alone.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use green_patch::HostAlloc;

/// Makes a heap for each thread that it sees: here, counts them.
struct Heaps;

static HEAPS: AtomicUsize = AtomicUsize::new(0);

thread_local!(static HAS_HEAP: Cell<bool> = const { Cell::new(false) });

impl Heaps {
    fn look(&self) {
        if !HAS_HEAP.replace(true) {
            HEAPS.fetch_add(1, SeqCst);
        }
    }
}

// SAFETY: the system's own answers.
unsafe impl GlobalAlloc for Heaps {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.look();
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.look();
        // SAFETY: passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: HostAlloc<Heaps> = HostAlloc::new(Heaps);

#[test]
fn greenthreads_share_the_heap_of_their_thread() {
    green_patch::thread_locals().unwrap();
    drop(green::spawn(|| ()).join());
    let before = HEAPS.load(SeqCst);
    let gts: Vec<_> = (0..100u8)
        .map(|n| {
            green::spawn(move || {
                let mut bytes = vec![n; 100];
                green::yield_now();
                bytes.resize(10_000, n);
                green::yield_now();
                // The allocator's own thread-local is not this greenthread's.
                assert!(!HAS_HEAP.get());
                bytes
            })
        })
        .collect();
    for (gt, n) in gts.into_iter().zip(0..) {
        let bytes = gt.join().unwrap();
        assert!(bytes.len() == 10_000 && bytes.iter().all(|byte| *byte == n));
    }
    assert_eq!(HEAPS.load(SeqCst), before);
}
