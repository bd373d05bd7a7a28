//! The contract of readiness backends (hubs), and the reactor built on it
