// Charts of the last five minutes.

import { bytes, clock, count, element, percent, time } from "./words.js";

const WIDTH = 300;
const HEIGHT = 92;
const TOP = 14;
const BOTTOM = 78;
const POINTS = 300;
const SVG = "http://www.w3.org/2000/svg";

const CHARTS = [
  { title: "A second", show: count, series: [["switches", "switches"], ["wakeups", "wake-ups"], ["polls", "polls"]] },
  { title: "Processor", show: percent, least: 1, series: [["processor", "of one"]] },
  { title: "Greenthreads", show: count, series: [["greenthreads", "alive"], ["runnable", "in the run queue"]] },
  { title: "Late by", show: time, least: 0.01, series: [["late", "the console itself"]] },
  { title: "Waits", show: count, series: [["waiting_for_descriptors", "for descriptors"], ["timers", "timers"]] },
  { title: "Memory", show: bytes, series: [["resident_bytes", "resident"], ["stack_bytes", "of stacks"]] },
];

function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

class Chart {
  constructor(about) {
    this.about = about;
    this.values = about.series.map(([, name], at) => element("span", { class: "s" + at }, name));
    this.caption = element("figcaption", {}, element("b", {}, about.title), ...this.values);
    this.lines = about.series.map((_, at) => svg("polyline", { class: "s" + at }));
    this.most = svg("text", { x: 0, y: 10 });
    this.cursor = svg("line", { class: "cursor", y1: TOP, y2: BOTTOM, visibility: "hidden" });
    const from = svg("text", { x: 0, y: 90 }, "5 min ago");
    const now = svg("text", { x: WIDTH, y: 90, "text-anchor": "end" }, "now");
    const grid = [TOP, BOTTOM].map((y) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y }));
    this.svg = svg("svg", { role: "img", "aria-label": about.title });
    this.svg.append(...grid, ...this.lines, this.cursor, this.most, from, now);
    this.figure = element("figure", {}, this.caption, this.svg);
    this.history = [];
    this.at = null;
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.now = now;
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const place = event ? Math.round((event.clientX - box.left) / box.width * (POINTS - 1)) : null;
    const index = place === null ? null : place - (POINTS - this.history.length);
    this.at = index !== null && index >= 0 && index < this.history.length ? index : null;
    this.draw(this.history);
  }

  draw(history) {
    this.history = history;
    const width = this.svg.clientWidth || WIDTH;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const { series, show, least = 1 } = this.about;
    const top = Math.max(least, ...history.flatMap((point) => series.map(([key]) => point[key])));
    const x = (index) => (width * (POINTS - history.length + index)) / (POINTS - 1);
    const y = (value) => BOTTOM - ((BOTTOM - TOP) * value) / top;
    series.forEach(([key, name], at) => {
      const points = history.map((point, index) => `${x(index).toFixed(1)},${y(point[key]).toFixed(1)}`);
      this.lines[at].setAttribute("points", points.join(" "));
      const shown = history[this.at ?? history.length - 1];
      this.values[at].textContent = shown ? `${name} ${show(shown[key])}` : name;
    });
    for (const line of this.svg.querySelectorAll(".grid")) line.setAttribute("x2", width);
    this.now.setAttribute("x", width);
    this.most.textContent = show(top);
    this.cursor.setAttribute("visibility", this.at === null ? "hidden" : "visible");
    if (this.at !== null) {
      this.cursor.setAttribute("x1", x(this.at));
      this.cursor.setAttribute("x2", x(this.at));
    }
    this.now.textContent = this.at === null ? "now" : clock(history[this.at].at);
  }
}

export class Charts {
  constructor(place) {
    this.history = [];
    this.charts = CHARTS.map((about) => new Chart(about));
    place.append(...this.charts.map((chart) => chart.figure));
    addEventListener("resize", () => this.draw());
  }

  begin(history) {
    this.history = history.slice(-POINTS);
    this.draw();
  }

  add(point) {
    const last = this.history.at(-1);
    if (!point || (last && point.at <= last.at)) return;
    this.history.push(point);
    if (this.history.length > POINTS) this.history.shift();
    this.draw();
  }

  draw() {
    for (const chart of this.charts) chart.draw(this.history);
  }
}
