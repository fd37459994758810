export { type CommandName, commandNames } from '../messages/commands.js'
export type { Envelope } from '../messages/envelope.js'
export {
  createSigningKey,
  keyId,
  privateKeyPem,
  publicKeyFromJwk,
  publicKeyFromPem,
  publicKeyPem,
  type SigningKey,
  signingKeyFromPem,
} from '../messages/keys.js'
export type { MessageData, MessageEvent, MessageName } from '../messages/table.js'
export { formatTime, parseTime } from '../messages/time.js'
export type { TlsMaterial } from '../uplink/connection-options.js'
export { KeyPins, type PinnedKey, type PinOutcome } from '../uplink/key-pins.js'
export type { SessionChange } from '../uplink/session.js'
export { type CapOptions, CapWriter } from './adapters/common-alerting-protocol.js'
export { type CotOptions, cursorOnTargetOf } from './adapters/cursor-on-target.js'
export {
  type Feature,
  type FeatureCollection,
  geoJsonOf,
  type MappableEvent,
  type PlaceOfGateway,
} from './adapters/geojson.js'
export { type Notice, type NoticeEvent, noticeOf } from './adapters/notice.js'
export { postToWebhook, type WebhookOptions } from './adapters/webhook.js'
export { connectHub, type HubClient, type HubOptions } from './client.js'
export {
  type CommandRequest,
  type CommandResult,
  CommandSender,
  type CommandSenderOptions,
  sendCommand,
} from './command-sender.js'
export type { HubEvent, HubLive, HubOutput, RefusalReason, StreamAcknowledgement } from './outputs.js'
export { parsePinnedKeys } from './pinned-keys.js'
export { type HubCounters, HubReceiver, type HubReceiverOptions, type HubState, readHubState } from './receiver.js'
export type { RecordedEvent } from './state-file.js'
