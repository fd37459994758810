import { GatewayRenderer } from '../../scripts/simulator/render.js'
import { plainGateway, type Scene, type SceneGateway, usualMicrophones } from '../../scripts/simulator/scene.js'

/** Parts of scenes in an open field, for tests of what each microphone hears. */

export const at = (east: number, north: number, up = 0) => ({ east, north, up })
export const start = 1_700_000_000
/** On the ground, so that the bounce off a hard ground only doubles the sound. */
export const onGround = (id: string, east: number, more: Partial<SceneGateway> = {}): SceneGateway => ({
  ...plainGateway(id, at(east, 0)),
  microphones: { ...usualMicrophones, selfNoise: -100 },
  ...more,
})
export const gun = (time: number, position = at(0, 0)) => ({ kind: 'gun' as const, time: start + time, position })

export function record(
  scene: Scene,
  gateway: SceneGateway,
  first = 0,
  count = scene.duration * scene.sampleRate,
): Float32Array[] {
  return new GatewayRenderer(scene, gateway).samples(first, count)
}
