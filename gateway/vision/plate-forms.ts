/**
 * How plates are made up, as their issuers publish it: A is a letter, 9 a digit. One list for all of a continent, since a camera
 * seldom reads whose plate it is; the order says nothing.
 */
const forms = {
  /** States of the United States, passenger series in use. */
  us: [
    ...[
      'AAA9999',
      'AAA999',
      'AA9A9A',
      'AAAA99',
      'AAA99A',
      '9AAA999',
      '999AAA',
      '9999AA',
      '999AAAA',
      'AA99999',
      'AA9999',
    ],
    ...[
      'A999999',
      'AAA9A99',
      '9AA9999',
      '99AAA9',
      '999999',
      '9999999',
      'A99AAA',
      'AA99AA',
      'AA999A',
      '99A999',
      'AAA99A9',
    ],
    ...['9A99999', '999A999', '99AA999', 'A99999', 'AA9A999', '9AA999', '9AAA99', 'AAA9999A', 'AAA9AAA'],
  ],
  /** Europe: Germany, France, Italy, Spain, the Netherlands, Great Britain, Poland, Czechia, Slovakia, Hungary, the Balkans, and so on. */
  eu: [
    ...[
      'AA999AA',
      '9A99999',
      '9AA9999',
      'AAA999',
      'AA9999AA',
      'AA99AAA',
      '9999AAA',
      'AA999A',
      'AAA9999',
      'AAA99AA',
      'AA99999',
    ],
    ...['AAA99999', 'AAAA999', 'AA9999', 'AA99AA', 'A999AA', 'A99AAA', 'AAA99A', 'AAA999AA', 'AAAA9999'],
    ...[
      'AA999',
      'AAA99',
      'A9999',
      'AA99',
      'AAA9',
      'AAAA99',
      'AAA999A',
      '99AAA9',
      '9AAA999',
      'A99AAA',
      '999AA99',
      'AAA9AA',
    ],
  ],
} as const

const known = new Set<string>([...forms.us, ...forms.eu])

/** Characters that one typeface or another makes alike. */
const alike = ['0ODQ', '1IL', '2Z', '5S', '6G', '8B']

/** A text with each character replaced by the first of those that look like it. */
export function alikeFolded(text: string): string {
  return [...text].map(character => alike.find(group => group.includes(character))?.[0] ?? character).join('')
}

/**
 * Texts of a known form that differ from this one in one character, and that only by one that looks like it; none where the
 * text has a known form itself.
 */
export function alikeOfKnownForm(text: string): string[] {
  if (hasKnownForm(text)) return []
  return [...text].flatMap((character, index) =>
    [...(alike.find(group => group.includes(character)) ?? '')]
      .map(other => text.slice(0, index) + other + text.slice(index + 1))
      .filter(other => other !== text && hasKnownForm(other)),
  )
}

/** A text as a form: letters become A, digits 9. */
export function formOf(text: string): string {
  return text.replace(/[A-Z]/g, 'A').replace(/[0-9]/g, '9')
}

/** Whether the text is made up like a plate of some state. */
export function hasKnownForm(text: string): boolean {
  return known.has(formOf(text))
}

/**
 * How likely a plate has such a text before anybody looked at it, natural logarithm up to a constant: known forms first, then by
 * how often letters and digits take turns, and hardly ever too short or too long.
 */
export function formEvidence(text: string): number {
  if (hasKnownForm(text)) return 0
  const form = formOf(text)
  const turns = [...form].filter((kind, index) => index > 0 && kind !== form[index - 1]).length
  const length = text.length < 4 ? -6 : text.length > 8 ? -8 : 0
  return -2.5 - 0.8 * turns + length
}
