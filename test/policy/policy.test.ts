import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { canonicalJson } from '../../gateway/messages/json.js'
import {
  audioSecondsAllowed,
  builtInPolicy,
  canonicalText,
  defaultRefused,
  keepSeconds,
  type Policy,
  permitsEvidence,
  permitsPurpose,
  permitsRequest,
  permittedWords,
  policyHash,
  policySchema,
  purposeOf,
} from '../../gateway/policy/policy.js'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const name = fc.stringMatching(/^[a-z0-9]{1,6}(-[a-z0-9]{1,6}){0,2}$/)
const names = fc.uniqueArray(name, { maxLength: 6 })
const days = fc.double({ min: 0, max: 3660, noNaN: true })
const policies: fc.Arbitrary<Policy> = fc.record({
  version: fc.constant(1),
  purposes: names,
  hotlistDefaults: fc.record({ purposes: names, validForHours: fc.double({ min: 0, max: 8784, noNaN: true }) }),
  keepDays: fc.record({ gunfire: days, plateHit: days, audio: days, picture: days, audit: days }),
  evidence: fc.record({
    audioSeconds: fc.double({ min: 0, max: 60, noNaN: true }),
    platePictures: fc.boolean(),
    scenePictures: fc.boolean(),
  }),
  mayAsk: fc.record({ evidence: names, report: names, audit: names }),
})

test('the built-in policy is strict and is itself a policy', t => {
  t.strictSame(policySchema.parse(builtInPolicy), builtInPolicy)
  t.notOk(permitsEvidence(builtInPolicy, 'audio'), 'no sound leaves')
  t.equal(audioSecondsAllowed(builtInPolicy), 0)
  t.notOk(permitsEvidence(builtInPolicy, 'scene-picture'), 'no picture with people in it leaves')
  t.ok(permitsEvidence(builtInPolicy, 'plate-picture'), 'what a person needs to check a hit may leave')
  t.equal(keepSeconds(builtInPolicy, 'audio'), 0)
  t.equal(keepSeconds(builtInPolicy, 'plateHit'), 86400)
  t.end()
})

test('only the purposes that are written down are allowed, letter by letter', t => {
  t.ok(permitsPurpose(builtInPolicy, 'stolen-vehicle'))
  for (const purpose of [
    '',
    'Stolen-Vehicle',
    'stolen-vehicle ',
    'stolen',
    'parking-fine',
    'constructor',
    '__proto__',
  ]) {
    t.notOk(permitsPurpose(builtInPolicy, purpose), `not ${JSON.stringify(purpose)}`)
  }
  t.notOk(permitsPurpose({ ...builtInPolicy, purposes: [] }, 'stolen-vehicle'))
  t.end()
})

test("an agency's words stand for purposes, and are allowed when these are", t => {
  const words = { 'STOLEN VEH': 'stolen-vehicle', PARKING: 'parking-fine', 'missing-person': 'parking-fine' }
  t.equal(purposeOf('STOLEN VEH', words), 'stolen-vehicle')
  t.equal(purposeOf('felony-warrant', words), 'felony-warrant')
  t.equal(purposeOf('toString', words), 'toString')
  t.strictSame(permittedWords(builtInPolicy, words).toSorted(), [
    'STOLEN VEH',
    'felony-warrant',
    'stolen-plate',
    'stolen-vehicle',
  ])
  t.strictSame(permittedWords(builtInPolicy, {}), builtInPolicy.purposes)
  t.end()
})

test('what entries lack is filled in only as far as the policy says, and never with a purpose that it does not allow', t => {
  t.match(defaultRefused(builtInPolicy, 'stolen-vehicle', null), 'stolen-vehicle')
  t.match(defaultRefused(builtInPolicy, null, 1), '1 hours')
  t.equal(defaultRefused(builtInPolicy, null, null), null)
  const looser = {
    ...builtInPolicy,
    hotlistDefaults: { purposes: ['stolen-vehicle', 'parking-fine'], validForHours: 48 },
  }
  t.equal(defaultRefused(looser, 'stolen-vehicle', 48), null)
  t.match(defaultRefused(looser, 'parking-fine', null), 'parking-fine')
  t.match(defaultRefused(looser, 'missing-person', null), 'missing-person')
  t.match(defaultRefused(looser, 'stolen-vehicle', 49), '49 hours')
  t.match(defaultRefused(looser, null, Number.NaN), 'hours', 'no number is no leave')
  t.end()
})

test('who may ask depends on what for', t => {
  t.ok(permitsRequest(builtInPolicy, 'auditor', 'audit'))
  t.notOk(permitsRequest(builtInPolicy, 'auditor', 'evidence'))
  t.ok(permitsRequest(builtInPolicy, 'reviewer', 'evidence'))
  t.notOk(permitsRequest(builtInPolicy, 'anyone', 'report'))
  t.end()
})

test('the hash does not depend on how a policy was written down', t => {
  t.equal(
    policyHash(builtInPolicy, sha256),
    sha256(
      '{"evidence":{"audioSeconds":0,"platePictures":true,"scenePictures":false},' +
        '"hotlistDefaults":{"purposes":[],"validForHours":0},' +
        '"keepDays":{"audio":0,"audit":365,"gunfire":7,"picture":1,"plateHit":1},' +
        '"mayAsk":{"audit":["auditor"],"evidence":["reviewer"],"report":["auditor","reviewer"]},' +
        '"purposes":["felony-warrant","missing-person","stolen-plate","stolen-vehicle"],"version":1}',
    ),
  )
  fc.assert(
    fc.property(policies, policy => {
      const other = policySchema.parse({
        mayAsk: Object.fromEntries(Object.entries(policy.mayAsk).reverse()),
        ...Object.fromEntries(Object.entries(policy).reverse()),
        purposes: [...policy.purposes, ...policy.purposes].reverse(),
      })
      return canonicalText(other) === canonicalText(policy)
    }),
  )
  t.end()
})

test('the canonical text is that of RFC 8785', t => {
  fc.assert(
    fc.property(policies, policy => {
      const { evidence, report, audit } = policy.mayAsk
      const { hotlistDefaults } = policy
      const ordered = {
        ...policy,
        purposes: policy.purposes.toSorted(),
        hotlistDefaults: { ...hotlistDefaults, purposes: hotlistDefaults.purposes.toSorted() },
        mayAsk: { evidence: evidence.toSorted(), report: report.toSorted(), audit: audit.toSorted() },
      }
      return canonicalText(policy) === canonicalJson(ordered)
    }),
  )
  t.end()
})

test('another policy has another hash', t => {
  const changed: Policy[] = [
    { ...builtInPolicy, purposes: [...builtInPolicy.purposes, 'parking-fine'] },
    { ...builtInPolicy, keepDays: { ...builtInPolicy.keepDays, picture: 2 } },
    { ...builtInPolicy, evidence: { ...builtInPolicy.evidence, scenePictures: true } },
    { ...builtInPolicy, mayAsk: { ...builtInPolicy.mayAsk, audit: ['reviewer'] } },
    {
      ...builtInPolicy,
      mayAsk: { ...builtInPolicy.mayAsk, audit: builtInPolicy.mayAsk.evidence, evidence: ['auditor'] },
    },
  ]
  t.equal(new Set([builtInPolicy, ...changed].map(policy => policyHash(policy, sha256))).size, changed.length + 1)
  t.end()
})

test('what is no policy is refused', t => {
  for (const wrong of [
    {},
    { ...builtInPolicy, version: 2 },
    { ...builtInPolicy, purposes: ['Stolen Vehicle'] },
    { ...builtInPolicy, keepDays: { ...builtInPolicy.keepDays, audio: -1 } },
    { ...builtInPolicy, keepPlatesWithoutHit: 30 },
  ]) {
    t.notOk(policySchema.safeParse(wrong).success, JSON.stringify(wrong).slice(0, 40))
  }
  t.end()
})
