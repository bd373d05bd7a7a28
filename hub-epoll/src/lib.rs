//! The epoll hub
