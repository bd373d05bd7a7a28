//! Files in threads of the pool.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use green::fs::{self, File};
use green::{Timeout, os};

fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(Duration::from_secs(60))
        .run(f)
        .expect("the test hangs")
}

/// A directory of the test's own, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let path = std::env::temp_dir().join(format!("green-fs-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn write_seek_read_truncate_append() {
    bounded(|| {
        let place = Place::new("basic");
        let path = place.at("a");
        let mut file = File::create_new(&path).unwrap();
        file.write_all(b"hello world").unwrap();
        assert_eq!(file.seek(SeekFrom::Start(6)).unwrap(), 6);
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "world");
        file.set_len(5).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 5);
        file.rewind().unwrap();
        text.clear();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        file.sync_all().unwrap();
        file.sync_data().unwrap();
        let mut end = File::options().append(true).open(&path).unwrap();
        end.write_all(b", you").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "hello, you");
        let mut at = [0; 3];
        assert_eq!(file.read_at(&mut at, 7).unwrap(), 3);
        assert_eq!(&at, b"you");
        assert_eq!(file.write_at(b"J", 0).unwrap(), 1);
        assert_eq!(file.stream_position().unwrap(), 5);
        let mut clone = file.try_clone().unwrap();
        clone.rewind().unwrap();
        assert_eq!(file.stream_position().unwrap(), 0);
        File::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    });
}

#[test]
fn large_data_goes_through_buffers_and_in_pieces() {
    bounded(|| {
        let place = Place::new("large");
        let path = place.at("a");
        let mut writer = BufWriter::with_capacity(1 << 16, File::create(&path).unwrap());
        for n in 0..50_000 {
            writeln!(writer, "line {n}").unwrap();
        }
        writer.into_inner().unwrap();
        let lines = BufReader::new(File::open(&path).unwrap()).lines();
        for (n, line) in lines.enumerate() {
            assert_eq!(line.unwrap(), format!("line {n}"));
        }
        let bytes = vec![5; 5_000_000];
        let mut file = File::create(&path).unwrap();
        file.write_all(&bytes).unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
        let mut back = Vec::new();
        File::open(&path).unwrap().read_to_end(&mut back).unwrap();
        assert!(back == bytes);
    });
}

#[test]
fn the_functions_of_the_module() {
    bounded(|| {
        let place = Place::new("functions");
        fs::write(place.at("a"), "text").unwrap();
        assert_eq!(fs::copy(place.at("a"), place.at("b")).unwrap(), 4);
        fs::rename(place.at("b"), place.at("c")).unwrap();
        fs::hard_link(place.at("c"), place.at("d")).unwrap();
        fs::remove_file(place.at("a")).unwrap();
        fs::create_dir_all(place.at("x/y/z")).unwrap();
        fs::create_dir(place.at("w")).unwrap();
        fs::remove_dir(place.at("w")).unwrap();
        let mut names: Vec<_> = fs::read_dir(&place.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["c", "d", "x"]);
        std::os::unix::fs::symlink("c", place.at("link")).unwrap();
        assert_eq!(fs::read_link(place.at("link")).unwrap(), PathBuf::from("c"));
        assert!(fs::symlink_metadata(place.at("link")).unwrap().is_symlink());
        assert!(fs::metadata(place.at("link")).unwrap().is_file());
        let whole = fs::canonicalize(place.at("link")).unwrap();
        assert!(whole.ends_with("c"));
        let mut permissions = fs::metadata(place.at("c")).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(place.at("c"), permissions).unwrap();
        assert!(fs::exists(place.at("c")).unwrap());
        fs::remove_dir_all(place.at("x")).unwrap();
        assert!(!fs::exists(place.at("x")).unwrap());
    });
}

#[test]
fn errors_are_stds() {
    bounded(|| {
        let place = Place::new("errors");
        let kinds = [
            File::open(place.at("no")).unwrap_err().kind(),
            fs::read(place.at("no")).unwrap_err().kind(),
            fs::rename(place.at("no"), place.at("yes"))
                .unwrap_err()
                .kind(),
            File::open("a\0b").unwrap_err().kind(),
        ];
        assert_eq!(kinds[..3], [io::ErrorKind::NotFound; 3]);
        assert_eq!(kinds[3], io::ErrorKind::InvalidInput);
        let mut file = File::create(place.at("a")).unwrap();
        assert!(file.read(&mut [0]).is_err(), "opened for writing only");
        assert!(file.seek(SeekFrom::Current(-1)).is_err());
    });
}

/// A file whose reads and writes wait: a named pipe, which is opened like a file.
fn slow(place: &Place) -> (File, os::PipeWriter) {
    let path = place.at("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let reader = green::spawn({
        let path = path.clone();
        move || File::open(path).unwrap()
    });
    let writer = green::tpool::execute(move || std::fs::OpenOptions::new().write(true).open(path));
    let writer = std::os::fd::OwnedFd::from(writer.unwrap().unwrap());
    (reader.join().unwrap(), writer.try_into().unwrap())
}

#[test]
fn others_run_while_a_file_is_slow() {
    bounded(|| {
        let place = Place::new("slow");
        let (mut file, mut writer) = slow(&place);
        let turns = Rc::new(Cell::new(0));
        let counter = Rc::clone(&turns);
        green::spawn_n(move || {
            for _ in 0..10 {
                counter.set(counter.get() + 1);
                green::yield_now();
            }
            writer.write_all(b"late").unwrap();
        });
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), turns.get()), ("late", 10));
    });
}

#[test]
fn what_a_read_brings_after_its_caller_has_left_is_not_lost() {
    bounded(|| {
        let place = Place::new("left");
        let (file, mut writer) = slow(&place);
        let file = Rc::new(file);
        let reader = green::spawn({
            let file = Rc::clone(&file);
            move || (&*file).read(&mut [0; 100]).map(drop)
        });
        green::yield_now();
        reader.kill();
        assert!(reader.join().is_err());
        writer.write_all(b"abcdef").unwrap();
        let mut three = [0; 3];
        (&*file).read_exact(&mut three).unwrap();
        assert_eq!(&three, b"abc");
        let timed = Timeout::new(Duration::from_millis(10)).run(|| {
            // The rest of what the killed one read comes at once; the next has to wait.
            (&*file).read_exact(&mut three).unwrap();
            (&*file).read(&mut [0; 100])
        });
        assert!(timed.is_err());
        assert_eq!(&three, b"def");
        writer.write_all(b"ghi").unwrap();
        drop(writer);
        let mut rest = Vec::new();
        (&*file).read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"ghi");
    });
}

#[test]
fn a_regular_file_goes_on_where_the_caller_believes_it_is() {
    bounded(|| {
        let place = Place::new("cursor");
        fs::write(place.at("a"), "0123456789").unwrap();
        let file = Rc::new(
            File::options()
                .read(true)
                .write(true)
                .open(place.at("a"))
                .unwrap(),
        );
        // The kill comes while the read is under way, unless that was very fast.
        let killed = (0..1000).any(|_| {
            let reader = green::spawn({
                let file = Rc::clone(&file);
                move || (&*file).read(&mut [0; 4]).map(drop)
            });
            green::yield_now();
            reader.kill();
            let killed = reader.join().is_err();
            if !killed {
                (&*file).rewind().unwrap();
            }
            killed
        });
        assert!(killed);
        let mut file = &*file;
        // It is as if it had not been made.
        assert_eq!(file.stream_position().unwrap(), 0);
        file.write_all(b"ab").unwrap();
        assert_eq!(fs::read_to_string(place.at("a")).unwrap(), "ab23456789");
    });
}

#[test]
fn greenthreads_take_turns() {
    bounded(|| {
        let place = Place::new("turns");
        let file = Rc::new(File::create_new(place.at("a")).unwrap());
        let writers: Vec<_> = (0..20u8)
            .map(|n| {
                let file = Rc::clone(&file);
                green::spawn(move || (&*file).write_all(&[n; 1000]).unwrap())
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        let bytes = fs::read(place.at("a")).unwrap();
        assert_eq!(bytes.len(), 20_000);
        // The order is that in which they came, which is nearly always that of their spawns.
        let mut seen: Vec<_> = bytes.chunks(1000).map(|piece| piece[0]).collect();
        for (piece, &n) in bytes.chunks(1000).zip(&seen) {
            assert!(piece.iter().all(|&byte| byte == n));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn a_destructor_flushes_while_the_thread_unwinds() {
    bounded(|| {
        let place = Place::new("unwind");
        let path = place.at("a");
        let two: Vec<_> = (0..2)
            .map(|n| {
                let path = place.at(&n.to_string());
                green::spawn(move || {
                    let mut writer = BufWriter::new(File::create(path).unwrap());
                    writer.write_all(b"kept").unwrap();
                    green::sleep(Duration::from_secs(60));
                })
            })
            .collect();
        while !fs::exists(place.at("1")).unwrap() {
            green::yield_now();
        }
        green::sleep(Duration::from_millis(5));
        for gt in &two {
            gt.kill();
        }
        for (n, gt) in two.into_iter().enumerate() {
            assert!(gt.join().is_err());
            assert_eq!(fs::read(place.at(&n.to_string())).unwrap(), b"kept");
        }
        let notes = RefCell::new(Vec::new());
        struct Last<'a>(PathBuf, &'a RefCell<Vec<io::Result<()>>>);
        impl Drop for Last<'_> {
            fn drop(&mut self) {
                self.1.borrow_mut().push(fs::write(&self.0, "last words"));
            }
        }
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let _last = Last(path.clone(), &notes);
            panic!("unwind");
        }));
        assert!(notes.borrow()[0].is_ok());
        assert_eq!(fs::read(path).unwrap(), b"last words");
    });
}
