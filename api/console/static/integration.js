// Puts the token that somebody typed into the requests of this page. It stays here: the field has no name and no form.
"use strict";
document.addEventListener("input", (event) => {
  if (event.target.id !== "own-token") return;
  const token = event.target.value.trim();
  for (const place of document.querySelectorAll("[data-token]")) place.textContent = token || "$MERCHANT";
});
