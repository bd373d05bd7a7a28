//! The names of libc that are ours, by what they do.
//!
//! Each asks first [whether it is green](crate::active::is_green), and is the bare system call if it is not. In none of
//! them anything may unwind: those who call them have been promised that.

mod accept;
mod checked;
mod close;
mod connect;
mod epoll;
mod fifo;
mod file;
mod given;
mod lock;
mod many;
mod mode;
mod names;
mod own_loop;
mod poll;
mod process;
mod receive;
mod select;
mod send;
mod sleep;
mod socket;
mod splice;
mod table;

pub(crate) use close::ends;
pub(crate) use given::{after, before};
pub(crate) use sleep::nanosleep;
pub(crate) use table::{Hook, hooks};
