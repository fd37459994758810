import type { Command } from 'commander'
import { stringify } from 'yaml'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, InvalidConfiguration, loadConfiguration } from '../config/load.js'
import { passwordFiles } from '../config/passwords.js'
import type { Configuration } from '../config/schema.js'
import { defineAddresses } from './config-addresses.js'
import { defineDiff, defineExplain } from './config-explain.js'
import { defineMigrate } from './config-migrate.js'
import { exitStatus, print, printJson } from './terminal.js'

export function define(command: Command): void {
  command
    .command('check')
    .description('Says everything that is wrong with a configuration, at once.')
    .argument('[FILE]', 'the configuration', defaultConfigurationFile)
    .option('--json', 'one JSON line a fault, then one with the outcome')
    .addHelpText('after', '\nExample:\n  polewatch config check firmware-config/polewatch.example.yaml')
    .action((file: string, { json }: { json?: boolean }) => {
      try {
        const configuration = load(file)
        if (json) printJson({ file, valid: true })
        else print(`${file} is right: ${summary(configuration)}.`)
      } catch (error) {
        if (!(json && error instanceof InvalidConfiguration)) throw error
        for (const problem of error.problems) printJson(problem)
        printJson({ file, valid: false })
        process.exitCode = exitStatus.fault
      }
    })
  command
    .command('print')
    .description('Prints a configuration with every default filled in.')
    .argument('[FILE]', 'the configuration', defaultConfigurationFile)
    .option('--json', 'as one line of JSON instead of YAML')
    .action((file: string, { json }: { json?: boolean }) => {
      const configuration = load(file)
      if (json) printJson(configuration)
      else process.stdout.write(stringify(configuration))
    })
  command
    .command('passwords')
    .description('Prints every password file that the configuration names, after the role that alone has to read it.')
    .argument('[FILE]', 'the configuration', defaultConfigurationFile)
    .option('--json', 'one JSON line a file')
    .addHelpText('after', '\nExample:\n  polewatch config passwords')
    .action((file: string, { json }: { json?: boolean }) => {
      for (const password of passwordFiles(load(file)))
        if (json) printJson(password)
        else print(`${password.role} ${password.file}`)
    })
  defineAddresses(command.command('addresses'))
  defineDiff(command.command('diff'))
  defineExplain(command.command('explain'))
  defineMigrate(command.command('migrate'))
}

function load(file: string): Configuration {
  return loadConfiguration(file, deviceNames(devicesFolder))
}

function summary({ site, gateway, microphoneArrays, plateReaders, cameras, hotlist }: Configuration): string {
  const parts = [
    counted(microphoneArrays.length, 'microphone array'),
    counted(plateReaders.length, 'plate reader'),
    counted(cameras.length, 'camera'),
    counted(hotlist.lists.length, 'hotlist'),
  ]
  return `gateway ${gateway.id} of ${site} with ${parts.join(', ')}`
}

function counted(number: number, what: string): string {
  return `${number === 0 ? 'no' : number} ${what}${number === 1 ? '' : 's'}`
}
