// Places: the server counts lines and characters from 1; CodeMirror counts UTF-16 units from 0.

export function offsetOf(doc, line, column) {
  const row = doc.line(Math.min(Math.max(1, line), doc.lines))
  let units = 0
  for (const character of row.text) {
    if (--column < 1) break
    units += character.length
  }
  return row.from + units
}

export function placeOf(doc, offset) {
  const row = doc.lineAt(offset)
  return {line: row.number, column: [...row.text.slice(0, offset - row.from)].length + 1}
}
