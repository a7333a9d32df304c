// Completions, from the server: names, words and keys that fit the place, each with its meaning.

import {autocompletion} from "@codemirror/autocomplete"

import {offsetOf, placeOf} from "./places.js"
import {newestOnly, post} from "./requests.js"
import {paragraphs} from "./texts.js"

const WORD = /^[\w.]*$/

export function completions(form) {
  const turn = newestOnly()
  const source = async (context) => {
    const before = context.matchBefore(/[\w.:'\[\(, -]$/)
    if (!before && !context.explicit) return null
    const {doc} = context.state
    const place = placeOf(doc, context.pos)
    try {
      const response = await post(form, form.dataset.completion, {text: doc.toString(), ...place}, turn())
      if (!response.ok) return null
      const {line, column, options} = await response.json()
      if (context.aborted || options.length === 0) return null
      return {from: offsetOf(doc, line, column), options: options.map(option), validFor: WORD}
    } catch (error) {
      if (error.name !== "AbortError") throw error
      return null
    }
  }
  return autocompletion({override: [source], icons: false, activateOnTypingDelay: 120})
}

function option({label, apply, kind, detail, lines, boost}) {
  return {label, apply, type: kind, detail, boost, info: lines.length > 0 ? () => paragraphs(lines, "rule-info") : undefined}
}
