// Draws the trends and the movements with uPlot, and writes the numbers of each chart as a table.
/* global uPlot */
const INKS = ["--blue", "--orange", "--purple"];
const DASHES = [[], [7, 4], [2, 3]];
const percent = (value) => `${(100 * value).toLocaleString("en-US", { maximumFractionDigits: 1 })}%`;
const whole = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
const points = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 1 });
const line = (label, metric, labels = {}) => ({ label, metric, labels });

const TRENDS = {
  mrr: { show: whole, lines: [line("MRR", "growth_mrr")] },
  customers: { show: whole, lines: [line("Customers", "growth_customers"), line("Subscribers", "growth_subscribers")] },
  users: {
    show: whole,
    lines: [
      line("30 days", "growth_monthly_active_users"),
      line("7 days", "growth_weekly_active_users"),
      line("Day", "growth_daily_active_users"),
    ],
  },
  churn: {
    show: percent,
    lines: [
      line("Customers", "growth_customer_churn_ratio", { period: "30d" }),
      line("Subscribers", "growth_subscriber_churn_ratio", { period: "30d" }),
      line("Target", "growth_target", { target: "customer_churn_ratio" }),
    ],
  },
  retention: {
    show: percent,
    lines: [
      line("Net", "growth_revenue_retention_ratio", { period: "30d", kind: "net" }),
      line("Gross", "growth_revenue_retention_ratio", { period: "30d", kind: "gross" }),
    ],
  },
  nps: {
    show: points,
    lines: [line("NPS", "growth_nps", { period: "90d" }), line("Error", "growth_nps_standard_error", { period: "90d" })],
  },
};
const MOVEMENTS = [
  ["new", "New", "--blue"],
  ["expansion", "Expansion", "--sky"],
  ["reactivation", "Reactivation", "--green"],
  ["contraction", "Contraction", "--orange"],
  ["churn", "Churn", "--vermilion"],
  ["fx", "Exchange rates", "--grey"],
];
const plots = new Map();
let trends, movements;

/** Fetches the numbers of all charts for what is chosen, and draws them. */
export async function load(chosen) {
  const to = chosen.has("as_of") ? { to: chosen.get("as_of") } : {};
  const last = chosen.get("as_of") ?? document.querySelector("[data-today]").dataset.today;
  const length = Number(chosen.get("trend") ?? 90);
  const step = length > 100 ? "week" : "day";
  const metrics = Object.values(TRENDS).flatMap(({ lines }) => lines.map(({ metric }) => metric));
  const period = [["period", "30d"], ["period", "90d"]];
  const target = [["target", "customer_churn_ratio"]];
  [trends, movements] = await Promise.all([
    ask([["metric", metrics.join()], ...period, ...target, ["from", before(last, length - 1)], ["step", step]], to),
    ask([["metric", "growth_mrr_movement"], ["period", "month"], ["from", before(last, 335)], ["step", "month"]], to),
  ]);
  draw();
}

/** Draws all charts anew, as after a change of the theme. */
export function draw() {
  if (!trends) return;
  for (const [name, { lines, show }] of Object.entries(TRENDS)) trend(name, lines, show);
  bars();
}

async function ask(parameters, to) {
  const answer = await fetch(`/api/v1/series?${new URLSearchParams([...parameters, ...Object.entries(to)])}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

function before(day, days) {
  return new Date(Math.max(0, Date.parse(day) - days * 86400000)).toISOString().slice(0, 10);
}

function values({ series, days }, { metric, labels }) {
  const fits = (each) => each.metric === metric && Object.entries(labels).every(([name, value]) => each.labels[name] === value);
  return series.find(fits)?.values ?? days.map(() => null);
}

function ink(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function trend(name, lines, show) {
  let rows = lines.map((each) => ({ ...each, values: values(trends, each) })).filter((each) => each.values.some((v) => v !== null));
  let bands = [];
  if (name === "nps" && rows.length === 2) {
    const [score, error] = rows;
    const off = (sign) => score.values.map((v, i) => (v === null ? null : v + 2 * sign * error.values[i]));
    rows = [score, { label: "Upper", values: off(1) }, { label: "Lower", values: off(-1) }];
    bands = [{ series: [2, 3], fill: alpha(ink("--blue"), 0.15) }];
  }
  const series = rows.map(({ label }, place) => {
    const edge = bands.length && place > 0;
    return {
      label,
      stroke: ink(edge ? "--grey" : INKS[place]),
      width: edge ? 1 : 2,
      dash: DASHES[edge ? 2 : place],
      points: { show: trends.days.length < 3 },
      // Without a pointer on the chart the legend has the latest numbers.
      value: (_, __, ___, at) => shown(rows[place].values.at(at ?? -1), show),
    };
  });
  const times = trends.days.map((day) => Date.parse(day) / 1000);
  plot(name, [times, ...rows.map((row) => row.values)], { series: [{ label: "Day", value: (_, __, ___, at) => trends.days.at(at ?? -1) }, ...series], bands, show });
  describe(name, trends.days, "Day", rows, show);
}

function bars() {
  const months = movements.days.map((day) => day.slice(0, 7));
  const rows = MOVEMENTS.map(([movement, label, color]) => {
    const found = values(movements, { metric: "growth_mrr_movement", labels: { period: "month", movement } });
    return { label, color, values: found.map((value) => value ?? 0) };
  });
  // Losses are stacked downwards and gains upwards, each bar drawn over the longer ones behind it.
  const sums = { 1: months.map(() => 0), [-1]: months.map(() => 0) };
  const stacked = rows.map((row) => row.values.map((value, place) => (sums[value < 0 ? -1 : 1][place] += value)));
  const series = rows.map(({ label, color, values: own }) => ({
    label,
    fill: ink(color),
    stroke: ink("--card"),
    width: 1,
    paths: uPlot.paths.bars({ size: [0.7, 48] }),
    points: { show: false },
    value: (_, __, ___, at) => whole(own.at(at ?? -1)),
  }));
  const first = { label: "Month", value: (_, __, ___, at) => months.at(at ?? -1) };
  plot("movements", [months.map((_, place) => place), ...stacked.reverse()], { series: [first, ...series.reverse()], months, show: whole });
  describe("movements", months, "Month", rows, whole);
}

function plot(name, data, { series, bands = [], months, show }) {
  const home = document.querySelector(`[data-chart=${name}] .plot`);
  const known = plots.get(name);
  const look = JSON.stringify([series.map(({ label, stroke, fill }) => [label, stroke, fill]), months]);
  if (known?.look === look) {
    known.values.splice(0, known.values.length, ...series);
    known.chart.series.forEach((each, place) => (each.value = series[place].value));
    known.chart.setData(data);
    return;
  }
  known?.watch.disconnect();
  known?.chart.destroy();
  const axis = { stroke: ink("--soft"), grid: { stroke: ink("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const labels = months ? { values: (_, ticks) => ticks.map((v) => (Number.isInteger(v) ? (months[v] ?? "").slice(2) : "")), grid: { show: false } } : { values: (_, ticks) => ticks.map(named), space: 64 };
  const chart = new uPlot(
    {
      width: Math.max(200, home.clientWidth),
      height: months ? 300 : 190,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { sync: { key: months ? "months" : "days" }, drag: { x: false, y: false } },
      scales: { x: months ? { time: false, range: [-0.6, months.length - 0.4] } : {}, y: { range: padded } },
      axes: [{ ...axis, size: 32, ...labels }, { ...axis, size: 64, values: (_, ticks) => ticks.map(show) }],
      legend: { markers: { dash: (_, place) => (series[place].dash?.length ? "dashed" : "solid"), width: 2 } },
      series,
      bands,
    },
    data,
    home,
  );
  const watch = new ResizeObserver(() => chart.setSize({ width: Math.max(200, home.clientWidth), height: chart.height }));
  watch.observe(home);
  plots.set(name, { chart, look, watch, values: [...series] });
}

function padded(_, low, high) {
  if (low === null || high === null) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.1;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

/** Says in words and in a table what a chart shows. */
function describe(name, days, head, rows, show) {
  const figure = document.querySelector(`[data-chart=${name}]`);
  const title = figure.querySelector("figcaption").textContent;
  const latest = rows.map(({ label, values: all }) => `${label} ${shown(all.at(-1), show)}`).join(", ");
  const image = figure.querySelector(".plot");
  image.setAttribute("role", "img");
  image.setAttribute("aria-label", `${title}, ${days[0]} to ${days.at(-1)}; at the end: ${latest || "no numbers"}.`);
  const table = document.createElement("table");
  const caption = table.createCaption();
  caption.textContent = title;
  const cells = (row, kind, texts) => texts.forEach((text, place) => row.append(cell(place ? kind : "th", text, kind === "th" ? "col" : "row")));
  cells(table.createTHead().insertRow(), "th", [head, ...rows.map(({ label }) => label)]);
  const body = table.createTBody();
  days.forEach((day, place) => cells(body.insertRow(), "td", [day, ...rows.map(({ values: all }) => (shown(all[place], show)))]));
  figure.querySelector("details .scroll").replaceChildren(table);
}

function cell(kind, text, scope) {
  const made = document.createElement(kind);
  if (kind === "th") made.scope = scope;
  made.textContent = text;
  return made;
}

function shown(value, show) {
  return value === null || value === undefined ? "–" : show(value);
}

function named(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

function alpha(color, share) {
  return color.replace("rgb(", "rgba(").replace(")", `, ${share})`);
}
