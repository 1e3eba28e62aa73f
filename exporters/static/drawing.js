// Draws a chart with uPlot, and tells its numbers in words and in a table.
/* global uPlot */
const plots = new Map();

/** Draws a chart, or only its new numbers where it is there already. */
export function plot(name, data, { series, bands = [], months, show }) {
  const home = document.querySelector(`[data-chart=${name}] .plot`);
  const known = plots.get(name);
  const look = JSON.stringify([series.map(({ label, stroke, fill }) => [label, stroke, fill]), months]);
  if (known?.look === look) {
    known.chart.series.forEach((each, place) => (each.value = series[place].value));
    known.chart.setData(data);
    return;
  }
  known?.watch.disconnect();
  known?.chart.destroy();
  const axis = {
    stroke: ink("--soft"),
    grid: { stroke: ink("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const labels = months
    ? {
        values: (_, ticks) => ticks.map((v) => (Number.isInteger(v) ? (months[v] ?? "").slice(2) : "")),
        grid: { show: false },
      }
    : { values: (_, ticks) => ticks.map(named), space: 64 };
  const chart = new uPlot(
    {
      width: Math.max(200, home.clientWidth),
      height: months ? 300 : 190,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { sync: { key: months ? "months" : "days" }, drag: { x: false, y: false } },
      scales: { x: months ? { time: false, range: [-0.6, months.length - 0.4] } : {}, y: { range: padded } },
      axes: [
        { ...axis, size: 32, ...labels },
        { ...axis, size: 64, values: (_, ticks) => ticks.map(show) },
      ],
      legend: { markers: { dash: (_, place) => (series[place].dash?.length ? "dashed" : "solid"), width: 2 } },
      series,
      bands,
    },
    data,
    home,
  );
  const watch = new ResizeObserver(() =>
    chart.setSize({ width: Math.max(200, home.clientWidth), height: chart.height }),
  );
  watch.observe(home);
  plots.set(name, { chart, look, watch });
}

function padded(_, low, high) {
  if (low === null || high === null) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.1;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

/** Says in words and in a table what a chart shows. */
export function describe(name, days, head, rows, show) {
  const figure = document.querySelector(`[data-chart=${name}]`);
  const title = figure.querySelector("figcaption").textContent;
  const latest = rows.map(({ label, values: all }) => `${label} ${shown(all.at(-1), show)}`).join(", ");
  const image = figure.querySelector(".plot");
  image.setAttribute("role", "img");
  image.setAttribute("aria-label", `${title}, ${days[0]} to ${days.at(-1)}; at the end: ${latest || "no numbers"}.`);
  const table = document.createElement("table");
  const caption = table.createCaption();
  caption.textContent = title;
  const cells = (row, kind, texts) =>
    texts.forEach((text, place) => row.append(cell(place ? kind : "th", text, kind === "th" ? "col" : "row")));
  cells(table.createTHead().insertRow(), "th", [head, ...rows.map(({ label }) => label)]);
  const body = table.createTBody();
  days.forEach((day, place) =>
    cells(body.insertRow(), "td", [day, ...rows.map(({ values: all }) => shown(all[place], show))]),
  );
  figure.querySelector("details .scroll").replaceChildren(table);
}

function cell(kind, text, scope) {
  const made = document.createElement(kind);
  if (kind === "th") made.scope = scope;
  made.textContent = text;
  return made;
}

/** Draws bars in place of a line. */
export function bar() {
  return uPlot.paths.bars({ size: [0.7, 48] });
}

/** Gives a colour of the theme in force. */
export function ink(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Lets something shine through a colour. */
export function alpha(color, share) {
  return color.replace("rgb(", "rgba(").replace(")", `, ${share})`);
}

/** Writes a value, or a dash for none. */
export function shown(value, show) {
  return value === null || value === undefined ? "–" : show(value);
}

function named(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}
