import type { Configuration } from './schema.js'
import { credentialPrefix } from './secret-file.js'

/** A file with a password, and the role that alone reads it. */
export interface PasswordFile {
  readonly role: 'uplink' | 'vision'
  readonly file: string
}

/** The password files that a configuration names; credentials of systemd are none. */
export function passwordFiles({ uplink, cameras }: Configuration): PasswordFile[] {
  const named = [
    { role: 'uplink' as const, file: uplink.passwordFile },
    ...cameras.map(camera => ({
      role: 'vision' as const,
      file: camera.driver === 'rtsp' ? camera.passwordFile : null,
    })),
  ]
  return named.flatMap(({ role, file }) => (file === null || file.startsWith(credentialPrefix) ? [] : [{ role, file }]))
}
