"""Reads a ledger's file by its documented layout (policy/ledger/ledger_format.h), sharing no code with the gateway."""
import fcntl
import hashlib
import mmap
import struct

LEVELS = ("", "organisation", "tenant", "app", "key", "deployment", "", "")
DIMENSIONS = ("", "requests", "tokens", "micro-dollars", "in-flight", "input", "output", "streams")
PERS = ("none", "second", "minute", "day", "month", "", "", "")
CLASSES = ("", "budget", "rate", "shadow")
EXTENTS, EXTENT_COUNT, RESERVATIONS_USED = 152, 1472, 1600     # offsets in the header
UNIT, PAGE, RESERVATION, ENTRY = 64, 4096, 1216, 48
NOTHING = bytes(1 << 16)
LOCK = "hhqqi4x"                    # struct flock
SLOTS, SLOT, HEADER = 1024, 128, 4096
FREE = 0                                            # phase of a reservation
EMPTY = (0, 2 ** 64 - 1)                            # first words of a counter's identity: never used, free again


def model_number(name):
    return struct.unpack("<Q", hashlib.sha256(name.encode()).digest()[:8])[0] or 1


def _identity(low, high):
    return {"uid": low & 2 ** 48 - 1, "level": LEVELS[low >> 48 & 7], "dimension": DIMENSIONS[low >> 51 & 7], "per": PERS[low >> 54 & 7],
            "class": CLASSES[low >> 57 & 3], "model": high}


def read(path):
    """(counters, reservations that are not free), each a list of dictionaries."""
    counters, held = [], []
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        assert data[:8] == b"GHLEDGR1" and struct.unpack_from("<I", data, 8)[0] == 2
        for number in range(struct.unpack_from("<Q", data, EXTENT_COUNT)[0]):
            begin, length, reservations, room = struct.unpack_from("<4Q", data, EXTENTS + 32 * number)
            used = (page for part in range(begin, begin + length, len(NOTHING)) if data[part:part + len(NOTHING)] != NOTHING
                    for page in range(part, min(part + len(NOTHING), begin + length), PAGE) if data[page:page + PAGE] != NOTHING[:PAGE])
            for page in used:
                words = struct.unpack_from("<%dQ" % ((min(page + PAGE, begin + length) - page) // 8), data, page)
                for unit in (number for number, id_low in enumerate(words[2::UNIT // 8]) if id_low not in EMPTY):
                    low, high, id_low, id_high = words[unit * UNIT // 8:unit * UNIT // 8 + 4]
                    counters.append({**_identity(id_low, id_high), "value": low & 2 ** 48 - 1, "window": low >> 48 | (high & 0xffff) << 16})
            used = struct.unpack_from("<Q", data, RESERVATIONS_USED)[0]
            for at in range(reservations, reservations + min(room, used * RESERVATION), RESERVATION):
                state, expires = struct.unpack_from("<2Q", data, at)
                if state & 7 == FREE:
                    continue
                count = state >> 4 & 31
                entries = [struct.unpack_from("<5Q2I", data, at + 64 + ENTRY * i) for i in range(count)]
                held.append({"phase": state & 7, "id": bytes(data[at + 16:at + 32]).hex(), "expires": expires,
                             "items": [{**_identity(one[0], one[1]), "reserved": one[2], "window": one[6]} for one in entries]})
    return counters, held


class Slots:
    """The ledger's slots as anybody may see them."""

    def __init__(self, gateway):
        self.file = open(gateway.home / "ledger", "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0)

    def held(self, number):
        asked = struct.pack(LOCK, fcntl.F_WRLCK, 0, HEADER + number * SLOT, 1, 0)
        return struct.unpack(LOCK, fcntl.fcntl(self.file, fcntl.F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK

    def words(self, number):
        at = HEADER + number * SLOT
        window, = struct.unpack_from("<Q", self.map, at)
        pid, generation, start, inode, swept, running, cut, finishing = struct.unpack_from("<IIQQQIII", self.map, at + 64)
        return {"window": window, "pid": pid, "generation": generation, "inode": inode, "swept": swept, "running": running, "cut": cut,
                "finishing": finishing}

    def alive(self):
        return {n: self.words(n) for n in range(SLOTS) if self.held(n)}
