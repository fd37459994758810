import { inboxFolder, refreshHotlists } from './hotlist-inbox.js'
import { load } from './hotlist-settings.js'
import { bold, exitStatus, print, printJson } from './terminal.js'

interface RefreshOptions {
  readonly config: string
  readonly still: number
  readonly json?: boolean
}

export async function refreshLists({ config, still, json }: RefreshOptions): Promise<void> {
  const configuration = load(config)
  const outcomes = await refreshHotlists(configuration, still)
  for (const outcome of outcomes) {
    if (outcome.outcome === 'refused') process.exitCode = exitStatus.fault
    if (json) printJson(outcome)
    else print(`${bold(outcome.file)}: ${outcome.outcome}. ${outcome.detail}`)
  }
  if (outcomes.length === 0 && !json) print(`There is nothing new in ${inboxFolder(configuration.paths)}.`)
}
