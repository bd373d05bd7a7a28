// Numbers, times and sizes as people read them, and elements of a page.

export function count(n) {
  if (n === null || n === undefined) return "–";
  if (n >= 1e9) return (n / 1e9).toFixed(2) + " G";
  if (n >= 1e6) return (n / 1e6).toFixed(2) + " M";
  if (n >= 1e4) return (n / 1e3).toFixed(1) + " k";
  return Number.isInteger(n) ? String(n) : n.toFixed(n < 10 ? 1 : 0);
}

export function time(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0";
  if (seconds < 1e-3) return (seconds * 1e6).toFixed(0) + " µs";
  if (seconds < 1) return (seconds * 1e3).toFixed(seconds < 0.01 ? 1 : 0) + " ms";
  if (seconds < 60) return seconds.toFixed(1) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min " + Math.floor(seconds % 60) + " s";
  if (seconds < 86400) return Math.floor(seconds / 3600) + " h " + Math.floor((seconds % 3600) / 60) + " min";
  return Math.floor(seconds / 86400) + " d " + Math.floor((seconds % 86400) / 3600) + " h";
}

export function bytes(n) {
  if (n === null || n === undefined) return "–";
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (n < 1024) return (unit === "B" || n >= 100 ? n.toFixed(0) : n.toFixed(1)) + " " + unit;
    n /= 1024;
  }
  return n.toFixed(1) + " TiB";
}

export function percent(share) {
  return (100 * share).toFixed(share < 0.1 ? 1 : 0) + " %";
}

export function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString();
}

// What is shown is never read as markup: names come from the program, and with them whatever its clients have said.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const greenthread = (id) => (id === 0 ? "the thread itself" : "greenthread " + id);

// A stack from where the program has called green: above that is how green waits, and how it looks at stacks.
export function own(stack) {
  const frames = stack.split(/\n(?=\s*\d+: )/);
  const machinery = /^\s*\d+: <?(std::backtrace|greenlet::|green::runtime::|green::debug::)|at \S*(greenlet\/src|green\/src\/(runtime|debug))\//;
  const first = frames.findIndex((frame) => !machinery.test(frame));
  return first > 0 ? `      (${first} frames of green itself)\n` + frames.slice(first).join("\n") : stack;
}
