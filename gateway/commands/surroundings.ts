import { accessSync, constants, statfsSync } from 'node:fs'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import { readSecret } from '../config/secret-file.js'
import type { ListCondition, Surroundings } from '../console/condition.js'
import { messageOf } from '../errors.js'
import { machineSwaps } from '../health/memory-rules.js'
import { Hotlist } from '../hotlist/hotlist.js'
import { validity } from '../uplink/unit-certificate.js'
import { listsFolder } from './hotlist-settings.js'
import { systemTime } from './role.js'

/** Looks at what no role says: hotlists, the certificate, the disk, the policy. */
export function lookAround(configuration: Configuration): Surroundings {
  return {
    lists: configuration.hotlist.lists.map(list => listCondition(configuration, list)),
    certificate: certificateOf(configuration),
    disk: diskOf(configuration.paths.state),
    policy: policyOf(configuration.policyFile),
    machineSwaps: machineSwaps(),
  }
}

function listCondition(
  configuration: Configuration,
  { name, staleAfterHours }: Configuration['hotlist']['lists'][number],
): ListCondition {
  const options = { maximumAge: staleAfterHours * 3600, mayBeUnusable: true }
  const list = Hotlist.open(listsFolder(configuration), name, options)
  try {
    const { freshness, about } = list.status(systemTime())
    return { list: name, freshness, entries: about?.entries ?? 0, imported: about?.imported ?? null }
  } finally {
    list.close()
  }
}

function certificateOf({ uplink }: Configuration): Surroundings['certificate'] {
  const { certificate } = uplink.tls
  if (certificate === null) return null
  try {
    return { until: validity(readSecret(certificate)).until }
  } catch (error) {
    return { unread: messageOf(error) }
  }
}

function diskOf(folder: string): Surroundings['disk'] {
  try {
    const { bavail, bsize } = statfsSync(folder)
    if (isReadOnly(folder)) return { unusable: 'it is mounted read-only' }
    return { free: bavail * bsize }
  } catch (error) {
    return { unusable: messageOf(error) }
  }
}

/** Whether nobody can write there; that this user may not is no fault. */
function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EROFS'
  }
}

function policyOf(file: string | null): Surroundings['policy'] {
  try {
    return { hash: loadPolicy(file).hash }
  } catch (error) {
    return { wrong: messageOf(error) }
  }
}
