import { getServers } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type Command, Option } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import type { Configuration } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { print, printJson } from './terminal.js'

/** Roles that have a network. */
const roles = ['uplink', 'vision'] as const
type NetworkRole = (typeof roles)[number]

/** `config addresses`: what systemd lets a role reach, from what the configuration names. */
export function defineAddresses(command: Command): void {
  command
    .description(
      'Prints the systemd drop-in with the addresses that a role may reach: the brokers and name servers for uplink, the readers for vision.',
    )
    .argument('[FILE]', 'the configuration', defaultConfigurationFile)
    .addOption(new Option('--role <ROLE>', 'whose addresses').choices(roles).default('uplink'))
    .option('--json', 'the addresses as one line of JSON')
    .addHelpText(
      'after',
      `
A name is looked up now: run it again when a broker moves, or write the whole network in its place (192.0.2.0/24).

Example:
  mkdir -p /etc/systemd/system/polewatch-uplink.service.d
  polewatch config addresses > /etc/systemd/system/polewatch-uplink.service.d/addresses.conf
  systemctl daemon-reload`,
    )
    .action(async (file: string, { role, json }: { role: NetworkRole; json?: boolean }) => {
      const configuration = loadConfiguration(file, deviceNames(devicesFolder))
      const found = await Promise.all(hostsOf(configuration, role).map(addressesOf))
      const servers = role === 'uplink' ? getServers().map(server => server.replace(/^\[(.*)\]:\d+$|:53$/, '$1')) : []
      const addresses = [...new Set([...found.flat(), ...servers])].sort()
      if (json) return printJson({ role, addresses })
      print('[Service]')
      for (const address of addresses) print(`IPAddressAllow=${address}`)
    })
}

function hostsOf({ uplink, neighbours, plateReaders }: Configuration, role: NetworkRole): string[] {
  const hosts =
    role === 'uplink'
      ? [...uplink.brokers, ...neighbours.brokers].map(broker => new URL(broker).hostname.replace(/^\[(.*)\]$/, '$1'))
      : plateReaders.flatMap(reader => (reader.driver === 'tcp' ? [reader.host] : []))
  return [...new Set(hosts)]
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host]
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    throw new PolewatchError(
      'PW_HOST_UNKNOWN',
      { host, why: error instanceof Error ? error.message : 'no answer' },
      error,
    )
  }
}
