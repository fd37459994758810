import type { Command } from 'commander'
import { defaultConfigurationFile } from '../config/load.js'
import { applyChange, signChange } from './hotlist-delta.js'
import { importList } from './hotlist-import.js'
import { refreshLists } from './hotlist-refresh.js'
import { find, rollBack, showStatus } from './hotlist-show.js'

export function define(command: Command): void {
  command
    .command('import')
    .description('Imports a list of wanted plates. The list in force stays until the new one is whole.')
    .argument('[FILE]', "the agency's file; the configuration may name it")
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--list <NAME>', 'which list of the configuration; needed where it has several')
    .option('--allow-shrink', 'take the list even if it has lost more than a fifth of its entries')
    .option('--json', 'one JSON line a refused line and a warning, then one with the outcome')
    .addHelpText(
      'after',
      '\nExample:\n  polewatch hotlist import --list state wanted.csv\n\nExit status 1 when lines were refused.',
    )
    .action(importList)
  command
    .command('refresh')
    .description(
      'Takes what lies in the inbox, and the files that the configuration names where they are newer than their lists. polewatch-hotlist.service calls it.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--still <SECONDS>', 'a whole list has to lie unchanged so long', Number, 10)
    .option('--json', 'one JSON line a file')
    .addHelpText('after', '\nExample:\n  polewatch hotlist refresh\n\nExit status 1 when a file was refused.')
    .action(refreshLists)
  command
    .command('delta')
    .description('Applies a signed change to a list: whole, as a new generation, or not at all.')
    .argument('<FILE>', 'the change, signed by a key that the configuration names under deltaKeys')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--list <NAME>', 'which list of the configuration; needed where it has several')
    .option('--allow-shrink', 'take the change even if it removes more than a fifth of the entries')
    .option('--json', 'one JSON line a refused part and a warning, then one with the outcome')
    .addHelpText('after', '\nExample:\n  polewatch hotlist delta --list state changes.json')
    .action(applyChange)
  command
    .command('sign')
    .description('Signs a change of a list, where changes are made: at the agency or the hub, never on a pole.')
    .argument('<FILE>', 'the change; docs/hotlists.md says what it holds')
    .requiredOption('--key <FILE>', 'PEM file with the private Ed25519 key')
    .option('--json', 'accepted for uniformity: the signed change is JSON anyway')
    .addHelpText('after', '\nExample:\n  polewatch hotlist sign --key agency.key changes.json > signed.json')
    .action(signChange)
  command
    .command('rollback')
    .description('Goes back to the generation before, for a list that turned out wrong.')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--list <NAME>', 'which list of the configuration; needed where it has several')
    .option('--json', 'one JSON line with the outcome')
    .addHelpText('after', '\nExample:\n  polewatch hotlist rollback --list state')
    .action(rollBack)
  command
    .command('status')
    .description('Shows each list: its generation, its size, its age and what a change of it has to name as its base.')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'one JSON line a list')
    .addHelpText('after', '\nExample:\n  polewatch hotlist status\n\nExit status 1 when a list cannot be used.')
    .action(showStatus)
  command
    .command('find')
    .description(
      'Looks a plate up as a read by a sure reader would be, with every reason. That somebody looks is recorded, without the plate.',
    )
    .argument('<PLATE>', 'the text')
    .option('--state <STATE>', 'the state, as a read would give it')
    .option('--reason <TEXT>', 'why you look, for the record', 'none given')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'one JSON line a match')
    .addHelpText(
      'after',
      '\nExample:\n  polewatch hotlist find ABC1234 --state PA\n\nExit status 1 when nothing matches.',
    )
    .action(find)
}
