# The proof of scripts/prove-image, inside the container: at the first start of the image, and again after a restart of the computer.
. /proof/proof-tools.sh
sealed() {
  findmnt -no OPTIONS / | tee /dev/stderr | grep -qw ro || return 1
  for folder in / /usr /etc /root /var /var/lib /usr/lib/polewatch; do ! touch "$folder/planted" || return 1; done
}
for_state_alone() { findmnt -no OPTIONS /var/lib/polewatch | tee /dev/stderr | grep -w noexec; }
none_failed() { [ -z "$(systemctl list-units --plain --no-legend --state=failed 'polewatch*' | tee /dev/stderr)" ]; }
reached() { systemctl show -p IPAddressAllow polewatch-uplink | grep 192.0.2.2; }
# What the hub had not confirmed comes again, and after it what is new.
goes_on() {
  node -e '
    const [before, now] = ["first", "second"].map(turn => require("fs").readFileSync(`/proof/alerts.${turn}`, "utf8").trim().split("\n").map(line => JSON.parse(line)))
    for (const { source, epoch, sequence } of [...before, ...now]) console.log(source, epoch, sequence)
    const one = new Set([...before, ...now].map(({ source, epoch }) => `${source} ${epoch}`)).size === 1
    process.exit(one && before.at(-1).sequence < now.at(-1).sequence ? 0 : 1)'
}
turn=first several=4
[ ! -e /proof/alerts.first ] || turn=second several=12
prove "at the $turn start the root cannot be written to, by root either" sealed
[ "$turn" = second ] || prove 'the state partition holds no program and no device' for_state_alone
patience=600 prove "at the $turn start every role is watched and says that it works" soon watched
prove "at the $turn start its certificate is good" polewatch enroll status
prove "at the $turn start systemd lets uplink reach its broker" reached
hub -W 120 -t 'polewatch/v1/example-city/pole-17/alert/gunfire' -C $several >/proof/alerts.$turn
prove "at the $turn start alerts reach the hub" test -s /proof/alerts.$turn
prove "at the $turn start systemd remembers when its timers were due" test -e /var/lib/systemd/timers/stamp-polewatch-report.timer
prove "at the $turn start no unit of it has failed" none_failed
note "of the system itself failed: $(systemctl list-units --plain --no-legend --state=failed | awk '{ print $1 }' | paste -sd ' ')"
if [ "$turn" = first ]; then sync; systemctl --force --force reboot; exit; fi
prove 'its alerts after the restart go on from those before' goes_on
