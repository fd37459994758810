import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { editConfiguration } from '../../gateway/config/edit.js'
import { privateKeyPem, publicKeyPem, type SigningKey } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import type { MessageData } from '../../gateway/messages/table.js'
import { formatTime } from '../../gateway/messages/time.js'

/*
 * A gateway to be attacked, and the messages that an attacker makes.
 */

export const place = { site: 'test', gateway: 'pole-1' }

export interface Keys {
  readonly hub: SigningKey
  /** May ask for anything, for the purpose `maintenance`. */
  readonly operator: SigningKey
}

/** The configuration of a gateway without devices, with one hotlist that both keys may change. Returns its file. */
export function writeGateway(
  folder: string,
  broker: string,
  keys: Keys,
  more: { path: string[]; value: unknown }[] = [],
): string {
  writeFileSync(join(folder, 'hub.pub'), publicKeyPem(keys.hub.publicKey))
  writeFileSync(join(folder, 'operator.pub'), publicKeyPem(keys.operator.publicKey))
  writeFileSync(join(folder, 'operator.key'), privateKeyPem(keys.operator), { mode: 0o600 })
  writeFileSync(join(folder, 'hub.key'), privateKeyPem(keys.hub), { mode: 0o600 })
  mkdirSync(join(folder, 'run'), { recursive: true })
  const all = ['status', 'check', 'evidence', 'hotlist', 'policy', 'configuration', 'restart', 'log-level']
  const operator = { name: 'operator', file: join(folder, 'operator.pub'), commands: all, purposes: ['maintenance'] }
  const text = editConfiguration(readFileSync(join(process.cwd(), 'firmware-config/polewatch.example.yaml'), 'utf8'), [
    { path: ['site'], value: place.site },
    { path: ['exercise'], value: true },
    { path: ['gateway', 'id'], value: place.gateway },
    { path: ['paths'], value: { state: join(folder, 'state'), runtime: join(folder, 'run') } },
    { path: ['microphoneArrays'], value: [{ name: 'roof', driver: 'simulator', geometry: 'mono', sampleRate: 8000 }] },
    { path: ['plateReaders'], value: [] },
    { path: ['hotlist', 'lists'], value: [{ name: 'wanted', deltaKeys: [join(folder, 'operator.pub')] }] },
    { path: ['uplink', 'brokers'], value: [broker] },
    { path: ['uplink', 'tls'], value: undefined },
    { path: ['uplink', 'hubKey'], value: join(folder, 'hub.pub') },
    { path: ['commands'], value: { keys: [operator] } },
    { path: ['clock'], value: { chronyc: null } },
    ...more,
  ])
  const file = join(folder, 'gateway.yaml')
  writeFileSync(file, text)
  return file
}

let sequence = 0
let nonces = 0

export interface CommandParts extends Partial<MessageData<'command'>> {
  readonly key?: SigningKey | null
  readonly issued?: number
  /** Seconds from now. */
  readonly life?: number
}

/** A command as the operator would sign it, but for what is given. */
export function commandBytes(operator: SigningKey, parts: CommandParts = {}): Buffer {
  const { key = operator, issued = Date.now() / 1000, life = 300, ...data } = parts
  const position = { source: '/test/hub/hub/live', epoch: 'attack', sequence: ++sequence }
  const draft = {
    name: 'command',
    time: issued,
    exercise: true,
    data: {
      ...place,
      name: 'log-level',
      arguments: { level: 'debug' },
      purpose: 'maintenance',
      requestedBy: 'technician',
      expires: formatTime(Date.now() / 1000 + life),
      nonce: `nonce-${++nonces}`,
      ...data,
    },
  } as const
  return Buffer.from(sealEvent(draft, position, key).bytes)
}
