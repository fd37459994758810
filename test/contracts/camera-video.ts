import { loadFiles } from '../../drivers/microphone-array/node-av.js'

/** Writes pictures (red, green and blue) as an H.264 video in a Matroska file, or as a bare byte stream; every half second can be begun at. */
export async function writeVideo(
  file: string,
  { width, height, framesPerSecond }: { width: number; height: number; framesPerSecond: number },
  pictures: readonly Uint8Array[],
  format: 'matroska' | 'h264' = 'matroska',
): Promise<void> {
  const { files, constants } = await loadFiles()
  const source = await files.Demuxer.open({
    type: 'video',
    input: Buffer.concat(pictures),
    width,
    height,
    pixelFormat: constants.AV_PIX_FMT_RGB24,
    frameRate: { num: framesPerSecond, den: 1 },
  })
  const stream = source.video()
  if (stream === undefined) throw new Error('there is no video')
  const decoder = await files.Decoder.create(stream)
  const filter = files.FilterAPI.create('format=yuv420p')
  const encoder = await files.Encoder.create(constants.FF_ENCODER_LIBX264, {
    gopSize: Math.max(1, Math.round(framesPerSecond / 2)),
    options: { preset: 'ultrafast', crf: 18, tune: 'zerolatency' },
    decoder,
    filter,
  })
  const muxer = await files.Muxer.open(file, { format })
  const output = muxer.addStream(encoder)
  for await (const packet of encoder.packets(filter.frames(decoder.frames(source.packets(stream.index))))) {
    await muxer.writePacket(packet, output)
  }
  await muxer.close()
  encoder.close()
  filter.close()
  decoder.close()
  await source.close()
}
