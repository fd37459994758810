import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { CertificateAuthority, Refusal } from './authority.js'
import { estServer } from './est-server.js'
import { provisionUnits } from './units.js'

/* The command line of scripts/provision: the units of a city, and an authority for a city that has none. */

const program = new Command('provision').description(
  'Makes the files of many units from one list, and certificates for them.',
)

program
  .command('units')
  .description('Makes the files of every unit of a list of poles; docs/enrolment.md shows the list.')
  .argument('<POLES.csv>', 'id, site, latitude, longitude, altitude, error, heading, devices')
  .requiredOption('--site <FILE>', 'the configuration that all units have in common')
  .requiredOption('--devices <FOLDER>', 'device files NAME.yaml: what is wired to a pole')
  .requiredOption('--authority <FOLDER>', 'the authority, which gives every unit a claim code')
  .requiredOption('--output <FOLDER>', 'where the files go, a folder for each unit')
  .action((poles: string, options: { site: string; devices: string; authority: string; output: string }) => {
    const authority = new CertificateAuthority(options.authority)
    const units = provisionUnits({ ...options, poles, authority, now: Date.now() / 1000 })
    say(`${units.length} units in ${options.output}. Lay each folder over the root of its unit or image.`)
  })

const authority = program.command('authority').description('A certificate authority for a city that has none.')
authority
  .command('create')
  .argument('<FOLDER>')
  .requiredOption('--host <NAME...>', 'names and addresses under which it serves')
  .action((folder: string, { host }: { host: string[] }) => {
    CertificateAuthority.create(folder, host)
    say(`${folder}/root.pem is what units and brokers trust. ${folder}/root.key must never leave this machine.`)
  })
authority
  .command('server')
  .description('Makes key and certificate of a server, such as the broker.')
  .argument('<FOLDER>')
  .argument('<NAME>', 'of the two files')
  .requiredOption('--host <NAME...>', 'names and addresses of the server')
  .action((folder: string, name: string, { host }: { host: string[] }) => {
    const { key, certificate } = new CertificateAuthority(folder).issueServer(name, host)
    say(`${key} and ${certificate}`)
  })
authority
  .command('serve')
  .description('Answers units over EST (RFC 7030) until it is stopped.')
  .argument('<FOLDER>')
  .option('--listen <ADDRESS>', 'address to listen on', '127.0.0.1')
  .option('--port <PORT>', 'port to listen on', '8443')
  .action((folder: string, { listen, port }: { listen: string; port: string }) => {
    const server = estServer(new CertificateAuthority(folder), say)
    server.listen(Number(port), listen, () => say(`listening on ${listen}, port ${port}`))
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close())
  })
authority
  .command('claim')
  .description('Prints a new claim code for a unit.')
  .argument('<FOLDER>')
  .argument('<SITE>')
  .argument('<GATEWAY>')
  .action((folder: string, site: string, gateway: string) => {
    process.stdout.write(`${new CertificateAuthority(folder).claim({ site, gateway }, Date.now() / 1000)}\n`)
  })
authority
  .command('sign')
  .description('Prints the certificate that answers a request, for units that no network reaches.')
  .argument('<FOLDER>')
  .argument('<REQUEST>', 'the file that polewatch enroll request wrote')
  .action((folder: string, request: string) => {
    process.stdout.write(new CertificateAuthority(folder).sign(readFileSync(request)))
  })
authority
  .command('revoke')
  .description("Revokes a unit's certificates and writes crl.pem, which the broker has to be given.")
  .argument('<FOLDER>')
  .argument('<GATEWAY>')
  .action((folder: string, gateway: string) => {
    const count = new CertificateAuthority(folder).revoke(gateway)
    say(`${count} certificates of ${gateway} are revoked. Give ${folder}/crl.pem to the broker and reload it.`)
  })
authority
  .command('revocations')
  .description('Writes crl.pem anew; it is good for thirty days.')
  .argument('<FOLDER>')
  .action((folder: string) => new CertificateAuthority(folder).publishRevocations())

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof Error)) throw error
  say(error instanceof Refusal ? `Refused: ${error.message}.` : error.message)
  process.exitCode = 1
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
