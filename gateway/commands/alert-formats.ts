import { CapWriter, cursorOnTargetOf, geoJsonOf, type HubOutput } from '../hub/index.js'

/** The formats of other systems that `watch --as` prints. */
export const alertFormats = ['geojson', 'cap', 'cot'] as const
export type AlertFormat = (typeof alertFormats)[number]

/**
 * Gives the documents that an output makes in a format: one line of GeoJSON, one CAP alert, one line a Cursor-on-Target event.
 * What has no form there (faults, health) makes none. Gateways' places are learnt from their capabilities as they pass.
 */
export function alertWriter(format: AlertFormat, sender: string): (output: HubOutput) => string[] {
  const places = new Map<string, { latitude: number; longitude: number }>()
  const placeOf = (site: string, gateway: string) => places.get(`${site}/${gateway}`)
  const cap = new CapWriter({ sender })
  return output => {
    if (output.kind !== 'event' && output.kind !== 'live') return []
    const { message, site, gateway } = output
    if (message?.name === 'capabilities' && message.data.position !== null) {
      places.set(`${site}/${gateway}`, message.data.position)
    }
    if (message?.name !== 'gunfire' && message?.name !== 'plate-hit' && message?.name !== 'tamper') return []
    if (format === 'cap') {
      const alert = cap.write(message)
      return alert === null ? [] : [alert]
    }
    if (message.name === 'tamper') return []
    return format === 'geojson' ? [JSON.stringify(geoJsonOf(message, placeOf))] : cursorOnTargetOf(message, { placeOf })
  }
}
