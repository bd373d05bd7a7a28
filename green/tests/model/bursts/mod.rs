//! Bursts of waits that are served while some of those who wait are killed or run out of time: of everything that
//! waits, and nothing is left behind.

mod burst;
mod io;
mod pools;
mod primitives;
