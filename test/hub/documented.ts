import { readFileSync } from 'node:fs'

/** The block of docs/hub.md that a city copies. */
export function documented(language: string): string {
  const block = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readFileSync('docs/hub.md', 'utf8'))?.[1]
  if (block === undefined) throw new Error(`docs/hub.md has no ${language} block`)
  return block
}
