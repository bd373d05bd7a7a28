//! A pool of connections under random users, kills, timeouts and failures: nobody gets one that is not whole, there are
//! never more in use than may be, who asks first is served first, and at the end nothing is missing.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use green::pools::{CheckoutError, ConnectionPool, Driver};
use green::{GreenThread, Timeout};
use proptest::prelude::*;

use crate::cases;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What one user does with a connection.
#[derive(Clone, Copy, Debug)]
struct User {
    /// For how long it waits for a connection.
    patience: Option<u64>,
    /// How long its query takes, and how long it may take.
    query: u64,
    limit: Option<u64>,
    /// True if the scope of that limit is around the query alone.
    catches: bool,
    panics: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Spawn(User),
    Kill(usize),
    Advance(u64),
    Clear,
    /// The next so many calls of the driver fail.
    Fail(u8),
    /// Each call of the driver takes so long from now on.
    Delay(u64),
}

fn user() -> impl Strategy<Value = User> {
    let times = || prop_oneof![Just(None), (0..8_u64).prop_map(Some)];
    (times(), 0..8_u64, times(), any::<bool>(), 0..8_u8).prop_map(
        |(patience, query, limit, catches, luck)| User {
            patience,
            query,
            limit,
            catches,
            panics: luck == 0,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => user().prop_map(Step::Spawn),
        4 => any::<usize>().prop_map(Step::Kill),
        4 => (0..6_u64).prop_map(Step::Advance),
        1 => Just(Step::Clear),
        1 => (0..4_u8).prop_map(Step::Fail),
        1 => (0..4_u64).prop_map(Step::Delay),
    ]
}

#[derive(Default)]
struct World {
    failures: Cell<u8>,
    delay: Cell<u64>,
    /// Connections that exist, closed ones not counted.
    open: Cell<usize>,
    in_use: Cell<usize>,
}

impl World {
    fn answer(&self) -> Result<(), Failed> {
        if self.delay.get() > 0 {
            green::sleep(millis(self.delay.get()));
        }
        match self.failures.get().checked_sub(1) {
            Some(left) => {
                self.failures.set(left);
                Err(Failed)
            }
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed")
    }
}

impl std::error::Error for Failed {}

/// Half done after each wait that was cut short, by its user or by the driver.
struct Line {
    world: Rc<World>,
    busy: bool,
    dirty: bool,
}

impl Line {
    fn ask<T>(&mut self, f: impl FnOnce(&mut Line) -> T) -> T {
        assert!(!self.busy, "in the middle of something");
        self.busy = true;
        let answer = f(self);
        self.busy = false;
        answer
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.world.open.set(self.world.open.get() - 1);
    }
}

struct Lines(Rc<World>);

impl Driver for Lines {
    type Connection = Line;
    type Error = Failed;

    fn connect(&self) -> Result<Line, Failed> {
        self.0.answer()?;
        self.0.open.set(self.0.open.get() + 1);
        Ok(Line {
            world: Rc::clone(&self.0),
            busy: false,
            dirty: false,
        })
    }

    fn reset(&self, line: &mut Line) -> Result<(), Failed> {
        line.ask(|line| {
            self.0.answer()?;
            line.dirty = false;
            Ok(())
        })
    }

    fn check(&self, line: &mut Line) -> Result<(), Failed> {
        assert!(!line.dirty, "an idle one in a transaction");
        line.ask(|_| self.0.answer())
    }
}

/// Counts a user of a connection, for as long as it has one.
struct InUse<'a>(&'a World);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.in_use.set(self.0.in_use.get() - 1);
    }
}

/// One user from its question to its end.
fn run(user: User, pool: &ConnectionPool<Lines>, world: &World, max: usize) {
    let got = match user.patience {
        Some(patience) => pool.get_timeout(millis(patience)),
        None => pool.get(),
    };
    let mut line = match got {
        Ok(line) => line,
        Err(CheckoutError::Driver(Failed) | CheckoutError::ConnectTimeout(_)) => return,
        Err(error) => {
            assert!(matches!(error, CheckoutError::Exhausted(_)), "{error}");
            assert!(user.patience.is_some());
            return;
        }
    };
    world.in_use.set(world.in_use.get() + 1);
    let _counted = InUse(world);
    assert!(world.in_use.get() <= max, "more than there may be");
    assert!(!line.busy && !line.dirty, "not whole");
    line.dirty = true;
    let limit = Timeout::new(user.limit.map(millis));
    let query = |line: &mut Line| {
        line.ask(|_| {
            green::sleep(millis(user.query));
            assert!(!user.panics, "on purpose");
        });
    };
    if user.catches {
        let _ = limit.run(|| query(&mut line));
    } else {
        let _ = limit.run(move || {
            let mut line = line;
            query(&mut line);
        });
    }
}

fn play(max: usize, check_after: Option<u64>, script: &[Step]) {
    let world = Rc::new(World::default());
    let pool = ConnectionPool::builder()
        .max(max)
        .max_idle(millis(20))
        .max_age(millis(50))
        .check_after(check_after.map(millis))
        .connect_timeout(millis(2))
        .connect(Lines(Rc::clone(&world)))
        .unwrap();
    let mut users: Vec<GreenThread<()>> = Vec::new();
    for &step in script {
        match step {
            Step::Spawn(user) => {
                let (pool, world) = (pool.clone(), Rc::clone(&world));
                users.push(green::spawn(move || run(user, &pool, &world, max)));
            }
            Step::Kill(number) => {
                if let Some(at) = number.checked_rem(users.len()) {
                    users[at].kill();
                }
            }
            Step::Advance(time) => green::sleep(millis(time)),
            Step::Clear => pool.clear(),
            Step::Fail(times) => world.failures.set(times),
            Step::Delay(time) => world.delay.set(time),
        }
        assert!(pool.free() <= isize::try_from(max).unwrap());
    }
    world.delay.set(0);
    world.failures.set(0);
    for user in users {
        drop(user.join());
    }
    assert_eq!((pool.waiting(), world.in_use.get()), (0, 0));
    assert_eq!(pool.free(), isize::try_from(max).unwrap(), "a lost place");
    green::sleep(millis(1));
    // One that has just become too old is on its way out.
    crate::common::settle();
    assert_eq!(world.open.get(), pool.idle(), "neither idle nor closed");
    // All can be had at once.
    let all: Vec<_> = (0..max).map(|_| pool.get().unwrap()).collect();
    assert!(all.iter().all(|line| !line.busy && !line.dirty));
    drop(all);
    green::sleep(millis(60));
    assert_eq!((pool.idle(), world.open.get()), (0, 0), "too old");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(512)))]

    #[test]
    fn nobody_gets_a_connection_that_is_not_whole(
        max in 1..4_usize,
        check_after in prop_oneof![Just(None), Just(Some(0)), Just(Some(3))],
        seed in any::<u64>(),
        script in prop::collection::vec(step(), 0..60),
    ) {
        green::sim::run(seed, || play(max, check_after, &script));
    }
}

/// Users that wait are served in the order in which they asked, whatever becomes of some of them.
#[test]
fn first_come_first_served() {
    struct Ready;
    impl Driver for Ready {
        type Connection = ();
        type Error = Infallible;
        fn connect(&self) -> Result<(), Infallible> {
            Ok(())
        }
        fn reset(&self, (): &mut ()) -> Result<(), Infallible> {
            green::yield_now();
            Ok(())
        }
        fn check(&self, (): &mut ()) -> Result<(), Infallible> {
            Ok(())
        }
    }
    let pool = ConnectionPool::builder().max(2).connect(Ready).unwrap();
    let served = Rc::new(RefCell::new(Vec::new()));
    let users: Vec<_> = (0..40)
        .map(|number| {
            let (pool, served) = (pool.clone(), Rc::clone(&served));
            green::spawn(move || {
                let _connection = pool.get().unwrap();
                served.borrow_mut().push(number);
                green::sleep(millis(number % 3));
            })
        })
        .collect();
    green::yield_now();
    for (number, user) in users.iter().enumerate() {
        if number % 5 == 3 {
            user.kill();
        }
    }
    users.into_iter().for_each(|user| drop(user.join()));
    assert!(served.borrow().is_sorted(), "{served:?}");
    assert!(served.borrow().len() >= 32);
}

/// The last user ends at the moment at which an idle connection becomes too old.
#[test]
fn one_grows_old_at_the_end() {
    let user = |query, panics| {
        Step::Spawn(User {
            patience: None,
            query,
            limit: None,
            catches: false,
            panics,
        })
    };
    let script = [
        Step::Advance(0),
        user(0, true),
        user(1, false),
        Step::Advance(0),
        Step::Kill(5146124314040258282),
        user(0, false),
        user(2, false),
        user(1, false),
        Step::Advance(5),
        Step::Advance(2),
        Step::Advance(5),
        Step::Advance(2),
        user(6, true),
        Step::Kill(95844),
    ];
    green::sim::run(5093196607857485452, || play(3, None, &script));
}
