import { appendFileSync, readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { messageOf, PolewatchError } from '../errors.js'
import { connectHub, type HubOutput, KeyPins, parsePinnedKeys, postToWebhook } from '../hub/index.js'
import { keyId, publicKeyFromJwk, type SigningKey, signingKeyFromPem } from '../messages/keys.js'
import { type AlertFormat, alertFormats, alertWriter } from './alert-formats.js'
import type { TrueShot } from './recording-set.js'
import { readRecordingSet } from './recording-set.js'
import { systemTime } from './role.js'
import { colour, print, printError, printJson, stopSignal } from './terminal.js'
import { linesOf } from './watch-lines.js'

interface WatchOptions {
  readonly broker: string[]
  readonly site: string
  readonly acknowledge?: boolean
  readonly key?: string
  readonly state?: string
  readonly share?: string
  readonly keys?: string
  readonly record?: string
  readonly truth?: string
  readonly ca?: string
  readonly certificate?: string
  readonly certificateKey?: string
  readonly json?: boolean
  readonly as?: AlertFormat
  readonly sender: string
  readonly webhook?: string
}

export function define(command: Command): void {
  command
    .description(
      'The smallest hub: subscribes, verifies signatures, orders, drops duplicates, names gaps, and prints every alert.',
    )
    .requiredOption('--broker <URL...>', 'the broker; several are tried in order')
    .requiredOption('--site <SITE>', 'the site whose gateways to watch')
    .option('--acknowledge', 'tell the gateways what has arrived, so that they may forget it; needs --key')
    .option('--key <FILE>', "the hub's private key (PEM, Ed25519), whose public half the gateways' configurations name")
    .option('--state <FILE>', "keep the hub's place in this file over restarts")
    .option(
      '--keys <FILE>',
      'the public keys of units, as polewatch enroll keys prints them there; they take the place of what --state remembers of these units',
    )
    .option(
      '--share <GROUP>',
      "share the alerts with the other hubs of this name, on the same broker or cluster; needs --acknowledge and the same key as the others'",
    )
    .option('--record <FILE>', 'append every verified event to this file as NDJSON, before it is acknowledged')
    .option('--truth <SET>', 'a recording set with truth; distances to its shots are shown')
    .option('--ca <FILE>', "the authorities that may sign the broker's certificate (PEM)")
    .option('--certificate <FILE>', 'the certificate to show the broker (PEM)')
    .option('--certificate-key <FILE>', "the certificate's private key (PEM)")
    .addOption(new Option('--as <FORMAT>', 'print alerts in this format and nothing else').choices(alertFormats))
    .option('--sender <ADDRESS>', 'who sends, in alerts of the Common Alerting Protocol', 'polewatch@localhost')
    .option('--webhook <URL>', 'post every event there as a CloudEvent, and acknowledge only what it takes')
    .option('--json', 'events and what happens to streams as NDJSON')
    .addHelpText(
      'after',
      '\nExample:\n  polewatch watch --broker mqtt://127.0.0.1 --site demo --acknowledge --key hub.key',
    )
    .action(async (options: WatchOptions) => watch(options, stopSignal()))
}

async function watch(options: WatchOptions, signal: AbortSignal): Promise<void> {
  const { broker, site, acknowledge, key, state, record, truth, json, ca, certificate, certificateKey } = options
  const { as, sender, webhook, share, keys } = options
  if (json && as !== undefined) throw new PolewatchError('PW_USAGE', { why: '--json and --as exclude each other' })
  if (acknowledge === true && key === undefined)
    throw new PolewatchError('PW_USAGE', { why: '--acknowledge needs --key' })
  const signingKey = key === undefined ? undefined : readSigningKey(key)
  const known = truth === undefined ? [] : readRecordingSet(truth).truth
  const hub = await connectHub({
    url: broker,
    site,
    acknowledge: acknowledge === true,
    ...(signingKey === undefined ? {} : { signingKey }),
    ...(state === undefined ? {} : { stateFile: state }),
    ...(share === undefined ? {} : { share }),
    ...(keys === undefined ? {} : { keys: pinsFrom(keys) }),
    tls: { ca: optional(ca), cert: optional(certificate), key: optional(certificateKey) },
    onChange: ({ state: change, broker: url, detail, reason }) => {
      if (change === 'online' && reason !== null) {
        const why = detail === '' ? reason : `${reason} (${detail})`
        printError(new PolewatchError('PW_BROKER_REFUSES', { broker: url, why }), json === true)
      }
      if (change !== 'offline' || reason === 'protocol-version') return
      const why = detail || reason || 'no reason given'
      printError(new PolewatchError('PW_BROKER_UNREACHABLE', { broker: url ?? 'none', why }), json === true)
    },
    onFault: error =>
      process.stderr.write(
        `The hub's state cannot be written: ${messageOf(error)}. Nothing is acknowledged until it can.\n`,
      ),
  })
  signal.addEventListener('abort', () => void hub.close(), { once: true })
  const write = as === undefined ? undefined : alertWriter(as, sender)
  for await (const output of hub) {
    if (record !== undefined && output.kind === 'event') keep(record, output.envelope.original)
    if (webhook !== undefined && output.kind === 'event') await postToWebhook(output.envelope, { url: webhook, signal })
    if (write !== undefined) for (const text of write(output)) print(text)
    else if (json) printJson(machineLine(output))
    else for (const line of personLines(output, known)) print(line)
  }
}

function personLines(output: HubOutput, truth: readonly TrueShot[]): string[] {
  switch (output.kind) {
    case 'event':
    case 'live':
      return output.message === null
        ? [`A message of a type that this version does not know: ${output.envelope.type}`]
        : linesOf(output.message, systemTime(), truth)
    case 'gap':
      return [colour('yellow', `Gap in ${output.source}: ${output.first} to ${output.last} have not come.`)]
    case 'gap-closed':
      return [`Gap closed in ${output.source}: ${output.first} to ${output.last}.`]
    case 'shed':
      return [colour('red', `${output.source} will never send ${output.first} to ${output.last}: it had no room.`)]
    case 'begun':
      return [`${output.source} begins in mid-stream, at ${output.first}: this hub remembers nothing from before.`]
    case 'epoch-changed':
      return [colour('yellow', `${output.source} has begun a new journal.`)]
    case 'key-refused':
      return [
        colour('red', `The keys of ${output.gateway} were refused: ${output.why}. What it sends is not believed.`),
        ...output.offered.map(({ role, jwk }) => `  It offers for ${role}: ${keyId(publicKeyFromJwk(jwk))}`),
      ]
    case 'refused':
      return [colour('red', `A message on ${output.topic} was refused: ${output.why}.`)]
    case 'key-pinned':
      return []
  }
}

function machineLine(output: HubOutput): unknown {
  return output.kind === 'event' || output.kind === 'live' ? output.envelope.original : { polewatch: output }
}

/** Synced, since what is recorded is acknowledged next and then gone at the gateway. */
function keep(file: string, event: unknown): void {
  try {
    appendFileSync(file, `${JSON.stringify(event)}\n`, { flush: true })
  } catch (error) {
    throw new PolewatchError('PW_HUB_RECORD', { file, why: messageOf(error) }, error)
  }
}

function pinsFrom(file: string): KeyPins {
  const pins = new KeyPins()
  pins.replace(parsePinnedKeys(optional(file) ?? ''))
  return pins
}

function readSigningKey(file: string): SigningKey {
  return signingKeyFromPem(optional(file) ?? '')
}

function optional(file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new PolewatchError('PW_KEY_FILE', { file, why: messageOf(error) }, error)
  }
}
