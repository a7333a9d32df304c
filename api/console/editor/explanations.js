// Explanations on hover, from the server: the meaning of the key, feature or reason under the pointer.

import {hoverTooltip} from "@codemirror/view"

import {offsetOf, placeOf} from "./places.js"
import {newestOnly, post} from "./requests.js"
import {paragraphs} from "./texts.js"

export function explanations(form) {
  const turn = newestOnly()
  return hoverTooltip(
    async (view, pos) => {
      const {doc} = view.state
      try {
        const response = await post(form, form.dataset.explanation, {text: doc.toString(), ...placeOf(doc, pos)}, turn())
        if (!response.ok) return null
        const {line, column, length, lines} = await response.json()
        if (lines.length === 0) return null
        const [from, to] = [offsetOf(doc, line, column), offsetOf(doc, line, column + length)]
        return {pos: from, end: to, above: true, create: () => ({dom: paragraphs(lines, "rule-info")})}
      } catch (error) {
        if (error.name !== "AbortError") throw error
        return null
      }
    },
    {hoverTime: 350},
  )
}
