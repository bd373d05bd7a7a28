//! How the page looks, in the light and in the dark.

use std::fmt::Write as _;

use super::chart::{COLOURS, GRID, INK};

pub(super) fn style() -> String {
    let mut dark = String::new();
    for (drawn, on_dark) in COLOURS.into_iter().chain([INK, GRID]) {
        let _ = writeln!(
            dark,
            "  svg [stroke=\"{drawn}\"] {{ stroke: {on_dark}; }} svg [fill=\"{drawn}\"] {{ fill: {on_dark}; }}"
        );
    }
    format!("{STYLE}@media screen and (prefers-color-scheme: dark) {{\n{DARK}{dark}}}\n")
}

const STYLE: &str = "\
:root { --ink: #1b1f24; --quiet: #57606a; --back: #ffffff; --card: #f6f8fa; --line: #d8dce2; --link: #0057a8;
  --told: #1b1f24; --h0: #d3ecd9; --h1: #f6f8fa; --h2: #fdf0cd; --h3: #fbd9a0; --h4: #f5ad73; --h5: #ee8461; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--back); }
h1 { margin: 0 0 .75rem; font-size: 1.9rem; }
.verdict { margin: 0 0 1.25rem; max-width: 56rem; font-size: 1.15rem; }
h2 { margin: 2.5rem 0 .25rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.35rem;
  text-transform: capitalize; }
p { margin: .25rem 0 1rem; max-width: 46rem; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 0 0 1rem; }
dt { color: var(--quiet); font-size: .8rem; }
dd { margin: 0; }
.remarks { margin: 0 0 1rem; padding: .75rem 1rem .75rem 2rem; background: var(--card); border-radius: .5rem;
  font-size: .9rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
a { color: var(--link); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }
figure { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: .5rem; }
figcaption { padding: 0 0 .25rem .5rem; font-weight: 600; font-size: .95rem; }
svg { display: block; width: 100%; max-width: 44rem; height: auto; }
svg text { font-family: system-ui, sans-serif; }
thead small { display: block; min-width: 4.5rem; max-width: 8rem; white-space: normal; font-size: .72rem; line-height: 1.25; }
.heat { margin: 0 0 1.25rem; max-width: 56rem; }
.heat .scroll { margin: 0; }
.heat table td, .heat table th { text-align: right; }
.heat table th:first-child { text-align: left; white-space: normal; }
.heat td { min-width: 4.2rem; color: var(--told); }
.key { margin: .75rem .5rem 0; color: var(--quiet); font-size: .8rem; }
.key span { display: inline-block; padding: 0 .4rem; color: var(--told); }
.h0 { background: var(--h0); } .h1 { background: var(--h1); } .h2 { background: var(--h2); }
.h3 { background: var(--h3); } .h4 { background: var(--h4); } .h5 { background: var(--h5); }
.scroll { margin-top: 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; font-weight: normal; }
th:nth-child(-n+2), td:nth-child(-n+2), th:nth-child(4) { text-align: left; }
thead th { border-bottom: 1px solid var(--ink); color: var(--quiet); vertical-align: bottom; }
tr.first td, tr.first th { border-top: 1px solid var(--line); }
strong { font-weight: 650; }
@media (max-width: 30rem) { body { padding: .75rem; } .heat { padding: .5rem .25rem; } .heat td { min-width: 0; }
  .heat td, .heat th { padding: .2rem .3rem; } .heat table { font-size: .8rem; } }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
";

const DARK: &str = "  :root { --ink: #e6e8eb; --quiet: #9aa4af; --back: #14171b; --card: #1d2127; --line: #3a414b; \
--link: #79b8ff;\n  --told: #f2f4f6; --h0: #1f4a30; --h1: #1d2127; --h2: #4a3d14; --h3: #6b4a10; --h4: #8a4313; --h5: #a8321f; }\n";
