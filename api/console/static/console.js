// What every page does beyond HTML: copy buttons, dialogs that a link opens, and the session's token on htmx's requests.
"use strict";
document.documentElement.classList.add("scripted"); // shows what works only with scripts
document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const source = document.getElementById(copy.dataset.copy);
    const done = copy.dataset.done || copy.textContent;
    navigator.clipboard.writeText(source.value || source.textContent.trim()).then(() => { copy.textContent = done; });
  }
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    document.getElementById(opener.dataset.dialog).showModal();
  }
  const closer = event.target.closest("[data-close]");
  if (closer) {
    event.preventDefault();
    closer.closest("dialog").close();
  }
});
document.addEventListener("htmx:configRequest", (event) => {
  const field = document.querySelector("input[name=csrf]");
  if (field) event.detail.headers["X-CSRF"] = field.value;
});
