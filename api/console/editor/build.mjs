// Build the editor: one script, its SHA-256, and the licences of every package in it. The same input gives the same bytes.
// `make editor-bundle` runs `npm ci`, and then this. Usage: node build.mjs FOLDER

import {createHash} from "node:crypto"
import {readFileSync, readdirSync, writeFileSync} from "node:fs"
import {join} from "node:path"

import {build} from "esbuild"

const [folder] = process.argv.slice(2)
const target = ["chrome111", "firefox113", "safari16.4"]
const result = await build({
  entryPoints: ["editor.js"],
  bundle: true,
  minify: true,
  format: "iife",
  charset: "utf8",
  legalComments: "none",
  target,
  metafile: true,
  write: false,
})
const [{contents}] = result.outputFiles
if (/\beval\(|new Function\(/.test(Buffer.from(contents).toString())) throw new Error("the bundle evaluates text")

const inputs = Object.keys(Object.values(result.metafile.outputs)[0].inputs)
const names = new Set(inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean))
const licences = [...names].sort().map((name) => {
  const place = join("node_modules", name)
  const {version, license} = JSON.parse(readFileSync(join(place, "package.json")))
  const file = readdirSync(place).find((each) => /^licen[cs]e/i.test(each))
  if (license !== "MIT" || !file) throw new Error(`${name}: the licence ${license} is not one that we expect`)
  return `${name} ${version} (${license})\n\n${readFileSync(join(place, file), "utf8").trim()}\n`
})

const sum = createHash("sha256").update(contents).digest("hex")
writeFileSync(join(folder, "editor.js"), contents)
writeFileSync(join(folder, "editor.js.sha256"), `${sum}  editor.js\n`)
writeFileSync(join(folder, "editor.licences.txt"), licences.join(`\n${"-".repeat(80)}\n\n`))

// The explorer of networks is a file of its own, which a page loads when somebody explores. It is its package's own build.
const place = join("node_modules", "cytoscape")
const explorer = readFileSync(join(place, "dist", "cytoscape.min.js"))
if (/\beval\(|new Function\(/.test(explorer.toString())) throw new Error("the explorer evaluates text")
const {version, license} = JSON.parse(readFileSync(join(place, "package.json")))
if (license !== "MIT") throw new Error(`cytoscape: the licence ${license} is not one that we expect`)
writeFileSync(join(folder, "cytoscape.js"), explorer)
writeFileSync(join(folder, "cytoscape.js.sha256"), `${createHash("sha256").update(explorer).digest("hex")}  cytoscape.js\n`)
writeFileSync(join(folder, "cytoscape.licence.txt"), `cytoscape ${version} (${license})\n\n${readFileSync(join(place, "LICENSE"), "utf8").trim()}\n`)
console.log(`editor.js: ${contents.length} bytes, sha256 ${sum}`)
