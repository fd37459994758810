import sharp from 'sharp'

// Every picture comes once: what libvips keeps of one in case it comes again, up to 50 MB, is of no use. Nor are further threads, each with
// memory of its own, beside the networks, which take most of the time.
sharp.cache(false)
sharp.concurrency(1)

/** A picture in memory: rows from the top, red, green and blue of each pixel. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** Corners of a piece of a picture, from its upper left clockwise; pixels, and possibly outside of the picture. */
export type Quadrilateral = readonly [Point, Point, Point, Point]

/** Reads a picture file of any usual kind, turned upright. @throws Error for what is none */
export async function readPicture(file: string): Promise<Picture> {
  const { data, info } = await sharp(file)
    .rotate()
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, data }
}

/** The picture scaled to a size, pixels. */
export async function resize(
  { width, height, data }: Picture,
  to: { width: number; height: number },
): Promise<Picture> {
  const raw = { width, height, channels: 3 } as const
  const scaled = await sharp(data, { raw })
    .resize(to.width, to.height, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer()
  return { width: to.width, height: to.height, data: scaled }
}

/** JPEG of a picture. */
export async function encodeJpeg({ width, height, data }: Picture): Promise<Uint8Array> {
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 80 })
    .toBuffer()
}

/** The piece within four corners, pulled straight; edges are repeated outside of the picture. */
export function straighten(picture: Picture, corners: Quadrilateral, width: number, height: number): Picture {
  const data = new Uint8Array(3 * width * height)
  const [a, b, c, d] = corners
  // Several samples a pixel where the piece shrinks, so that thin strokes do not fall between them.
  const across = Math.max(1, Math.min(4, Math.round(Math.hypot(b.x - a.x, b.y - a.y) / width)))
  const down = Math.max(1, Math.min(4, Math.round(Math.hypot(d.x - a.x, d.y - a.y) / height)))
  const sum = new Float64Array(3)
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      sum.fill(0)
      for (let v = 0; v < down; v++) {
        for (let u = 0; u < across; u++) {
          const s = (column + (u + 0.5) / across) / width
          const t = (row + (v + 0.5) / down) / height
          const x = (1 - t) * ((1 - s) * a.x + s * b.x) + t * ((1 - s) * d.x + s * c.x)
          const y = (1 - t) * ((1 - s) * a.y + s * b.y) + t * ((1 - s) * d.y + s * c.y)
          addPixel(picture, x - 0.5, y - 0.5, sum)
        }
      }
      for (let colour = 0; colour < 3; colour++)
        data[3 * (row * width + column) + colour] = (sum[colour] ?? 0) / (across * down)
    }
  }
  return { width, height, data }
}

function addPixel({ width, height, data }: Picture, x: number, y: number, sum: Float64Array): void {
  const left = Math.floor(x)
  const top = Math.floor(y)
  const [fx, fy] = [x - left, y - top]
  const column = (at: number) => Math.max(0, Math.min(width - 1, at))
  const row = (at: number) => Math.max(0, Math.min(height - 1, at)) * width
  const [x0, x1, y0, y1] = [column(left), column(left + 1), row(top), row(top + 1)]
  for (let colour = 0; colour < 3; colour++) {
    const upper = (1 - fx) * (data[3 * (y0 + x0) + colour] ?? 0) + fx * (data[3 * (y0 + x1) + colour] ?? 0)
    const lower = (1 - fx) * (data[3 * (y1 + x0) + colour] ?? 0) + fx * (data[3 * (y1 + x1) + colour] ?? 0)
    sum[colour] = (sum[colour] ?? 0) + (1 - fy) * upper + fy * lower
  }
}
