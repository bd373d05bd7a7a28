use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use hub_core::{Interest, Ready};

use crate::abi::HubEvent;

/// Where a caller wants its reports, and how many.
pub(crate) struct Room<'a> {
    slots: std::slice::IterMut<'a, MaybeUninit<HubEvent>>,
}

impl<'a> Room<'a> {
    pub(crate) fn new(slots: &'a mut [MaybeUninit<HubEvent>]) -> Room<'a> {
        Room {
            slots: slots.iter_mut(),
        }
    }

    /// How many reports fit still.
    pub(crate) fn left(&self) -> usize {
        self.slots.len()
    }

    /// Writes a report, unless nothing of it was asked for. Says how many it has written.
    ///
    /// Of a hang-up or an error the system says nothing about directions; here it also makes the
    /// directions ready that are asked for, since their next system call finds it.
    pub(crate) fn tell(&mut self, fd: RawFd, ready: Ready, interest: Interest) -> usize {
        let answered = Interest::answered_by(ready);
        let mut told = Ready::from(interest).bits() & Ready::from(answered).bits();
        if ready.has(Ready::NVAL) {
            told = Ready::NVAL.bits();
        } else {
            told |= ready.bits() & (Ready::HUP | Ready::ERR).bits();
        }
        if told == 0 {
            return 0;
        }
        let ready = u32::from(told);
        match self.slots.next() {
            Some(slot) => slot.write(HubEvent { fd, ready }),
            None => return 0,
        };
        1
    }
}
