/** Tells whether a topic matches an MQTT filter with `+` and `#` (MQTT 5.0, 4.7; shared subscriptions match as their filter). */
export function filterMatcher(filter: string): (topic: string) => boolean {
  const levels = filter.replace(/^\$share\/[^/]+\//, '').split('/')
  return topic => {
    const parts = topic.split('/')
    for (let index = 0; index < levels.length; index += 1) {
      const level = levels[index]
      if (level === '#') return true
      if (index >= parts.length) return false
      if (level !== '+' && level !== parts[index]) return false
    }
    return parts.length === levels.length
  }
}
