import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { editConfiguration } from '../../gateway/config/edit.js'
import { deviceNames, parseConfiguration } from '../../gateway/config/load.js'
import type { CertificateAuthority } from './authority.js'
import { type CityFile, cityFiles } from './city-files.js'
import { type Pole, readPoles, wiredDevices } from './poles.js'

const devicesOfTheProduct = fileURLToPath(new URL('../../../firmware-config/devices', import.meta.url))

export interface ProvisioningOptions {
  /** The list of poles, a file. */
  readonly poles: string
  /** The configuration of the site: what all its units have in common. */
  readonly site: string
  /** Folder of device files. */
  readonly devices: string
  /** Where the units' files go, a folder each; one that is there already is an error. */
  readonly output: string
  readonly authority: CertificateAuthority
  /** Seconds since 1970 UTC. */
  readonly now: number
}

/**
 * Makes the files of every unit of a list: OUTPUT/ID/etc/polewatch with configuration, trust, a claim code, and the public keys, the policy, the broker's authority and
 * the passwords that the configuration names, from the folder of the site's file; to be laid over the root of an image or of a unit. Keys are made by the units themselves. Nothing is written unless every line is right.
 * @throws Error that names every line to correct
 */
export function provisionUnits(options: ProvisioningOptions): Pole[] {
  const { output, authority, now } = options
  const poles = readPoles(readFileSync(options.poles, 'utf8'))
  const site = readFileSync(options.site, 'utf8')
  const names = deviceNames(devicesOfTheProduct)
  const problems: string[] = []
  const configurations = poles.map((pole): { text: string; files: readonly CityFile[] } => {
    try {
      if (existsSync(join(output, pole.id))) throw new Error(`${join(output, pole.id)} is there already`)
      const text = configurationOf(pole, site, options.devices)
      const configuration = parseConfiguration(text, '/etc/polewatch/polewatch.yaml', names)
      return { text, files: cityFiles(configuration, dirname(options.site)) }
    } catch (error) {
      problems.push(`line ${pole.line}: ${error instanceof Error ? error.message : String(error)}`)
      return { text: '', files: [] }
    }
  })
  if (problems.length > 0) throw new Error(`The list of poles is to be corrected:\n  ${problems.join('\n  ')}`)
  for (const [index, pole] of poles.entries()) {
    const folder = join(output, pole.id, 'etc/polewatch')
    mkdirSync(folder, { recursive: true })
    const { text, files } = configurations[index] ?? { text: '', files: [] }
    // Whatever the mask here: on the unit the roles read all but passwords and the claim.
    for (const each of [join(output, pole.id), join(output, pole.id, 'etc'), folder]) chmodSync(each, 0o755)
    const makeFolderOf = (name: string): void => {
      if (dirname(name) === '.') return
      makeFolderOf(dirname(name))
      mkdirSync(join(folder, dirname(name)), { recursive: true })
      chmodSync(join(folder, dirname(name)), 0o755)
    }
    const open = (name: string, content: string): void => {
      writeFileSync(join(folder, name), content)
      chmodSync(join(folder, name), 0o644)
    }
    open('polewatch.yaml', text)
    for (const { name, text, secret } of files) {
      makeFolderOf(name)
      if (secret) writeFileSync(join(folder, name), text, { mode: 0o600 })
      else open(name, text)
    }
    open('trust.pem', authority.root)
    writeFileSync(join(folder, 'claim'), `${authority.claim({ site: pole.site, gateway: pole.id }, now)}\n`, {
      mode: 0o600,
    })
  }
  return poles
}

function configurationOf(pole: Pole, site: string, devicesFolder: string): string {
  const { id, position, heading, devices } = pole
  return editConfiguration(site, [
    { path: ['site'], value: pole.site },
    { path: ['gateway', 'id'], value: id },
    { path: ['gateway', 'position'], value: position },
    { path: ['gateway', 'heading'], value: heading },
    ...[...wiredDevices(devicesFolder, devices)].map(([list, value]) => ({ path: [list], value })),
    { path: ['enrolment', 'trust'], value: '/etc/polewatch/trust.pem' },
    { path: ['enrolment', 'claimFile'], value: '/etc/polewatch/claim' },
  ])
}
