// The page: asks once a second, and shows what is answered.

import { Charts } from "./charts.js";
import * as tables from "./tables.js";
import { bytes, count, element, greenthread, own, percent, time } from "./words.js";

const $ = (id) => document.getElementById(id);

const TABS = [
  ["greenthreads", "Greenthreads", tables.greenthreads, (data) => data.greenthreads.total],
  ["places", "By place", tables.places, (data) => data.places.length],
  ["tree", "Spawn tree", tables.tree],
  ["waits", "Who waits for whom", tables.waits],
  ["descriptors", "Listeners", tables.descriptors, (data) => data.listeners.total],
  ["timers", "Timers", tables.timers, (data) => data.timers.total],
  ["warnings", "Warnings", tables.warnings, (data) => data.warnings.total],
  ["record", "Record", null],
];

const sort = { by: "id", descending: false };
const charts = new Charts($("charts"));
let tab = TABS[0];
let data = null;
let paused = false;
let open = null;
let asked = 0;

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.text()).trim() || answer.statusText);
  return answer.json();
}

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = text === "";
  $("alive").classList.toggle("on", text === "");
}

async function look() {
  const query = new URLSearchParams({ sort: sort.by, order: sort.descending ? "descending" : "ascending" });
  if ($("search").value.trim()) query.set("search", $("search").value.trim());
  const mine = ++asked;
  try {
    const answer = await ask("json?" + query);
    // A later question has been answered first.
    if (mine !== asked) return;
    data = answer;
    trouble("");
    show();
  } catch (error) {
    trouble("The program does not answer: " + error.message);
  }
}

function show() {
  const { program, history, counters } = data;
  const name = (program.program ?? "").split("/").at(-1);
  $("program").textContent = `${name}, process ${program.process}, thread ${program.thread}, hub ${program.hub}, watched for ${time(program.console_runs_for)}`;
  charts.add(history);
  tiles(history, counters);
  names();
  if (!document.getSelection()?.toString()) rows();
}

function tiles(history, counters) {
  const late = history?.late ?? 0;
  const values = [
    ["Switches a second", count(Math.round(history?.switches ?? 0))],
    ["Wake-ups a second", count(Math.round(history?.wakeups ?? 0))],
    ["Polls a second", count(Math.round(history?.polls ?? 0))],
    ["Processor", percent(history?.processor ?? 0)],
    ["Run queue", count(counters.runnable)],
    ["Greenthreads", count(counters.greenthreads)],
    ["Timers", count(counters.timers)],
    ["Open descriptors", count(counters.open_descriptors ?? counters.descriptors)],
    ["Stacks, mapped", bytes(counters.stack_bytes)],
    ["Memory, resident", bytes(counters.resident_bytes)],
    ["Late by", time(late), late > data.program.blocked_after],
    ["Warnings", count(data.warnings.total), data.warnings.total > 0],
  ];
  $("counters").replaceChildren(...values.map(([name, value, alarm]) =>
    element("div", { class: alarm ? "alarm" : null }, element("dt", {}, name), element("dd", {}, value))));
}

function names() {
  for (const [key, name, , number] of TABS) {
    const button = $("tab-" + key);
    button.setAttribute("aria-selected", key === tab[0]);
    const text = number ? `${name} ${count(number(data))}` : name;
    if (button.textContent !== text) button.textContent = text;
  }
}

// The focus stays where it is, though the rows are made anew.
function rows() {
  const [key, , make] = tab;
  $("record").hidden = make !== null;
  $("table").hidden = make === null;
  $("find").hidden = make === null || ["places", "descriptors", "timers", "warnings"].includes(key);
  if (!make || document.querySelector("#table details[open]")) return;
  const { total, matching, shown } = data.greenthreads;
  $("count").textContent = shown.length === total ? `${total} greenthreads` : `${shown.length} of ${matching} that match, of ${total}`;
  const focus = document.activeElement?.closest("#table button")?.dataset;
  $("table").replaceChildren(make(data, sort));
  for (const [name, value] of Object.entries(focus ?? {})) {
    document.querySelector(`#table [data-${name}="${CSS.escape(value)}"]`)?.focus();
  }
}

async function details(id) {
  open = id;
  $("who").textContent = greenthread(id);
  $("facts").replaceChildren();
  $("stack").textContent = "…";
  $("killed").textContent = "";
  $("killing").hidden = !data?.program.kills || id === 0;
  if (!$("details").open) $("details").showModal();
  try {
    const { greenthread: one, stack } = await ask("greenthread?id=" + id);
    if (open !== id) return;
    $("who").textContent = greenthread(id) + (one.name ? ` “${one.name}”` : "");
    const facts = [
      ["State", one.state === "parked" ? "waits" : one.state],
      ["Waits for", one.waits_for],
      ["Stopped for", one.stopped === null ? null : time(one.stopped)],
      ["Ran", `${time(one.ran)} in ${count(one.switches)} turns`],
      ["Bytes", `read ${bytes(one.bytes_read)}, wrote ${bytes(one.bytes_written)}`],
      ["Age", time(one.age)],
      ["Spawned at", one.spawned_at],
      ["Spawned by", one.spawned_by === null ? null : greenthread(one.spawned_by)],
      ["Locals", one.locals.join(" ")],
    ].filter(([, value]) => value);
    $("facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
    $("stack").textContent = stack ? own(stack) : "It has not run yet.";
  } catch (error) {
    if (open === id) $("stack").textContent = error.message;
  }
}

async function kill(event) {
  event.preventDefault();
  const headers = { "X-Green-Token": $("token").value.trim() };
  try {
    const answer = await fetch("kill?id=" + open, { method: "POST", headers });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const { ended } = await answer.json();
    $("killed").textContent = ended ? "It has ended." : "It unwinds.";
  } catch (error) {
    $("killed").textContent = error.message;
  }
  look();
}

function choose(key) {
  tab = TABS.find((one) => one[0] === key) ?? TABS[0];
  history.replaceState(null, "", "#" + tab[0]);
  if (data) {
    names();
    rows();
  }
}

function record() {
  const seconds = Math.min(60, Math.max(1, Number($("seconds").value) || 5));
  $("trace").href = "trace?seconds=" + seconds;
  $("profile").href = "profile?seconds=" + seconds;
  $("places").href = "profile?by=place&seconds=" + seconds;
}

function clicked(event) {
  const { open: id, sort: key, search } = event.target.closest("button")?.dataset ?? {};
  if (key) {
    sort.descending = sort.by === key ? !sort.descending : key !== "id" && key !== "spawned_at";
    sort.by = key;
    look();
  } else if (search) {
    $("search").value = search;
    choose("greenthreads");
    look();
  } else {
    const row = id ?? event.target.closest("tr[data-id]")?.dataset.id;
    if (row !== undefined) details(Number(row));
  }
}

async function begin() {
  $("tabs").append(...TABS.map(([key, name]) => {
    const button = element("button", { type: "button", role: "tab", id: "tab-" + key, "aria-controls": "tab" }, name);
    button.addEventListener("click", () => choose(key));
    return button;
  }));
  choose(location.hash.slice(1));
  $("table").addEventListener("click", clicked);
  $("search").addEventListener("input", look);
  $("seconds").addEventListener("input", record);
  $("find").addEventListener("submit", (event) => event.preventDefault());
  $("killing").addEventListener("submit", kill);
  $("pause").addEventListener("click", () => {
    paused = !paused;
    $("pause").textContent = paused ? "Go on" : "Pause";
    $("pause").setAttribute("aria-pressed", paused);
  });
  try {
    charts.begin(await ask("history"));
  } catch (error) {
    trouble("The program does not answer: " + error.message);
  }
  for (;;) {
    if (!paused && !document.hidden) await look();
    await new Promise((done) => setTimeout(done, 1000));
  }
}

begin();
