//! The page in a browser without a window, if there is one on this machine.

mod common;

use std::process::Command;

use common::{Files, run};

/// Under these names Chromium is installed.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Looks at the page as a reader would, and writes what it sees into it.
const LOOK: &str = "<script>
addEventListener('load', () => {
  const seen = [...document.querySelectorAll('svg')].map(svg => {
    const box = svg.getBoundingClientRect();
    // The lines of the data, longer than those of the legend, or the bars.
    const lines = [...svg.querySelectorAll('polyline[stroke-width=\"2\"]')].filter(line => line.getBoundingClientRect().width > 60);
    const bars = [...svg.querySelectorAll('rect')].filter(bar => bar.getBoundingClientRect().height > 1);
    const outside = [...svg.querySelectorAll('text')].filter(text => {
      const place = text.getBoundingClientRect();
      return place.left < box.left || place.right > box.right || place.top < box.top || place.bottom > box.bottom;
    }).map(text => text.textContent.trim());
    const named = svg.querySelector('title').textContent !== '' && svg.querySelector('desc').textContent !== '';
    const good = box.width > 200 && box.height > 100 && lines.length + bars.length > 0 && outside.length === 0 && named;
    return good ? 'good' : 'BAD ' + svg.querySelector('title').textContent + JSON.stringify([box.width, lines.length, bars.length, outside]);
  });
  const wide = document.documentElement.scrollWidth > innerWidth;
  document.title = 'SEEN ' + seen.join(';') + (wide ? ';WIDE' : '') + ' END';
});
</script>";

fn browser() -> Option<&'static str> {
    let runs = |name: &&str| {
        let status = common::quiet(Command::new(name).arg("--version")).status();
        status.is_ok_and(|status| status.success())
    };
    BROWSERS.into_iter().find(runs)
}

#[test]
fn charts_are_seen_and_nothing_is_complained_of() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no Chromium on this machine");
        return;
    };
    let files = Files::new("browser");
    let page = files.path("page.html");
    let line = "--quick --rounds 2 --window 5 --workloads echo,timers,layers --hubs poll,select --connections 1,4 --timers 20,50";
    let mut command = Command::new(env!("CARGO_BIN_EXE_hub-bench"));
    let (code, output, errors) = run(command.args(line.split(' ')).arg("--report").arg(&page));
    assert_eq!(code, Some(0), "{output}{errors}");
    let html = std::fs::read_to_string(&page).unwrap();
    let charts = html.matches("<svg ").count();
    std::fs::write(&page, html.replace("</body>", &format!("{LOOK}</body>"))).unwrap();

    for width in [1280, 500] {
        let mut command = Command::new("timeout");
        command.args(["60", browser, "--headless", "--no-sandbox", "--disable-gpu"]);
        command.args([
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
        ]);
        command.args([
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
        ]);
        command.arg(format!("--window-size={width},900"));
        command.arg(format!(
            "--user-data-dir={}",
            files.path("profile").display()
        ));
        command
            .arg("--dump-dom")
            .arg(format!("file://{}", page.display()));
        let (code, output, errors) = run(&mut command);
        assert_eq!(code, Some(0), "{errors}");
        let complaints: Vec<_> = errors
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .collect();
        assert!(complaints.is_empty(), "{complaints:?}");
        let seen = output
            .split_once("SEEN ")
            .and_then(|(_, rest)| rest.split_once(" END"));
        let (seen, _) = seen.unwrap_or_else(|| panic!("the page was not looked at: {errors}"));
        let good = vec!["good"; charts].join(";");
        assert_eq!(seen, good, "at a width of {width}");
    }
}
