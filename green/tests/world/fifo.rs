//! Named pipes, whose other side may never come.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use green::Timeout;
use green::fs::{self, File};

use crate::common::again::with_pool_of;
use crate::common::place::Place;
use crate::common::{SHORT, bounded};

fn writer() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true);
    options
}

#[test]
fn opens_that_were_killed_leave_files_and_names_alone() {
    let test = "opens_that_were_killed_leave_files_and_names_alone";
    with_pool_of(2, module_path!(), test, || {
        let place = Place::new("killed");
        let path = place.fifo("fifo");
        let opens: Vec<_> = (0..20)
            .map(|_| {
                let path = path.clone();
                green::spawn(move || File::open(path).map(drop))
            })
            .collect();
        green::sleep(SHORT);
        assert!(opens.iter().all(|open| !open.is_dead()));
        green::killall_wait(&opens, Duration::from_secs(10));
        let silent: Vec<_> = (0..20)
            .map(|_| {
                let path = path.clone();
                green::spawn(move || writer().open(path).map(drop))
            })
            .collect();
        green::sleep(SHORT);
        assert!(silent.iter().all(|open| !open.is_dead()));
        // While they wait, and after.
        assert!(fs::read_to_string("/proc/self/comm").is_ok());
        green::killall_wait(&silent, Duration::from_secs(10));
        assert!(fs::read_to_string("/proc/self/comm").is_ok());
        assert!(green::dns::lookup("localhost", 1).is_ok());
        assert!(green::tpool::killall(Duration::from_secs(10)));
    });
}

#[test]
fn both_sides_meet_whoever_comes_first() {
    bounded(|| {
        let place = Place::new("meet");
        for first_reads in [true, false] {
            let path = place.fifo(if first_reads { "reader" } else { "writer" });
            let there = path.clone();
            let first = green::spawn(move || match first_reads {
                true => File::open(there),
                false => writer().open(there),
            });
            let start = Instant::now();
            green::sleep(SHORT);
            assert!(!first.is_dead(), "nobody was on the other side");
            let second = match first_reads {
                true => writer().open(&path),
                false => File::open(&path),
            };
            let (first, second) = (first.join().unwrap().unwrap(), second.unwrap());
            assert!(start.elapsed() >= SHORT);
            let (mut from, mut to) = match first_reads {
                true => (first, second),
                false => (second, first),
            };
            // More than fits, with nobody but this thread to carry it.
            let sent = green::spawn(move || to.write_all(&[7; 1_000_000]));
            let mut all = Vec::new();
            from.read_to_end(&mut all).unwrap();
            assert_eq!(all, [7; 1_000_000]);
            sent.join().unwrap().unwrap();
        }
    });
}

#[test]
fn two_pipes_are_opened_in_turn_by_both_sides() {
    // One side waits in its second open for what the other does after its first.
    bounded(|| {
        let place = Place::new("turns");
        let (ask, answer) = (place.fifo("ask"), place.fifo("answer"));
        let server = green::spawn({
            let (ask, answer) = (ask.clone(), answer.clone());
            move || {
                let mut questions = File::open(ask).unwrap();
                let mut answers = writer().open(answer).unwrap();
                let mut question = String::new();
                questions.read_to_string(&mut question).unwrap();
                answers
                    .write_all(question.to_uppercase().as_bytes())
                    .unwrap();
            }
        });
        let mut questions = writer().open(ask).unwrap();
        let mut answers = File::open(answer).unwrap();
        questions.write_all(b"word").unwrap();
        drop(questions);
        let mut said = String::new();
        answers.read_to_string(&mut said).unwrap();
        assert_eq!(said, "WORD");
        server.join().unwrap();
    });
}

#[test]
fn whole_files_may_be_pipes() {
    let test = "whole_files_may_be_pipes";
    with_pool_of(1, module_path!(), test, || {
        let place = Place::new("whole");
        let path = place.fifo("fifo");
        let many: Vec<_> = (0..3)
            .map(|_| {
                let path = path.clone();
                green::spawn(move || fs::read(path))
            })
            .collect();
        green::sleep(SHORT);
        // The one thread is free.
        assert!(fs::metadata(&path).is_ok());
        green::killall_wait(&many, Duration::from_secs(10));
        let text = green::spawn({
            let path = path.clone();
            move || fs::read_to_string(path)
        });
        fs::write(&path, "text").unwrap();
        assert_eq!(text.join().unwrap().unwrap(), "text");
        let bytes = green::spawn({
            let path = path.clone();
            move || fs::read(path)
        });
        fs::write(&path, [0xff; 3]).unwrap();
        assert_eq!(bytes.join().unwrap().unwrap(), [0xff; 3]);
    });
}

#[test]
fn one_who_came_and_went_was_there() {
    bounded(|| {
        let place = Place::new("gone");
        let path = place.fifo("fifo");
        let reader = green::spawn({
            let path = path.clone();
            move || File::open(path)
        });
        green::sleep(SHORT);
        let mut to = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        to.write_all(b"and left").unwrap();
        drop(to);
        let mut text = String::new();
        let mut from = reader.join().unwrap().unwrap();
        from.read_to_string(&mut text).unwrap();
        assert_eq!(text, "and left");
    });
}

#[test]
fn a_killed_read_takes_nothing_and_no_thread() {
    bounded(|| {
        let place = Place::new("read");
        let path = place.fifo("fifo");
        let reader = green::spawn({
            let path = path.clone();
            move || File::open(path)
        });
        let mut to = writer().open(&path).unwrap();
        let from = reader.join().unwrap().unwrap();
        for _ in 0..50 {
            let left = Timeout::new(Duration::from_millis(1)).run(|| (&from).read(&mut [0; 9]));
            assert!(left.is_err());
        }
        to.write_all(b"all of it").unwrap();
        let mut got = [0; 9];
        let clone = from.try_clone().unwrap();
        (&clone).read_exact(&mut got).unwrap();
        assert_eq!(&got, b"all of it");
    });
}

#[test]
fn what_is_no_pipe_is_opened_as_ever() {
    bounded(|| {
        let place = Place::new("plain");
        let path = place.at("file");
        fs::write(&path, "text").unwrap();
        assert!(writer().open(&path).is_ok());
        assert!(File::open(place.at("none")).is_err());
        assert!(File::open(&place.0).is_ok(), "a directory");
        // Nothing to wait for: this process is on both sides.
        let fifo = place.fifo("fifo");
        let mut both = File::options().read(true).write(true).open(&fifo).unwrap();
        both.write_all(b"x").unwrap();
        assert_eq!(both.read(&mut [0; 4]).unwrap(), 1);
        let error = File::options().write(true).create_new(true).open(&fifo);
        assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    });
}
