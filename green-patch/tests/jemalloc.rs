//! jemalloc, which keeps a heap for each thread: behind [`HostAlloc`] greenthreads have none.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod heaps;

use green_patch::HostAlloc;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: HostAlloc<Jemalloc> = HostAlloc::new(Jemalloc);

#[test]
fn memory_does_not_grow_with_the_number_of_greenthreads() {
    // It is thirteen for each; with a heap for each it is twenty-four.
    heaps::memory_does_not_grow(18);
}
