import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { defaultConfigurationFile, loadConfiguration } from '../config/load.js'
import type { Configuration } from '../config/schema.js'
import { credentialPrefix, readSecret } from '../config/secret-file.js'
import { messageOf, PolewatchError } from '../errors.js'
import { publicJwkOf, publicKeyFromPem } from '../messages/keys.js'
import { gatewayRoles } from '../messages/stream.js'
import { authorityCertificates, enrol } from '../uplink/enrolment.js'
import type { PinnedKey } from '../uplink/key-pins.js'
import { certificateRequest, pemCertificates, renewalDue, unitChain, validity } from '../uplink/unit-certificate.js'
import { CertificateFiles } from './certificate-files.js'
import { resetUnit } from './reset-unit.js'
import { systemTime } from './role.js'
import { rolePaths } from './role-files.js'
import { exitStatus, print, printJson } from './terminal.js'

interface Options {
  readonly config: string
  readonly json?: boolean
}

export function define(command: Command): void {
  const configured = (each: Command): Command =>
    each
      .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
      .option('--json', 'one JSON line with the outcome')
  configured(command.command('obtain'))
    .description(
      "Gets this unit's certificate from the city's authority (EST): the first, or a new one when two thirds of its life are over.",
    )
    .option('--now', 'get a new one although the certificate is good for longer')
    .option('--restart', 'start uplink again when there is a new one, as systemd does daily')
    .addHelpText('after', '\nExample:\n  polewatch enroll obtain')
    .action(async (options: Options & { now?: boolean; restart?: boolean }) => {
      const outcome = await obtainCertificate(loadConfiguration(options.config), options.now === true)
      if (outcome.renewed && options.restart) restartUplink()
      tell(options, { ...outcome, until: iso(outcome.until) }, () =>
        outcome.renewed
          ? `There is a new certificate, good until ${iso(outcome.until)}.${outcome.otherAuthority ? " The broker's authority in uplink.tls.ca is another one and stays." : ''}`
          : `The certificate is good until ${iso(outcome.until)}; it is not time for a new one.`,
      )
    })
  configured(command.command('request'))
    .description('Writes a request for a certificate, to be signed where no network reaches. The key stays here.')
    .argument('<FILE>', 'where to write the request (PKCS #10, PEM)')
    .addHelpText('after', '\nExample:\n  polewatch enroll request pole-17.csr')
    .action((file: string, options: Options) => {
      const { configuration, files } = load(options)
      const request = certificateRequest(files.pendingKey().file, nameOf(configuration))
      writeFileSync(file, pem('CERTIFICATE REQUEST', request))
      tell(
        options,
        { file },
        () => `${file} is the request. polewatch enroll install takes the certificate that answers it.`,
      )
    })
  configured(command.command('install'))
    .description('Takes the certificate that answers a request, and those that lead from it to a trusted root.')
    .argument('<FILE>', 'the certificates, PEM')
    .addHelpText('after', '\nExample:\n  polewatch enroll install pole-17.pem')
    .action((file: string, options: Options) => {
      const { configuration, files } = load(options)
      const chain = unitChain(
        pemCertificates(readText(file)),
        files.pendingKey().key,
        nameOf(configuration),
        trustOf(configuration),
      )
      files.replace(chain)
      const { until } = validity(chain)
      tell(options, { until: iso(until) }, () => `The certificate is in place, good until ${iso(until)}.`)
    })
  command
    .command('keys')
    .description(
      "Prints the public keys of this unit's roles, a JSON object a line, for the hub (polewatch watch --keys).",
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .addHelpText('after', '\nExample:\n  polewatch enroll keys >> keys.ndjson')
    .action(({ config }: Options) => {
      const keys = publicKeysOf(loadConfiguration(config))
      if (keys.length === 0)
        throw new PolewatchError('PW_KEY_INVALID', { why: 'no role of this unit has been started yet' })
      for (const key of keys) printJson(key)
    })
  configured(command.command('reset'))
    .description(
      'Makes the unit forget everything but its configuration: keys, certificate, claim, journals, hotlists.',
    )
    .requiredOption('--yes', 'it is meant')
    .addHelpText('after', '\nExample:\n  polewatch enroll reset --yes')
    .action((options: Options) => {
      const configuration = loadConfiguration(options.config)
      const forgotten = resetUnit(configuration)
      tell(
        options,
        { forgotten },
        () => `${forgotten.length} files and folders are deleted. The unit has to be enrolled anew.`,
      )
    })
  configured(command.command('status'))
    .description('Says whether this unit has a certificate, and how long it is good for.')
    .addHelpText('after', '\nExample:\n  polewatch enroll status\n\nExit status 1 where there is none or it has ended.')
    .action((options: Options) => {
      const current = load(options).files.current()
      const until = current === null ? null : validity(current.certificate).until
      const good = until !== null && until > systemTime()
      if (!good) process.exitCode = exitStatus.fault
      const due = current !== null && renewalDue(current.certificate, systemTime())
      tell(options, { good, due, until: until === null ? null : iso(until) }, () => {
        if (until === null) return 'This unit has no certificate.'
        if (!good) return `The certificate ended at ${iso(until)}.`
        return `The certificate is good until ${iso(until)}${due ? '; it is time for a new one' : ''}.`
      })
    })
}

/**
 * Gets a certificate where there is none, it has ended, two thirds of its life are over or `now` is set. The key of each is made here and never
 * leaves. A claim that was used is emptied. `otherAuthority`: the city has put another authority in `uplink.tls.ca`, which stays. @throws PW_ENROLMENT_…, PW_KEY_FILE
 */
export async function obtainCertificate(
  configuration: Configuration,
  now: boolean,
): Promise<{ renewed: boolean; until: number; otherAuthority: boolean }> {
  const { server, claimFile } = configuration.enrolment
  const files = new CertificateFiles(configuration.uplink.tls)
  const current = files.current()
  const { until = 0 } = current === null ? {} : validity(current.certificate)
  const usable = current !== null && until > systemTime() ? current : null
  const code = claimCode(claimFile)
  // A code that lies there says that the city wants the unit enrolled anew, as after a revocation.
  if (usable !== null && code === '' && !now && !renewalDue(usable.certificate, systemTime()))
    return { renewed: false, until, otherAuthority: false }
  if (server === null) throw new PolewatchError('PW_ENROLMENT_SETTINGS', { why: 'enrolment.server is empty' })
  const trust = trustOf(configuration)
  const name = nameOf(configuration)
  const proof = code === '' ? usable : { claim: { user: name.gateway, code } }
  if (proof === null)
    throw new PolewatchError('PW_ENROLMENT_SETTINGS', {
      why: 'there is no certificate to renew with, and no claim code in enrolment.claimFile',
    })
  const authority = { server, trust }
  const { key, file } = files.pendingKey()
  const ask = certificateRequest(file, name)
  let answer: string[]
  try {
    answer = await enrol(authority, ask, proof)
  } catch (error) {
    // A claim that is of no use must not keep the unit from the renewal that its certificate still gets it.
    const refused = error instanceof PolewatchError && error.code === 'PW_ENROLMENT_REFUSED'
    if (!refused || code === '' || usable === null) throw error
    if (!now && !renewalDue(usable.certificate, systemTime())) throw error
    answer = await enrol(authority, ask, usable)
  }
  const theirs = await authorityCertificates(authority)
  const chain = unitChain([...answer, ...theirs], key, name, trust)
  const otherAuthority = files.keepAuthority(theirs, configuration.enrolment.trust ?? '')
  files.replace(chain)
  if (claimFile !== null && code !== '' && !claimFile.startsWith(credentialPrefix))
    writeFileSync(claimFile, '', { flush: true })
  return { renewed: true, until: validity(chain).until, otherAuthority }
}

/** Empty where there is none: one that is used may be deleted. @throws PW_KEY_FILE for one that cannot be read */
function claimCode(file: string | null): string {
  if (file === null || (!file.startsWith(credentialPrefix) && !existsSync(file))) return ''
  return readSecret(file).trim()
}

function load({ config }: Options): { configuration: Configuration; files: CertificateFiles } {
  const configuration = loadConfiguration(config)
  return { configuration, files: new CertificateFiles(configuration.uplink.tls) }
}

function nameOf({ site, gateway }: Configuration): { site: string; gateway: string } {
  return { site, gateway: gateway.id }
}

function trustOf({ enrolment }: Configuration): string {
  if (enrolment.trust === null) throw new PolewatchError('PW_ENROLMENT_SETTINGS', { why: 'enrolment.trust is empty' })
  return readSecret(enrolment.trust)
}

function publicKeysOf({ site, gateway, paths }: Configuration): PinnedKey[] {
  return gatewayRoles.flatMap(role => {
    const file = rolePaths(paths, role).publicKey
    if (!existsSync(file)) return []
    return [{ site, gateway: gateway.id, role, jwk: publicJwkOf(publicKeyFromPem(readKey(file))) }]
  })
}

function readKey(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new PolewatchError('PW_KEY_FILE', { file, why: messageOf(error) }, error)
  }
}

function restartUplink(): void {
  execFileSync('systemctl', ['--no-block', 'try-restart', 'polewatch-uplink.service'])
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new PolewatchError('PW_ENROLMENT_ANSWER', { why: messageOf(error) }, error)
  }
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

function tell(options: Options, outcome: Readonly<Record<string, unknown>>, sentence: () => string): void {
  if (options.json) printJson(outcome)
  else print(sentence())
}
