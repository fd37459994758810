# What both parts of the proof use; sourced by proof.sh and proof-again.sh inside the container or machine. Each proof is a line of /proof/result.
export DEBIAN_FRONTEND=noninteractive POLEWATCH_TRIAL_SECONDS=180
exec >>/proof/log 2>&1
ca=/proof/authority
prove() {
  local what=$1
  shift
  if "$@" >/proof/last 2>&1; then echo "ok $what"; else echo "not ok $what: $(tail -14 /proof/last | tr '\n' ' ')"; fi >>/proof/result
  cat /proof/last
}
note() { echo "# $*" >>/proof/result; }
soon() { local try; for try in $(seq "${patience:-60}"); do "$@" && return 0; sleep 0.5; done; return 1; }
# The commands of the Nth block of docs/install.md, as they stand there but for the names of the packages.
documented() {
  awk -v block="$1" '/^```sh$/ { number++; inside = 1; next } /^```$/ { inside = 0 } inside && number == block' /proof/install.md |
    sed 's#\./polewatch_[^ ]*#./polewatch.deb ./polewatch-vision.deb#'
}

running() { for role in sensing vision uplink; do systemctl is-active --quiet "polewatch-$role" || { journalctl -o cat -n 12 -u "polewatch-$role"; return 1; }; done; }
watched() { for role in sensing vision uplink; do systemctl show -p WatchdogUSec,StatusText "polewatch-$role" | grep -c 'WatchdogUSec=30s\|StatusText=All' | grep -qx 2 || { systemctl show "polewatch-$role" | grep -i 'watchdog\|status'; return 1; }; done; }
version_is() { for package in polewatch polewatch-vision; do [ "$(dpkg-query -f '${Version}' -W "$package")" = "$1" ] || return 1; done; }
trial_over() { ! systemctl is-active --quiet polewatch-trial && [ ! -e /usr/lib/polewatch.previous ]; }

# The street: another machine at 192.0.2.1, a stranger at 192.0.2.3, and this one at 192.0.2.2, where the broker is as well.
street() {
  ip netns add street && ip link add street0 type veth peer name street1 netns street &&
    ip address add 192.0.2.2/24 dev street0 && ip link set street0 up &&
    ip -n street address add 192.0.2.1/24 dev street1 && ip -n street address add 192.0.2.3/24 dev street1 && ip -n street link set street1 up &&
    systemd-run --quiet --unit=proof-street ip netns exec street node -e 'require("net").createServer(() => {}).listen(1883)'
}
# Its reader, which calls with a wanted plate.
reader() { systemd-run --quiet --unit=proof-reader -p Restart=always -p RestartSec=1 -p StartLimitIntervalSec=0 ip netns exec street node /proof/calling.mjs; }
# Its camera, which asks for a password, and before which a wanted plate drives by every twelve seconds.
camera() {
  systemd-run --quiet --unit=proof-camera ip netns exec street node --input-type=module -e 'import { RtspStandIn } from "/proof/rtsp-stand-in.mjs"
    await RtspStandIn.on(8554, "/proof/street.h264", 5, { address: "192.0.2.1", login: "polewatch:a street" })'
}
broker() { systemd-run --quiet --unit=proof-broker mosquitto -c /proof/broker.conf; }
hub() { mosquitto_sub -h localhost -p 8883 --cafile $ca/root.pem --cert /proof/hub.pem --key /proof/hub.key "$@"; }
# hears NAME TOPIC: keeps all that comes in /proof/NAME.
hears() {
  systemd-run --quiet --unit="proof-$1" -p Restart=always -p "StandardOutput=append:/proof/$1" mosquitto_sub -h localhost -p 8883 --cafile $ca/root.pem --cert /proof/hub.pem \
    --key /proof/hub.key -i "$1" -q 1 -c -t "polewatch/v1/+/+/$2"
}
alert() { hub -W 40 -t 'polewatch/v1/example-city/pole-17/alert/gunfire' -C 1; }
count() { grep -c . /proof/heard; }
more_than() { [ "$(count)" -gt "$1" ] || { journalctl -o cat -n 6 -u polewatch-sensing -u polewatch-uplink | cut -c 1-200; return 1; }; }
# Of every stream and epoch each number from the first to the last was heard, or is named as given up; copies by the hub do not count.
whole() {
  node -e '
    const heard = ["heard", "hits", "faults", "given-up"].flatMap(name => require("fs").readFileSync(`/proof/${name}`, "utf8").split("\n").filter(Boolean).map(line => JSON.parse(line)))
    const streams = new Map()
    const arrived = (key, number) => streams.set(key, (streams.get(key) ?? new Set()).add(Number(number)))
    let named = 0
    for (const { source, epoch, sequence, data } of heard) {
      arrived(`${source} ${epoch}`, sequence)
      for (const { stream, epoch, first, last } of data.ranges ?? []) {
        for (let number = Number(first); number <= Number(last); number += 1) arrived(`${stream} ${epoch}`, number)
        named += Number(last) - Number(first) + 1
      }
    }
    let missing = 0
    for (const [key, numbers] of streams) {
      const last = Math.max(...numbers)
      console.log(key, numbers.size, "of", last)
      // What is not important goes to topics that are not heard here.
      if (!key.includes("/rest ")) missing += last - numbers.size
    }
    console.log(named, "were given up")
    process.exit(missing === 0 && named > 0 && streams.size > 0 ? 0 : 1)'
}
