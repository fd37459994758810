/** MQTT 5 reason codes (OASIS MQTT 5.0, 2.4) and MQTT 3.1.1 return codes (3.2.2.3) that a person should be able to tell apart. */
const names: Readonly<Record<number, string>> = {
  0: 'connection-lost',
  1: 'protocol-version',
  2: 'client-id-refused',
  3: 'broker-unavailable',
  4: 'not-authorized',
  5: 'not-authorized',
  16: 'no-subscribers',
  128: 'unspecified',
  129: 'malformed-packet',
  130: 'protocol-error',
  132: 'protocol-version',
  133: 'client-id-refused',
  134: 'not-authorized',
  135: 'not-authorized',
  136: 'broker-unavailable',
  137: 'broker-busy',
  138: 'banned',
  139: 'broker-shutting-down',
  141: 'keepalive',
  142: 'taken-over',
  144: 'topic-refused',
  147: 'receive-maximum-exceeded',
  149: 'packet-too-large',
  150: 'rate-too-high',
  151: 'quota-exceeded',
  152: 'administrative-action',
  153: 'payload-refused',
  154: 'retain-refused',
  156: 'use-another-broker',
  157: 'broker-moved',
  159: 'connection-rate-exceeded',
}

/** Kebab-case name of a reason code. */
export function reasonName(code: number): string {
  return names[code] ?? `reason-0x${code.toString(16)}`
}

/** Kebab-case name for why a connection failed: from the broker's code, the TLS layer, or the network. */
export function closeReason(error: Error & { readonly code?: unknown }): string {
  const { code, message } = error
  if (typeof code === 'number') return reasonName(code)
  if (message === 'connack timeout') return 'no-answer'
  if (message === 'Keepalive timeout') return 'keepalive'
  if (typeof code !== 'string') return 'protocol-error'
  if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EADDRNOTAVAIL)$/.test(code))
    return 'broker-absent'
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'packet-too-large'
  if (/^(ECONNRESET|EPIPE)$/.test(code)) return 'connection-lost'
  if (/ALERT.*(CERT|UNKNOWN_CA)/.test(code)) return 'client-certificate'
  if (/^ERR_SSL/.test(code)) return 'tls'
  if (/CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME|ALTNAME/.test(code)) return 'broker-certificate'
  if (/^ERR_TLS/.test(code)) return 'tls'
  return 'connection-lost'
}
