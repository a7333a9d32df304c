// Sign changes of rules in the browser. The private key is made here, cannot be exported, and stays in IndexedDB.
"use strict";
(() => {
  const ALGORITHM = { name: "Ed25519" };
  const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const bytesOf = (text) => new TextEncoder().encode(text);

  const store = (mode, act) => new Promise((resolve, reject) => {
    const opening = indexedDB.open("iftah", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const request = act(opening.result.transaction("keys", mode).objectStore("keys"));
      request.onerror = () => reject(request.error);
      request.onsuccess = () => { opening.result.close(); resolve(request.result); };
    };
  });

  const nameOf = (signer) => `${signer.dataset.role}/${signer.dataset.party}`;
  const storedKey = (signer) => store("readonly", (keys) => keys.get(nameOf(signer)));

  const makeKey = async (signer) => {
    const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
    const fingerprint = hex(await crypto.subtle.digest("SHA-256", raw)).slice(0, 16);
    const entry = { pair, fingerprint, public: hex(raw) };
    await store("readwrite", (keys) => keys.put(entry, nameOf(signer)));
    return entry;
  };

  const sign = async (entry, text) => hex(await crypto.subtle.sign(ALGORITHM, entry.pair.privateKey, bytesOf(text)));

  // The text that proves who holds a key, as the API describes it: JSON with sorted keys, without spaces.
  const proofText = (signer, key) => {
    const { party, role } = signer.dataset;
    const content = `{"party":${JSON.stringify(party)},"public":"${key}","role":${JSON.stringify(role)}}`;
    return `iftah.key.1\n{"content":${content},"proposal":null}`;
  };

  const canSign = async () => {
    try {
      await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
      return true;
    } catch {
      return false;
    }
  };

  const stateOf = async (signer) => {
    if (!await canSign()) return "unsupported";
    const entry = await storedKey(signer);
    const isRegistered = entry && signer.dataset.keys.split(" ").includes(entry.fingerprint);
    for (const place of signer.querySelectorAll("[data-fingerprint]")) place.textContent = entry ? entry.fingerprint : "";
    return isRegistered ? "ready" : "no-key";
  };

  const show = async (signer) => {
    let state = "unsupported";
    try { state = await stateOf(signer); } catch { /* the browser keeps no database: the command line signs */ }
    for (const part of signer.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== state;
    signer.dataset.state = state;
  };

  const submitWith = async (form, fill) => {
    const note = form.querySelector("[data-sign-problem]") || document.querySelector("[data-sign-problem]");
    try {
      note.hidden = true;
      const values = await fill();
      for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
      form.submit();
    } catch {
      note.hidden = false;
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const signer = document.querySelector("[data-signer]");
    if (form.matches("[data-register]")) {
      event.preventDefault();
      submitWith(form, async () => {
        const entry = await makeKey(signer);
        return { public: entry.public, signature: await sign(entry, proofText(signer, entry.public)) };
      });
    } else if (form.matches("[data-sign]")) {
      event.preventDefault();
      submitWith(form, async () => {
        const entry = await storedKey(signer);
        const text = form.querySelector("[data-text-to-sign]").textContent;
        return { key: entry.fingerprint, signature: await sign(entry, text) };
      });
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const signer of document.querySelectorAll("[data-signer]")) show(signer);
  });
})();
