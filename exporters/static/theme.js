// Light, dark, or as the system says: chosen before anything is drawn, and remembered.
const THEMES = ["auto", "light", "dark"];
const root = document.documentElement;

function remembered() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null; // a browser that keeps nothing
  }
}

function setTheme(theme) {
  root.dataset.theme = theme;
  const button = document.getElementById("theme");
  if (button) button.textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // It lasts as long as the page.
  }
  root.dispatchEvent(new Event("theme"));
}

root.dataset.theme = THEMES.includes(remembered()) ? remembered() : "auto";
addEventListener("DOMContentLoaded", () => {
  setTheme(root.dataset.theme);
  document.getElementById("theme").addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length]);
  });
});
