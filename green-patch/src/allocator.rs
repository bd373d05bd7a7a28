//! Which allocator has been linked.

use std::arch::naked_asm;

/// True if the program has a symbol of this name: null unless something else has linked it.
macro_rules! is_linked {
    ($symbol:literal) => {{
        #[unsafe(naked)]
        extern "C" fn address() -> usize {
            #[cfg(target_arch = "x86_64")]
            naked_asm!(
                concat!(".weak ", $symbol),
                concat!("mov rax, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
                "ret",
            );
            #[cfg(target_arch = "aarch64")]
            naked_asm!(
                concat!(".weak ", $symbol),
                concat!("adrp x0, :got:", $symbol),
                concat!("ldr x0, [x0, :got_lo12:", $symbol, "]"),
                "ret",
            );
        }
        address() != 0
    }};
}

/// The name of one that keeps a heap for each thread in thread-locals, if there is one.
pub(crate) fn with_heaps() -> Option<&'static str> {
    let known = [
        ("mimalloc", is_linked!("mi_malloc")),
        (
            "jemalloc",
            is_linked!("_rjem_mallctl") || is_linked!("mallctl"),
        ),
        ("snmalloc", is_linked!("sn_rust_alloc")),
        ("tcmalloc", is_linked!("tc_malloc")),
    ];
    known
        .into_iter()
        .find_map(|(name, is_there)| is_there.then_some(name))
}
