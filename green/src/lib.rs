//! Green threads, cooperative sockets and time, on hubs you can choose
