/**
 * The one table of errors that a user can meet. `docs/errors.md` is generated from it. A `{name}` is filled from the
 * details given when the error is raised.
 */
export const errorTable = {
  PW_ALERTS_WAIT: {
    summary: '{whose} lacks {count} alerts, the oldest for {age}.',
    advice:
      'See whether the broker is connected and the hub runs with the key that is uplink.hubKey. Alerts are kept until it has them.',
  },
  PW_APPLY_FOLDER: {
    summary: '{folder} is not a folder that only the user who applies changes may write.',
    advice: 'Remove it and run `systemd-tmpfiles --create`: somebody else may have made it.',
  },
  PW_APPLY_TAKEN_BACK: {
    summary: 'The change {request} was taken back: {why}.',
    advice: 'What was before is in force. Correct the change and send it anew.',
  },
  PW_BATTERY_LOW: {
    summary: 'The battery of {part} has {volts} V, less than {limit} V.',
    advice: 'Check the supply and what charges the battery before the pole goes silent.',
  },
  PW_BOARD_FIRMWARE: {
    summary: 'The sensor board {part} does not run StandardFirmata: {detail}',
    advice:
      'Load StandardFirmata onto it (Arduino IDE: Examples, Firmata), or check `port` and the speed of the pin map.',
  },
  PW_BOARD_SENSOR: {
    summary: 'The sensor {sensor} of {part} gives no {quantity} that can be believed: {why}.',
    advice: 'Check its wires and its line in the pin map. Until then the configured weather stands in.',
  },
  PW_BROKER_REFUSES: {
    summary: 'The broker {broker} does not allow all that is needed: {why}.',
    advice: 'Check what its access rules let this client read and write. It is asked again at the next connection.',
  },
  PW_BROKER_UNREACHABLE: {
    summary: 'There is no connection to the broker {broker}: {why}.',
    advice: 'Check its address, the network and its certificate. It is tried again; alerts are kept until it is back.',
  },
  PW_CAMERA: {
    summary: '{part}: {what}.',
    advice: 'It helps to {todo}.',
  },
  PW_CAMERA_PASSWORD: {
    summary: 'The password file {file} of {part} cannot be read: {why}.',
    advice: 'Write the password of the camera into its first line and let the role vision read it.',
  },
  PW_CERTIFICATE_ENDS: {
    summary: 'The certificate of this unit {what} on {day}.',
    advice:
      'Run polewatch enroll obtain, or see why polewatch-enroll.timer has not renewed it: journalctl -u polewatch-enroll.',
  },
  PW_CHANNEL_COUNT: {
    summary: 'The sound of {part} has another number of channels than its geometry: {detail}',
    advice: 'Choose the geometry that fits the array, or the recording that fits the geometry.',
  },
  PW_CHANNEL_SILENT: {
    summary: '{part} gives nothing but zeros.',
    advice: 'Check its cable and its power, and exchange it if they are good.',
  },
  PW_CLOCK_DISTRUSTED: {
    summary:
      'The clock of the gateway {gateway} is {off}, give or take {error} ms: {shots} shots that others located show it.',
    advice: 'Check its time source and its timeError setting. Until its times fit again they count for little.',
  },
  PW_CLOCK_HOLDOVER: {
    summary: 'The clock has not been measured for {age} s; by now it may be {error} ms off, and that grows.',
    advice: 'Check antenna and receiver, or the network of the time servers; `chronyc sources` shows what is heard.',
  },
  PW_CLOCK_NOT_GNSS: {
    summary: 'The system clock is {seconds} s ahead of what the satellite receiver says.',
    advice: 'Check what chrony follows. Until they agree whole seconds may be wrong.',
  },
  PW_CLOCK_STEPPED: {
    summary: 'The clock was set. Until it has been measured again it counts as {error} ms off.',
    advice: 'Nothing, if that is over in a few minutes. Else find out who sets the clock beside chrony.',
  },
  PW_CLOCK_UNKNOWN: {
    summary: 'Nothing is known of the clock: chrony does not answer or follows no source.',
    advice:
      'Check that chrony runs and reaches its sources. Until then shots are heard, and located by nobody with this clock.',
  },
  PW_COMMAND_EXPIRED: {
    summary: 'The command {name} is not obeyed: {why}.',
    advice:
      'Send it anew, with an expiry within seven days. If that does not help, compare the clocks of hub and gateway.',
  },
  PW_COMMAND_FAILED: {
    summary: 'The command {name} could not be carried out: {why}.',
    advice: "Nothing was changed. The gateway's log and `check` say more.",
  },
  PW_COMMAND_MALFORMED: {
    summary: 'A command cannot be understood: {why}.',
    advice: 'Look it up in docs/hub.md, which names the commands and what each one needs.',
  },
  PW_COMMAND_MISDIRECTED: {
    summary: 'A command is for somebody else: {why}.',
    advice: 'Publish a command on the topic of the gateway that it names, under the name of the command.',
  },
  PW_COMMAND_REPLAYED: {
    summary: 'The command {name} is not obeyed: {why}.',
    advice: 'Send it anew, with a nonce of its own. If nobody sent it twice, somebody on the way did.',
  },
  PW_COMMAND_TOO_MANY: {
    summary: 'The command {name} is not obeyed: {why}.',
    advice: 'Wait until the ones before have been answered.',
  },
  PW_COMMAND_UNANSWERED: {
    summary: '{gateway} has not answered the command {name} within {seconds} s.',
    advice: 'It may be offline or its command lost: look at its status, then send the command again.',
  },
  PW_COMMAND_UNAUTHORISED: {
    summary: 'A command is not obeyed: {why}.',
    advice:
      "The gateway's configuration lists under `commands.keys` which key may ask for what, and for which purpose.",
  },
  PW_COMMAND_UNAVAILABLE: {
    summary: 'This gateway cannot do {name}: {why}.',
    advice: 'Nothing was changed. Ask another gateway, or set this one up for it.',
  },
  PW_CONFIG_INVALID: {
    summary: 'The file {file} has {count} to correct:{list}.',
    advice: 'Correct the lines named; docs/configuration.md lists every key. Then run polewatch config check.',
  },
  PW_CONFIG_MISSING: {
    summary: 'There is no file {file}.',
    advice: 'Copy firmware-config/polewatch.example.yaml there and adapt it, or name another file with --config.',
  },
  PW_CONFIG_NEWER: {
    summary: 'The file {file} is of version {version}; this program knows versions up to {known}.',
    advice:
      'Install the newer polewatch again, or put back the copy that it left beside the file, such as polewatch.yaml.version-1.',
  },
  PW_CONFIG_NO_KEY: {
    summary: 'No key of the configuration is called {key}.',
    advice: 'Look it up in docs/configuration.md; write `cameras[]` for every item of a list, or `cameras[0]` for one.',
  },
  PW_CONFIG_UNREADABLE: {
    summary: 'The file {file} cannot be read: {why}.',
    advice: 'Check that it is a text file and that the user of this process may read it.',
  },
  PW_CONSOLE_PHRASE: {
    summary: 'The pass phrase of the console in {file} cannot be used: {why}.',
    advice: 'Make one with polewatch console --new-phrase, as root on a unit.',
  },
  PW_CONSOLE_SOCKET: {
    summary: 'The console cannot listen: {why}.',
    advice: 'See whether another program has the port, or choose one with --port.',
  },
  PW_DEVICE_ABSENT: {
    summary: 'The device of {part} is not there: {detail}',
    advice: 'Check power and cable; polewatch goes on looking and says when the device is back.',
  },
  PW_DEVICE_FAULT: {
    summary: 'The device of {part} does not work ({fault}): {detail}',
    advice: 'Check the device and its cable, then its settings in the configuration.',
  },
  PW_DEVICE_FILE: {
    summary: 'A device file cannot be used: {why}.',
    advice: 'Use the name of a file in firmware-config/devices, without its ending.',
  },
  PW_DISK_LOW: {
    summary: 'Only {free} are free where the state folder is.',
    advice: 'Remove what does not belong there. When it is full the least urgent alerts are shed.',
  },
  PW_DISK_UNUSABLE: {
    summary: 'The state folder cannot be used: {why}.',
    advice: 'See whether the disk is mounted; where polewatch is new, start it once.',
  },
  PW_ENROLMENT_ANSWER: {
    summary: 'The certificate cannot be used: {why}.',
    advice:
      'Nothing was changed. Compare the name and site of this unit with what the authority signs, and `enrolment.trust` with its root.',
  },
  PW_ENROLMENT_PENDING: {
    summary: 'The authority {server} has the request and somebody there has to agree to it first.',
    advice: 'Ask again with polewatch enroll obtain after {seconds} seconds; the request stays the same.',
  },
  PW_ENROLMENT_REFUSED: {
    summary: 'The authority {server} refuses this unit a certificate: {why}.',
    advice:
      'A claim code is good once and for a while: ask for a new one. A unit whose certificate was revoked is enrolled as if it were new.',
  },
  PW_ENROLMENT_SETTINGS: {
    summary: 'This unit cannot get a certificate: {why}.',
    advice: 'Fill it in; docs/enrolment.md shows what each way of enrolling needs.',
  },
  PW_ENROLMENT_TOOL: {
    summary: 'The program openssl ({step}) did not do its work: {why}.',
    advice:
      'Check that the Debian package openssl is installed and that the files it was given are what they should be.',
  },
  PW_ENROLMENT_UNREACHABLE: {
    summary: 'There is no connection to the authority {server}: {why}.',
    advice:
      'Check its address, the network, the clock of this unit and `enrolment.trust`. The certificate in use stays.',
  },
  PW_EVIDENCE_STORE: {
    summary: 'Evidence of an alert cannot be kept: {why}.',
    advice: 'Check the free room and the rights of the state folder. The alert is told without it.',
  },
  PW_EVIDENCE_UNREADABLE: {
    summary: 'The evidence {id} cannot be given: {why}.',
    advice:
      'See by `polewatch evidence list` what is kept and until when. The files belong to the role that made them: look as root.',
  },
  PW_EXCHANGE_FAILED: {
    summary: 'The exchange {file} cannot be written: {why}.',
    advice: 'It lives in memory: check the space left in the runtime folder, and that the folder is there.',
  },
  PW_EXERCISE_UNANSWERED: {
    summary: 'No exercise alert was made: sensing does not answer.',
    advice: 'See whether sensing runs: polewatch check.',
  },
  PW_FOLDER: {
    summary: 'The folder {folder} cannot be made: {why}.',
    advice: 'Make it, or let the configuration name another one under paths.',
  },
  PW_GNSS_ANTENNA: {
    summary: 'The satellite receiver of {part} has no working antenna: {detail}',
    advice: 'Check the plug and the cable of the antenna for a break or a short circuit.',
  },
  PW_GNSS_NO_FIX: {
    summary: 'The satellite receiver of {part} has no position: {detail}',
    advice: 'Give it some minutes and its antenna a free view of the sky.',
  },
  PW_CALLERS_UNKNOWN: {
    summary: 'Who may call {address} is not known: no interface of this machine has that address now.',
    advice: 'Bring its interface up, or write the address of the reader as callsFrom in the configuration.',
  },
  PW_HOST_UNKNOWN: {
    summary: 'The name {host} cannot be looked up: {why}.',
    advice: 'Check how it is written and the name server, or write its address in the configuration.',
  },
  PW_HOTLIST_ABSENT: {
    summary: 'There is no hotlist {list}.',
    advice: 'Import it with polewatch hotlist import, or correct the name.',
  },
  PW_HOTLIST_BUILD_FAILED: {
    summary: 'The new generation of the hotlist {list} could not be built: {why}. The one in use has not changed.',
    advice: 'Check the free room and the rights of the folder of hotlists and of /var/tmp, and import again.',
  },
  PW_HOTLIST_BUSY: {
    summary: 'Another import of the hotlist {list} is under way.',
    advice: 'Wait until it has ended, then import again.',
  },
  PW_HOTLIST_CLOCK_BEHIND: {
    summary: 'By the clock the hotlist {list} is yet to be made, so nothing matches it.',
    advice: 'See to the clock of this gateway; the list counts again when it is right.',
  },
  PW_HOTLIST_DAMAGED: {
    summary: 'The hotlist {list} cannot be read.',
    advice: 'Import it again, or go back with polewatch hotlist rollback.',
  },
  PW_HOTLIST_DEFAULT: {
    summary: 'The hotlist {list} has a default that the policy does not allow: {why}.',
    advice:
      'Take it out of the configuration, so that entries without purpose or expiry are refused, or have the policy name it under hotlistDefaults.',
  },
  PW_HOTLIST_DELTA_BASE: {
    summary:
      'The change of the hotlist {list} was made for another list than the one in use: {why}. Nothing has changed.',
    advice: 'Apply the changes in their order, or import the whole list.',
  },
  PW_HOTLIST_DELTA_INVALID: {
    summary: 'The file is no change of the hotlist {list}: {why}.',
    advice: 'Look at docs/hotlists.md for what such a file holds.',
  },
  PW_HOTLIST_DELTA_LATE: {
    summary: 'The change of the hotlist {list} was to be applied by {expires}. Nothing has changed.',
    advice: 'Import the whole list, or ask for a newer change; check the clock of this gateway.',
  },
  PW_HOTLIST_DELTA_REFUSED: {
    summary: 'The change of the hotlist {list} does not fit: {count} refused, the first {first}. Nothing has changed.',
    advice: 'A change is applied whole or not at all. Have it corrected, or import the whole list.',
  },
  PW_HOTLIST_DELTA_REPLAYED: {
    summary: 'The change of the hotlist {list} was applied before.',
    advice: 'Nothing is to be done, unless the list was taken back since: then import the whole list.',
  },
  PW_HOTLIST_DELTA_UNTRUSTED: {
    summary: 'The change of the hotlist {list} is not signed by a key that the configuration trusts: {why}.',
    advice: 'Do not apply it by other means before you know who made it. Keys are named under deltaKeys of the list.',
  },
  PW_HOTLIST_EMPTY: {
    summary: 'No line of the file for the hotlist {list} was accepted: {why}. The list in use has not changed.',
    advice:
      'Check the column mapping and the delimiter; name defaults for a purpose and an expiry that the file lacks.',
  },
  PW_HOTLIST_MAPPING: {
    summary: 'The columns of the hotlist file cannot be told: {why}.',
    advice: 'Choose another preset or describe the columns in the configuration; docs/configuration.md shows how.',
  },
  PW_HOTLIST_NAME: {
    summary: 'A hotlist cannot have that name.',
    advice: 'Use lower-case letters, digits and hyphens, at most 63, and begin with a letter or digit.',
  },
  PW_HOTLIST_NEWER_DAMAGED: {
    summary: 'The newest generation of the hotlist {list} cannot be read; the one before is still in use.',
    advice: 'Import it again, or go back with polewatch hotlist rollback.',
  },
  PW_HOTLIST_NO_PREVIOUS: {
    summary: 'The hotlist {list} has no earlier generation to go back to.',
    advice: 'Import the list again.',
  },
  PW_HOTLIST_SHRANK: {
    summary:
      'The hotlist {list} would shrink from {before} to {accepted} entries, {refused} lines refused. The one in use has not changed.',
    advice: 'See whether the file is whole. If it is meant so, take it again with --allow-shrink.',
  },
  PW_HOTLIST_SOURCE: {
    summary: 'The hotlist file cannot be read: {why}.',
    advice: 'Check the path and that the user of this process may read it.',
  },
  PW_HOTLIST_STALE: {
    summary: 'The hotlist {list} is too old to act on, so nothing matches it.',
    advice: 'Import it anew; staleAfterHours of the list says how old it may become.',
  },
  PW_HUB_RECORD: {
    summary: 'The record {file} cannot be written: {why}.',
    advice: 'Make room or choose another file. Nothing was acknowledged that is not in it.',
  },
  PW_HUB_STATE_UNREADABLE: {
    summary: "The file {file} with the hub's place cannot be read: {why}.",
    advice:
      'Restore it from a backup, or move it away: the hub then begins anew and the gateways send again what they hold.',
  },
  PW_JOURNAL_ALERT_TOO_LARGE: {
    summary: 'An alert of {bytes} bytes is larger than the limit of {limit}.',
    advice: 'Send pictures and sound as evidence, not inside the alert.',
  },
  PW_JOURNAL_DAMAGED: {
    summary: 'The file {file} was damaged ({why}). It was set aside as {movedTo} and a new one begun.',
    advice:
      'Keep the file set aside for analysis; alerts in it that the hub had not acknowledged are not sent. Check the disk.',
  },
  PW_JOURNAL_DISK_FAILED: {
    summary: 'The disk failed under {file}: {why}.',
    advice: 'Look for errors of the disk in the kernel log and replace the card if there are any.',
  },
  PW_JOURNAL_DISK_FULL: {
    summary: 'The disk is full: {file} takes no more.',
    advice: 'Free space on the disk that holds the state folder, or lower the byte limit of the journal.',
  },
  PW_JOURNAL_IN_USE: {
    summary: 'Another process is writing {file}.',
    advice: 'Stop the other process first: every file has one writer.',
  },
  PW_JOURNAL_NEWER: {
    summary: 'The file {file} is of version {found}; this program knows version {known}. It was left as it is.',
    advice:
      'Install the newer polewatch again, or move the file away; where there is a copy of an older version beside it, it may be put back.',
  },
  PW_JOURNAL_OVERLOADED: {
    summary: 'More than {waiting} alerts wait for the disk.',
    advice: 'The disk is too slow or something raises alerts without end; look at the health report of the gateway.',
  },
  PW_JOURNAL_READ_ONLY: {
    summary: 'The file {file} cannot be written.',
    advice: 'Check that the disk is not mounted read-only and that the user of this process owns the state folder.',
  },
  PW_JOURNAL_SHED: {
    summary: 'An alert of priority {priority} found no room: the journal is full of more important ones.',
    advice: 'Restore the connection with the hub, or raise the byte limit of the journal.',
  },
  PW_JOURNAL_TOO_MANY_STREAMS: {
    summary: 'A journal holds no more than {limit} streams.',
    advice: 'Site or gateway have been renamed too often; begin a new journal.',
  },
  PW_JOURNAL_UNREADABLE: {
    summary: 'The file {file} cannot be read: {why}.',
    advice: 'Check that it is a file of polewatch, complete and of this version.',
  },
  PW_KEY_FILE: {
    summary: 'The key {file} cannot be read or made: {why}.',
    advice: 'Check that the folder belongs to the user that runs this role.',
  },
  PW_KEY_INVALID: {
    summary: 'A signing key cannot be used: {why}.',
    advice:
      'Keys are Ed25519: PKCS#8 PEM for the private half, SPKI PEM for the public one. Restore the file or enrol the gateway again.',
  },
  PW_LINE_NOISE: {
    summary: 'The line of {part} brings bytes that are no reads: {detail}',
    advice: 'Check speed, parity and layout against the reader with its manual, then the shield of the cable.',
  },
  PW_MACHINE: {
    summary: 'The machine is not well: {what}.',
    advice: 'It helps to {todo}.',
  },
  PW_MEMORY_DUMPED: {
    summary: 'What {role} has in memory could be written in a core dump.',
    advice: 'Start it by its systemd unit, or see why it may not set its coredump_filter.',
  },
  PW_MEMORY_SWAPPED: {
    summary: 'What {role} has in memory, sound and plates among it, could be written to swap.',
    advice: 'Start it by its systemd unit, which sets MemorySwapMax=0, or turn swap off with swapoff -a.',
  },
  PW_MESSAGE_INVALID: {
    summary: 'A message breaks its schema: {why}.',
    advice:
      'Compare it with docs/generated/schemas; where another gateway sent it, check that both run a current version.',
  },
  PW_MESSAGE_TOO_LARGE: {
    summary: 'A message of {size} bytes is larger than the limit of {limit}.',
    advice: 'Find out who sent it: no message of polewatch is that large.',
  },
  PW_MESSAGE_TYPE_UNKNOWN: {
    summary: 'A message has the type {type}, which this version does not know.',
    advice: 'Update this end; until then the message is counted but not read.',
  },
  PW_METRICS: {
    summary: 'The figures for Prometheus cannot be served on {where}: {why}.',
    advice: 'Choose another port, or look who may write the runtime folder. Everything else goes on.',
  },
  PW_MICROPHONE: {
    summary: '{part}: {what}.',
    advice: 'It helps to {todo}.',
  },
  PW_NEIGHBOUR_KEY_CHANGED: {
    summary: 'The gateway {gateway} signs with other keys than before, and nothing of it is believed.',
    advice:
      'If it was replaced or set up anew, delete uplink.neighbours.json in the state folder here and restart polewatch-uplink. If not, somebody speaks in its name: revoke its certificate.',
  },
  PW_NEIGHBOUR_REFUSED: {
    summary: 'What the gateway {gateway} sends is refused: {why}.',
    advice:
      'Look at its own health, clock and time source first. If it is well, somebody speaks in its name: check the access list of the broker, and revoke its certificate.',
  },
  PW_NOT_RUNNING: {
    summary: '{role} does not run, so nothing is known of its parts.',
    advice:
      'Start it: systemctl start polewatch.target, or polewatch run. Its log says why it ended: journalctl -u polewatch-{role}.',
  },
  PW_PART_FAILED: {
    summary: '{part} has failed again and again within ten minutes, or hangs and cannot be ended.',
    advice:
      'It is tried again by itself, where need be by a restart of its role. The log of the role says why it failed; tell whoever maintains polewatch.',
  },
  PW_PICTURE_UNREADABLE: {
    summary: 'The picture {file} cannot be read: {why}.',
    advice: 'Check the path, and that the file is a whole JPEG, PNG, WebP, TIFF or AVIF picture.',
  },
  PW_PLOT_FILE: {
    summary: 'The picture {file} cannot be written: {why}.',
    advice: 'Choose a folder that is there and that the user of this process may write to.',
  },
  PW_POLICY_LOOSENED: {
    summary: 'It is not changed yet: {what} would be looser than before, which takes two signatures.',
    advice: 'Send the same document, signed with another key that may, before the first request expires.',
  },
  PW_POSITION_DISTRUSTED: {
    summary:
      'The gateway {gateway} stands about {off} of where it says, give or take {error} m: {shots} shots that others located show it.',
    advice:
      'Survey its place again and correct gateway.position in its configuration. Until then it counts for little.',
  },
  PW_POSITION_WRONG: {
    summary: 'The gateway stands {distance} m from where its configuration says: satellites see it at {found}.',
    advice: 'Correct gateway.position in its configuration, or find out who moved the pole.',
  },
  PW_POWER_FAILED: {
    summary: 'The mains has failed, as {part} tells; the unit runs on its battery.',
    advice:
      'Check fuse and supply. Where there is power, check the contact and its wire, and `active` in the configuration.',
  },
  PW_RECORDING_ARRAY: {
    summary: 'The gateway {gateway} is left out, since the geometry of its array cannot be used: {why}.',
    advice: 'Let "array" be one of {known}, or the path of a file that ends in .json.',
  },
  PW_READER_QUIET: {
    summary: 'The reader {part} is there and has read nothing for {hours} hours.',
    advice:
      'Look whether its lens is covered or turned away and whether its light works; drive a car past it. Where so few cars pass, raise or empty its `quietHours`.',
  },
  PW_RECORDING_MISSING: {
    summary: 'The recording of {part} cannot be read: {detail}',
    advice: 'Check the path; it counts from the folder of the file that names it.',
  },
  PW_RECORDING_NOT_AUDIO: {
    summary: 'The recording of {part} holds no sound that can be read: {detail}',
    advice: 'Use a WAV or FLAC file.',
  },
  PW_RECORDING_NOT_VIDEO: {
    summary: 'The recording of {part} holds no video that can be played: {detail}',
    advice: 'Use a video of any usual format, such as Matroska or MP4 with H.264.',
  },
  PW_RECORDING_SET: {
    summary: 'The recording set {file} cannot be used: {why}.',
    advice: 'Compare it with scripts/demonstration/live-fire/recording.json.',
  },
  PW_RECORDING_TRUNCATED: {
    summary: 'The recording of {part} ends before its header says: {detail}',
    advice: 'What there is was used. Copy the file again if the rest matters.',
  },
  PW_SAMPLE_RATE: {
    summary: 'The sound of {part} has {rate} Hz and {channels} channels and cannot be listened to.',
    advice: 'Give it 8,000 to 96,000 Hz and 1 to 16 channels: set the array up anew, or resample the recording.',
  },
  PW_SAMPLE_RATE_DIFFERS: {
    summary: 'The sound of {part} has another sample rate than it should: {detail}',
    advice: 'Use files of one rate for one array.',
  },
  PW_SENSING_SILENT: {
    summary: 'The sensing process says nothing.',
    advice: 'Look at its log; it is started again by itself under `polewatch run` and systemd.',
  },
  PW_STREAM_INVALID: {
    summary: 'The stream or number {stream} cannot be used.',
    advice:
      'Site and gateway names hold lower-case letters, digits and hyphens, at most 63, and a gateway cannot be called arrivals.',
  },
  PW_STREAM_SILENT: {
    summary: 'The device of {part} is there but gives nothing: {detail}',
    advice: 'It is opened again by itself. If that lasts, unplug it for ten seconds.',
  },
  PW_SWITCH_RESTLESS: {
    summary: 'The contact {part} does not come to rest; what it said last counts.',
    advice:
      'Check the contact, its wire and its pull-up. Where it bounces for long by nature, raise `debounceMilliseconds`.',
  },
  PW_TOPIC_INVALID: {
    summary: 'A topic cannot have {value} for its {part}.',
    advice: 'Names in topics hold lower-case letters, digits and hyphens; a cell is a geohash of five characters.',
  },
  PW_TRAFFIC_BUDGET: {
    summary:
      'The link has used {percent} % of its budget: what is less urgent is held back until the next day or month.',
    advice: 'Gunfire is sent all the same. Raise `uplink.budget` if the contract of the link allows more.',
  },
  PW_USAGE: {
    summary: 'The command line cannot be understood: {why}.',
    advice: 'Run the command with --help; it lists the arguments and shows an example.',
  },
  PW_VISION_SILENT: {
    summary: 'The vision process says nothing.',
    advice: 'Look at its log; it is started again by itself under `polewatch run` and systemd. Gunfire is still heard.',
  },
  PW_WEBHOOK_REFUSED: {
    summary: 'The webhook {url} refuses the event with status {status}.',
    advice:
      'Repeating would not help: check the address, the credentials and what the receiver accepts. The event is not acknowledged and comes again.',
  },
} as const satisfies Record<string, { summary: string; advice: string }>

export type ErrorCode = keyof typeof errorTable

/** Values named in an error's sentences. Never a plate, a key or sound. */
export type ErrorDetails = Readonly<Record<string, string | number>>

/** An error a user can meet: a code of the table, what happened, and what to do. */
export class PolewatchError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, details: ErrorDetails = {}, cause?: unknown) {
    super(fill(errorTable[code].summary, details), cause === undefined ? undefined : { cause })
    this.name = 'PolewatchError'
    this.code = code
    this.details = details
  }

  get advice(): string {
    return fill(errorTable[this.code].advice, this.details)
  }
}

/** What anything thrown says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function fill(sentence: string, details: ErrorDetails): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = details[name]
    return value === undefined ? whole : String(value)
  })
}
