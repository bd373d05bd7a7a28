//! Who may connect.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use green::net::{TcpListener, UnixListener};
use green_backdoor::{Commands, Server, serve};

use crate::client::{Client, funca};

#[test]
fn others_than_this_machine_are_refused_unless_told_otherwise() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let Ok(listener) = TcpListener::bind(address) else {
            eprintln!("skipped: nothing can listen at {address}");
            continue;
        };
        let error = serve(listener, Commands::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("open_to_others"), "{error}");
    }
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(funca()).banner("hello").open_to_others();
    green::spawn_n(move || drop(server.serve(listener)));
    let mut client = Client::connect(([127, 0, 0, 1], address.port()).into());
    assert_eq!(client.until(">>> "), "hello\n");
}

#[test]
fn a_unix_socket_is_the_owners() {
    let path = std::env::temp_dir().join(format!("green-mode-{}", std::process::id()));
    let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let server = Server::new(funca()).banner("hello");
    green::spawn_n(move || drop(server.serve(listener)));
    let mut client = Client::connect_unix(&path);
    assert_eq!(client.until(">>> "), "hello\n");
    assert_eq!(mode(), 0o600);
    std::fs::remove_file(&path).unwrap();

    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let server = Server::new(funca()).banner("hello").open_to_others();
    green::spawn_n(move || drop(server.serve(listener)));
    let mut client = Client::connect_unix(&path);
    assert_eq!(client.until(">>> "), "hello\n");
    assert_eq!(mode(), 0o666);
    std::fs::remove_file(&path).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn an_abstract_address_is_open_to_all() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("green-abstract-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let error = serve(listener, Commands::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}
