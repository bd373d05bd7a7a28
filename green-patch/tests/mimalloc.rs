//! mimalloc, which keeps a heap for each thread: behind [`HostAlloc`] greenthreads have none.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod heaps;

use green_patch::HostAlloc;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: HostAlloc<MiMalloc> = HostAlloc::new(MiMalloc);

#[test]
fn memory_does_not_grow_with_the_number_of_greenthreads() {
    // Stacks, thread-locals and what they allocate are seven for each; with a heap for each it is fifteen.
    heaps::memory_does_not_grow(11);
}
