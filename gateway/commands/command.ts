import { readFileSync } from 'node:fs'
import { Argument, type Command, Option } from 'commander'
import { messageOf, PolewatchError } from '../errors.js'
import { type CommandResult, CommandSender } from '../hub/index.js'
import { type CommandName, commandNames } from '../messages/commands.js'
import { isJsonObject, parseJsonObject } from '../messages/json.js'
import { signingKeyFromPem } from '../messages/keys.js'
import { openEvent } from '../messages/seal.js'
import type { MessageData } from '../messages/table.js'
import { formatTime } from '../messages/time.js'
import { systemTime } from './role.js'
import { bold, colour, exitStatus, print, printError, printJson } from './terminal.js'

const verdicts = ['confirmed', 'misread', 'false', 'not-wanted'] as const

interface CommandOptions {
  readonly to: string
  readonly broker: string[]
  readonly site: string
  readonly key: string
  readonly by: string
  readonly purpose: string
  readonly argument: readonly string[]
  readonly document?: string
  readonly alert?: string
  readonly verdict?: (typeof verdicts)[number]
  readonly reason?: string
  readonly hub: string
  readonly timeout: number
  readonly exercise?: boolean
  readonly ca?: string
  readonly certificate?: string
  readonly certificateKey?: string
  readonly json?: boolean
}

export function define(command: Command): void {
  command
    .description(
      'Sends a gateway a signed command, and prints its signed answer. docs/hub.md tells what each one needs.',
    )
    .addArgument(new Argument('<NAME>', 'the command').choices(commandNames))
    .requiredOption('--to <GATEWAY>', 'the gateway that shall obey')
    .requiredOption('--broker <URL...>', 'the broker; several are tried in order')
    .requiredOption('--site <SITE>', "the gateway's site")
    .requiredOption(
      '--key <FILE>',
      "the private key (PEM, Ed25519) whose public half the gateway's configuration names",
    )
    .requiredOption('--by <ROLE>', 'who asks: a role such as dispatcher, never a name')
    .option('--purpose <PURPOSE>', 'what for; one that the gateway allows the key', 'operation')
    .option('--argument <KEY=VALUE>', 'an argument of the command; may be repeated', collect, [])
    .option('--document <FILE>', 'the change for hotlist (signed), or the whole file for policy and configuration')
    .option(
      '--alert <FILE>',
      'the alert that a verdict is about, as `polewatch watch --json` prints it; - for standard input',
    )
    .addOption(new Option('--verdict <VERDICT>', 'what the person thinks of the alert').choices(verdicts))
    .option('--reason <TEXT>', 'why, for a verdict')
    .option('--hub <NAME>', 'the name of this hub', 'hub')
    .option('--timeout <SECONDS>', 'how long to wait for the answer', seconds, 30)
    .option('--exercise', 'mark it as a drill')
    .option('--ca <FILE>', "the authorities that may sign the broker's certificate (PEM)")
    .option('--certificate <FILE>', 'the certificate to show the broker (PEM)')
    .option('--certificate-key <FILE>', "the certificate's private key (PEM)")
    .option('--json', 'the answer as one line of JSON')
    .addHelpText(
      'after',
      `
Examples:
  polewatch command status --to pole-17 --broker mqtts://hub.example --site riverside --key hub.key --by technician
  polewatch command verdict --to pole-17 --alert hit.json --verdict misread --by dispatcher --broker … --site … --key …
  polewatch command log-level --to pole-17 --argument role=sensing --argument level=debug --by technician …

Exit status 1 when the gateway refuses, fails or does not answer.`,
    )
    .action(run)
}

async function run(name: CommandName, options: CommandOptions): Promise<void> {
  const { to, broker, site, key, hub, timeout, json } = options
  // Made before anything is sent, so that what is missing is told first.
  const ask = requestOf(name, options)
  const sender = new CommandSender({
    url: broker,
    site,
    gateway: to,
    signingKey: signingKeyFromPem(read(key)),
    hub,
    timeout,
    exercise: options.exercise === true,
    tls: { ca: optional(options.ca), cert: optional(options.certificate), key: optional(options.certificateKey) },
    onChange: ({ state, broker: url, detail, reason }) => {
      if (state !== 'offline' || reason === 'protocol-version') return
      printError(
        new PolewatchError('PW_BROKER_UNREACHABLE', { broker: url, why: detail || reason || 'no reason given' }),
        json === true,
      )
    },
  })
  try {
    tell(await ask(sender), json === true)
  } finally {
    await sender.close()
  }
}

function requestOf(name: CommandName, options: CommandOptions): (sender: CommandSender) => Promise<CommandResult> {
  if (name === 'verdict') {
    const verdict = verdictOf(options)
    return sender => sender.verdict(verdict)
  }
  const request = {
    name,
    arguments: argumentsFor(name, options),
    purpose: options.purpose,
    requestedBy: options.by,
  }
  return sender => sender.send(request)
}

function tell({ original, data }: CommandResult, json: boolean): void {
  const { outcome, code, detail, result, name } = data
  if (json) printJson(original)
  else {
    print(
      `${bold(name)}: ${colour(outcome === 'done' ? 'green' : 'red', outcome)}${code === null ? '' : ` (${code})`}. ${detail}`,
    )
    if (result !== null && Object.keys(result).length > 0) print(JSON.stringify(result, null, 2))
  }
  if (outcome !== 'done') process.exitCode = exitStatus.fault
}

function argumentsFor(name: CommandName, { argument, document }: CommandOptions): Record<string, unknown> {
  const given = Object.fromEntries(
    argument.map(pair => {
      const at = pair.indexOf('=')
      if (at < 1) throw new PolewatchError('PW_USAGE', { why: `--argument ${pair} is not KEY=VALUE` })
      return [pair.slice(0, at), pair.slice(at + 1)] as const
    }),
  )
  if (document === undefined) return given
  const text = read(document)
  return name === 'hotlist' ? { ...given, delta: parseObject(text) } : { ...given, document: text }
}

function verdictOf({ alert, verdict, reason, by }: CommandOptions): MessageData<'verdict'> {
  if (alert === undefined || verdict === undefined)
    throw new PolewatchError('PW_USAGE', { why: 'a verdict needs --alert and --verdict' })
  const event = openEvent(Buffer.from(read(alert)))
  if (event.name !== 'gunfire' && event.name !== 'plate-hit')
    throw new PolewatchError('PW_USAGE', { why: `${alert} holds no gunfire and no plate hit, but ${event.name}` })
  return {
    alert: { source: event.source, id: event.id },
    incident: event.name === 'gunfire' ? event.data.incident : null,
    hit: event.name === 'plate-hit' ? event.data.hit : null,
    entry: event.name === 'plate-hit' ? entryOf(event.data.entry) : null,
    verdict,
    by,
    reason: reason ?? null,
    time: formatTime(systemTime()),
  }
}

function entryOf({ list, generation, id, issue }: MessageData<'plate-hit'>['entry']) {
  return { list, generation, id, issue }
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value]
}

function seconds(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 86_400)) throw new PolewatchError('PW_USAGE', { why: `--timeout ${text} is no time` })
  return value
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const object = parseJsonObject(Buffer.from(text))
    if (isJsonObject(object)) return object
  } catch {
    // Told below: what was found may hold plates.
  }
  throw new PolewatchError('PW_USAGE', { why: '--document is not a signed change' })
}

function optional(file: string | undefined): string | undefined {
  return file === undefined ? undefined : read(file)
}

function read(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw new PolewatchError('PW_KEY_FILE', { file, why: messageOf(error) }, error)
  }
}
