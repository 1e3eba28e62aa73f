// Replaces the numbers every two seconds while the page is looked at.
const main = document.querySelector("main");
const state = document.querySelector("#state");

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/numbers");
      if (!answer.ok) throw new Error(answer.statusText);
      main.innerHTML = await answer.text();
      state.textContent = "live";
    } catch {
      state.textContent = "no answer from the exporter; the numbers below are the last known";
    }
  }
  setTimeout(refresh, 2000);
}
setTimeout(refresh, 2000);
