/*
 * How plates are made up, as their issuers publish it: A is a letter, 9 a digit, gaps and hyphens left out. One list for all, since
 * a camera seldom reads whose plate it is. Gathered from the issuers' tables as Wikipedia keeps them: "United States license plate
 * designs and serial formats" (also its edition of 2014, for series still on the road) and "Vehicle registration plates of" each
 * country named.
 */

/** Series that millions of vehicles bear. */
const common = formsOf(`
  AAA9999 9AAA999 9A99999 AAA999 999AAA AAAA99 A999999 AA99999 AA9A9A A99AAA 9AA9999
  AA999AA 9999AAA AA99AAA AAA99999 AA9999AA AA9999 AA99AA 99AAA9 9AAA99 AAAA999`)

/** Other series of states of the United States. */
const unitedStates = formsOf(`
  AAA99A 9999AA 999AAAA AAA9A99 99AAA9 999999 9999999 AA999A 99A999 AAA99A9 999A999 99AA999 A99999 AA9A999 9AA999
  AAA9999A AAA9AAA`)

/**
 * Other series of Europe. Germany: one to three letters of the district, one or two more, one to four digits. Great Britain
 * before 2001. The Netherlands and Portugal: three groups. Poland, Romania, Czechia, Norway; Switzerland (canton and up to six
 * digits), Bosnia, Ireland (year, county, number), Turkey (province first). Left out: rare ones of six and seven characters that
 * a look-alike turns into a common one or into a vanity plate.
 */
const europe = formsOf(`
  AA99 AA999 AAA9 AAA99 AAAA9999 AAAAA9 AAAAA99 AAAAA999
  A999AAA AAA999A
  AA999A A999AA 9AA999 999AA9 99AA99
  AAA99AA AAA99A AAA9AA AAA999AA
  A99AAA A9999 AA999999 999AA99 A99A999
  999A9999 999A99999 99A99999 99AA9999 99AAA999`)

const known = new Set([...common, ...unitedStates, ...europe])

function formsOf(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/))
}

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

/** Fewer than a tenth as many vehicles bear a form that is known and not common. */
const rare = Math.log(0.1)

/**
 * How likely a plate has such a text before anybody looked at it, natural logarithm up to a constant: known forms first, then by
 * how often letters and digits take turns, and hardly ever too short or too long.
 */
export function formEvidence(text: string): number {
  if (common.has(formOf(text))) return 0
  if (hasKnownForm(text)) return rare
  const form = formOf(text)
  const turns = [...form].filter((kind, index) => index > 0 && kind !== form[index - 1]).length
  const length = text.length < 4 ? -6 : text.length > 8 ? -8 : 0
  return -2.5 - 0.8 * turns + length
}
