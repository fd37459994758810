import type { Configuration } from '../config/schema.js'
import { readSecret } from '../config/secret-file.js'
import { publicKeyFromPem } from '../messages/keys.js'
import { CommandAuthority, type CommandKey } from '../uplink/command-authority.js'

/** What the hub's own key may ask for where the configuration does not list it. */
const ofTheHub = new Set(['verdict', 'status', 'check'] as const)

/** Whose commands this gateway obeys. @throws PW_KEY_FILE, PW_KEY_INVALID */
export function commandAuthority({ site, gateway, uplink, commands }: Configuration): CommandAuthority {
  const hub: CommandKey[] =
    uplink.hubKey === null
      ? []
      : [{ name: 'hub', key: publicKeyFromPem(readSecret(uplink.hubKey)), commands: ofTheHub, purposes: null }]
  const listed = commands.keys.map(entry => ({
    name: entry.name,
    key: publicKeyFromPem(readSecret(entry.file)),
    commands: new Set(entry.commands),
    purposes: entry.purposes === null ? null : new Set(entry.purposes),
  }))
  return new CommandAuthority(site, gateway.id, [...hub, ...listed])
}
