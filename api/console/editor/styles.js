// CodeMirror writes its styles into a `<style>` element, which our Content-Security-Policy forbids. In a shadow root it uses a
// constructed style sheet instead, which the policy allows. We let it take the document for such a root.

import {StyleModule} from "style-mod"

export function adoptStyles() {
  const root = {
    ownerDocument: document,
    get adoptedStyleSheets() {
      return document.adoptedStyleSheets
    },
    set adoptedStyleSheets(sheets) {
      document.adoptedStyleSheets = sheets
    },
  }
  const mount = StyleModule.mount
  StyleModule.mount = (target, modules, options) =>
    mount.call(StyleModule, target === document ? root : target, modules, options)
}
