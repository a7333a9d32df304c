// Texts of the server as elements. We set text, never markup.

export function paragraphs(lines, name) {
  const box = document.createElement("div")
  box.className = name
  for (const line of lines) {
    const paragraph = document.createElement("p")
    paragraph.textContent = line
    box.append(paragraph)
  }
  return box
}
