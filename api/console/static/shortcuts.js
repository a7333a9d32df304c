// Keys of operators: they open a page or the next case, or focus the search. A field takes its keys itself; an open dialog takes
// them all. Whoever needs single keys for something else switches ours off in this browser.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const PAGES = { t: "/today", r: "/releases", c: "/cases" };
  const PAIR_MILLISECONDS = 1500; // between `g` and the letter of a page
  const SETTING = "iftah-shortcuts";
  const dialog = document.getElementById("shortcuts");
  const choice = dialog.querySelector("input");
  let pairUntil = 0;

  choice.checked = localStorage.getItem(SETTING) !== "off";
  choice.addEventListener("change", () => localStorage.setItem(SETTING, choice.checked ? "on" : "off"));

  function openNextCase() {
    const [, kind, name] = location.pathname.match(/^\/cases\/(disputes|reviews)\/(\w+)$/) || [];
    location.assign(kind ? `/cases/next?skip=${name}` : "/cases/next");
  }

  function focusSearch() {
    const form = document.querySelector("form[role=search]");
    if (form) form.querySelector("input:not([type=date]):not([type=hidden])").focus();
    return Boolean(form);
  }

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select, [contenteditable]:not([contenteditable=false])");
    if (isTyping || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!choice.checked || document.querySelector("dialog[open]")) return;
    const isPair = event.timeStamp < pairUntil;
    pairUntil = 0;
    if (isPair && event.key in PAGES) location.assign(PAGES[event.key]);
    else if (event.key === "g") pairUntil = event.timeStamp + PAIR_MILLISECONDS;
    else if (event.key === "n") openNextCase();
    else if (event.key === "?") dialog.showModal();
    else if (event.key === "/" && focusSearch()) event.preventDefault();
  });
});
