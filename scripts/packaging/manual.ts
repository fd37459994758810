/**
 * Writes the manual pages and the bash completion of the installed program from its command line itself.
 *
 *   node dist/scripts/packaging/manual.js FOLDER VERSION
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { commandLine } from '../../gateway/program.js'

const [folder = '.', version = ''] = process.argv.slice(2)
const date = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000).toISOString().slice(0, 10)

/** Text as troff shows it: no backslash, leading dot or hyphen keeps a meaning of its own. */
function troff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}

function page(command: Command, path: readonly string[]): string {
  const name = path.join('-')
  const lines = [
    `.TH ${name.toUpperCase()} 1 ${date} "polewatch ${version}" "polewatch"`,
    '.SH NAME',
    `${troff(name)} \\- ${troff(firstSentence(command.description()))}`,
    '.SH SYNOPSIS',
    `.B ${troff(path.join(' '))}`,
    troff(command.usage()),
    '.SH DESCRIPTION',
    troff(command.description()),
  ]
  if (command.options.length > 0) lines.push('.SH OPTIONS')
  for (const { flags, description } of command.options) lines.push('.TP', `.B ${troff(flags)}`, troff(description))
  if (command.commands.length > 0) lines.push('.SH COMMANDS')
  for (const inner of command.commands) {
    lines.push('.TP', `.B ${troff(inner.name())}`, troff(inner.description()))
  }
  lines.push('.SH EXIT STATUS', '0 done, 1 a fault was found, 2 wrong usage.')
  return `${lines.join('\n')}\n`
}

function firstSentence(text: string): string {
  return (text.split(/(?<=[.!?])\s/)[0] ?? text).replace(/\.$/, '')
}

const program = await commandLine(() => true)
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'polewatch.1'), page(program, ['polewatch']))
for (const command of program.commands) {
  writeFileSync(join(folder, `polewatch-${command.name()}.1`), page(command, ['polewatch', command.name()]))
  for (const inner of command.commands) {
    const path = ['polewatch', command.name(), inner.name()]
    writeFileSync(join(folder, `${path.join('-')}.1`), page(inner, path))
  }
}

/** What may follow a command's name: its subcommands and its long options. */
function following(command: Command): string {
  return [
    ...command.commands.map(inner => inner.name()),
    ...command.options.flatMap(({ long }) => (long == null ? [] : [long])),
    '--help',
  ].join(' ')
}

const cases = program.commands.flatMap(command => [
  ...command.commands.map(inner => `    ${command.name()}\\ ${inner.name()}) words="${following(inner)}" ;;`),
  `    ${command.name()}\\ *) words="${following(command)}" ;;`,
])
writeFileSync(
  join(folder, 'polewatch.bash'),
  `# Completes polewatch's commands and options in bash; other words are files.
_polewatch() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" -eq 1 ]; then words="${following(program)}"; else
    case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${cases.map(line => `  ${line}`).join('\n')}
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  [ "\${#COMPREPLY[@]}" -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
complete -o filenames -F _polewatch polewatch
`,
)
