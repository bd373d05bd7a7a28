//! What comes on a connection.

use hyper::rt::ReadBufCursor;

use crate::guard::{Guard, Refusal};
use crate::wire::{Notes, READ, Rules};

pub(crate) struct Input {
    pub(crate) guard: Guard,
    /// What has come and was not handed on, from `start` on.
    pub(crate) bytes: Vec<u8>,
    pub(crate) start: usize,
    /// How much of it the guard lets through.
    pub(crate) passed: usize,
    /// True if it is a head that the guard lets through, none of which was handed on.
    pub(crate) head: bool,
    /// True once the bytes are no messages of HTTP/1.
    pub(crate) opaque: bool,
    pub(crate) ended: bool,
    /// True once there was a request.
    pub(crate) begun: bool,
}

impl Input {
    pub(crate) fn new() -> Input {
        Input {
            guard: Guard::new(),
            bytes: Vec::new(),
            start: 0,
            passed: 0,
            head: false,
            opaque: false,
            ended: false,
            begun: false,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            // An idle connection keeps next to nothing.
            self.bytes.shrink_to(1024);
        } else if self.start > READ {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
        if self.opaque {
            self.passed = self.bytes.len() - self.start;
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.start == self.bytes.len()
            && self.passed == 0
            && (self.opaque || self.guard.is_between())
    }

    /// Hands on what the guard has let through.
    pub(crate) fn hand_on(&mut self, buf: &mut ReadBufCursor<'_>, rules: &Rules, notes: &Notes) {
        let bytes = &self.bytes[self.start..self.start + self.passed];
        self.begun = true;
        if std::mem::take(&mut self.head) {
            notes.underscore.set(self.guard.head.underscore);
            notes.expects.set(self.guard.head.expects);
            if rules.keep_raw {
                *notes.raw.borrow_mut() = Some(bytes.into());
            }
        }
        let len = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..len]);
        self.start += len;
        self.passed -= len;
    }

    /// Asks the guard how much of what has come may go on, if nothing may as yet.
    #[inline]
    pub(crate) fn check(&mut self, rules: &Rules) -> Result<(), Refusal> {
        match self.passed == 0 && self.start < self.bytes.len() {
            true => self.check_more(rules),
            false => Ok(()),
        }
    }

    #[inline(never)]
    fn check_more(&mut self, rules: &Rules) -> Result<(), Refusal> {
        while self.passed == 0 && self.start < self.bytes.len() && !self.opaque {
            let passed = self.guard.check(&self.bytes[self.start..], &rules.limits)?;
            self.start += passed.skip;
            self.passed = passed.pass;
            self.head = passed.head;
            if passed.skip == 0 {
                break;
            }
        }
        Ok(())
    }
}
