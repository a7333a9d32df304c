// Open the dialog in which somebody was before the proof of who they are.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.querySelector("dialog[data-open]");
  if (dialog) dialog.showModal();
});
