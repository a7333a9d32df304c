// The editor of a rule file. It takes the place of a text area, and asks the server for everything that it knows about rules:
// problems, completions and explanations. Without this script the text area and the buttons of the form do the same work.

import {closeBrackets, closeBracketsKeymap, completionKeymap} from "@codemirror/autocomplete"
import {defaultKeymap, history, historyKeymap} from "@codemirror/commands"
import {yaml} from "@codemirror/lang-yaml"
import {bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting} from "@codemirror/language"
import {lintKeymap} from "@codemirror/lint"
import {highlightSelectionMatches, searchKeymap} from "@codemirror/search"
import {EditorState} from "@codemirror/state"
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view"
import {classHighlighter} from "@lezer/highlight"

import {completions} from "./completions.js"
import {draftSaving} from "./drafts.js"
import {explanations} from "./explanations.js"
import {phrases} from "./phrases.js"
import {problems} from "./problems.js"
import {adoptStyles} from "./styles.js"

function mount(form) {
  const area = form.querySelector("textarea")
  const readOnly = area.readOnly
  const extensions = [
    lineNumbers(),
    foldGutter(),
    highlightSpecialChars(),
    history(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    syntaxHighlighting(classHighlighter),
    yaml(),
    // Tab leaves the editor, as it leaves a text area: nobody who works by keyboard is caught in it.
    keymap.of([
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...foldKeymap,
      ...completionKeymap,
      ...lintKeymap,
    ]),
    EditorState.phrases.of(phrases[document.documentElement.lang.slice(0, 2)] ?? {}),
    EditorState.readOnly.of(readOnly),
    EditorView.contentAttributes.of({
      "aria-label": area.getAttribute("aria-label") ?? form.dataset.file,
      "aria-multiline": "true",
      tabindex: "0",
      spellcheck: "false",
    }),
    explanations(form),
  ]
  if (!readOnly) extensions.push(problems(form), completions(form), draftSaving(form))
  const view = new EditorView({state: EditorState.create({doc: area.value, extensions})})
  area.after(view.dom)
  area.hidden = true
  form.addEventListener("submit", () => (area.value = view.state.doc.toString()))
  form.dataset.ready = "true"
  goToPlace(view)
  return view
}

// An address that ends in `#L12` opens the file at line 12.
function goToPlace(view) {
  const go = () => {
    const line = Number(/^#L(\d{1,6})$/.exec(location.hash)?.[1])
    if (!line || line > view.state.doc.lines) return
    const at = view.state.doc.line(line).from
    view.dispatch({selection: {anchor: at}, effects: EditorView.scrollIntoView(at, {y: "center"})})
    view.focus()
  }
  window.addEventListener("hashchange", go)
  go()
}

adoptStyles()
document.querySelector(".tabs [aria-current]")?.scrollIntoView({block: "nearest", inline: "center"})
for (const form of document.querySelectorAll("form[data-rule-editor]")) mount(form)
