# The part of scripts/prove-package after the restart of the computer, which came in the middle of the trial of a broken version.
. /proof/proof-tools.sh
reached() { systemctl show -p IPAddressAllow polewatch-uplink | grep 192.0.2.2; }
gone() { ! ls -d /var/lib/polewatch /etc/polewatch /run/polewatch /usr/lib/polewatch* /etc/systemd/system/polewatch* /etc/systemd/system/*.wants/polewatch* /run/systemd/system/polewatch-* /run/polewatch-firewall /var/lib/systemd/timers/stamp-polewatch* /var/lib/systemd/deb-systemd-helper-enabled/polewatch* /var/lib/systemd/deb-systemd-helper-enabled/*.wants/polewatch* /etc/apt/preferences.d/polewatch* /etc/credstore/polewatch* 2>/dev/null | grep -v proof && ! getent passwd | grep polewatch && ! getent group polewatch; }
prove 'systemd knows again what uplink may reach' reached
street && reader && camera && broker
soon hub -t '$SYS/broker/version' -C 1 >/dev/null
hears heard alert/gunfire
hears hits alert/plate-hit
hears faults alert/fault
hears given-up alert/shed
patience=800 prove 'the trial goes on after the restart, and ends' soon trial_over
prove 'the version before is back by itself' version_is 99.1
patience=120 prove 'every role runs again' soon watched
before=$(count)
patience=120 prove 'alerts arrive again' soon more_than "$before"
prove 'the broken version is not taken again' bash -c 'apt-get upgrade -q; [ "$(dpkg-query -f "\${Version}" -W polewatch)" = 99.1 ]'
prove 'no alert of all this was lost: each has come, or is named as given up' whole
journalctl -o cat -u polewatch-trial
# As on an image, where the state is a partition of its own.
mount --bind /var/lib/polewatch /var/lib/polewatch
prove 'it is purged' apt-get purge -q polewatch polewatch-vision
emptied() { mountpoint /var/lib/polewatch && [ -z "$(ls -A /var/lib/polewatch | tee /dev/stderr)" ] && umount /var/lib/polewatch && rmdir /var/lib/polewatch; }
prove 'a state folder that is a mount point is emptied and stays' emptied
rm -rf /usr/lib/polewatch-proof
prove 'nothing of it is left' gone
