//! greenlet: typed symmetric switches with parents and death, on its own assembly or on the context crate.

use std::cell::RefCell;
use std::rc::Rc;

use greenlet::{AnyGreenlet, Greenlet, SwitchError};

use crate::figure::Run;
use crate::harness::{BATCH, per_operation};

pub const NAME: &str = if cfg!(feature = "context") {
    "greenlet (feature context)"
} else {
    "greenlet"
};

pub const RUNS: &[(&str, Run)] = &[("round-trip", round_trip), ("ring", ring), ("make", make)];

fn round_trip() -> Vec<f64> {
    let main = greenlet::current();
    let echo = Greenlet::new(move |mut value: usize| -> Result<(), SwitchError> {
        loop {
            value = main.switch(value + 1)?;
        }
    });
    per_operation(|count| {
        for value in 0..count {
            assert_eq!(echo.switch_as(value), Ok(value + 1));
        }
    })
}

fn ring() -> Vec<f64> {
    let members: Rc<RefCell<Vec<AnyGreenlet>>> = Rc::default();
    members.borrow_mut().push(greenlet::current());
    for own in 1..BATCH {
        let members_of = members.clone();
        let member = move |mut lap: usize| -> Result<(), SwitchError> {
            let next = members_of.borrow()[(own + 1) % BATCH].clone();
            loop {
                lap = next.switch(lap)?;
            }
        };
        members.borrow_mut().push(Greenlet::new(member).into());
    }
    let next = members.borrow()[1].clone();
    let values = per_operation(|count| {
        for lap in 0..count / BATCH {
            assert_eq!(next.switch(lap), Ok(lap));
        }
    });
    // The members hold one another.
    members.borrow_mut().clear();
    values
}

fn make() -> Vec<f64> {
    per_operation(|count| {
        for value in 0..count {
            assert_eq!(
                Greenlet::new(|value: usize| value + 1).switch(value),
                Ok(value + 1)
            );
        }
    })
}
