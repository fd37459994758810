import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import { V4l2Camera } from '../../drivers/camera/v4l2.js'
import { loadFiles } from '../../drivers/microphone-array/node-av.js'
import { systemClock } from '../../drivers/system-clock.js'
import { type CameraScene, cameraContract } from '../contracts/camera.js'
import { must } from './shell.js'

/*
 * V4l2Camera against the kernel's virtual camera (vivid), which is pulled out as a camera on a bus is: in the middle of a picture. Runs
 * in the test machine only.
 */

/** The name that udev keeps, whatever the number. */
const device = '/dev/v4l/by-path/platform-vivid.0-video-index0'
const size = { width: 320, height: 180 }
let number = 0

async function plug(): Promise<void> {
  await gone()
  number += 1
  await must(`modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 vid_cap_nr=${number}; udevadm settle`)
}

/** Its module can only go when nobody has it open any more. */
async function gone(): Promise<void> {
  while ((await must('! lsmod | grep -q ^vivid || modprobe -r vivid 2>/dev/null && echo gone; true')).trim() !== 'gone')
    await pause(50)
}

async function scene(plugged: boolean): Promise<CameraScene> {
  await gone()
  if (plugged) await plug()
  return {
    // On a busy computer its first picture takes long.
    camera: new V4l2Camera({ name: 'c', device, size, clock: systemClock, stallSeconds: 60, random: () => 0 }),
    plug,
    unplug: async () => {
      await must('echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind; udevadm settle')
    },
    end: gone,
  }
}

test('camera contract', async t => {
  // A translated machine reads the library for longer than a camera may be silent.
  await loadFiles()
  cameraContract(t, {
    title: 'Video4Linux',
    reopenings: 20,
    make: scene,
    silent: async t => {
      const { camera: _, end } = await scene(true)
      const dropped = async (share: number) => {
        await must(`v4l2-ctl -d ${device} -c percentage_of_dropped_buffers=${share}`)
      }
      await dropped(100)
      t.teardown(end)
      const camera = new V4l2Camera({ name: 'c', device, size, clock: systemClock, stallSeconds: 2, random: () => 0 })
      const heal = () => dropped(0)
      return { camera, heal, state: { state: 'faulty', fault: 'silent-stream' } }
    },
    excused: { wrong: 'the kernel gives pictures or an error' },
  })
})
