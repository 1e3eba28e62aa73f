// Keeps the page live: fetches what has changed every few seconds, and what is chosen at once.
import { draw, load } from "./charts.js";
import { morph } from "./morph.js";

const EVERY = 3000; // milliseconds between two looks at the numbers
const CHARTS_EVERY = 5; // looks between two looks at the charts' numbers
const state = document.getElementById("state");
const form = document.getElementById("controls");
const today = document.getElementById("today");
const day = form.elements.namedItem("as_of");
let looks = 0;
let asked = 0;

const said = () => document.querySelector("[data-part=asked] [data-today]").dataset;
let newest = said().today;

function query() {
  const chosen = new URLSearchParams(new FormData(form));
  if (day.value === newest || !day.value) chosen.delete("as_of");
  return chosen;
}

function tell(text, bad) {
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("bad", bad);
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
    // While the exporter has no numbers, the last known ones stay, below the reason.
    if (old && part.childNodes.length) morph(old, part);
  }
  const trouble = document.querySelector("[data-part=asked] .trouble");
  if (said().today !== newest) {
    // Midnight has passed: whoever looks at today looks at the new day.
    if (day.value === newest) day.value = said().today;
    newest = day.max = said().today;
  }
  const past = day.value && day.value !== newest;
  today.hidden = !past;
  tell(trouble ? "no numbers; those below are the last known" : past ? `as of ${day.value}` : "live", !!trouble);
}

async function refresh(charts) {
  const mine = ++asked;
  try {
    const chosen = query();
    const answer = await fetch(`/numbers?${chosen}`, { signal: AbortSignal.timeout(20000) });
    const html = await answer.text();
    if (mine !== asked) return; // something else has been chosen meanwhile
    show(html);
    if (charts && answer.ok)
      await load(chosen, () => mine === asked).catch(() => tell("live, but no news for the charts", true));
  } catch {
    if (mine === asked) tell("no answer from the exporter; the numbers below are the last known", true);
  }
}

async function live() {
  if (!document.hidden) await refresh(looks++ % CHARTS_EVERY === 0);
  setTimeout(live, EVERY);
}

function choose() {
  if (!form.reportValidity()) return;
  history.replaceState(null, "", `/?${query()}`);
  refresh(true);
}

form.addEventListener("change", choose);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  choose();
});
today.addEventListener("click", () => {
  day.value = newest;
  choose();
  day.focus();
});
document.documentElement.addEventListener("theme", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
live();
