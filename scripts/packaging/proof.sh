# The first part of scripts/prove-package, inside the container; proof-again.sh is the part after the restart with which it ends.
[ ! -e /proof/again ] || exec /bin/bash /proof/proof-again.sh
. /proof/proof-tools.sh
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
# Not tried and failed, but never begun.
refused() { systemctl start polewatch.target; for role in sensing vision uplink; do [ "$(systemctl show -p ExecMainStartTimestampMonotonic --value "polewatch-$role")" = 0 ] || return 1; done; }
provision() { node /usr/lib/polewatch-proof/dist/scripts/provisioning/provision.js "$@"; }
# As docs/install.md tells: the repository's key and address, then apt.
upgrade() {
  rm -rf /proof/repository /var/lib/apt/lists/*
  cp -r "/proof/repository-$1" /proof/repository
  (cd /proof/repository && bash -euc "$(documented 3)")
}
# Bytes of the program, of what is kept of the version before (links count once) and of what dpkg and apt note.
written() { du -sb /usr/lib/polewatch /usr/lib/polewatch.previous /var/lib/dpkg /var/cache/apt 2>/dev/null | awk '{ sum += $1 } END { print sum }'; }
install -D -m 644 /proof/inside.mjs /usr/lib/polewatch-proof/inside.mjs
# What the city has: an authority, a broker with TLS that asks for certificates, a hub.
city() {
  ln -sfn /usr/lib/polewatch/dist/gateway /usr/lib/polewatch-proof/dist/gateway
  ln -sfn /usr/lib/polewatch/node_modules /usr/lib/polewatch-proof/node_modules
  ln -sfn /usr/lib/polewatch/firmware-config /usr/lib/polewatch-proof/firmware-config
  printf '{"type":"module"}\n' >/usr/lib/polewatch-proof/package.json
  provision authority create $ca --host localhost
  echo '192.0.2.2 broker.example' >>/etc/hosts
  provision authority server $ca broker --host localhost broker.example
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /proof/hub.key -out /proof/hub.csr -subj /O=example-city/CN=crime-centre
  provision authority sign $ca /proof/hub.csr >/proof/hub.pem
  systemd-run --quiet --unit=proof-authority node /usr/lib/polewatch-proof/dist/scripts/provisioning/provision.js authority serve $ca --port 8443
  printf '%s\n' 'listener 8883' 'user root' "cafile $ca/root.pem" "certfile $ca/broker.pem" "keyfile $ca/broker.key" 'require_certificate true' \
    'use_identity_as_username true' 'tls_version tlsv1.3' >/proof/broker.conf
  broker
  soon hub -t '$SYS/broker/version' -C 1
}
# What a person would answer and write. There is no network to Debian here.
echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/90proof
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
install -m 755 /proof/proof-editor /usr/local/bin/editor
mkdir -m 1777 /srv/anybody
mknod -m 666 /dev/planted c 10 229
prove 'there is a street with another machine' street
by_hand() { (cd /proof/by-hand && bash -euc "$1"); }
mkdir /proof/by-hand && cp /proof/*.deb /proof/by-hand/
installing=$(date +%s)
prove 'the packages install' by_hand "$(documented 1 | head -n 1)"
prove 'without a configuration nothing runs' refused
systemctl stop polewatch.target
installed=$(($(date +%s) - installing))
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
  # One of them in a folder of its own.
  mkdir -p /proof/keys && cp /proof/council.pub /proof/keys/
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
prove 'the city has an authority, a broker that asks for certificates, and a hub' city
prove 'the console is exposed by 0.8 at most' hardened console 0.8
prove 'it has two who may change its units from afar' deciders
# What the city gives a unit that is set up by hand.
given() {
  (cd /proof/by-hand && openssl genpkey -algorithm ed25519 -out hub.key && openssl pkey -in hub.key -pubout -out hub.pub) &&
    cp $ca/root.pem /proof/by-hand/ && provision authority claim $ca example-city pole-17 >/proof/by-hand/claim
}
confirms() {
  systemd-run --quiet --unit=proof-watch polewatch watch --broker mqtts://localhost:8883 --site example-city --acknowledge --key /proof/by-hand/hub.key \
    --record /proof/by-hand/record --ca $ca/root.pem --certificate /proof/hub.pem --certificate-key /proof/hub.key
}
prove 'the city has a key of its hub, and a claim code for the unit' given
prove 'its hub confirms alerts' confirms
started=$(date +%s)
prove 'the unit is given its files as docs/install.md says' by_hand "$(documented 1 | tail -n +2)"
prove 'it is set up as docs/install.md says, with a certificate from the authority' by_hand "$(documented 2)"
patience=120 prove 'every role says that it works' soon watched
prove 'an alert for a drill is confirmed by the hub' polewatch check --alert
prove 'the hub has verified shots' soon grep -q org.polewatch.gunfire /proof/by-hand/record
installed=$((installed + $(date +%s) - started))
prove "from the package to the first alert took three minutes at most ($installed s)" test "$installed" -le 180
systemctl stop proof-watch
/proof/exposure /usr/lib/systemd/system | sed 's/^/# /' >>/proof/result
# As on a root that is never written to.
read_only() { systemd-run --quiet --pipe --wait -p ProtectSystem=strict -p 'ReadWritePaths=/etc/polewatch /var/lib/polewatch /run' sh -c '! touch /etc/planted && exec /usr/lib/polewatch/bin/polewatch-set-up'; }
prove 'it is set up again by one who cannot write to the root' read_only
reset() {
  install -d -m 700 /etc/credstore && echo secret >/etc/credstore/polewatch-evidence-key && polewatch enroll reset --yes &&
    [ -z "$(systemctl list-units --plain --no-legend --state=active,activating 'polewatch*' | tee /dev/stderr)" ] && ! ls /etc/credstore/polewatch* /var/lib/polewatch/keys/*
}
prove 'a reset stops timers and sockets too, and leaves no key and no credential' reset
hears heard alert/gunfire
hears hits alert/plate-hit
hears faults alert/fault
hears given-up alert/shed
hears answers command-result
mkdir -p /proof/devices
echo 'microphoneArrays: [{ name: made-up-sound, driver: simulator, geometry: square, sampleRate: 48000, shotInterval: 5, seed: 1 }]' >/proof/devices/made-up.yaml
echo 'cameras: [{ name: lane-camera, driver: rtsp, url: "rtsp://192.0.2.1:8554/lane", user: polewatch, passwordFile: /etc/polewatch/lane-camera.password }]' >/proof/devices/lane.yaml
echo 'a street' >/proof/lane-camera.password
echo 'plateReaders: [{ name: calling, driver: tcp-server, address: 192.0.2.2, tcpPort: 7778, callsFrom: 192.0.2.1, layout: json-lines }]' >/proof/devices/calling.yaml
printf 'id,site,latitude,longitude,altitude,error,heading,devices\npole-17,example-city,40.44,-79.99,196,1,0,made-up lane calling\n' >/proof/poles.csv
reader
camera
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
prove 'a key in a folder has come along' cmp /proof/keys/council.pub /etc/polewatch/keys/council.pub
# Without it who watches cameras says that it is not there.
dropped() { printf 'plate,state,purpose,expires,id\nKLM4827,,stolen-vehicle,2035-01-01T00:00:00Z,case-1\n' >/proof/city.csv && install -m 640 -g polewatch /proof/city.csv /var/lib/polewatch/inbox/city.csv; }
listed() { polewatch hotlist status --json | tee /dev/stderr | grep -q '"freshness":"fresh".*"entries":1' && [ -z "$(ls /var/lib/polewatch/inbox)" ]; }
prove 'root drops a list of wanted plates' dropped
prove 'it is taken by the user who alone writes lists' soon listed
patience=120 prove 'every role is watched and says that it works' soon watched
prove 'an alert reaches the hub' alert
note "from configuration to the first alert: $(($(date +%s) - started)) s"
# The same by Ansible: the second time there is nothing to do.
by_ansible() { (cd /proof/ansible && ansible-playbook -i /proof/inventory.yaml playbook.yaml | tee /proof/ansible.log); }
printf '%s\n' 'poles: { hosts: { pole-17: { ansible_host: localhost } }, vars: { ansible_user: root, polewatch_units: /proof/units, polewatch_packages: [/proof/polewatch.deb] } }' >/proof/inventory.yaml
prove 'Ansible brings it to the same' by_ansible
prove 'and finds nothing to change then' bash -c 'cd /proof/ansible && ansible-playbook -i /proof/inventory.yaml playbook.yaml | tee /dev/stderr | grep -q "changed=0 .*failed=0"'
patience=120 prove 'every role runs after Ansible' soon watched
prove "the password of the camera is vision's alone" test "$(stat -c '%U %a' /etc/polewatch/lane-camera.password)" = 'polewatch-vision 400'
# Timers, and what the inbox refuses.
timers() { for timer in polewatch-hotlist polewatch-report; do systemctl is-active "$timer.timer" || return 1; done; }
reported() { hub -W 90 -t polewatch/v1/example-city/pole-17/report -C 1 >/proof/report & sleep 1; systemctl start polewatch-report && wait $! && grep org.polewatch.report.v1 /proof/report; }
forged() { setpriv --reuid polewatch-uplink --regid polewatch --clear-groups cp /proof/city.csv /var/lib/polewatch/inbox/city.csv; soon test -e /var/lib/polewatch/hotlist/refused.d/city.csv && polewatch hotlist status --json | grep '"generation":1,'; }
prove 'the timers run' timers
prove "the report of the month before is signed and reaches the hub" reported
prove 'one that uplink drops is not' forged
patience=120 prove 'the plate that the network camera sees is a hit' soon grep -q '"reader":"lane-camera"' /proof/hits
prove 'so is that of the reader that calls' soon grep -q '"reader":"calling"' /proof/hits
calls() { ip netns exec street node -e 'require("net").connect({ port: 7778, host: "192.0.2.2", localAddress: process.argv[1], timeout: 3000 }).on("connect", () => process.exit(0)).on("error", () => process.exit(1)).on("timeout", () => process.exit(1))' "$1"; }
not() { ! "$@"; }
firewall() { mkdir -p /etc/nftables.d && cp /usr/lib/polewatch/firmware-config/host/nftables.conf /etc/nftables.conf && rm /run/polewatch-firewall/readers.nft && systemctl start nftables; }
lets_in() { calls 192.0.2.1 && ! calls 192.0.2.3; }
prove 'nobody else can call' not calls 192.0.2.3
adduser --quiet --system --no-create-home --allow-bad-names _chrony
prove 'there is a firewall' firewall
prove 'it lets nobody call' not calls 192.0.2.1
prove 'addresses are looked up again' systemctl start polewatch-addresses@now
prove 'the firewall lets the reader call by the rule that this writes, and nobody else' lets_in
prove 'it does so after it was loaded anew' bash -c 'systemctl reload nftables && nft list chain inet polewatch readers | tee /dev/stderr | grep "ip saddr 192.0.2.1 "'
systemctl stop nftables
# The page: nothing listens before there is a pass phrase, and then the console has of the network that socket alone.
console=http://127.0.0.1:8470
answers() { node -e 'fetch(process.argv[1]).then(() => process.exit(0), () => process.exit(1))' $console/unit; }
closed() { systemctl start polewatch-console.socket; [ -z "$(ss -Htln sport = :8470)" ]; }
opened() { phrase=$(polewatch console --new-phrase --json | sed 's/.*"phrase":"\(.*\)".*/\1/') && systemctl start polewatch-console.socket && answers; }
look() { node /proof/look.mjs $console "$phrase" 'made-up-sound microphone 4'; }
told() { polewatch check --json | tee /dev/stderr | grep -q '"unknown":0'; }
drill() { polewatch check --alert && soon grep '"fault":"exercise"' /proof/faults; }
prove 'nothing listens without a pass phrase' closed
prove 'the page comes up by its socket' opened
prove 'it shows live to who signs in that a microphone works' look
prove 'of no part it cannot be told whether it works' told
prove 'an alert for a drill arrives' drill
outside() { node /usr/lib/polewatch-proof/inside.mjs nobody-holds-it; }
prove 'without a sandbox all of what follows can be done' outside
for role in sensing vision uplink console hotlist; do prove "from inside $role nothing forbidden can be done" inside "$role"; done
# A role that does not run would be process 0, which is this proof.
patience=120 soon watched
# Its user begins a transaction of its journal, changes a row and stands still there, as the role does.
stopped() { grep -q '^State:.*T' "/proc/$(systemctl show -p MainPID --value "$1")/status"; }
holds() {
  systemd-run --quiet --unit=proof-holding --uid=polewatch-vision --gid=polewatch -E NODE_PATH=/usr/lib/polewatch/node_modules node -e '
    new (require("better-sqlite3"))("/var/lib/polewatch/vision.journal.db").exec("BEGIN IMMEDIATE; UPDATE journal SET last_purge = 1")
    process.kill(process.pid, "SIGSTOP")' && soon stopped proof-holding && kill -STOP "$(systemctl show -p MainPID --value polewatch-vision)" && stopped polewatch-vision
}
prove 'vision is stopped in the middle of a transaction' holds
prove 'sensing alerts meanwhile' alert
systemctl stop proof-holding
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
prove 'systemd lets uplink reach the new address, and not the one that was taken back' bash -c 'systemctl show -p IPAddressAllow polewatch-uplink | tee /dev/stderr | grep 192.0.2.2 | grep -qv 127.0.0.3 && grep -q 192.0.2.2 /var/lib/polewatch/applied/uplink.addresses && [ ! -e /run/systemd/system/polewatch-uplink.service.d/changed.conf ]'
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
# An upgrade while as many alerts wait as there is room for: the broker is away, and comes back after it.
soon watched
systemctl stop proof-broker
fill() {
  systemctl stop polewatch-sensing
  systemd-run --quiet --pipe --wait --uid=polewatch-sensing --gid=polewatch -p UMask=0027 node /usr/lib/polewatch-proof/dist/scripts/packaging/fill-outbox.js --site example-city --gateway pole-17 --limit 1048576
  local status=$?
  systemctl start polewatch-sensing
  return $status
}
given_up() { NODE_PATH=/usr/lib/polewatch/node_modules node -e 'const journal = new (require("better-sqlite3"))("/var/lib/polewatch/sensing.journal.db", { readonly: true })
  const one = query => journal.prepare(query).pluck().get()
  const [held, shots, gone] = [one("SELECT sum(length(bytes) + 256) FROM alert"), one("SELECT count(*) FROM alert WHERE kind = \u0027gunfire\u0027"), one("SELECT sum(last - first + 1) FROM shed")]
  console.log(`${held} bytes are held, ${shots} shots among them; ${gone} alerts were given up`); process.exit(held > 1040000 && shots > 3 && gone > 1 ? 0 : 1)'; }
prove "sensing's outbox is filled up to its limit" fill
prove 'for new shots it gives up what is less important' soon given_up
before=$(count)
wrote=$(written)
began=$(date +%s%N)
systemctl disable --now polewatch-report.timer
prove 'a newer version comes from the repository while alerts wait' upgrade newer
enabled() { [ "$(systemctl is-enabled polewatch-report.timer polewatch-hotlist.timer polewatch-apply.path | tee /dev/stderr | paste -sd ' ')" = 'disabled enabled enabled' ]; }
prove 'a timer that the city has switched off stays off, and what was on stays on' enabled
note "the upgrade took $((($(date +%s%N) - began) / 1000000)) ms, loaded $(stat -c %s /proof/repository/pool/*_99.1_*.deb | awk '{ sum += $1 } END { print sum }') bytes and wrote $((($(written) - wrote) / 1024)) KiB"
broker
prove 'every role runs after it' soon running
prove 'the alerts that waited arrive' soon more_than "$((before + 3))"
patience=800 prove 'the trial of the newer version ends' soon trial_over
prove 'the newer version stays' version_is 99.1
prove 'a version that does not start comes from the repository' upgrade broken
# The restart comes at once, in the middle of the trial, and while alerts wait.
systemctl stop proof-broker
sleep 6
touch /proof/again
sync
systemctl --force --force reboot
