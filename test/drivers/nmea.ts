/** An NMEA sentence with its checksum and end of line. */
export function sentence(body: string): string {
  let sum = 0
  for (const byte of Buffer.from(body)) sum ^= byte
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`
}

/** A GGA of 12:35:19 at this place, degrees. */
export function positionSentence(latitude: number, longitude: number, time = '123519.00'): string {
  const angle = (degrees: number, digits: number) => {
    const whole = Math.floor(Math.abs(degrees))
    return String(whole).padStart(digits, '0') + ((Math.abs(degrees) - whole) * 60).toFixed(6).padStart(9, '0')
  }
  const north = `${angle(latitude, 2)},${latitude < 0 ? 'S' : 'N'}`
  const east = `${angle(longitude, 3)},${longitude < 0 ? 'W' : 'E'}`
  return sentence(`GNGGA,${time},${north},${east},1,08,0.9,545.4,M,46.9,M,,`)
}
