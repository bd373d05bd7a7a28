//! Which allocator has been linked.

use crate::sys::linked;

/// The name of one that keeps a heap for each thread in thread-locals, if there is one.
pub(crate) fn with_heaps() -> Option<&'static str> {
    let known = [
        ("mimalloc", linked!("mi_malloc") != 0),
        (
            "jemalloc",
            linked!("_rjem_mallctl") != 0 || linked!("mallctl") != 0,
        ),
        ("snmalloc", linked!("sn_rust_alloc") != 0),
        ("tcmalloc", linked!("tc_malloc") != 0),
    ];
    known
        .into_iter()
        .find_map(|(name, is_there)| is_there.then_some(name))
}
