//! Data of a thread, for all its greenlets.

#[cfg(own_thread_locals)]
use std::cell::Cell;
use std::fmt;
#[cfg(not(own_thread_locals))]
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;
use std::thread::LocalKey;

/// A static of which each thread has one value, whatever greenlet asks: made by [`per_thread!`](crate::per_thread).
///
/// It differs from a `thread_local!` in two things. The value has no destructor: it can be asked for at any time, also
/// by destructors of thread-locals, and goes with the thread as it is; [`at_thread_end`](crate::at_thread_end) can
/// empty it. And it stays the one value of the thread also where greenlets have
/// [thread-locals of their own](crate::thread_locals): with that feature it is found by a word of its own, without it
/// like every other thread-local.
///
/// ```
/// use std::cell::Cell;
///
/// greenlet::per_thread! {
///     static CALLS: Cell<u32> = Cell::new(0);
/// }
///
/// let count = || CALLS.with(|calls| calls.replace(calls.get() + 1));
/// count();
/// let in_another = greenlet::Greenlet::new(move |()| count());
/// assert_eq!(in_another.switch(()), Ok(1));
/// assert_eq!(std::thread::spawn(move || count()).join().unwrap(), 0);
/// ```
pub struct PerThread<T: 'static> {
    #[cfg(own_thread_locals)]
    word: LocalKey<Word<T>>,
    value: LocalKey<ManuallyDrop<T>>,
}

/// Where the value is; null before the first use of a thread.
#[cfg(own_thread_locals)]
#[doc(hidden)]
pub struct Word<T>(Cell<*const T>);

/// Nothing: the value is found without it.
#[cfg(not(own_thread_locals))]
#[doc(hidden)]
pub struct Word<T>(PhantomData<T>);

impl<T> Word<T> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default, reason = "only the macro makes one")]
    pub const fn new() -> Word<T> {
        #[cfg(own_thread_locals)]
        return Word(Cell::new(ptr::null()));
        #[cfg(not(own_thread_locals))]
        Word(PhantomData)
    }
}

impl<T: 'static> PerThread<T> {
    /// Calls `f` with the value of this thread.
    ///
    /// `f` may switch: it goes on in the same thread.
    #[inline(always)]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        // SAFETY: the value is a thread-local of this thread without a destructor: it is good while this thread runs
        // code, and `f` returns in this thread.
        f(unsafe { &*self.address() })
    }
}

/// Greenlets share all thread-locals, so the value is found like every other.
#[cfg(not(own_thread_locals))]
impl<T: 'static> PerThread<T> {
    #[doc(hidden)]
    pub const fn new(_: LocalKey<Word<T>>, value: LocalKey<ManuallyDrop<T>>) -> PerThread<T> {
        PerThread { value }
    }

    /// Where the value of this thread is.
    #[inline(always)]
    fn address(&'static self) -> *const T {
        self.value.with(|value| ptr::from_ref(&**value))
    }

    /// The same; null only where that is not known before the first use.
    #[inline(always)]
    pub(crate) fn known(&'static self) -> *const T {
        self.address()
    }
}

#[cfg(own_thread_locals)]
impl<T: 'static> PerThread<T> {
    #[doc(hidden)]
    pub const fn new(word: LocalKey<Word<T>>, value: LocalKey<ManuallyDrop<T>>) -> PerThread<T> {
        PerThread { word, value }
    }

    /// Where the value of this thread is.
    #[inline(always)]
    fn address(&'static self) -> *const T {
        let value = self.known();
        match value.is_null() {
            true => self.first(),
            false => value,
        }
    }

    /// The same, or null if this thread was never asked for it.
    #[inline(always)]
    pub(crate) fn known(&'static self) -> *const T {
        self.word.with(|word| word.0.get())
    }

    /// Where the word is.
    pub(crate) fn word(&'static self) -> *const Word<T> {
        self.word.with(ptr::from_ref)
    }

    #[cold]
    #[inline(never)]
    fn first(&'static self) -> *const T {
        let mut value = self.value_of_host();
        if !value.is_null() {
            self.word.with(|word| word.0.set(value));
            return value;
        }
        // The value is among the thread's own thread-locals, whichever the running greenlet has.
        crate::thread_locals::on_host(&mut || value = self.first_of_thread());
        self.word.with(|word| word.0.set(value));
        value
    }

    /// What the word of the OS thread leads to, if that can be seen from here: mostly the running greenlet has just begun.
    fn value_of_host(&'static self) -> *const T {
        match crate::thread_locals::of_host(self.word()) {
            // SAFETY: the word of this thread, which only this thread changes.
            Some(word) => unsafe { (*word).0.get() },
            None => ptr::null(),
        }
    }

    fn first_of_thread(&'static self) -> *const T {
        let known = self.known();
        if !known.is_null() {
            return known;
        }
        let value: *const T = self.value.with(|value| ptr::from_ref(&**value));
        self.word.with(|word| word.0.set(value));
        value
    }
}

impl<T: 'static> fmt::Debug for PerThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerThread").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word").finish_non_exhaustive()
    }
}

/// Declares statics of which each thread has one value, for all its greenlets: see [`PerThread`](crate::PerThread).
///
/// The initial value is one that the compiler can work out. What has to be made at run time goes into a
/// [`OnceCell`](std::cell::OnceCell):
///
/// ```
/// use std::cell::OnceCell;
///
/// greenlet::per_thread! {
///     /// Made at first use.
///     static NAME: OnceCell<String> = OnceCell::new();
/// }
///
/// NAME.with(|name| assert_eq!(name.get_or_init(|| "worker".to_string()), "worker"));
/// ```
#[macro_export]
macro_rules! per_thread {
    ($($(#[$attribute:meta])* $visible:vis static $name:ident: $type:ty = $initial:expr;)+) => {$(
        $(#[$attribute])*
        // Not a static: what is found in a constant can be inlined.
        $visible const $name: $crate::PerThread<$type> = {
            ::std::thread_local! {
                static WORD: $crate::Word<$type> = const { $crate::Word::new() };
                static VALUE: ::std::mem::ManuallyDrop<$type> =
                    const { ::std::mem::ManuallyDrop::new($initial) };
            }
            $crate::PerThread::new(WORD, VALUE)
        };
    )+};
}
