# Runs inside the container of scripts/prove-package. Each proof is a line of /proof/result.
export DEBIAN_FRONTEND=noninteractive POLEWATCH_TRIAL_SECONDS=45
exec >/proof/log 2>&1
prove() {
  local what=$1
  shift
  if "$@" >/proof/last 2>&1; then echo "ok $what"; else echo "not ok $what: $(tail -14 /proof/last | tr '\n' ' ')"; fi >>/proof/result
  cat /proof/last
}
note() { echo "# $*" >>/proof/result; }
running() { for role in sensing vision uplink; do systemctl is-active --quiet "polewatch-$role" || { journalctl -o cat -n 12 -u "polewatch-$role"; return 1; }; done; }
soon() { local try; for try in $(seq "${patience:-60}"); do "$@" && return 0; sleep 0.5; done; return 1; }
watched() { for role in sensing vision uplink; do systemctl show -p WatchdogUSec,StatusText "polewatch-$role" | grep -c 'WatchdogUSec=30s\|StatusText=All' | grep -qx 2 || { systemctl show "polewatch-$role" | grep -i 'watchdog\|status'; return 1; }; done; }
hardened() { local score; score=$(systemd-analyze security --offline=true "/usr/lib/systemd/system/polewatch-$1.service" 2>/dev/null | sed -n 's/.*: \([0-9.]*\) .*/\1/p'); echo "$1 is at $score"; awk -v score="$score" -v most="$2" 'BEGIN { exit !(score != "" && score <= most) }'; }
inside() {
  sed -e "s#^ExecStart=.*#ExecStart=/usr/bin/node /usr/lib/polewatch-proof/inside.mjs $1#" -e '/^Restart/d;/^Type/d;/^Watchdog/d;/^PartOf/d;/^SuccessExitStatus/d' \
    "/usr/lib/systemd/system/polewatch-$1.service" | sed 's/^\[Service\]/[Service]\nType=oneshot/' >"/run/systemd/system/inside-$1.service"
  systemctl daemon-reload
  systemctl start "inside-$1"
  local status=$?
  journalctl -o cat -u "inside-$1" | grep could
  return $status
}
gone() { ! ls -d /var/lib/polewatch /etc/polewatch /run/polewatch /usr/lib/polewatch* /etc/systemd/system/polewatch* /etc/systemd/system/*.wants/polewatch* /run/systemd/system/polewatch-* /run/polewatch-trial* /var/lib/systemd/timers/stamp-polewatch* /etc/apt/preferences.d/polewatch* 2>/dev/null | grep -v proof && ! getent passwd | grep polewatch && ! getent group polewatch; }
refused() { systemctl start polewatch.target; ! systemctl is-active --quiet polewatch-sensing; }
provision() { node /usr/lib/polewatch-proof/dist/scripts/provisioning/provision.js "$@"; }
ca=/proof/authority
hub() { mosquitto_sub -h localhost -p 8883 --cafile $ca/root.pem --cert /proof/hub.pem --key /proof/hub.key "$@"; }
alert() { timeout 40 mosquitto_sub -h localhost -p 8883 --cafile $ca/root.pem --cert /proof/hub.pem --key /proof/hub.key -t 'polewatch/v1/example-city/pole-17/alert/gunfire' -C 1; }
count() { grep -c . /proof/heard; }
more_than() { [ "$(count)" -gt "$1" ]; }
version_is() { [ "$(dpkg-query -f '${Version}' -W polewatch)" = "$1" ]; }
# As docs/install.md tells: the repository's key and address, then apt.
upgrade() {
  rm -rf /proof/repository /var/lib/apt/lists/*
  cp -r "/proof/repository-$1" /proof/repository
  install -D -m 644 /proof/repository/polewatch.asc /etc/apt/keyrings/polewatch.asc
  cp /proof/repository/polewatch.sources /etc/apt/sources.list.d/
  apt-get update -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/polewatch.sources -o Dir::Etc::sourceparts=- && apt-cache policy polewatch && apt-get upgrade -y -q
}
# Bytes of the program, of what is kept of the version before (links count once) and of what dpkg and apt note.
written() { du -sb /usr/lib/polewatch /usr/lib/polewatch.previous /var/lib/dpkg /var/cache/apt 2>/dev/null | awk '{ sum += $1 } END { print sum }'; }
trial_over() { ! systemctl is-active --quiet polewatch-trial; }
# Of every stream and epoch each number from the first to the last; the hub's own copies do not count.
whole() {
  node -e '
    const streams = new Map()
    for (const line of require("fs").readFileSync("/proof/heard", "utf8").split("\n").filter(Boolean)) {
      const { source, epoch, sequence } = JSON.parse(line)
      const key = `${source} ${epoch}`
      streams.set(key, (streams.get(key) ?? new Set()).add(Number(sequence)))
    }
    let missing = 0
    for (const [key, numbers] of streams) {
      const last = Math.max(...numbers)
      console.log(key, numbers.size, "of", last)
      missing += last - numbers.size
    }
    process.exit(missing === 0 && streams.size > 0 ? 0 : 1)'
}

install -D -m 644 /proof/inside.mjs /usr/lib/polewatch-proof/inside.mjs
# What the city has: an authority, a broker with TLS that asks for certificates, a hub.
city() {
  ln -sfn /usr/lib/polewatch/dist/gateway /usr/lib/polewatch-proof/dist/gateway
  ln -sfn /usr/lib/polewatch/node_modules /usr/lib/polewatch-proof/node_modules
  ln -sfn /usr/lib/polewatch/firmware-config /usr/lib/polewatch-proof/firmware-config
  printf '{"type":"module"}\n' >/usr/lib/polewatch-proof/package.json
  provision authority create $ca --host localhost
  echo '127.0.0.2 broker.example' >>/etc/hosts
  provision authority server $ca broker --host localhost broker.example
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /proof/hub.key -out /proof/hub.csr -subj /O=example-city/CN=crime-centre
  provision authority sign $ca /proof/hub.csr >/proof/hub.pem
  systemd-run --quiet --unit=proof-authority node /usr/lib/polewatch-proof/dist/scripts/provisioning/provision.js authority serve $ca --port 8443
  printf '%s\n' 'listener 8883' 'user root' "cafile $ca/root.pem" "certfile $ca/broker.pem" "keyfile $ca/broker.key" 'require_certificate true' \
    'use_identity_as_username true' 'tls_version tlsv1.3' >/proof/broker.conf
  systemd-run --quiet --unit=proof-broker mosquitto -c /proof/broker.conf
  soon hub -t '$SYS/broker/version' -C 1
}
listen() { systemd-run --quiet --unit=proof-hub -p Restart=always -p StandardOutput=append:/proof/heard mosquitto_sub -h localhost -p 8883 --cafile $ca/root.pem --cert /proof/hub.pem --key /proof/hub.key -i hub -q 1 -c -t 'polewatch/v1/+/+/alert/gunfire'; }
prove 'the package installs' apt-get install -y -qq --no-install-recommends /proof/polewatch.deb
prove 'without a configuration nothing runs' refused
systemctl stop polewatch.target
# As shipped, before a drop-in names the city's addresses.
prove 'sensing is exposed by 0.8 at most' hardened sensing 0.8
prove 'vision is exposed by 1.2 at most' hardened vision 1.2
# docs/security.md says what is left and why it is not less.
prove 'uplink is exposed by 0.9 at most' hardened uplink 0.9
# Who may change the unit from afar, and its policy.
deciders() {
  for who in city council; do
    openssl genpkey -algorithm ed25519 -out "/proof/$who.key" && openssl pkey -in "/proof/$who.key" -pubout -out "/proof/$who.pub"
  done
  node --input-type=module -e 'import { builtInPolicy } from "/usr/lib/polewatch/dist/gateway/policy/policy.js"; console.log(JSON.stringify(builtInPolicy))' >/proof/policy.yaml
}
# change WHO WHAT DOCUMENT: a signed change over the broker.
change() {
  polewatch command "$2" --to pole-17 --site example-city --broker mqtts://localhost:8883 --ca $ca/root.pem --certificate /proof/hub.pem \
    --certificate-key /proof/hub.key --key "/proof/$1.key" --by administrator --purpose upkeep --document "$3"
}
outcome_is() { node -e 'const last = JSON.parse(require("fs").readFileSync("/var/lib/polewatch/applied/outcomes.json")).at(-1); console.log(last)
  process.exit(last.number === Number(process.argv[1]) && last.outcome === process.argv[2] ? 0 : 1)' "$1" "$2"; }
answered() { node -e 'const said = require("fs").readFileSync("/proof/answers", "utf8").split("\n").filter(Boolean).map(line => JSON.parse(line).data)
  const ends = said.filter(({ result, outcome }) => result?.request && (result.applied || outcome !== "done")).map(({ outcome, code }) => `${outcome} ${code}`)
  console.log(ends); process.exit(ends.join() === process.argv[1] ? 0 : 1)' "$1"; }
recorded() { NODE_PATH=/usr/lib/polewatch/node_modules node -e 'const rows = new (require("better-sqlite3"))("/var/lib/polewatch/uplink.journal.db", { readonly: true }).prepare("SELECT detail FROM audit WHERE action = ? ORDER BY number").pluck().all("change")
  console.log(rows); process.exit(rows.map(row => JSON.parse(row).outcome).join() === process.argv[1] ? 0 : 1)' "$1"; }
unit_file() { cmp /etc/polewatch/polewatch.yaml "$1"; }
/proof/exposure /usr/lib/systemd/system | sed 's/^/# /' >>/proof/result
prove 'the city has an authority, a broker that asks for certificates, and a hub' city
prove 'the console is exposed by 0.8 at most' hardened console 0.8
prove 'it has two who may change its units from afar' deciders
listen
systemd-run --quiet --unit=proof-answers -p Restart=always -p StandardOutput=append:/proof/answers mosquitto_sub -h localhost -p 8883 --cafile $ca/root.pem --cert /proof/hub.pem --key /proof/hub.key -i answers -q 1 -c -t 'polewatch/v1/+/+/command-result'
mkdir -p /proof/devices
echo 'microphoneArrays: [{ name: made-up-sound, driver: simulator, geometry: square, sampleRate: 48000, shotInterval: 5, seed: 1 }]' >/proof/devices/made-up.yaml
printf 'id,site,latitude,longitude,altitude,error,heading,devices\npole-17,example-city,40.44,-79.99,196,1,0,made-up\n' >/proof/poles.csv
started=$(date +%s)
prove 'the unit is provisioned from a list' provision units /proof/poles.csv --site /proof/proof.yaml --devices /proof/devices --authority $ca --output /proof/units
reachable() {
  install -d -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
  ssh-keygen -A && systemctl start ssh && ssh-keyscan localhost >/root/.ssh/known_hosts
}
prove 'the unit has SSH' reachable
prove 'it is set up over SSH, with a certificate from the authority' /proof/over-ssh /proof/units/pole-17 root@localhost
prove 'its certificate is good' polewatch enroll status
prove 'every role runs' soon running
prove 'every role is watched and says that it works' soon watched
prove 'an alert reaches the hub' alert
note "from configuration to the first alert: $(($(date +%s) - started)) s"
# The same by Ansible: the second time there is nothing to do.
by_ansible() { (cd /proof/ansible && ansible-playbook -i /proof/inventory.yaml playbook.yaml | tee /proof/ansible.log); }
printf '%s\n' 'poles: { hosts: { pole-17: { ansible_host: localhost } }, vars: { ansible_user: root, polewatch_units: /proof/units, polewatch_packages: [/proof/polewatch.deb] } }' >/proof/inventory.yaml
prove 'Ansible brings it to the same' by_ansible
prove 'and finds nothing to change then' bash -c 'cd /proof/ansible && ansible-playbook -i /proof/inventory.yaml playbook.yaml | tee /dev/stderr | grep -q "changed=0 .*failed=0"'
prove 'every role runs after Ansible' soon watched
# Timers and the inbox of lists.
timers() { for timer in polewatch-hotlist polewatch-report; do systemctl is-active "$timer.timer" || return 1; done; }
reported() { hub -W 90 -t polewatch/v1/example-city/pole-17/report -C 1 >/proof/report & sleep 1; systemctl start polewatch-report && wait $! && grep org.polewatch.report.v1 /proof/report; }
dropped() { printf 'plate,state,purpose,expires,id\nAAA0001,PA,stolen-vehicle,2035-01-01T00:00:00Z,case-1\n' >/proof/city.csv && install -m 640 -g polewatch /proof/city.csv /var/lib/polewatch/inbox/city.csv; }
listed() { polewatch hotlist status --json | tee /dev/stderr | grep -q '"freshness":"fresh".*"entries":1' && [ -z "$(ls /var/lib/polewatch/inbox)" ]; }
forged() { setpriv --reuid polewatch-uplink --regid polewatch --clear-groups cp /proof/city.csv /var/lib/polewatch/inbox/city.csv; soon test -e /var/lib/polewatch/hotlist/refused.d/city.csv && polewatch hotlist status --json | grep '"generation":1,'; }
prove 'the timers run' timers
prove "the report of the month before is signed and reaches the hub" reported
prove 'root drops a list of wanted plates' dropped
prove 'it is taken by the user who alone writes lists' soon listed
prove 'one that uplink drops is not' forged
# The page: nothing listens before there is a pass phrase, and then the console has of the network that socket alone.
console=http://127.0.0.1:8470
answers() { node -e 'fetch(process.argv[1]).then(() => process.exit(0), () => process.exit(1))' $console/unit; }
closed() { systemctl start polewatch-console.socket; ! answers; }
opened() { phrase=$(polewatch console --new-phrase --json | sed 's/.*"phrase":"\(.*\)".*/\1/') && systemctl start polewatch-console.socket && answers; }
look() { node /proof/look.mjs $console "$phrase" 'made-up-sound microphone 4'; }
told() { polewatch check --json | tee /dev/stderr | grep -q '"unknown":0'; }
drill() { hub -W 40 -t polewatch/v1/example-city/pole-17/alert/fault -C 2 >/proof/drill & sleep 2; polewatch check --alert && wait $! && grep '"fault":"exercise"' /proof/drill; }
prove 'nothing listens without a pass phrase' closed
prove 'the page comes up by its socket' opened
prove 'it shows live to who signs in that a microphone works' look
prove 'of no part it cannot be told whether it works' told
prove 'an alert for a drill arrives' drill
for role in sensing vision uplink console hotlist; do prove "from inside $role nothing forbidden can be done" inside "$role"; done
kill -STOP "$(systemctl show -p MainPID --value polewatch-vision)"
prove 'sensing alerts while vision stands still' alert
prove 'systemd starts a role again that stands still' timeout 60 bash -c 'until [ "$(systemctl show -p NRestarts --value polewatch-vision)" != 0 ]; do sleep 1; done'
# Changes from afar, watched for half a minute here instead of two.
soon watched
mkdir -p /run/systemd/system/polewatch-apply.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/lib/polewatch/bin/polewatch apply --limit 30\n' >/run/systemd/system/polewatch-apply.service.d/proof.conf
systemctl daemon-reload
cp /etc/polewatch/polewatch.yaml /proof/first.yaml
(cat /proof/first.yaml; echo 'log: { level: debug }') >/proof/better.yaml
NODE_PATH=/usr/lib/polewatch/node_modules node -e 'const file = require("yaml").parseDocument(require("fs").readFileSync("/proof/better.yaml", "utf8"))
  file.setIn(["microphoneArrays"], [{ name: "made-up-sound", driver: "alsa", geometry: "square", device: "hw:9,0" }]); console.log(String(file))' >/proof/deaf.yaml
sed 's#mqtts://localhost:8883#mqtts://127.0.0.3:8883#' /proof/better.yaml >/proof/lost.yaml
sed 's#mqtts://localhost:8883#mqtts://broker.example:8883#' /proof/better.yaml >/proof/moved.yaml
prove 'a signed change of configuration is stored' change city configuration /proof/better.yaml
patience=240 prove 'it is applied, and the roles do as well' soon outcome_is 1 applied
prove 'it is in force' unit_file /proof/better.yaml
prove 'a change that makes sensing deaf is stored' change city configuration /proof/deaf.yaml
patience=240 prove 'it is taken back' soon outcome_is 2 taken-back
prove 'what was before is in force' unit_file /proof/better.yaml
patience=120 prove 'the unit is back at its hub' soon watched
prove 'a change that cuts the unit off its hub is stored' change city configuration /proof/lost.yaml
patience=240 prove 'it takes that back by itself' soon outcome_is 3 taken-back
patience=120 prove 'and is back at its hub' soon watched
prove 'a change to another broker is stored' change city configuration /proof/moved.yaml
patience=240 prove 'it is applied' soon outcome_is 4 applied
prove 'systemd lets uplink reach the new address, and not the one that was taken back' bash -c 'systemctl show -p IPAddressAllow polewatch-uplink | tee /dev/stderr | grep 127.0.0.2 | grep -qv 127.0.0.3 && grep -q 127.0.0.2 /var/lib/polewatch/applied/uplink.addresses && [ ! -e /run/systemd/system/polewatch-uplink.service.d/changed.conf ]'
sed 's/"missing-person",//' /etc/polewatch/policy.yaml >/proof/tighter.yaml
cp /etc/polewatch/policy.yaml /proof/looser.yaml
prove 'a tighter policy is stored' change city policy /proof/tighter.yaml
patience=240 prove 'one signature is enough for it' soon outcome_is 5 applied
prove 'a looser policy is stored' change city policy /proof/looser.yaml
patience=240 prove 'it waits for a second signature' soon outcome_is 6 waiting
prove 'another key signs the same' change council policy /proof/looser.yaml
patience=240 prove 'it is in force then' soon outcome_is 7 applied
prove 'the hub was told of each in its turn' soon answered 'done null,failed PW_APPLY_TAKEN_BACK,failed PW_APPLY_TAKEN_BACK,done null,done null,refused PW_POLICY_LOOSENED,done null'
prove 'each is a record of the audit chain' recorded applied,taken-back,taken-back,applied,applied,waiting,applied
patience=120 prove 'every role runs after all this' soon watched
# An upgrade while alerts wait: the broker is away, and comes back after it.
soon watched
systemctl stop proof-broker
sleep 22
before=$(count)
wrote=$(written)
began=$(date +%s%N)
prove 'a newer version comes from the repository while alerts wait' upgrade newer
note "the upgrade took $((($(date +%s%N) - began) / 1000000)) ms, loaded $(stat -c %s /proof/repository/pool/polewatch_99.1_*.deb) bytes and wrote $((($(written) - wrote) / 1024)) KiB"
systemd-run --quiet --unit=proof-broker mosquitto -c /proof/broker.conf
prove 'every role runs after it' soon running
prove 'the alerts that waited arrive' soon more_than "$((before + 3))"
patience=500 prove 'the trial of the newer version ends' soon trial_over
prove 'the newer version stays' version_is 99.1
prove 'a version that does not start comes from the repository' upgrade broken
patience=500 prove 'its trial ends' soon trial_over
prove 'the version before is back by itself' version_is 99.1
prove 'every role runs again' soon watched
before=$(count)
prove 'alerts arrive again' soon more_than "$before"
prove 'the broken version is not taken again' bash -c 'apt-get upgrade -y -qq; [ "$(dpkg-query -f "\${Version}" -W polewatch)" = 99.1 ]'
prove 'no alert of all this was lost' whole
journalctl -o cat -u polewatch-trial
prove 'it is purged' apt-get purge -y -qq polewatch
rm -rf /usr/lib/polewatch-proof
prove 'nothing of it is left' gone
