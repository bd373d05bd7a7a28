use std::mem::MaybeUninit;

use crate::event::HubEvent;

/// Where a caller wants its reports, and how many.
pub(crate) struct Output<'a> {
    slots: std::slice::IterMut<'a, MaybeUninit<HubEvent>>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(slots: &'a mut [MaybeUninit<HubEvent>]) -> Output<'a> {
        Output {
            slots: slots.iter_mut(),
        }
    }

    /// How many reports fit still.
    pub(crate) fn left(&self) -> usize {
        self.slots.len()
    }

    /// Writes a report, unless it says nothing. Says how many it has written.
    pub(crate) fn write(&mut self, event: HubEvent) -> usize {
        if event.ready == 0 {
            return 0;
        }
        match self.slots.next() {
            Some(slot) => slot.write(event),
            None => return 0,
        };
        1
    }
}
