//! Greenlets with thread-locals of their own.
#![cfg(feature = "thread-locals")]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{Builder, Greenlet, main_greenlet, thread_locals};

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
    static NAMES: RefCell<Vec<String>> = RefCell::new(vec!["first".to_string()]);
}

fn own<In: 'static, Out: 'static>(body: impl FnOnce(In) -> Out + 'static) -> Greenlet<In, Out> {
    Builder::new().own_thread_locals(true).build(body).unwrap()
}

fn wait() {
    main_greenlet().switch::<(), ()>(()).unwrap();
}

#[test]
fn can_be_had_here() {
    thread_locals::check().unwrap();
}

#[test]
fn each_greenlet_has_its_own() {
    NUMBER.set(1);
    NAMES.with_borrow_mut(|names| names.push("main".to_string()));
    let gs: Vec<_> = (10..20)
        .map(|i| {
            own(move |()| {
                assert_eq!(NUMBER.replace(i), 0);
                NAMES.with_borrow_mut(|names| names.push(i.to_string()));
                wait();
                assert_eq!(NUMBER.get(), i);
                NAMES.with_borrow(|names| names.join(" "))
            })
        })
        .collect();
    for g in &gs {
        assert!(g.as_any().switch::<(), ()>(()).is_ok());
        assert_eq!(NUMBER.get(), 1);
    }
    for (g, i) in gs.iter().zip(10..) {
        assert_eq!(g.switch(()), Ok(format!("first {i}")));
    }
    assert_eq!(NAMES.with_borrow(|names| names.join(" ")), "first main");
}

/// Says when it is dropped; may wait then.
struct Tell {
    what: &'static str,
    waits: bool,
    log: Rc<RefCell<Vec<&'static str>>>,
}

impl Drop for Tell {
    fn drop(&mut self) {
        if self.waits {
            self.log.borrow_mut().push("waits");
            wait();
        }
        self.log.borrow_mut().push(self.what);
    }
}

thread_local! {
    static FIRST: RefCell<Option<Tell>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<Tell>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<Tell>> = const { RefCell::new(None) };
}

/// Fills the two thread-locals of the running greenlet.
fn fill(log: &Rc<RefCell<Vec<&'static str>>>, waits: bool) {
    for (cell, what) in [(&FIRST, "first"), (&SECOND, "second")] {
        let log = Rc::clone(log);
        cell.set(Some(Tell { what, waits, log }));
    }
}

#[test]
fn destructors_run_at_the_end_the_last_first() {
    let log = Rc::default();
    let in_greenlet = Rc::clone(&log);
    let g = own(move |()| {
        fill(&in_greenlet, false);
        in_greenlet.borrow_mut().push("body");
    });
    g.switch(()).unwrap();
    assert_eq!(*log.borrow(), ["body", "second", "first"]);
    assert!(FIRST.with_borrow(Option::is_none));
}

#[test]
fn destructors_may_switch() {
    let log = Rc::default();
    let in_greenlet = Rc::clone(&log);
    let g = own(move |()| fill(&in_greenlet, true));
    g.switch(()).unwrap();
    assert_eq!(*log.borrow(), ["waits"]);
    g.switch(()).unwrap();
    assert_eq!(*log.borrow(), ["waits", "second", "waits"]);
    g.switch(()).unwrap();
    assert_eq!(log.borrow().len(), 4);
    assert!(g.is_dead());
}

#[test]
fn a_destructor_may_use_what_has_no_value_yet() {
    struct Uses(Rc<RefCell<Vec<&'static str>>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            let (what, log) = ("late", Rc::clone(&self.0));
            LATE.set(Some(Tell {
                what,
                waits: false,
                log,
            }));
        }
    }
    thread_local!(static USES: RefCell<Option<Uses>> = const { RefCell::new(None) });
    let log = Rc::default();
    let in_greenlet = Rc::clone(&log);
    own(move |()| USES.set(Some(Uses(in_greenlet))))
        .switch(())
        .unwrap();
    assert_eq!(*log.borrow(), ["late"]);
}

#[test]
fn one_that_is_unwound_destroys_them_too() {
    for how in 0..3 {
        let log = Rc::default();
        let in_greenlet = Rc::clone(&log);
        let g = own(move |()| {
            fill(&in_greenlet, false);
            wait();
        });
        g.switch(()).unwrap();
        match how {
            0 => drop(g),
            1 => assert!(g.throw(greenlet::GreenletExit).is_err()),
            _ => {
                let raised = catch_unwind(AssertUnwindSafe(|| g.throw("a panic")));
                assert_eq!(raised.unwrap_err().downcast_ref(), Some(&"a panic"));
            }
        }
        assert_eq!(*log.borrow(), ["second", "first"]);
    }
}

#[test]
fn one_that_waits_in_a_destructor_is_not_told_to_exit() {
    let log = Rc::default();
    let in_greenlet = Rc::clone(&log);
    let g = own(move |()| fill(&in_greenlet, true));
    g.switch(()).unwrap();
    // An exit that is raised in a destructor would end the process.
    drop(g);
    assert_eq!(*log.borrow(), ["waits"]);
}

#[test]
fn a_thread_ends_its_greenlets_with_their_thread_locals() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    struct Count(Arc<AtomicU32>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    thread_local!(static COUNT: RefCell<Option<Count>> = const { RefCell::new(None) });
    let count = Arc::new(AtomicU32::new(0));
    let of_thread = Arc::clone(&count);
    std::thread::spawn(move || {
        for _ in 0..10 {
            let count = Arc::clone(&of_thread);
            let g = own(move |()| {
                COUNT.set(Some(Count(count)));
                COUNT.with_borrow(|_| wait());
            });
            g.switch(()).unwrap();
            std::mem::forget(g);
        }
        // One that waits in a destructor is left as it is.
        let log = Rc::default();
        let g = own(move |()| fill(&log, true));
        g.switch(()).unwrap();
        std::mem::forget(g);
    })
    .join()
    .unwrap();
    assert_eq!(count.load(SeqCst), 10);
}

#[test]
fn a_panic_counts_where_it_is() {
    struct Look(Rc<Cell<bool>>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.0.set(std::thread::panicking());
        }
    }
    let unwinding = Rc::new(Cell::new(false));
    let look = Look(Rc::clone(&unwinding));
    let g = own(move |()| {
        let _look = look;
        std::panic::resume_unwind(Box::new(5u32));
    });
    let raised = catch_unwind(AssertUnwindSafe(|| g.switch(())));
    assert_eq!(raised.unwrap_err().downcast_ref(), Some(&5u32));
    assert!(unwinding.get() && !std::thread::panicking());
}

#[test]
fn std_names_the_greenlet() {
    let main = std::thread::current().id();
    let id = || own(|()| std::thread::current().id()).switch(()).unwrap();
    assert!(id() != main && id() != id());
    let parked = own(|()| {
        let me = std::thread::current();
        me.unpark();
        std::thread::park();
        7
    });
    assert_eq!(parked.switch(()), Ok(7));
}

#[test]
fn others_keep_the_threads() {
    NUMBER.set(3);
    let outer = own(|()| {
        NUMBER.set(4);
        let plain = Greenlet::new(|()| NUMBER.replace(5));
        (plain.switch(()), NUMBER.get())
    });
    assert_eq!(outer.switch(()), Ok((Ok(3), 4)));
    assert_eq!(NUMBER.get(), 5);
    // A generator that outlives its maker.
    let made = own(|()| {
        greenlet::Generator::new(|yielder| {
            for _ in 0..3 {
                yielder.give(NUMBER.get());
            }
        })
    });
    let mut generator = made.switch(()).unwrap();
    drop(made);
    assert_eq!(generator.next(), Some(5));
    own(|()| NUMBER.set(9)).switch(()).unwrap();
    assert_eq!(generator.next(), Some(5));
}

#[test]
fn on_host_has_the_threads() {
    NUMBER.set(6);
    let g = own(|()| {
        NUMBER.set(7);
        let mut there = 0;
        thread_locals::on_host(&mut || {
            assert!(!thread_locals::are_own());
            there = NUMBER.replace(8);
            // Nested: nothing changes.
            thread_locals::on_host(&mut || there += NUMBER.get());
            drop(vec![0u8; 100_000]);
        });
        assert!(thread_locals::are_own());
        (there, NUMBER.get())
    });
    assert_eq!(g.switch(()), Ok((14, 7)));
    assert_eq!(NUMBER.get(), 8);
}

greenlet::per_thread! {
    static SHARED: Cell<u32> = Cell::new(1);
    static FIRST_IN_A_GREENLET: Cell<u32> = Cell::new(1);
}

#[test]
fn what_is_per_thread_stays_so() {
    SHARED.with(|shared| shared.set(2));
    let g = own(|()| {
        FIRST_IN_A_GREENLET.with(|shared| shared.set(3));
        SHARED.with(|shared| shared.replace(4))
    });
    assert_eq!(g.switch(()), Ok(2));
    drop(g);
    assert_eq!(SHARED.with(Cell::get), 4);
    assert_eq!(FIRST_IN_A_GREENLET.with(Cell::get), 3);
    let another = own(|()| FIRST_IN_A_GREENLET.with(Cell::get));
    assert_eq!(another.switch(()), Ok(3));
}

#[test]
fn the_c_librarys_own_stay_with_the_thread() {
    fn errno() -> &'static mut i32 {
        // SAFETY: the place is good while this greenlet runs.
        unsafe { &mut *libc::__errno_location() }
    }
    let g = own(|()| {
        let before = std::mem::replace(errno(), 6);
        wait();
        std::mem::replace(errno(), 8) + before
    });
    *errno() = 5;
    assert!(g.as_any().switch::<(), ()>(()).is_ok());
    assert_eq!(std::mem::replace(errno(), 7), 6);
    assert_eq!(g.switch(()), Ok(12));
    assert_eq!(*errno(), 8);
}

#[test]
fn what_one_allocates_another_frees() {
    let mut random = 1u64;
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..300 {
        let g = own(move |mut kept: Vec<Vec<u8>>| {
            for _ in 0..50 {
                random = random
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                let bytes = (random >> 33) as usize % 3000;
                if random & 1 == 0 || kept.is_empty() {
                    kept.push(vec![bytes as u8; bytes]);
                } else {
                    let vec = kept.swap_remove(bytes % kept.len());
                    assert!(vec.iter().all(|byte| *byte == vec.len() as u8));
                }
            }
            (kept, random)
        });
        (kept, random) = g.switch(kept).unwrap();
    }
}

#[test]
fn storage_does_not_grow() {
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    }
    let round = || {
        let gs: Vec<_> = (0..1000)
            .map(|_| own(|()| NAMES.with_borrow(Vec::len)))
            .collect();
        // Half of them never run.
        assert!(gs.iter().step_by(2).all(|g| g.switch(()) == Ok(1)));
    };
    (0..5).for_each(|_| round());
    let before = resident();
    (0..30).for_each(|_| round());
    assert!(
        resident() < before + 10_000,
        "{} pages, then {}",
        before,
        resident()
    );
}

#[test]
fn locks_of_c_that_know_their_owner_know_the_greenlet() {
    // SAFETY: all zeros is a mutex; it is not moved while it is used, and outlives the greenlets.
    unsafe {
        let mut mutex: libc::pthread_mutex_t = std::mem::zeroed();
        let mut kind: libc::pthread_mutexattr_t = std::mem::zeroed();
        libc::pthread_mutexattr_init(&mut kind);
        libc::pthread_mutexattr_settype(&mut kind, libc::PTHREAD_MUTEX_RECURSIVE);
        assert_eq!(libc::pthread_mutex_init(&mut mutex, &kind), 0);
        let mutex = (&raw mut mutex).addr();
        let lock = move || libc::pthread_mutex_trylock(mutex as *mut _);
        let unlock = move || libc::pthread_mutex_unlock(mutex as *mut _);
        let g = own(move |()| {
            assert_eq!((lock(), lock()), (0, 0));
            wait();
            assert_eq!((unlock(), unlock()), (0, 0));
        });
        g.switch(()).unwrap();
        assert_eq!(own(move |()| lock()).switch(()), Ok(libc::EBUSY));
        assert_eq!(lock(), libc::EBUSY);
        g.switch(()).unwrap();
        assert_eq!((lock(), unlock()), (0, 0));
    }
}

#[test]
fn threads_of_one_program_do_not_mix_them() {
    let threads: Vec<_> = (0..4)
        .map(|i| {
            std::thread::spawn(move || {
                NUMBER.set(i);
                for round in 0..200 {
                    let g = own(move |()| {
                        NUMBER.set(100 + round);
                        wait();
                        NUMBER.get()
                    });
                    assert!(g.as_any().switch::<(), ()>(()).is_ok());
                    assert_eq!(NUMBER.get(), i);
                    assert_eq!(g.switch(()), Ok(100 + round));
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn values_of_keys_are_each_greenlets_own() {
    // More keys than the first list has.
    let keys: Vec<_> = (0..70)
        .map(|_| {
            let mut key = 0;
            // SAFETY: room for a key.
            assert_eq!(unsafe { libc::pthread_key_create(&mut key, None) }, 0);
            key
        })
        .collect();
    let own_values = {
        let keys = keys.clone();
        move |()| {
            for key in &keys {
                // SAFETY: keys that there are, and a number for a value.
                unsafe {
                    assert!(libc::pthread_getspecific(*key).is_null());
                    libc::pthread_setspecific(*key, 5 as *const _);
                    assert_eq!(libc::pthread_getspecific(*key).addr(), 5);
                }
            }
        }
    };
    for _ in 0..100 {
        own(own_values.clone()).switch(()).unwrap();
    }
    for key in keys {
        // SAFETY: keys that there are.
        unsafe {
            assert!(libc::pthread_getspecific(key).is_null());
            libc::pthread_key_delete(key);
        }
    }
}

/// A library of C with thread-locals, built by the compiler that links Rust programs. None if there is no compiler.
fn library(name: &str, source: &str, arguments: &[&str]) -> Option<std::ffi::CString> {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = directory.join(format!("{name}-{}.c", std::process::id()));
    let library = file.with_extension("so");
    std::fs::write(&file, source).unwrap();
    let built = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &file])
        .args(arguments)
        .status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no compiler for C");
        return None;
    }
    std::ffi::CString::new(library.into_os_string().into_encoded_bytes()).ok()
}

#[test]
fn a_library_that_is_opened_later_has_its_thread_locals_too() {
    const SOURCE: &str = "
        static __thread int number = 40;
        static __thread char room[10000];
        int next(void) { room[number] = number; return ++number + room[9999]; }
    ";
    type Next = unsafe extern "C" fn() -> i32;
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    // One greenlet is there before the library.
    let before = own(|next: Next| {
        // SAFETY: the library's function.
        let first = unsafe { next() };
        main_greenlet().switch::<i32, Next>(first).map(|next| {
            // SAFETY: as above.
            unsafe { next() }
        })
    });
    let Some(path) = library("later", SOURCE, &[]) else {
        return;
    };
    // SAFETY: a library whose initialisers do nothing, and its function.
    let next = unsafe {
        let opened = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!opened.is_null());
        let next = libc::dlsym(opened, c"next".as_ptr());
        std::mem::transmute::<*mut libc::c_void, Next>(next)
    };
    assert_eq!(before.switch_as::<i32>(next), Ok(41));
    for round in 0..50 {
        let g = own(move |()| {
            // SAFETY: the library's function.
            unsafe { next() + next() }
        });
        assert_eq!(g.switch(()), Ok(83), "{round}");
    }
    // SAFETY: as above.
    assert_eq!(unsafe { next() }, 41);
    assert_eq!(before.switch(next), Ok(Ok(42)));
}

#[test]
fn a_signal_finds_what_the_thread_has() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    static SEEN: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handle(_: i32) {
        let number = NUMBER.get() as usize;
        // Its own: the first use may be here.
        SHARED.with(|shared| SEEN.fetch_add(number * 100 + shared.get() as usize, SeqCst));
    }
    SHARED.with(|shared| shared.set(1));
    // SAFETY: the handler does what a handler may.
    unsafe { libc::signal(libc::SIGUSR2, handle as *const () as usize) };
    let raise = || {
        // SAFETY: a signal that is handled, for this thread.
        unsafe { libc::raise(libc::SIGUSR2) };
    };
    NUMBER.set(1);
    raise();
    let g = own(move |()| {
        NUMBER.set(2);
        raise();
        std::thread::yield_now();
        raise();
    });
    g.switch(()).unwrap();
    assert_eq!(SEEN.load(SeqCst), 101 + 201 + 201);
}
