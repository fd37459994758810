import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { z } from 'zod'

/*
 * Compares the packages that run on a unit with the holes that the registry knows. Those of scripts/audit-exceptions.json are let pass until
 * their day. Exit status 1 where another is found or an exception has run out, 3 where the registry cannot be asked.
 */

const auditSchema = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({
      via: z.array(z.union([z.string(), z.object({ url: z.string(), title: z.string(), severity: z.string() })])),
    }),
  ),
})
const exceptionsSchema = z.array(
  z.strictObject({
    /** Such as GHSA-xxxx-xxxx-xxxx. */
    advisory: z.string(),
    package: z.string(),
    reason: z.string().min(20),
    until: z.iso.date(),
  }),
)

/** What is to be done, a line each. @param audit what `npm audit --json` says @param today such as 2026-11-26 */
export function openHoles(audit: unknown, exceptions: unknown, today: string): string[] {
  const { vulnerabilities } = auditSchema.parse(audit)
  const allowed = exceptionsSchema.parse(exceptions)
  const found = Object.entries(vulnerabilities).flatMap(([name, { via }]) =>
    via.flatMap(hole =>
      typeof hole === 'string' ? [] : [{ name, ...hole, advisory: hole.url.split('/').at(-1) ?? '' }],
    ),
  )
  const open = found.filter(
    hole =>
      !allowed.some(
        ({ advisory, package: name, until }) => advisory === hole.advisory && name === hole.name && today <= until,
      ),
  )
  const idle = allowed.filter(
    ({ advisory, package: name }) => !found.some(hole => hole.advisory === advisory && hole.name === name),
  )
  return [
    ...open.map(({ name, severity, title, url }) => `${name} (${severity}): ${title}, ${url}`),
    ...idle.map(({ advisory, package: name }) => `the exception for ${advisory} of ${name} is not needed any more`),
  ]
}

if (process.argv[1]?.endsWith('audit.js')) process.exitCode = main()

function main(): number {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json', '--fetch-retries=0'], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  let audit: unknown
  try {
    audit = auditSchema.parse(JSON.parse(stdout))
  } catch {
    process.stdout.write('# SKIPPED audit: the registry here does not tell of known holes\n')
    return 3
  }
  const exceptions: unknown = JSON.parse(readFileSync('scripts/audit-exceptions.json', 'utf8'))
  const holes = openHoles(audit, exceptions, new Date().toISOString().slice(0, 10))
  for (const hole of holes) process.stdout.write(`${hole}\n`)
  return holes.length === 0 ? 0 : 1
}
