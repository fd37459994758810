// Run by scripts/prove-package: signs in at the technician's page and waits until it shows live that a part works.
const [, , address, phrase, part] = process.argv
const body = JSON.stringify({ phrase, who: 'number 1', purpose: 'inspection' })
const headers = { origin: address, 'content-type': 'application/json' }
const signedIn = await fetch(`${address}/sign-in`, { method: 'POST', headers, body })
const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0]
const live = await fetch(`${address}/live`, { headers: { cookie }, signal: AbortSignal.timeout(60_000) })
let told = ''
for await (const chunk of live.body.pipeThrough(new TextDecoderStream())) {
  told += chunk
  const findings = told.split('\n').filter(line => line.startsWith('data: {"at"')).flatMap(line => {
    try { return JSON.parse(line.slice(6)).findings } catch { return [] }
  })
  const found = findings.find(finding => finding.part === part && finding.state === 'works')
  if (found === undefined) continue
  console.log(found)
  process.exit(0)
}
process.exit(1)
