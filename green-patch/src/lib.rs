//! Unmodified blocking code on green threads.
//!
//! [`monkey_patch`] has the blocking calls of libc park the greenthread that makes them, and let the others of its thread
//! run: those of std, of every crate, and of C libraries. It is what `eventlet.monkey_patch` is in Python.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! green_patch::monkey_patch()?;
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! green::spawn(move || {
//!     let (mut stream, _) = listener.accept().unwrap();
//!     stream.write_all(b"from a greenthread of the same thread").unwrap();
//! });
//! let mut text = String::new();
//! TcpStream::connect(address)?.read_to_string(&mut text)?;
//! assert_eq!(text, "from a greenthread of the same thread");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | for | call |
//! |---|---|
//! | the whole program | [`monkey_patch`], [`monkey_patch_with`] some [`Flags`] |
//! | one closure of one greenthread | [`patched`]; [`original::scope`] for the opposite |
//! | thread-locals of each greenthread's own, and nothing else | [`thread_locals`] |
//! | what is patched | [`is_monkey_patched`] |
//! | an allocator with a heap for each thread | [`HostAlloc`] |
//!
//! The guide `docs/greening.md` describes what each call does, what cannot work and how that shows, what it costs,
//! and how to write a library that runs on threads and on greenthreads.
//!
//! # How
//!
//! The crate defines functions of libc by their own names, so that the linker leads everybody here. Each asks first if it
//! is called by a greenthread that can wait, and is the bare system call if not. Else it tries without waiting, parks until
//! the hub reports the descriptor, and tries again. Descriptors are remembered by number, each with a stamp that every
//! close changes.
//!
//! Nothing unwinds in them: a call that a kill or a deadline cuts short returns `ECANCELED`, and the greenthread or the scope
//! of the deadline says what has come of it.
//!
//! # Features, threads, panics, platforms
//!
//! There are no features and no environment variables. What is patched is patched for all threads of the process;
//! each OS thread has a hub of its own, as in green. Nothing panics: what cannot be patched is a [`PatchError`].
//!
//! Linux with glibc on x86-64 is tested. On aarch64 with glibc it compiles. Everywhere else it compiles, and
//! [`monkey_patch`] says that it cannot.

#[cfg(patchable)]
mod active;
#[cfg(patchable)]
mod allocator;
mod error;
mod flags;
#[cfg(patchable)]
mod futex;
#[cfg(patchable)]
mod hooks;
mod host_alloc;
#[cfg(patchable)]
mod keys;
#[cfg(patchable)]
mod known;
#[cfg(patchable)]
pub mod original;
#[cfg(patchable)]
mod patch;
#[cfg(patchable)]
mod probe;
#[cfg(patchable)]
mod pthread;
#[cfg(patchable)]
mod sys;
#[cfg(patchable)]
mod thread_locals;
#[cfg(not(patchable))]
mod unsupported;
#[cfg(patchable)]
mod wait;

#[cfg(patchable)]
pub use active::patched;
pub use error::PatchError;
pub use flags::Flags;
pub use host_alloc::HostAlloc;
#[cfg(patchable)]
pub use patch::{is_monkey_patched, monkey_patch, monkey_patch_with};
#[cfg(patchable)]
pub use thread_locals::thread_locals;
#[cfg(not(patchable))]
pub use unsupported::{is_monkey_patched, monkey_patch, monkey_patch_with, thread_locals};

/// The examples of the guide.
#[cfg(all(doctest, patchable))]
#[doc = include_str!("../../docs/greening.md")]
struct Guide;

/// The example of the readme.
#[cfg(all(doctest, patchable))]
#[doc = include_str!("../README.md")]
struct Readme;
