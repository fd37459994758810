"""
What time it is in the test machine, and when the looped-back sound card took a sample, known better than polewatch can know it.

True time is the processor's own count (CLOCK_MONOTONIC_RAW), which nobody sets, said to be off by some parts per million. It is told to
chronyd with noise, as a receiver would, which then leads the system clock after it. Where the card is in what is played to it is looked
at hundreds of times a second: it counts in ticks of the kernel, so its clock is the edge that no look is ever ahead of.

    reference.py SOCKET PPM     commands on standard input, an answer of one line each:
      watch                     looks at the card from now on
      time FRAME RATE           UTC at which the card took that frame of what is played, at so many hertz; how many looks tell of it; and how
                                long the one took that was least late, seconds: the time is its middle
"""
import os
import random
import select
import socket
import struct
import sys
import time

RAW, MONOTONIC, SYSTEM = time.CLOCK_MONOTONIC_RAW, time.CLOCK_MONOTONIC, time.CLOCK_REALTIME
STATUS = "/proc/asound/Loopback/pcm1p/sub0/status"
# Of what is told to chronyd, one standard deviation, seconds.
NOISE = 20e-6
TELL_EVERY = 0.25
LOOK_EVERY = 0.003
# Looks so near to a frame tell of it, seconds.
NEAR = 2

path, ppm = sys.argv[1], float(sys.argv[2])
now = time.clock_gettime
raw_start, true_start = now(RAW), now(SYSTEM)
chronyd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
looks = None


def true_time(raw):
    return true_start + (raw - raw_start) * (1 + ppm * 1e-6)


def tell():
    raw, system, after = now(RAW), now(SYSTEM), now(RAW)
    if after - raw > 50e-6:
        return
    offset = true_time((raw + after) / 2) - system + random.gauss(0, NOISE)
    sample = struct.pack("@lldiiii", int(system), int(system % 1 * 1e6), offset, 0, 0, 0, 0x534F434B)
    try:
        chronyd.sendto(sample, path)
    except OSError:
        pass


def look():
    try:
        file = os.open(STATUS, os.O_RDONLY)
    except OSError:
        return
    before = now(RAW)
    text = os.read(file, 1000)
    after = now(RAW)
    os.close(file)
    at = text.find(b"hw_ptr")
    position = int(text[at:].split(b":")[1].split()[0]) if at >= 0 else 0
    # At nought it may not have begun.
    if position > 0:
        looks.append((true_time(after), after - before, position))


def time_of(frame, rate):
    told = [(at + (frame - position) / rate, took) for at, took, position in looks if abs(frame - position) < NEAR * rate]
    if not told:
        return "nan 0 nan"
    at, took = min(told)
    return f"{at - took / 2:.9f} {len(told)} {took:.6f}"


told_at = 0
while True:
    if select.select([sys.stdin], [], [], LOOK_EVERY)[0]:
        command, *arguments = sys.stdin.readline().split() or ["end"]
        if command == "end":
            break
        if command == "watch":
            looks = []
            print("watching", flush=True)
        else:
            print(time_of(int(arguments[0]), float(arguments[1])), flush=True)
    if now(RAW) - told_at > TELL_EVERY:
        told_at = now(RAW)
        tell()
    if looks is not None:
        look()
