# Runs inside the container of scripts/prove-package. Each proof is a line of /proof/result.
export DEBIAN_FRONTEND=noninteractive
exec >/proof/log 2>&1
prove() {
  local what=$1
  shift
  if "$@" >/proof/last 2>&1; then echo "ok $what"; else echo "not ok $what: $(tail -14 /proof/last | tr '\n' ' ')"; fi >>/proof/result
  cat /proof/last
}
running() { for role in sensing vision uplink; do systemctl is-active --quiet "polewatch-$role" || { journalctl -o cat -n 12 -u "polewatch-$role"; return 1; }; done; }
soon() { local try; for try in $(seq 60); do "$@" && return 0; sleep 0.5; done; return 1; }
watched() { for role in sensing vision uplink; do systemctl show -p WatchdogUSec,StatusText "polewatch-$role" | grep -c 'WatchdogUSec=30s\|StatusText=All' | grep -qx 2 || { systemctl show "polewatch-$role" | grep -i 'watchdog\|status'; return 1; }; done; }
hardened() { local score; score=$(systemd-analyze security "polewatch-$1" 2>/dev/null | sed -n 's/.*: \([0-9.]*\) .*/\1/p'); echo "$1 is at $score"; awk -v score="$score" -v most="$2" 'BEGIN { exit !(score != "" && score <= most) }'; }
inside() {
  sed -e "s#^ExecStart=.*#ExecStart=/usr/bin/node /usr/lib/polewatch-proof/inside.mjs $1#" -e '/^Restart/d;/^Type/d;/^Watchdog/d;/^PartOf/d' \
    "/usr/lib/systemd/system/polewatch-$1.service" | sed 's/^\[Service\]/[Service]\nType=oneshot/' >"/run/systemd/system/inside-$1.service"
  systemctl daemon-reload
  systemctl start "inside-$1"
  local status=$?
  journalctl -o cat -u "inside-$1" | grep could
  return $status
}
gone() { ! ls -d /var/lib/polewatch /etc/polewatch /run/polewatch /usr/lib/polewatch /etc/systemd/system/polewatch* 2>/dev/null && ! getent passwd | grep polewatch && ! getent group polewatch; }
refused() { systemctl start polewatch.target; ! systemctl is-active --quiet polewatch-sensing; }
started=$(date +%s)
install -D -m 644 /proof/inside.mjs /usr/lib/polewatch-proof/inside.mjs
prove 'the package installs' dpkg -i /proof/polewatch.deb
prove 'without a configuration nothing runs' refused
systemctl stop polewatch.target
install -m 644 /proof/proof.yaml /etc/polewatch/polewatch.yaml
prove 'the configuration is right' polewatch config check
systemd-run --quiet --unit=proof-broker mosquitto -p 1883
prove 'the target starts' systemctl enable --now polewatch.target
prove 'every role runs' soon running
prove 'every role is watched and says that it works' soon watched
prove 'an alert reaches the broker' timeout 40 mosquitto_sub -h 127.0.0.1 -t 'polewatch/v1/example-city/pole-17/alert/gunfire' -C 1
echo "# from installation to the first alert: $(($(date +%s) - started)) s" >>/proof/result
for role in sensing vision uplink; do prove "from inside $role nothing forbidden can be done" inside "$role"; done
prove 'sensing is exposed by 0.8 at most' hardened sensing 0.8
prove 'vision is exposed by 1.2 at most' hardened vision 1.2
prove 'uplink is exposed by 0.9 at most' hardened uplink 0.9
kill -STOP "$(systemctl show -p MainPID --value polewatch-vision)"
prove 'sensing alerts while vision stands still' timeout 40 mosquitto_sub -h 127.0.0.1 -t 'polewatch/v1/example-city/pole-17/alert/gunfire' -C 1
prove 'systemd starts a role again that stands still' timeout 60 bash -c 'until [ "$(systemctl show -p NRestarts --value polewatch-vision)" != 0 ]; do sleep 1; done'
prove 'the package installs over itself' dpkg -i /proof/polewatch.deb
prove 'every role runs after it' soon running
prove 'it is purged' apt-get purge -y -qq polewatch
prove 'nothing of it is left' gone
