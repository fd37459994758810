import fc from 'fast-check'
import { test } from 'tap'
import type { HubOutput } from '../../gateway/hub/outputs.js'
import { parsePinnedKeys } from '../../gateway/hub/pinned-keys.js'
import { RangeSet } from '../../gateway/hub/ranges.js'
import { HubReceiver, readHubState } from '../../gateway/hub/receiver.js'
import { createSigningKey, publicJwkOf, type SigningKey } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import { formatSequence } from '../../gateway/messages/stream.js'
import { topicFor } from '../../gateway/messages/topics.js'
import { KeyPins } from '../../gateway/uplink/key-pins.js'
import {
  capabilities,
  faultDraft,
  sealed,
  sealedCapabilities,
  sensingKey,
  site,
  time,
  uplinkKey,
} from '../uplink/events.js'

const gateway = 'pole-1'
const epoch = 'epoch0001'
const source = `/${site}/${gateway}/sensing/fault`
const topic = `polewatch/v1/${site}/${gateway}/alert/fault`
const capabilitiesTopic = `polewatch/v1/${site}/${gateway}/capabilities`
const messages = new Map<number, Uint8Array>()

function message(sequence: number): Uint8Array {
  const known = messages.get(sequence) ?? sealed(faultDraft(`number ${sequence}`), gateway, epoch, sequence)
  messages.set(sequence, known)
  return known
}

function shed(first: number, last: number, of = source): Uint8Array {
  const range = { stream: of, epoch, first: formatSequence(first), last: formatSequence(last) }
  const data = { ranges: [range], count: last - first + 1, reason: 'journal-full' as const }
  return sealed({ name: 'shed', time, exercise: true, data }, gateway, epoch, 1)
}

function receiver(state?: ReturnType<HubReceiver['toJSON']>, share?: string): HubReceiver {
  const hub = new HubReceiver({ hold: 2, ...(share === undefined ? {} : { share }) }, state)
  hub.feed(
    capabilitiesTopic,
    sealedCapabilities(gateway, capabilities(gateway, { uplink: uplinkKey, sensing: sensingKey })),
    0,
  )
  return hub
}

/** `5` an event, `5 late`, `gap 2-3`, `gap-closed 2-3`, `begun 7` … */
function told(outputs: readonly HubOutput[]): string[] {
  return outputs.map(output => {
    if (output.kind === 'event') return `${output.envelope.sequence}${output.late ? ' late' : ''}`
    if (output.kind === 'begun') return `begun ${output.first}`
    if (output.kind === 'refused') return `refused ${output.why}`
    return 'first' in output ? `${output.kind} ${output.first}-${output.last}` : output.kind
  })
}

function feed(hub: HubReceiver, sequences: readonly number[], now = 0): HubOutput[] {
  return sequences.flatMap(sequence => hub.feed(topic, message(sequence), now))
}

function settleAll(hub: HubReceiver, outputs: readonly HubOutput[]): void {
  for (const output of outputs) if (output.kind === 'event') hub.settle(output)
}

function acknowledged(hub: HubReceiver): number[] {
  return hub.acknowledgements().map(each => each.sequence)
}

test('the hub puts a stream in order, drops duplicates and acknowledges what was settled', async t => {
  const hub = receiver()
  const outputs = feed(hub, [1, 3, 2, 2, 3, 1, 4])
  t.same(told(outputs), ['1', '2', '3', '4'])
  t.equal(hub.counters.duplicates, 3)
  t.same(acknowledged(hub), [], 'nothing was settled, so a duplicate gets no false answer')
  settleAll(hub, outputs.slice(0, 2))
  t.same(acknowledged(hub), [2])
  t.same(acknowledged(hub), [], 'it is said once')
  feed(hub, [2])
  t.same(acknowledged(hub), [2], 'a duplicate is answered again')
  settleAll(hub, outputs.slice(2))
  t.same(acknowledged(hub), [4])
})

test('any order with any duplicates gives the same ordered output', async t => {
  const count = 12
  const order = fc
    .shuffledSubarray(
      Array.from({ length: count - 1 }, (_, index) => index + 2),
      { minLength: count - 1 },
    )
    .chain(all => fc.array(fc.integer({ min: 1, max: count }), { maxLength: 12 }).map(more => ({ all, more })))
    .chain(({ all, more }) =>
      fc.array(fc.nat(), { minLength: more.length, maxLength: more.length }).map(at => ({ all, more, at })),
    )
  fc.assert(
    fc.property(order, ({ all, more, at }) => {
      const sequences = [1, ...all]
      more.forEach((sequence, index) => {
        sequences.splice(1 + ((at[index] ?? 0) % sequences.length), 0, sequence)
      })
      const outputs = feed(receiver(), sequences)
      const expected = Array.from({ length: count }, (_, index) => `${index + 1}`)
      return JSON.stringify(told(outputs)) === JSON.stringify(expected)
    }),
    { numRuns: 100 },
  )
  t.pass('100 orders')
})

test('a gap is named after the wait, closed by what comes late, and holds the acknowledgement back', async t => {
  const hub = receiver()
  const first = feed(hub, [1, 2], 0)
  t.same(told(feed(hub, [5, 6], 1)), [], 'what comes too early waits')
  t.same(told(hub.tick(2.9)), [])
  const after = hub.tick(3.1)
  t.same(told(after), ['gap 3-4', '5', '6'])
  t.same(told(hub.tick(9)), [], 'it is named once')
  settleAll(hub, [...first, ...after])
  t.same(acknowledged(hub), [2])
  const third = feed(hub, [3], 10)
  t.same(told(third), ['3 late'])
  const fourth = feed(hub, [4, 7], 10)
  t.same(told(fourth), ['4 late', 'gap-closed 3-4', '7'])
  settleAll(hub, [...third, ...fourth])
  t.same(acknowledged(hub), [7])
})

test('numbers that the gateway has shed count as accounted for, whatever comes first', async t => {
  const hub = receiver()
  settleAll(hub, feed(hub, [1], 0))
  const shedTopic = `polewatch/v1/${site}/${gateway}/alert/shed`
  const waiting = feed(hub, [5], 0)
  const outputs = hub.feed(shedTopic, shed(2, 4), 0)
  t.same(told(outputs), ['1', 'shed 2-4', '5'], 'the shed event itself, then what waited behind the range')
  settleAll(hub, [...waiting, ...outputs])
  t.same(hub.acknowledgements().find(each => each.source === source)?.sequence, 5)
  const named = receiver()
  feed(named, [1, 4], 0)
  t.same(told(named.tick(5)), ['gap 2-3', '4'])
  t.same(told(named.feed(shedTopic, shed(2, 3), 6)), ['1', 'shed 2-3', 'gap-closed 2-3'])
  const foreign = receiver()
  foreign.feed(shedTopic, shed(1, 9, `/${site}/pole-2/sensing/fault`), 0)
  t.same(foreign.acknowledgements(), [], 'a gateway cannot shed what is another’s')
})

test('a hub that remembers keeps its place, and events that nobody settled come again', async t => {
  const hub = receiver()
  settleAll(hub, feed(hub, [1, 2, 3]))
  feed(hub, [4, 5])
  const state = readHubState(JSON.stringify(hub))
  const again = new HubReceiver({}, state)
  t.same(told(feed(again, [3, 4, 5, 6])), ['4', '5', '6'], 'keys are remembered too')
  t.throws(() => readHubState('{"version":2}'))
})

test('a hub without memory begins where it joins, says so, and asks for what is kept until it knows where the sender stands', async t => {
  const hub = receiver()
  const joined = feed(hub, [7, 8])
  t.same(told(joined), ['begun 7', '7', '8'])
  settleAll(hub, joined)
  t.same(acknowledged(hub), [0], 'numbers before 7 may be missing')
  const again = feed(hub, [5, 6, 7, 8, 9])
  t.same(told(again), ['begun 5', '5 late', '6 late', '9'], 'what the sender still had is told')
  settleAll(hub, again)
  t.same(acknowledged(hub), [9])
  const fresh = receiver()
  settleAll(fresh, feed(fresh, [7, 8]))
  fresh.feed(topic, message(7), 0, true)
  t.same(acknowledged(fresh), [0], 'what the broker repeats by itself says nothing of the sender')
  t.same(told(feed(fresh, [7])), [], 'nothing more was kept')
  t.same(acknowledged(fresh), [8], 'the sender goes back to what it knows unacknowledged')
})

test('hubs that share alerts do not ask for what another of them may have recorded', async t => {
  const hub = receiver(undefined, 'desks')
  settleAll(hub, feed(hub, [7, 8]))
  t.same(acknowledged(hub), [])
})

test('a hub of a group that comes back names no gap and acknowledges nothing until another one tells how far the group is', async t => {
  const before = receiver(undefined, 'desks')
  settleAll(before, feed(before, [1, 2, 3]))
  t.same(acknowledged(before), [3])
  const hub = receiver(readHubState(JSON.stringify(before)), 'desks')
  hub.rejoin()
  t.same(told(feed(hub, [8, 9, 11], 20)), [], 'others may have 4 to 7')
  const outputs = hub.tick(23)
  t.same(told(outputs), ['8', '9'], 'they wait for it no longer than for any other')
  t.same(told(hub.tick(25)), ['gap 10-10', '11'], 'what is missing among what came since is a gap')
  settleAll(hub, outputs)
  t.same(acknowledged(hub), [])
  t.same(told(hub.recorded(source, epoch, 6, 25)), [])
  t.same(acknowledged(hub), [6])
  hub.recorded(source, epoch, 7, 25)
  t.same(acknowledged(hub), [9], 'and what it has recorded behind')
  t.same(told(hub.recorded(source, epoch, 10, 25)), ['gap-closed 10-10'])
  t.same(told(feed(hub, [5, 10])), [], 'what the group has is a repetition')
})

test('hubs of a group that get a stream in turn give it out in order, and the one that is left asks at last for the rest', async t => {
  const one = receiver(undefined, 'desks')
  const other = receiver(undefined, 'desks')
  t.same(told(feed(one, [1, 3, 5])), ['1'])
  t.same(told(feed(other, [2, 4])), ['begun 2', '2'])
  t.same(told(one.recorded(source, epoch, 2, 0)), ['3'])
  t.same(told(other.recorded(source, epoch, 3, 0)), ['4'])
  t.same(told(one.recorded(source, epoch, 4, 0)), ['5'])
  const last = receiver(undefined, 'desks')
  settleAll(last, feed(last, [8, 9], 0))
  feed(last, [8], 5)
  t.same(acknowledged(last), [], 'a number that comes again may be one that another hub was given the number before of')
  feed(last, [8], 11)
  t.same(acknowledged(last), [0])
})

test('uplink tells what a hub has lost and nobody keeps, and what has come is not called gone', async t => {
  const state = receiver()
  settleAll(state, feed(state, [1, 2]))
  const hub = new HubReceiver({}, readHubState(JSON.stringify(state)))
  feed(hub, [6])
  settleAll(hub, hub.tick(3))
  t.same(acknowledged(hub), [2])
  const range = { stream: source, epoch, first: formatSequence(2), last: formatSequence(5) }
  const data = { ranges: [range], count: 4, reason: 'acknowledged' as const }
  const draft = { name: 'shed' as const, time, exercise: true, data }
  const position = { source: `/${site}/${gateway}/uplink/rest`, epoch: 'uplink01', sequence: 1 }
  const outputs = hub.feed(topicFor('shed', { site, gateway }), sealEvent(draft, position, uplinkKey).bytes, 0)
  t.same(told(outputs), ['1', 'shed 3-5', 'gap-closed 3-5'])
  settleAll(hub, outputs)
  t.same(acknowledged(hub), [6, 1])
})

test('a new epoch starts a new count and is told', async t => {
  const hub = receiver()
  feed(hub, [1, 2])
  const outputs = hub.feed(topic, sealed(faultDraft('anew'), gateway, 'epoch0002', 1), 0)
  t.same(told(outputs), ['epoch-changed', '1'])
  t.same(told(feed(hub, [3])), ['3'], 'what was on its way from the former one still counts')
})

test('an epoch that two others followed is refused by name, also after a restart, and the live one keeps its place', async t => {
  const hub = receiver()
  const of = (to: HubReceiver, name: string, sequence: number) => {
    const outputs = to.feed(topic, sealed(faultDraft(name), gateway, name, sequence), 0)
    settleAll(to, outputs)
    return told(outputs)
  }
  for (const name of ['epoch0001', 'epoch0002', 'epoch0003']) for (const number of [1, 2]) of(hub, name, number)
  t.same(of(hub, 'epoch0001', 2), ['refused retired-epoch'])
  t.same(of(hub, 'epoch0001', 3), ['refused retired-epoch'])
  t.same(of(hub, 'epoch0002', 3), ['3'], 'what was on its way from the former one still counts')
  t.same(of(hub, 'epoch0003', 3), ['3'])
  const state = readHubState(JSON.stringify(hub))
  const again = new HubReceiver({}, state)
  t.same(of(again, 'epoch0001', 2), ['refused retired-epoch'])
  t.same(of(again, 'epoch0003', 4), ['4'])
  const { retired: _, ...earlier } = state
  t.same(
    of(new HubReceiver({}, readHubState(JSON.stringify(earlier))), 'epoch0003', 4),
    ['4'],
    'a state of before loads',
  )
})

test('what is only told of an epoch never takes the place of one that was met', async t => {
  const hub = receiver()
  settleAll(hub, hub.feed(topic, sealed(faultDraft('former'), gateway, 'epoch0002', 1), 0))
  settleAll(hub, hub.feed(topic, sealed(faultDraft('live'), gateway, 'epoch0003', 1), 0))
  for (const [index, name] of ['epoch0004', 'epoch0005'].entries()) {
    const range = { stream: source, epoch: name, first: formatSequence(1), last: formatSequence(5) }
    const data = { ranges: [range], count: 5, reason: 'journal-full' as const }
    hub.feed(
      topicFor('shed', { site, gateway }),
      sealed({ name: 'shed', time, exercise: true, data }, gateway, 'epoch0003', index + 1),
      0,
    )
  }
  t.same(told(hub.feed(topic, sealed(faultDraft('live'), gateway, 'epoch0003', 1), 0)), [], 'it is known still')
  t.same(told(hub.feed(topic, sealed(faultDraft('live'), gateway, 'epoch0003', 2), 0)), ['2'])
})

test('what went with a damaged journal is named of the former epoch, which stays the former one', async t => {
  const told3to5 = (hub: HubReceiver) => {
    const range = { stream: source, epoch, first: formatSequence(3), last: formatSequence(5) }
    const data = { ranges: [range], count: 3, reason: 'journal-damaged' as const }
    const bytes = sealed({ name: 'shed', time, exercise: true, data }, gateway, 'epoch0002', 1)
    return hub.feed(topicFor('shed', { site, gateway }), bytes, 0)
  }
  const hub = receiver()
  settleAll(hub, feed(hub, [1, 2, 4]))
  hub.feed(topic, sealed(faultDraft('live'), gateway, 'epoch0002', 1), 0)
  t.same(told(told3to5(hub)), ['1', 'shed 3-3', '4', 'shed 5-5'])
  const stranger = receiver()
  settleAll(stranger, stranger.feed(topic, sealed(faultDraft('live'), gateway, 'epoch0002', 1), 0))
  acknowledged(stranger)
  t.same(told(told3to5(stranger)), ['1', 'shed 3-5'], 'also by a hub that never met it')
  stranger.repeatAcknowledgements(site, gateway)
  t.ok(stranger.acknowledgements().some(each => each.source === source && each.epoch === 'epoch0002'))
  const next = stranger.feed(topic, sealed(faultDraft('next'), gateway, 'epoch0003', 1), 0)
  t.match(next, [{ kind: 'epoch-changed', former: 'epoch0002' }, { kind: 'event' }])
})

test('what waits in an epoch is given out before it is retired', async t => {
  const hub = receiver()
  feed(hub, [1, 3])
  hub.feed(topic, sealed(faultDraft('second'), gateway, 'epoch0002', 1), 0)
  const outputs = hub.feed(topic, sealed(faultDraft('third'), gateway, 'epoch0003', 1), 0)
  t.same(told(outputs), ['epoch-changed', 'gap 2-2', '3', '1'])
})

test('of a source a hundred names of epochs are remembered', async t => {
  const hub = receiver()
  for (let number = 1; number <= 110; number += 1) {
    hub.feed(topic, sealed(faultDraft('x'), gateway, `epoch${String(number).padStart(4, '0')}`, 1), 0)
  }
  const [retired] = hub.toJSON().retired ?? []
  t.equal(retired?.epochs.length, 100)
  t.equal(retired?.epochs.at(-1), 'epoch0108')
})

test('forged, unsigned, misplaced and malformed messages are refused and named', async t => {
  const hub = receiver()
  const stranger = createSigningKey()
  const refused = (bytes: Uint8Array, where = topic) => told(hub.feed(where, bytes, 0))
  const tampered = Buffer.from(Buffer.from(message(1)).toString().replace('number 1', 'number 9'))
  t.same(refused(tampered), ['refused forged'])
  t.same(refused(sealed(faultDraft('x'), gateway, epoch, 1, stranger)), ['refused unknown-key'])
  t.same(refused(message(1), `polewatch/v1/${site}/pole-2/alert/fault`), ['refused topic-and-source-differ'])
  t.same(refused(Buffer.from('{"specversion":')), ['refused malformed'])
  t.same(refused(Buffer.alloc(2 << 20, 32)), ['refused malformed'])
  t.same(refused(message(1), 'elsewhere/x'), ['refused other-topic'])
  const unsigned = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(message(1)).toString()), signature: undefined }),
  )
  t.same(refused(unsigned), ['refused unsigned'])
  t.same(hub.counters.refused, {
    forged: 1,
    'unknown-key': 1,
    'topic-and-source-differ': 1,
    malformed: 2,
    'other-topic': 1,
    unsigned: 1,
  })
  t.same(told(feed(hub, [1])), ['1'], 'and none of them took the place of the real one')
})

test('capabilities pin keys at first sight and a changed key is refused', async t => {
  const hub = receiver()
  const other = createSigningKey()
  const offer = (keys: Record<string, SigningKey>, signer: SigningKey) =>
    told(hub.feed(capabilitiesTopic, sealedCapabilities(gateway, capabilities(gateway, keys), 2, signer), 0))
  t.same(offer({ uplink: other, sensing: other }, other), ['key-refused'])
  t.same(offer({ uplink: uplinkKey, sensing: other }, uplinkKey), ['key-refused'])
  t.same(offer({ uplink: uplinkKey, sensing: sensingKey }, uplinkKey), ['live'])
  t.same(offer({ uplink: uplinkKey, sensing: sensingKey, vision: other }, uplinkKey), ['key-pinned', 'live'])
  t.same(told(feed(hub, [1])), ['1'])
})

test('keys that a person gave take the place of those the state remembers, and no key of the former unit counts', async t => {
  const before = receiver()
  const other = createSigningKey()
  const keys = new KeyPins()
  keys.replace(
    ['uplink' as const, 'sensing' as const].map(role => ({ site, gateway, role, jwk: publicJwkOf(other.publicKey) })),
  )
  const hub = new HubReceiver({ keys }, readHubState(JSON.stringify(before)))
  t.same(told(feed(hub, [1])), ['refused unknown-key'])
  t.same(told(hub.feed(topic, sealed(faultDraft('anew'), gateway, epoch, 1, other), 0)), ['1'])
  hub.keys.forget(site, gateway)
  t.notOk(hub.keys.knows(site, gateway))
  t.throws(() => parsePinnedKeys('{"site":"x"}'), { code: 'PW_KEY_INVALID' })
})

test('messages of a gateway whose keys are not known yet wait for its capabilities', async t => {
  const hub = new HubReceiver({ hold: 2 })
  t.same(told(feed(hub, [1, 2], 0)), [])
  const keys = sealedCapabilities(gateway, capabilities(gateway, { uplink: uplinkKey, sensing: sensingKey }))
  t.same(told(hub.feed(capabilitiesTopic, keys, 1)), ['key-pinned', 'live', '1', '2'])
  const unlucky = new HubReceiver({ hold: 2 })
  feed(unlucky, [1], 0)
  t.same(told(unlucky.tick(3)), ['refused unknown-key'])
})

test('range sets agree with plain sets', async t => {
  const operation = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 8 }))
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), operations => {
      const ranges = new RangeSet()
      const plain = new Set<number>()
      for (const [first, more] of operations) {
        ranges.add(first, first + more)
        for (let value = first; value <= first + more; value += 1) plain.add(value)
      }
      const absent = new Set(
        ranges.missing(1, 70).flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i)),
      )
      for (let value = 1; value <= 70; value += 1) {
        if (ranges.has(value) !== plain.has(value) || absent.has(value) === plain.has(value)) return false
        const end = ranges.runEnd(value)
        if ((end !== null) !== plain.has(value)) return false
        if (end !== null && (!plain.has(end) || plain.has(end + 1))) return false
      }
      const list = ranges.toJSON()
      return list.every(([first, last], index) => first <= last && (list[index + 1]?.[0] ?? 99) > last + 1)
    }),
  )
  t.pass()
})
