import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configurationReference } from '../gateway/config/reference.js'
import { errorTable } from '../gateway/errors.js'
import { asyncApi, jsonSchema, schemaPath } from '../gateway/messages/describe.js'
import { type JsonObject, parseJsonObject } from '../gateway/messages/json.js'
import { signingKeyFromPem } from '../gateway/messages/keys.js'
import { openEvent, sealEvent } from '../gateway/messages/seal.js'
import { type MessageName, messageNames } from '../gateway/messages/table.js'

/*
 * Writes the documents that are made from code, and signs the golden examples again so that they may be edited by hand.
 * A test compares what is checked in with what this makes.
 */

const goldenFolder = 'test/golden/messages'
const generatedFolder = 'docs/generated'

/** Every generated file: path from the root of the project, content. Reads the golden examples below `root`. */
export function generatedFiles(root: string): Map<string, string> {
  const files = new Map<string, string>()
  const examples = new Map<MessageName, JsonObject>()
  const key = signingKeyFromPem(readFileSync(join(root, goldenFolder, 'test-key.pem')))
  for (const name of messageNames) {
    const path = `${goldenFolder}/${name}.json`
    if (!existsSync(join(root, path))) throw new Error(`${path} is missing: every message has a golden example`)
    const { signature, data, ...attributes } = parseJsonObject(readFileSync(join(root, path)))
    const event = openEvent(Buffer.from(JSON.stringify({ ...attributes, data })))
    const { bytes } = sealEvent(event, event, key)
    const sealed = parseJsonObject(bytes)
    const example = { ...attributes, signature: sealed.signature, data }
    examples.set(name, example)
    files.set(path, written(example))
    files.set(`${generatedFolder}/${schemaPath(name)}`, written(jsonSchema(name)))
  }
  files.set(`${generatedFolder}/asyncapi.json`, written(asyncApi(examples)))
  files.set('docs/errors.md', errorPage())
  files.set('docs/configuration.md', configurationReference())
  return files
}

function written(document: JsonObject): string {
  return `${JSON.stringify(document, null, 2)}\n`
}

function errorPage(): string {
  const lines = [
    '# Errors',
    '',
    '<!-- Generated from gateway/errors.ts by `npm run generate`. -->',
    '',
    'Every error has a code that stays the same over versions. Words in braces are filled in when it happens.',
    '',
  ]
  for (const [code, { summary, advice }] of Object.entries(errorTable)) {
    lines.push(`## ${code}`, '', `**What happened:** ${summary}`, '', `**What to do:** ${advice}`, '')
  }
  return lines.join('\n')
}

function main(): void {
  const root = process.cwd()
  for (const [path, content] of generatedFiles(root)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main()
