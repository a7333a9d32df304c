// The draft on the server: we save it a moment after the last key, and say who else has it open. A draft that somebody else saved
// meanwhile is never overwritten: we stop, and say who saved it.

import {EditorView} from "@codemirror/view"

import {post} from "./requests.js"

const DELAY = 900 // milliseconds after the last key
const BEAT = 5000 // between two looks at who else is here
const RELEASE = 500 // for a page that a reload leaves, to give up its lock
const KEY = "iftah-editor"

export function draftSaving(form) {
  const editor = editorOfTab()
  const status = document.querySelector("[data-save-status]")
  const others = document.querySelector("[data-others]")
  const words = form.dataset
  let timer = 0
  let moved = false
  let pending = false

  async function save(view) {
    if (moved) return
    const text = view.state.doc.toString()
    say(words.saying, "saving")
    const response = await post(form, words.save, {text, version: form.elements.version.value, editor: await editor}).catch(() => null)
    const answer = response ? await response.json().catch(() => ({})) : {}
    if (response?.ok) {
      form.elements.version.value = answer.version
      pending = text !== view.state.doc.toString()
      say(answer.message, "saved")
    } else {
      moved = response?.status === 409
      say(answer.message ?? words.unsaved, "unsaved")
    }
  }

  async function look() {
    if (document.hidden) return
    const response = await post(form, words.presence, {editor: await editor, version: form.elements.version.value}).catch(() => null)
    if (!response?.ok) return
    const answer = await response.json()
    others.textContent = answer.message
    others.hidden = answer.message === ""
  }

  function say(message, state) {
    status.textContent = message
    status.dataset.state = state
  }

  look()
  setInterval(look, BEAT)
  window.addEventListener("beforeunload", (event) => pending && event.preventDefault())
  form.addEventListener("submit", () => (pending = false))
  return EditorView.updateListener.of((update) => {
    if (!update.docChanged) return
    pending = true
    clearTimeout(timer)
    timer = setTimeout(() => save(update.view), DELAY)
  })
}

// A name of this tab, the same after a reload. A duplicated tab begins with the storage of the first one: so each tab holds a lock on
// its name, and whoever does not get it takes another name.
async function editorOfTab() {
  const stored = sessionStorage.getItem(KEY)
  if (stored && (await holds(stored))) return stored
  const bytes = crypto.getRandomValues(new Uint8Array(8))
  const name = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  sessionStorage.setItem(KEY, name)
  await holds(name)
  return name
}

function holds(name) {
  if (!navigator.locks) return Promise.resolve(false)
  return new Promise((resolve) => {
    const untilTheTabCloses = () => new Promise(() => resolve(true))
    navigator.locks.request(`${KEY}-${name}`, {signal: AbortSignal.timeout(RELEASE)}, untilTheTabCloses).catch(() => resolve(false))
  })
}
