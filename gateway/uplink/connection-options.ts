/** PEM contents, never paths. */
export interface TlsMaterial {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Name to check the broker's certificate against, where it differs from the URL's host. */
  readonly serverName?: string | undefined
}

export type ProtocolVersion = 5 | 4

export interface ConnectionOptions {
  readonly url: string
  readonly protocol: ProtocolVersion
  readonly clientId: string
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: TlsMaterial | undefined
  readonly keepalive: number
  readonly connectTimeout: number
  /** Seconds without the acknowledgement of a QoS 1 message after which the broker counts as dead. */
  readonly acknowledgeTimeout: number
  /** Seconds that the broker keeps the session after a loss; 0 starts clean. MQTT 3.1.1 always starts clean. */
  readonly sessionExpiry: number
  /** A larger incoming packet ends the connection before it is held in memory. Bytes. */
  readonly maximumPacketSize: number
  readonly will?: { readonly topic: string; readonly payload: Uint8Array; readonly delay: number } | undefined
}
