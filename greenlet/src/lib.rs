//! Stackful coroutines with parents, typed values, throw and death: the context switch, no scheduler
