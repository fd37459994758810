import type { Command } from 'commander'
import { defaultConfigurationFile, loadConfiguration } from '../config/load.js'
import { PolewatchError } from '../errors.js'
import { journalFiles } from './audit.js'
import type { Report } from './month-counts.js'
import { countMonth, monthAt, monthOf } from './report-counts.js'
import { systemTime } from './role.js'
import { storeReport } from './stored-reports.js'
import { print, printJson } from './terminal.js'

interface Options {
  readonly config: string
  readonly month?: string
  readonly store?: boolean
  readonly json?: boolean
}

export function define(command: Command): void {
  command
    .description('Tells what this unit did in a month (UTC), in numbers for anybody: Markdown, without any plate.')
    .option('--month <YYYY-MM>', 'the month; the present one where none is given')
    .option(
      '--store',
      'keep it for uplink to send, of the month before where none is given; polewatch-report.timer calls it so',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'the data of the message that the hub gets, as one JSON line')
    .addHelpText('after', '\nExample:\n  polewatch report --month 2026-02 > 2026-02.md')
    .action(({ config, month, store, json }: Options) => {
      const configuration = loadConfiguration(config)
      const meant = month === undefined ? monthAt(systemTime(), store ? 1 : 0) : monthOf(month)
      if (meant === null) throw new PolewatchError('PW_USAGE', { why: `--month ${month} is not YYYY-MM` })
      const report = countMonth(configuration, journalFiles(configuration), meant)
      if (store) storeReport(configuration.paths, meant.name, report)
      if (json) printJson(report)
      else if (store) print(`The report of ${meant.name} is kept for uplink to send.`)
      else print(page(`${configuration.gateway.id}, ${meant.name}`, report))
    })
}

function page(title: string, report: Report): string {
  const { hits, deliveries, verdicts, evidence, accessed = [], keepDays = {}, audit } = report
  const misses = verdicts.misread + verdicts.false + verdicts.notWanted
  const lines: readonly (readonly [string, string | number])[] = [
    ['Vehicles whose plate was compared with the lists', report.scans],
    ['Hits: strong, possible, weak', `${hits.confirmedCandidate}, ${hits.possible}, ${hits.investigative}`],
    ['Alerts that people judged right, and not', `${verdicts.confirmed}, ${misses}`],
    ['Incidents of gunfire, and shots in them', `${report.incidents}, ${report.shots}`],
    ['Alerts the hub has, that wait, that were given up', Object.values(deliveries).join(', ')],
    ['Faults and tampering told, raised or cleared', report.alerts.fault],
    ['Pictures and clips kept, handed over, deleted', evidence === undefined ? '' : Object.values(evidence).join(', ')],
    ['Records deleted', report.purges],
    ['Times that somebody looked', report.accesses],
  ]
  return [
    `# What ${title} did`,
    '',
    `From ${report.from} to ${report.until}. Plates that nobody looks for are not kept, so none can be in here.`,
    '',
    ...table(['', 'number'], lines),
    '',
    '## Who looked',
    '',
    ...table(
      ['when', 'what', 'about', 'who', 'for'],
      accessed.map(each => [
        each.time,
        each.what,
        each.subject,
        each.organisation === null ? `${each.by}, on the unit` : `${each.by}, ${each.organisation}`,
        each.purpose,
      ]),
    ),
    '',
    '## How long things are kept',
    '',
    ...table(['what', 'days'], Object.entries(keepDays)),
    '',
    `By the policy ${report.policy}.`,
    '',
    '## Heads of the audit chains',
    '',
    'Keep them: `polewatch audit verify FILE --head NUMBER:HASH` then finds whatever was rewritten.',
    '',
    ...audit.map(({ role, length, head }) => `- ${role}: \`${length}:${head}\``),
  ].join('\n')
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const row = (cells: readonly (string | number)[]): string =>
    `| ${cells.map(cell => String(cell).replaceAll(/[|\r\n]/g, ' ')).join(' | ')} |`
  return [row(head), row(head.map(() => '---')), ...rows.map(row)]
}
