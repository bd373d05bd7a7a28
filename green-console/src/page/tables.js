// The tables: what each column is, and how a row is made.

import { bytes, clock, count, element, greenthread, own, time } from "./words.js";

const link = (id, text) => element("button", { class: "link", type: "button", "data-open": id }, text ?? greenthread(id));

const state = (one) => element("span", { class: "state " + one.state }, one.state === "parked" ? "waits" : one.state);

// A wait that was there before anybody looked has taken at least as long as is known.
const stopped = (one) => (one.stopped === null ? "–" : time(one.stopped));

const why = (one) => (one.waits_for ? element("span", { class: "reason" }, one.waits_for) : "");

const who = (one) => link(one.id, one.id === 0 ? "0 the thread" : one.id + (one.name ? " " + one.name : ""));

// Title, key to sort by, cell, class, what it means.
const COLUMNS = [
  ["Greenthread", "id", who, "", "Its number and name. A click shows its stack."],
  ["State", "state", state, "", "runs, is ready (in the run queue), waits, is fresh (has not run yet) or delayed"],
  ["Waits for", "waits_for", why, "full", "What ends its wait, and who could end it as far as that is known"],
  ["Stopped for", "stopped", stopped, "number", "How long it has not run; at least so long, if it has not run since somebody looks"],
  ["Ran", "ran", (one) => time(one.ran), "number", "How long it has run since somebody looks"],
  ["Turns", "switches", (one) => count(one.switches), "number wide", "How often it was switched to since somebody looks"],
  ["Bytes", "bytes", (one) => bytes(one.bytes_read + one.bytes_written), "number wide", "Read and written since somebody looks"],
  ["Age", "age", (one) => time(one.age), "number wide", "Since its spawn"],
  ["Spawned at", "spawned_at", (one) => element("span", { class: "mono" }, one.spawned_at), "wide", "The place in the source"],
];

function table(columns, rows, sort, empty) {
  if (rows.length === 0) return element("p", { class: "empty" }, empty);
  const heads = columns.map(([title, key, , kind, about]) => {
    const sorted = sort && sort.by === key;
    const order = sorted ? (sort.descending ? "descending" : "ascending") : null;
    const arrow = sorted ? (sort.descending ? " ↓" : " ↑") : "";
    const text = key && sort ? element("button", { type: "button", "data-sort": key }, title + arrow) : title;
    return element("th", { class: kind, title: about, "aria-sort": order, scope: "col" }, text);
  });
  const body = rows.map((row) => {
    const cells = columns.map(([title, , cell, kind]) => element("td", { class: kind, "data-label": title }, cell(row)));
    return element("tr", { "data-id": row.id }, ...cells);
  });
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body));
}

export function greenthreads(data, sort) {
  return table(COLUMNS, data.greenthreads.shown, sort, "No greenthread has these words.");
}

export function places(data) {
  const states = (place) => Object.entries(place.states).map(([name, n]) => `${n} ${name === "parked" ? "wait" : name}`).join(", ");
  return table([
    ["Spawned at", null, (place) => element("button", { class: "link mono", type: "button", "data-search": place.spawned_at }, place.spawned_at), "full", "A click shows those of this place"],
    ["Alive", null, (place) => count(place.greenthreads), "number"],
    ["They", null, states, "wide"],
    ["Ran", null, (place) => time(place.ran), "number", "All together, since somebody looks"],
    ["Turns", null, (place) => count(place.switches), "number wide"],
    ["Bytes", null, (place) => bytes(place.bytes_read + place.bytes_written), "number wide"],
    ["Longest stop", null, (place) => time(place.stopped), "number wide", "Of the one that has not run for longest"],
    ["Oldest", null, (place) => time(place.oldest), "number wide"],
  ], data.places, null, "There are none.");
}

export function tree(data) {
  const shown = data.greenthreads.shown;
  const known = new Set(shown.map((one) => one.id));
  const children = new Map();
  for (const one of [...shown].sort((a, b) => a.id - b.id)) {
    const parent = known.has(one.spawned_by) ? one.spawned_by : null;
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(one);
  }
  const rows = [];
  const next = (children.get(null) ?? []).map((one) => [one, 0]).reverse();
  while (next.length > 0) {
    const [one, depth] = next.pop();
    rows.push({ ...one, depth });
    for (const child of (children.get(one.id) ?? []).toReversed()) next.push([child, depth + 1]);
  }
  const indented = (one) => {
    const cell = element("div", {}, who(one));
    cell.style.paddingLeft = Math.min(one.depth, 12) * 1.1 + "em";
    return cell;
  };
  return table([
    ["Greenthread", null, indented, "", "Below the one that has spawned it, as long as that one lives"],
    ["State", null, state, ""],
    ["Waits for", null, why, "full"],
    ["Spawned at", null, (one) => element("span", { class: "mono" }, one.spawned_at), "wide"],
  ], rows, null, "There are none.");
}

// Those who wait for each other in a circle can never run on.
function circles(waits) {
  const found = new Set();
  for (const start of waits.keys()) {
    const seen = new Set();
    let id = start;
    while (waits.has(id) && !seen.has(id)) {
      seen.add(id);
      // Only where a single one could end the wait.
      const on = waits.get(id);
      id = on.length === 1 ? on[0] : null;
    }
    if (id === start) found.add(start);
  }
  return found;
}

export function waits(data) {
  const rows = data.greenthreads.shown.filter((one) => one.waits_on.length > 0);
  const found = circles(new Map(rows.map((one) => [one.id, one.waits_on])));
  const on = (one) => element("span", {}, ...one.waits_on.flatMap((id) => [link(id), " "]));
  const circle = (one) => (found.has(one.id) ? element("span", { class: "circle" }, "in a circle ") : null);
  return table([
    ["Greenthread", null, (one) => element("span", {}, circle(one), who(one)), ""],
    ["Waits for", null, on, "", "Whose next step could end the wait"],
    ["By", null, why, "full"],
    ["Stopped for", null, stopped, "number"],
    ["Spawned at", null, (one) => element("span", { class: "mono" }, one.spawned_at), "wide"],
  ], rows, null, "None of those that are shown waits for another one that is known.");
}

export function descriptors(data) {
  return table([
    ["Descriptor", null, (wait) => String(wait.descriptor), "number"],
    ["For", null, (wait) => wait.for, ""],
    ["Greenthread", null, (wait) => (wait.greenthread === null ? "a future" : link(wait.greenthread)), ""],
    ["Who", null, (wait) => wait.who, "full"],
  ], data.listeners.shown, null, "Nobody waits for a descriptor.");
}

export function timers(data) {
  return table([
    ["Due in", null, (timer) => time(timer.due_in), "number"],
    ["Greenthread", null, (timer) => (timer.greenthread === null ? "a future" : link(timer.greenthread)), ""],
    ["What", null, (timer) => timer.what, "full"],
  ], data.timers.shown, null, "No timer runs.");
}

export function warnings(data) {
  const by = (warning) => {
    if (warning.greenthread === null) return "not known: nobody looked, or it was the system";
    const text = greenthread(warning.greenthread) + (warning.name ? " " + warning.name : "");
    return element("span", {}, link(warning.greenthread, text), element("br"), element("span", { class: "mono" }, warning.spawned_at));
  };
  const stack = (warning) => (warning.stack ? element("details", {}, element("summary", {}, "stack"), element("pre", { tabindex: 0 }, own(warning.stack))) : "");
  return table([
    ["At", null, (warning) => clock(warning.at), ""],
    ["The others waited for", null, (warning) => time(warning.seconds), "number"],
    ["Because of", null, by, "full"],
    ["Where it let them run", null, stack, "full"],
  ], [...data.warnings.shown].reverse(), null, `Nobody has kept the others from running for ${time(data.program.blocked_after)}.`);
}
