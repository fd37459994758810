import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { builtInPolicy, type Policy, policyHash, policySchema } from '../policy/policy.js'
import { checkText } from './check.js'
import { InvalidConfiguration, readText } from './load.js'

/** A policy and the hash that alerts name it by. */
export interface PolicyInForce {
  readonly policy: Policy
  /** SHA-256 of its canonical text, lower-case hexadecimal. */
  readonly hash: string
}

/**
 * Reads a policy file (JSON or YAML), or gives the built-in policy where there is none.
 *
 * Throws PW_CONFIG_MISSING, PW_CONFIG_UNREADABLE, and PW_CONFIG_INVALID as an `InvalidConfiguration`.
 */
export function loadPolicy(file: string | null): PolicyInForce {
  if (file === null) return inForce(builtInPolicy)
  const { value, problems } = checkText(policySchema, readText(file), dirname(file))
  if (value === null) throw new InvalidConfiguration(file, problems)
  return inForce(value)
}

function inForce(policy: Policy): PolicyInForce {
  return { policy, hash: policyHash(policy, text => createHash('sha256').update(text, 'utf8').digest('hex')) }
}
