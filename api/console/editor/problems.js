// The checker's problems as you type. The answer is the part of the page that lists problems and cases: we put it into the page,
// and underline in the text what it lists for this file.

import {lintGutter, setDiagnostics} from "@codemirror/lint"
import {ViewPlugin} from "@codemirror/view"

import {offsetOf} from "./places.js"
import {newestOnly, post} from "./requests.js"

const DELAY = 120 // milliseconds after the last key: the check of all files, and the cases of this one
const DELAY_OF_ALL = 1500 // and the cases of all files, which take longer

export function problems(form) {
  const turn = newestOnly()

  async function check(view, scope) {
    const {doc} = view.state
    const text = doc.toString()
    try {
      const response = await post(form, form.dataset.check, {text, scope}, turn())
      if (!response.ok || view.state.doc !== doc) return
      const page = new DOMParser().parseFromString(await response.text(), "text/html")
      const fragment = page.querySelector("[data-findings]")
      if (!fragment || view.state.doc !== doc) return
      show(view, fragment)
    } catch (error) {
      if (error.name !== "AbortError") throw error
    }
  }

  function show(view, fragment) {
    const findings = document.querySelector("[data-findings]")
    const otherCases = findings.querySelector("[data-other-cases]")
    findings.replaceChildren(...fragment.childNodes)
    const gap = findings.querySelector("[data-other-cases-follow]") // until the check of everything answers
    if (otherCases) gap?.replaceWith(otherCases)
    const items = [...findings.querySelectorAll("[data-line]")].filter((item) => item.dataset.file === form.dataset.file)
    view.dispatch(setDiagnostics(view.state, items.map((item) => diagnostic(view.state.doc, item))))
  }

  class Checks {
    constructor(view) {
      this.view = view
      check(view, "all")
    }

    update(update) {
      if (!update.docChanged) return
      this.destroy()
      this.timer = setTimeout(() => check(this.view, "file"), DELAY)
      this.timerOfAll = setTimeout(() => check(this.view, "all"), DELAY_OF_ALL)
    }

    destroy() {
      clearTimeout(this.timer)
      clearTimeout(this.timerOfAll)
    }
  }

  return [ViewPlugin.fromClass(Checks), lintGutter()]
}

function diagnostic(doc, item) {
  const {line, column, length, severity, message, code} = item.dataset
  const from = offsetOf(doc, Number(line), Number(column))
  const to = Math.max(from, offsetOf(doc, Number(line), Number(column) + Number(length)))
  return {from, to, severity, message, source: code}
}
