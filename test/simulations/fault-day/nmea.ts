/** An NMEA 0183 sentence with its checksum and end of line. */
export function sentence(body: string): string {
  let sum = 0
  for (const byte of Buffer.from(body)) sum ^= byte
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`
}

/** The date and then a position at that time, seconds since 1970 UTC. */
export function positionOf(utc: number): string {
  const text = new Date(utc * 1000).toISOString()
  const clock = `${text.slice(11, 19).replaceAll(':', '')}.${text.slice(20, 22)}`
  const date = `${text.slice(8, 10)}${text.slice(5, 7)}${text.slice(2, 4)}`
  const place = '4026.4720,N,07959.5860,W'
  return [
    sentence(`GNRMC,${clock},A,${place},0.0,0.0,${date},,,A`),
    sentence(`GNGGA,${clock},${place},1,08,0.9,245.0,M,-33.0,M,,`),
  ].join('')
}
