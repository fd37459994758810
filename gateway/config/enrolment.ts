import { z } from 'zod'
import { path } from './fields.js'

/** Where the unit gets its certificate. */
export const enrolment = z.strictObject({
  server: z
    .url({ protocol: /^https$/ })
    .nullable()
    .default(null)
    .meta({ allowed: 'an https address such as https://ca.example:8443' })
    .describe("The city's authority, which speaks EST (RFC 7030). Empty: certificates come by file."),
  trust: path
    .nullable()
    .default(null)
    .describe('PEM file with the roots that the authority is recognised by. It has to be on the unit beforehand.'),
  claimFile: path
    .nullable()
    .default(null)
    .describe('File with the claim code that the unit may use once, for its first certificate.'),
})
