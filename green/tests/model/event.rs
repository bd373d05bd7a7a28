//! Events against a model: every waiter gets what was sent in its round, in order.

use std::time::Duration;

use crate::engine::{Model, Ready, Subject, compare, scripts};
use green::Event;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direct {
    Send(u8),
    SendException(u8),
    Reset,
    Poll,
}

/// What was sent, errors as their text; `None` is a timeout, or a call that failed.
pub(crate) type Out = Option<Result<u8, String>>;

impl Subject for Event<u8> {
    type Call = Wait;
    type Direct = Direct;
    type Out = Out;
    type Facts = (bool, bool, bool);

    fn call(&self, _: Wait, timeout: Option<Duration>) -> Out {
        let out = match timeout {
            Some(timeout) => self.wait_timeout(timeout),
            None => Some(self.wait()),
        };
        out.map(|out| out.map_err(|error| error.to_string()))
    }

    fn direct(&self, direct: Direct) -> Out {
        let done = match direct {
            Direct::Send(value) => self.send(value).is_ok(),
            Direct::SendException(value) => self.send_exception(value.to_string()).is_ok(),
            Direct::Reset => self.reset().is_ok(),
            Direct::Poll => {
                return self
                    .poll()
                    .map(|out| out.map_err(|error| error.to_string()));
            }
        };
        done.then_some(Ok(0))
    }

    fn facts(&self) -> (bool, bool, bool) {
        (self.ready(), self.has_result(), self.has_exception())
    }
}

#[derive(Default)]
struct Ideal {
    sent: Out,
    waiting: Vec<usize>,
    served: Vec<(usize, Out)>,
}

impl Ideal {
    fn send(&mut self, what: Result<u8, String>, ready: &mut Ready) -> bool {
        let first = self.sent.is_none();
        if first {
            self.sent = Some(what);
            for actor in self.waiting.drain(..) {
                ready.push_back(actor);
                self.served.push((actor, self.sent.clone()));
            }
        }
        first
    }
}

impl Model<Event<u8>> for Ideal {
    fn start(&mut self, actor: usize, _: Wait, _: &mut Ready) -> Option<Out> {
        if self.sent.is_none() {
            self.waiting.push(actor);
            return None;
        }
        Some(self.sent.clone())
    }

    fn resume(&mut self, actor: usize, _: &mut Ready) -> Option<Out> {
        let served = self.served.iter().find(|(other, _)| *other == actor);
        served.map(|(_, out)| out.clone())
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> Out {
        self.waiting.retain(|&other| other != actor);
        None
    }

    fn kill(&mut self, actor: usize, _: &mut Ready) {
        self.waiting.retain(|&other| other != actor);
    }

    fn direct(&mut self, direct: Direct, ready: &mut Ready) -> Out {
        let done = match direct {
            Direct::Send(value) => self.send(Ok(value), ready),
            Direct::SendException(value) => self.send(Err(value.to_string()), ready),
            Direct::Reset => self.sent.take().is_some(),
            Direct::Poll => return self.sent.clone(),
        };
        done.then_some(Ok(0))
    }

    fn facts(&self) -> (bool, bool, bool) {
        let has_result = matches!(self.sent, Some(Ok(_)));
        (
            self.sent.is_some(),
            has_result,
            self.sent.is_some() && !has_result,
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_event_does_as_its_model(
        script in scripts(
            Just(Wait),
            prop_oneof![
                1 => any::<u8>().prop_map(Direct::Send),
                1 => any::<u8>().prop_map(Direct::SendException),
                2 => Just(Direct::Reset),
                1 => Just(Direct::Poll),
            ],
            60,
        ),
    ) {
        compare(Event::new, Ideal::default(), &script);
    }
}
