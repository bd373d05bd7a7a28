//! Functions of several arguments, called with a tuple.

/// A function that [`GreenPool::starmap`](crate::GreenPool::starmap) can call with a tuple of its arguments.
///
/// ```
/// let pool = green::GreenPool::new(2);
/// let sums: Result<Vec<_>, _> = pool.starmap(|a, b| a + b, [(1, 2), (3, 4)]).collect();
/// assert_eq!(sums.unwrap(), [3, 7]);
///
/// use green::CallWith;
/// assert_eq!(CallWith::call(&u32::pow, (2, 5)), 32);
/// ```
#[doc(alias = "Star")]
pub trait CallWith<Arguments> {
    /// What it returns.
    type Output;

    /// Calls it.
    fn call(&self, arguments: Arguments) -> Self::Output;
}

macro_rules! star {
    ($($argument:ident)+) => {
        impl<Function, Output, $($argument),+> CallWith<($($argument,)+)> for Function
        where
            Function: Fn($($argument),+) -> Output,
        {
            type Output = Output;

            fn call(&self, arguments: ($($argument,)+)) -> Output {
                #[allow(non_snake_case, reason = "the names of the types serve for the values")]
                let ($($argument,)+) = arguments;
                self($($argument),+)
            }
        }
    };
}

star!(A);
star!(A B);
star!(A B C);
star!(A B C D);
star!(A B C D E);
star!(A B C D E F);
