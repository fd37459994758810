import { getServers } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type Command, Option } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import type { Configuration, PlateReaderSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { print, printJson } from './terminal.js'

/** Roles that have a network. */
const roles = ['uplink', 'vision'] as const
type NetworkRole = (typeof roles)[number]

/** `config addresses`: what systemd, and the firewall, let a role reach or be called by, from what the configuration names. */
export function defineAddresses(command: Command): void {
  command
    .description(
      'Prints the systemd drop-in with the addresses that a role may reach: the brokers for uplink, the readers and cameras for vision, and the name servers where one of them is given by name.',
    )
    .argument('[FILE]', 'the configuration', defaultConfigurationFile)
    .addOption(new Option('--role <ROLE>', 'whose addresses').choices(roles).default('uplink'))
    .option('--json', 'the addresses as one line of JSON')
    .option('--firewall', 'in its place the chain of the firewall that lets readers call (`driver: tcp-server`)')
    .addHelpText(
      'after',
      `
A name is looked up now: systemctl start polewatch-addresses@now does it again and puts it in force, also in the firewall, when a broker has moved.

Example:
  polewatch config addresses --role vision`,
    )
    .action(
      async (file: string, { role, json, firewall }: { role: NetworkRole; json?: boolean; firewall?: boolean }) => {
        const configuration = loadConfiguration(file, deviceNames(devicesFolder))
        if (firewall) return firewallRules(callingReaders(configuration)).forEach(print)
        const hosts = hostsOf(configuration, role)
        const found = await Promise.all(hosts.map(addressesOf))
        const servers = hosts.every(host => isIP(host) !== 0) ? [] : getServers().map(withoutPort)
        const callers = role === 'vision' ? callingReaders(configuration).map(callersOf) : []
        const addresses = [...new Set([...found.flat(), ...callers, ...servers])].sort()
        if (json) return printJson({ role, addresses })
        print('[Service]')
        for (const address of addresses) print(`IPAddressAllow=${address}`)
      },
    )
}

function hostsOf({ uplink, neighbours, plateReaders, cameras }: Configuration, role: NetworkRole): string[] {
  const hosts =
    role === 'uplink'
      ? [...uplink.brokers, ...neighbours.brokers].map(hostOf)
      : [
          ...plateReaders.flatMap(reader => (reader.driver === 'tcp' ? [reader.host] : [])),
          ...cameras.flatMap(camera => (camera.driver === 'rtsp' ? [hostOf(camera.url)] : [])),
        ]
  return [...new Set(hosts)]
}

/** The host of an address, an IPv6 one without its brackets. */
function hostOf(address: string): string {
  return new URL(address).hostname.replace(/^\[(.*)\]$/, '$1')
}

/** A name server, of whose port Node.js tells only another than the usual one. */
function withoutPort(server: string): string {
  return isIP(server) !== 0 ? server : server.replace(/^\[(.*)\]:\d+$|:\d+$/, '$1')
}

type CallingReader = Extract<PlateReaderSettings, { driver: 'tcp-server' }>

function callingReaders({ plateReaders }: Configuration): CallingReader[] {
  return plateReaders.flatMap(reader => (reader.driver === 'tcp-server' ? [reader] : []))
}

/** Address or network that a reader calls from. @throws PW_CALLERS_UNKNOWN */
function callersOf({ address, callsFrom }: CallingReader): string {
  const own = Object.values(networkInterfaces()).flatMap(found => found ?? [])
  const network = callsFrom ?? own.find(found => found.address === address)?.cidr
  if (network === undefined || network === null) throw new PolewatchError('PW_CALLERS_UNKNOWN', { address })
  return network
}

/** Of the firewall in `firmware-config/host/nftables.conf`: the whole of its chain, whatever was in it. */
function firewallRules(readers: readonly CallingReader[]): string[] {
  const rules = readers.map(reader => {
    const { address, tcpPort } = reader
    const family = isIPv6(address) ? 'ip6' : 'ip'
    return `add rule inet polewatch readers ${family} saddr ${callersOf(reader)} ${family} daddr ${address} tcp dport ${tcpPort} accept`
  })
  return ['flush chain inet polewatch readers', ...rules]
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
