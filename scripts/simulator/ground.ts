import type { Complex } from './physics.js'

/** Effective flow resistivity of grounds, pascal seconds a square metre (Attenborough, JASA 92 (1992)). */
export const flowResistivity = { asphalt: 2e7, gravel: 5e5, grass: 2e5, snow: 3e4 } as const
export type Ground = keyof typeof flowResistivity

/**
 * Reflection of a spherical wave by ground of finite impedance: gain and phase relative to a mirror, at `grazing` radian above
 * the surface and `distance` metres along the mirrored path.
 *
 * Plane-wave coefficient plus ground wave by Chien and Soroka, J. Sound Vib. 69 (1980); impedance by Miki, J. Acoust. Soc. Jpn 11
 * (1990). Without the ground wave, sound along asphalt would cancel itself.
 */
export function groundReflection(
  frequency: number,
  grazing: number,
  distance: number,
  resistivity: number,
  speed: number,
): Complex {
  if (frequency <= 0 || resistivity === Number.POSITIVE_INFINITY) return { real: 1, imaginary: 0 }
  const ratio = (frequency / resistivity) ** -0.632
  const admittance = divide(1, 0, 1 + 0.07 * ratio, 0.107 * ratio)
  const sine = Math.sin(grazing)
  const plane = divide(sine - admittance.real, -admittance.imaginary, sine + admittance.real, admittance.imaginary)
  const root = Math.sqrt((2 * Math.PI * frequency * distance) / speed) / 2
  const real = root * (sine + admittance.real - admittance.imaginary)
  const imaginary = root * (sine + admittance.real + admittance.imaginary)
  const decay = faddeeva(real, imaginary)
  const scale = Math.sqrt(Math.PI)
  const productReal = real * decay.real - imaginary * decay.imaginary
  const productImaginary = real * decay.imaginary + imaginary * decay.real
  const loss = { real: 1 - scale * productImaginary, imaginary: scale * productReal }
  return {
    real: plane.real + (1 - plane.real) * loss.real + plane.imaginary * loss.imaginary,
    imaginary: -(plane.imaginary + (1 - plane.real) * loss.imaginary - plane.imaginary * loss.real),
  }
}

function divide(a: number, b: number, c: number, d: number): Complex {
  const square = c * c + d * d
  return { real: (a * c + b * d) / square, imaginary: (b * c - a * d) / square }
}

const terms = 24
const stretch = Math.sqrt(terms / Math.SQRT2)
const coefficients = Array.from({ length: terms }, (_, index) => {
  const half = 2 * terms
  let sum = 0
  for (let k = -half + 1; k < half; k++) {
    const angle = (k * Math.PI) / half
    const point = stretch * Math.tan(angle / 2)
    sum += Math.exp(-point * point) * (stretch * stretch + point * point) * Math.cos((index + 1) * angle)
  }
  return sum / (2 * half)
})

/** exp(-z²) erfc(-iz) in the upper half plane, by Weideman's rational series, SIAM J. Numer. Anal. 31 (1994); 1e-9 with 24 terms. */
export function faddeeva(real: number, imaginary: number): Complex {
  const under = divide(1, 0, stretch + imaginary, -real)
  const upper = { real: stretch - imaginary, imaginary: real }
  const ratio = {
    real: upper.real * under.real - upper.imaginary * under.imaginary,
    imaginary: upper.real * under.imaginary + upper.imaginary * under.real,
  }
  let sumReal = 0
  let sumImaginary = 0
  for (let n = terms - 1; n >= 0; n--) {
    const next = sumReal * ratio.real - sumImaginary * ratio.imaginary + coefficients[n]!
    sumImaginary = sumReal * ratio.imaginary + sumImaginary * ratio.real
    sumReal = next
  }
  const squareReal = under.real ** 2 - under.imaginary ** 2
  const squareImaginary = 2 * under.real * under.imaginary
  return {
    real: 2 * (sumReal * squareReal - sumImaginary * squareImaginary) + under.real / Math.sqrt(Math.PI),
    imaginary: 2 * (sumReal * squareImaginary + sumImaginary * squareReal) + under.imaginary / Math.sqrt(Math.PI),
  }
}
