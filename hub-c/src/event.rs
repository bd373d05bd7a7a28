//! Interests and reports, as they pass between C and the library

use std::ffi::c_int;

use hub_core::{Interest, Ready, Trigger};

use crate::errno::{Errno, Result};

/// One report: this descriptor is ready like this.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubEvent {
    /// The number it was added with.
    pub fd: i32,
    /// A set of HUB_READ, HUB_WRITE, HUB_HUP, HUB_ERR, HUB_RDHUP and HUB_PRI, or HUB_NVAL alone.
    pub ready: u32,
    /// What it was added with, or 0.
    pub data: u64,
}

/// Interest, or report: a read makes progress.
pub const HUB_READ: u32 = 1;
/// Interest, or report: a write makes progress.
pub const HUB_WRITE: u32 = 2;
/// Report: both halves of the stream are closed, or the other end of a pipe is. It comes unasked,
/// along with the directions that are asked for: the next read or write finds it.
pub const HUB_HUP: u32 = 4;
/// Report: an error is pending. It comes as HUB_HUP does.
pub const HUB_ERR: u32 = 8;
/// Report: the descriptor was closed without hub_remove. It comes once, or not at all.
pub const HUB_NVAL: u32 = 16;
/// With HUB_READ, which it comes with: show that the peer has shut down its writing half. Never
/// shown where the system does not tell.
pub const HUB_RDHUP: u32 = 32;
/// With HUB_READ, which it comes with: show that urgent data is there.
pub const HUB_PRI: u32 = 64;
/// Part of an interest: report it once, and be silent until the next hub_modify. A report of one
/// direction leaves the other.
pub const HUB_ONESHOT: u32 = 256;
/// Part of an interest: report it when it becomes ready, and perhaps at other times. The caller
/// goes on until a call says EAGAIN, and then calls hub_modify to hear of it again, which costs a
/// system call on some backends only.
pub const HUB_EDGE: u32 = 512;

/// An interest as C says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) interest: Interest,
    pub(crate) trigger: Trigger,
    /// The details that are to be shown.
    pub(crate) shown: u32,
}

impl Wanted {
    /// # Errors
    /// EINVAL for what is no interest.
    pub(crate) fn from_bits(bits: u32) -> Result<Wanted> {
        let shown = bits & (HUB_RDHUP | HUB_PRI);
        let trigger = match bits & (HUB_ONESHOT | HUB_EDGE) {
            0 => Trigger::Level,
            HUB_ONESHOT => Trigger::Oneshot,
            HUB_EDGE => Trigger::Edge,
            _ => return Err(Errno(libc::EINVAL)),
        };
        let interest = match bits & !(shown | HUB_ONESHOT | HUB_EDGE) {
            0 => Interest::NONE,
            HUB_READ => Interest::READ,
            HUB_WRITE => Interest::WRITE,
            3 => Interest::BOTH,
            _ => return Err(Errno(libc::EINVAL)),
        };
        if shown != 0 && bits & HUB_READ == 0 {
            return Err(Errno(libc::EINVAL));
        }
        Ok(Wanted {
            interest,
            trigger,
            shown,
        })
    }

    /// What C is told of this; nothing if it was not asked for.
    ///
    /// Of a hang-up or an error the system says nothing about directions; here it also makes the
    /// directions ready that are asked for, since their next system call finds it.
    pub(crate) fn answer(self, ready: Ready) -> u32 {
        if ready.has(Ready::NVAL) {
            return HUB_NVAL;
        }
        let answered = Ready::from(Interest::answered_by(ready));
        let directions = Ready::from(self.interest).bits() & answered.bits();
        let always = (HUB_HUP | HUB_ERR) | self.shown;
        u32::from(directions) | u32::from(ready.bits()) & always
    }
}

/// The version of a library: the numbers of its name, eight bits for each.
pub(crate) fn version() -> c_int {
    let part = |text: &str| text.parse::<c_int>().unwrap_or(0);
    part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | part(env!("CARGO_PKG_VERSION_PATCH"))
}
