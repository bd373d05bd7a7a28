//! Names to addresses.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::common::again::{again, is_again};
use green::dns::{ErrorKind, Family, Hints, NameFlags, SockType};
use green::{Timeout, dns};

fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(Duration::from_secs(60))
        .run(f)
        .expect("the test hangs")
}

#[test]
fn localhost_is_found_while_others_run() {
    bounded(|| {
        let turns = Rc::new(Cell::new(0));
        let counter = Rc::clone(&turns);
        let other = green::spawn(move || {
            loop {
                counter.set(counter.get() + 1);
                green::yield_now();
            }
        });
        // One may be answered before anybody else has a turn; not all of them.
        for _ in 0..1000 {
            let found = dns::lookup("localhost", 80).unwrap();
            assert!(!found.is_empty());
            for address in found {
                assert!(address.ip().is_loopback());
                assert_eq!(address.port(), 80);
            }
            if turns.get() > 0 {
                break;
            }
        }
        assert!(turns.get() > 0);
        other.kill();
    });
}

#[test]
fn literals_need_no_resolver() {
    bounded(|| {
        assert_eq!(
            dns::lookup("127.0.0.1", 1).unwrap(),
            ["127.0.0.1:1".parse().unwrap()]
        );
        assert_eq!(dns::lookup("::1", 2).unwrap(), ["[::1]:2".parse().unwrap()]);
    });
}

#[test]
fn nonsense_is_refused() {
    bounded(|| {
        for name in ["", "a\0b", "..", "name with spaces.invalid"] {
            let error = dns::lookup(name, 1).unwrap_err();
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            let inner: &dns::Error = inner.unwrap_or_else(|| panic!("{error:?}"));
            assert_eq!(inner.asked(), name);
            assert_ne!(error.kind(), io::ErrorKind::TimedOut);
        }
    });
}

#[test]
fn the_functions_of_c_as_the_system_has_them() {
    bounded(|| {
        let stream = Hints::new().socktype(SockType::Stream);
        let addresses = |host: Option<&str>, hints| -> Result<Vec<String>, ErrorKind> {
            let infos = dns::getaddrinfo(host, "80", hints).map_err(|error| error.kind())?;
            assert!(infos.iter().all(|info| info.address.port() == 80));
            Ok(infos
                .iter()
                .map(|info| info.address.ip().to_string())
                .collect())
        };
        let four = stream.family(Family::V4);
        let six = stream.family(Family::V6);
        assert_eq!(addresses(Some("localhost"), four).unwrap(), ["127.0.0.1"]);
        assert_eq!(addresses(Some("127.0.0.1"), six), Err(ErrorKind::NoData));
        let local = dns::getaddrinfo("127.0.0.1", "80", Hints::new()).unwrap();
        assert!(local.iter().any(|info| info.socktype == SockType::Datagram));
        let any = addresses(None, four.passive(true));
        assert_eq!(any.unwrap(), ["0.0.0.0"]);
        let nobody = addresses(Some("localhost"), stream.numeric_host(true));
        assert_eq!(nobody, Err(ErrorKind::NotFound));
        if cfg!(target_os = "linux") {
            let mapped = addresses(Some("127.0.0.1"), six.v4mapped(true));
            assert_eq!(mapped.unwrap(), ["::ffff:127.0.0.1"]);
        }
        let error = dns::getaddrinfo(None, "80", stream.canonical_name(true)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let error = dns::getaddrinfo("127.0.0.1", "no-such-service", stream).unwrap_err();
        assert_eq!(error.kind().eai(), "EAI_SERVICE");
        let error = dns::getaddrinfo(None, None, stream).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);

        assert!(dns::gethostbyname("localhost").unwrap().is_loopback());
        let entry = dns::gethostbyname_ex("127.0.0.1").unwrap();
        assert_eq!(entry.name, "127.0.0.1");
        assert_eq!(entry.addresses.len(), 1);
        let flags = NameFlags::new().numeric_host(true).numeric_service(true);
        let names = dns::getnameinfo(&"[::1]:80".parse().unwrap(), flags);
        assert_eq!(names.unwrap(), ("::1".to_owned(), "80".to_owned()));
    });
}

#[test]
fn an_unknown_resolver_is_refused_and_the_present_one_stays() {
    for name in ["", "System", "ares"] {
        let error = dns::use_resolver(name).unwrap_err();
        assert!(error.is_unknown());
        let text = error.to_string();
        for known in dns::resolver_names() {
            assert!(text.contains(known), "{text}");
        }
    }
    assert_eq!(dns::get_resolver().unwrap().name(), "system");
    let green = dns::use_resolver("green");
    assert_eq!(green.is_ok(), cfg!(feature = "dns"));
    if let Err(error) = green {
        assert!(!error.is_unknown());
        assert!(error.to_string().contains("cargo feature `dns`"), "{error}");
    }
    dns::use_default_resolver().unwrap();
    assert_eq!(dns::get_resolver().unwrap().name(), "system");
}

/// The environment is the process' own, so this runs the test program again.
#[test]
fn the_environment_names_the_resolver() {
    if is_again() {
        assert!(dns::lookup("127.0.0.1", 1).is_ok(), "literals need none");
        let said = match dns::lookup("localhost", 1) {
            Ok(_) => dns::get_resolver().unwrap().name().to_owned(),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                let other = dns::gethostbyname("localhost").unwrap_err();
                assert_eq!(other.kind(), ErrorKind::Invalid);
                error.to_string()
            }
        };
        println!("said: {said}.");
        return;
    }
    let probe = |value: Option<&str>| {
        let mut again = again(module_path!(), "the_environment_names_the_resolver");
        again
            .env_remove("GREEN_DNS")
            .envs(value.map(|value| ("GREEN_DNS", value)));
        String::from_utf8_lossy(&again.output().unwrap().stdout).into_owned()
    };
    assert!(probe(None).contains("said: system."));
    assert!(probe(Some("system")).contains("said: system."));
    let green = probe(Some("green"));
    let expected = if cfg!(feature = "dns") {
        "said: green."
    } else {
        "enable the cargo feature `dns`"
    };
    assert!(green.contains(expected), "{green}");
    for nonsense in ["", "yes"] {
        let said = probe(Some(nonsense));
        assert!(said.contains("known are: system, green"), "{said}");
        assert!(said.contains("GREEN_DNS"), "{said}");
    }
}
