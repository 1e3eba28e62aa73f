// What the charts show: the trends and the movements, as the API has them.
import { alpha, bar, describe, ink, plot, shown } from "./drawing.js";

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
    lines: [
      line("NPS", "growth_nps", { period: "90d" }),
      line("Error", "growth_nps_standard_error", { period: "90d" }),
    ],
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
let trends, movements;

/** Fetches the numbers of all charts for what is chosen, and draws them if they are still wanted then. */
export async function load(chosen, wanted) {
  const to = chosen.has("as_of") ? { to: chosen.get("as_of") } : {};
  const last = chosen.get("as_of") ?? document.querySelector("[data-today]").dataset.today;
  const length = Number(chosen.get("trend") ?? 90);
  const step = length > 100 ? "week" : "day";
  const metrics = Object.values(TRENDS).flatMap(({ lines }) => lines.map(({ metric }) => metric));
  const period = [
    ["period", "30d"],
    ["period", "90d"],
  ];
  const target = [["target", "customer_churn_ratio"]];
  const found = await Promise.all([
    ask([["metric", metrics.join()], ...period, ...target, ["from", before(last, length - 1)], ["step", step]], to),
    ask(
      [
        ["metric", "growth_mrr_movement"],
        ["period", "month"],
        ["from", before(last, 335)],
        ["step", "month"],
      ],
      to,
    ),
  ]);
  if (!wanted()) return;
  [trends, movements] = found;
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
  const fits = (each) =>
    each.metric === metric && Object.entries(labels).every(([name, value]) => each.labels[name] === value);
  return series.find(fits)?.values ?? days.map(() => null);
}

function trend(name, lines, show) {
  let rows = lines
    .map((each) => ({ ...each, values: values(trends, each) }))
    .filter((each) => each.values.some((v) => v !== null));
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
  plot(name, [times, ...rows.map((row) => row.values)], {
    series: [{ label: "Day", value: (_, __, ___, at) => trends.days.at(at ?? -1) }, ...series],
    bands,
    show,
  });
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
    paths: bar(),
    points: { show: false },
    value: (_, __, ___, at) => whole(own.at(at ?? -1)),
  }));
  const first = { label: "Month", value: (_, __, ___, at) => months.at(at ?? -1) };
  plot("movements", [months.map((_, place) => place), ...stacked.reverse()], {
    series: [first, ...series.reverse()],
    months,
    show: whole,
  });
  describe("movements", months, "Month", rows, whole);
}
