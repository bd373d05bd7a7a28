//! The page in a browser, if there is one on this machine.

#[path = "common/browser.rs"]
mod browser;

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use browser::Browser;
use green::{Builder, sync};
use green_console::Console;
use serde_json::Value;

/// A program with a console, in a thread of its own, for as long as the test.
struct Program {
    address: SocketAddr,
    token: String,
    /// When it is full the program ends.
    end: Arc<sync::Queue<()>>,
    life: thread::JoinHandle<()>,
}

/// A name that would be markup, if it were taken for that.
const NAME: &str = "<img src=x onerror=alert(1)>";

impl Program {
    fn start() -> Program {
        let (tell, told) = mpsc::channel();
        let end = Arc::new(sync::Queue::unbounded());
        let ends = Arc::clone(&end);
        let life = thread::spawn(move || {
            let sleeper = Builder::new()
                .name(NAME)
                .spawn(|| green::sleep(Duration::from_secs(600)));
            let sleeper = sleeper.unwrap();
            let waits = Builder::new().name("joins it");
            let _waits = waits.spawn(move || drop(sleeper.join())).unwrap();
            let _ticker = green::spawn(|| {
                loop {
                    green::sleep(Duration::from_millis(2));
                }
            });
            let _blocker = Builder::new().name("selfish").spawn(|| {
                green::sleep(Duration::from_secs(3));
                thread::sleep(Duration::from_millis(150));
            });
            for _ in 0..300 {
                green::spawn_n(|| green::sleep(Duration::from_secs(600)));
            }
            let console = Console::new();
            let listener = green::listen("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let token = console.token().to_owned();
            let served = console.clone();
            let serving = green::spawn(move || served.serve(listener));
            tell.send((address, token)).unwrap();
            ends.get().unwrap();
            console.lifecycle().drain(Duration::from_secs(60));
            serving.join().unwrap().unwrap();
        });
        let (address, token) = told.recv().unwrap();
        Program {
            address,
            token,
            end,
            life,
        }
    }
}

/// What is wrong with how the page looks: it is wider than the window, or texts overlap.
const LOOK: &str = "(() => {
  const wrong = [];
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('wider than the window');
  const seen = [...document.querySelectorAll('dt, dd, h1, header p, header button, figcaption span, figcaption b, nav button, th, td')]
    .filter((one) => one.checkVisibility() && one.textContent.trim() !== '');
  const boxes = seen.slice(0, 250).map((one) => [one, one.getBoundingClientRect()]);
  for (const [one, box] of boxes) {
    for (const [other, place] of boxes) {
      const over = Math.min(box.right, place.right) - Math.max(box.left, place.left) > 1
        && Math.min(box.bottom, place.bottom) - Math.max(box.top, place.top) > 1;
      if (one !== other && over && !one.contains(other) && !other.contains(one)) wrong.push(one.textContent + ' over ' + other.textContent);
    }
    if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0) wrong.push(one.textContent + ' is cut');
  }
  return wrong;
})()";

const TABS: [&str; 8] = [
    "greenthreads",
    "places",
    "tree",
    "waits",
    "descriptors",
    "timers",
    "warnings",
    "record",
];

fn tile(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('#counters div')].find((tile) => tile.firstChild.textContent === '{name}').lastChild.textContent"
    )
}

#[test]
fn the_page_is_seen_and_used() {
    let Some(mut browser) = Browser::start("page") else {
        eprintln!("skipped: there is no Chromium on this machine");
        return;
    };
    let program = Program::start();
    browser.open(&format!("http://{}/", program.address));
    browser.until("document.querySelectorAll('#table tbody tr').length > 300");
    for (width, height) in [(1280, 900), (390, 844)] {
        for dark in [false, true] {
            browser.size(width, height, dark);
            for tab in TABS {
                browser.evaluate(&format!("document.getElementById('tab-{tab}').click()"));
                let wrong = browser.evaluate(LOOK);
                assert_eq!(
                    wrong,
                    serde_json::json!([]),
                    "{tab} at {width}, dark: {dark}"
                );
            }
            let back = browser.evaluate("getComputedStyle(document.body).backgroundColor");
            let light = back.as_str().unwrap().contains("24");
            assert_eq!(light, !dark, "{back}");
        }
    }
    numbers_move(&mut browser);
    tables_are_used(&mut browser);
    someone_is_killed(&mut browser, &program.token);
    assert_eq!(browser.complaints, [""; 0]);
    drop(browser);
    program.end.put(()).unwrap();
    program.life.join().unwrap();
}

fn numbers_move(browser: &mut Browser) {
    browser.until(&format!("Number({}) > 50", tile("Wake-ups a second")));
    let points = "document.querySelector('polyline').getAttribute('points').split(' ').length";
    let before = browser.evaluate(points).as_u64().unwrap();
    browser.until(&format!("{points} > {}", before + 1));
    browser.until("document.querySelector('#tab-warnings').textContent !== 'Warnings 0'");
    browser.evaluate("document.getElementById('tab-warnings').click()");
    browser.until("document.querySelector('#table').textContent.includes('selfish')");
    // A page that pauses does not ask.
    browser.evaluate("document.getElementById('pause').click()");
    thread::sleep(Duration::from_millis(1500));
    let before = browser.evaluate(points);
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(browser.evaluate(points), before);
    browser.evaluate("document.getElementById('pause').click()");
}

fn tables_are_used(browser: &mut Browser) {
    browser.evaluate("document.getElementById('tab-waits').click()");
    browser.until("document.querySelector('#table').textContent.includes('joins it')");
    browser.evaluate("document.getElementById('tab-greenthreads').click()");
    // Names are shown, and are never markup.
    assert_eq!(
        browser.evaluate("document.querySelector('#table img')"),
        Value::Null
    );
    browser.until("document.querySelector('#table').textContent.includes('<img src=x')");
    browser.evaluate("document.querySelector('[data-sort=ran]').click()");
    browser.until("document.querySelector('th[aria-sort=descending]')?.textContent === 'Ran ↓'");
    let search = "const search = document.getElementById('search'); search.value = 'JOINS'; search.dispatchEvent(new Event('input'))";
    browser.evaluate(&format!("{{ {search} }}"));
    browser.until("document.querySelectorAll('#table tbody tr').length === 1");
    browser.evaluate("document.querySelector('#table tbody tr button').click()");
    browser.until("document.getElementById('stack').textContent.includes('join')");
    assert_eq!(
        browser.evaluate("document.getElementById('details').open"),
        true
    );
    let facts = browser.evaluate("document.getElementById('facts').textContent");
    assert!(
        facts.as_str().unwrap().contains("the end of greenthread"),
        "{facts}"
    );
}

fn someone_is_killed(browser: &mut Browser, token: &str) {
    let dead = "document.getElementById('killed').textContent === 'It has ended.'";
    browser.evaluate(&format!(
        "document.getElementById('token').value = '{token}'"
    ));
    browser.evaluate("document.getElementById('kill').click()");
    browser.until(dead);
    browser.evaluate("document.getElementById('details').close()");
    browser.until("document.querySelectorAll('#table tbody tr').length === 0");
    let address = browser.evaluate("location.href");
    assert!(!address.as_str().unwrap().contains(token));
}
