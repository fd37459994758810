import type { Command } from 'commander'
import { messageOf, PolewatchError } from '../errors.js'
import type { PictureRead } from '../vision/plate-finder.js'
import { bold, colour, exitStatus, ProgressBar, print, printError, printJson } from './terminal.js'

/** `polewatch plates read` */
export function defineRead(command: Command): void {
  command
    .description('Reads the plates in pictures. Nothing is kept, matched or sent.')
    .argument('<PICTURE...>', 'JPEG, PNG, WebP, TIFF or AVIF files')
    .option(
      '--json',
      'one JSON line a picture: {"image", "reads": [{"text", "confidence", "confirmed", "box"}]}, best first',
    )
    .addHelpText(
      'after',
      '\nA read is confirmed when the whole line, cut in several ways, and its characters in pieces of three say the same, none of\nthe ways surely says otherwise, also when cut a little askew, some state makes up plates so, and the picture shows what is round it.\n\nExample:\n  polewatch plates read street.jpg',
    )
    .action(async (files: string[], { json }: { json?: boolean }) => read(files, json === true))
}

async function read(files: readonly string[], json: boolean): Promise<void> {
  // The networks and the decoder are loaded for this command alone.
  const [{ TextModels }, { readPicture }, { readPlates }] = await Promise.all([
    import('../vision/models.js'),
    import('../vision/picture.js'),
    import('../vision/plate-finder.js'),
  ])
  const models = await TextModels.load()
  const bar = new ProgressBar('Reading')
  process.exitCode = exitStatus.done
  for (const [index, image] of files.entries()) {
    try {
      const reads = await readPlates(models, await picture(image, readPicture))
      if (json) printJson({ image, reads })
      else for (const line of linesOf(image, reads)) print(line)
    } catch (error) {
      if (!(error instanceof PolewatchError)) throw error
      process.exitCode = printError(error, json)
    }
    bar.update((index + 1) / files.length)
  }
  bar.end()
}

async function picture<Picture>(file: string, load: (file: string) => Promise<Picture>): Promise<Picture> {
  try {
    return await load(file)
  } catch (error) {
    throw new PolewatchError('PW_PICTURE_UNREADABLE', { file, why: messageOf(error) }, error)
  }
}

function linesOf(image: string, reads: readonly PictureRead[]): string[] {
  if (reads.length === 0) return [`${image}: no plate`]
  return reads.map(({ text, confidence, confirmed }, index) => {
    const sure = confirmed ? colour('green', 'confirmed') : colour('yellow', 'look at it')
    const percent = `${Math.round(100 * confidence)} %`.padStart(5)
    return `${index === 0 ? `${image}:` : ' '.repeat(image.length + 1)} ${bold(text.padEnd(9))} ${percent}  ${sure}`
  })
}
