//! Changes to a path.

use std::time::Duration;

use green::{Timeout, fs};

use crate::common::place::Place;
use crate::common::{SHORT, bounded};

const PERIOD: Duration = Duration::from_millis(2);

#[test]
fn each_kind_of_change_is_told_once() {
    bounded(|| {
        let place = Place::new("watch");
        let path = place.at("file");
        let mut watch = fs::watch(&path, PERIOD).unwrap();
        let quiet = |watch: &mut fs::PathWatch| {
            assert!(Timeout::new(SHORT).run(|| watch.changed()).is_err());
        };
        quiet(&mut watch);
        fs::write(&path, "one").unwrap();
        let came = watch.changed().unwrap();
        assert!(came.before.is_none() && came.after.unwrap().is_file());
        // The write itself may be a second change, after the file was made.
        while Timeout::new(SHORT).run(|| watch.changed()).is_ok() {}
        fs::write(&path, "longer").unwrap();
        let grew = loop {
            let change = watch.changed().unwrap();
            if change.after.as_ref().unwrap().len() == 6 {
                break change;
            }
        };
        assert!(grew.before.is_some());
        quiet(&mut watch);
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&path, executable).unwrap();
        let changed = watch.changed().unwrap();
        assert_ne!(
            changed.before.unwrap().permissions(),
            changed.after.unwrap().permissions()
        );
        // Another file under the same name, of the same size.
        fs::write(place.at("other"), "longer").unwrap();
        fs::rename(place.at("other"), &path).unwrap();
        assert!(watch.changed().unwrap().after.is_some());
        quiet(&mut watch);
        fs::remove_file(&path).unwrap();
        assert!(watch.changed().unwrap().after.is_none());
        quiet(&mut watch);
    });
}

#[test]
fn a_look_is_not_taken_more_often_than_asked_for() {
    green::sim::run(1, || {
        let hour = Duration::from_secs(3600);
        let mut watch = fs::watch("/no/such/path", hour).unwrap();
        let start = green::time::now();
        let left = Timeout::new(2 * hour + hour / 2).run(|| watch.changed());
        assert!(left.is_err());
        assert_eq!(green::time::now() - start, 2 * hour + hour / 2);
    });
}

#[test]
fn what_cannot_be_asked_for_is_an_error() {
    bounded(|| {
        assert!(fs::watch("a\0b", PERIOD).is_err());
    });
}
